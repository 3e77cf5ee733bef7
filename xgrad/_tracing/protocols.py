"""Apply the operators, ufuncs and kernels that Python, NumPy and CuPy hand over."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.names import require, reshape
from xgrad._batched.trace import NotBatchedError, Trace


def _operator(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """Apply a function of the module `operator`."""
    # The one operator that is no function of entries.
    if function is operator.matmul:
        return HANDLERS["matmul"](*operands)
    return elementwise(function, *operands)


HANDLERS["operator"] = _operator


def _in_place(function: Callable[..., Any], x: Batched, other: Any) -> Any:
    """Assign ``x += other`` and the like, to arrays that are no views."""
    new = _operator(function, (x.ensure_current(), other))
    require(new.shape == x.shape, x, "an assignment in place that changes the shape")
    # NumPy casts results in place to the dtype of the array. (`f(x)` itself has failed
    # already if it refuses the cast.)
    if new.dtype != x.dtype:
        new = HANDLERS["astype"](new, x.dtype)
    if isinstance(x.base, np.generic) and not x.tracer.wrapped:
        return new  # a scalar of NumPy cannot be changed: its name gets a new one
    if x.owner is None:
        x.assign(new)
        return x
    # For `owner[key] += other` Python assigns `owner[key] = new` next, which ends this.
    # Without it the owner lacks the change, which an array of NumPy would have.
    x.stale = x.owner.stale = True
    x.tracer.cache["in place"] = x.owner, new
    return new


HANDLERS["in_place"] = _in_place


def _ufunc(
    trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], options: Any
) -> Any:
    """Apply a ufunc of NumPy, or one of its methods."""
    name = ufunc.__name__
    if options.pop("out", None) is not None:
        raise trace.refuse(
            f"np.{name}(..., out=) or an operation in place on another array",
            "make a new array",
        )
    # NumPy has not made arrays of lists before it asks the protocol.
    inputs = tuple(np.asarray(i) if isinstance(i, (list, tuple)) else i for i in inputs)
    if method != "__call__":
        return _ufunc_method(trace, ufunc, method, inputs, options)
    if name == "vecdot" and options.keys() == {"axis"}:
        return HANDLERS["vecdot"](*inputs, **options)
    if options:
        raise _refuse_ufunc(trace, f"{name} with {sorted(options)}")
    # A generalized ufunc works on the last axes, not entry by entry.
    if ufunc.signature is not None:
        if name in ("matmul", "vecdot"):
            return HANDLERS[name](*inputs)
        raise trace.refuse(f"np.{name}", "write it with functions of the standard")
    if ufunc.nout > 1:
        return _all_outputs(ufunc, inputs)
    return elementwise(ufunc, *inputs)


HANDLERS["ufunc"] = _ufunc
REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


def _ufunc_method(
    trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], options: Any
) -> Any:
    """Apply `reduce`, `accumulate` or `outer` of a ufunc."""
    name = ufunc.__name__
    # Methods of ufuncs take the first axis where functions take all, hence `axis: 0`.
    if method == "reduce" and name in REDUCTIONS:
        return HANDLERS[REDUCTIONS[name]](*inputs, **{"axis": 0, **options})
    if method == "accumulate" and name == "add":
        return HANDLERS["cumsum"](*inputs, **{"axis": 0, **options})
    if method == "outer" and not options and len(inputs) == 2:
        a, b = inputs
        return elementwise(ufunc, reshape(a, (*a.shape, *(1,) * b.ndim)), b)
    raise _refuse_ufunc(trace, f"{name}.{method}")


def _refuse_ufunc(trace: Trace, usage: str) -> NotBatchedError:
    return trace.refuse(f"np.{usage}", "use plain functions and operators")


def _all_outputs(ufunc: Any, inputs: tuple[Any, ...]) -> Any:
    """Apply a ufunc of several outputs, one by one."""
    return tuple(elementwise(_one_output(ufunc, i), *inputs) for i in range(ufunc.nout))


@functools.cache  # one function every time, by which a chunk knows the operation again
def _one_output(ufunc: Any, number: int) -> Callable[..., Any]:
    """Return a function that gives one of the outputs of a ufunc."""
    return lambda *inputs: ufunc(*inputs)[number]


def _cupy_kernel(
    trace: Trace, kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply an elementwise kernel of CuPy."""
    name = getattr(kernel, "name", str(kernel))
    # CuPy hands over all options, those that were not given as None.
    kwargs = {option: value for option, value in kwargs.items() if value is not None}
    # More arguments than inputs: the others are the arrays to write into.
    if len(args) > getattr(kernel, "nin", len(args)):
        raise trace.refuse(
            "an assignment into another array", "use `zeros_like(x)` or `stack`"
        )
    if kwargs:
        raise trace.refuse(f"`{name}` with {sorted(kwargs)}", "make a new array")
    return elementwise(kernel, *args)


def _cupy_reduction(
    trace: Trace, kernel: Any, x: Batched, args: tuple[Any, ...], kwargs: Any
) -> Any:
    """Apply a reduction kernel of CuPy."""
    # The kernel's name is all that tells which reduction it is.
    name = kernel.name.removeprefix("cupy_")
    positional = zip(("axis", "dtype", "out", "keepdims"), args, strict=False)
    arguments = {n: a for n, a in positional if a is not None}
    arguments |= {n: a for n, a in kwargs.items() if a is not None}
    name = {"amax": "max", "amin": "min"}.get(name, name)
    if name not in HANDLERS or "out" in arguments:
        raise trace.refuse(f"the reduction `{kernel.name}`", "use plain functions")
    return HANDLERS[name](x, **arguments)


HANDLERS["cupy_kernel"] = _cupy_kernel
HANDLERS["cupy_reduction"] = _cupy_reduction
