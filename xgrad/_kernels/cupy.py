"""CuPy: losses and counts in two launches, whatever the number of rows and classes.

The first kernel reads the arguments once for the sum of the losses, and a second time,
mostly from the cache, for the slope; labels are checked on the way. Each block leaves
its part of the sum, in float64, and the second kernel adds these up in a fixed order:
results are the same from run to run. Sources are in the ``.cu`` files beside this
module; a kernel is compiled when it is first called. Arrays that are not contiguous are
copied first, which is one launch more.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from xgrad._arrays import on_device_of

# How a kernel stores numbers and computes with them: KIND, Stored, Real; their eps.
FLOATS = {
    "float16": (1, "unsigned short", "float", 2.0**-10),
    "bfloat16": (2, "unsigned short", "float", 2.0**-7),
    "float32": (0, "float", "float", 2.0**-23),
    "float64": (0, "double", "double", 2.0**-52),
}
WIDE = ("float32", "float64")
INTEGERS = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
}
# Rows up to this length are shared by the threads of a warp, longer ones by a block.
SHORT = 1024
# Threads that share a short row.
TEAMS = (4, 16, 32)
THREADS = 256
# Threads of a block that shares a long row: as many as there are registers for, and two
# blocks fit on a multiprocessor.
MOST_THREADS = 512
FINISH_THREADS = 1024
# Entries that a thread reads at once, AHEAD in the sources.
AHEAD = 8
# Blocks of one launch; more rows than they have threads for are taken in turns.
MOST_BLOCKS = 8192
# The same where each block ends by adding its counts to those of all.
COUNTING_BLOCKS = 512
# Bytes of shared memory that every GPU has.
SHARED = 48 * 1024
# A kernel numbers the classes, with some to spare, in 32 bits.
MOST_CLASSES = 2**30
WANTS_SLOPE, WANTS_LOSSES, CHECKS_VALUES = 1, 2, 4


def find(name: str, dtype: Any) -> Callable[..., Any] | None:
    """The kernel of this name, if it takes numbers of this dtype."""
    if cupy.cuda.runtime.is_hip:  # the sources are written for warps of 32 threads
        return None
    kernel, dtypes = KERNELS.get(name, (None, ()))
    return kernel if str(dtype) in dtypes else None


# Rows of classes


def softmax_cross_entropy(
    logits: Any, labels: Any, **settings: Any
) -> tuple[Any, Any] | None:
    """Cross entropy of logits and labels."""
    return _of_rows(0, logits, labels, **settings)


def cross_entropy(
    probabilities: Any, labels: Any, *, delta: float = 0.0, **settings: Any
) -> tuple[Any, Any] | None:
    """Cross entropy of probabilities and labels."""
    return _of_rows(1, probabilities, labels, delta=delta, **settings)


def _of_rows(
    loss: int,
    values: Any,
    labels: Any,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    delta: float = 0.0,
) -> tuple[Any, Any] | None:
    fits = (
        str(labels.dtype) in INTEGERS
        and values.ndim > 0
        and labels.shape == values.shape[:-1]
        and values.size > 0
        and values.shape[-1] < MOST_CLASSES
    )
    if not fits:
        return None
    classes = values.shape[-1]
    count = values.size // classes
    divisor = count if reduction == "mean" else 1
    team, threads, blocks = layout(count, classes)
    kind = str(values.dtype)
    real = np.float64 if kind == "float64" else np.float32
    flags = WANTS_SLOPE * (wanted != "value")
    flags |= WANTS_LOSSES * (reduction == "none" and wanted != "slope")
    flags |= CHECKS_VALUES * (check and not is_perturbed)
    with on_device_of(values):
        values = cupy.ascontiguousarray(values)
        labels = cupy.ascontiguousarray(labels)
        slopes = cupy.empty(values.shape if flags & WANTS_SLOPE else 0, values.dtype)
        shape = values.shape[:-1] if flags & WANTS_LOSSES else 0
        losses = cupy.empty(shape, real)
        parts = _Parts(blocks)
        vector = team == 0 and classes % AHEAD == 0 and _address(values) % 16 == 0
        kernel = rows_kernel(loss, kind, str(labels.dtype), team, vector)
        kernel(
            (blocks,),
            (threads,),
            (
                values,
                labels,
                slopes,
                losses,
                *parts.arrays,
                np.int64(count),
                np.int32(classes),
                np.float64(1 / divisor),
                np.float64(delta),
                np.float64(FLOATS[kind][-1] ** 0.5),
                np.int32(flags),
            ),
        )
        total = parts.total(kind, real, divisor, check)
    if total is None:
        return None
    return losses if reduction == "none" else total, slopes


def _address(array: Any) -> int:
    return int(array.data.ptr)


def layout(count: int, classes: int) -> tuple[int, int, int]:
    """Threads of a row (0: a whole block), threads of a block, and blocks."""
    if classes <= SHORT:
        # Each thread has about four entries, and neighbours read neighbours.
        team = next((t for t in TEAMS if 4 * t >= classes), TEAMS[-1])
        return team, THREADS, min(-(-count * team // THREADS), MOST_BLOCKS)
    threads = THREADS
    while threads < MOST_THREADS and AHEAD * threads < classes:
        threads *= 2
    return 0, threads, min(count, MOST_BLOCKS)


class _Parts:
    """What the blocks of a launch leave, and its sum."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.arrays = cupy.empty(blocks, np.float64), cupy.empty(blocks, np.int32)

    def total(self, kind: str, real: Any, divisor: int, check: bool) -> Any:
        """The sum over a divisor; None where something is bad, and that is checked."""
        value, found = cupy.empty((), real), cupy.empty((), np.int32)
        finish_kernel(kind)(
            (1,),
            (FINISH_THREADS,),
            (*self.arrays, np.int32(self.blocks), np.float64(divisor), value, found),
        )
        return None if check and int(found) else value


