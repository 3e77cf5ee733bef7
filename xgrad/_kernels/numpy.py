"""NumPy: losses and counts a block at a time, so that what is made of it stays cached.

No compiled code and no threads: what is saved are passes over memory, temporary arrays,
and reductions along short axes, which NumPy is slow at.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xgrad._arrays import MATMUL_SUM_LENGTH, quiet, subtract_max
from xgrad._rules import all_in_range

Array = np.ndarray[Any, Any]
Found = tuple[Any, Any] | None

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
# Entries at once: 512 KiB in float32, half of a usual L2 cache.
BLOCK = 2**17
# Bytes that are kept to compute in, and those of errors at once: a call of NumPy costs
# more than a cache that is a little too small.
BYTES = 2**20
# Up to so many entries the time of a call is that of Python.
SMALL = 2**13
# Rows up to this length are scaled by a factor for each entry: NumPy's loop over a row
# costs more.
SHORT = 32
# Numbers that are added up in float32 before float64 takes over: by a product of BLAS,
# or one after another.
GROUP, FEW = 256, 8
_LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in FLOATS}
_TINY = {dtype: float(np.finfo(dtype).tiny) for dtype in FLOATS}
_TOLERANCE = {dtype: float(np.finfo(dtype).eps) ** 0.5 for dtype in FLOATS}
# Where the sum of exp(x) over a row is at least LEAST, and the share of the label at
# least this, neither vanishes, and what vanishes beside them does not matter.
LEAST = 2.0**-20
_AS_INDEX: Any = {"dtype": np.intp, "casting": "unsafe"}
_SMALLEST = {dtype: 2.0 ** (np.finfo(dtype).minexp + 26) for dtype in FLOATS}


def find(name: str, dtype: Any) -> Callable[..., Any] | None:
    """The kernel of this name, if it takes numbers of this dtype."""
    if name == "perturbed_points":
        return perturbed_points
    if name in OF_LABELS:
        return OF_LABELS[name] if dtype.kind in "iu" else None
    return OF_FLOATS.get(name) if dtype in FLOATS else None


_kept = threading.local()


def _scratch(count: int, dtype: Any) -> Array:
    """Memory of this thread for the time of a call.

    It is kept: fresh memory costs as much as what is computed in it.
    """
    size = count * dtype.itemsize
    if size > BYTES:
        return np.empty(count, dtype)
    memory: Array | None = getattr(_kept, "memory", None)
    if memory is None or len(memory) < size:
        _kept.memory = memory = np.empty(BYTES, np.uint8)
    return memory[:size].view(dtype)


# Rows of classes


class _Rows:
    """Rows of classes with their labels, which are in range, and what is made of them.

    ``losses`` and ``slope`` are None where they are not wanted.
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
    def of(cls, values: Array, labels: Array, wanted: str, reduction: str) -> Any:
        """None where the target is no label for each row, or one is out of range."""
        fits = (
            labels.dtype.kind in "iu"
            and values.ndim > 0
            and labels.shape == values.shape[:-1]
            and values.size > 0
            and all_in_range(labels, values.shape[-1])
        )
        return cls(values, labels, wanted, reduction) if fits else None

    def blocks(self) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Where rows are, their values, memory for them, and where their labels lie.

        The memory is that of the slope if it is wanted; the labels are positions in it.
        """
        height = min(max(1, BLOCK // self.classes), self.count)
        starts = _starts(height, self.classes)
        if self.slope is None:
            scratch = _scratch(height * self.classes, self.values.dtype)
            scratch = scratch.reshape(height, self.classes)
        for begin in range(0, self.count, height):
            part = slice(begin, begin + height)
            values, labels = self.values[part], self.labels[part]
            memory = scratch[: len(values)] if self.slope is None else self.slope[part]
            first = starts[: len(values)]
            yield part, values, memory, np.add(first, labels, **_AS_INDEX)

    def results(self) -> tuple[Any, Any]:
        """The losses as they are to be reduced, in float64, and the slope."""
        slope = None if self.slope is None else self.slope.reshape(self.shape)
        if self.losses is None:
            return None, slope
        if self.reduction == "none":
            return self.losses.reshape(self.shape[:-1])[()], slope
        total = np.add.reduce(self.losses, dtype=np.float64)
        if self.reduction == "mean":
            total = total / self.count
        return self.losses.dtype.type(total), slope


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
) -> Found:
    """Cross entropy of logits and labels.

    The maximum of a row is not looked for in large arrays: ``exp(x)`` and its sum over
    the row have full precision as they are while nothing overflows or vanishes, and the
    loss is ``-log(exp(x_y) / sum(exp(x)))``. Rows of which that is not true are found
    by these two numbers, and are computed again below their maximum.
    """
    rows = _Rows.of(logits, labels, wanted, reduction)
    if rows is None:
        return None
    smallest = _SMALLEST[logits.dtype]
    # Up to here the factor of a row in its slope is a normal number.
    most = float(rows.scale) / _TINY[logits.dtype]
    with quiet():
        if logits.size <= SMALL:
            return _below_maximum(rows)
        for part, block, weights, at in rows.blocks():
            np.exp(block, out=weights)
            sums = _sums(weights)
            share = weights.reshape(-1).take(at) / sums  # probability of the label
            if rows.losses is not None:
                np.subtract(0, np.log(share), out=rows.losses[part])
            if not (
                np.minimum.reduce(sums) >= LEAST
                and np.maximum.reduce(sums) <= most
                and np.minimum.reduce(share) >= smallest
            ):
                fine = (sums >= LEAST) & (sums <= most) & (share >= smallest)
                _mend(rows, part, np.flatnonzero(~fine), weights, sums, share)
            if rows.slope is not None:
                _scale(weights, rows.scale / sums)
                weights.reshape(-1)[at] = (share - 1) * rows.scale
        return rows.results()


def _below_maximum(rows: _Rows) -> Found:
    """The same operations as the formulas, with fewer steps between them."""
    shift = rows.values - np.maximum.reduce(rows.values, axis=1, keepdims=True)
    weights = np.exp(shift, out=rows.slope)
    sums = _sums(weights)
    at = np.add(_starts(rows.count, rows.classes), rows.labels, **_AS_INDEX)
    if rows.losses is not None:
        np.subtract(np.log(sums), shift.reshape(-1).take(at), out=rows.losses)
    if rows.slope is not None:
        np.divide(weights, sums[:, None], out=weights)
        weights.reshape(-1)[at] -= 1
        if rows.reduction == "mean":
            np.divide(weights, rows.count, out=weights)
    return rows.results()


def _mend(
    rows: _Rows, part: slice, odd: Array, weights: Array, sums: Array, share: Array
) -> None:
    """Some rows anew, below their maximum."""
    shift = subtract_max(np, rows.values[part][odd])
    own = shift[np.arange(len(odd)), rows.labels[part][odd]]
    weights[odd] = exponential = np.exp(shift)
    sums[odd] = normaliser = _sums(exponential)
    share[odd] = np.exp(own) / normaliser
    if rows.losses is not None:
        rows.losses[part][odd] = np.log(normaliser) - own


def cross_entropy(
    probabilities: Array,
    labels: Array,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    delta: float = 0.0,
) -> Found:
    """Cross entropy of probabilities and labels, if all rows are distributions."""
    rows = _Rows.of(probabilities, labels, wanted, reduction)
    if rows is None:
        return None
    dtype = probabilities.dtype
    with quiet():
        for part, block, memory, at in rows.blocks():
            np.copyto(memory, block)
            if not (memory.min() >= 0 and memory.max() <= 1):
                return None
            sums = _sums(memory)
            if not np.maximum.reduce(np.abs(sums - 1)) <= _TOLERANCE[dtype]:
                return None
            own = memory.reshape(-1).take(at) + dtype.type(delta)
            if rows.losses is not None:
                np.subtract(0, np.log(own), out=rows.losses[part])
            if rows.slope is not None:
                memory[...] = 0
                memory.reshape(-1)[at] = -1 / own * rows.scale
        return rows.results()


def _sums(values: Array) -> Array:
    """Sum of each row."""
    if values.shape[1] <= MATMUL_SUM_LENGTH:
        return values @ _ones(values.shape[1], values.dtype)
    return np.add.reduce(values, axis=1)


def _scale(values: Array, factors: Array) -> None:
    """Multiply each row by its factor."""
    classes = values.shape[1]
    if classes < SHORT:
        flat = values.reshape(-1)
        np.multiply(flat, np.repeat(factors, classes), out=flat)
    else:
        np.multiply(values, factors[:, None], out=values)


@functools.lru_cache(maxsize=16)
def _starts(rows: int, classes: int) -> Array:
    return _constant(np.arange(0, rows * classes, classes))


@functools.lru_cache(maxsize=16)
def _ones(classes: int, dtype: Any) -> Array:
    return _constant(np.ones(classes, dtype))


def _constant(array: Array) -> Array:
    array.flags.writeable = False
    return array


# Errors of elements


def half_squared_error(prediction: Array, target: Array, **settings: Any) -> Found:
    """Half the squared errors of rows."""
    if prediction.size == 0 or prediction.ndim == 0:
        return None
    rows = prediction.size // prediction.shape[-1]
    return _of_errors(prediction, target, _squares, _once, rows=rows, **settings)


def mean_squared_error(prediction: Array, target: Array, **settings: Any) -> Found:
    """Squared errors."""
    return _of_errors(prediction, target, _squares, _twice, **settings)


def mean_absolute_error(prediction: Array, target: Array, **settings: Any) -> Found:
    """Absolute errors."""
    return _of_errors(prediction, target, _sizes, _sign, **settings)


def _of_errors(
    prediction: Array,
    target: Array,
    add_up: Callable[[Array, Array], float],
    turn: Callable[[Array, Array, int], None],
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    rows: int = 0,
) -> Found:
    """Sum or mean of a function of the errors, and its slope; of ``rows``, half of it.

    ``add_up`` sums the losses, ``turn`` makes slopes of errors, over the divisor.
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
    length = min(BYTES // dtype.itemsize, count)
    scratch = _scratch(length, dtype)
    divisor = (rows or count) if reduction == "mean" else 1
    total = 0.0
    with quiet():
        for begin in range(0, count, length):
            part = slice(begin, begin + length)
            p, t = left[part], right[part]
            values = scratch[: len(p)]
            errors = np.subtract(p, t, out=values if slope is None else slope[part])
            if wanted != "slope":
                total += add_up(errors, values)
            if slope is not None:
                turn(errors, values, divisor)
        # What this dtype cannot hold is left to the formulas, and so is nan.
        if not total <= _LARGEST[dtype]:
            return None
        value = dtype.type((total / 2 if rows else total) / divisor)
    return value, None if slope is None else slope.reshape(prediction.shape)


def _squares(errors: Array, scratch: Array) -> float:
    if len(errors) <= SMALL:
        return float(np.add.reduce(errors * errors, dtype=np.float64))
    whole = len(errors) // GROUP * GROUP
    groups, rest = errors[:whole].reshape(-1, GROUP), errors[whole:]
    # Products of BLAS round as seldom as sums in pairs while they are this short.
    squares = np.add.reduce(np.vecdot(groups, groups), dtype=np.float64)
    return float(squares + np.vecdot(rest, rest))


def _sizes(errors: Array, scratch: Array) -> float:
    np.absolute(errors, out=scratch)
    if len(errors) <= SMALL or errors.dtype == np.float64:
        return float(np.add.reduce(scratch, dtype=np.float64))
    whole = len(errors) // FEW * FEW
    few = np.add.reduce(scratch[:whole].reshape(FEW, -1), axis=0)
    rest = np.add.reduce(scratch[whole:], dtype=np.float64)
    return float(np.add.reduce(few, dtype=np.float64) + rest)


def _once(slope: Array, scratch: Array, divisor: int) -> None:
    np.divide(slope, divisor, out=slope)


def _twice(slope: Array, scratch: Array, divisor: int) -> None:
    np.multiply(slope, 2, out=slope)
    np.divide(slope, divisor, out=slope)


def _sign(slope: Array, scratch: Array, divisor: int) -> None:
    np.sign(slope, out=scratch)  # several times slower in place
    np.multiply(scratch, scratch.dtype.type(1 / divisor), out=slope)


# Labels


def matches(rows: Array, columns: Array, num_classes: int) -> int | None:
    """How many labels are equal; None where one is out of range."""
    found = 0
    for start in range(0, len(rows), BLOCK):
        row, column = rows[start : start + BLOCK], columns[start : start + BLOCK]
        if not (all_in_range(row, num_classes) and all_in_range(column, num_classes)):
            return None
        found += int(np.count_nonzero(row == column))
    return found


def confusion_counts(rows: Array, columns: Array, num_classes: int) -> Array | None:
    """How often each pair of labels occurs; None where one is out of range."""
    size = num_classes * num_classes
    length = max(BLOCK, 4 * size)
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


# Points of a derivative


def perturbed_points(
    base: Array,
    positions: Array,
    labels: Array,
    columns: tuple[Array, ...],
    by_entries: bool,
) -> Array | None:
    """Base with the entries of one column moved, ``(offsets * columns, *shape)``.

    For columns of one entry, or a pair of them: the rest of each point is a copy.
    """
    if not by_entries:
        return None
    depth, count = len(positions), len(columns[0])
    points = np.empty((depth, count, base.size), positions.dtype)
    points[...] = base.reshape(-1)
    flat = positions.reshape(depth, -1)
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
OF_LABELS: dict[str, Callable[..., Any]] = {
    "matches": matches,
    "confusion_counts": confusion_counts,
}
