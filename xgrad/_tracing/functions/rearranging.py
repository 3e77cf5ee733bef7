"""Define functions by name that move, repeat or blank out entries."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, is_numpy
from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.everywhere import everywhere
from xgrad._batched.gather import gathered, placed
from xgrad._batched.names import (
    any_batched,
    axes_of,
    axis_of,
    handles,
    require,
    zero_of,
)
from xgrad._batched.operands import trace_of


def _register_gathers(*names: str) -> None:
    """Register functions that only move or repeat entries, by constant arguments."""

    def handler(name: str, x: Batched, *args: Any, **kwargs: Any) -> Any:
        # Then entries would move elsewhere at each point.
        if any_batched((*args, *kwargs.values())) is not None:
            raise x.tracer.refuse(f"`{name}` with an argument computed from x")
        function = getattr(x.tracer.xp, name, None) or getattr(np, name)
        return gathered(name, lambda a: function(a, *args, **kwargs), x)

    for name in names:
        handles(name)(functools.partial(handler, name))


_register_gathers("roll", "repeat", "tile", "rot90", "resize", "delete")


@handles("flip")
def _flip(x: Batched, axis: Any = None) -> Any:
    # A slice, whose regions keep their slots: no table of all entries is needed.
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
        raise indices.tracer.refuse("an index computed from x", "use `where` or a mask")
    if is_numpy(xp):
        return gathered("take", lambda a: np.take(a, indices, axis=axis), x)
    if axis is None:
        return gathered("take", lambda a: xp.take(a, indices), x)
    return gathered("take", lambda a: xp.take(a, indices, axis=axis), x)


@handles("take_along_axis")
def _take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    xp = trace_of((x, indices)).xp
    if not isinstance(indices, Batched):
        return gathered(
            "take_along_axis", lambda a: xp.take_along_axis(a, indices, axis=axis), x
        )
    # Each point takes other entries: no table is right for all of them.
    place = axis_of(indices, axis)
    return everywhere(
        ("take_along_axis", place),
        lambda a, i: xp.take_along_axis(xp.asarray(a), xp.asarray(i), axis=place),
        lambda a, i: _take_along(xp, a, i, place + 1, indices.tracer.points),
        x,
        indices,
    )


def _take_along(xp: Any, a: Array, i: Array, axis: int, points: int) -> Array:
    """Take by indices at all points; a constant array is repeated for each."""
    if a.ndim < i.ndim:
        a = xp.broadcast_to(a[None, ...], (points, *a.shape))
    return xp.take_along_axis(a, i, axis=axis)


def _triangle(name: str, x: Batched, k: int) -> Array:
    """Return the mask of entries that `tril` or `triu` leaves as they are."""
    xp = x.tracer.xp
    # A mask for `where`: infinities and nan would not become 0 in a product with 0.
    ones = xp.ones(x.shape, dtype=xp.int8, device=x.device)
    return getattr(xp, name)(ones, k=k) == 1


@handles("tril")
def _tril(x: Batched, *, k: int = 0) -> Any:
    xp = x.tracer.xp
    return elementwise(xp.where, _triangle("tril", x, k), x, zero_of(x))


@handles("triu")
def _triu(x: Batched, *, k: int = 0) -> Any:
    xp = x.tracer.xp
    return elementwise(xp.where, _triangle("triu", x, k), x, zero_of(x))


NUMPY_NAMES[np.tril], NUMPY_NAMES[np.triu] = "numpy.tril", "numpy.triu"
HANDLERS["numpy.tril"] = lambda m, k=0: _tril(m, k=k)
HANDLERS["numpy.triu"] = lambda m, k=0: _triu(m, k=k)


@handles("diagonal")
def _diagonal(x: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    def diagonals(a: Array) -> Array:
        xp = x.tracer.xp
        a = xp.permute_dims(a, _axes_last(a, axis1, axis2))
        rows, columns = a.shape[-2:]
        start = offset if offset >= 0 else -offset * columns
        count = max(
            0,
            min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns),
        )
        # One row down and one column to the right: `columns + 1` entries further.
        flat = xp.reshape(a, (*a.shape[:-2], rows * columns))
        places = start + (columns + 1) * xp.arange(count, device=device_of(a))
        return xp.take(flat, places, axis=-1)

    return gathered(("diagonal", offset, axis1, axis2), diagonals, x)


def _axes_last(a: Array, axis1: int, axis2: int) -> tuple[int, ...]:
    """Return an order of axes in which two of them come last."""
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
    size, trace = x.shape[0], x.tracer

    def sources() -> Array:
        # Counted from 1, so that the zeros of `np.diag` become -1: no source.
        numbers = np.diag(np.arange(1, size + 1), k) - 1
        return trace.xp.asarray(numbers, device=x.device)

    return placed(("diag", k), x, sources)


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
    # By default NumPy takes the first two axes here, and the standard the last two.
    if x.ndim > 2 and (axis1, axis2) == (0, 1):
        raise x.tracer.refuse(
            "trace of a stack of matrices", "take the diagonal and sum"
        )
    return HANDLERS["sum"](_diagonal(x, offset, axis1, axis2), axis=-1)
