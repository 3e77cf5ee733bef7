"""The losses once more, each for one element or one row, in 50 digits.

Written from the textbooks alone, without a thought of overflow or cancellation: mpmath
has neither. The slopes are differences at a distance of 1e-20.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from cases.losses import LOSSES
from xgrad.losses._class_loss import ClassLoss

DIGITS = 50
STEP = mpmath.mpf("1e-20")


def _log(p: Any) -> Any:
    return mpmath.log(p) if p else mpmath.mpf("-inf")


def _term(t: Any, value: Any) -> Any:
    return t * value if t else mpmath.mpf(0)


def _sum(terms: Any) -> Any:
    return mpmath.fsum(terms)


def _softmax(x: Any) -> list[Any]:
    total = _sum(mpmath.exp(v) for v in x)
    return [mpmath.exp(v) / total for v in x]


def _half_squared_error(p, t):
    return _sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / 2


def _cross_entropy(p, t, *, delta=0):
    return -_sum(_term(b, _log(a + delta)) for a, b in zip(p, t, strict=True))


def _softmax_cross_entropy(
    x, t, *, class_weight=None, label_smoothing=0, ignore_index=None
):
    count = len(t)
    weights = [1] * count if class_weight is None else class_weight
    spread = [(1 - label_smoothing) * b + label_smoothing / count for b in t]
    if _is_ignored(t, ignore_index):
        return 0
    terms = zip(weights, spread, _softmax(x), strict=True)
    return -_sum(_term(w * b, _log(q)) for w, b, q in terms)


def _is_ignored(t, ignore_index):
    one_hot = [k == ignore_index for k in range(len(t))]
    return ignore_index is not None and list(t) == one_hot


def _focal(x, t, *, gamma=2, class_weight=None, ignore_index=None):
    if _is_ignored(t, ignore_index):
        return 0
    weights = [1] * len(t) if class_weight is None else class_weight
    terms = zip(weights, t, _softmax(x), strict=True)
    return -_sum(_term(w * b, (1 - q) ** gamma * _log(q)) for w, b, q in terms)


def _dice(p, t, *, smooth=1):
    shared = _sum(a * b for a, b in zip(p, t, strict=True))
    return 1 - (2 * shared + smooth) / (_sum(p) + _sum(t) + smooth)


def _kl_divergence(p, t):
    return _sum(_term(b, _log(b) - _log(a)) for a, b in zip(p, t, strict=True))


def _cosine_distance(p, t):
    dot = _sum(a * b for a, b in zip(p, t, strict=True))
    lengths = [mpmath.sqrt(_sum(a**2 for a in row)) for row in (p, t)]
    return 1 - dot / (lengths[0] * lengths[1])


def _huber(p, t, *, delta=1):
    e = abs(p - t)
    return e**2 / 2 if e <= delta else delta * (e - delta / 2)


def _smooth_l1(p, t, *, beta=1):
    return _huber(p, t, delta=beta) / beta


def _pinball(p, t, *, quantile=0.5):
    return max(quantile * (t - p), (quantile - 1) * (t - p))


def _binary_cross_entropy(p, t):
    return -(_term(t, _log(p)) + _term(1 - t, _log(1 - p)))


def _sigmoid_binary_cross_entropy(x, t, *, positive_weight=1):
    p = 1 / (1 + mpmath.exp(-x))
    return -(positive_weight * _term(t, _log(p)) + _term(1 - t, _log(1 - p)))


def _gaussian_nll(p, t, *, variance):
    return (mpmath.log(variance) + (p - t) ** 2 / variance) / 2


FORMULAS: dict[str, Callable[..., Any]] = {
    "half_squared_error": _half_squared_error,
    "mean_squared_error": lambda p, t: (p - t) ** 2,
    "mean_absolute_error": lambda p, t: abs(p - t),
    "root_mean_squared_error": lambda p, t: (p - t) ** 2,
    "mean_squared_log_error": lambda p, t: (mpmath.log(1 + p) - mpmath.log(1 + t)) ** 2,
    "huber": _huber,
    "smooth_l1": _smooth_l1,
    "log_cosh": lambda p, t: mpmath.log(mpmath.cosh(p - t)),
    "pinball": _pinball,
    "poisson_nll": lambda x, t: mpmath.exp(x) - t * x,
    "gaussian_nll": _gaussian_nll,
    "cross_entropy": _cross_entropy,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "kl_divergence": _kl_divergence,
    "focal": _focal,
    "dice": _dice,
    "cosine_distance": _cosine_distance,
    "binary_cross_entropy": _binary_cross_entropy,
    "sigmoid_binary_cross_entropy": _sigmoid_binary_cross_entropy,
    "hinge": lambda p, t: max(0, 1 - t * p),
    "squared_hinge": lambda p, t: max(0, 1 - t * p) ** 2,
}


def exact(
    name: str, prediction: np.ndarray, target: np.ndarray, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Losses and slopes of all elements or rows, rounded once to float64.

    Labels become rows with a one; an option in the prediction's shape goes element by
    element, and one with a number for each column by columns.
    """
    loss = LOSSES[name]
    if isinstance(loss, ClassLoss) and target.ndim < prediction.ndim:
        target = np.eye(prediction.shape[-1])[target]
    formula = FORMULAS[name]
    assert set(inspect.signature(formula).parameters) >= options.keys()
    with mpmath.workdps(DIGITS):
        values = np.empty(prediction.shape[:-1] if loss.rows else prediction.shape)
        slopes = np.empty(prediction.shape)
        for index in np.ndindex(values.shape):
            chosen = {
                name: _big(_at(o, index, prediction.shape))
                for name, o in options.items()
            }
            p, t = _big(prediction[index]), _big(target[index])
            values[index] = formula(p, t, **chosen)
            if not loss.rows:
                slopes[index] = _slope(lambda v: formula(v, t, **chosen), p)  # noqa: B023
                continue
            for k in range(len(p)):
                slopes[*index, k] = _slope(
                    lambda v: formula([*p[:k], v, *p[k + 1 :]], t, **chosen),  # noqa: B023
                    p[k],
                )
    return values, slopes


def _at(option: Any, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The option of one element; of a row all of it."""
    if np.shape(option) == shape:
        return option[index]
    is_column = np.shape(option) == shape[-1:] and len(index) == len(shape)
    return option[index[-1]] if is_column else option


def _slope(f: Callable[[Any], Any], x: Any) -> float:
    return float((f(x + STEP) - f(x - STEP)) / (2 * STEP))


def _big(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    if np.ndim(value):
        return [mpmath.mpf(float(v)) for v in value]
    return mpmath.mpf(float(value))
