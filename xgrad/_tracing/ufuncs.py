"""Apply the ufuncs that NumPy hands over, with their options and their methods."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._tracing.arguments import axis_of, first_standin, require
from xgrad._tracing.functions.elements import cast, where
from xgrad._tracing.functions.indexing import part
from xgrad._tracing.functions.joining import as_arrays, stack
from xgrad._tracing.functions.products import matmul, matvec, vecdot, vecmat
from xgrad._tracing.functions.reductions import logsumexp
from xgrad._tracing.functions.shapes import broadcast_any, reshape_any
from xgrad._tracing.functions.writing import apply_at
from xgrad._tracing.registry import FUNCTIONS, call, handles, write_into
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
ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}
GENERALIZED: dict[str, Callable[..., Any]] = {
    "matmul": matmul,
    "matvec": matvec,
    "vecdot": vecdot,
    "vecmat": vecmat,
}
# What they ask for changes no number where the plain call has accepted it.
WITHOUT_EFFECT = ("casting", "subok")


@handles("numpy ufunc")
def apply_ufunc(
    tracer: Tracer, ufunc: Any, method: str, inputs: Any, options: dict[str, Any]
) -> Any:
    """Apply a ufunc of NumPy, or one of its methods."""
    if method == "at":
        require(isinstance(inputs[0], StandIn), tracer, *_other_array(ufunc))
        return apply_at(ufunc, *inputs)
    # NumPy has not made arrays of lists before it asks the protocol.
    inputs = tuple(np.asarray(i) if isinstance(i, (list, tuple)) else i for i in inputs)
    outs = options.pop("out", None) or ()
    for out in outs:
        require(out is None or isinstance(out, StandIn), tracer, *_other_array(ufunc))
    options = {k: v for k, v in options.items() if k not in WITHOUT_EFFECT}
    if method != "__call__":
        result = _apply_method(tracer, ufunc, method, inputs, options)
    else:
        result = _apply_plain(tracer, ufunc, inputs, options, *outs)
    if not outs:
        return result
    if len(outs) == 1:
        return write_into(outs[0], result)
    pairs = zip(outs, result, strict=True)
    return tuple(r if o is None else write_into(o, r) for o, r in pairs)


def _other_array(ufunc: Any) -> tuple[str, str]:
    return (
        f"np.{ufunc.__name__}(..., out=) or an operation in place on another array",
        "make a new array, or the other one by `zeros_like(x)`",
    )


def _apply_plain(
    tracer: Tracer, ufunc: Any, inputs: Any, options: dict[str, Any], *outs: Any
) -> Any:
    """Apply a ufunc to all entries, or to those that ``where`` marks."""
    name, mask = ufunc.__name__, options.pop("where", True)
    # A generalized ufunc works on the last axes, not entry by entry.
    if name == "vecdot" and options.keys() == {"axis"}:
        return vecdot(*inputs, **options)
    dtype = options.pop("dtype", None)
    if options:
        raise tracer.refuse(
            f"np.{name} with {sorted(options)}", "use plain functions and operators"
        )
    if ufunc.signature is not None:
        require(name in GENERALIZED and dtype is None, tracer, f"np.{name}", USE)
        return GENERALIZED[name](*inputs)
    if dtype is not None:
        inputs = [
            cast(i, dtype) if isinstance(i, StandIn) else np.asarray(i, dtype)
            for i in inputs
        ]
    if mask is not True:
        return _apply_where(tracer, ufunc, inputs, mask, *outs)
    if first_standin(inputs) is None:
        return ufunc(*inputs)
    if ufunc.nout > 1:
        outputs = (_one_output(ufunc, i) for i in range(ufunc.nout))
        return tuple(tracer.elementwise(output, *inputs) for output in outputs)
    return tracer.elementwise(ufunc, *inputs)


USE = "write it with functions of the standard"


def _apply_where(
    tracer: Tracer, ufunc: Any, inputs: Any, mask: Any, out: Any = None
) -> Any:
    """Apply a ufunc to the entries that a mask marks; the others are those of `out`."""
    if not isinstance(mask, StandIn) and np.all(mask):
        return _apply_plain(tracer, ufunc, inputs, {})
    idiom = f"np.{ufunc.__name__}(where=) without `out`, which leaves entries undefined"
    require(out is not None and ufunc.nout == 1, tracer, idiom, "give it `out=`")
    if isinstance(mask, StandIn):
        return where(mask, _apply_plain(tracer, ufunc, inputs, {}), out)
    # Those entries alone: the function may have no derivative at the others.
    mask = np.broadcast_to(mask, out.shape)
    marked = [broadcast_any(i, out.shape)[mask] if np.ndim(i) else i for i in inputs]
    result = tracer.copy(out)
    result[mask] = _apply_plain(tracer, ufunc, marked, {})
    return result


def _apply_method(
    tracer: Tracer, ufunc: Any, method: str, inputs: tuple[Any, ...], options: Any
) -> Any:
    """Apply `reduce`, `accumulate`, `reduceat` or `outer` of a ufunc."""
    name, x = ufunc.__name__, inputs[0]
    # Methods of ufuncs take the first axis where functions take all, hence `axis: 0`.
    if method == "reduce" and name in REDUCTIONS:
        return _call(tracer, REDUCTIONS[name], x, **{"axis": 0, **options})
    if method == "accumulate" and name in ACCUMULATIONS:
        return _call(tracer, ACCUMULATIONS[name], x, **{"axis": 0, **options})
    if method == "reduce" and name == "logaddexp":
        return call(tracer, name, logsumexp, (x,), {"axis": 0, **options})
    if method == "outer" and not options and len(inputs) == 2:
        a, b = as_arrays(*inputs)
        a = reshape_any(a, (*a.shape, *(1,) * b.ndim))
        return tracer.elementwise(ufunc, a, b)
    functions: dict[str, Callable[..., Any]] = {
        "reduce": _fold,
        "accumulate": _fold_steps,
        "reduceat": functools.partial(_fold_segments, tracer),
    }
    plain = ufunc.nin == 2 and ufunc.nout == 1 and ufunc.signature is None
    if method in functions and plain and isinstance(x, StandIn):
        return call(
            tracer, f"{name}.{method}", functions[method], (ufunc, *inputs), options
        )
    remedy = "write `f` without, as nothing else does this at many points at once"
    raise tracer.refuse(f"np.{name}.{method}", remedy)


def _call(tracer: Tracer, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function by its name, which refuses arguments that it does not have."""
    return call(tracer, name, FUNCTIONS[name], args, kwargs)


