"""Moments of values and of errors, which can be merged, in float64.

They hold a mean and the sum of squares around it instead of a sum of squares, and are
merged by the formula of Chan, Golub and LeVeque (Algorithms for Computing the Sample
Variance, The American Statistician 37(3), 1983), so that a large mean does not swallow
the spread.

A mean is stored as the sum of two numbers, of which the second, its *tail*, holds what
rounding takes from the first. Values around 1e8 with a spread of 1 would otherwise lose
digits in every merge.

Moments are an array whose first axis has the entries named below; the other axis, if
there is one, has the outputs of a prediction with several columns.
"""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array, cast, divide_or_zero, wide_dtype

# Number of rows, sum of their weights, and of one quantity its mean in two parts and
# the sum of squares around it.
ROWS, WEIGHT, MEAN, TAIL, SQUARES = range(5)
# In regression that quantity is the target. These follow: the same of the errors, the
# sums of absolute and of relative errors, and the largest error.
ERROR, ERROR_TAIL, ERROR_SQUARES, ABSOLUTE, RELATIVE, LARGEST = range(5, 11)
MEAN_SIZE, REGRESSION_SIZE = 5, 11  # numbers of entries


def mean_moments(xp: Any, values: Array, weight: Array | None) -> Array:
    """Return the moments of values, taken along the first axis, ``(5, *outputs)``."""
    wide = wide_dtype(xp, values)
    values = cast(xp, values, wide)
    count = xp.full_like(xp.sum(values, axis=0), float(values.shape[0]))
    if values.shape[0] == 0:
        return xp.stack([count] * MEAN_SIZE)
    weight = weights_of_entries(xp, values, weight)
    total = xp.sum(weight, axis=0)
    return xp.stack([count, total, *_mean_and_squares(xp, values, None, weight, total)])


