"""Formulas that are stable in floating point, without checks; ``xp`` comes first.

"Kept" axes have length 1 in the result, as with ``keepdims=True``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays.namespaces import is_lazy, is_numpy, numpy_namespace
from xgrad._arrays.standins import has_standin
from xgrad._arrays.types import Array

# Up to this length NumPy's reductions of the last axis cost several times as much an
# entry as elementwise functions: it enters a loop for each row. Set by trial.
SLOW_AXIS_LENGTH = 32
# Up to this length a product with ones may take the place of a sum. NumPy's pairwise
# sum adds up 128 entries in 8 accumulators, 16 in a row, and then in pairs. BLAS has as
# many accumulators or more, but no pairs: of 256 entries it adds 32 in a row at most,
# so that its rounding is at worst about twice that of NumPy.
MATMUL_SUM_LENGTH = 256
# Below this sum of exponentials, the largest of which is 1, the others are added up for
# the logarithm. Above, rounding of the sum is less than 8 eps of its logarithm.
CLOSE_TO_ONE = 1.125


def softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return ``exp(x) / sum(exp(x))``."""
    exponential = xp.exp(split_off_max(xp, x, axis)[0])
    return exponential / sum_along(xp, exponential, axis)


def log_softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return ``x - log(sum(exp(x)))``."""
    shifted, _ = split_off_max(xp, x, axis)
    exponential = xp.exp(shifted)
    return shifted - log_of_sum(xp, exponential, sum_along(xp, exponential, axis), axis)


def logsumexp(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return ``log(sum(exp(x)))``, without the axis."""
    shifted, largest = split_off_max(xp, x, axis)
    exponential = xp.exp(shifted)
    log_sum = log_of_sum(xp, exponential, sum_along(xp, exponential, axis), axis)
    return xp.squeeze(log_sum + largest, axis=axis)


def log_of_sum(
    xp: Any,
    exponential: Array,
    total: Array,
    axis: int = -1,
    *,
    few_steps: bool = False,
) -> Array:
    """Return the logarithm of a sum along the axis, both of which are kept.

    The largest term is 1, beside which small ones are lost. If the sum is close to 1,
    the others alone are added up, for ``log1p``. With ``few_steps`` that is left out
    for libraries in which each of the operations is a launch.
    """
    is_of_numpy = xp.__name__ == numpy_namespace().__name__  # also of stand-ins
    if few_steps and not (is_of_numpy or is_lazy(xp, total)):
        return xp.log(total)
    # A sum below 1 is that of terms whose maximum was not finite.
    is_close = (total >= 1) & (total < CLOSE_TO_ONE)
    if type(total) is np.ndarray:
        log_sum = np.log(total)
        if is_close.any():
            rows, sums = (
                np.moveaxis(exponential, axis, -1),
                np.moveaxis(log_sum, axis, -1),
            )
            close = np.moveaxis(is_close, axis, -1)[..., 0]
            rows = rows[close]
            # This takes 1 from the largest, and nothing from the others.
            rows -= np.floor(rows)
            sums[close] = np.log1p(sum_along(xp, rows))
        return log_sum
    others = sum_along(xp, xp.where(exponential < 1, exponential, 0.0), axis)
    others = xp.where(is_close, others, 0.0)
    return xp.where(is_close, xp.log1p(others), xp.log(total))


def split_off_max(xp: Any, x: Array, axis: int = -1) -> tuple[Array, Array]:
    """Return ``x - max`` along the axis, and the maximum that was subtracted (kept).

    The subtraction comes before everything else, so that a common offset of any size is
    removed exactly. A maximum that is not finite is not subtracted: rows masked by
    ``-inf`` stay as they are.
    """
    largest = max_along(xp, x, axis)
    largest = xp.where(xp.isfinite(largest), largest, 0.0)
    return x - largest, largest


def subtract_max(xp: Any, x: Array) -> Array:
    """Return ``x - max`` along the last axis; nan in rows without a finite maximum."""
    return x - max_along(xp, x)


