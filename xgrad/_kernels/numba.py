"""Numba: the compiled kernels of NumPy arrays, by name.

A kernel returns None for arrays that are too small to be worth it, and for cases that
it does not know: the kernel of NumPy or the formulas then compute them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from xgrad._kernels import numba_calls as calls
from xgrad._kernels.lookup import is_numba_installed
from xgrad._kernels.numba_calls import loops, plain
from xgrad._kernels.numpy_memory import Array
from xgrad._kernels.numpy_rows import FLOATS, LEAST_PROBABILITY, LEAST_SUM, Result

# Entries of a table of pairs, of which each thread has four: 64 KiB in int64.
LARGEST_TABLE = 2**11
# `numba_math` computes exp up to 71 and 672. That leaves room for sums, and for factors
# of 2**-29 (1 / count) divided by them.
LARGEST_LOGIT = dict(zip(FLOATS, (44.0, 354.0), strict=True))
# Half of the digits, as in the formulas: rows may have been rounded by a softmax.
_TOLERANCE = {dtype: float(np.finfo(dtype).eps) ** 0.5 for dtype in FLOATS}


def find(name: str, dtype: Any) -> Callable[..., Any] | None:
    """Return the kernel of this name, or None if it does not take this dtype."""
    if not is_numba_installed():
        return None
    if name in OF_LABELS:
        return OF_LABELS[name] if dtype.kind in "iu" and dtype.isnative else None
    return OF_FLOATS.get(name) if dtype in FLOATS else None


def softmax_cross_entropy(logits: Array, target: Array, **settings: Any) -> Result:
    """Return the cross entropy of logits and labels, and its slope."""
    numbers = (_limits(logits.dtype),)
    name = "cross_entropies_of_logits"
    return _loss_of_rows(name, numbers, logits, target, **settings)


def _limits(dtype: Any) -> tuple[Any, ...]:
    """Return the limits within which a row needs no maximum: see `losses_of_tile`.

    Those of `numpy_rows` have their reasons there. A sum below exp of the largest logit
    has no larger one. Sums are those of `lifted_exp`, and a normal factor has all its
    digits.
    """
    largest, info = LARGEST_LOGIT[dtype], np.finfo(dtype)
    lift = 2.0 ** (info.nmant + 1)
    sums = LEAST_SUM * lift, 0.99 * np.exp(largest) * lift
    numbers = largest, *sums, LEAST_PROBABILITY[dtype], info.tiny
    return tuple(map(dtype.type, numbers))


def cross_entropy(
    probabilities: Array, target: Array, *, delta: float = 0.0, **settings: Any
) -> Result:
    """Return the cross entropy of probabilities and labels, and its slope."""
    dtype = probabilities.dtype
    numbers = dtype.type(delta), _TOLERANCE[dtype]
    name = "cross_entropies_of_probabilities"
    return _loss_of_rows(name, numbers, probabilities, target, **settings)


def _loss_of_rows(
    name: str,
    numbers: tuple[Any, ...],
    values: Array,
    target: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    weight: Any = None,
    ignore_index: int | None = None,
) -> Result:
    """Return the loss of rows whose target is one class each, and its slope."""
    is_weighted = weight is not None or ignore_index is not None
    key = (name, values.dtype, wanted, reduction == "none", is_weighted)
    if not calls.is_worth_it(values.size, key):
        return None
    shape, classes = values.shape[:-1], values.shape[-1]
    rows = values.reshape(-1, classes)
    labels = _labels(rows, target, shape)
    if labels is None:
        return None
    ignored = None
    if ignore_index is not None:
        # Compared before unsigned labels lose their sign.
        compared = target.reshape(-1) if target.shape == shape else labels
        ignored = compared == ignore_index
        labels = np.where(ignored, 0, labels)
    weighing = calls.factors(weight, ignored, shape, values.dtype)
    if weighing is None:
        return None
    of_rows = loops("rows")
    return calls.computed(
        partial(getattr(of_rows, name), plain(rows), plain(labels)),
        -(-len(rows) // of_rows.TILE),
        *weighing,
        numbers,
        dtype=values.dtype,
        shapes=(shape, values.shape),
        wanted=wanted,
        reduction=reduction,
    )


def _labels(rows: Array, target: Array, shape: tuple[int, ...]) -> Array | None:
    """Return the label of each row, also of one-hot rows; None of anything else."""
    if target.dtype.kind in "iu" and target.shape == shape:
        return target.reshape(-1).astype(np.int64, copy=False)
    if target.dtype != rows.dtype or target.shape != (*shape, rows.shape[1]):
        return None
    labels = np.empty(len(rows), np.int64)
    of_rows = loops("rows")
    one_hot = plain(target.reshape(rows.shape))
    loop = partial(of_rows.labels_of_one_hot, one_hot, labels)
    is_one_hot = calls.run(-(-len(rows) // of_rows.TILE), rows.size, loop)
    return labels if is_one_hot else None


def _loss_of_elements(
    name: str,
    option: float,
    prediction: Array,
    target: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    weight: Any = None,
    divisor: int | None = None,
) -> Result:
    """Return the loss of elements and its slope; a mean may have its own divisor."""
    dtype, shape = prediction.dtype, prediction.shape
    key = (name, dtype, wanted, reduction == "none", weight is not None)
    fits = target.dtype == dtype and target.shape == shape
    if not fits or not calls.is_worth_it(prediction.size, key):
        return None
    weighing = calls.factors(weight, None, shape, dtype)
    if weighing is None:
        return None
    of_elements = loops("errors")
    arrays = plain(prediction.reshape(-1)), plain(target.reshape(-1))
    return calls.computed(
        partial(getattr(of_elements, name), *arrays),
        -(-prediction.size // of_elements.BLOCK),
        weighing[0],
        divisor or weighing[1],
        (dtype.type(option),),
        dtype=dtype,
        shapes=(shape, shape),
        wanted=wanted,
        reduction=reduction,
        has_exponentials=name == "sigmoid",
    )


def half_squared_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return half the squared errors of rows, and their slope."""
    # The loss of a row would be a sum of its own.
    if settings["reduction"] == "none" or prediction.size == 0:
        return None
    settings["divisor"] = prediction.size // prediction.shape[-1]
    return _loss_of_elements("half_squared", 0, prediction, target, **settings)


