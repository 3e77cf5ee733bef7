"""Apply the ufuncs and kernels that NumPy and CuPy hand over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._tracing.functions.products import matmul, vecdot
from xgrad._tracing.functions.shapes import reshape_any
from xgrad._tracing.linearity import add_kernel
from xgrad._tracing.refusals import NotTraceableError
from xgrad._tracing.registry import FUNCTIONS, call, handles
from xgrad._tracing.standin import StandIn
from xgrad._tracing.tracer import Tracer

REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
GENERALIZED: dict[str, Callable[..., Any]] = {"matmul": matmul, "vecdot": vecdot}


@handles("numpy ufunc")
def _apply_ufunc(
    tracer: Tracer, ufunc: Any, method: str, inputs: Any, options: dict[str, Any]
) -> Any:
    """Apply a ufunc of NumPy, or one of its methods."""
    name = ufunc.__name__
    if options.pop("out", None) is not None:
        raise tracer.refuse(
            f"np.{name}(..., out=) or an operation in place on another array",
            "make a new array",
        )
    # NumPy has not made arrays of lists before it asks the protocol.
    inputs = tuple(np.asarray(i) if isinstance(i, (list, tuple)) else i for i in inputs)
    if method != "__call__":
        return _apply_method(tracer, ufunc, method, inputs, options)
    # A generalized ufunc works on the last axes, not entry by entry.
    if name == "vecdot" and options.keys() == {"axis"}:
        return vecdot(*inputs, **options)
    if options:
        raise _refuse_ufunc(tracer, f"{name} with {sorted(options)}")
    if ufunc.signature is not None:
        if name in GENERALIZED:
            return GENERALIZED[name](*inputs)
        raise tracer.refuse(f"np.{name}", "write it with functions of the standard")
    if ufunc.nout > 1:
        outputs = (_one_output(ufunc, i) for i in range(ufunc.nout))
        return tuple(tracer.elementwise(output, *inputs) for output in outputs)
    return tracer.elementwise(ufunc, *inputs)


def _apply_method(
    tracer: Tracer, ufunc: Any, method: str, inputs: tuple[Any, ...], options: Any
) -> Any:
    """Apply `reduce`, `accumulate` or `outer` of a ufunc."""
    name = ufunc.__name__
    # Methods of ufuncs take the first axis where functions take all, hence `axis: 0`.
    if method == "reduce" and name in REDUCTIONS:
        return _call(tracer, REDUCTIONS[name], *inputs, **{"axis": 0, **options})
    if method == "accumulate" and name == "add":
        return _call(tracer, "cumsum", *inputs, **{"axis": 0, **options})
    if method == "outer" and not options and len(inputs) == 2:
        a, b = inputs
        a = reshape_any(a, (*a.shape, *(1,) * b.ndim))
        return tracer.elementwise(ufunc, a, b)
    raise _refuse_ufunc(tracer, f"{name}.{method}")


def _refuse_ufunc(tracer: Tracer, usage: str) -> NotTraceableError:
    return tracer.refuse(f"np.{usage}", "use plain functions and operators")


@functools.cache  # one function every time, by which a tracer knows the operation again
def _one_output(ufunc: Any, number: int) -> Callable[..., Any]:
    """Return a function that gives one of the outputs of a ufunc."""
    return lambda *inputs: ufunc(*inputs)[number]


@handles("cupy kernel")
def _apply_kernel(
    tracer: Tracer, kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply an elementwise kernel of CuPy."""
    name = getattr(kernel, "name", str(kernel))
    # CuPy hands over all options, those that were not given as None.
    kwargs = {option: value for option, value in kwargs.items() if value is not None}
    # More arguments than inputs: the others are the arrays to write into.
    if len(args) > getattr(kernel, "nin", len(args)):
        raise tracer.refuse(
            "an assignment into another array", "use `zeros_like(x)` or `stack`"
        )
    if kwargs:
        raise tracer.refuse(f"`{name}` with {sorted(kwargs)}", "make a new array")
    add_kernel(tracer.xp, kernel)
    return tracer.elementwise(kernel, *args)


@handles("cupy reduction")
def _apply_reduction(
    kernel: Any, x: StandIn, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply a reduction kernel of CuPy."""
    # The kernel's name is all that tells which reduction it is.
    name = kernel.name.removeprefix("cupy_")
    positional = zip(("axis", "dtype", "out", "keepdims"), args, strict=False)
    arguments = {n: a for n, a in positional if a is not None}
    arguments |= {n: a for n, a in kwargs.items() if a is not None}
    name = {"amax": "max", "amin": "min"}.get(name, name)
    if name not in FUNCTIONS or "out" in arguments:
        raise x.tracer.refuse(f"the reduction `{kernel.name}`", "use plain functions")
    return _call(x.tracer, name, x, **arguments)


def _call(tracer: Tracer, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function by its name, which refuses arguments that it does not have."""
    return call(tracer, name, FUNCTIONS[name], args, kwargs)
