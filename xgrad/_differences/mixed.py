"""Second differences in two variables at a time, for Hessians from `f` alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, from_host, is_on_host, quiet
from xgrad._differences.engine import Problem
from xgrad._differences.result import Result, status_codes
from xgrad._differences.scheme import SAFETY
from xgrad._evaluation import Points, concat_blocks, entry_columns, pair_columns

# A mixed difference weighs seven values by 8 in sum, over twice the product of two
# steps: 4 roundings of their size, as for an entry of the diagonal. Extrapolation makes
# 17/3 of 4; 8 allows for what `f` adds of its own.
ROUNDINGS = 8


@dataclass(frozen=True, eq=False)
class _SingleDifferences:
    """Second differences of each entry by itself, at one multiple of its step.

    ``up`` and ``down`` are the moves really made, ``change`` is ``f(x + h) - 2 f(x) +
    f(x - h)``, and ``curvature`` the second derivative that follows from it.
    """

    up: Array
    down: Array
    change: Array
    curvature: Array


def second_differences(problem: Problem, base: Array) -> Result:
    """Differentiate a scalar function twice: the Hessian, ``(n, n)``."""
    xp, x = problem.xp, problem.function.leaves[0]
    count = math.prod(x.shape)
    eps = problem.eps(0, base)
    # Twice the step serves for extrapolation, or for the error bound.
    reach = 2 if problem.plan.accuracy == 4 or problem.plan.full_output else 1
    points = replace(
        problem.placements[0].points(problem.plan.scheme(eps), eps, False),
        offsets=(*range(1, reach + 1), *range(-1, -reach - 1, -1)),
    )
    if not count:
        return Result(*[xp.zeros((0, 0), dtype=x.dtype, device=device_of(x))] * 4)
    diagonal = _diagonal(problem, base, entry_columns(points), reach)
    pairs = np.triu_indices(count, 1)
    mixed = _mixed(problem, base, pair_columns(points, *pairs), diagonal)
    upper = [
        xp.concat([single.curvature, *blocks], axis=0)
        for single, blocks in zip(diagonal, mixed, strict=True)
    ]
    positions = from_host(xp, _matrix_positions(count, *pairs), like=base)
    with quiet():
        result = _combine(problem, base, upper, diagonal[0], pairs, eps)
    return result.map(
        lambda array: xp.reshape(xp.take(array, positions), (count, count))
    )


def _diagonal(
    problem: Problem, base: Array, points: Points, reach: int
) -> list[_SingleDifferences]:
    """Take the second differences of each entry, at 1 to ``reach`` steps."""
    xp = problem.xp
    groups = [changes for _, _, changes in _changes(problem, base, points)]
    changes = xp.concat(groups, axis=1)
    with quiet():
        return [_single(xp, points, changes, i, reach) for i in range(reach)]


def _single(
    xp: Any, points: Points, changes: Array, i: int, reach: int
) -> _SingleDifferences:
    """Divide by the steps really taken, which may differ by a rounding."""
    flat = xp.reshape(points.base, (-1,))
    up = xp.reshape(points.coordinates_at(i + 1), (-1,)) - flat
    down = flat - xp.reshape(points.coordinates_at(-i - 1), (-1,))
    right, left = changes[i, ...], changes[reach + i, ...]
    curvature = 2 * (right / up + left / down) / (up + down)
    return _SingleDifferences(up, down, right + left, curvature)


def _mixed(
    problem: Problem, base: Array, points: Points, diagonal: list[_SingleDifferences]
) -> list[list[Array]]:
    """Take the mixed differences of pairs of entries: for each reach, in blocks."""
    xp, reach = problem.xp, len(diagonal)
    blocks: list[list[Array]] = [[] for _ in diagonal]
    for start, stop, changes in _changes(problem, base, points):
        with quiet():
            i, j = (labels[start:stop] for labels in points.columns)
            for k, single in enumerate(diagonal):
                both = changes[k, ...] + changes[reach + k, ...]
                both = both - xp.take(single.change, i) - xp.take(single.change, j)
                blocks[k].append(both / _step_products(xp, single, i, j))
    return blocks


def _changes(
    problem: Problem, base: Array, points: Points
) -> Iterator[tuple[int, int, Array]]:
    """Yield ``f`` minus ``f(x)`` for groups of columns, ``(offsets, columns)``."""
    function = problem.choose_way(problem.function, 0, points, base)
    problem.evaluator.meter.expect(points.total)
    with contextlib.closing(
        problem.evaluator.evaluate_columns(function, 0, points, base)
    ) as groups:
        for start, stop, blocks in groups:
            with quiet():
                changes = concat_blocks(problem.xp, blocks)
                changes = changes if function.gives_differences else changes - base
            yield start, stop, problem.xp.reshape(changes, (len(points.offsets), -1))


def _step_products(xp: Any, single: _SingleDifferences, i: Array, j: Array) -> Array:
    """Return twice the product of two steps, by which mixed differences are divided."""
    up = xp.take(single.up, i) * xp.take(single.up, j)
    return up + xp.take(single.down, i) * xp.take(single.down, j)


def _combine(
    problem: Problem,
    base: Array,
    upper: list[Array],
    single: _SingleDifferences,
    pairs: tuple[np.ndarray, np.ndarray],
    eps: float,
) -> Result:
    """Return value, error, step and status of the diagonal and the pairs above it.

    ``upper`` holds the second differences at one step and, if needed, at two.
    """
    xp, fourth = problem.xp, problem.plan.accuracy == 4
    value = upper[0]
    if len(upper) == 1:
        return _without_estimate(problem, value, single, pairs)
    # Richardson's extrapolation: truncation falls to a quarter with half the step.
    better = (4 * upper[0] - upper[1]) / 3
    change = xp.abs(better - value)
    if fourth:
        value = better
    if not problem.plan.full_output:
        return _without_estimate(problem, value, single, pairs)
    step = _steps(xp, single, pairs)
    size = xp.abs(xp.reshape(base, ()))
    noise = ROUNDINGS * eps * size / step**2
    # At accuracy 4 the change is the error of accuracy 2: a bound already.
    error = (1.0 if fourth else SAFETY) * change + noise
    # Points at twice the step may be missing, where those of the value are there.
    nonfinite = ~(xp.isfinite(value) & xp.isfinite(error))
    error = xp.where(nonfinite, math.inf, error)
    status = status_codes(xp, nonfinite, None, step == 0)
    return Result(value, error, xp.broadcast_to(step, value.shape), status)


def _steps(
    xp: Any, single: _SingleDifferences, pairs: tuple[np.ndarray, np.ndarray]
) -> Array:
    """Return the steps of the diagonal, and the geometric means of those of pairs."""
    diagonal = np.arange(single.up.shape[0])
    first, second = (
        from_host(xp, np.concatenate([diagonal, index]), like=single.up)
        for index in pairs
    )
    return xp.sqrt(xp.take(single.up, first) * xp.take(single.up, second))


def _without_estimate(
    problem: Problem,
    value: Array,
    single: _SingleDifferences,
    pairs: tuple[np.ndarray, np.ndarray],
) -> Result:
    """Return a result with its status, as far as the host knows without waiting."""
    xp, x = problem.xp, problem.function.leaves[0]
    finite = xp.isfinite(value)
    if is_on_host(xp, x):
        if bool(xp.all(finite)):
            return Result(value)
    elif problem.function.batched:
        return Result(value)
    still = _steps(xp, single, pairs) == 0
    return Result(value, status=status_codes(xp, ~finite, None, still))


def _matrix_positions(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the positions of a matrix's entries among the diagonal and the pairs."""
    positions = np.diag(np.arange(count))
    positions[first, second] = positions[second, first] = count + np.arange(len(first))
    return positions.reshape(-1)
