"""Metrics of regression."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import ArrayT
from xgrad.metrics._regression_state import as_computed, compared


def r2_score(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """The part of the target's variance that is predicted, ``1 - sum e**2 / sum d**2``.

    ``d`` is the target minus its mean. Of a constant target it is 1 where there is no
    error and else 0, of less than two rows ``nan``. Parameters, errors and result are
    described at the top of this module.

    Examples
    --------
    >>> import numpy as np
    >>> r2_score(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    np.float64(0.5)
    """
    state = compared(prediction, target, weight)
    return as_computed(state.r2_score(average=average), prediction)


def explained_variance(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """`r2_score` where a constant error does not count, ``1 - var(e) / var(t)``.

    Examples
    --------
    >>> import numpy as np
    >>> explained_variance(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    np.float64(1.0)
    """
    state = compared(prediction, target, weight)
    return as_computed(state.explained_variance(average=average), prediction)


def mean_absolute_percentage_error(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Mean of the errors relative to the target, ``abs(p - t) / abs(t)``.

    A share, not a percentage: 0.1 is 10 %. A target of 0 gives ``inf`` unless it is
    predicted exactly; nothing is clipped.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_percentage_error(np.array([1.1, 4.0]), np.array([1.0, 5.0]))
    np.float64(0.15)
    """
    state = compared(prediction, target, weight)
    return as_computed(
        state.mean_absolute_percentage_error(average=average), prediction
    )


def max_error(prediction: ArrayT, target: Any, /, *, weight: Any = None) -> ArrayT:
    """The largest absolute error; rows of weight 0 do not count.

    Examples
    --------
    >>> import numpy as np
    >>> max_error(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    np.float64(3.0)
    """
    return as_computed(compared(prediction, target, weight).max_error(), prediction)