def mean_squared_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return the squared errors and their slope."""
    return _loss_of_elements("squared", 0, prediction, target, **settings)


def mean_absolute_error(prediction: Array, target: Array, **settings: Any) -> Result:
    """Return the absolute errors and their slope."""
    return _loss_of_elements("absolute", 0, prediction, target, **settings)


def huber(
    prediction: Array, target: Array, *, delta: float = 1.0, **settings: Any
) -> Result:
    """Return Huber's loss and its slope."""
    return _loss_of_elements("huber", delta, prediction, target, **settings)


def sigmoid_binary_cross_entropy(
    logits: Array, target: Array, *, positive_weight: float = 1.0, **settings: Any
) -> Result:
    """Return the cross entropy of two classes from logits, and its slope."""
    if target.dtype.kind in "iub":
        target = target.astype(logits.dtype)
    return _loss_of_elements("sigmoid", positive_weight, logits, target, **settings)


def softmax(x: Array) -> Array | None:
    """Return the softmax along the last axis; None if a row has no finite maximum."""
    return _softmax_or_sums(x, "softmax")


def logsumexp(x: Array) -> Array | None:
    """Return log(sum(exp(x))) along the last axis; None as for `softmax`."""
    return _softmax_or_sums(x, "logsumexp")


def _softmax_or_sums(x: Array, name: str) -> Array | None:
    if not calls.is_worth_it(x.size, (name, x.dtype)):
        return None
    of_rows = loops("rows")
    rows = plain(x.reshape(-1, x.shape[-1]))
    out = np.empty(rows.shape, x.dtype) if name == "softmax" else None
    log_sums = np.empty(len(rows), x.dtype)
    loop = partial(of_rows.softmax, rows, None if out is not None else log_sums, out)
    if not calls.run(-(-len(rows) // of_rows.TILE), x.size, loop):
        return None
    return log_sums.reshape(x.shape[:-1]) if out is None else out.reshape(x.shape)


def matches(rows: Array, columns: Array, num_classes: int) -> int | None:
    """Return how many labels are equal in both; None if one is out of range."""
    key = ("matches", rows.dtype, columns.dtype)
    arguments = _unsigned_labels(rows, columns, num_classes)
    if arguments is None or not calls.is_worth_it(rows.size, key, few_steps=True):
        return None
    of_labels = loops("labels")
    # As wide as the labels, or less, so that registers hold as many: set by trial.
    width = max(rows.dtype.itemsize, columns.dtype.itemsize)
    blocks = -(-rows.size // of_labels.BLOCK)
    counts = np.empty(blocks, np.int16 if width <= 4 else np.int64)
    loop = partial(of_labels.matches, *arguments, counts)
    is_valid = calls.run(blocks, rows.size, loop)
    return int(counts.sum(dtype=np.int64)) if is_valid else None


def confusion_counts(rows: Array, columns: Array, num_classes: int) -> Array | None:
    """Count each pair of labels, ``(num_classes, num_classes)`` in int64.

    The result is None if a label is out of range.
    """
    arguments = _unsigned_labels(rows, columns, num_classes)
    key, size = ("pairs", rows.dtype, columns.dtype), num_classes**2
    if (
        arguments is None
        or size > LARGEST_TABLE
        or not calls.is_worth_it(rows.size, key, few_steps=True)
    ):
        return None
    of_labels = loops("labels")
    tables: list[Array] = []

    def count(begin: int, end: int) -> bool:
        table = np.zeros((of_labels.TABLES, size), np.int64)
        tables.append(table)
        return bool(of_labels.pairs(*arguments, num_classes, table, begin, end))

    is_valid = calls.run(-(-rows.size // of_labels.BLOCK), rows.size, count)
    if not is_valid:
        return None
    return np.sum(tables, axis=(0, 1)).reshape(num_classes, num_classes)


def regression_moments(prediction: Array, target: Array) -> Array | None:
    """Return moments of blocks of rows, ``(blocks, 11)``; None if one is not finite."""
    key = ("moments", prediction.dtype, target.dtype)
    fits = target.dtype in FLOATS and prediction.ndim == 1
    if not fits or not calls.is_worth_it(prediction.size, key):
        return None
    of_labels = loops("labels")
    moments = np.empty((-(-prediction.size // of_labels.BLOCK), of_labels.MOMENTS))
    loop = partial(of_labels.moments, plain(prediction), plain(target), moments)
    is_finite = calls.run(len(moments), prediction.size, loop)
    return moments if is_finite else None


def _unsigned_labels(
    rows: Array, columns: Array, num_classes: int
) -> tuple[Array, Array, Any, Any] | None:
    """Return labels read without their sign, and the last class of each dtype.

    Negative labels are then above it. None if a dtype is odd.
    """
    labels, last = [], []
    for array in (rows, columns):
        if array.dtype.kind not in "iu" or not array.dtype.isnative:
            return None
        unsigned = np.dtype(f"u{array.dtype.itemsize}")
        labels.append(plain(array).view(unsigned))
        largest = int(np.iinfo(array.dtype).max)
        last.append(unsigned.type(min(num_classes - 1, largest)))
    return labels[0], labels[1], last[0], last[1]


OF_ROWS: dict[str, Callable[..., Any]] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "cross_entropy": cross_entropy,
}
OF_ELEMENTS: dict[str, Callable[..., Any]] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
    "sigmoid_binary_cross_entropy": sigmoid_binary_cross_entropy,
}
OF_FLOATS: dict[str, Callable[..., Any]] = {
    **OF_ROWS,
    **OF_ELEMENTS,
    **{f"weighted_{name}": f for name, f in (OF_ROWS | OF_ELEMENTS).items()},
    "half_squared_error": half_squared_error,
    "softmax": softmax,
    "logsumexp": logsumexp,
    "regression_moments": regression_moments,
}
OF_LABELS: dict[str, Callable[..., Any]] = {
    "matches": matches,
    "confusion_counts": confusion_counts,
}
