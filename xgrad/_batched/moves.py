"""Functions that move, repeat and put together entries."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, is_numpy
from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched
from xgrad._batched.moving import moved, placed
from xgrad._batched.names import (
    any_batched,
    array_like,
    axes_of,
    axis_of,
    handles,
    is_float,
    require,
    reshape,
    zero_of,
)
from xgrad._batched.rules import elementwise, everywhere, identities, trace_of
from xgrad._batched.trace import Trace


def _moves(*names: str) -> None:
    """Functions that only move or repeat entries, with arguments that are constant."""

    def handler(name: str, x: Batched, *args: Any, **kwargs: Any) -> Any:
        if any_batched((*args, *kwargs.values())) is not None:
            raise x.run.refuse(f"`{name}` with an argument computed from x")
        function = getattr(x.run.xp, name, None) or getattr(np, name)
        return moved(name, lambda a: function(a, *args, **kwargs), x)

    for name in names:
        handles(name)(functools.partial(handler, name))


_moves("roll", "repeat", "tile", "rot90", "resize", "delete")


@handles("flip")
def _flip(x: Batched, axis: Any = None) -> Any:
    axes = axes_of(x, axis)
    key = tuple(slice(None, None, -1 if a in axes else 1) for a in range(x.ndim))
    return HANDLERS["getitem"](x, key) if x.ndim else HANDLERS["copy"](x)


@handles("flipud")
def _flipud(x: Batched) -> Any:
    return _flip(x, 0)


@handles("fliplr")
def _fliplr(x: Batched) -> Any:
    return _flip(x, 1)


@handles("take")
def _take(
    x: Batched,
    indices: Any,
    axis: int | None = None,
    out: None = None,
    mode: str = "raise",
) -> Any:
    xp = trace_of((x, indices)).xp
    require(out is None and mode == "raise", x, "take(out=, mode=)")
    if isinstance(indices, Batched):
        raise indices.run.refuse("an index computed from x", "use `where` or a mask")
    if is_numpy(xp):
        return moved("take", lambda a: np.take(a, indices, axis=axis), x)
    if axis is None:
        return moved("take", lambda a: xp.take(a, indices), x)
    return moved("take", lambda a: xp.take(a, indices, axis=axis), x)


@handles("take_along_axis")
def _take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    xp = trace_of((x, indices)).xp
    if not isinstance(indices, Batched):
        return moved(
            "take_along_axis", lambda a: xp.take_along_axis(a, indices, axis=axis), x
        )
    place = axis_of(indices, axis)
    return everywhere(
        ("take_along_axis", place),
        lambda a, i: xp.take_along_axis(xp.asarray(a), xp.asarray(i), axis=place),
        lambda a, i: _taken_along(xp, a, i, place + 1, indices.run.points),
        x,
        indices,
    )


def _taken_along(xp: Any, a: Array, i: Array, axis: int, points: int) -> Array:
    if a.ndim < i.ndim:
        a = xp.broadcast_to(a[None, ...], (points, *a.shape))
    return xp.take_along_axis(a, i, axis=axis)


def _mask_of(name: str, x: Batched, k: int) -> Array:
    xp = x.run.xp
    ones = xp.ones(x.shape, dtype=xp.int8, device=x.device)
    return getattr(xp, name)(ones, k=k) == 1


@handles("tril")
def _tril(x: Batched, *, k: int = 0) -> Any:
    xp = x.run.xp
    return elementwise(xp.where, _mask_of("tril", x, k), x, zero_of(x))


@handles("triu")
def _triu(x: Batched, *, k: int = 0) -> Any:
    xp = x.run.xp
    return elementwise(xp.where, _mask_of("triu", x, k), x, zero_of(x))


NUMPY_NAMES[np.tril], NUMPY_NAMES[np.triu] = "numpy.tril", "numpy.triu"
HANDLERS["numpy.tril"] = lambda m, k=0: _tril(m, k=k)
HANDLERS["numpy.triu"] = lambda m, k=0: _triu(m, k=k)


@handles("diagonal")
def _diagonal(x: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    def diagonals(a: Array) -> Array:
        xp = x.run.xp
        a = xp.permute_dims(a, _last(a, axis1, axis2))
        rows, columns = a.shape[-2:]
        start = offset if offset >= 0 else -offset * columns
        count = max(
            0,
            min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns),
        )
        flat = xp.reshape(a, (*a.shape[:-2], rows * columns))
        places = start + (columns + 1) * xp.arange(count, device=device_of(a))
        return xp.take(flat, places, axis=-1)

    return moved(("diagonal", offset, axis1, axis2), diagonals, x)


def _last(a: Array, axis1: int, axis2: int) -> tuple[int, ...]:
    first, second = axis1 % a.ndim, axis2 % a.ndim
    rest = [i for i in range(a.ndim) if i not in (first, second)]
    return (*rest, first, second)


@handles("linalg.diagonal")
def _linalg_diagonal(x: Batched, /, *, offset: int = 0) -> Any:
    return _diagonal(x, offset, -2, -1)


@handles("diag")
def _diag(x: Batched, k: int = 0) -> Any:
    if x.ndim == 2:
        return _diagonal(x, k)
    size, trace = x.shape[0], x.run

    def target() -> Array:
        numbers = np.diag(np.arange(1, size + 1), k) - 1
        return trace.xp.asarray(numbers, device=x.device)

    return placed(("diag", k), x, target)


@handles("trace", "linalg.trace")
def _trace(
    x: Batched,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: None = None,
    out: None = None,
) -> Any:
    require(out is None and dtype is None, x, "trace(out=, dtype=)")
    if x.ndim > 2 and (axis1, axis2) == (0, 1):
        raise x.run.refuse("trace of a stack of matrices", "take the diagonal and sum")
    return HANDLERS["sum"](_diagonal(x, offset, axis1, axis2), axis=-1)


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
    base = trace.once(
        ("concat", place), identities(arrays), lambda: xp.concat(bases, axis=place)
    )
    start, total = 0, None
    pieces = [a for a in arrays if isinstance(a, Batched) and a.region is not None]
    if not pieces:
        return Batched(trace, base)
    if trace.dense or any(not a.has_diff and not is_float(a) for a in pieces):
        return everywhere(
            ("concat whole", place),
            lambda *parts: xp.concat([xp.asarray(p) for p in parts], axis=place),
            lambda *parts: _concat_many(trace, arrays, parts, place),
            *arrays,
        )
    for array in arrays:
        length = array.shape[place]
        if isinstance(array, Batched) and array.region is not None:
            piece = placed(
                ("concat piece", place, start, tuple(base.shape)),
                array,
                functools.partial(_target, xp, array, tuple(base.shape), place, start),
            )
            total = piece if total is None else elementwise(operator.add, total, piece)
        start += length
    return _rebased(total, base)


def _rebased(x: Any, base: Array) -> Batched:
    """The differences of ``x`` beside another base."""
    return Batched(x.run, base, x.region, x.diff_as(base.dtype))


def _target(
    xp: Any, x: Batched, shape: tuple[int, ...], axis: int, start: int
) -> Array:
    """For each entry of the result which entry of ``x`` it is, or -1."""
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    before = (*shape[:axis], start, *shape[axis + 1 :])
    after = shape[axis] - start - x.shape[axis]
    after_shape = (*shape[:axis], after, *shape[axis + 1 :])
    outside = [
        xp.full(s, -1, dtype=numbers.dtype, device=x.device)
        for s in (before, after_shape)
    ]
    return xp.concat([outside[0], numbers, outside[1]], axis=axis)


def _concat_many(trace: Trace, arrays: Any, parts: Any, axis: int) -> Array:
    xp = trace.xp
    full = [
        part
        if isinstance(array, Batched)
        else xp.broadcast_to(part[None, ...], (trace.points, *part.shape))
        for array, part in zip(arrays, parts, strict=True)
    ]
    return xp.concat(full, axis=axis + 1)


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
    xp = x.run.xp
    moving = ("edge", "wrap", "reflect", "symmetric")
    require(mode == "constant" or mode in moving, x, f"pad(mode={mode!r})")
    if mode in moving:
        return moved(("pad", mode), lambda a: xp.pad(a, pad_width, mode=mode), x)
    numbers = np.arange(x.size).reshape(x.shape)
    target = np.pad(numbers, pad_width, constant_values=-1)
    inner = placed(
        ("pad", target.shape), x, lambda: xp.asarray(target, device=x.device)
    )
    around = np.pad(np.zeros(x.shape), pad_width, constant_values=constant_values)
    around = xp.asarray(around.astype(str(x.dtype)), device=x.device)
    return elementwise(operator.add, inner, around)
