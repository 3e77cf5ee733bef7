"""Losses of regression."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from xgrad._arrays import Array, cast, stable, wide_dtype
from xgrad._rules import (
    ABOVE_MINUS_ONE,
    COUNTS,
    FRACTION,
    POSITIVE,
    VARIANCE,
    NumberOrArray,
)
from xgrad.losses._loss import Loss
from xgrad.losses._root_loss import RootLoss


@partial(Loss, rows=True, kernel="half_squared_error")
def half_squared_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Half the sum of squared errors of each row, ``sum((p - t)**2) / 2``.

    The squared error of textbooks: its slope is exactly ``p - t`` (Bishop, Pattern
    Recognition and Machine Learning, eq. 1.2). Prediction and target have one shape
    ``(..., K)``; a 1-d prediction is one row.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.array([0.1, 0.8, 0.1]), np.array([0.0, 1.0, 0.0])
    >>> half_squared_error(p, t)
    np.float64(0.03)
    >>> half_squared_error.grad(p, t)
    array([ 0.1, -0.2,  0.1])
    """
    return stable.row_sum(xp, (prediction - target) ** 2) / 2


@half_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return prediction - target


@partial(Loss, kernel="mean_squared_error")
def mean_squared_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Squared error of each element, ``(p - t)**2``.

    Prediction and target have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    return (prediction - target) ** 2


@mean_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return 2 * (prediction - target)


@partial(Loss, kernel="mean_absolute_error")
def mean_absolute_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Absolute error of each element, ``abs(p - t)``.

    Prediction and target have one shape. The slope at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    return xp.abs(prediction - target)


@mean_absolute_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return xp.sign(prediction - target)


@RootLoss
def root_mean_squared_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Root of the mean squared error, ``sqrt(mean((p - t)**2))``.

    Prediction and target have one shape; the only reduction is ``"mean"``. The
    gradient is ``(p - t) / (M * loss)`` over ``M`` elements, and 0 where the loss is 0.

    Examples
    --------
    >>> import numpy as np
    >>> root_mean_squared_error(np.array([0.0, 0.0]), np.array([1.0, 7.0]))
    np.float64(5.0)
    """
    error = prediction - target
    return cast(xp, error, wide_dtype(xp, error)) ** 2


@root_mean_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return 2 * (prediction - target)


@partial(Loss, prediction=ABOVE_MINUS_ONE, target=ABOVE_MINUS_ONE)
def mean_squared_log_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Squared error of the logarithms, ``(log(1 + p) - log(1 + t))**2``.

    Prediction and target have one shape, and every value is above -1. Relative errors
    count, whatever the size of the values.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_log_error(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    np.float64(0.2402)
    """
    return _log_error(xp, prediction, target) ** 2


@mean_squared_log_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return 2 * _log_error(xp, prediction, target) / (1 + prediction)


@mean_squared_log_error.value_and_slope
def _(xp: Any, prediction: Array, target: Array, /) -> tuple[Array, Array]:
    error = _log_error(xp, prediction, target)
    return error**2, 2 * error / (1 + prediction)


def _log_error(xp: Any, prediction: Array, target: Array) -> Array:
    relative = (prediction - target) / (1 + target)
    return stable.log_ratio(xp, relative, xp.log1p(prediction) - xp.log1p(target))


@partial(Loss, options={"delta": POSITIVE})
def huber(xp: Any, prediction: Array, target: Array, /, *, delta: float = 1.0) -> Array:
    """Half the squared error within ``delta`` of the target, linear beyond.

    ``e**2 / 2`` where ``abs(e) <= delta``, else ``delta * (abs(e) - delta / 2)``, with
    ``e = p - t`` (Huber, Annals of Mathematical Statistics 35(1), 1964). Prediction and
    target have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> huber(np.array([0.5, 3.0]), np.array([0.0, 0.0]), reduction="none")
    array([0.125, 2.5  ])
    """
    size = xp.abs(prediction - target)
    inner = stable.clip(xp, size, high=delta)
    return inner**2 / 2 + delta * (size - inner)


@huber.slope
def _(xp: Any, prediction: Array, target: Array, /, *, delta: float = 1.0) -> Array:
    return stable.clip(xp, prediction - target, -delta, delta)


