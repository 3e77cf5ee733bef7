"""Second differences in two variables at a time, for Hessians from `f` alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, from_host, quiet
from xgrad._differences.engine import Problem
from xgrad._differences.result import Result, status_codes
from xgrad._evaluation import Points, entries, joined, pairs


@dataclass(frozen=True)
class _Moved:
    """At one offset: what moving each entry by itself does, and how far it goes.

    ``rise`` is ``f(x + h) - 2 f(x) + f(x - h)``, ``curvature`` the second derivative.
    """

    up: Array
    down: Array
    rise: Array
    curvature: Array


def second_differences(run: Problem, base: Array) -> Result:
    """The Hessian of a scalar, ``(n, n)``: first the diagonal, then the pairs."""
    xp, x = run.xp, run.function.leaves[0]
    count = math.prod(x.shape)
    eps = run.eps(0, base)
    fourth = run.plan.accuracy == 4
    reach = 2 if fourth or run.plan.full_output else 1
    points = replace(
        run.placements[0].points(run.plan.scheme(eps), eps, False),
        offsets=(*range(1, reach + 1), *range(-1, -reach - 1, -1)),
    )
    single = entries(points)
    if not count:
        return Result(*[xp.zeros((0, 0), dtype=x.dtype, device=device_of(x))] * 4)
    alone = xp.concat([rises for _, _, rises in _rises(run, base, single)], axis=1)
    with quiet():
        moved = [_alone(xp, single, alone, i, reach) for i in range(reach)]
    first, second = np.triu_indices(count, 1)
    found = [[one.curvature] for one in moved]
    double = pairs(points, first, second)
    for start, stop, rises in _rises(run, base, double):
        with quiet():
            i, j = (ids[start:stop] for ids in double.columns)
            for k, one in enumerate(moved):
                both = rises[k, ...] + rises[reach + k, ...]
                both = both - xp.take(one.rise, i) - xp.take(one.rise, j)
                found[k].append(both / _area(xp, one, i, j))
    upper = [xp.concat(arrays, axis=0) for arrays in found]
    square = from_host(xp, _square(count, first, second), like=base)
    with quiet():
        parts = _of_offsets(run, base, upper, moved, (first, second), eps, fourth)
    return parts.map(lambda part: xp.reshape(xp.take(part, square), (count, count)))


def _rises(
    run: Problem, base: Array, points: Points
) -> Iterator[tuple[int, int, Array]]:
    """``f`` minus ``f(x)`` for groups of columns, ``(offsets, columns)``."""
    function = run.choose_way(run.function, 0, points, base)
    run.runner.meter.expect(points.total)
    with contextlib.closing(run.runner.groups(function, 0, points, base)) as groups:
        for start, stop, blocks in groups:
            with quiet():
                rises = joined(run.xp, blocks)
                rises = rises if function.relative else rises - base
            yield start, stop, run.xp.reshape(rises, (len(points.offsets), -1))


def _alone(xp: Any, points: Points, rises: Array, i: int, reach: int) -> _Moved:
    """What the entries do by themselves, from steps that may differ by a rounding."""
    flat = xp.reshape(points.base, (-1,))
    up = xp.reshape(points.position(i + 1), (-1,)) - flat
    down = flat - xp.reshape(points.position(-i - 1), (-1,))
    right, left = rises[i, ...], rises[reach + i, ...]
    curvature = 2 * (right / up + left / down) / (up + down)
    return _Moved(up, down, right + left, curvature)


def _area(xp: Any, moved: _Moved, i: Array, j: Array) -> Array:
    """What the mixed derivative of a pair is multiplied by in its differences."""
    up = xp.take(moved.up, i) * xp.take(moved.up, j)
    return up + xp.take(moved.down, i) * xp.take(moved.down, j)


def _of_offsets(
    run: Problem,
    base: Array,
    upper: list[Array],
    moved: list[_Moved],
    which: tuple[np.ndarray, np.ndarray],
    eps: float,
    fourth: bool,
) -> Result:
    """Value, error, step and status of the diagonal and the pairs above it."""
    xp = run.xp
    value = upper[0]
    if len(upper) == 1:
        return Result(value)
    better = (4 * upper[0] - upper[1]) / 3
    change = xp.abs(better - value)
    if fourth:
        value = better
    if not run.plan.full_output:
        return Result(value)
    first, second = (
        from_host(
            xp, np.concatenate([np.arange(moved[0].up.shape[0]), index]), like=base
        )
        for index in which
    )
    step = xp.sqrt(xp.take(moved[0].up, first) * xp.take(moved[0].up, second))
    size = xp.abs(xp.reshape(base, ()))
    # Seven values of about this size, each rounded, over twice the area; at accuracy 4
    # by 4/3 and a little.
    noise = 8 * eps * size / step**2
    error = (1.0 if fourth else 2.0) * change + noise
    nonfinite = ~xp.isfinite(value)
    error = xp.where(nonfinite, math.inf, error)
    status = status_codes(xp, nonfinite, None, step == 0)
    return Result(value, error, xp.broadcast_to(step, value.shape), status)


def _square(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where each entry of the matrix stands: the diagonal first, then the pairs."""
    square = np.diag(np.arange(count))
    square[first, second] = square[second, first] = count + np.arange(len(first))
    return square.reshape(-1)
