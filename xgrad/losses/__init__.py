"""Losses: each one its value and, right below, its slope.

A prediction comes first and a target second; everything else is a keyword:

======================  ==============================================================
``reduction``           ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of
                        each element (or row)
``weight``              array in the shape of the unreduced loss; a weighted mean
                        divides by the sum of the weights, and what weighs 0 is left
                        out, whatever it is
``check``               ``False`` leaves the values unchecked, so that nothing waits
                        for the device; a label out of range then gives ``nan``
======================  ==============================================================

Every loss returns an array of the prediction's library, device and dtype (float32 for
half precision), has ``.grad`` and ``.value_and_grad`` with the same arguments, and
raises ``TypeError`` for a wrong dtype or a mixture of libraries and ``ValueError`` for
a wrong value or shape. Nothing broadcasts. Sums over rows accumulate in float64.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from xgrad import _math
from xgrad._array import Array, cast, wide_dtype
from xgrad._classes import Classes
from xgrad._domains import (
    ABOVE_MINUS_ONE,
    COUNTS,
    DISTRIBUTION,
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    SIGNS,
    UNIT_INTERVAL,
    VARIANCE,
    Entries,
)
from xgrad._kinds import ClassLoss, RootLoss
from xgrad._loss import Loss

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
    return _math.row_sum(xp, (prediction - target) ** 2) / 2


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
    return _math.log_ratio(xp, relative, xp.log1p(prediction) - xp.log1p(target))


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
    inner = _math.clip(xp, size, high=delta)
    return inner**2 / 2 + delta * (size - inner)


@huber.slope
def _(xp: Any, prediction: Array, target: Array, /, *, delta: float = 1.0) -> Array:
    return _math.clip(xp, prediction - target, -delta, delta)


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
    inner = _math.clip(xp, size, high=beta)
    return inner * (inner / (2 * beta)) + (size - inner)


@smooth_l1.slope
def _(xp: Any, prediction: Array, target: Array, /, *, beta: float = 1.0) -> Array:
    return _math.clip(xp, (prediction - target) / beta, -1.0, 1.0)


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
    return xp.exp(prediction) - _math.product(xp, target, prediction)


@poisson_nll.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return xp.exp(prediction) - target


@poisson_nll.value_and_slope
def _(xp: Any, prediction: Array, target: Array, /) -> tuple[Array, Array]:
    rate = xp.exp(prediction)
    return rate - _math.product(xp, target, prediction), rate - target


@partial(Loss, options={"variance": Entries(VARIANCE, POSITIVE)})
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


# Classification: rows of classes


@partial(ClassLoss, prediction=DISTRIBUTION, options={"delta": NOT_NEGATIVE})
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
    # A nan of any class reaches the loss of its row, not only that of the target's.
    rows = 0 * _math.row_sum(xp, prediction)
    return rows - target.pick(prediction, lambda p: xp.log(p + delta))


@cross_entropy.slope
def _(xp: Any, prediction: Array, target: Classes, /, *, delta: float = 0.0) -> Array:
    return 0 * prediction - target.times(1 / (prediction + delta))


@partial(ClassLoss, adjustable=True)
def softmax_cross_entropy(xp: Any, prediction: Array, target: Classes, /) -> Array:
    """Cross entropy of each row of logits, ``-sum_k t_k log softmax(x)_k``.

    The prediction has shape ``(..., C)`` and holds logits; ``-inf`` masks a class. The
    target holds labels ``(...)`` of any integer dtype, or weights of the classes
    ``(..., C)`` (one-hot or soft, finite and not negative). The maximum of a row is
    subtracted first, so that a common offset of any size changes nothing. The slope is
    ``sum(t) softmax(x) - t`` (Bishop, Pattern Recognition and Machine Learning,
    eq. 4.109). A row with ``nan``, with ``inf``, or of ``-inf`` alone is ``nan``.

    Parameters
    ----------
    class_weight : array of shape (C,), optional
        Weights of the classes, finite and not negative. A mean divides by the sum of
        the weights of the targets.
    label_smoothing : float
        The part of each target, in [0, 1], that is spread over all classes alike:
        ``(1 - s) t + s / C``. A mean divides by the weights of the targets before that.
    ignore_index : int, optional
        Rows with this label cost nothing and are not counted; it need not be the number
        of a class. Of weights, those rows that lie on this class alone.

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
    shift = _math.below_maximum(xp, prediction)
    normaliser = _math.sum_along(xp, xp.exp(shift))
    return _row_loss(xp, shift, normaliser, target)


