"""Hessians from `f` alone: second differences in one and in two variables."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    cast,
    device_of,
    from_host,
    quiet,
)
from xgrad._differences.curvature import (
    CurvatureSamples,
    EntryCurvature,
    PairCurvature,
    PairLine,
    join_samples,
)
from xgrad._differences.doubt import doubted, may_doubt
from xgrad._differences.engine import Problem
from xgrad._differences.ladder import Ladder
from xgrad._differences.noise import noise_level
from xgrad._differences.plan import Scheme
from xgrad._differences.refinement import largest_error
from xgrad._differences.result import (
    Result,
    Status,
    concat_results,
    where_results,
)
from xgrad._differences.stencil import few_rungs, rungs_for
from xgrad._evaluation import Neighborhood, Points, entry_columns, pair_columns

# The pairs of so few entries are remembered: 400 KB for the largest of 8 sizes.
MOST_REMEMBERED = 128


def second_differences(problem: Problem, base: Array) -> Result:
    """Differentiate a scalar function twice: the Hessian, ``(n, n)``."""
    xp, x = problem.xp, problem.function.leaves[0]
    count = math.prod(x.shape)
    if not count:
        return Result(*[xp.zeros((0, 0), dtype=x.dtype, device=device_of(x))] * 4)
    setting = problem.setting(0, base)
    eps = setting.eps
    hessian = _Hessian(problem, base, eps, _pairs(count))
    result = hessian.by(setting.scheme, setting.estimate)
    if setting.estimate and problem.plan.method != "ladder" and may_doubt(xp, x):
        result = hessian.doubted(result)
    if problem.plan.method == "auto":
        with quiet():
            bad = _is_bad(xp, result, eps)
            is_bad = bool(xp.any(bad))
        if is_bad:
            better = hessian.by(Ladder(rungs_for(eps), 2), True)
            result = where_results(xp, bad, better, result)
    if not problem.plan.full_output:
        result = Result(result.value, status=result.status)
    index = from_host(xp, hessian.pairs[2], like=base)
    return result.map(
        lambda array: xp.reshape(xp.take(array, index, axis=0), (count, count))
    )


def _taken(xp: Any, result: Result, positions: Array) -> Result:
    return result.map(lambda array: xp.take(array, positions, axis=0))


def _is_bad(xp: Any, result: Result, eps: float) -> Array:
    """Return which entries the ladder is to take again, as in other derivatives."""
    size = xp.where(xp.isfinite(result.value), xp.abs(result.value), 0.0)
    largest = largest_error(eps, 2) * xp.max(size)
    return (result.error > largest) | (result.status != int(Status.OK))


@dataclass(frozen=True, eq=False)
class _Hessian:
    """A Hessian to take: its diagonal, followed by the pairs of entries."""

    problem: Problem
    base: Array
    eps: float
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray]

    def by(self, scheme: Scheme, estimate: bool) -> Result:
        """Return the diagonal and the pairs by second differences or by a ladder."""
        xp, climbs = self.problem.xp, isinstance(scheme, Ladder)
        points, entries, diagonal = self._diagonal(scheme, estimate)
        x = self.problem.function.leaves[0]
        pairs = points.divided(pair_columns(xp, x, *self.pairs[:2]))
        kind = PairLine if climbs else PairCurvature
        mixed = self.problem.one_pass(
            self.problem.function,
            0,
            self.base,
            scheme,
            pairs,
            kind(self.base, self.eps, entries.noise, entries=entries),
            estimate,
        )
        if climbs:
            with quiet():
                mixed = self._polarized(mixed, diagonal, points)
        return self._joined(diagonal, mixed)

    def doubted(self, result: Result) -> Result:
        """Leave open what a few rungs of a ladder deny.

        Pairs of entries are open where the diagonal is at either of them.
        """
        xp, count = self.problem.xp, math.prod(self.problem.function.leaves[0].shape)
        _, _, other = self._diagonal(Ladder(few_rungs(self.eps), 2), True)
        with quiet():
            diagonal, mixed = (
                result.map(operator.itemgetter(rows))
                for rows in (slice(count), slice(count, None))
            )
            diagonal = doubted(xp, diagonal, other)
            first, second = self._of_both(diagonal)
            status = xp.maximum(mixed.status, xp.maximum(first.status, second.status))
            error = xp.where(status > mixed.status, math.inf, mixed.error)
            return self._joined(diagonal, replace(mixed, error=error, status=status))

    def _diagonal(
        self, scheme: Scheme, estimate: bool
    ) -> tuple[Points, CurvatureSamples, Result]:
        """Return the derivatives by single entries, with their points and values."""
        problem, xp, noise = self.problem, self.problem.xp, None
        if isinstance(scheme, Ladder) and scheme.rungs.to_noise:
            line = problem.placements[0].noise_line(self.eps)
            values = problem.column_values(problem.function, 0, self.base, line)
            with quiet():
                noise = noise_level(xp, self.base, values, self.eps)
        read = EntryCurvature(self.base, self.eps, noise)
        with at_perturbed_points():
            columns = entry_columns(xp, problem.function.leaves[0])
            points = problem.placements[0].points(scheme, self.eps, estimate, columns)
            near = Neighborhood(problem.function, 0, points, self.base)
            way = problem.choose_way(near)
            problem.evaluator.meter.expect(points.total)
            groups = problem.read_columns(near, way, read)
            entries = join_samples(list(groups))
            return points, entries, scheme.combine(entries, estimate)

    def _joined(self, diagonal: Result, mixed: Result) -> Result:
        xp = self.problem.xp
        return concat_results(
            [diagonal, mixed], lambda arrays: xp.concat(arrays, axis=0)
        )

    def _of_both(self, diagonal: Result) -> list[Result]:
        """Return the results of both entries of each pair."""
        index = (from_host(self.problem.xp, i, like=self.base) for i in self.pairs[:2])
        return [_taken(self.problem.xp, diagonal, positions) for positions in index]

    def _polarized(self, along: Result, diagonal: Result, points: Points) -> Result:
        """Return mixed derivatives from those along pairs of steps.

        Along ``(1, r)`` the second derivative is ``a + 2 r b + r**2 c`` where ``a`` and
        ``c`` are those of both entries and ``b`` is the mixed one.
        """
        xp = self.problem.xp
        index = [from_host(xp, i, like=self.base) for i in self.pairs[:2]]
        first, second = self._of_both(diagonal)
        step = xp.reshape(points.step, (-1,))
        ratio = xp.take(step, index[1], axis=0) / xp.take(step, index[0], axis=0)
        ratio = cast(xp, ratio, along.value.dtype)
        value = along.value - first.value - ratio**2 * second.value
        error = along.error + first.error + ratio**2 * second.error
        status = xp.maximum(along.status, xp.maximum(first.status, second.status))
        return Result(
            value / (2 * ratio),
            error / (2 * xp.abs(ratio)),
            along.step * xp.sqrt(ratio),
            status,
        )


def _pairs(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both entries of each pair, and where the entries of a matrix are.

    These positions are among the diagonal, followed by the pairs.
    """
    return (_remembered_pairs if count <= MOST_REMEMBERED else _number_pairs)(count)


def _number_pairs(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = np.triu_indices(count, 1)
    positions = np.diag(np.arange(count))
    positions[first, second] = positions[second, first] = count + np.arange(len(first))
    arrays = first, second, positions.reshape(-1)
    for array in arrays:
        array.flags.writeable = False  # calls may share them
    return arrays


_remembered_pairs = functools.lru_cache(maxsize=8)(_number_pairs)
