"""Ties: values that are equal at x, by which a function may choose what it does there.

On two sides of x it may do something else. Then it has a corner, which no rule of
differentiation knows of, and which derivatives at points around x show.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    float_info,
    from_host,
    quiet,
    to_numpy,
)
from xgrad._evaluation import Function, ways_of_function
from xgrad.diff._attempts import Attempt

SIGNS = (1.0, -1.0)
# So many points in a row are looked at where ties are around them as well, and then one
# after each power of two.
OFTEN = 8
# Distances at which derivatives are compared, as powers of eps, along random moves:
# one for each entry, within limits.
DISTANCES = (1 / 3, 1 / 2)
FEWEST, MOST = 3, 16
# Entries up to which each is moved by itself where a function jumps.
MOST_ENTRIES = 256
# Roundings of the largest slope, below which a difference of another one is none.
ROUNDINGS = 64

ValuesAt = Callable[[list[Array]], Sequence[Array]]


@dataclass(frozen=True)
class Ties:
    """Values of a function at x that lie at borders of what it may do.

    Its ``pattern`` tells which, and they ``are_here_alone`` if they do so at no point
    around, unlike an entry that equals itself. ``others`` counts the patterns before,
    in a row, that were not here alone.
    """

    pattern: int
    are_here_alone: bool
    others: int = 0
    name = "ties"
    is_inherited = False


def has_ties(recording: Any, attempt: Attempt, function: Function) -> bool:
    """Whether a function may choose by what is equal at x, and not around."""
    if attempt.is_native:
        return True  # PyTorch and JAX tell nothing of it
    ties = ties_at(recording, attempt, function)
    return ties is not None and ties.are_here_alone


def ties_at(result: Any, attempt: Attempt, function: Function) -> Ties | None:
    """Return the ties of a recording; None without any."""
    if not getattr(result, "equalities", ()):
        return None
    memory, key = ways_of_function(function.call), ("ties", result.path)
    pattern, before = hash(tuple(result.equalities)), memory.find(key)
    if isinstance(before, Ties) and before.pattern == pattern:
        return before
    others = 0
    if isinstance(before, Ties) and not before.are_here_alone:
        others = before.others + 1
    # Some functions have ties wherever they are called: of these, ever fewer points.
    is_due = others < OFTEN or not others & (others - 1)
    ties = Ties(pattern, is_due and _are_here_alone(attempt, function), others)
    # The last ones of a branch alone, as each point may have others.
    memory.remember(key, ties)
    return ties


def _are_here_alone(attempt: Attempt, function: Function) -> bool:
    """Whether values lie at other borders around x than they do there."""
    xp, random = function.xp, np.random.default_rng(0)
    moved = []
    for x in function.leaves:
        size = np.maximum(np.abs(to_numpy(x)), 1.0)
        # Far enough for values that are equal within a tolerance.
        step = float_info(xp, x.dtype).eps ** 0.25 * size
        step = step * random.uniform(0.5, 1.0, size.shape)
        moved.append(x + from_host(xp, step, like=x, dtype=x.dtype))
    try:
        with at_perturbed_points(), quiet():
            here = attempt.record(function).equalities
            beside = attempt.record(function.at_leaves(moved)).equalities
    except Exception:
        return True
    return bool(here != beside)


def jumps_beside(
    xp: Any, function: Function, values: Sequence[Array], values_at: ValuesAt
) -> list[Array]:
    """Mark which of several values at x differ on two sides of it, however close.

    What is smooth differs in proportion to the distance, which is taken twice.
    """
    marks = [xp.zeros_like(value, dtype=xp.bool) for value in values]
    # Of several entries that are equal, each direction may choose another one.
    count = sum(math.prod(x.shape) for x in function.leaves)
    for seed in range(min(max(count, FEWEST), MOST)):
        moves = _moves(function, seed)
        jumps = _jumps_along(xp, function, values, values_at, moves)
        marks = [a | b for a, b in zip(marks, jumps, strict=True)]
    return marks


def jumps_of_entries(function: Function, value: Array) -> list[Any] | None:
    """Mark which entries of f(x) jump where an entry of x moves, for each leaf.

    The marks of a leaf have the shape of f(x) and then its own. None if there are none;
    of very many entries it is not known which they are.
    """
    xp = function.xp

    def values_at(leaves: list[Array]) -> list[Array]:
        with at_perturbed_points():
            return [function.evaluate(leaves)]

    (rows,) = map(to_numpy, jumps_beside(xp, function, [value], values_at))
    if not rows.any():
        return None
    marks = []
    for i, x in enumerate(function.leaves):
        size = math.prod(x.shape)
        mark = np.repeat(rows[..., None], size, axis=-1)
        for entry in range(size if size <= MOST_ENTRIES else 0):
            moves = [np.zeros(tuple(leaf.shape)) for leaf in function.leaves]
            moves[i].reshape(-1)[entry] = 1.0
            (jumps,) = _jumps_along(xp, function, [value], values_at, moves)
            mark[..., entry] = to_numpy(jumps)
        marks.append(mark.reshape(*rows.shape, *x.shape))
    return marks


def jumps_of_rows(function: Function, value: Array, moves: Sequence[Array]) -> Array:
    """Mark which entries of f(x) jump where x moves along a direction."""
    marks, rows = jumps_of_entries(function, value), np.zeros(tuple(value.shape), bool)
    for mark, move in zip(marks or (), moves, strict=bool(marks)):
        axes = tuple(range(rows.ndim, mark.ndim))
        rows = rows | np.any(mark & np.asarray(to_numpy(move) != 0), axis=axes)
    return from_host(function.xp, rows, like=value, dtype=function.xp.bool)


def joined(*marks: Any) -> Any:
    """Return what any of several arrays marks, some of which may be None."""
    present = [mark for mark in marks if mark is not None]
    return functools.reduce(operator.or_, present) if present else None


def _jumps_along(
    xp: Any,
    function: Function,
    values: Sequence[Array],
    values_at: ValuesAt,
    moves: list[Any],
) -> list[Array]:
    """Mark the values that differ on two sides along a direction."""
    eps = max(float_info(xp, x.dtype).eps for x in function.leaves)
    far, near = (
        _differences_at(xp, function, values, values_at, eps**power, moves)
        for power in DISTANCES
    )
    if not far or not near:
        return [xp.zeros_like(value, dtype=xp.bool) for value in values]
    jumps = []
    for value, at_far, at_near in zip(values, far, near, strict=True):
        size = xp.where(xp.isfinite(value), xp.abs(value), 0.0)
        noise = ROUNDINGS * eps * xp.max(size) if math.prod(size.shape) else 0.0
        jumps.append((at_near > at_far / 2) & (at_near > eps**0.5 * size + noise))
    return jumps


def _differences_at(
    xp: Any,
    function: Function,
    values: Sequence[Array],
    values_at: ValuesAt,
    distance: float,
    moves: list[Any],
) -> list[Array]:
    """Return the largest differences of values on two sides and at x."""
    sides = [list(values)]
    for sign in SIGNS:
        leaves = []
        for x, m in zip(function.leaves, moves, strict=True):
            size = xp.where(x == 0, 1.0, xp.abs(x)) * (sign * distance)
            leaves.append(x + from_host(xp, m, like=x, dtype=x.dtype) * size)
        try:
            sides.append(list(values_at(leaves)))
        except Exception:
            continue  # beside x the function may have no value
    if any(len(side) != len(values) for side in sides):
        return []
    differences = []
    for several in zip(*sides, strict=True):
        largest = xp.zeros_like(several[0])
        for a, b in itertools.combinations(several, 2):
            size = xp.abs(a - b)
            largest = xp.maximum(largest, xp.where(xp.isfinite(size), size, 0.0))
        differences.append(largest)
    return differences


def _moves(function: Function, seed: int) -> list[Any]:
    """Return random moves of both signs, the largest of which is another one's turn."""
    random, before = np.random.default_rng(seed), 0
    moves = []
    for x in function.leaves:
        move = random.uniform(0.5, 1.0, tuple(x.shape))
        if before <= seed < before + move.size:
            move.reshape(-1)[seed - before] = 2.0
        before += move.size
        moves.append(move * random.choice([-1.0, 1.0], move.shape))
    return moves
