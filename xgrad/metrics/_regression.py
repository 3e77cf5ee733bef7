"""Metrics of regression, each of all rows at once."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import ArrayT, public
from xgrad.metrics._arguments import cast_like_prediction
from xgrad.metrics._regression_state import state_of_rows


@public
def r2_score(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Fraction of the target's variance that is predicted, ``1 - sum e**2 / sum d**2``.

    ``e`` is the error and ``d`` the target minus its mean. For a constant target the
    value is 1 if there is no error and else 0; for less than two rows it is ``nan``.
    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> r2_score(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    np.float64(0.5)
    """
    state = state_of_rows(prediction, target, weight)
    return cast_like_prediction(state.r2_score(average=average), prediction)


@public
def explained_variance(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Fraction of the target's variance that is predicted up to a constant.

    The value is ``1 - var(e) / var(t)``: `r2_score`, but without the constant part of
    the error ``e``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> explained_variance(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    np.float64(1.0)
    """
    state = state_of_rows(prediction, target, weight)
    return cast_like_prediction(state.explained_variance(average=average), prediction)


@public
def mean_absolute_percentage_error(
    prediction: ArrayT,
    target: Any,
    *,
    weight: Any = None,
    average: str | None = "uniform",
) -> ArrayT:
    """Mean of the errors relative to the target, ``abs(p - t) / abs(t)``.

    The value is a fraction, not a percentage: 0.1 means 10 %. A target of 0 gives
    ``inf`` unless it is predicted exactly; nothing is clipped.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_percentage_error(np.array([1.1, 4.0]), np.array([1.0, 5.0]))
    np.float64(0.15)
    """
    state = state_of_rows(prediction, target, weight)
    return cast_like_prediction(
        state.mean_absolute_percentage_error(average=average), prediction
    )


@public
def max_error(prediction: ArrayT, target: Any, *, weight: Any = None) -> ArrayT:
    """Largest absolute error; rows of weight 0 are ignored.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> max_error(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    np.float64(3.0)
    """
    return cast_like_prediction(
        state_of_rows(prediction, target, weight).max_error(), prediction
    )