@partial(Loss, options={"beta": POSITIVE})
def smooth_l1(
    xp: Any, prediction: Array, target: Array, /, *, beta: float = 1.0
) -> Array:
    """Absolute error, rounded off within ``beta`` of the target: ``huber / beta``.

    ``e**2 / (2 * beta)`` where ``abs(e) <= beta``, else ``abs(e) - beta / 2``
    (Girshick, Fast R-CNN, ICCV 2015, eq. 3, where ``beta`` is 1). Prediction and target
    have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> smooth_l1(np.array([0.5, 3.0]), np.array([0.0, 0.0]), beta=2, reduction="none")
    array([0.0625, 2.    ])
    """
    size = xp.abs(prediction - target)
    inner = stable.clip(xp, size, high=beta)
    return inner * (inner / (2 * beta)) + (size - inner)


@smooth_l1.slope
def _(xp: Any, prediction: Array, target: Array, /, *, beta: float = 1.0) -> Array:
    return stable.clip(xp, (prediction - target) / beta, -1.0, 1.0)


@Loss
def log_cosh(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Logarithm of the hyperbolic cosine of the error, ``log(cosh(p - t))``.

    Half the squared error where that is small, ``abs(e) - log(2)`` where it is large,
    and accurate in between: ``log1p(2 * sinh(e / 2)**2)`` below 1, which cancels
    nothing. Prediction and target have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([1e-6, 1000.0], dtype=np.float32)
    >>> log_cosh(p, np.zeros_like(p), reduction="none")
    array([5.0e-13, 9.993e+02], dtype=float32)
    """
    size = xp.abs(prediction - target)
    near = xp.log1p(2 * xp.sinh(size / 2) ** 2)
    far = size + xp.log1p(xp.exp(-2 * size)) - math.log(2)
    return xp.where(size < 1, near, far)


@log_cosh.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return xp.tanh(prediction - target)


@partial(Loss, options={"quantile": FRACTION})
def pinball(
    xp: Any, prediction: Array, target: Array, /, *, quantile: float = 0.5
) -> Array:
    """Loss whose best constant prediction is a quantile of the targets.

    ``quantile * (t - p)`` where the prediction is too low, ``(1 - quantile) * (p - t)``
    where it is too high (Koenker and Bassett, Econometrica 46(1), 1978). The slope at a
    tie is 0. Prediction and target have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    >>> pinball(p, t, quantile=0.9, reduction="none")
    array([0.9, 0.1])
    """
    missing = target - prediction
    return xp.where(missing > 0, quantile * missing, (quantile - 1) * missing)


@pinball.slope
def _(xp: Any, prediction: Array, target: Array, /, *, quantile: float = 0.5) -> Array:
    missing = target - prediction
    level = 0 * missing  # nan stays nan
    return xp.where(missing > 0, -quantile, xp.where(missing < 0, 1 - quantile, level))


@partial(Loss, target=COUNTS)
def poisson_nll(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Negative log likelihood of counts, ``exp(x) - t * x``, x the logarithm of a rate.

    The term ``log(t!)``, which does not depend on the prediction, is left out
    (McCullagh and Nelder, Generalized Linear Models, table 2.1). The target has the
    prediction's shape and is not negative.

    Examples
    --------
    >>> import numpy as np
    >>> poisson_nll(np.log(np.array([2.0, 5.0])), np.array([2, 4]), reduction="none")
    array([ 0.614, -1.438])
    """
    return xp.exp(prediction) - stable.product_keeping_zeros(xp, target, prediction)


@poisson_nll.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return xp.exp(prediction) - target


@poisson_nll.value_and_slope
def _(xp: Any, prediction: Array, target: Array, /) -> tuple[Array, Array]:
    rate = xp.exp(prediction)
    return rate - stable.product_keeping_zeros(xp, target, prediction), rate - target


@partial(Loss, options={"variance": NumberOrArray(VARIANCE, POSITIVE)})
def gaussian_nll(
    xp: Any, prediction: Array, target: Array, /, *, variance: Any
) -> Array:
    """Negative log likelihood of a normal distribution around the prediction.

    ``(log(variance) + (p - t)**2 / variance) / 2``, without the constant
    ``log(2 * pi) / 2``. Prediction and target have one shape; ``variance`` is a
    positive number, or an array in that shape (Nix and Weigend, ICNN 1994, eq. 2).

    Examples
    --------
    >>> import numpy as np
    >>> gaussian_nll(np.array([1.0, 2.0]), np.array([1.0, 4.0]), variance=4.0)
    np.float64(0.943)
    """
    error = prediction - target
    is_number = isinstance(variance, float)
    logarithm = math.log(variance) if is_number else xp.log(variance)
    return (logarithm + error / variance * error) / 2


@gaussian_nll.slope
def _(xp: Any, prediction: Array, target: Array, /, *, variance: Any) -> Array:
    return (prediction - target) / variance
