"""NumPy: cross entropies of rows of classes and their labels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from xgrad._arrays import CLOSE_TO_ONE, MATMUL_SUM_LENGTH, quiet, subtract_max
from xgrad._kernels import numpy_memory as memory
from xgrad._kernels.numpy_memory import Array
from xgrad._rules import all_in_range

Result = tuple[Any, Any] | None

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
# Rows up to this length are scaled by a factor for each entry: NumPy enters a loop for
# each row, which costs more than to repeat the factors. Set by trial.
SHORT_ROW = 32
# Above this probability of the label the sum of a row has lost digits of the others.
SURE = 1 / CLOSE_TO_ONE
_TINY = {dtype: float(np.finfo(dtype).tiny) for dtype in FLOATS}
# Half of the digits, as in the formulas: rows may have been rounded by a softmax.
_TOLERANCE = {dtype: float(np.finfo(dtype).eps) ** 0.5 for dtype in FLOATS}
# The softmax has full precision without subtracting the maximum if the sum of exp(x) is
# at least 2**-20 and the probability of the label at least 2**(minexp + 26). Then
# exp(x) of the label is their product, at least 2**(minexp + 6): a normal number with
# all its digits. The numbers that do underflow are below 2**(minexp + 20) of the sum,
# which is nothing beside it. The 6 spare bits are for rounding of `exp` and the sum.
LEAST_SUM = 2.0**-20
LEAST_PROBABILITY = {dtype: 2.0 ** (np.finfo(dtype).minexp + 26) for dtype in FLOATS}
# Labels may be unsigned or of the other order of bytes; they are known to be in range.
_AS_INDEX: Any = {"dtype": np.intp, "casting": "unsafe"}


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
) -> Result:
    """Return the cross entropy of logits and labels, and its slope.

    The maximum of a row is not looked for in large arrays: ``exp(x)`` and its sum over
    the row have full precision as they are while nothing overflows or vanishes, and the
    loss is ``-log(exp(x_y) / sum(exp(x)))``. These two numbers tell the rows of which
    that is not true, which are computed again after subtracting their maximum.
    """
    rows = RowLosses.create(logits, labels, wanted, reduction)
    if rows is None:
        return None
    least = LEAST_PROBABILITY[logits.dtype]
    # Up to this sum the factor of a row in its slope, scale / sum, is a normal number.
    largest = float(rows.scale) / _TINY[logits.dtype]
    with quiet():
        if logits.size <= memory.SMALL:
            return _small_softmax_cross_entropy(rows)
        for part, block, weights, at in rows.blocks():
            np.exp(block, out=weights)
            sums = _row_sums(weights)
            of_label = weights.reshape(-1).take(at)
            probability = of_label / sums
            if rows.losses is not None:
                np.subtract(0, np.log(probability), out=rows.losses[part])
            if not (
                np.minimum.reduce(sums) >= LEAST_SUM
                and np.maximum.reduce(sums) <= largest
                and np.minimum.reduce(probability) >= least
            ):
                # A nan compares false, so that its row is among the imprecise ones.
                precise = sums >= LEAST_SUM
                precise &= (sums <= largest) & (probability >= least)
                imprecise = np.flatnonzero(~precise)
                _recompute_rows(
                    rows, part, imprecise, weights, of_label, sums, probability
                )
            if rows.losses is not None and np.fmax.reduce(probability) > SURE:
                _sharpen(rows.losses[part], weights, of_label, probability, at)
            if rows.slope is not None:
                _scale_rows(weights, rows.scale / sums)
                weights.reshape(-1)[at] = (probability - 1) * rows.scale
        return rows.results()


def cross_entropy(
    probabilities: Array,
    labels: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    delta: float = 0.0,
) -> Result:
    """Return the cross entropy of probabilities and labels, and its slope.

    It is None unless all rows are distributions, even if nobody checks them.
    """
    rows = RowLosses.create(probabilities, labels, wanted, reduction)
    if rows is None:
        return None
    dtype = probabilities.dtype
    with quiet():
        for part, block, values, at in rows.blocks():
            np.copyto(values, block)
            if not (values.min() >= 0 and values.max() <= 1):
                return None
            sums = _row_sums(values)
            if not np.maximum.reduce(np.abs(sums - 1)) <= _TOLERANCE[dtype]:
                return None
            probability = values.reshape(-1).take(at) + dtype.type(delta)
            if rows.losses is not None:
                # Subtracted from 0, since -log(1) would be -0.0.
                np.subtract(0, np.log(probability), out=rows.losses[part])
            if rows.slope is not None:
                values[...] = 0
                values.reshape(-1)[at] = -1 / probability * rows.scale
        return rows.results()


class RowLosses:
    """Rows of classes with labels in range, and the losses and slopes made of them.

    ``losses`` ``(rows,)`` and ``slope`` ``(rows, classes)`` are filled by a kernel, and
    None if they are not wanted. ``scale`` is the factor of a row in the slope.
    """

    def __init__(
        self, values: Array, labels: Array, wanted: str, reduction: str
    ) -> None:
        self.shape = values.shape
        self.classes = values.shape[-1]
        self.values = values.reshape(-1, self.classes)
        self.labels = labels.reshape(-1)
        self.count = len(self.values)
        self.reduction = reduction
        dtype = values.dtype
        self.scale = dtype.type(1 / self.count if reduction == "mean" else 1)
        self.losses = None if wanted == "slope" else np.empty(self.count, dtype)
        self.slope = None if wanted == "value" else np.empty(self.values.shape, dtype)

    @classmethod
    def create(cls, values: Array, labels: Array, wanted: str, reduction: str) -> Any:
        """Return the rows; None unless the target is a label in range for each row."""
        fits = (
            labels.dtype.kind in "iu"
            and values.ndim > 0
            and labels.shape == values.shape[:-1]
            and values.size > 0
            and all_in_range(labels, values.shape[-1])
        )
        return cls(values, labels, wanted, reduction) if fits else None

    def blocks(self) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Yield blocks of rows: which, their values, memory, positions of labels.

        The memory has the shape of the values. It is that of the slope, if it is
        wanted; positions count through its entries.
        """
        height = min(max(1, memory.BLOCK // self.classes), self.count)
        starts = _row_starts(height, self.classes)
        if self.slope is None:
            scratch = memory.scratch(height * self.classes, self.values.dtype)
            scratch = scratch.reshape(height, self.classes)
        for begin in range(0, self.count, height):
            part = slice(begin, begin + height)
            values, labels = self.values[part], self.labels[part]
            space = scratch[: len(values)] if self.slope is None else self.slope[part]
            yield part, values, space, self.label_positions(starts, labels)

    @staticmethod
    def label_positions(starts: Array, labels: Array) -> Array:
        """Return the positions of labels among the entries of rows that follow."""
        return np.add(starts[: len(labels)], labels, **_AS_INDEX)

    def results(self) -> tuple[Any, Any]:
        """Return the reduced losses, whose sum is accumulated in float64, and slope."""
        slope = None if self.slope is None else self.slope.reshape(self.shape)
        if self.losses is None:
            return None, slope
        if self.reduction == "none":
            return self.losses.reshape(self.shape[:-1])[()], slope
        total = np.add.reduce(self.losses, dtype=np.float64)
        if self.reduction == "mean":
            total = total / self.count
        return self.losses.dtype.type(total), slope


def _small_softmax_cross_entropy(rows: RowLosses) -> Result:
    """Return what the formulas would, with fewer steps between their operations."""
    largest = np.maximum.reduce(rows.values, axis=1, keepdims=True)
    # In this order even where the logits are a transpose: entries are written by place.
    shifted = np.subtract(rows.values, largest, order="C")
    weights = np.exp(shifted, out=rows.slope)
    starts = _row_starts(rows.count, rows.classes)
    at = rows.label_positions(starts, rows.labels)
    sums = _row_sums(weights)
    if rows.losses is not None:
        np.subtract(np.log(sums), shifted.reshape(-1).take(at), out=rows.losses)
        # Here exp(-loss) is the probability of the label.
        if np.minimum.reduce(rows.losses) < 1 - SURE:
            flat = weights.reshape(-1)
            of_label = flat.take(at)
            _sharpen(rows.losses, weights, of_label, of_label / sums, at)
            flat[at] = of_label
    if rows.slope is not None:
        np.divide(weights, sums[:, None], out=weights)
        weights.reshape(-1)[at] -= 1
        if rows.reduction == "mean":
            np.divide(weights, rows.count, out=weights)
    return rows.results()


def _recompute_rows(
    rows: RowLosses,
    part: slice,
    indices: Array,
    weights: Array,
    of_label: Array,
    sums: Array,
    probability: Array,
) -> None:
    """Overwrite the results of some rows by those after subtracting their maximum."""
    shifted = subtract_max(np, rows.values[part][indices])
    logits = shifted[np.arange(len(indices)), rows.labels[part][indices]]
    weights[indices] = exponential = np.exp(shifted)
    of_label[indices] = weight = np.exp(logits)
    sums[indices] = new_sums = _row_sums(exponential)
    probability[indices] = weight / new_sums
    if rows.losses is not None:
        rows.losses[part][indices] = np.log(new_sums) - logits


def _sharpen(
    losses: Array, weights: Array, of_label: Array, probability: Array, at: Array
) -> None:
    """Overwrite the losses of rows whose label has nearly all of the sum.

    The weights of the others are lost beside it, and are added up without it, for which
    its own becomes 0.
    """
    sure = np.flatnonzero(probability > SURE)
    weights.reshape(-1)[at.take(sure)] = 0
    others = _row_sums(weights).take(sure) / of_label.take(sure)
    # log(1 + x) from the logarithm of the rounded sum, which NumPy computes several
    # times as fast as log1p (Goldberg, ACM Computing Surveys 23(1), 1991, theorem 4).
    total = 1 + others
    losses[sure] = np.where(total == 1, others, np.log(total) * others / (total - 1))


def _row_sums(values: Array) -> Array:
    """Return the sum of each row."""
    if values.shape[1] <= MATMUL_SUM_LENGTH:
        return values @ _ones(values.shape[1], values.dtype)
    return np.add.reduce(values, axis=1)


def _scale_rows(values: Array, factors: Array) -> None:
    """Multiply each row by its factor, in place."""
    classes = values.shape[1]
    if classes < SHORT_ROW:
        flat = values.reshape(-1)
        np.multiply(flat, np.repeat(factors, classes), out=flat)
    else:
        np.multiply(values, factors[:, None], out=values)


# A call has one shape of blocks, and a training loop has few calls: 16 are plenty.
@functools.lru_cache(maxsize=16)
def _row_starts(rows: int, classes: int) -> Array:
    return _read_only(np.arange(0, rows * classes, classes))


@functools.lru_cache(maxsize=16)
def _ones(classes: int, dtype: Any) -> Array:
    return _read_only(np.ones(classes, dtype))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
