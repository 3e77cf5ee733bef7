"""NumPy: sums and means of a function of the error of each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import quiet
from xgrad._kernels import numpy_memory as memory
from xgrad._kernels.numpy_memory import Array
from xgrad._kernels.numpy_rows import FLOATS, Result

# float32 numbers that are added up in float32 before float64 takes over: by BLAS, whose
# many accumulators keep 256 as exact as a sum in pairs (`MATMUL_SUM_LENGTH`), or one
# after another, where 8 round 7 times at most.
BLAS_GROUP, PLAIN_GROUP = 256, 8
_LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in FLOATS}


def half_squared_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return half the squared errors of rows, and their slope."""
    if prediction.size == 0 or prediction.ndim == 0:
        return None
    rows = prediction.size // prediction.shape[-1]
    return _loss_of_errors(
        prediction, target, _sum_squares, _divide, rows=rows, **settings
    )


def mean_squared_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return the squared errors and their slope."""
    return _loss_of_errors(
        prediction, target, _sum_squares, _double_and_divide, **settings
    )


def mean_absolute_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return the absolute errors and their slope."""
    return _loss_of_errors(prediction, target, _sum_absolute, _divide_signs, **settings)


def _loss_of_errors(
    prediction: Array,
    target: Array,
    sum_losses: Callable[[Array, Array], float],
    errors_to_slopes: Callable[[Array, Array, int], None],
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    rows: int = 0,
) -> Result:
    """Return the sum or mean of a function of the errors, and its slope.

    ``sum_losses(errors, scratch)`` adds up the losses of a block, and
    ``errors_to_slopes(errors, scratch, divisor)`` overwrites its errors by slopes. With
    ``rows`` the value is halved, and a mean is that of so many rows.
    """
    dtype, count = prediction.dtype, prediction.size
    fits = (
        reduction != "none"
        and target.dtype == dtype
        and target.shape == prediction.shape
        and count > 0
        and prediction.flags.c_contiguous
        and target.flags.c_contiguous
    )
    if not fits:
        return None
    left, right = prediction.reshape(-1), target.reshape(-1)
    slope = None if wanted == "value" else np.empty(count, dtype)
    length = min(memory.BYTES // dtype.itemsize, count)
    scratch = memory.scratch(length, dtype)
    divisor = (rows or count) if reduction == "mean" else 1
    total = 0.0
    with quiet():
        for begin in range(0, count, length):
            part = slice(begin, begin + length)
            p, t = left[part], right[part]
            values = scratch[: len(p)]
            errors = np.subtract(p, t, out=values if slope is None else slope[part])
            if wanted != "slope":
                total += sum_losses(errors, values)
            if slope is not None:
                errors_to_slopes(errors, values, divisor)
        # A total that the dtype cannot hold is left to the formulas, and so is nan.
        if not total <= _LARGEST[dtype]:
            return None
        value = dtype.type((total / 2 if rows else total) / divisor)
    return value, None if slope is None else slope.reshape(prediction.shape)


def _sum_squares(errors: Array, scratch: Array) -> float:
    if len(errors) <= memory.SMALL:
        return float(np.add.reduce(errors * errors, dtype=np.float64))
    end = len(errors) // BLAS_GROUP * BLAS_GROUP
    groups, rest = errors[:end].reshape(-1, BLAS_GROUP), errors[end:]
    squares = np.add.reduce(np.vecdot(groups, groups), dtype=np.float64)
    return float(squares + np.vecdot(rest, rest))


def _sum_absolute(errors: Array, scratch: Array) -> float:
    np.absolute(errors, out=scratch)
    if len(errors) <= memory.SMALL or errors.dtype == np.float64:
        return float(np.add.reduce(scratch, dtype=np.float64))
    # NumPy converts float32 to float64 before it adds, entry by entry: groups that are
    # summed in float32 first leave an eighth of the conversions.
    end = len(errors) // PLAIN_GROUP * PLAIN_GROUP
    sums = np.add.reduce(scratch[:end].reshape(PLAIN_GROUP, -1), axis=0)
    rest = np.add.reduce(scratch[end:], dtype=np.float64)
    return float(np.add.reduce(sums, dtype=np.float64) + rest)


def _divide(errors: Array, scratch: Array, divisor: int) -> None:
    np.divide(errors, divisor, out=errors)


def _double_and_divide(errors: Array, scratch: Array, divisor: int) -> None:
    np.multiply(errors, 2, out=errors)
    np.divide(errors, divisor, out=errors)


def _divide_signs(errors: Array, scratch: Array, divisor: int) -> None:
    np.sign(errors, out=scratch)  # several times slower in place
    np.multiply(scratch, scratch.dtype.type(1 / divisor), out=errors)
