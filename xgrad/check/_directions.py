"""Random directions in an array, and pieces of them.

A direction has the shape and dtype of its array and moves each entry in proportion to
the size of that entry.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays import Array, cast, device_of, from_host, quiet, wide_dtype, wide_sum
from xgrad._differences import own_size

# Powers of two with either sign: products with them are exact in every dtype, so that
# `x` moves by exactly the intended step. With halves among them, two errors of the same
# size cancel less often than with signs alone.
FACTORS = np.array([-1.0, -0.5, 0.5, 1.0])
# How many times their own size small entries may move along with larger ones. The
# smallest step of the ladder is 3e-11 of the move (single precision: 1e-6), so that it
# is still 3e-8 (2e-5) of the size of a lifted entry, small enough to resolve it.
LARGEST_LIFT = {"float64": 2.0**10, "float32": 2.0**4}


def random_direction(
    xp: Any, x: Array, eps: float, seed: tuple[int, ...], lifted: bool
) -> Array:
    """Draw a direction from a seed: a random factor times the size of each entry.

    With ``lifted``, entries that are small in the array move as if they were not, as
    far as a ladder for the precision ``eps`` allows.
    """
    draws = np.random.default_rng(seed).integers(0, len(FACTORS), tuple(x.shape))
    factors = from_host(xp, FACTORS[draws], like=x, dtype=x.dtype)
    with quiet():
        return factors * (_lifted_sizes(xp, x, eps) if lifted else entry_sizes(xp, x))


def entry_sizes(xp: Any, x: Array) -> Array:
    """Return the size of each entry; an entry of 0 has the mean size of the others."""
    return _sizes_and_mean(xp, x)[0]


def _lifted_sizes(xp: Any, x: Array, eps: float) -> Array:
    """Return sizes of at least the mean, but at most `LARGEST_LIFT` times their own."""
    sizes, mean = _sizes_and_mean(xp, x)
    limit = LARGEST_LIFT["float64" if eps < 1e-10 else "float32"]
    return xp.minimum(xp.maximum(sizes, mean), sizes * limit)


def _sizes_and_mean(xp: Any, x: Array) -> tuple[Array, Array]:
    mean = _mean_size(xp, x)
    return own_size(xp, xp.where(x == 0, mean, x)), own_size(xp, mean)


def _mean_size(xp: Any, x: Array) -> Array:
    """Return the mean absolute value of the entries that are not 0, or else 1."""
    count = xp.sum(xp.astype(x != 0, wide_dtype(xp, x)))
    mean = wide_sum(xp, xp.abs(x)) / xp.where(count == 0, 1.0, count)
    usable = xp.isfinite(mean) & (mean > 0)
    return cast(xp, xp.where(usable, mean, 1.0), x.dtype)


def keep_range(xp: Any, direction: Array, start: int, stop: int) -> Array:
    """Return a direction that moves only the entries ``start:stop``, in C order."""
    positions = _positions(xp, direction)
    return xp.where((positions >= start) & (positions < stop), direction, 0.0)


def leave_out(xp: Any, direction: Array, axis: int | None, index: int) -> Array:
    """Return a direction that does not move one index of an axis.

    If ``axis`` is None, ``index`` is the position of a single entry in C order.
    """
    positions = _positions(xp, direction)
    if axis is not None:
        shape = [1] * direction.ndim
        shape[axis] = -1
        along_axis = xp.arange(direction.shape[axis], device=device_of(direction))
        positions = xp.reshape(along_axis, tuple(shape))
    return xp.where(positions == index, 0.0, direction)


def _positions(xp: Any, direction: Array) -> Array:
    """Return the position of each entry in C order, in the shape of the direction."""
    count = xp.arange(math.prod(direction.shape), device=device_of(direction))
    return xp.reshape(count, tuple(direction.shape))
