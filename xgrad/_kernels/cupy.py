"""CuPy: losses and counts in two launches, whatever the number of rows and classes.

The first kernel reads the arguments once for the sum of the losses, and a second time,
mostly from the cache, for the slope; labels are checked on the way. Each block leaves
its part of the sum, in float64, and the second kernel adds these up in a fixed order:
results are the same from run to run. A kernel is compiled when it is first called.
Arrays that are not contiguous are copied first, which is one launch more.

The numbers of threads and blocks below follow from limits of the hardware where a line
says so, and else from the rules of thumb of CUDA's guides: none was tuned on a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import cupy
import numpy as np

from xgrad._arrays import on_device_of
from xgrad._kernels import cuda
from xgrad._kernels.cuda import AHEAD, FLOATS, INTEGERS

WIDE = ("float32", "float64")
# Rows up to this length are shared by the threads of a warp, which takes four rounds of
# 32 * AHEAD entries for the longest; longer ones by a block.
SHORT_ROW = 1024
# Threads that share a short row: powers of two, since they exchange sums in halves.
TEAMS = (4, 16, 32)
THREADS = 256
# Threads of a block that shares a long row. Two blocks fit on a multiprocessor, which
# has 65,536 registers, if a thread takes 64: one reads while the other adds up.
MOST_THREADS = 512
# The largest block that CUDA allows.
FINISH_THREADS = 1024
# Blocks of one launch; more rows than they have threads for are taken in turns. They
# fill every GPU several times, and `finish` adds up 8 of them with each thread.
MOST_BLOCKS = 8192
# The same where each block ends by adding its counts to those of all, one by one.
COUNTING_BLOCKS = 512
# Bytes of shared memory that a block has on every GPU without asking for more.
SHARED_BYTES = 48 * 1024
# A kernel numbers the classes in 32 bits, and counts on by at most MOST_THREADS * AHEAD
# = 4,096 beyond the last one.
MOST_CLASSES = 2**30
WANTS_SLOPE, WANTS_LOSSES, CHECKS_VALUES = 1, 2, 4

Result = tuple[Any, Any] | None


def find(name: str, dtype: Any) -> Callable[..., Any] | None:
    """Return the kernel of this name, or None if it does not take this dtype."""
    if cupy.cuda.runtime.is_hip:  # the sources are written for warps of 32 threads
        return None
    kernel, dtypes = KERNELS.get(name, (None, ()))
    return kernel if str(dtype) in dtypes else None


def softmax_cross_entropy(logits: Any, labels: Any, **settings: Any) -> Result:
    """Return the cross entropy of logits and labels, and its slope."""
    return _loss_of_rows(0, logits, labels, **settings)


def cross_entropy(
    probabilities: Any, labels: Any, *, delta: float = 0.0, **settings: Any
) -> Result:
    """Return the cross entropy of probabilities and labels, and its slope."""
    return _loss_of_rows(1, probabilities, labels, delta=delta, **settings)


def _loss_of_rows(
    loss: int,
    values: Any,
    labels: Any,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    delta: float = 0.0,
) -> Result:
    fits = (
        str(labels.dtype) in INTEGERS
        and values.ndim > 0
        and labels.shape == values.shape[:-1]
        and values.size > 0
        and values.shape[-1] < MOST_CLASSES
    )
    if not fits:
        return None
    divisor = values.size // values.shape[-1] if reduction == "mean" else 1
    flags = WANTS_SLOPE * (wanted != "value")
    flags |= WANTS_LOSSES * (reduction == "none" and wanted != "slope")
    flags |= CHECKS_VALUES * (check and not is_perturbed)
    with on_device_of(values):
        losses, slopes, sums = _launch_rows(
            loss, values, labels, flags, 1 / divisor, delta
        )
        total = sums.total(str(values.dtype), divisor, check)
    if total is None:
        return None
    return losses if reduction == "none" else total, slopes


def _launch_rows(
    loss: int, values: Any, labels: Any, flags: int, scale: float, delta: float
) -> tuple[Any, Any, BlockSums]:
    """Return the losses and slopes of rows, empty unless wanted, and sums of losses."""
    kind, classes = str(values.dtype), values.shape[-1]
    count = values.size // classes
    team, threads, blocks = layout(count, classes)
    values = cupy.ascontiguousarray(values)
    labels = cupy.ascontiguousarray(labels)
    slopes = cupy.empty(values.shape if flags & WANTS_SLOPE else 0, values.dtype)
    losses = cupy.empty(values.shape[:-1] if flags & WANTS_LOSSES else 0, _real(kind))
    sums = BlockSums(blocks)
    # Loads of 16 bytes must be aligned, in every row.
    vector = team == 0 and classes % AHEAD == 0 and _address(values) % 16 == 0
    rows_kernel(loss, kind, str(labels.dtype), team, vector)(
        (blocks,),
        (threads,),
        (
            values,
            labels,
            slopes,
            losses,
            *sums.arrays,
            np.int64(count),
            np.int32(classes),
            np.float64(scale),
            np.float64(delta),
            np.float64(FLOATS[kind].eps ** 0.5),
            np.int32(flags),
        ),
    )
    return losses, slopes, sums


def layout(count: int, classes: int) -> tuple[int, int, int]:
    """Return threads of a row (0: a whole block), threads of a block, and blocks."""
    if classes <= SHORT_ROW:
        # Each thread has about four entries, and neighbours read neighbours.
        team = next((t for t in TEAMS if 4 * t >= classes), TEAMS[-1])
        return team, THREADS, min(-(-count * team // THREADS), MOST_BLOCKS)
    threads = THREADS
    while threads < MOST_THREADS and AHEAD * threads < classes:
        threads *= 2
    return 0, threads, min(count, MOST_BLOCKS)


def _real(kind: str) -> Any:
    """Return the dtype that a kernel computes with, the type Real of its source."""
    return np.float64 if kind == "float64" else np.float32


def _address(array: Any) -> int:
    return int(array.data.ptr)


class BlockSums:
    """Sums of losses and counts of broken rules that the blocks of a launch leave."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.arrays = cupy.empty(blocks, np.float64), cupy.empty(blocks, np.int32)

    def total(self, kind: str, divisor: int, check: bool) -> Any:
        """Return their sum over a divisor; None if ``check`` and a rule is broken.

        Only a check waits for the device.
        """
        value, broken = cupy.empty((), _real(kind)), cupy.empty((), np.int32)
        finish_kernel(kind)(
            (1,),
            (FINISH_THREADS,),
            (*self.arrays, np.int32(self.blocks), np.float64(divisor), value, broken),
        )
        return None if check and int(broken) else value


