"""Sizes of components, to which steps are relative."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import Array, float_info, floor_power_of_two, from_host


def floored_size(xp: Any, x: Array) -> Array:
    """Size of each component, at least 1, rounded down to a power of two.

    A floor is needed because rounding in ``f`` does not shrink with ``x``; the cap
    keeps ``x + 4 h`` finite near the largest number.
    """
    limit = float_info(xp, x.dtype).largest / 8
    return floor_power_of_two(xp, xp.minimum(xp.maximum(xp.abs(x), 1.0), limit))


def own_size(xp: Any, x: Array) -> Array:
    """Size of each component, 1 where it is 0, rounded to a power of two."""
    info = float_info(xp, x.dtype)
    largest, smallest = info.largest * 2.0**-24, info.tiny * 2.0**22
    size = xp.where(x == 0, 1.0, xp.abs(x))
    # Down from sqrt(2) times the size is to the nearest power.
    return floor_power_of_two(
        xp, xp.minimum(xp.maximum(size, smallest), largest) * 2**0.5
    )


def random_direction(xp: Any, x: Array) -> Array:
    """Signs and factors between 1/2 and 1, the same at every call."""
    draws = np.random.default_rng(0).uniform(-1, 1, tuple(x.shape))
    factors = np.copysign((1 + np.abs(draws)) / 2, draws)
    return from_host(xp, factors, like=x, dtype=x.dtype)
