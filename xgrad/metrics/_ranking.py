"""Metrics of the order of scores: curves over all thresholds, and areas under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from xgrad._arrays import (
    Array,
    ArrayT,
    as_index,
    cast,
    is_integral,
    is_numpy,
    one_of,
    public,
    quiet,
)
from xgrad._kernels import find_kernel
from xgrad.metrics import _confusion
from xgrad.metrics._arguments import cast_like_prediction
from xgrad.metrics._scored_rows import ScoredRows, as_scored_rows

AreaAverage = Literal["macro", "weighted"] | None


class RocCurve(NamedTuple):
    """Rates at each threshold, from the largest one down; the first is infinite."""

    false_positive_rate: Any
    true_positive_rate: Any
    thresholds: Any


class PrecisionRecallCurve(NamedTuple):
    """Precision and recall at each threshold, from the smallest one up.

    Both end with a point more than there are thresholds: precision 1 and recall 0.
    """

    precision: Any
    recall: Any
    thresholds: Any


@public
def roc_auc(
    prediction: ArrayT,
    target: Any,
    *,
    positive: int = 1,
    weight: Any = None,
    average: AreaAverage = "macro",
    zero_division: float = math.nan,
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Area under the receiver operating characteristic.

    It is the probability that a row of the class ``positive`` has a larger score than a
    row of another class, where equal scores count half (Hanley and McNeil, Radiology
    143(1), 1982). For more than two classes it is taken of each class against the rest,
    and averaged. A score of nan and a label out of range raise ``ValueError``.

    Parameters
    ----------
    prediction : array of real numbers, shape (N,) or (N, C)
        Scores of the class ``positive`` of two, or of all classes. They need not be
        probabilities.
    target : array of integers or booleans, shape (N,), or one-hot rows (N, C)
        Labels 0 and 1, or the numbers of the columns.
    positive : {1, 0}
        Of two classes the one whose rows should have the larger scores.
    weight : array, shape (N,), optional
        Weights of the rows, not negative.
    average : {"macro", "weighted", None}
        For more than two classes: their mean, or weighted by the rows of each, or an
        array with one area for each.
    zero_division : {nan, 0.0, 1.0}
        Value where a class, or all others, have no rows; nan is left out of averages.
    ignore_index : int, optional
        Label of rows that do not count.
    labels : sequence of int, optional
        For more than two classes those that are averaged; by default all.

    Examples
    --------
    >>> import numpy as np
    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    np.float64(0.75)
    """
    rows = as_scored_rows("roc_auc", prediction, target, weight, ignore_index)
    area = _average(rows, _roc_area, positive, average, zero_division, labels)
    return cast_like_prediction(area, prediction)


