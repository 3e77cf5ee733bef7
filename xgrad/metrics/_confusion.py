"""Metrics of classification, computed from the counts of a confusion matrix alone.

Rows of the matrix are true classes and columns predicted ones. For each class, *hits*
are the rows that truly have the label they were given (true positives), *predicted* all
rows that were given the label, and *support* all rows of the class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from statistics import NormalDist
from typing import Any, Literal

from xgrad._arrays import Array, one_of, python_float
from xgrad._rules import Number

Average = Literal["macro", "micro", "weighted", "binary"] | None
Normalize = Literal["true", "pred", "all"] | None
AVERAGES = ("macro", "micro", "weighted", "binary", None)
# Takes hits, predicted and support of each class, and the number of all rows; returns
# the numerator and the denominator of a metric.
Ratio = Callable[[Array, Array, Array, Array], tuple[Array, Array]]
# The interval would be infinite for a confidence of 1, or for one that rounds to it.
CONFIDENCE = Number("lie between 0 and 1", lambda v: v > 0 and (1 + v) / 2 < 1)
BETA = Number("be at least 0", lambda v: v >= 0)


def precision(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Return hits, over the rows that were given the label."""
    return hits, predicted


def recall(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Return hits, over the rows of the class."""
    return hits, support


def specificity(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Return rows of other classes without the label, over all rows of others."""
    others = total - support
    return others - (predicted - hits), others


def f_beta(beta: float) -> Ratio:
    """Return the ratio of precision and recall together, recall ``beta`` times."""
    # The weight of recall, b**2 / (1 + b**2), from whichever of b and 1/b is below 1:
    # the square of a large one would overflow.
    weight = 1 / (1 + 1 / beta / beta) if beta > 1 else beta**2 / (1 + beta**2)

    def ratio(
        hits: Array, predicted: Array, support: Array, total: Array
    ) -> tuple[Array, Array]:
        return hits, weight * support + (1 - weight) * predicted

    return ratio


def require_average(average: Average, num_classes: int, positive: Any) -> int:
    """Return the positive class, or 0 where the average has none; raise if unfit."""
    one_of("average", average, AVERAGES)
    # `positive` is read, and checked, by the binary average alone.
    if average != "binary":
        return 0
    if num_classes != 2:
        raise ValueError(
            f'average="binary" is for two classes, but there are {num_classes}: '
            'take "macro", "micro", "weighted" or None'
        )
    return int(one_of("positive", positive, (0, 1)))


def average_ratio(
    xp: Any,
    matrix: Array,
    ratio: Ratio,
    average: Average,
    positive: int,
    zero_division: float,
) -> Any:
    """Return a ratio of counts: an average over the classes, or ``(C,)`` for None."""
    fill = require_zero_division(zero_division)
    hits = diagonal(xp, matrix)
    predicted, support = xp.sum(matrix, axis=0), xp.sum(matrix, axis=1)
    # Summed from the support, so that weights of a class that has all rows leave
    # exactly 0 for the others, whatever was rounded.
    total = xp.sum(support)
    counts = (hits, predicted, support)
    if average == "micro":
        # Pooled over the classes, every row is there once for each of them.
        counts = tuple(xp.sum(count) for count in counts)
        total = total * matrix.shape[0]
    result = divide(xp, *ratio(*counts, total), fill)
    if average == "binary":
        return result[positive]
    if average in ("macro", "weighted"):
        weights = support if average == "weighted" else None
        return _mean_over_classes(xp, result, weights, fill)
    return result


def _mean_over_classes(
    xp: Any, values: Array, weights: Array | None, fill: float
) -> Array:
    """Return the weighted mean, without undefined values if these are nan."""
    if math.isnan(fill):
        undefined = xp.isnan(values)
        weights = xp.ones_like(values) if weights is None else weights
        weights = xp.where(undefined, 0.0, weights)
        values = xp.where(undefined, 0.0, values)
    if weights is None:
        return xp.mean(values)
    return divide(xp, xp.sum(values * weights), xp.sum(weights), fill)


def accuracy(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Return the fraction of rows that are classified correctly."""
    correct = xp.sum(diagonal(xp, matrix))
    fill = require_zero_division(zero_division)
    return divide(xp, correct, xp.sum(matrix), fill)


def matthews(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Return the correlation of predicted and true labels."""
    support, predicted = xp.sum(matrix, axis=1), xp.sum(matrix, axis=0)
    hits = diagonal(xp, matrix)
    covariance = xp.sum(hits) * xp.sum(support) - xp.sum(support * predicted)
    # sum(n)**2 - sum(n**2), as a sum of products without a sign: exactly 0 where all
    # rows are of one class.
    variances = [xp.sum(n * (xp.sum(n) - n)) for n in (predicted, support)]
    # Roots before the product, which grows like the fourth power of the number of rows:
    # in float32 it would overflow from 5e9 rows on.
    spread = variances[0] ** 0.5 * variances[1] ** 0.5
    return divide(xp, covariance, spread, require_zero_division(zero_division))


def cohen_kappa(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Return the agreement beyond that of labels given at random."""
    support, predicted = xp.sum(matrix, axis=1), xp.sum(matrix, axis=0)
    total, hits = xp.sum(support), diagonal(xp, matrix)
    # As 1 - disagreement / disagreement by chance: both are sums without a sign, so
    # that the denominator is exactly 0 where all rows are of one class.
    wrong = xp.sum(support - hits) * total
    wrong_by_chance = xp.sum(support * (xp.sum(predicted) - predicted))
    fill = require_zero_division(zero_division)
    kappa = 1 - divide(xp, wrong, wrong_by_chance, 0.0)
    return xp.where(wrong_by_chance == 0, fill, kappa)


def normalize_counts(xp: Any, matrix: Array, normalize: Normalize) -> Array:
    """Return counts as fractions of the true classes, the predicted ones, or all."""
    one_of("normalize", normalize, (None, "true", "pred", "all"))
    if normalize is None:
        return matrix
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    return divide(xp, matrix, xp.sum(matrix, axis=axis, keepdims=True), 0.0)


def wilson_interval(
    xp: Any, fraction: Array, total: Array, confidence: float
) -> tuple[Array, Array]:
    """Return the interval for the probability behind a fraction of ``total`` rows."""
    # Two-sided: half of what is outside of the interval lies on each side.
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # Nothing is known from no rows.
    total = xp.where(total == 0, math.nan, total)
    spread = z**2 / total
    centre = fraction + spread / 2
    half = z * (fraction * (1 - fraction) / total + (z / (2 * total)) ** 2) ** 0.5
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    # For a fraction of 0 or 1 rounding may put an end just outside of [0, 1].
    return xp.clip(low, 0.0, 1.0), xp.clip(high, 0.0, 1.0)


def divide(xp: Any, numerator: Array, denominator: Array, fill: float) -> Array:
    """Return the quotient, and ``fill`` where the denominator is 0."""
    is_zero = denominator == 0
    return xp.where(is_zero, fill, numerator / xp.where(is_zero, 1.0, denominator))


def require_zero_division(zero_division: Any) -> float:
    """Return the value of 0/0 as a float; raise unless it is 0.0, 1.0 or nan."""
    if isinstance(zero_division, Real) and not isinstance(zero_division, bool):
        value = python_float("zero_division", zero_division)
        if value in (0.0, 1.0) or math.isnan(value):
            return value
    raise ValueError(f"`zero_division` must be 0.0, 1.0 or nan; got {zero_division!r}")


def diagonal(xp: Any, matrix: Array) -> Array:
    """Return the entries ``[k, k]`` of a square matrix, ``(C,)``."""
    # The standard has no `diagonal` outside of the optional `linalg`.
    return xp.reshape(matrix, (-1,))[:: matrix.shape[0] + 1]