def _steps(ufunc: Any, x: StandIn, axis: int) -> list[Any]:
    """Return the results of a ufunc after each entry of an axis, all of length 1."""
    place = axis_of(x, axis)
    results = [part(x, place, 0, 1)]
    for i in range(1, x.shape[place]):
        entry = part(x, place, i, i + 1)
        results.append(x.tracer.elementwise(ufunc, results[-1], entry))
    return results


def _fold(ufunc: Any, x: StandIn, axis: int = 0, keepdims: bool = False) -> Any:
    """Apply a ufunc of two numbers to all entries along an axis, one after another."""
    place = axis_of(x, axis)
    last = _steps(ufunc, x, place)[-1]
    shape = tuple(n for i, n in enumerate(x.shape) if i != place)
    return last if keepdims else reshape_any(last, shape)


def _fold_steps(ufunc: Any, x: StandIn, axis: int = 0) -> Any:
    """Return what `_fold` has after each entry."""
    place = axis_of(x, axis)
    steps = [
        reshape_any(s, x.shape[:place] + x.shape[place + 1 :])
        for s in _steps(ufunc, x, place)
    ]
    return (
        stack(steps, place)
        if first_standin(steps) is not None
        else np.stack(steps, place)
    )


def _fold_segments(
    tracer: Tracer, ufunc: Any, x: StandIn, indices: Any, axis: int = 0
) -> Any:
    """Reduce segments along an axis, which start at indices."""
    place, results = axis_of(x, axis), []
    starts = np.asarray(indices).tolist()
    for start, stop in zip(starts, [*starts[1:], x.shape[place]], strict=True):
        # By definition one entry alone, where the next segment does not start later.
        segment = part(x, place, start, max(stop, start + 1))
        results.append(
            _apply_method(tracer, ufunc, "reduce", (segment,), {"axis": place})
        )
    return stack(results, place)


@functools.cache  # one function every time, by which a tracer knows the operation again
def _one_output(ufunc: Any, number: int) -> Callable[..., Any]:
    """Return a function that gives one of the outputs of a ufunc."""

    def output(*inputs: Any) -> Any:
        return ufunc(*inputs)[number]

    # A tracer finds its rule by the name, which is that of NumPy's own ufunc alone.
    name: str = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        output.__dict__["operation"] = f"{name} {number}"
    output.__dict__["output_of"] = ufunc, number
    output.__name__ = name
    return output
