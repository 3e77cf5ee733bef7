"""Functions that move, repeat or blank out entries."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._tracing.arguments import axes_of, first_standin, require
from xgrad._tracing.creating import is_creating
from xgrad._tracing.functions.elements import where, zero_of
from xgrad._tracing.functions.indexing import getitem
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import swapaxes
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


def _gather(name: str, x: StandIn, *args: Any, **kwargs: Any) -> StandIn:
    """Apply a function that only moves or repeats entries, by constant arguments."""
    # Else entries would move elsewhere at each point.
    if first_standin((*args, *kwargs.values())) is not None:
        raise x.tracer.refuse(f"`{name}` with an argument computed from x")
    function = getattr(x.tracer.xp, name, None) or getattr(np, name)
    return x.tracer.gathered(name, lambda a: function(a, *args, **kwargs), x)


for _name in "repeat tile resize delete".split():
    handles(_name)(functools.partial(_gather, _name))


@handles("roll")
def roll_any(x: StandIn, shift: Any, axis: Any = None) -> StandIn:
    """Move entries along axes, from the end to the beginning."""
    require(first_standin((shift,)) is None, x, "`roll` by a shift computed from x")
    return roll(x, shift, axis)


@overridable
def roll(x: StandIn, shift: Any, axis: Any) -> StandIn:
    """Move entries along axes by a constant."""
    return _gather("roll", x, shift, axis=axis)


@handles("lib.stride_tricks.sliding_window_view")
def sliding_window_view(
    x: StandIn,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> StandIn:
    """Return all windows of an array, each along axes of its own."""
    # Packages ask for it and write into none; the proof would find out if they did.
    is_allowed = not writeable or is_creating()
    require(is_allowed, x, "sliding_window_view(writeable=True)", "use slices")
    return x.tracer.gathered(
        "windows",
        lambda a: np.lib.stride_tricks.sliding_window_view(a, window_shape, axis),
        x,
    )


@handles("flip")
def flip(x: StandIn, axis: Any = None) -> StandIn:
    """Reverse the order along axes."""
    # A slice, whose regions keep their slots: no table of all entries is needed.
    axes = axes_of(x, axis)
    key = tuple(slice(None, None, -1 if a in axes else 1) for a in range(x.ndim))
    return getitem(x, key) if x.ndim else x.tracer.copy(x)


@handles("flipud")
def flipud(x: StandIn) -> StandIn:
    """Reverse the order along the first axis."""
    return flip(x, 0)


@handles("fliplr")
def fliplr(x: StandIn) -> StandIn:
    """Reverse the order along the second axis."""
    return flip(x, 1)


@handles("rot90")
def rot90(m: StandIn, k: int = 1, axes: Any = (0, 1)) -> StandIn:
    """Turn a plane by quarters."""
    first, second = axes_of(m, tuple(axes))
    if k % 4 == 0:
        return getitem(m, (slice(None),) * m.ndim)
    if k % 4 == 2:
        return flip(m, (first, second))
    if k % 4 == 1:
        return swapaxes(flip(m, second), first, second)
    return flip(swapaxes(m, first, second), second)


def _triangle(name: str, x: StandIn, k: int = 0) -> StandIn:
    """Blank out the entries above or below a diagonal."""
    xp = x.tracer.xp
    # By `where`: infinities and nan would not become 0 in a product with 0.
    ones = xp.ones(x.shape, dtype=xp.int8, device=x.device)
    return where(getattr(xp, name)(ones, k=k) == 1, x, zero_of(x))


for _name in ("tril", "triu"):
    handles(_name)(functools.partial(_triangle, _name))


@handles("diagonal")
def diagonal(x: StandIn, offset: int = 0, axis1: int = 0, axis2: int = 1) -> StandIn:
    """Return the diagonals along two axes."""

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

    return x.tracer.gathered(("diagonal", offset, axis1, axis2), diagonals, x)


def _axes_last(a: Array, axis1: int, axis2: int) -> tuple[int, ...]:
    """Return an order of axes in which two of them come last."""
    first, second = axis1 % a.ndim, axis2 % a.ndim
    rest = [i for i in range(a.ndim) if i not in (first, second)]
    return (*rest, first, second)


@handles("linalg.diagonal")
def linalg_diagonal(x: StandIn, /, *, offset: int = 0) -> StandIn:
    """Return the diagonals of matrices, which lie along the last two axes."""
    return diagonal(x, offset, -2, -1)


@handles("diag")
def diag(x: StandIn, k: int = 0) -> StandIn:
    """Return the diagonal of a matrix, or a matrix with a diagonal."""
    if x.ndim == 2:
        return diagonal(x, k)
    size, tracer = x.shape[0], x.tracer

    def sources() -> Array:
        # Counted from 1, so that the zeros of `np.diag` become -1: no source.
        numbers = np.diag(np.arange(1, size + 1), k) - 1
        return tracer.xp.asarray(numbers, device=x.device)

    return tracer.placed(("diag", k), x, sources)


@handles("diagflat")
def diagflat(v: StandIn, k: int = 0) -> StandIn:
    """Return a matrix that has all entries on a diagonal."""
    return diag(v.tracer.reshaped(v, (v.size,)), k)


@handles("trace", out=5)
def trace(
    x: StandIn, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None
) -> Any:
    """Sum diagonals, of matrices that lie along the first two axes by default."""
    return sum_(diagonal(x, offset, axis1, axis2), -1, dtype)
