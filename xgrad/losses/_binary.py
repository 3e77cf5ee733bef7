"""Losses of binary classification: the target is one of two classes."""

from __future__ import annotations

from functools import partial
from typing import Any

from xgrad._arrays import Array, stable
from xgrad._rules import (
    BINARY_TARGET,
    NOT_NEGATIVE,
    POSITIVE_WEIGHT,
    SIGNS,
    UNIT_INTERVAL,
    NumberOrArray,
)
from xgrad.losses._loss import Loss


@partial(Loss, prediction=UNIT_INTERVAL, target=BINARY_TARGET)
def binary_cross_entropy(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Cross entropy of two classes, ``-(t log p + (1 - t) log(1 - p))``.

    The prediction holds probabilities in ``[0, 1]``; the target has its shape and holds
    labels 0 and 1, or probabilities. ``0 log 0`` is 0 and nothing is clipped. The slope
    is ``(p - t) / (p (1 - p))``, and its limit at ``p = 0`` and ``p = 1``.

    Examples
    --------
    >>> import numpy as np
    >>> binary_cross_entropy(np.array([0.5, 1.0]), np.array([1, 1]))
    np.float64(0.3466)
    """
    # At p = 0 or 1 one logarithm is infinite: a target of 0 leaves it out.
    positive = stable.product_keeping_zeros(xp, target, xp.log(prediction))
    negative = stable.product_keeping_zeros(xp, 1 - target, xp.log1p(-prediction))
    return 0 - (positive + negative)  # the loss of a sure row is 0, not -0


@binary_cross_entropy.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    # The single fraction is 0 / 0 at p = t = 0 and p = t = 1. Of these two, one is so
    # there, and is left out.
    negative = stable.quotient_keeping_zeros(xp, 1 - target, 1 - prediction)
    return negative - stable.quotient_keeping_zeros(xp, target, prediction)


@partial(
    Loss,
    target=BINARY_TARGET,
    options={
        "positive_weight": NumberOrArray(POSITIVE_WEIGHT, NOT_NEGATIVE, by_columns=True)
    },
    kernel="sigmoid_binary_cross_entropy",
)
def sigmoid_binary_cross_entropy(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: Any = 1.0
) -> Array:
    """Cross entropy of two classes from logits, computed without overflow.

    The loss is ``positive_weight * t * softplus(-x) + (1 - t) * softplus(x)``, which is
    accurate for any logit, and 0 for an infinite one whose target agrees. The target
    has the prediction's shape and holds labels 0 and 1, or probabilities. The slope is
    ``(1 - t) sigmoid(x) - positive_weight t sigmoid(-x)``.

    Parameters
    ----------
    positive_weight : float, or array of shape (K,)
        Weight of the positive part: one number, or one for each column of a prediction
        ``(..., K)`` with several labels a row; finite and not negative.

    Examples
    --------
    >>> import numpy as np
    >>> x, t = np.array([0.0, 100.0, np.inf]), np.array([1.0, 0.0, 1.0])
    >>> sigmoid_binary_cross_entropy(x, t, reduction="none")
    array([  0.693, 100.   ,   0.   ])
    """
    decay = stable.exp_minus_abs(xp, prediction)
    return _logistic_loss(xp, prediction, decay, target, positive_weight)


@sigmoid_binary_cross_entropy.slope
def _(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: Any = 1.0
) -> Array:
    decay = stable.exp_minus_abs(xp, prediction)
    return _logistic_slope(xp, prediction, decay, target, positive_weight)


@sigmoid_binary_cross_entropy.value_and_slope
def _(
    xp: Any, prediction: Array, target: Array, /, *, positive_weight: Any = 1.0
) -> tuple[Array, Array]:
    decay = stable.exp_minus_abs(xp, prediction)
    arguments = (prediction, decay, target, positive_weight)
    return _logistic_loss(xp, *arguments), _logistic_slope(xp, *arguments)


def _logistic_loss(
    xp: Any, logits: Array, decay: Array, target: Array, positive_weight: Any
) -> Array:
    # A softplus is infinite for an infinite logit: a target of 0 leaves it out.
    if_positive, if_negative = stable.softplus_pair(xp, logits, decay)
    positive = stable.product_keeping_zeros(xp, positive_weight * target, if_positive)
    return positive + stable.product_keeping_zeros(xp, 1 - target, if_negative)


def _logistic_slope(
    xp: Any, logits: Array, decay: Array, target: Array, positive_weight: Any
) -> Array:
    # 1 - sigmoid(x) would have no digits left for a large logit.
    of_minus, of_plus = stable.sigmoid_pair(xp, logits, decay)
    return (1 - target) * of_plus - positive_weight * target * of_minus


@partial(Loss, target=SIGNS)
def hinge(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Distance of a score from the right side of its margin, ``max(0, 1 - t * p)``.

    The target has the prediction's shape and holds -1 and 1. The slope is ``-t`` within
    the margin, and 0 on its edge and outside of it (Cortes and Vapnik, Machine Learning
    20, 1995).

    Examples
    --------
    >>> import numpy as np
    >>> hinge(np.array([2.0, 0.5]), np.array([1, -1]), reduction="none")
    array([0. , 1.5])
    """
    # Clipped, not branched on the sign: nan stays nan.
    return stable.clip(xp, 1 - target * prediction, 0.0)


@hinge.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    margin = 1 - target * prediction
    # Clipped, a margin that is not positive is 0, and nan stays nan.
    return xp.where(margin > 0, -target, stable.clip(xp, margin, 0.0))


@partial(Loss, target=SIGNS)
def squared_hinge(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Square of the `hinge` loss, ``max(0, 1 - t * p)**2``.

    The target has the prediction's shape and holds -1 and 1. The slope is
    ``-2 * t * max(0, 1 - t * p)``.

    Examples
    --------
    >>> import numpy as np
    >>> squared_hinge(np.array([2.0, 0.5]), np.array([1, -1]), reduction="none")
    array([0.  , 2.25])
    """
    return stable.clip(xp, 1 - target * prediction, 0.0) ** 2


@squared_hinge.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    return -2 * target * stable.clip(xp, 1 - target * prediction, 0.0)