def half_squared_error(prediction: Any, target: Any, **settings: Any) -> Result:
    """Return half the squared errors of rows, and their slope."""
    if prediction.size == 0 or prediction.ndim == 0:
        return None
    rows = prediction.size // prediction.shape[-1]
    return _loss_of_errors(2, prediction, target, rows=rows, **settings)


def mean_squared_error(prediction: Any, target: Any, **settings: Any) -> Result:
    """Return the squared errors and their slope."""
    return _loss_of_errors(0, prediction, target, **settings)


def mean_absolute_error(prediction: Any, target: Any, **settings: Any) -> Result:
    """Return the absolute errors and their slope."""
    return _loss_of_errors(1, prediction, target, **settings)


def _loss_of_errors(
    loss: int,
    prediction: Any,
    target: Any,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    rows: int = 0,
) -> Result:
    count = prediction.size
    fits = (
        reduction != "none"
        and target.dtype == prediction.dtype
        and target.shape == prediction.shape
        and count > 0
    )
    if not fits:
        return None
    kind = str(prediction.dtype)
    divisor = (rows or count) if reduction == "mean" else 1
    blocks = min(-(-count // THREADS), MOST_BLOCKS)
    has_slope = wanted != "value"
    with on_device_of(prediction):
        slopes = cupy.empty(prediction.shape if has_slope else 0, prediction.dtype)
        sums = BlockSums(blocks)
        errors_kernel(loss, kind)(
            (blocks,),
            (THREADS,),
            (
                cupy.ascontiguousarray(prediction),
                cupy.ascontiguousarray(target),
                slopes,
                *sums.arrays,
                np.int64(count),
                np.float64(1 / divisor),
                np.int32(has_slope),
            ),
        )
        halves = 2 if rows else 1
        # No rule of these losses concerns values: nothing waits for the device.
        return sums.total(kind, halves * divisor, check=False), slopes


def confusion_counts(rows: Any, columns: Any, num_classes: int) -> Any:
    """Count each pair of labels, ``(num_classes, num_classes)`` in int64.

    The result is None if a label is out of range, which waits for the device.
    """
    if str(columns.dtype) not in INTEGERS:
        return None
    size = num_classes**2
    shared = 4 * size if 4 * size <= SHARED_BYTES else 0
    with on_device_of(rows):
        counts = cupy.zeros(size + 1, np.int64)
        if rows.size:
            pairs_kernel(str(rows.dtype), str(columns.dtype))(
                (min(-(-rows.size // THREADS), COUNTING_BLOCKS),),
                (THREADS,),
                (
                    cupy.ascontiguousarray(rows),
                    cupy.ascontiguousarray(columns),
                    counts,
                    np.int64(rows.size),
                    np.int32(num_classes),
                    np.int32(shared > 0),
                ),
                shared_mem=shared,
            )
        if int(counts[-1]):
            return None
        return counts[:-1].reshape(num_classes, num_classes)


def perturbed_points(
    base: Any,
    coordinates: Any,
    column_of_entry: Any,
    columns: tuple[Any, ...],
    by_entries: bool,
) -> Any:
    """Return the base with one column moved at a time, ``(offsets * columns, *shape)``.

    ``coordinates`` are the values of all entries when they are moved, ``(offsets,
    *shape)``.
    """
    fits = (
        base.size > 0
        and coordinates.dtype == base.dtype
        and all(str(array.dtype) == "int64" for array in (column_of_entry, *columns))
    )
    if not fits:
        return None
    count = coordinates.shape[0] * columns[0].size
    with on_device_of(base):
        points = cupy.empty((count, *base.shape), base.dtype)
        first, second = (cupy.ascontiguousarray(columns[i]) for i in (0, -1))
        blocks_of_point = min(-(-base.size // THREADS), MOST_BLOCKS)
        points_kernel(str(base.dtype))(
            (blocks_of_point, min(count, MOST_BLOCKS)),
            (THREADS,),
            (
                cupy.ascontiguousarray(base),
                cupy.ascontiguousarray(coordinates),
                cupy.ascontiguousarray(column_of_entry),
                first,
                second,
                points,
                np.int64(base.size),
                np.int64(column_of_entry.size),
                np.int64(first.size),
                np.int64(count),
            ),
        )
    return points


# CuPy keeps what it compiled by the whole source: these caches spare it to be put
# together at each call.
@functools.cache
def rows_kernel(
    loss: int, kind: str, label: str, team: int, vector: bool = False
) -> Any:
    """Return the kernel of losses and slopes of rows."""
    return cupy.RawKernel(cuda.rows_source(loss, kind, label, team, vector), "rows")


@functools.cache
def errors_kernel(loss: int, kind: str) -> Any:
    """Return the kernel of losses and slopes of elements."""
    return cupy.RawKernel(cuda.errors_source(loss, kind), "errors")


@functools.cache
def finish_kernel(kind: str) -> Any:
    """Return the kernel that adds up what the blocks of another one left."""
    return cupy.RawKernel(cuda.finish_source(kind), "finish")


@functools.cache
def points_kernel(kind: str) -> Any:
    """Return the kernel of perturbed points."""
    return cupy.RawKernel(cuda.points_source(kind), "points")


@functools.cache
def pairs_kernel(left: str, right: str) -> Any:
    """Return the kernel of counts of pairs of labels."""
    return cupy.RawKernel(cuda.pairs_source(left, right), "pairs")


# Each with the dtypes that it takes.
KERNELS: dict[str, tuple[Callable[..., Any], Collection[str]]] = {
    "softmax_cross_entropy": (softmax_cross_entropy, FLOATS),
    "cross_entropy": (cross_entropy, FLOATS),
    "half_squared_error": (half_squared_error, FLOATS),
    "mean_squared_error": (mean_squared_error, FLOATS),
    "mean_absolute_error": (mean_absolute_error, FLOATS),
    "confusion_counts": (confusion_counts, INTEGERS),
    "perturbed_points": (perturbed_points, WIDE),
}