def regression_moments(
    xp: Any, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return all moments of rows of predictions and targets, ``(11, *outputs)``."""
    wide = wide_dtype(xp, prediction)
    target = cast(xp, target, wide)
    error = cast(xp, prediction, wide) - target
    of_target = mean_moments(xp, target, weight)
    if target.shape[0] == 0:
        # No rows: 5 + 5 + 1 zeros.
        return xp.concat([of_target, xp.zeros_like(of_target), of_target[:1, ...]])
    weight = weights_of_entries(xp, target, weight)
    of_error = _mean_and_squares(xp, error, None, weight, of_target[WEIGHT, ...])
    size = xp.abs(error)
    # An exact prediction of 0 has no relative error; any other one is infinitely wrong.
    relative = xp.where(size == 0, 0.0, size / xp.abs(target))
    weighted_size = xp.where(weight > 0, size, 0.0)
    sums = [xp.sum(_weigh(xp, weight, e), axis=0) for e in (size, relative)]
    others = xp.stack([*of_error, *sums, xp.max(weighted_size, axis=0)])
    return xp.concat([of_target, others])


def weights_of_entries(xp: Any, values: Array, weight: Array | None) -> Array:
    """Return the weights of rows for each entry of ``values``; no weight is 1."""
    if weight is None:
        return xp.ones_like(values)
    weight = cast(xp, weight, values.dtype)
    column = xp.reshape(weight, (-1, *(1 for _ in values.shape[1:])))
    return xp.broadcast_to(column, values.shape)


def _weigh(xp: Any, weight: Array, values: Array) -> Array:
    """Return weight times values, with 0 where the weight is 0, even for inf or nan."""
    return weight * xp.where(weight == 0, 0.0, values)


def _mean_and_squares(
    xp: Any, values: Array, tails: Array | None, weight: Array, total: Array
) -> tuple[Array, Array, Array]:
    """Return the weighted mean along the first axis, its tail, and squares around it.

    Values may have tails of their own. The mean takes two passes, of which the second
    corrects the first. It is exact for constant values, whose squares are 0. If values
    are infinite, the mean and the squares are.
    """
    rough = divide_or_zero(xp, xp.sum(_weigh(xp, weight, values), axis=0), total)
    is_finite = xp.isfinite(rough)
    deviation = values - rough
    if tails is not None:
        deviation = deviation + tails
    shift = divide_or_zero(xp, xp.sum(_weigh(xp, weight, deviation), axis=0), total)
    # The mean of equal deviations is each of them, which sums of weights would round.
    least = xp.min(xp.where(weight == 0, math.inf, deviation), axis=0)
    largest = xp.max(xp.where(weight == 0, -math.inf, deviation), axis=0)
    shift = xp.where(least == largest, least, shift)
    mean = xp.where(is_finite, rough + shift, rough)
    # The error of that sum by Dekker's Fast2Sum, which is exact while the correction is
    # smaller than what it corrects.
    tail = xp.where(is_finite, (rough - mean) + shift, 0.0)
    # Tails are subtracted from each other: added to a value they would be lost.
    deviation = (
        (values - mean) - tail if tails is None else (values - mean) + (tails - tail)
    )
    squares = xp.sum(_weigh(xp, weight, deviation**2), axis=0)
    return mean, tail, xp.where(is_finite, squares, xp.abs(mean))


def merge(xp: Any, moments: Array) -> Array:
    """Merge the moments of several groups of rows, stacked along the first axis."""
    weight = moments[:, WEIGHT, ...]
    total = xp.sum(weight, axis=0)
    merged = [xp.sum(moments[:, ROWS, ...], axis=0), total]
    is_regression = moments.shape[1] == REGRESSION_SIZE
    for first in (MEAN, ERROR) if is_regression else (MEAN,):
        means, tails, squares = (moments[:, first + i, ...] for i in range(3))
        # The squares of all rows are those within the groups and those between them.
        mean, tail, between = _mean_and_squares(xp, means, tails, weight, total)
        merged += [mean, tail, xp.sum(squares, axis=0) + between]
    if is_regression:
        merged += [xp.sum(moments[:, i, ...], axis=0) for i in (ABSOLUTE, RELATIVE)]
        merged.append(xp.max(moments[:, LARGEST, ...], axis=0))
    return xp.stack(merged)


def _nan_if_weightless(xp: Any, moments: Array, values: Array) -> Array:
    """Return the values, with nan where the weights sum to 0."""
    return xp.where(moments[WEIGHT, ...] == 0, math.nan, values)


def mean_of(xp: Any, moments: Array, *, entry: int) -> Array:
    """Return the weighted mean of a sum, or a stored mean or maximum.

    It is nan if the weights sum to 0.
    """
    values = moments[entry, ...]
    if entry in (ABSOLUTE, RELATIVE):
        values = divide_or_zero(xp, values, moments[WEIGHT, ...])
    return _nan_if_weightless(xp, moments, values)


def mean_square(xp: Any, moments: Array) -> Array:
    """Return the mean of the squared errors: their variance and their squared mean."""
    spread = divide_or_zero(xp, moments[ERROR_SQUARES, ...], moments[WEIGHT, ...])
    return _nan_if_weightless(xp, moments, spread + moments[ERROR, ...] ** 2)


def variance(xp: Any, moments: Array) -> Array:
    """Return the variance with one degree of freedom less; nan for a single value."""
    # Weights count rows, so that their sum is the number of values.
    freedom = moments[WEIGHT, ...] - 1
    is_defined = freedom > 0
    divisor = xp.where(is_defined, freedom, 1.0)
    return xp.where(is_defined, moments[SQUARES, ...] / divisor, math.nan)


def standard_error(xp: Any, moments: Array, *, population: float | None) -> Array:
    """Return the standard error of the mean; nan for more than the population."""
    weight = moments[WEIGHT, ...]
    square = variance(xp, moments) / weight
    if population is not None:
        # The correction for sampling without replacement, 1 - n / N. A population of
        # one has no variance, nan, and no error: 0.
        left = 1 - weight / population
        square = xp.where(left == 0, 0.0, square * left)
    return square**0.5


def explained_fraction(xp: Any, moments: Array, *, count_bias: bool) -> Array:
    """Return the fraction of the target's squares that the prediction explains.

    With ``count_bias`` a mean error counts as an error. For a constant target it is 1
    if there is no error and else 0; for less than two rows it is nan.
    """
    error_squares = moments[ERROR_SQUARES, ...]
    if count_bias:
        bias = moments[ERROR, ...]
        error_squares = error_squares + moments[WEIGHT, ...] * bias**2
    squares = moments[SQUARES, ...]
    is_constant = squares == 0
    explained = 1 - error_squares / xp.where(is_constant, 1.0, squares)
    explained = xp.where(is_constant & (error_squares != 0), 0.0, explained)
    too_few = (moments[ROWS, ...] < 2) | (moments[WEIGHT, ...] == 0)
    return xp.where(too_few, math.nan, explained)