@softmax_cross_entropy.slope
def _(xp: Any, prediction: Array, target: Classes, /) -> Array:
    exponential = xp.exp(_math.below_maximum(xp, prediction))
    return _row_slope(exponential / _math.sum_along(xp, exponential), target)


@softmax_cross_entropy.value_and_slope
def _(xp: Any, prediction: Array, target: Classes, /) -> tuple[Array, Array]:
    shift = _math.below_maximum(xp, prediction)
    exponential = xp.exp(shift)
    normaliser = _math.sum_along(xp, exponential)
    slope = _row_slope(exponential / normaliser, target)
    return _row_loss(xp, shift, normaliser, target), slope


def _row_loss(xp: Any, shift: Array, normaliser: Array, target: Classes) -> Array:
    everything = xp.squeeze(target.scale(xp.log(normaliser)), axis=-1)
    return everything - target.pick(shift)


def _row_slope(probability: Array, target: Classes) -> Array:
    return target.scale(probability) - target.dense(probability.dtype)


@partial(Loss, rows=True, prediction=DISTRIBUTION, target=DISTRIBUTION)
def kl_divergence(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Divergence of each row from its target, ``sum_k t_k (log t_k - log p_k)``.

    Prediction and target hold probabilities in one shape ``(..., C)``, and their rows
    sum to 1 within ``sqrt(eps)``. ``0 log 0`` is 0, and ``p = 0`` where the target is
    not costs ``inf`` (Kullback and Leibler, Annals of Mathematical Statistics 22(1),
    1951). The slope is ``-t / p``.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[0.0, 1.0], [0.2, 0.8]])
    >>> kl_divergence(p, t, reduction="none")
    array([0.693, 0.   ])
    """
    relative = (target - prediction) / prediction
    gap = _math.log_ratio(xp, relative, xp.log(target) - xp.log(prediction))
    terms = _math.product(xp, target, gap)
    return _math.row_sum(xp, terms + 0 * prediction)  # nan reaches its row


@kl_divergence.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return 0 * prediction - _math.product(xp, target, 1 / prediction)


@partial(ClassLoss, options={"gamma": NOT_NEGATIVE})
def focal(
    xp: Any, prediction: Array, target: Classes, /, *, gamma: float = 2.0
) -> Array:
    """Cross entropy of logits that counts easy rows less, ``-(1 - q)**gamma * log(q)``.

    q is the softmax probability of the target's class (Lin et al., Focal Loss for Dense
    Object Detection, ICCV 2017, eq. 4); ``gamma=0`` is `softmax_cross_entropy`. The
    prediction has shape ``(..., C)`` and holds logits; ``-inf`` masks a class. The
    target holds labels ``(...)`` of any integer dtype, or weights of the classes
    ``(..., C)``, over which the losses of the classes are added up.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0], [2.0, 0.0]])
    >>> focal(logits, np.array([0, 1]), reduction="none")
    array([0.002, 1.650])
    """
    return _focal_loss(target, *_focal_terms(xp, prediction), gamma)


@focal.slope
def _(xp: Any, prediction: Array, target: Classes, /, *, gamma: float = 2.0) -> Array:
    return _focal_slope(xp, target, *_focal_terms(xp, prediction), gamma)


@focal.value_and_slope
def _(
    xp: Any, prediction: Array, target: Classes, /, *, gamma: float = 2.0
) -> tuple[Array, Array]:
    terms = _focal_terms(xp, prediction)
    slope = _focal_slope(xp, target, *terms, gamma)
    return _focal_loss(target, *terms, gamma), slope


def _focal_terms(xp: Any, logits: Array) -> tuple[Array, Array, Array]:
    """Probabilities, their logarithms, and what they miss of 1.

    The largest class is left out of the sum: what it misses is the share of the others,
    and is known where its own share rounds to 1.
    """
    shift = _math.below_maximum(xp, logits)
    exponential = xp.exp(shift)
    first = shift == 0
    ties = _math.sum_along(xp, xp.astype(first, shift.dtype))
    others = _math.sum_along(xp, xp.where(first, 0.0, exponential)) + (ties - 1)
    probability = exponential / (1 + others)
    miss = xp.where(first, others / (1 + others), 1 - probability)
    return probability, shift - xp.log1p(others), miss


def _focal_loss(
    target: Classes, probability: Array, logarithm: Array, miss: Array, gamma: float
) -> Array:
    return -target.pick(miss**gamma * logarithm)


def _focal_slope(
    xp: Any,
    target: Classes,
    probability: Array,
    logarithm: Array,
    miss: Array,
    gamma: float,
) -> Array:
    # q times the derivative by q. Where q rounds to 0 or 1, a factor of 0 meets an
    # infinite one, and the limit is 0.
    bend = _math.product(xp, probability, logarithm)
    bend = _math.product(xp, bend, miss ** (gamma - 1))
    steepness = target.times(gamma * bend - miss**gamma)
    others = _math.sum_along(xp, steepness) - steepness
    return steepness * miss - probability * others


@partial(Loss, rows=True)
def cosine_distance(xp: Any, prediction: Array, target: Array, /) -> Array:
    """One minus the cosine of the angle between each row and its target.

    ``1 - p . t / (norm(p) * norm(t))``, from 0 to 2, computed as half the squared
    distance of the rows at unit length, which is accurate for small angles and of any
    scale. A row of zeros is at a right angle to everything: its distance is 1 and its
    slope 0. Prediction and target have one shape ``(..., K)``.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [-3.0, 0.0]])
    >>> cosine_distance(p, t, reduction="none")
    array([1., 2.])
    """
    return _cosine(xp, prediction, target)[0]


@cosine_distance.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return _cosine(xp, prediction, target)[1]


@cosine_distance.value_and_slope
def _cosine(xp: Any, prediction: Array, target: Array, /) -> tuple[Array, Array]:
    unit, length = _math.unit_rows(xp, prediction)
    goal, goal_length = _math.unit_rows(xp, target)
    apart = unit - goal
    distance = _math.sum_along(xp, apart**2) / 2
    distance = xp.where((length == 0) | (goal_length == 0), 1.0, distance)
    slope = _math.divided(xp, apart - distance * unit, length)
    slope = xp.where(goal_length == 0, 0.0, slope)
    return xp.squeeze(distance, axis=-1), slope


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


@partial(Loss, target=UNIT_INTERVAL, options={"positive_weight": NOT_NEGATIVE})
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
    decay = _math.decayed(xp, prediction)
    return _logistic_loss(xp, prediction, decay, target, positive_weight)


@sigmoid_binary_cross_entropy.slope
def _(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: float = 1.0
) -> Array:
    decay = _math.decayed(xp, prediction)
    return _logistic_slope(xp, prediction, decay, target, positive_weight)


@sigmoid_binary_cross_entropy.value_and_slope
def _(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: float = 1.0
) -> tuple[Array, Array]:
    arguments = prediction, _math.decayed(xp, prediction), target, positive_weight
    return _logistic_loss(xp, *arguments), _logistic_slope(xp, *arguments)


def _logistic_loss(
    xp: Any, logits: Array, decay: Array, target: Array, positive_weight: float
) -> Array:
    if_positive, if_negative = _math.softpluses(xp, logits, decay)
    positive = _math.product(xp, positive_weight * target, if_positive)
    return positive + _math.product(xp, 1 - target, if_negative)


def _logistic_slope(
    xp: Any, logits: Array, decay: Array, target: Array, positive_weight: float
) -> Array:
    left, right = _math.sigmoids(xp, logits, decay)
    return (1 - target) * right - positive_weight * target * left


@partial(Loss, target=SIGNS)
def hinge(xp: Any, prediction: Array, target: Array, /) -> Array:
    """How far a score is from the right side of its margin, ``max(0, 1 - t * p)``.

    The target has the prediction's shape and holds -1 and 1 (Cortes and Vapnik, Machine
    Learning 20, 1995). The slope is ``-t`` within the margin and 0 outside of it.

    Examples
    --------
    >>> import numpy as np
    >>> hinge(np.array([2.0, 0.5]), np.array([1, -1]), reduction="none")
    array([0. , 1.5])
    """
    return _math.clip(xp, 1 - target * prediction, 0.0)


@hinge.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    margin = 1 - target * prediction
    return xp.where(margin > 0, -target, _math.clip(xp, margin, 0.0))  # nan stays nan


@partial(Loss, target=SIGNS)
def squared_hinge(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Square of the `hinge` loss, ``max(0, 1 - t * p)**2``.

    The target has the prediction's shape and holds -1 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> squared_hinge(np.array([2.0, 0.5]), np.array([1, -1]), reduction="none")
    array([0.  , 2.25])
    """
    return _math.clip(xp, 1 - target * prediction, 0.0) ** 2


@squared_hinge.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return -2 * target * _math.clip(xp, 1 - target * prediction, 0.0)
