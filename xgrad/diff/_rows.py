"""Rows as independent points: checks of a function under ``axis=-1``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    float_info,
    from_host,
    is_lazy,
    quiet,
)
from xgrad._differences import Problem

# Multiples of it, taken modulo 1, lie evenly in [0, 1), however many there are.
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
# A library that treats a block of rows at once may round in another order: sums of up
# to 64 terms then differ by as many roundings.
BLOCK_ROUNDINGS = 64
COUPLED_ROWS = (
    "with axis=-1 the rows of `x` must be independent, but moving some rows changed "
    "the result of `f` for others: let `f` treat each row by itself, or leave `axis` "
    "out and return a scalar"
)


def require_one_number_a_row(function: Any, base: Array) -> None:
    """Raise unless ``f(x)`` has one number for each row of ``x``."""
    shape = tuple(function.leaves[0].shape)
    if tuple(base.shape) != shape[:-1]:
        raise ValueError(
            f"with axis=-1 and x of shape {shape} `f` must return one number a row, "
            f"shape {shape[:-1]}, but returned {tuple(base.shape)}: for a loss, "
            'take reduction="none"'
        )


def prove_rows_independent(problem: Problem, base: Array) -> None:
    """Raise unless moving half of the rows leaves the values of the others alone.

    Both halves move in turn: half of the rows rather than one, so that a coupling
    through a mean over many rows is as large as a step. The entries of a row move by
    different amounts, so that no invariance of ``f`` (a common shift of logits) hides
    the coupling.
    """
    xp, x = problem.xp, problem.function.leaves[0]
    count = math.prod(base.shape)
    if count < 2 or is_lazy(xp, x):
        return
    with quiet():
        half = np.random.default_rng(0).random(count) < 0.5
        half[0], half[-1] = True, False
        half = from_host(xp, half.reshape(base.shape), like=x)
        golden = (np.arange(1, x.shape[-1] + 1) * GOLDEN_RATIO) % 1
        amounts = from_host(xp, 0.5 + golden / 2, like=x, dtype=x.dtype)
        shifted = x + amounts * problem.placements[0].largest_move(problem.eps(0, base))
        size = xp.where(xp.isfinite(base), xp.abs(base), 0.0)
        noise = BLOCK_ROUNDINGS * float_info(xp, base.dtype).eps * xp.max(size)
        coupled = []
        for shifts in (half, ~half):
            values = problem.at(xp.where(shifts[..., None], shifted, x))
            same = xp.abs(values - base) <= noise
            coupled.append(~shifts & ~same & xp.isfinite(base))
    if bool(xp.any(coupled[0] | coupled[1])):
        raise ValueError(COUPLED_ROWS)
