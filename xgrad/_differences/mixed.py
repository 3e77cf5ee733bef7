"""Hessians from `f` alone: second differences in one and in two variables."""

from __future__ import annotations

import functools
import math

import numpy as np

from xgrad._arrays import Array, at_perturbed_points, device_of, from_host
from xgrad._differences.curvature import EntryCurvature, PairCurvature, join_samples
from xgrad._differences.engine import Problem
from xgrad._differences.result import Result, concat_results
from xgrad._evaluation import Neighborhood, entry_columns, pair_columns

# The pairs of so few entries are remembered: 400 KB for the largest of 8 sizes.
MOST_REMEMBERED = 128


def second_differences(problem: Problem, base: Array) -> Result:
    """Differentiate a scalar function twice: the Hessian, ``(n, n)``."""
    xp, x = problem.xp, problem.function.leaves[0]
    count = math.prod(x.shape)
    if not count:
        return Result(*[xp.zeros((0, 0), dtype=x.dtype, device=device_of(x))] * 4)
    setting = problem.setting(0, base)
    eps, scheme, estimate = setting.eps, setting.scheme, setting.estimate
    with at_perturbed_points():
        points = problem.placements[0].points_of(setting, entry_columns(xp, x))
        near = Neighborhood(problem.function, 0, points, base)
        way = problem.choose_way(near)
        problem.evaluator.meter.expect(points.total)
        groups = problem.read_columns(near, way, EntryCurvature(base, eps))
        entries = join_samples(list(groups))
        diagonal = scheme.combine(entries, estimate)
    first, second, positions = _pairs(count)
    pairs = points.divided(pair_columns(xp, x, first, second))
    readout = PairCurvature(base, eps, entries=entries)
    mixed = problem.one_pass(
        problem.function, 0, base, scheme, pairs, readout, estimate
    )
    result = concat_results([diagonal, mixed], lambda arrays: xp.concat(arrays, axis=0))
    index = from_host(xp, positions, like=base)
    return result.map(
        lambda array: xp.reshape(xp.take(array, index, axis=0), (count, count))
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