def sigmoid(xp: Any, x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``, without overflow on either side."""
    return sigmoid_pair(xp, x, exp_minus_abs(xp, x))[1]


def exp_minus_abs(xp: Any, x: Array) -> Array:
    """Return ``exp(-abs(x))``, the one exponential of sigmoids and softpluses."""
    return xp.exp(-_smooth_abs(xp, x))


def sigmoid_pair(xp: Any, x: Array, decay: Array) -> tuple[Array, Array]:
    """Return ``sigmoid(-x)`` and ``sigmoid(x)``, from ``decay = exp(-abs(x))``.

    Each is accurate where it is tiny, which 1 minus the other one would not be.
    """
    larger = 1 / (1 + decay)
    smaller = decay * larger
    positive = x >= 0
    return xp.where(positive, smaller, larger), xp.where(positive, larger, smaller)


def softplus_pair(xp: Any, x: Array, decay: Array) -> tuple[Array, Array]:
    """Return ``log(1 + exp(-x))`` and ``log(1 + exp(x))``, without overflow."""
    tail = xp.log1p(decay)
    positive = x >= 0
    larger = _smooth_abs(xp, x) + tail
    return xp.where(positive, tail, larger), xp.where(positive, larger, tail)


def _smooth_abs(xp: Any, x: Array) -> Array:
    """Return ``abs(x)``, for formulas that are smooth at 0 and take its side there."""
    # The slope of `abs` at 0 is 0, by which second derivatives of a sigmoid would be.
    return xp.where(x >= 0, x, -x) if is_recorded(xp, x) else xp.abs(x)


def log_ratio(xp: Any, relative: Array, difference: Array) -> Array:
    """Return ``log(a / b)``, from ``(a - b) / b`` and ``log(a) - log(b)``.

    Below a half the relative difference is used, which is the more accurate the closer
    the two are. Beyond, ``a - b`` may have lost all digits of the smaller one, and the
    logarithms hardly cancel.
    """
    near = xp.abs(relative) < 0.5
    return xp.where(near, xp.log1p(xp.where(near, relative, 0.0)), difference)


def product_keeping_zeros(xp: Any, factor: Array, value: Array) -> Array:
    """Return ``factor * value``, and 0 for a factor of 0, even if the value is inf."""
    is_zero = factor == 0
    if is_recorded(xp, factor):
        # The derivative by a factor of 0 is the value, unless that is not finite.
        is_zero = is_zero & ~xp.isfinite(value)
    return factor * xp.where(is_zero, 0.0, value)


def quotient_keeping_zeros(xp: Any, x: Array, divisor: Array) -> Array:
    """Return ``x / divisor``, and 0 for ``0 / 0``.

    Unlike the product with a reciprocal it does not overflow at subnormal numbers.
    """
    # (Divided by inf, as the derivatives by both are 0, too.)
    return x / xp.where((x == 0) & (divisor == 0), math.inf, divisor)


def is_recorded(xp: Any, x: Array) -> bool:
    """Whether a derivative is being taken of what is done with an array."""
    # (Each library has its own way to tell.)
    has_history = getattr(x, "requires_grad", False) is True
    return has_standin(x) or has_history or is_lazy(xp, x)


def divide_or_zero(xp: Any, x: Array, divisor: Array) -> Array:
    """Return ``x / divisor``, and 0 for a divisor of 0."""
    return xp.where(divisor == 0, 0.0, x / xp.where(divisor == 0, 1.0, divisor))


def normalize_rows(xp: Any, x: Array) -> tuple[Array, Array]:
    """Return rows of length 1 (of zeros for zeros), and the length of each row (kept).

    Entries are divided by the largest one before they are squared, so that no length
    overflows or vanishes.
    """
    largest = max_along(xp, xp.abs(x))
    scaled = divide_or_zero(xp, x, largest)
    relative = xp.sqrt(sum_along(xp, scaled**2))
    return divide_or_zero(xp, scaled, relative), largest * relative


def max_along(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return the largest entry along the axis, which is kept."""
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
    """Return the sum along the axis, which is kept."""
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
    """Return the sum along the last axis, without the axis."""
    return xp.squeeze(sum_along(xp, x), axis=-1)


def clip(
    xp: Any, x: Array, low: float | None = None, high: float | None = None
) -> Array:
    """Return ``x`` limited to ``[low, high]``; nan stays nan."""
    if not is_numpy(xp):
        return xp.clip(x, min=low, max=high)
    if low is not None:  # the wrapper of `clip` makes several passes
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)
