"""Losses of regression: the target is a number."""

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

    This is the squared error of textbooks, whose slope is ``p - t`` (Bishop, Pattern
    Recognition and Machine Learning, eq. 1.2). Prediction and target have the same
    shape ``(..., K)``; a 1-d prediction is one row.

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

    Prediction and target have the same shape.

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

    Prediction and target have the same shape. The slope is the sign of the error, and
    0 where there is none.

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

    Prediction and target have the same shape; the only reduction is ``"mean"``. The
    gradient is ``(p - t) / (M * loss)`` for ``M`` entries, and 0 if the loss is 0.

    Examples
    --------
    >>> import numpy as np
    >>> root_mean_squared_error(np.array([0.0, 0.0]), np.array([1.0, 7.0]))
    np.float64(5.0)
    """
    error = prediction - target
    # Squares of float32 errors above 2e19 overflow in float32, below 1e-23 they vanish.
    return cast(xp, error, wide_dtype(xp, error)) ** 2


@root_mean_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return prediction - target


@partial(Loss, prediction=ABOVE_MINUS_ONE, target=ABOVE_MINUS_ONE)
def mean_squared_log_error(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Squared error of the logarithms, ``(log(1 + p) - log(1 + t))**2``.

    Prediction and target have the same shape, and every value is above -1. The loss
    depends on relative errors, whatever the size of the values.

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
    # Of two logarithms that are close the difference keeps only a few digits.
    relative = (prediction - target) / (1 + target)
    return stable.log_ratio(xp, relative, xp.log1p(prediction) - xp.log1p(target))


@partial(Loss, options={"delta": POSITIVE}, kernel="huber")
def huber(xp: Any, prediction: Array, target: Array, /, *, delta: float = 1.0) -> Array:
    """Half the squared error within ``delta`` of the target, a linear loss beyond.

    With ``e = p - t`` the loss is ``e**2 / 2`` where ``abs(e) <= delta``, and else
    ``delta * (abs(e) - delta / 2)`` (Huber, Annals of Mathematical Statistics 35(1),
    1964); by default ``delta`` is 1. Prediction and target have the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> huber(np.array([0.5, 3.0]), np.array([0.0, 0.0]), reduction="none")
    array([0.125, 2.5  ])
    """
    size = xp.abs(prediction - target)
    # The part of the error within delta: no error beyond it is squared, which could
    # overflow.
    inner = stable.clip(xp, size, high=delta)
    return inner**2 / 2 + delta * (size - inner)


@huber.slope
def _(xp: Any, prediction: Array, target: Array, /, *, delta: float = 1.0) -> Array:
    return stable.clip(xp, prediction - target, -delta, delta)


@partial(Loss, options={"beta": POSITIVE})
def smooth_l1(
    xp: Any, prediction: Array, target: Array, /, *, beta: float = 1.0
) -> Array:
    """Absolute error, rounded off within ``beta`` of the target.

    With ``e = p - t`` the loss is ``e**2 / (2 * beta)`` where ``abs(e) <= beta``, and
    else ``abs(e) - beta / 2``: `huber` with ``delta=beta``, over ``beta`` (Girshick,
    Fast R-CNN, ICCV 2015, eq. 3, where ``beta`` is 1, the default). Prediction and
    target have the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> smooth_l1(np.array([0.5, 3.0]), np.array([0.0, 0.0]), beta=2, reduction="none")
    array([0.0625, 2.    ])
    """
    size = xp.abs(prediction - target)
    inner = stable.clip(xp, size, high=beta)
    # inner**2 would vanish for a small beta, or overflow for a large one.
    return inner * (inner / (2 * beta)) + (size - inner)


@smooth_l1.slope
def _(xp: Any, prediction: Array, target: Array, /, *, beta: float = 1.0) -> Array:
    return stable.clip(xp, (prediction - target) / beta, -1.0, 1.0)


@Loss
def log_cosh(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Logarithm of the hyperbolic cosine of the error, ``log(cosh(p - t))``.

    The loss is close to half the squared error if that is small, and to
    ``abs(e) - log(2)`` if it is large. It is accurate everywhere: errors below 1 are
    computed as ``log1p(2 * sinh(e / 2)**2)``, where no digits cancel. Prediction and
    target have the same shape.

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
    # Near 0 `far` subtracts log(2) from about log(2), and for large errors `near`
    # overflows. With the border at 1 the error is below 2e-7 everywhere in float32.
    return xp.where(size < 1, near, far)


@log_cosh.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return xp.tanh(prediction - target)


@partial(Loss, options={"quantile": FRACTION})
def pinball(
    xp: Any, prediction: Array, target: Array, /, *, quantile: float = 0.5
) -> Array:
    """Error that weighs both sides differently, for the prediction of a quantile.

    The loss is ``quantile * (t - p)`` where the prediction is too low, and
    ``(1 - quantile) * (p - t)`` where it is too high, so that the best constant
    prediction is that quantile of the targets (Koenker and Bassett, Econometrica 46(1),
    1978); by default it is the median, 0.5. The slope at a tie is 0. Prediction and
    target have the same shape.

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
    level = 0 * missing  # nan stays nan, which is neither above 0 nor below
    return xp.where(missing > 0, -quantile, xp.where(missing < 0, 1 - quantile, level))


@partial(Loss, target=COUNTS)
def poisson_nll(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Negative log likelihood of counts, ``exp(x) - t * x``.

    The prediction ``x`` is the logarithm of the rate of a Poisson distribution. The
    term ``log(t!)``, which does not depend on it, is left out (McCullagh and Nelder,
    Generalized Linear Models, table 2.1). The target has the prediction's shape and is
    not negative.

    Examples
    --------
    >>> import numpy as np
    >>> poisson_nll(np.log(np.array([2.0, 5.0])), np.array([2, 4]), reduction="none")
    array([ 0.614, -1.438])
    """
    # A rate of 0 has the logarithm -inf, and costs nothing if the count is 0 as well.
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

    The loss is ``(log(variance) + (p - t)**2 / variance) / 2``; the constant
    ``log(2 * pi) / 2`` is left out. Prediction and target have the same shape, and
    ``variance`` is a positive number, or an array of that shape (Nix and Weigend, ICNN
    1994, eq. 2).

    Examples
    --------
    >>> import numpy as np
    >>> gaussian_nll(np.array([1.0, 2.0]), np.array([1.0, 4.0]), variance=4.0)
    np.float64(0.943)
    """
    error = prediction - target
    is_number = isinstance(variance, float)
    logarithm = math.log(variance) if is_number else xp.log(variance)
    # error**2 could overflow or vanish where its quotient by the variance does not.
    return (logarithm + error / variance * error) / 2


@gaussian_nll.slope
def _(xp: Any, prediction: Array, target: Array, /, *, variance: Any) -> Array:
    return (prediction - target) / variance
