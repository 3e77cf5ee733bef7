"""Numba: counts of labels, and moments of predictions and targets, by blocks of rows.

Labels are read as unsigned numbers, in which negative ones are the largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._kernels.numba_compile import compiled, inlined
from xgrad._kernels.numba_math import add, larger

# Rows of a block: few enough to stay in the cache between the passes over them.
BLOCK = 2**13
# Tables that take turns: to add to a count waits for the addition before, if that was
# to the same one.
TABLES = 4
MOMENTS = 11


@compiled
def matches(
    rows: Any,
    columns: Any,
    last_row: Any,
    last_column: Any,
    counts: Any,
    begin: int,
    end: int,
) -> bool:
    """Count equal labels of blocks; return whether none is above the last class.

    A block has room in counts of 16 bits, of which a register holds more.
    """
    is_valid = True
    for block in range(begin, end):
        # Of a slice that is counted from 0 the compiler knows that no index is
        # negative, which would count from the end.
        row = rows[block * BLOCK : (block + 1) * BLOCK]
        column = columns[block * BLOCK : (block + 1) * BLOCK]
        count = counts.dtype.type(0)
        for i in range(row.size):
            is_valid &= (row[i] <= last_row) & (column[i] <= last_column)
            count = counts.dtype.type(count + (row[i] == column[i]))
        counts[block] = count
    return is_valid


@compiled
def pairs(
    rows: Any,
    columns: Any,
    last_row: Any,
    last_column: Any,
    classes: int,
    tables: Any,
    begin: int,
    end: int,
) -> bool:
    """Count pairs of labels of blocks in several tables; return whether all fit."""
    row, column = (
        rows[begin * BLOCK : end * BLOCK],
        columns[begin * BLOCK : end * BLOCK],
    )
    width = np.uintp(classes)
    for i in range(row.size):
        if (row[i] > last_row) | (column[i] > last_column):
            return False
        pair = np.uintp(row[i]) * width + np.uintp(column[i])
        tables[np.uintp(i) % np.uintp(TABLES), pair] += 1
    return True


@compiled
def moments(prediction: Any, target: Any, out: Any, begin: int, end: int) -> bool:
    """Write moments of blocks of rows; return whether all of them are finite.

    They are the number of rows twice, as a count and as the sum of their weights; for
    the target and then for the errors the mean, what rounding took from it, and the sum
    of squares around it; the sums of absolute and of relative errors; and the largest
    error.
    """
    errors = np.empty(BLOCK, np.float64)
    values = np.empty(BLOCK, np.float64)
    for block in range(begin, end):
        first = block * BLOCK
        p, t = prediction[first : first + BLOCK], target[first : first + BLOCK]
        count = p.size
        absolute, relative, largest = 0.0, 0.0, 0.0
        for i in range(count):
            value = np.float64(t[i])
            error = np.float64(p[i]) - value
            values[i], errors[i] = value, error
            size = abs(error)
            absolute = add(absolute, size)
            relative = add(relative, size / abs(value) if size != 0 else 0.0)
            largest = larger(largest, size)
        target_moments = _mean_and_squares(values[:count])
        error_moments = _mean_and_squares(errors[:count])
        row = out[block]
        row[0], row[1] = count, count
        row[2], row[3], row[4] = target_moments
        row[5], row[6], row[7] = error_moments
        row[8], row[9], row[10] = absolute, relative, largest
        if not np.isfinite(row).all():
            return False
    return True


@inlined
def _mean_and_squares(values: Any) -> tuple[float, float, float]:
    """Return the mean, what rounding took from it, and the squares around it.

    A second pass corrects the mean of the first one.
    """
    total = 0.0
    for i in range(values.size):
        total = add(total, values[i])
    rough = total / values.size
    total = 0.0
    for i in range(values.size):
        total = add(total, values[i] - rough)
    shift = total / values.size
    mean = rough + shift
    tail = (rough - mean) + shift
    squares = 0.0
    for i in range(values.size):
        deviation = (values[i] - mean) - tail
        squares = add(squares, deviation * deviation)
    return mean, tail, squares
