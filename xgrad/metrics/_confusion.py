"""Metrics of classification, computed from the counts of a confusion matrix alone.

Rows of the matrix are true classes and columns predicted ones. A ratio is ``a / (a +
b)`` of two sums that are not negative: it cannot leave [0, 1], whatever was rounded,
and is 1 exactly where ``b`` is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

from xgrad._arrays import (
    Array,
    default_dtype,
    device_of,
    float_info,
    floor_power_of_two,
    from_host,
    integer,
    one_of,
    python_float,
)
from xgrad._rules import Number

Average = Literal["macro", "micro", "weighted", "binary"] | None
Normalize = Literal["true", "pred", "all"] | None
AVERAGES = ("macro", "micro", "weighted", "binary", None)
KappaWeights = Literal["linear", "quadratic"] | None
# The interval would be infinite for a confidence of 1, or for one that rounds to it.
CONFIDENCE = Number("lie between 0 and 1", lambda v: v > 0 and (1 + v) / 2 < 1)
BETA = Number("be at least 0", lambda v: v >= 0)


class Outcomes(NamedTuple):
    """Rows by what a class says of them: arrays ``(C,)``, or numbers of all classes."""

    tp: Array  # true positives: of the class, and given its label
    fp: Array  # of another class, and given the label
    fn: Array  # of the class, and given another label
    tn: Array  # of another class, and given another label


# Returns the two sums of which a metric is the ratio ``a / (a + b)``.
Ratio = Callable[[Outcomes], tuple[Array, Array]]


def precision(rows: Outcomes) -> tuple[Array, Array]:
    """Return the terms of ``tp / (tp + fp)``."""
    return rows.tp, rows.fp


def recall(rows: Outcomes) -> tuple[Array, Array]:
    """Return the terms of ``tp / (tp + fn)``."""
    return rows.tp, rows.fn


def specificity(rows: Outcomes) -> tuple[Array, Array]:
    """Return the terms of ``tn / (tn + fp)``."""
    return rows.tn, rows.fp


def jaccard(rows: Outcomes) -> tuple[Array, Array]:
    """Return the terms of ``tp / (tp + fp + fn)``."""
    return rows.tp, rows.fp + rows.fn


def f_beta(beta: float) -> Ratio:
    """Return the ratio of precision and recall together, recall ``beta`` times."""
    # The weight of recall, b**2 / (1 + b**2), from whichever of b and 1/b is below 1:
    # the square of a large one would overflow.
    weight = 1 / (1 + 1 / beta / beta) if beta > 1 else beta**2 / (1 + beta**2)

    def ratio(rows: Outcomes) -> tuple[Array, Array]:
        return rows.tp, weight * rows.fn + (1 - weight) * rows.fp

    return ratio


def scale(xp: Any, matrix: Array) -> Array:
    """Return the counts over a power of two that is close to the largest of them.

    No product of a few sums of them overflows or vanishes then, whatever the scale of
    the weights, and no digit is lost.
    """
    largest = xp.max(matrix)
    tiny = float_info(xp, matrix.dtype).tiny
    return matrix / floor_power_of_two(xp, xp.where(largest < tiny, tiny, largest))


def outcomes(xp: Any, matrix: Array) -> Outcomes:
    """Return the outcomes of each class, none of them by subtracting sums."""
    own = _is_diagonal(xp, matrix)
    wrong = xp.where(own, 0.0, matrix)
    # Of the rows of each class, those that were not given the label of the column. A
    # row with a single entry leaves exactly 0.
    elsewhere = xp.sum(matrix, axis=1)[:, None] - matrix
    return Outcomes(
        tp=diagonal(xp, matrix),
        fp=xp.sum(wrong, axis=0),
        fn=xp.sum(wrong, axis=1),
        tn=xp.sum(xp.where(own, 0.0, elsewhere), axis=0),
    )


def _is_diagonal(xp: Any, matrix: Array) -> Array:
    """Return booleans ``(C, C)``, true on the diagonal."""
    index = default_dtype(xp, "indexing", matrix)
    classes = xp.arange(matrix.shape[0], dtype=index, device=device_of(matrix))
    return classes[:, None] == classes


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


def require_classes(
    labels: Sequence[int] | None, num_classes: int, average: Average
) -> list[int] | None:
    """Return the classes that an average is over as integers; None means all."""
    if labels is None:
        return None
    if average == "binary":
        raise ValueError(
            'average="binary" takes the class `positive` alone: leave `labels` out'
        )
    try:
        classes = [integer("labels", label, least=None) for label in labels]
    except TypeError:
        raise TypeError(
            f"`labels` must be a sequence of class numbers; got {labels!r}"
        ) from None
    is_fit = 0 < len({*classes}) == len(classes)
    if not (is_fit and all(0 <= label < num_classes for label in classes)):
        raise ValueError(
            f"`labels` must be different classes in [0, {num_classes}), at least one; "
            f"got {labels!r}"
        )
    return classes


def average_ratio(
    xp: Any,
    matrix: Array,
    ratio: Ratio,
    average: Average,
    positive: int,
    zero_division: float,
    classes: list[int] | None = None,
) -> Any:
    """Return a ratio of counts: an average over the classes, or ``(C,)`` for None."""
    fill = require_zero_division(zero_division)
    rows = outcomes(xp, scale(xp, matrix))
    if classes is not None:
        index = from_host(xp, classes, like=matrix)
        rows = Outcomes(*(xp.take(count, index) for count in rows))
    if average == "micro":
        # Pooled over the classes, every row is there once for each of them.
        rows = Outcomes(*(xp.sum(count) for count in rows))
    result = share(xp, *ratio(rows), fill)
    if average == "binary":
        return result[positive]
    if average in ("macro", "weighted"):
        support = rows.tp + rows.fn if average == "weighted" else None
        return mean_over_classes(xp, result, support, fill)
    return result


def mean_over_classes(
    xp: Any, values: Array, support: Array | None, fill: float
) -> Array:
    """Return the mean of values in [0, 1], without undefined ones if these are nan."""
    weights = xp.ones_like(values) if support is None else support
    if math.isnan(fill):
        undefined = xp.isnan(values)
        weights = xp.where(undefined, 0.0, weights)
        values = xp.where(undefined, 0.0, values)
    total = xp.sum(weights)
    mean = divide(xp, xp.sum(values * weights), total, fill)
    # The weights may be rounded apart from their products.
    return xp.where(mean > 1, 1.0, mean)


def accuracy(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Return the fraction of rows that are classified correctly."""
    rows = outcomes(xp, scale(xp, matrix))
    fill = require_zero_division(zero_division)
    return share(xp, xp.sum(rows.tp), xp.sum(rows.fn), fill)


