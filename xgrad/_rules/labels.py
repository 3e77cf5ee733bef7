"""Class labels: their check, reading entries by them, and counting them in pairs."""

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
    is_cupy,
    is_dask,
    is_integral,
    is_jax,
    is_numpy,
    is_torch,
)
from xgrad._rules.checks import ValueCheck

# From this many classes on, a label's entry is read by its index. Below, a mask over
# all classes takes fewer operations, and each is a launch on a GPU.
MANY = 256


def require_labels(xp: Any, name: str, labels: Array) -> None:
    """Raise unless they are integers: floats and booleans are no numbers of classes."""
    if not is_integral(xp, labels):
        raise TypeError(
            f"`{name}` must hold integer class labels, but its dtype is "
            f"{labels.dtype}: convert it, for example with "
            f"`xp.astype({name}, xp.int64)`"
        )


def range_checks(
    xp: Any, name: str, labels: Array, num_classes: int, ignored: Array | None = None
) -> Iterator[ValueCheck]:
    """That each label is the number of a class, apart from those to ignore.

    Of NumPy nothing is yielded where all are.
    """
    if is_numpy(xp) and all_in_range(labels, num_classes):
        return
    bad = ~in_range(xp, labels, num_classes)
    yield ValueCheck(
        name,
        labels,
        bad if ignored is None else bad & ~ignored,
        rule=f"hold class labels in [0, {num_classes})",
        remedy="number the classes from 0, or give as many classes as there are",
    )


def in_range(xp: Any, labels: Array, num_classes: int) -> Array:
    """Booleans, true where a label is the number of a class."""
    # Narrow integers first become wide ones: 300 classes do not fit into uint8.
    index = as_index(xp, labels)
    return (index >= 0) & (index < num_classes)


def equals_number(xp: Any, labels: Array, number: int) -> Array:
    """Booleans, true where a label is this number, which may fit into no label."""
    limits = xp.iinfo(labels.dtype)
    if not limits.min <= number <= limits.max:
        return xp.zeros(labels.shape, dtype=xp.bool, device=device_of(labels))
    if number > 2**31 - 1:  # JAX takes a number of Python for an int32
        return labels == xp.full_like(labels, number)
    return labels == number


def all_in_range(labels: Array, num_classes: int) -> bool:
    """The same for all of NumPy's labels in one pass, several times faster."""
    if labels.size == 0:
        return True
    unsigned, middle = _unsigned(labels.dtype)
    largest = np.maximum.reduce(labels.view(unsigned), axis=None)
    return bool(largest < min(num_classes, middle))


@functools.cache
def _unsigned(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """The same integers without their sign, and where negative ones come to lie.

    Read without their sign, negative labels are above the middle of the range.
    """
    if dtype.kind == "u":
        return dtype, 1 << 8 * dtype.itemsize
    middle = 1 << (8 * dtype.itemsize - 1)
    return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}"), middle


def label_mask(xp: Any, labels: Array, num_classes: int) -> Array:
    """Booleans ``(..., num_classes)``, true at the label; a bad label marks nothing."""
    if labels.dtype in (xp.uint16, xp.uint32, xp.uint64):
        # Not every library compares them with signed integers.
        labels = as_index(xp, labels)
    index = default_dtype(xp, "indexing", labels)
    classes = xp.arange(num_classes, dtype=index, device=device_of(labels))
    return labels[..., None] == classes


def prefers_gather(xp: Any, num_classes: int) -> bool:
    """Whether entries are better read by an index than by a mask over all classes."""
    if is_dask(xp):  # cannot read by an index that is yet to be computed
        return False
    return is_numpy(xp) or num_classes > MANY


def gather_labels(xp: Any, values: Array, index: Array) -> Array:
    """``values[..., index]`` of each row; one row of values stands for all rows.

    The index must be in range: libraries disagree about what to do where it is not (an
    error, a wrap, a clamp).
    """
    if values.ndim > index.ndim:
        return xp.take_along_axis(values, index[..., None], axis=-1)[..., 0]
    return xp.reshape(xp.take(values, xp.reshape(index, (-1,))), index.shape)


def confusion_counts(
    xp: Any, rows: Array, columns: Array, num_classes: int, weight: Array | None
) -> Array:
    """How often each pair of labels occurs: ``(num_classes, num_classes)``.

    Labels must be in range. The counts are integers, or floats where there are weights.
    """
    size = num_classes * num_classes
    shape = (num_classes, num_classes)
    pairs = rows * num_classes + columns
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
        counts = xp.bincount(pairs, weights=weight, length=size)
        return xp.reshape(counts, shape)
    ones = default_dtype(xp, "real floating", rows)
    left = xp.astype(label_mask(xp, rows, num_classes), ones)
    right = xp.astype(label_mask(xp, columns, num_classes), ones)
    if weight is not None:
        left = left * weight[:, None]
    return xp.matmul(xp.matrix_transpose(left), right)