# Errors of elements


def half_squared_error(
    prediction: Any, target: Any, **settings: Any
) -> tuple[Any, Any] | None:
    """Half the squared errors of rows."""
    if prediction.size == 0 or prediction.ndim == 0:
        return None
    rows = prediction.size // prediction.shape[-1]
    return _of_errors(2, prediction, target, rows=rows, **settings)


def mean_squared_error(
    prediction: Any, target: Any, **settings: Any
) -> tuple[Any, Any] | None:
    """Squared errors."""
    return _of_errors(0, prediction, target, **settings)


def mean_absolute_error(
    prediction: Any, target: Any, **settings: Any
) -> tuple[Any, Any] | None:
    """Absolute errors."""
    return _of_errors(1, prediction, target, **settings)


def _of_errors(
    loss: int,
    prediction: Any,
    target: Any,
    *,
    wanted: str,
    reduction: str,
    check: bool,
    is_perturbed: bool,
    rows: int = 0,
) -> tuple[Any, Any] | None:
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
    slope = wanted != "value"
    with on_device_of(prediction):
        slopes = cupy.empty(prediction.shape if slope else 0, prediction.dtype)
        parts = _Parts(blocks)
        errors_kernel(loss, kind)(
            (blocks,),
            (THREADS,),
            (
                cupy.ascontiguousarray(prediction),
                cupy.ascontiguousarray(target),
                slopes,
                *parts.arrays,
                np.int64(count),
                np.float64(1 / divisor),
                np.int32(slope),
            ),
        )
        real = np.float64 if kind == "float64" else np.float32
        halves = 2 if rows else 1
        return parts.total(kind, real, halves * divisor, False), slopes


# Counts


def confusion_counts(rows: Any, columns: Any, num_classes: int) -> Any:
    """How often each pair of labels occurs, in int64; None where one is bad."""
    if str(columns.dtype) not in INTEGERS:
        return None
    size = num_classes**2
    shared = 4 * size if 4 * size <= SHARED else 0
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