def matthews(xp: Any, matrix: Array, zero_division: float) -> Array:
    """Return the correlation of predicted and true labels."""
    matrix = scale(xp, matrix)
    rows = outcomes(xp, matrix)
    support, predicted = rows.tp + rows.fn, rows.tp + rows.fp
    own = _is_diagonal(xp, matrix)
    others, predicted_others = (
        xp.sum(xp.where(own, 0.0, count[None, :]), axis=1)
        for count in (support, predicted)
    )
    # trace * total - sum(support * predicted), without what both have in common: of
    # right labels nothing is subtracted.
    covariance = xp.sum(rows.tp * others) - xp.sum(support * rows.fp)
    # sum(n)**2 - sum(n**2), as a sum of products without a sign: exactly 0 where all
    # rows are of one class.
    variance = xp.sum(support * others)
    predicted_variance = xp.sum(predicted * predicted_others)
    larger = xp.maximum(variance, predicted_variance)
    smaller = xp.minimum(variance, predicted_variance)
    # The root of a quotient is exactly 1 where both are equal.
    correlation = divide(xp, covariance, larger, 0.0)
    correlation = divide(xp, correlation, divide(xp, smaller, larger, 0.0) ** 0.5, 0.0)
    fill = require_zero_division(zero_division)
    return xp.where(smaller == 0, fill, _between_signs(xp, correlation))


def _between_signs(xp: Any, values: Array) -> Array:
    """Return the values, cut to [-1, 1]; nan stays nan."""
    values = xp.where(values > 1, 1.0, values)
    return xp.where(values < -1, -1.0, values)


def cohen_kappa(
    xp: Any, matrix: Array, weights: KappaWeights, zero_division: float
) -> Array:
    """Return the agreement beyond that of labels given at random."""
    one_of("weights", weights, (None, "linear", "quadratic"))
    matrix = scale(xp, matrix)
    classes = xp.arange(matrix.shape[0], dtype=matrix.dtype, device=device_of(matrix))
    distance = xp.abs(classes[:, None] - classes)
    penalty = {
        None: xp.astype(distance != 0, matrix.dtype),
        "linear": distance,
        "quadratic": distance**2,
    }[weights]
    support, predicted = xp.sum(matrix, axis=1), xp.sum(matrix, axis=0)
    # As 1 - disagreement / disagreement by chance: both are sums without a sign, so
    # that the denominator is exactly 0 where all rows are of one class.
    wrong = xp.sum(penalty * matrix) * xp.sum(support)
    wrong_by_chance = xp.sum(support * xp.sum(penalty * predicted, axis=1))
    fill = require_zero_division(zero_division)
    kappa = _between_signs(xp, 1 - divide(xp, wrong, wrong_by_chance, 0.0))
    return xp.where(wrong_by_chance == 0, fill, kappa)


def normalize_counts(xp: Any, matrix: Array, normalize: Normalize) -> Array:
    """Return counts as fractions of the true classes, the predicted ones, or all."""
    one_of("normalize", normalize, (None, "true", "pred", "all"))
    if normalize is None:
        return matrix
    matrix = scale(xp, matrix)
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
    # For a fraction of 0 or 1 rounding may put an end on either side of it.
    low, high = xp.minimum(low, fraction), xp.maximum(high, fraction)
    return xp.clip(low, 0.0, 1.0), xp.clip(high, 0.0, 1.0)


def share(xp: Any, part: Array, rest: Array, fill: float) -> Array:
    """Return ``part / (part + rest)``, and ``fill`` where both are 0."""
    return divide(xp, part, part + rest, fill)


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
