"""Losses of classification: the target is a class, or a distribution over classes."""

from __future__ import annotations

from functools import partial
from typing import Any

from xgrad._arrays import Array, device_of, stable
from xgrad._rules import BINARY_TARGET, DISTRIBUTION, NOT_NEGATIVE, UNIT_INTERVAL
from xgrad.losses._class_loss import ClassLoss
from xgrad.losses._loss import Loss
from xgrad.losses._target import ClassTarget


@partial(
    ClassLoss,
    prediction=DISTRIBUTION,
    options={"delta": NOT_NEGATIVE},
    kernel="cross_entropy",
)
def cross_entropy(
    xp: Any, prediction: Array, target: ClassTarget, /, *, delta: float = 0.0
) -> Array:
    """Cross entropy of each row of probabilities, ``-sum_k t_k log(p_k + delta)``.

    The prediction has shape ``(..., C)`` and holds probabilities: each must lie in
    ``[0, 1]``, and each row must sum to 1 within ``sqrt(eps)``. The target holds labels
    ``(...)`` of any integer dtype, or weights of the classes ``(..., C)`` (one-hot or
    soft). ``delta=1e-7`` is the textbook's guard against ``log(0)``; with the default 0
    nothing is clipped, and the loss of ``p = 0`` is ``inf``. ``0 log 0`` is 0 (Cover
    and Thomas, Elements of Information Theory, section 2.3).

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
    >>> cross_entropy(p, np.asarray(2), delta=1e-7)
    np.float64(0.510825457099338)
    """
    # A nan of any class makes the loss of its row nan, although the sum is over the
    # target's class alone. And the loss of p = 1 is 0, not -0.
    zeros = 0 * stable.row_sum(xp, prediction)
    return zeros - target.dot(prediction, lambda p: xp.log(p + delta))


@cross_entropy.slope
def _(
    xp: Any, prediction: Array, target: ClassTarget, /, *, delta: float = 0.0
) -> Array:
    # Adding zeros keeps a nan of classes that the target leaves out.
    return 0 * prediction - target.divide(prediction + delta)


