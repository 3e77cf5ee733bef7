"""Class labels: checking them, reading entries by them, and counting pairs of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    as_index,
    default_dtype,
    device_of,
    integer_code,
    is_cupy,
    is_dask,
    is_integral,
    is_jax,
    is_numpy,
    is_torch,
)
from xgrad._rules.checks import ValueCheck

# From this number of classes on, a label's entry is read by its index. Below, a mask
# over all classes takes fewer operations, and each is a launch on a GPU, which costs as
# much as some thousand entries. Set by trial.
GATHER_CLASSES = 256
# Remedies for labels that are out of range.
NUMBERED = "number the classes from 0, or raise the number of classes"
IGNORABLE = f"{NUMBERED}; `ignore_index=` names a label of rows that do not count"


def require_labels(xp: Any, name: str, labels: Array) -> None:
    """Raise unless the dtype is an integer: floats and booleans are no class labels."""
    if not is_integral(xp, labels):
        raise TypeError(
            f"`{name}` must hold integer class labels, but its dtype is "
            f"{labels.dtype}: convert it with {integer_code(name, labels)}"
        )


def range_checks(
    xp: Any,
    name: str,
    labels: Array,
    num_classes: int,
    ignored: Array | None = None,
    *,
    remedy: str = NUMBERED,
) -> Iterator[ValueCheck]:
    """Yield the check that each label is in ``[0, num_classes)``, or is ``ignored``.

    For NumPy's labels nothing is yielded if all are.
    """
    if is_numpy(xp) and all_in_range(labels, num_classes):
        return
    bad = ~in_range(xp, labels, num_classes)
    yield ValueCheck(
        name,
        labels,
        bad if ignored is None else bad & ~ignored,
        rule=f"hold class labels in [0, {num_classes})",
        remedy=remedy,
    )


def in_range(xp: Any, labels: Array, num_classes: int) -> Array:
    """Return a boolean mask that is true for labels in ``[0, num_classes)``."""
    # Narrow integers first become wide ones: 300 classes do not fit into uint8.
    index = as_index(xp, labels)
    return (index >= 0) & (index < num_classes)


def all_in_range(labels: Array, num_classes: int) -> bool:
    """Whether all labels, in a NumPy array, are in ``[0, num_classes)``.

    One pass that allocates nothing is several times faster than `in_range`.
    """
    if labels.size == 0:
        return True
    unsigned, middle = _unsigned(labels.dtype)
    largest = np.maximum.reduce(labels.view(unsigned), axis=None)
    return bool(largest < min(num_classes, middle))


@functools.cache
def _unsigned(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """Return the unsigned dtype of the same width, and the least negative label in it.

    Read without their sign, negative labels are in the upper half of the range.
    """
    if dtype.kind == "u":
        return dtype, 1 << 8 * dtype.itemsize
    middle = 1 << (8 * dtype.itemsize - 1)
    return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}"), middle


def equals_number(xp: Any, labels: Array, number: int) -> Array:
    """Return a mask of the labels equal to a number, which may not fit their dtype."""
    limits = xp.iinfo(labels.dtype)
    if not limits.min <= number <= limits.max:
        return xp.zeros(labels.shape, dtype=xp.bool, device=device_of(labels))
    if number > 2**31 - 1:  # JAX takes a Python number for an int32
        return labels == xp.full_like(labels, number)
    return labels == number


def label_mask(xp: Any, labels: Array, num_classes: int) -> Array:
    """Return a mask ``(*labels.shape, num_classes)`` that is true at the label.

    A label out of range marks no class.
    """
    if labels.dtype in (xp.uint16, xp.uint32, xp.uint64):
        # Not every library compares them with signed integers.
        labels = as_index(xp, labels)
    index = default_dtype(xp, "indexing", labels)
    classes = xp.arange(num_classes, dtype=index, device=device_of(labels))
    return labels[..., None] == classes


def prefers_gather(xp: Any, num_classes: int) -> bool:
    """Whether to read a label's entry by its index rather than by a mask of classes."""
    if is_dask(xp):  # cannot read by an index that is yet to be computed
        return False
    return is_numpy(xp) or num_classes > GATHER_CLASSES


def gather_labels(xp: Any, values: Array, index: Array) -> Array:
    """Return ``values[..., index]`` of each row; 1-d values are those of every row.

    The index must be in range: libraries disagree about an index that is not (an error,
    a wrap, a clamp).
    """
    if values.ndim > index.ndim:
        return xp.take_along_axis(values, index[..., None], axis=-1)[..., 0]
    return xp.reshape(xp.take(values, xp.reshape(index, (-1,))), index.shape)


def confusion_counts(
    xp: Any,
    rows: Array,
    columns: Array,
    num_classes: int,
    weight: Array | None,
    ignored: Array | None = None,
) -> Array:
    """Count each pair of labels, or add up its weights: ``(num_classes, num_classes)``.

    ``rows`` and ``columns`` are 1-d, and in range. Counts are integers, or floats of a
    library without `bincount`; sums of weights are floats. ``ignored`` is true where a
    pair does not count.
    """
    if ignored is not None and weight is None:
        # Pairs that do not count are those of a class more, which is left out below.
        rows = xp.where(ignored, num_classes, rows)
        counts = count_pairs(xp, rows, columns, num_classes + 1, num_classes, weight)
        return counts[:num_classes, :]
    return count_pairs(xp, rows, columns, num_classes, num_classes, weight)


def count_pairs(
    xp: Any, rows: Array, columns: Array, height: int, width: int, weight: Array | None
) -> Array:
    """Count pairs of numbers below ``height`` and ``width``, or add up their weights.

    The result has shape ``(height, width)``.
    """
    size, shape = height * width, (height, width)
    pairs = rows * width + columns
    if is_cupy(xp):
        import cupyx

        # `cupy.bincount` would wait for the device twice to look at its argument.
        dtype = xp.uint64 if weight is None else xp.float64
        counts = xp.zeros(size, dtype=dtype)
        cupyx.scatter_add(counts, pairs, 1 if weight is None else weight)
        return xp.reshape(counts, shape)
    if is_numpy(xp) or is_torch(xp):
        counts = xp.bincount(pairs, weights=weight, minlength=size)
        return xp.reshape(counts, shape)
    if is_jax(xp):
        # With a length that is known, JAX can trace it.
        counts = xp.bincount(pairs, weights=weight, length=size)
        return xp.reshape(counts, shape)
    # Other libraries have neither `bincount` nor `scatter_add`: a product of two masks
    # counts the rows in which both are true.
    ones = default_dtype(xp, "real floating", rows)
    left = xp.astype(label_mask(xp, rows, height), ones)
    right = xp.astype(label_mask(xp, columns, width), ones)
    if weight is not None:
        left = left * weight[:, None]
    return xp.matmul(xp.matrix_transpose(left), right)
