"""Metrics that sort all rows: areas from ranks, and medians."""

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
    quiet,
    require_same_shape,
    wide_dtype,
)
from xgrad._rules import ValueCheck, enforce, range_checks, require_labels
from xgrad.metrics import _confusion
from xgrad.metrics._regression_state import AVERAGES, as_computed, compared


def roc_auc(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    positive: int = 1,
    weight: Any = None,
    zero_division: float = math.nan,
) -> ArrayT:
    """Area under the receiver operating characteristic, of two classes.

    The chance that a row of the class ``positive`` has a larger score than one of the
    other class, where equal scores count half: the statistic of Mann and Whitney, from
    ranks.

    Parameters
    ----------
    prediction : array of real numbers, shape (N,) or (N, 2)
        Scores of the class ``positive``, or of both classes.
    target : array of integers, shape (N,)
        Labels 0 and 1.
    positive : {1, 0}
        The class that the scores speak for.
    weight : array, shape (N,), optional
        Weights of the rows.
    zero_division : {nan, 0.0, 1.0}
        Result where one of the classes has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    array(0.75)
    """
    positive = int(one_of("positive", positive, (0, 1)))
    fill = _confusion.undefined_value(zero_division)
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    _refuse_lazy(xp, "roc_auc")
    if is_integral(xp, prediction) and is_floating(xp, target):
        raise ValueError(
            "the arguments look swapped: `prediction` holds integers and `target` "
            "floats; predictions come first: roc_auc(scores, labels)"
        )
    scores: Any = as_float(xp, "prediction", prediction)
    require_labels(xp, "target", target)
    shape = tuple(scores.shape)
    if target.ndim != 1 or shape not in ((target.shape[0],), (target.shape[0], 2)):
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {tuple(target.shape)}, but "
            "they must be scores (N,) or (N, 2), and labels (N,)"
        )
    if scores.ndim == 2:
        scores = scores[:, positive]
    wide = wide_dtype(xp, scores)
    if weight is not None:
        require_same_shape("weight", weight, "target", target)
        weight = as_real(xp, "weight", weight, wide)
    checks = [*range_checks(xp, "target", target, 2), _no_nan("prediction", scores)]
    enforce(xp, checks)
    with quiet():
        area = _rank_area(xp, scores, target == positive, weight, wide, fill)
        return as_computed(area, prediction)


def _rank_area(
    xp: Any,
    scores: Array,
    positives: Array,
    weight: Array | None,
    wide: Any,
    fill: float,
) -> Array:
    order = xp.argsort(scores)
    scores = xp.take(scores, order)
    hits = xp.astype(xp.take(positives, order), wide)
    misses = 1 - hits
    if weight is not None:
        weight = xp.take(weight, order)
        hits, misses = hits * weight, misses * weight
    sums = xp.cumulative_sum(misses, include_initial=True)
    # Weight of the other class below each score, and of those not above it.
    below = xp.take(sums, xp.searchsorted(scores, scores, side="left"))
    not_above = xp.take(sums, xp.searchsorted(scores, scores, side="right"))
    # One sum after the other: their product may overflow, or vanish.
    wins = _confusion.ratio(xp, below + not_above, xp.sum(misses), math.nan) / 2
    area = _confusion.ratio(xp, xp.sum(hits * wins), xp.sum(hits), math.nan)
    undefined = (xp.sum(hits) == 0) | (xp.sum(misses) == 0)
    return xp.where(undefined, fill, area)


def median_absolute_error(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Median of the absolute errors; of an even number the middle of two.

    A weight counts rows: one of 2 is a row given twice.

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
    compared(prediction, target, weight)  # the checks
    values = as_float(xp, "prediction", prediction)
    wide = wide_dtype(xp, values)
    with quiet():
        errors = xp.abs(cast(xp, values, wide) - as_real(xp, "target", target, wide))
        if weight is None:
            weight = xp.ones_like(errors)
        else:
            weight = as_real(xp, "weight", weight, wide)
            column = xp.reshape(weight, (-1, *(1 for _ in errors.shape[1:])))
            weight = xp.broadcast_to(column, errors.shape)
        order = xp.argsort(errors, axis=0)
        found = _middle(
            xp,
            xp.take_along_axis(errors, order, axis=0),
            xp.take_along_axis(weight, order, axis=0),
        )
        unknown = xp.any(xp.isnan(errors) & (weight != 0), axis=0)
        found = xp.where(unknown, math.nan, found)
        if average is not None:
            found = xp.mean(found)
    return as_computed(found, prediction)


def _middle(xp: Any, sizes: Array, weight: Array) -> Array:
    """Weighted median of sorted rows: the mean of those on both sides of the half."""
    sums = xp.cumulative_sum(weight, axis=0)
    half = sums[-1:, ...] / 2
    last = sizes.shape[0] - 1
    # Sums of n weights that meet at the half are equal to n units of rounding.
    slack = half * (sizes.shape[0] * float(xp.finfo(sums.dtype).eps))
    found = []
    for reached in (sums < half - slack, sums <= half + slack):
        index = xp.sum(as_index(xp, reached), axis=0, keepdims=True)
        index = xp.clip(index, 0, last)
        found.append(xp.take_along_axis(sizes, index, axis=0)[0, ...])
    return (found[0] + found[1]) / 2


def _refuse_lazy(xp: Any, name: str) -> None:
    if is_dask(xp):
        raise TypeError(
            f"`{name}` sorts all rows, which Dask arrays are too large for: compute "
            "them first, or take a sample with `random_batch`"
        )


def _no_nan(name: str, scores: Array) -> ValueCheck:
    return ValueCheck(
        name,
        scores,
        scores != scores,
        rule="hold no nan",
        remedy="a score without a number has no rank",
    )
