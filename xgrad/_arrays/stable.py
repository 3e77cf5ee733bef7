"""Stable forms of the functions that losses are made of; namespace first, unchecked."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays.namespaces import is_numpy
from xgrad._arrays.types import Array

# Up to this length NumPy reduces the last axis slowly.
SLOW_AXIS_LENGTH = 32
# Up to this length its products with ones are as accurate as a sum in pairs.
MATMUL_SUM_LENGTH = 256


def split_off_max(xp: Any, x: Array, axis: int = -1) -> tuple[Array, Array]:
    """``x - max`` along the axis, and the maximum that was taken off (kept dims).

    The shift comes before everything else, so that a common offset of any size is
    removed exactly. A maximum that is not finite is not taken off: rows masked by
    ``-inf`` stay what they are.
    """
    largest = max_along(xp, x, axis)
    largest = xp.where(xp.isfinite(largest), largest, 0.0)
    return x - largest, largest


def log_ratio(xp: Any, relative: Array, difference: Array) -> Array:
    """``log(a / b)`` of ``(a - b) / b`` near 0, and else of ``log(a) - log(b)``."""
    near = xp.abs(relative) < 0.5
    return xp.where(near, xp.log1p(xp.where(near, relative, 0.0)), difference)


def subtract_max(xp: Any, x: Array) -> Array:
    """``x - max`` along the last axis; nan in rows without a finite maximum."""
    return x - max_along(xp, x)


def softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))``."""
    exponential = xp.exp(split_off_max(xp, x, axis)[0])
    return exponential / sum_along(xp, exponential, axis)


def log_softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """``x - log(sum(exp(x)))``."""
    shift, _ = split_off_max(xp, x, axis)
    return shift - xp.log(sum_along(xp, xp.exp(shift), axis))


def logsumexp(xp: Any, x: Array, axis: int = -1) -> Array:
    """``log(sum(exp(x)))``, without the axis."""
    shift, largest = split_off_max(xp, x, axis)
    return xp.squeeze(xp.log(sum_along(xp, xp.exp(shift), axis)) + largest, axis=axis)


def sigmoid(xp: Any, x: Array) -> Array:
    """``1 / (1 + exp(-x))``, without overflow on either side."""
    return sigmoid_pair(xp, x, exp_minus_abs(xp, x))[1]


def exp_minus_abs(xp: Any, x: Array) -> Array:
    """``exp(-abs(x))``, which sigmoids and softpluses are made of."""
    return xp.exp(-xp.abs(x))


def sigmoid_pair(xp: Any, x: Array, decay: Array) -> tuple[Array, Array]:
    """``sigmoid(-x)`` and ``sigmoid(x)``: neither is 1 minus the other, to rounding."""
    larger = 1 / (1 + decay)
    smaller = decay * larger
    right = x >= 0
    return xp.where(right, smaller, larger), xp.where(right, larger, smaller)


def softplus_pair(xp: Any, x: Array, decay: Array) -> tuple[Array, Array]:
    """``log(1 + exp(-x))`` and ``log(1 + exp(x))``, without overflow."""
    tail = xp.log1p(decay)
    right = x >= 0
    larger = xp.abs(x) + tail
    return xp.where(right, tail, larger), xp.where(right, larger, tail)


def product_keeping_zeros(xp: Any, factor: Array, value: Array) -> Array:
    """``factor * value`` with ``0 * inf = 0``."""
    return factor * xp.where(factor == 0, 0.0, value)


def max_along(xp: Any, x: Array, axis: int = -1) -> Array:
    """Largest entry along the axis, which is kept."""
    width = x.shape[axis]
    if 0 in x.shape:  # Dask refuses to compare no entries
        return xp.zeros_like(xp.sum(x, axis=axis, keepdims=True))
    if not (is_numpy(xp) and axis == -1 and width <= SLOW_AXIS_LENGTH):
        return xp.max(x, axis=axis, keepdims=True)
    while width > 1:  # fold the axis in halves: 2 to 20 times faster
        half = width // 2
        folded = xp.maximum(x[..., :half], x[..., half : 2 * half])
        x = xp.maximum(folded, x[..., -1:]) if width % 2 else folded
        width = half
    return x


def sum_along(xp: Any, x: Array, axis: int = -1) -> Array:
    """Sum along the axis, which is kept."""
    if is_numpy(xp) and x.ndim > 1:
        if axis == -1 and x.shape[-1] <= MATMUL_SUM_LENGTH:
            # A product with ones is 2 to 4 times faster than a sum along the last axis.
            return xp.matmul(x, xp.ones((x.shape[-1], 1), dtype=x.dtype))
        if x.strides[axis] != x.itemsize:
            # NumPy adds in pairs along contiguous memory, one after another elsewhere.
            wide = xp.sum(x, axis=axis, keepdims=True, dtype=xp.float64)
            return wide.astype(x.dtype, copy=False)
    return xp.sum(x, axis=axis, keepdims=True)


def row_sum(xp: Any, x: Array) -> Array:
    """Sum along the last axis, without it."""
    return xp.squeeze(sum_along(xp, x), axis=-1)


def divide_or_zero(xp: Any, x: Array, divisor: Array) -> Array:
    """``x / divisor``, and 0 where the divisor is 0."""
    return xp.where(divisor == 0, 0.0, x / xp.where(divisor == 0, 1.0, divisor))


def normalize_rows(xp: Any, x: Array) -> tuple[Array, Array]:
    """Rows of length 1, or of zeros, and the length of each (kept dims).

    Entries are divided by the largest one before they are squared, so that no length
    overflows or vanishes.
    """
    largest = max_along(xp, xp.abs(x))
    scaled = divide_or_zero(xp, x, largest)
    relative = xp.sqrt(sum_along(xp, scaled**2))
    return divide_or_zero(xp, scaled, relative), largest * relative


def clip(
    xp: Any, x: Array, low: float | None = None, high: float | None = None
) -> Array:
    """``x`` within numbers; nan stays nan."""
    if not is_numpy(xp):
        return xp.clip(x, min=low, max=high)
    if low is not None:  # the portable function makes several passes
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)
