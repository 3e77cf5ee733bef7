"""Losses: each one its value and, right below, its slope.

A prediction comes first and a target second; everything else is a keyword:

======================  ==============================================================
``reduction``           ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of
                        each element (or row)
``weight``              array in the shape of the unreduced loss; a weighted mean
                        divides by the sum of the weights
``check``               ``False`` leaves the values unchecked, so that nothing waits
                        for the device; a label out of range then gives ``nan``
======================  ==============================================================

Every loss returns an array of the prediction's library, device and dtype (float32 for
half precision), has ``.grad`` and ``.value_and_grad`` with the same arguments, and
raises ``TypeError`` for a wrong dtype or a mixture of libraries and ``ValueError`` for
a wrong value or shape. Nothing broadcasts. Sums over rows accumulate in float64.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from xgrad import _math
from xgrad._array import Array
from xgrad._loss import (
    DISTRIBUTION,
    UNIT_INTERVAL,
    Classes,
    ClassLoss,
    Loss,
    RootLoss,
)

# Regression


@partial(Loss, rows=True)
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
    return xp.sum((prediction - target) ** 2, axis=-1) / 2


@half_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return prediction - target


@Loss
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


@Loss
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
    return (prediction - target) ** 2


@root_mean_squared_error.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return 2 * (prediction - target)


# Classification: rows of classes


@partial(ClassLoss, prediction=DISTRIBUTION)
def cross_entropy(
    xp: Any, prediction: Array, target: Classes, /, *, delta: float = 0.0
) -> Array:
    """Cross entropy of each row of probabilities, ``-sum_k t_k log(p_k + delta)``.

    The prediction has shape ``(..., C)`` and holds probabilities: outside ``[0, 1]``
    or with rows that do not sum to 1 within ``sqrt(eps)`` they are an error. The target
    holds labels ``(...)`` of any integer dtype, or weights of the classes ``(..., C)``
    (one-hot or soft). ``delta=1e-7`` is the textbook's guard against ``log(0)``; with
    the default 0 the loss of ``p = 0`` is ``inf`` and nothing is clipped. ``0 log 0``
    is 0. Formula: Cover and Thomas, Elements of Information Theory, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
    >>> cross_entropy(p, np.asarray(2), delta=1e-7)
    np.float64(0.510825457099338)
    """
    logarithm = xp.log(prediction + _not_negative("delta", delta))
    # A nan of any class reaches the loss of its row, not only that of the target's.
    return 0 * _math.total(xp, prediction)[..., 0] - target.pick(logarithm)


@cross_entropy.slope
def _(xp: Any, prediction: Array, target: Classes, /, *, delta: float = 0.0) -> Array:
    return -target.times(1 / (prediction + _not_negative("delta", delta)))


@ClassLoss
def softmax_cross_entropy(xp: Any, prediction: Array, target: Classes, /) -> Array:
    """Cross entropy of each row of logits, ``-sum_k t_k log softmax(x)_k``.

    The prediction has shape ``(..., C)`` and holds logits; ``-inf`` masks a class. The
    target holds labels ``(...)`` of any integer dtype, or weights of the classes
    ``(..., C)`` (one-hot or soft, finite and not negative). The maximum of a row is
    subtracted first, so that a common offset of any size changes nothing. The slope is
    ``sum(t) softmax(x) - t`` (Bishop, Pattern Recognition and Machine Learning,
    eq. 4.109).

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[2.0, 1.0, 0.0], [1e8, 1e8, 1e8]])
    >>> softmax_cross_entropy(logits, np.array([0, 2]), reduction="none")
    array([0.408, 1.099])
    >>> softmax_cross_entropy.grad(logits, np.array([0, 2]), reduction="sum")
    array([[-0.335,  0.245,  0.090],
           [ 0.333,  0.333, -0.667]])
    """
    shift, _ = _math.shifted(xp, prediction)
    normaliser = _math.total(xp, xp.exp(shift))
    return _row_loss(xp, shift, normaliser, target)


@softmax_cross_entropy.slope
def _(xp: Any, prediction: Array, target: Classes, /) -> Array:
    return _row_slope(_math.softmax(xp, prediction), target)


@softmax_cross_entropy.value_and_slope
def _(xp: Any, prediction: Array, target: Classes, /) -> tuple[Array, Array]:
    shift, _ = _math.shifted(xp, prediction)
    exponential = xp.exp(shift)
    normaliser = _math.total(xp, exponential)
    slope = _row_slope(exponential / normaliser, target)
    return _row_loss(xp, shift, normaliser, target), slope


def _row_loss(xp: Any, shift: Array, normaliser: Array, target: Classes) -> Array:
    everything = xp.squeeze(target.scale(xp.log(normaliser)), axis=-1)
    return everything - target.pick(shift)


def _row_slope(probability: Array, target: Classes) -> Array:
    return target.scale(probability) - target.dense(probability.dtype)


# Classification: two classes


@partial(Loss, prediction=UNIT_INTERVAL, target=UNIT_INTERVAL)
def binary_cross_entropy(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Cross entropy of two classes, ``-(t log p + (1 - t) log(1 - p))``.

    The prediction holds probabilities and the target, of the same shape, labels 0 and 1
    or probabilities; both must lie in ``[0, 1]``. ``0 log 0`` is 0, nothing is clipped,
    and the slope ``(p - t) / (p (1 - p))`` has its limits at ``p = 0`` and ``1``.

    Examples
    --------
    >>> import numpy as np
    >>> binary_cross_entropy(np.array([0.5, 1.0]), np.array([1, 1]))
    np.float64(0.3466)
    """
    positive = _math.product(xp, target, xp.log(prediction))
    negative = _math.product(xp, 1 - target, xp.log1p(-prediction))
    return -(positive + negative)


@binary_cross_entropy.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    # Two fractions, each without the pole that its factor cancels: right at p = t = 0
    # and p = t = 1, where the single fraction is 0 / 0.
    negative = _math.product(xp, 1 - target, 1 / (1 - prediction))
    return negative - _math.product(xp, target, 1 / prediction)


@partial(Loss, target=UNIT_INTERVAL)
def sigmoid_binary_cross_entropy(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: float = 1.0
) -> Array:
    """Cross entropy of two classes from logits.

    ``positive_weight * t * softplus(-x) + (1 - t) * softplus(x)``: exact for any logit,
    and 0 for an infinite one whose target agrees. The target has the prediction's shape
    and holds labels 0 and 1 or probabilities in ``[0, 1]``. The slope is
    ``(1 - t) sigmoid(x) - positive_weight t sigmoid(-x)``.

    Examples
    --------
    >>> import numpy as np
    >>> x, t = np.array([0.0, 100.0, np.inf]), np.array([1.0, 0.0, 1.0])
    >>> sigmoid_binary_cross_entropy(x, t, reduction="none")
    array([  0.693, 100.   ,   0.   ])
    """
    positive_weight = _not_negative("positive_weight", positive_weight)
    if_positive, if_negative = _math.softpluses(xp, prediction)
    positive = positive_weight * _math.product(xp, target, if_positive)
    return positive + _math.product(xp, 1 - target, if_negative)


@sigmoid_binary_cross_entropy.slope
def _(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: float = 1.0
) -> Array:
    positive_weight = _not_negative("positive_weight", positive_weight)
    left, right = _math.sigmoids(xp, prediction)
    return (1 - target) * right - positive_weight * target * left


def _not_negative(name: str, value: float) -> float:
    number = float(value)
    if not number >= 0:
        raise ValueError(f"`{name}` must not be negative; got {value!r}")
    return number