@public
def average_precision(
    prediction: ArrayT,
    target: Any,
    *,
    positive: int = 1,
    weight: Any = None,
    average: AreaAverage = "macro",
    zero_division: float = math.nan,
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Mean of the precision over all steps of the recall, as thresholds fall.

    It is ``sum_n (R_n - R_(n-1)) P_n`` over the thresholds, without interpolation
    (Buckley and Voorhees, SIGIR 2000). Parameters, errors and result are those of
    `roc_auc`; it is undefined for a class without rows.

    Examples
    --------
    >>> import numpy as np
    >>> average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    np.float64(0.833)
    """
    rows = as_scored_rows("average_precision", prediction, target, weight, ignore_index)
    area = _average(rows, _precision_area, positive, average, zero_division, labels)
    return cast_like_prediction(area, prediction)


@public
def roc_curve(
    prediction: ArrayT,
    target: Any,
    *,
    positive: int = 1,
    weight: Any = None,
    ignore_index: int | None = None,
) -> RocCurve:
    """Rates of false and of true positives at each threshold, and the thresholds.

    A row is said to be positive if its score is at least the threshold. There is a
    point for each different score, and a first one at an infinite threshold, where both
    rates are 0. A rate over no rows is nan.

    Parameters
    ----------
    prediction : array of real numbers, shape (N,) or (N, 2)
        Scores of the class ``positive``, or of both classes.
    target, positive, weight, ignore_index
        As for two classes in `roc_auc`, with its errors.

    Returns
    -------
    RocCurve
        A tuple of three arrays, ``false_positive_rate``, ``true_positive_rate`` and
        ``thresholds``, in order of falling thresholds.

    Examples
    --------
    >>> import numpy as np
    >>> curve = roc_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> curve.false_positive_rate
    array([0. , 0. , 0.5, 0.5, 1. ])
    >>> curve.true_positive_rate
    array([0. , 0.5, 0.5, 1. , 1. ])
    """
    rows = as_scored_rows("roc_curve", prediction, target, weight, ignore_index)
    with quiet():
        xp, counts = rows.xp, _binary_counts("roc_curve", rows, positive)
        rates = [xp.flip(_rates(xp, count)) for count in (counts.fp, counts.tp)]
        end = xp.full_like(counts.thresholds[:1], math.inf)
        thresholds = xp.concat([end, xp.flip(counts.thresholds)])
    return RocCurve(
        *(cast_like_prediction(a, prediction) for a in (*rates, thresholds))
    )


@public
def precision_recall_curve(
    prediction: ArrayT,
    target: Any,
    *,
    positive: int = 1,
    weight: Any = None,
    ignore_index: int | None = None,
) -> PrecisionRecallCurve:
    """Precision and recall at each threshold, and the thresholds.

    A row is said to be positive if its score is at least the threshold. There is a
    point for each different score, from the smallest one up, and a last one of
    precision 1 and recall 0, which has no threshold. Parameters and errors are those of
    `roc_curve`. Without rows of the class the recall is nan.

    Returns
    -------
    PrecisionRecallCurve
        A tuple of three arrays, ``precision``, ``recall`` and ``thresholds``.

    Examples
    --------
    >>> import numpy as np
    >>> scores, labels = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])
    >>> curve = precision_recall_curve(scores, labels)
    >>> curve.precision
    array([0.5  , 0.667, 0.5  , 1.   , 1.   ])
    >>> curve.recall
    array([1. , 1. , 0.5, 0.5, 0. ])
    """
    name = "precision_recall_curve"
    rows = as_scored_rows(name, prediction, target, weight, ignore_index)
    with quiet():
        xp, counts = rows.xp, _binary_counts(name, rows, positive)
        tp, selected = counts.tp[:-1], counts.tp[:-1] + counts.fp[:-1]
        # Of no rows at all, after the last threshold, the precision is 1.
        precision = xp.concat([tp / selected, xp.ones_like(counts.tp[:1])])
        recall = _rates(xp, counts.tp)
    curve = precision, recall, counts.thresholds
    return PrecisionRecallCurve(*(cast_like_prediction(a, prediction) for a in curve))


class _Counts(NamedTuple):
    """Weights of the rows whose score is at least a threshold, by rising thresholds.

    ``tp`` and ``fp`` have a last entry 0 more than there are thresholds. An area has
    none, and may have several entries for the same score.
    """

    tp: Array  # of the class
    fp: Array  # of others
    thresholds: Any  # an array, or None for areas


def _average(
    rows: ScoredRows,
    area: Any,
    positive: int,
    average: AreaAverage,
    zero_division: float,
    labels: Sequence[int] | None,
) -> Array:
    """Return an area of two classes, or of each class against the rest, averaged."""
    positive = int(one_of("positive", positive, (0, 1)))
    one_of("average", average, ("macro", "weighted", None))
    fill = _confusion.require_zero_division(zero_division)
    classes = _confusion.require_classes(labels, rows.num_classes, average)
    xp = rows.xp
    with quiet():
        if rows.num_classes == 2:
            if classes is not None:
                raise ValueError(
                    "`labels` is for more than two classes: take `positive`"
                )
            return area(rows, positive, fill)
        classes = list(range(rows.num_classes)) if classes is None else classes
        areas = xp.stack([area(rows, label, fill) for label in classes])
        if average is None:
            return areas
        support = None
        if average == "weighted":
            support = xp.stack([_support(rows, label) for label in classes])
        return _confusion.mean_over_classes(xp, areas, support, fill)


def _rates(xp: Any, sums: Array) -> Array:
    """Return sums over the first of them, which is that of all rows; nan for none."""
    return sums / xp.where(sums[:1] == 0, math.nan, sums[:1])


def _support(rows: ScoredRows, label: int) -> Array:
    """Return the number of rows of a class, or their weight, 0-d."""
    xp, is_positive = rows.xp, rows.target == label
    if rows.weight is None:
        return cast(xp, xp.sum(as_index(xp, is_positive)), rows.sum_dtype)
    return xp.sum(xp.where(is_positive, rows.weight, 0.0))


def _roc_area(rows: ScoredRows, label: int, fill: float) -> Array:
    """Return the area under rates of true positives over those of false ones."""
    xp, ranks = rows.xp, _ranks(rows, label)
    if ranks:
        wins = int(ranks.total(ranks.below)) + int(ranks.total(ranks.not_above))
        pairs = 2 * ranks.positives * ranks.negatives
        return xp.asarray(wins / pairs if pairs else fill, dtype=rows.sum_dtype)
    tp, fp, _ = _count(rows, label)
    heights = _rates(xp, tp)
    return _mean_height(xp, (heights[:-1] + heights[1:]) / 2, fp, fill)


def _precision_area(rows: ScoredRows, label: int, fill: float) -> Array:
    """Return the sum of the precisions times the steps of the recall."""
    xp, ranks = rows.xp, _ranks(rows, label)
    if ranks:
        tp, fp = ranks.positives - ranks.first, ranks.negatives - ranks.below
        count = ranks.positives
        return xp.asarray(ranks.total(tp / (tp + fp)) / count if count else fill)
    tp, fp, _ = _count(rows, label)
    # Rows without weight are of no step.
    selected = tp[:-1] + fp[:-1]
    precision = tp[:-1] / xp.where(selected == 0, 1.0, selected)
    return _mean_height(xp, precision, tp, fill)


def _ranks(rows: ScoredRows, label: int) -> Any:
    """Return the ranks of a class from the kernel; None if there is none."""
    scores = rows.scores_of(label)
    kernel = find_kernel("rank_positives", rows.xp, scores.dtype)
    if kernel is None or rows.weight is not None:
        return None
    return kernel(scores, rows.target == label)


def _mean_height(xp: Any, heights: Array, sums: Array, fill: float) -> Array:
    """Return the mean of heights in [0, 1], weighted by the steps of falling sums."""
    products = xp.sum(heights * (sums[:-1] - sums[1:]))
    area = _confusion.divide(xp, products, sums[0], fill)
    # Sums that are taken in parallel need not fall, by their rounding.
    area = xp.where(area < 0, 0.0, xp.where(area > 1, 1.0, area))
    # Heights are undefined where there are no positive rows.
    return xp.where(xp.isnan(area), fill, area)


def _binary_counts(name: str, rows: ScoredRows, positive: int) -> _Counts:
    if rows.num_classes != 2:
        raise ValueError(
            f"`{name}` is for two classes, but `prediction` has {rows.num_classes} "
            "columns: compare one class with the rest, "
            f"`{name}(prediction[:, k], target == k)`"
        )
    positive = int(one_of("positive", positive, (0, 1)))
    return _count(rows.with_weight(), positive, with_thresholds=True)


def _count(rows: ScoredRows, label: int, *, with_thresholds: bool = False) -> _Counts:
    """Return the counts of a class; those of a curve without repeated thresholds."""
    xp, scores = rows.xp, rows.scores_of(label)
    is_positive = rows.target == label
    kernel = find_kernel("count_from", xp, scores.dtype)
    counts = kernel and kernel(scores, is_positive, rows.weight, with_thresholds)
    if not counts:
        return _count_in_order(rows, scores, is_positive, with_thresholds)
    tp, fp, thresholds = counts
    if with_thresholds:
        thresholds = _as_floats(xp, thresholds, rows.sum_dtype)
    return _Counts(tp, fp, thresholds)


def _count_in_order(
    rows: ScoredRows, scores: Array, is_positive: Array, with_thresholds: bool
) -> _Counts:
    """Return the counts by the positions of sorted scores, in any library."""
    xp, keys = rows.xp, _sortable(rows.xp, scores)
    # Equal scores may come in any order: they are one threshold.
    order = xp.argsort(keys)
    keys, is_positive = xp.take(keys, order), xp.take(is_positive, order)
    first = _first_of_equal(xp, keys, may_wait=with_thresholds or is_numpy(xp))
    if rows.weight is None:
        tp, fp = _numbers_from(xp, is_positive, first)
    else:
        weight = xp.take(rows.weight, order)
        tp = _sums_from(xp, xp.where(is_positive, weight, 0.0), first)
        fp = _sums_from(xp, xp.where(is_positive, 0.0, weight), first)
        # A sum that is taken in parallel may exceed that of more rows, by its rounding.
        tp, fp = (xp.where(each > each[:1], each[:1], each) for each in (tp, fp))
    # Not every library takes the largest unsigned integers by their index.
    floats = _as_floats(xp, scores, rows.sum_dtype)
    thresholds = xp.take(floats, xp.take(order, first)) if with_thresholds else None
    tp, fp = (cast(xp, each, rows.sum_dtype) for each in (tp, fp))
    return _Counts(tp, fp, thresholds)


def _as_floats(xp: Any, scores: Array, dtype: Any) -> Array:
    return xp.astype(scores, dtype) if is_integral(xp, scores) else scores


def _sortable(xp: Any, scores: Array) -> Array:
    """Return numbers in the order of the scores, which every library can sort."""
    if is_numpy(xp) or not is_integral(xp, scores):
        return scores
    limits, index = xp.iinfo(scores.dtype), as_index(xp, scores)
    if limits.max <= xp.iinfo(index.dtype).max:
        return index
    # The largest unsigned integers became negative: a turned sign puts them last.
    return xp.bitwise_xor(index, xp.full_like(index, xp.iinfo(index.dtype).min))


def _first_of_equal(xp: Any, ranked: Array, *, may_wait: bool) -> Array:
    """Return the index of the first of equal numbers, once for each different number.

    Without ``may_wait`` once for each number: how many are different is known to the
    device alone.
    """
    if not may_wait:
        return xp.searchsorted(ranked, ranked, side="left")
    is_first = xp.ones_like(ranked, dtype=xp.bool)
    if ranked.shape[0] < 2:
        return xp.nonzero(is_first)[0]
    return xp.nonzero(xp.concat([is_first[:1], ranked[1:] != ranked[:-1]]))[0]


def _numbers_from(xp: Any, is_positive: Array, first: Array) -> tuple[Array, Array]:
    """Return how many rows of both groups there are from each index on, and last 0."""
    before = xp.cumulative_sum(as_index(xp, is_positive), include_initial=True)
    begin = xp.concat(
        [as_index(xp, first), xp.full_like(before[:1], is_positive.shape[0])]
    )
    positives = before[-1] - xp.take(before, begin)
    return positives, is_positive.shape[0] - begin - positives


def _sums_from(xp: Any, weights: Array, first: Array) -> Array:
    """Return the sum of the weights from each index on, and a last 0."""
    # From the end, so that no large sums are subtracted.
    sums = xp.flip(xp.cumulative_sum(xp.flip(weights), include_initial=True))
    return xp.concat([xp.take(sums, first), sums[-1:]])
