"""Sizes of components, to which steps are relative, and directions to move in."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import Array, float_info, floor_power_of_two, from_host

# A step is at most a size, so that 4 h is at most half the largest number.
HEADROOM = 8
# They keep the exponents of sizes within 1000 for float64 and 104 for float32. There
# the smallest rung of a ladder, 2**-35 (float32: 2**-20) of a size, is not yet 0.
BELOW_LARGEST = 2.0**-24
ABOVE_SMALLEST = 2.0**22


def floored_size(xp: Any, x: Array) -> Array:
    """Return the size of each component, at least 1, rounded down to a power of two.

    A floor is needed because rounding in ``f`` does not shrink with ``x``; the cap
    keeps ``x + 4 h`` finite near the largest number.
    """
    limit = float_info(xp, x.dtype).largest / HEADROOM
    return floor_power_of_two(xp, xp.minimum(xp.maximum(xp.abs(x), 1.0), limit))


def own_size(xp: Any, x: Array) -> Array:
    """Return the size of each component, 1 where it is 0, as the nearest power of 2."""
    info = float_info(xp, x.dtype)
    largest, smallest = info.largest * BELOW_LARGEST, info.tiny * ABOVE_SMALLEST
    size = xp.where(x == 0, 1.0, xp.abs(x))
    # Down from sqrt(2) times the size is to the nearest power.
    return floor_power_of_two(
        xp, xp.minimum(xp.maximum(size, smallest), largest) * 2**0.5
    )


def random_direction(xp: Any, x: Array) -> Array:
    """Return signs times factors between 1/2 and 1, the same at every call.

    No component moves much less than another, and equal slopes do not cancel as they
    would with signs alone.
    """
    draws = np.random.default_rng(0).uniform(-1, 1, tuple(x.shape))
    factors = np.copysign((1 + np.abs(draws)) / 2, draws)
    return from_host(xp, factors, like=x, dtype=x.dtype)
