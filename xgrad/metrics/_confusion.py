"""Metrics of classification, from the counts of a confusion matrix alone.

Rows of the matrix are true classes and columns predicted ones. A class has hits (tp),
misses (fn: its rows with another label), false alarms (fp: its label on other rows).
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
# Of hits, rows given the label, rows of the class and all: what is divided by what.
Parts = Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def precision(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Hits among the rows that were given the label."""
    return hits, predicted


def recall(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Hits among the rows of the class."""
    return hits, support


def specificity(
    hits: Array, predicted: Array, support: Array, total: Array
) -> tuple[Array, Array]:
    """Rows without the label among those of other classes."""
    others = total - support
    return others - (predicted - hits), others


def f_beta(beta: float) -> Parts:
    """Precision and recall together, recall ``beta`` times as important."""
    # Shares of recall and precision: no square overflows.
    share = 1 / (1 + 1 / beta / beta) if beta > 1 else beta**2 / (1 + beta**2)

    def parts(
        hits: Array, predicted: Array, support: Array, total: Array
    ) -> tuple[Array, Array]:
        return hits, share * support + (1 - share) * predicted

    return parts


def require_average(average: Average, num_classes: int, positive: Any) -> int:
    """The number of the positive class, if there are classes for the average."""
    one_of("average", average, AVERAGES)
    if average != "binary":
        return 0
    if num_classes != 2:
        raise ValueError(
            f'average="binary" is for two classes, but there are {num_classes}: '
            'take "macro", "micro", "weighted" or None'
        )
    return int(one_of("positive", positive, (0, 1)))


def averaged(
    xp: Any,
    matrix: Array,
    parts: Parts,
    average: Average,
    positive: int,
    zero_division: float,
) -> Any:
    """A ratio of counts for each class, averaged as asked."""
    fill = undefined_value(zero_division)
    hits = diagonal(xp, matrix)
    predicted, support = xp.sum(matrix, axis=0), xp.sum(matrix, axis=1)
    # Of the support, so that a class with all rows leaves exactly none of the weight.
    total = xp.sum(support)
    tallies = (hits, predicted, support)
    if average == "micro":
        # Every class has all rows: each counts once for every class.
        tallies = tuple(xp.sum(tally) for tally in tallies)
        total = total * matrix.shape[0]
    result = ratio(xp, *parts(*tallies, total), fill)
    if average == "binary":
        return result[positive]
    if average in ("macro", "weighted"):
        weights = support if average == "weighted" else None
        if math.isnan(fill):
            undefined = xp.isnan(result)
            kept = xp.ones_like(result) if weights is None else weights
            weights = xp.where(undefined, 0.0, kept)
            result = xp.where(undefined, 0.0, result)
        if weights is None:
            return xp.mean(result)
        return ratio(xp, xp.sum(result * weights), xp.sum(weights), fill)
    return result


def accuracy(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Share of the rows with the right label."""
    right = xp.sum(diagonal(xp, matrix))
    return ratio(xp, right, xp.sum(matrix), undefined_value(zero_division))


def matthews(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Correlation of predicted and true labels."""
    true, predicted = xp.sum(matrix, axis=1), xp.sum(matrix, axis=0)
    hits = diagonal(xp, matrix)
    covariance = xp.sum(hits) * xp.sum(true) - xp.sum(true * predicted)
    # Sums of products without a sign: exactly 0 where all rows are of one class.
    spreads = [xp.sum(part * (xp.sum(part) - part)) for part in (predicted, true)]
    # The roots first: a product of squares of counts may overflow in float32.
    whole = spreads[0] ** 0.5 * spreads[1] ** 0.5
    return ratio(xp, covariance, whole, undefined_value(zero_division))


def cohen_kappa(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Agreement beyond that of labels given at random."""
    true, predicted = xp.sum(matrix, axis=1), xp.sum(matrix, axis=0)
    total, hits = xp.sum(true), diagonal(xp, matrix)
    wrong = xp.sum(true - hits) * total
    by_chance = xp.sum(true * (xp.sum(predicted) - predicted))
    undefined = undefined_value(zero_division)
    return xp.where(by_chance == 0, undefined, 1 - ratio(xp, wrong, by_chance, 0.0))


def normalized(xp: Any, matrix: Array, normalize: Normalize) -> Array:
    """Counts as shares of the true classes, of the predicted ones, or of all rows."""
    one_of("normalize", normalize, (None, "true", "pred", "all"))
    if normalize is None:
        return matrix
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    return ratio(xp, matrix, xp.sum(matrix, axis=axis, keepdims=True), 0.0)


# The quantile of what rounds to 1 is infinite.
CONFIDENCE = Number("lie between 0 and 1", lambda v: v > 0 and (1 + v) / 2 < 1)
BETA = Number("be at least 0", lambda v: v >= 0)


def wilson(
    xp: Any, share: Array, total: Array, confidence: float
) -> tuple[Array, Array]:
    """Interval for the probability behind a share of ``total`` rows."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    total = xp.where(total == 0, math.nan, total)
    spread = z**2 / total
    centre = share + spread / 2
    half = z * (share * (1 - share) / total + (z / (2 * total)) ** 2) ** 0.5
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return xp.clip(low, 0.0, 1.0), xp.clip(high, 0.0, 1.0)


def ratio(xp: Any, part: Array, whole: Array, otherwise: float) -> Array:
    """``part / whole``, and ``otherwise`` where the whole is 0."""
    empty = whole == 0
    return xp.where(empty, otherwise, part / xp.where(empty, 1.0, whole))


def undefined_value(zero_division: Any) -> float:
    """The value of 0/0: 0.0, 1.0 or nan."""
    if isinstance(zero_division, Real) and not isinstance(zero_division, bool):
        value = python_float("zero_division", zero_division)
        if value in (0.0, 1.0) or math.isnan(value):
            return value
    raise ValueError(f"`zero_division` must be 0.0, 1.0 or nan; got {zero_division!r}")


def diagonal(xp: Any, matrix: Array) -> Array:
    """The entries ``[k, k]``."""
    return xp.reshape(matrix, (-1,))[:: matrix.shape[0] + 1]