# Points of a derivative


def perturbed_points(
    base: Any,
    positions: Any,
    labels: Any,
    columns: tuple[Any, ...],
    by_entries: bool,
) -> Any:
    """Base with the entries of one column moved, ``(offsets * columns, *shape)``."""
    fits = (
        base.size > 0
        and positions.dtype == base.dtype
        and all(str(array.dtype) == "int64" for array in (labels, *columns))
    )
    if not fits:
        return None
    count = positions.shape[0] * columns[0].size
    with on_device_of(base):
        points = cupy.empty((count, *base.shape), base.dtype)
        first, second = (cupy.ascontiguousarray(columns[i]) for i in (0, -1))
        along = min(-(-base.size // THREADS), MOST_BLOCKS)
        points_kernel(str(base.dtype))(
            (along, min(count, MOST_BLOCKS)),
            (THREADS,),
            (
                cupy.ascontiguousarray(base),
                cupy.ascontiguousarray(positions),
                cupy.ascontiguousarray(labels),
                first,
                second,
                points,
                np.int64(base.size),
                np.int64(labels.size),
                np.int64(first.size),
                np.int64(count),
            ),
        )
    return points


# Kernels


def rows_kernel(
    loss: int, kind: str, label: str, team: int, vector: bool = False
) -> Any:
    """Losses and slopes of rows."""
    head = f"typedef {INTEGERS[label]} Label;\n#define TEAM {team}\n"
    head += f"#define VECTOR {int(vector)}\n#define LOSS {loss}\n"
    return _kernel("rows", kind, head)


def errors_kernel(loss: int, kind: str) -> Any:
    """Losses and slopes of elements."""
    return _kernel("errors", kind, f"#define LOSS {loss}\n")


def finish_kernel(kind: str) -> Any:
    """The sum of what the blocks of another kernel left."""
    return _kernel("finish", kind, "")


def points_kernel(kind: str) -> Any:
    """Points of a derivative."""
    return _kernel("points", kind, "")


@functools.cache
def pairs_kernel(left: str, right: str) -> Any:
    """Counts of pairs of labels."""
    head = f"typedef {INTEGERS[left]} Left;\ntypedef {INTEGERS[right]} Right;\n"
    return cupy.RawKernel(head + _source("pairs"), "pairs")


@functools.cache
def _kernel(name: str, kind: str, head: str) -> Any:
    number, stored, real, _ = FLOATS[kind]
    types = f"typedef {stored} Stored;\ntypedef {real} Real;\n#define KIND {number}\n"
    body = "" if name == "finish" else _source(name)
    return cupy.RawKernel(types + head + _source("common") + body, name)


@functools.cache
def _source(name: str) -> str:
    return Path(__file__).with_name(f"{name}.cu").read_text(encoding="utf-8")


def all_kernels() -> dict[str, Any]:
    """Every kernel that there is, apart from some pairs of labels of two dtypes."""
    return {" ".join(map(str, key)): kernel for key, kernel in _all_kernels()}


def _all_kernels() -> Iterator[tuple[tuple[Any, ...], Any]]:
    for kind in FLOATS:
        yield ("finish", kind), finish_kernel(kind)
        for loss in (0, 1, 2):
            yield ("errors", loss, kind), errors_kernel(loss, kind)
    for loss, kind, label, team in itertools.product(
        (0, 1), FLOATS, INTEGERS, (0, *TEAMS)
    ):
        # What depends on the label does not depend on the rest.
        if label == "int64" or (kind == "float32" and team == 4):
            for vector in (False, True)[: 1 + (team == 0)]:
                key = loss, kind, label, team, vector
                yield ("rows", *key), rows_kernel(*key)
    for kind in WIDE:
        yield ("points", kind), points_kernel(kind)
    for label in INTEGERS:
        yield ("pairs", label, "int64"), pairs_kernel(label, "int64")
        yield ("pairs", "uint8", label), pairs_kernel("uint8", label)


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
