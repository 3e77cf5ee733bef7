"""Metrics that sort all rows: the area under a curve, and medians."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import (
    Array,
    ArrayT,
    as_float,
    as_index,
    as_real,
    cast,
    common_namespace,
    drop_none,
    is_dask,
    is_floating,
    is_integral,
    one_of,
    public,
    quiet,
    require_same_shape,
    wide_dtype,
)
from xgrad._rules import enforce, range_checks, require_labels
from xgrad.metrics import _confusion, _moments
from xgrad.metrics._arguments import nan_check
from xgrad.metrics._regression_state import (
    AVERAGES,
    cast_like_prediction,
    state_of_rows,
)


@public
def roc_auc(
    prediction: ArrayT,
    target: Any,
    *,
    positive: int = 1,
    weight: Any = None,
    zero_division: float = math.nan,
) -> ArrayT:
    """Area under the receiver operating characteristic of two classes.

    It is the probability that a row of the class ``positive`` has a larger score than a
    row of the other class, where equal scores count half. It is computed from ranks, as
    the statistic of Mann and Whitney (Hanley and McNeil, Radiology 143(1), 1982).

    Parameters
    ----------
    prediction : array of real numbers, shape (N,) or (N, 2)
        Scores of the class ``positive``, or of both classes.
    target : array of integers, shape (N,)
        Labels 0 and 1.
    positive : {1, 0}
        The class whose rows should have the larger scores.
    weight : array, shape (N,), optional
        Weights of the rows.
    zero_division : {nan, 0.0, 1.0}
        Value to return if one of the classes has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    array(0.75)
    """
    positive = int(one_of("positive", positive, (0, 1)))
    fill = _confusion.require_zero_division(zero_division)
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    _refuse_lazy(xp, "roc_auc")
    scores = _scores_of_class(xp, prediction, target, positive)
    wide = wide_dtype(xp, scores)
    if weight is not None:
        require_same_shape("weight", weight, "target", target)
        weight = as_real(xp, "weight", weight, wide)
    has_ranks = nan_check(scores, "nan has no rank among the scores")
    checks = [*range_checks(xp, "target", target, 2), has_ranks]
    enforce(xp, checks)
    with quiet():
        is_positive = xp.astype(target == positive, wide)
        area = _area_from_ranks(xp, scores, is_positive, weight, fill)
        return cast_like_prediction(area, prediction)


def _scores_of_class(xp: Any, prediction: Array, target: Array, positive: int) -> Array:
    """Return the scores of a class, ``(N,)``; raise if arguments do not fit."""
    # Labels first would otherwise be ranked as scores, and the scores be refused as
    # labels, which hides the mistake.
    if is_integral(xp, prediction) and is_floating(xp, target):
        raise ValueError(
            "the arguments look swapped: `prediction` holds integers and `target` "
            "floats; predictions come first: roc_auc(scores, labels)"
        )
    scores = as_float(xp, "prediction", prediction)
    require_labels(xp, "target", target)
    shape = tuple(scores.shape)
    if target.ndim != 1 or shape not in ((target.shape[0],), (target.shape[0], 2)):
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {tuple(target.shape)}, but "
            "they must be scores (N,) or (N, 2), and labels (N,)"
        )
    return scores if scores.ndim == 1 else scores[:, positive]


def _area_from_ranks(
    xp: Any, scores: Array, is_positive: Array, weight: Array | None, fill: float
) -> Array:
    """Return the area, 0-d; ``is_positive`` has 1.0 and 0.0 in the dtype to sum in."""
    # Equal scores may come in any order: the searches below look for all of them.
    order = xp.argsort(scores)
    scores = xp.take(scores, order)
    positives = xp.take(is_positive, order)
    negatives = 1 - positives
    if weight is not None:
        weight = xp.take(weight, order)
        positives, negatives = positives * weight, negatives * weight
    sums = xp.cumulative_sum(negatives, include_initial=True)
    # Weight of the negative rows with a smaller score, and with one that is not larger:
    # their mean counts equal scores half.
    smaller = xp.take(sums, xp.searchsorted(scores, scores, side="left"))
    not_larger = xp.take(sums, xp.searchsorted(scores, scores, side="right"))
    # Divided by one sum after the other: their product may overflow, or vanish.
    total = xp.sum(negatives)
    wins = _confusion.divide(xp, smaller + not_larger, total, math.nan) / 2
    area = xp.sum(positives * wins)
    area = _confusion.divide(xp, area, xp.sum(positives), math.nan)
    is_undefined = (xp.sum(positives) == 0) | (total == 0)
    return xp.where(is_undefined, fill, area)


@public
def median_absolute_error(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Median of the absolute errors; for an even number the mean of the middle two.

    Weights count rows: a row of weight 2 counts as two rows.

    Examples
    --------
    >>> import numpy as np
    >>> median_absolute_error(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 1.0]))
    np.float64(1.0)
    """
    one_of("average", average, AVERAGES)
    xp = common_namespace(
        prediction=prediction, target=target, **drop_none(weight=weight)
    )
    _refuse_lazy(xp, "median_absolute_error")
    # For its checks alone: they are those of the other metrics.
    state_of_rows(prediction, target, weight)
    values = as_float(xp, "prediction", prediction)
    wide = wide_dtype(xp, values)
    with quiet():
        if weight is not None:
            weight = as_real(xp, "weight", weight, wide)
        errors = xp.abs(cast(xp, values, wide) - as_real(xp, "target", target, wide))
        weight = _moments.weights_of_entries(xp, errors, weight)
        median = _weighted_median(xp, errors, weight)
        if average is not None:
            median = xp.mean(median)
    return cast_like_prediction(median, prediction)


def _weighted_median(xp: Any, errors: Array, weight: Array) -> Array:
    """Return the weighted median along the first axis; nan if an error is nan.

    It is the mean of the first sorted row at which the sum of the weights reaches half
    of the total, and of the first at which it exceeds the half.
    """
    order = xp.argsort(errors, axis=0)
    ranked = xp.take_along_axis(errors, order, axis=0)
    sums = xp.cumulative_sum(xp.take_along_axis(weight, order, axis=0), axis=0)
    half = sums[-1:, ...] / 2
    # A sum of n weights has an error of at most n units of rounding: within that, a sum
    # counts as equal to the half.
    slack = half * (errors.shape[0] * float(xp.finfo(sums.dtype).eps))
    middle = []
    for is_before in (sums < half - slack, sums <= half + slack):
        index = xp.sum(as_index(xp, is_before), axis=0, keepdims=True)
        # With negative weights there may be no sum above the half.
        index = xp.clip(index, 0, errors.shape[0] - 1)
        middle.append(xp.take_along_axis(ranked, index, axis=0)[0, ...])
    median = (middle[0] + middle[1]) / 2
    # Sorted to the end, nan would pass for the largest error.
    has_nan = xp.any(xp.isnan(errors) & (weight != 0), axis=0)
    return xp.where(has_nan, math.nan, median)


def _refuse_lazy(xp: Any, name: str) -> None:
    if is_dask(xp):
        raise TypeError(
            f"`{name}` sorts all rows, which is not done for Dask arrays: compute "
            "them first, or take a sample with `random_batch`"
        )