@partial(
    ClassLoss,
    adjustable=("class_weight", "label_smoothing", "ignore_index"),
    kernel="softmax_cross_entropy",
)
def softmax_cross_entropy(xp: Any, prediction: Array, target: ClassTarget, /) -> Array:
    """Cross entropy of each row of logits, ``-sum_k t_k log softmax(x)_k``.

    The prediction has shape ``(..., C)`` and holds logits; ``-inf`` masks a class. The
    target holds labels ``(...)`` of any integer dtype, or weights of the classes
    ``(..., C)`` (one-hot or soft, finite and not negative). The maximum of a row is
    subtracted first, so that a common offset of any size changes nothing. A row with
    ``nan`` or ``inf``, or of ``-inf`` only, gives ``nan``. The slope is
    ``sum(t) softmax(x) - t`` (Bishop, Pattern Recognition and Machine Learning,
    eq. 4.109).

    Parameters
    ----------
    class_weight : array of shape (C,), optional
        Weights of the classes, finite and not negative. A mean divides by the sum of
        the weights of the targets.
    label_smoothing : float
        The fraction s of each target, in [0, 1], that is spread evenly over all
        classes: ``(1 - s) t + s / C``. A mean divides by the sum of the weights of the
        targets before smoothing.
    ignore_index : int, optional
        Label of rows that are ignored; it need not be the number of a class. If the
        target holds weights, rows with all their weight on this class are ignored.

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
    shift = stable.subtract_max(xp, prediction)
    exponential = xp.exp(shift)
    total = stable.sum_along(xp, exponential)
    log_sum = stable.log_of_sum(xp, exponential, total, few_steps=True)
    return _row_loss(xp, shift, log_sum, target)


@softmax_cross_entropy.slope
def _(xp: Any, prediction: Array, target: ClassTarget, /) -> Array:
    exponential = xp.exp(stable.subtract_max(xp, prediction))
    return _row_slope(exponential / stable.sum_along(xp, exponential), target)


@softmax_cross_entropy.value_and_slope
def _(xp: Any, prediction: Array, target: ClassTarget, /) -> tuple[Array, Array]:
    shift = stable.subtract_max(xp, prediction)
    exponential = xp.exp(shift)
    total = stable.sum_along(xp, exponential)
    slope = _row_slope(exponential / total, target)
    log_sum = stable.log_of_sum(xp, exponential, total, few_steps=True)
    return _row_loss(xp, shift, log_sum, target), slope


def _row_loss(xp: Any, shift: Array, log_sum: Array, target: ClassTarget) -> Array:
    """Return the loss of rows whose logits are ``shift`` below their maximum."""
    # The logarithm of the sum belongs to each class alike. It is added after the sum
    # over classes: the weights of a soft target need not sum to 1.
    log_sum = xp.squeeze(target.multiply_by_sum(log_sum), axis=-1)
    return log_sum - target.dot(shift)


def _row_slope(probability: Array, target: ClassTarget) -> Array:
    return target.multiply_by_sum(probability) - target.as_weights(probability.dtype)


@partial(Loss, rows=True, prediction=DISTRIBUTION, target=DISTRIBUTION)
def kl_divergence(xp: Any, prediction: Array, target: Array, /) -> Array:
    """Divergence of each row from its target, ``sum_k t_k (log t_k - log p_k)``.

    Prediction and target have the same shape ``(..., C)`` and hold probabilities, whose
    rows must sum to 1 within ``sqrt(eps)``. ``0 log 0`` is 0; if ``p`` is 0 where the
    target is not, the loss is ``inf``. The slope is ``-t / p`` (Kullback and Leibler,
    Annals of Mathematical Statistics 22(1), 1951).

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[0.0, 1.0], [0.2, 0.8]])
    >>> kl_divergence(p, t, reduction="none")
    array([0.693, 0.   ])
    """
    # Of two logarithms that are close the difference keeps only a few digits.
    relative = (target - prediction) / prediction
    log_ratio = stable.log_ratio(xp, relative, xp.log(target) - xp.log(prediction))
    terms = stable.product_keeping_zeros(xp, target, log_ratio)
    # Adding zeros keeps a nan of classes that the target leaves out.
    return stable.row_sum(xp, terms + 0 * prediction)


@kl_divergence.slope
def _(xp: Any, prediction: Array, target: Array, /) -> Array:
    # Adding zeros keeps a nan of classes that the target leaves out.
    return 0 * prediction - stable.quotient_keeping_zeros(xp, target, prediction)


@partial(
    ClassLoss,
    adjustable=("class_weight", "ignore_index"),
    options={"gamma": NOT_NEGATIVE},
)
def focal(
    xp: Any, prediction: Array, target: ClassTarget, /, *, gamma: float = 2.0
) -> Array:
    """Cross entropy of logits that weighs easy rows less, ``-(1 - q)**gamma * log(q)``.

    Here q is the softmax probability of the target's class, and ``gamma=0`` gives
    `softmax_cross_entropy` (Lin et al., Focal Loss for Dense Object Detection, ICCV
    2017, eq. 4). The prediction has shape ``(..., C)`` and holds logits; ``-inf`` masks
    a class. The target holds labels ``(...)`` of any integer dtype, or weights of the
    classes ``(..., C)``: the loss is then the weighted sum over the classes.

    Parameters
    ----------
    gamma : float
        How much less an easy row counts; not negative.
    class_weight : array of shape (C,), optional
        Weights of the classes, the paper's alpha. A mean divides by the sum of the
        weights of the targets.
    ignore_index : int, optional
        Label of rows that are ignored; it need not be the number of a class.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0], [2.0, 0.0]])
    >>> focal(logits, np.array([0, 1]), reduction="none")
    array([0.002, 1.650])
    """
    return _focal_loss(target, *_focal_terms(xp, prediction), gamma)


@focal.slope
def _(
    xp: Any, prediction: Array, target: ClassTarget, /, *, gamma: float = 2.0
) -> Array:
    return _focal_slope(xp, target, *_focal_terms(xp, prediction), gamma)


@focal.value_and_slope
def _(
    xp: Any, prediction: Array, target: ClassTarget, /, *, gamma: float = 2.0
) -> tuple[Array, Array]:
    terms = _focal_terms(xp, prediction)
    slope = _focal_slope(xp, target, *terms, gamma)
    return _focal_loss(target, *terms, gamma), slope


def _focal_terms(xp: Any, logits: Array) -> tuple[Array, Array, Array]:
    """Return ``(q, log(q), 1 - q)`` of each class, of shape ``(..., C)``.

    For the largest class ``1 - q`` is the sum of the others, which has all its digits
    even where q rounds to 1.
    """
    shift = stable.subtract_max(xp, logits)
    exponential = xp.exp(shift)
    if stable.is_recorded(xp, logits):
        return _smooth_focal_terms(xp, shift, exponential)
    first = shift == 0
    # Classes that share the maximum: all but one of them are others, with exp(0) = 1.
    ties = stable.sum_along(xp, xp.astype(first, shift.dtype))
    others = stable.sum_along(xp, xp.where(first, 0.0, exponential)) + (ties - 1)
    probability = exponential / (1 + others)
    miss = xp.where(first, others / (1 + others), 1 - probability)
    return probability, shift - xp.log1p(others), miss


def _smooth_focal_terms(
    xp: Any, shift: Array, exponential: Array
) -> tuple[Array, Array, Array]:
    """Return the same terms, whose derivatives are right where classes are equal."""
    classes = xp.arange(shift.shape[-1], device=device_of(shift))
    first = classes == xp.argmax(shift, axis=-1, keepdims=True)
    others = stable.sum_along(xp, xp.where(first, 0.0, exponential))
    # It is 0, but its slope is not where the maximum is that of several classes.
    own = stable.sum_along(xp, xp.where(first, xp.expm1(shift), 0.0))
    probability = exponential / (1 + (others + own))
    miss = xp.where(first, others / (1 + (others + own)), 1 - probability)
    return probability, shift - xp.log1p(others + own), miss


def _focal_loss(
    target: ClassTarget, probability: Array, logarithm: Array, miss: Array, gamma: float
) -> Array:
    return 0 - target.dot(miss**gamma * logarithm)  # 0 for a sure row, not -0


def _focal_slope(
    xp: Any,
    target: ClassTarget,
    probability: Array,
    logarithm: Array,
    miss: Array,
    gamma: float,
) -> Array:
    # q times the derivative with respect to q, in two terms. A power below 0 of a miss
    # that vanishes would be infinite: log(q) / (1 - q) has the limit -1.
    relative = xp.where(miss == 0, -1.0, logarithm / miss)
    # Where q rounds to 0, its logarithm is infinite, and the limit is 0.
    bend = stable.product_keeping_zeros(xp, probability, relative)
    power = miss**gamma
    steepness = target.multiply(gamma * bend * power - power)
    # The derivative of q_k with respect to logit j is q_k ((j == k) - q_j).
    others = stable.sum_along(xp, steepness) - steepness
    return steepness * miss - probability * others


@partial(
    Loss,
    rows=True,
    prediction=UNIT_INTERVAL,
    target=BINARY_TARGET,
    options={"smooth": NOT_NEGATIVE},
)
def dice(xp: Any, prediction: Array, target: Array, /, *, smooth: float = 1.0) -> Array:
    """Part of two masks that they do not share, ``1 - (2 p.t + s) / (|p| + |t| + s)``.

    A row holds all pixels of one mask: the prediction has shape ``(..., K)`` and holds
    probabilities in [0, 1]; the target has its shape and holds labels 0 and 1, or
    probabilities. ``|p|`` is the sum of a row, and s is ``smooth``. The loss is 0 for
    masks that are equal and hold only 0 and 1; with ``smooth=0`` it is 1 for disjoint
    masks, and 0 for two empty ones (Sudre et al., Generalised Dice Overlap, DLMIA
    2017). It is computed from what differs, ``p (1 - t) + t (1 - p)``, so that small
    losses are accurate.

    Parameters
    ----------
    smooth : float
        Number added above and below the fraction, not negative.

    Examples
    --------
    >>> import numpy as np
    >>> dice(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1, 0, 0, 0]]), smooth=0)
    np.float64(0.333)
    """
    different = prediction * (1 - target) + target * (1 - prediction)
    return stable.divide_or_zero(
        xp,
        stable.row_sum(xp, different),
        stable.row_sum(xp, prediction + target) + smooth,
    )


@dice.slope
def _(xp: Any, prediction: Array, target: Array, /, *, smooth: float = 1.0) -> Array:
    size = stable.sum_along(xp, prediction + target) + smooth
    # A size of 0 is that of zeros, whose slope is 0 with every divisor.
    size = xp.where(size == 0, 1.0, size)
    # Divided first, since products of small masks vanish.
    share = target / size
    shared = 2 * stable.sum_along(xp, prediction * share) + smooth / size
    return shared / size - 2 * share


@partial(Loss, rows=True)
def cosine_distance(xp: Any, prediction: Array, target: Array, /) -> Array:
    """One minus the cosine of the angle between each row and its target.

    The loss is ``1 - p . t / (norm(p) * norm(t))``, from 0 to 2. It is computed as half
    the squared distance between the rows scaled to unit length, which is accurate for
    small angles and for rows of any length. A row of zeros counts as at a right angle
    to all others: the loss is 1 and the slope 0. Prediction and target have the same
    shape ``(..., K)``.

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
    unit, length = stable.normalize_rows(xp, prediction)
    unit_target, target_length = stable.normalize_rows(xp, target)
    difference = unit - unit_target
    # |u - v|**2 = 2 - 2 u.v for unit rows, without subtracting a cosine of almost 1.
    distance = stable.sum_along(xp, difference**2) / 2
    # A nan of the other row stays one.
    right_angle = 1 + 0 * distance
    distance = xp.where((length == 0) | (target_length == 0), right_angle, distance)
    # -(v - (u.v) u) / |p|, with u.v = 1 - distance.
    slope = stable.divide_or_zero(xp, difference - distance * unit, length)
    slope = xp.where(target_length == 0, 0 * slope, slope)
    return xp.squeeze(distance, axis=-1), slope
