"""Sums of regression and of means that can be merged, in float64.

Means and squares around them are kept instead of sums of squares, and merged by the
formula of Chan, Golub and LeVeque (Algorithms for Computing the Sample Variance, The
American Statistician 37(3), 1983), so that a large mean does not swallow the spread.

A mean is kept as a number and its rest, which does not fit into the number beside a
large offset: merging costs no digits there.

Moments are an array whose first axis has the entries named below; the others, if any,
are the outputs of a prediction with several columns.
"""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array, cast, wide_dtype

# Rows, their weight, and of one quantity its mean with the rest of it and the squares
# around it.
ROWS, WEIGHT, MEAN, REST, SQUARES = range(5)
# Of regression the quantity above is the target, and these follow: the same of the
# errors, sums of absolute and of relative ones, the largest.
ERROR, ERROR_REST, ERROR_SQUARES, ABSOLUTE, RELATIVE, LARGEST = range(5, 11)
OF_MEAN, OF_REGRESSION = 5, 11  # their numbers


def mean_moments(xp: Any, values: Array, weight: Array | None) -> Array:
    """Rows, weight, mean and squares of values along the first axis."""
    wide = wide_dtype(xp, values)
    values = cast(xp, values, wide)
    count = xp.full_like(xp.sum(values, axis=0), float(values.shape[0]))
    if values.shape[0] == 0:
        return xp.stack([count] * OF_MEAN)
    weight = _weights(xp, values, weight)
    total = xp.sum(weight, axis=0)
    return xp.stack([count, total, *_around_mean(xp, values, None, weight, total)])


def regression_moments(
    xp: Any, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """All moments of rows of predictions and targets."""
    wide = wide_dtype(xp, prediction)
    target = cast(xp, target, wide)
    error = cast(xp, prediction, wide) - target
    of_target = mean_moments(xp, target, weight)
    if target.shape[0] == 0:
        return xp.concat([of_target, xp.zeros_like(of_target), of_target[:1, ...]])
    weight = _weights(xp, target, weight)
    of_error = _around_mean(xp, error, None, weight, of_target[WEIGHT, ...])
    size = xp.abs(error)
    # An exact prediction of 0 is right; any other one is infinitely wrong.
    relative = xp.where(size == 0, 0.0, size / xp.abs(target))
    counted = xp.where(weight > 0, size, 0.0)
    sums = [xp.sum(_times(xp, weight, part), axis=0) for part in (size, relative)]
    rest = xp.stack([*of_error, *sums, xp.max(counted, axis=0)])
    return xp.concat([of_target, rest])


def _weights(xp: Any, values: Array, weight: Array | None) -> Array:
    """The weights of rows, for each entry."""
    if weight is None:
        return xp.ones_like(values)
    weight = cast(xp, weight, values.dtype)
    column = xp.reshape(weight, (-1, *(1 for _ in values.shape[1:])))
    return xp.broadcast_to(column, values.shape)


def _times(xp: Any, weight: Array, values: Array) -> Array:
    return weight * xp.where(weight == 0, 0.0, values)


def _around_mean(
    xp: Any, values: Array, rests: Array | None, weight: Array, total: Array
) -> tuple[Array, Array, Array]:
    """Weighted mean along the first axis, its rest, and the squares around it.

    In two passes, the first one corrected by the second: exact for constant values. Of
    infinite values the mean and the squares are infinite.
    """
    rough = _over(xp, xp.sum(_times(xp, weight, values), axis=0), total)
    known = xp.isfinite(rough)
    apart = values - rough
    if rests is not None:
        apart = apart + rests
    shift = _over(xp, xp.sum(_times(xp, weight, apart), axis=0), total)
    mean = xp.where(known, rough + shift, rough)
    rest = xp.where(known, (rough - mean) + shift, 0.0)
    apart = (
        (values - mean) - rest if rests is None else (values - mean) + (rests - rest)
    )
    squares = xp.sum(_times(xp, weight, apart**2), axis=0)
    return mean, rest, xp.where(known, squares, xp.abs(mean))


def _over(xp: Any, part: Array, whole: Array) -> Array:
    """``part / whole``, and 0 where the whole is 0."""
    return xp.where(whole == 0, 0.0, part / xp.where(whole == 0, 1.0, whole))


def merged(xp: Any, moments: Array) -> Array:
    """The moments of all rows from those of several groups, along the first axis."""
    weight = moments[:, WEIGHT, ...]
    total = xp.sum(weight, axis=0)
    parts = [xp.sum(moments[:, ROWS, ...], axis=0), total]
    whole = moments.shape[1] == OF_REGRESSION
    for mean in (MEAN, ERROR) if whole else (MEAN,):
        means, rests, squares = (moments[:, mean + i, ...] for i in range(3))
        middle, rest, between = _around_mean(xp, means, rests, weight, total)
        parts += [middle, rest, xp.sum(squares, axis=0) + between]
    if whole:
        parts += [xp.sum(moments[:, i, ...], axis=0) for i in (ABSOLUTE, RELATIVE)]
        parts.append(xp.max(moments[:, LARGEST, ...], axis=0))
    return xp.stack(parts)


def _weightless(xp: Any, moments: Array, values: Array) -> Array:
    """The values, and nan where nothing was weighed."""
    return xp.where(moments[WEIGHT, ...] == 0, math.nan, values)


def variance(xp: Any, moments: Array) -> Array:
    """Of the values, with one degree of freedom less; nan for a single one."""
    freedom = moments[WEIGHT, ...] - 1
    known = freedom > 0
    whole = xp.where(known, freedom, 1.0)
    return xp.where(known, moments[SQUARES, ...] / whole, math.nan)


def mean_square(xp: Any, moments: Array) -> Array:
    """Mean of the squared errors."""
    spread = _over(xp, moments[ERROR_SQUARES, ...], moments[WEIGHT, ...])
    return _weightless(xp, moments, spread + moments[ERROR, ...] ** 2)


def standard_error(xp: Any, moments: Array, *, population: float | None) -> Array:
    """Of the mean; nan for more than the population."""
    weight = moments[WEIGHT, ...]
    square = variance(xp, moments) / weight
    if population is not None:
        left = 1 - weight / population
        square = xp.where(left == 0, 0.0, square * left)
    return square**0.5


def share(xp: Any, moments: Array, *, part: int) -> Array:
    """Mean of what was added up, or what is known as it is; nan of no weight."""
    found = moments[part, ...]
    if part in (ABSOLUTE, RELATIVE):
        found = _over(xp, found, moments[WEIGHT, ...])
    return _weightless(xp, moments, found)


def explained(xp: Any, moments: Array, *, biased: bool) -> Array:
    """The part of the target's squares that errors leave; ``biased`` errors count.

    Of a constant target it is 1 where there is no error and else 0; of less than two
    rows it is nan.
    """
    left = moments[ERROR_SQUARES, ...]
    if biased:
        left = left + moments[WEIGHT, ...] * moments[ERROR, ...] ** 2
    whole = moments[SQUARES, ...]
    constant = whole == 0
    part = 1 - left / xp.where(constant, 1.0, whole)
    part = xp.where(constant & (left != 0), 0.0, part)
    few = (moments[ROWS, ...] < 2) | (moments[WEIGHT, ...] == 0)
    return xp.where(few, math.nan, part)
