"""Put arrays together: concatenate, stack, pad, and take apart again."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.everywhere import everywhere
from xgrad._batched.gather import gathered, placed
from xgrad._batched.names import (
    array_like,
    axis_of,
    handles,
    is_float,
    require,
    reshape,
)
from xgrad._batched.operands import base_ids, trace_of
from xgrad._batched.trace import Trace


@handles("concat", "concatenate")
def _concat(
    arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None
) -> Any:
    arrays = [array_like(a, arrays) for a in arrays]
    trace = trace_of(arrays)
    xp = trace.xp
    if out is not None or dtype is not None:
        raise trace.refuse("concatenate(out=, dtype=)", "make a new array")
    if axis is None:
        arrays = [
            reshape(a, (-1,)) if not isinstance(a, Batched) else HANDLERS["ravel"](a)
            for a in arrays
        ]
        axis = 0
    place = axis_of(arrays[0], axis)
    bases = [xp.asarray(a.base) if isinstance(a, Batched) else a for a in arrays]
    base = trace.compute_once(
        ("concat", place), base_ids(arrays), lambda: xp.concat(bases, axis=place)
    )
    varying = [a for a in arrays if isinstance(a, Batched) and a.region is not None]
    if not varying:
        return Batched(trace, base)
    # The sum below takes differences, which booleans do not have and which wrap around
    # in unsigned integers.
    if trace.dense or any(not a.has_diff and not is_float(a) for a in varying):
        return everywhere(
            ("concat everywhere", place),
            lambda *parts: xp.concat([xp.asarray(p) for p in parts], axis=place),
            lambda *parts: _concat_many(trace, arrays, parts, place),
            *arrays,
        )
    return _add_padded(trace, arrays, place, base)


def _add_padded(trace: Trace, arrays: Any, axis: int, base: Array) -> Batched:
    """Concatenate as a sum of arrays, each padded with zeros: sums keep regions small.

    Of the sum only the differences are used.
    """
    shape = tuple(base.shape)
    start, total = 0, None
    for array in arrays:
        if isinstance(array, Batched) and array.region is not None:
            padded = placed(
                ("concat", axis, start, shape),
                array,
                functools.partial(_sources, trace.xp, array, shape, axis, start),
            )
            if total is None:
                total = padded
            else:
                total = elementwise(operator.add, total, padded)
        start += array.shape[axis]
    assert total is not None
    return Batched(trace, base, total.region, total.diff_as(base.dtype))


def _sources(
    xp: Any, x: Batched, shape: tuple[int, ...], axis: int, start: int
) -> Array:
    """Return for each entry of the result which entry of ``x`` it is, or -1."""
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    before = (*shape[:axis], start, *shape[axis + 1 :])
    after = shape[axis] - start - x.shape[axis]
    after_shape = (*shape[:axis], after, *shape[axis + 1 :])
    outside = [
        xp.full(s, -1, dtype=numbers.dtype, device=x.device)
        for s in (before, after_shape)
    ]
    return xp.concat([outside[0], numbers, outside[1]], axis=axis)


def _concat_many(trace: Trace, arrays: Any, values: Any, axis: int) -> Array:
    """Concatenate the values at all points; constants are repeated for each."""
    xp = trace.xp
    at_points = [
        value
        if isinstance(array, Batched)
        else xp.broadcast_to(value[None, ...], (trace.points, *value.shape))
        for array, value in zip(arrays, values, strict=True)
    ]
    return xp.concat(at_points, axis=axis + 1)


@handles("stack")
def _stack(arrays: Any, axis: int = 0) -> Any:
    arrays = [array_like(a, arrays) for a in arrays]
    xp = trace_of(arrays).xp
    ndim = arrays[0].ndim + 1
    if any(tuple(a.shape) != tuple(arrays[0].shape) for a in arrays):
        raise ValueError("all arrays to stack must have one shape")
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds")
    place = axis % ndim
    return _concat(
        [
            HANDLERS["expand_dims"](a, place)
            if isinstance(a, Batched)
            else xp.expand_dims(xp.asarray(a), axis=place)
            for a in arrays
        ],
        axis=place,
    )


@handles("hstack")
def _hstack(arrays: Any) -> Any:
    arrays = [_at_least(a, 1, arrays) for a in arrays]
    return _concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


@handles("vstack")
def _vstack(arrays: Any) -> Any:
    return _concat([_at_least(a, 2, arrays) for a in arrays], axis=0)


@handles("dstack")
def _dstack(arrays: Any) -> Any:
    arrays = [_at_least(a, 2, arrays) for a in arrays]
    return _concat(
        [reshape(a, (*a.shape, 1)) if a.ndim == 2 else a for a in arrays], axis=2
    )


@handles("column_stack")
def _column_stack(arrays: Any) -> Any:
    arrays = [_at_least(a, 1, arrays) for a in arrays]
    return _concat(
        [reshape(a, (a.shape[0], 1)) if a.ndim == 1 else a for a in arrays], axis=1
    )


def _at_least(x: Any, ndim: int, among: Any) -> Any:
    """Return ``x`` with axes of length 1 in front, so that it has ``ndim`` at least."""
    x = array_like(x, among)
    if x.ndim >= ndim:
        return x
    return reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))


@handles("append")
def _append(x: Any, values: Any, axis: int | None = None) -> Any:
    return _concat([x, values], axis=axis)


@handles("unstack")
def _unstack(x: Batched, /, *, axis: int = 0) -> Any:
    place = axis_of(x, axis)
    lead = (slice(None),) * place
    return tuple(HANDLERS["getitem"](x, (*lead, i)) for i in range(x.shape[place]))


@handles("pad")
def _pad(
    x: Batched, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0
) -> Any:
    xp = x.tracer.xp
    copying = ("edge", "wrap", "reflect", "symmetric")
    require(mode == "constant" or mode in copying, x, f"pad(mode={mode!r})")
    # These repeat entries; a constant frame is no entry of the array.
    if mode in copying:
        return gathered(("pad", mode), lambda a: xp.pad(a, pad_width, mode=mode), x)
    numbers = np.arange(x.size).reshape(x.shape)
    sources = np.pad(numbers, pad_width, constant_values=-1)
    inside = placed(
        ("pad", sources.shape), x, lambda: xp.asarray(sources, device=x.device)
    )
    frame = np.pad(np.zeros(x.shape), pad_width, constant_values=constant_values)
    frame = xp.asarray(frame.astype(str(x.dtype)), device=x.device)
    return elementwise(operator.add, inside, frame)
