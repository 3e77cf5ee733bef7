"""NumPy: the kernels by name, and those of counts of labels and of perturbed points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._kernels import numpy_memory as memory
from xgrad._kernels.numpy_errors import (
    half_squared_error,
    mean_absolute_error,
    mean_squared_error,
)
from xgrad._kernels.numpy_memory import Array
from xgrad._kernels.numpy_ranks import count_from, rank_positives
from xgrad._kernels.numpy_rows import FLOATS, cross_entropy, softmax_cross_entropy
from xgrad._rules import all_in_range


def find(name: str, dtype: Any) -> Callable[..., Any] | None:
    """Return the kernel of this name, or None if it does not take this dtype."""
    if name == "perturbed_points":
        return perturbed_points
    if name in OF_SCORES:
        return OF_SCORES[name]
    if name in OF_LABELS:
        return OF_LABELS[name] if dtype.kind in "iu" else None
    return OF_FLOATS.get(name) if dtype in FLOATS else None


def matches(rows: Array, columns: Array, num_classes: int) -> int | None:
    """Return how many labels are equal in both; None if one is out of range."""
    count = 0
    for start in range(0, len(rows), memory.BLOCK):
        part = slice(start, start + memory.BLOCK)
        row, column = rows[part], columns[part]
        if not (all_in_range(row, num_classes) and all_in_range(column, num_classes)):
            return None
        count += int(np.count_nonzero(row == column))
    return count


def confusion_counts(rows: Array, columns: Array, num_classes: int) -> Array | None:
    """Count each pair of labels, ``(num_classes, num_classes)`` in int64.

    The result is None if a label is out of range.
    """
    size = num_classes * num_classes
    # Each block adds `size` counts, which must cost less than its labels.
    length = max(memory.BLOCK, 4 * size)
    counts = np.zeros(size, dtype=np.int64)
    pairs = np.empty(min(length, len(rows)), dtype=np.intp)
    for start in range(0, len(rows), length):
        row, column = rows[start : start + length], columns[start : start + length]
        if not (all_in_range(row, num_classes) and all_in_range(column, num_classes)):
            return None
        pair = pairs[: len(row)]
        np.multiply(row, num_classes, out=pair, dtype=np.intp, casting="unsafe")
        np.add(pair, column, out=pair, dtype=np.intp, casting="unsafe")
        counts += np.bincount(pair, minlength=size)
    return counts.reshape(num_classes, num_classes)


def perturbed_points(
    base: Array,
    coordinates: Array,
    column_of_entry: Array,
    columns: tuple[Array, ...],
    by_entries: bool,
) -> Array | None:
    """Return the base with one column moved at a time, ``(offsets * columns, *shape)``.

    ``coordinates`` are the values of all entries when they are moved, ``(offsets,
    *shape)``. The result is None unless columns have one entry each, or are pairs.
    """
    # A copy of the base and an assignment of single entries pass over the points once;
    # columns of several entries need a mask, which takes more passes.
    if not by_entries:
        return None
    depth, count = len(coordinates), len(columns[0])
    points = np.empty((depth, count, base.size), coordinates.dtype)
    points[...] = base.reshape(-1)
    flat = coordinates.reshape(depth, -1)
    for column in columns:
        points[:, np.arange(count), column] = flat[:, column]
    return points.reshape(-1, *base.shape)


OF_FLOATS: dict[str, Callable[..., Any]] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "cross_entropy": cross_entropy,
    "half_squared_error": half_squared_error,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
}
OF_SCORES: dict[str, Callable[..., Any]] = {
    "rank_positives": rank_positives,
    "count_from": count_from,
}
OF_LABELS: dict[str, Callable[..., Any]] = {
    "matches": matches,
    "confusion_counts": confusion_counts,
}
