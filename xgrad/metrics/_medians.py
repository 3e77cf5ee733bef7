"""Medians of errors, which need all rows at once."""

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
    one_of,
    public,
    quiet,
    wide_dtype,
)
from xgrad.metrics import _moments
from xgrad.metrics._arguments import cast_like_prediction, refuse_lazy
from xgrad.metrics._regression_state import AVERAGES, state_of_rows


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
    refuse_lazy(xp, "median_absolute_error")
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
        middle.append(xp.take_along_axis(ranked, index, axis=0)[0, ...])
    median = (middle[0] + middle[1]) / 2
    # Sorted to the end, nan would pass for the largest error.
    has_nan = xp.any(xp.isnan(errors) & (weight != 0), axis=0)
    return xp.where(has_nan, math.nan, median)
