"""Runs the caller's function. Nothing else in xgrad does."""

from __future__ import annotations

import collections
import contextlib
import functools
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xgrad._array import (
    Array,
    Portable,
    adopt_place,
    as_complex,
    as_float,
    common_namespace,
    float_info,
    free_gpu_bytes,
    from_host,
    integer,
    is_complex,
    on_device_of,
    one_of,
    out_of_memory,
    perturbed,
    quiet,
    wide_dtype,
)
from xgrad._points import Chunk, Points
from xgrad._tree import rebuild

Vectorized = Literal["auto"] | bool
Progress = bool | Callable[[int, int], Any]
Workers = int | Executor | Callable[..., Iterable[Any]] | None

# Near the size of a second-level cache: larger chunks of points only move more memory.
CPU_BYTES = 2 * 2**20
# At most 32 MiB count for the limits from which glibc returns memory to the system.
RELEASED_BYTES = 31 * 2**20
# Temporaries below this size are never mapped.
SMALL_BYTES = 64 * 2**10
# A loop gains nothing from more points at once than it needs to hide their building.
LOOP_BYTES = 64 * 2**20
# Chunks for each worker: enough of them that none waits long for the last one.
CHUNKS_PER_WORKER = 4


@dataclass(frozen=True)
class Execution:
    """How to run a function: many points a call or one, in how much memory, where."""

    vectorized: Vectorized = "auto"
    max_bytes: int | None = None
    workers: Workers = None
    progress: Progress = False

    def __post_init__(self) -> None:
        one_of("vectorized", self.vectorized, ("auto", True, False))
        if self.max_bytes is not None:
            integer("max_bytes", self.max_bytes, least=1)
        if not (isinstance(self.progress, bool) or callable(self.progress)):
            raise TypeError(
                "`progress` must be True, False or a callable (done, total); got "
                f"{self.progress!r}"
            )
        workers = self.workers
        if isinstance(workers, int):
            integer("workers", workers, least=1)
        elif not (workers is None or hasattr(workers, "submit") or callable(workers)):
            raise TypeError(
                "`workers` must be a number of threads, a concurrent.futures.Executor "
                f"or a callable like `map`; got {workers!r}"
            )

    @property
    def batched(self) -> bool:
        """Whether ``f`` takes a leading axis of points."""
        return self.vectorized != "auto" and bool(self.vectorized)

    @property
    def worker_count(self) -> int:
        """How many chunks may run at once, as far as one can tell."""
        if self.workers is None or isinstance(self.workers, int):
            return self.workers or 1
        known = getattr(self.workers, "_max_workers", None)
        return known if isinstance(known, int) else os.cpu_count() or 1

    def fitting(self, points: Points, result_bytes: int) -> int:
        """How many points to build at once."""
        free = None
        if self.max_bytes is not None:
            budget = self.max_bytes
        else:
            free = free_gpu_bytes(points.base)
            budget = CPU_BYTES if free is None else free // 4
            if free is not None and not self.batched:
                budget = min(budget, LOOP_BYTES)
        if self.max_bytes is not None or free is not None:
            budget //= self.worker_count  # all of them at once stay within it
        fitting = max(1, budget // max(1, points.point_bytes + result_bytes))
        if self.workers is not None:
            share = math.ceil(points.total / (CHUNKS_PER_WORKER * self.worker_count))
            fitting = min(fitting, max(1, share))
        return fitting


class Meter:
    """Counts evaluations of ``f``, and shows how many are done of how many.

    ``each`` is how many evaluations of the caller's function one of ``f`` takes.
    """

    def __init__(self, progress: Progress, each: int = 1) -> None:
        self.total = 0
        self.done = 0
        self._each = each
        self._report = progress if callable(progress) else None
        self._bar = _bar() if progress is True else None

    def expect(self, count: int) -> None:
        """So many more will be done."""
        self.total += count * self._each
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.refresh()

    def add(self, count: int) -> None:
        """So many more are done."""
        count *= self._each
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        if self._report is not None:
            self._report(self.done, self.total)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def _bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError(
            "progress=True needs tqdm: install xgrad[progress], or give a callable "
            "(done, total)"
        ) from None
    return tqdm(total=0, unit=" evaluations", unit_scale=True)


@functools.cache
def _keep_released_memory() -> None:
    """Let glibc keep what is released, instead of giving it back to the system.

    Giving back one block of this size raises its limits for the rest of the process.
    Without it the temporaries of a large ``f`` may be mapped anew at every call, which
    takes longer than ``f`` itself.
    """
    np.empty(RELEASED_BYTES, dtype=np.uint8)


# The function at one place or at many


@dataclass(frozen=True)
class Function(Portable):
    """The caller's function of a tree of arrays, and the arrays it is evaluated at.

    ``leaves`` are the arrays of ``tree`` as floats; they are never handed out, only
    copies of them, so that a function that writes into its argument harms nobody.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    leaves: tuple[Array, ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.leaves[0]

    def complex(self) -> Function:
        """The same function of complex arrays."""
        leaves = tuple(as_complex(self.xp, leaf) for leaf in self.leaves)
        return replace(self, leaves=leaves)

    def at_base(self) -> Array:
        """``f(x)``, evaluated as the caller would, with the caller's warnings."""
        if self.batched:
            value = self.values(self._copies(lambda leaf: leaf[None, ...]))
            return _first_of_one(value)
        return self.values(self._copies(lambda leaf: leaf))

    def at(self, moved: Array) -> Array:
        """``f`` at one other point, for a function of a single array."""
        with elsewhere():
            if self.batched:
                return _first_of_one(self.values([moved[None, ...]]))
            return self.values([moved])

    def at_points(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        """Values at the points of a chunk of one leaf, ``(offsets, columns, *shape)``.

        ``shape`` is the shape of ``f(x)``, which every other value must have.
        """
        run = self._together if self.batched else self._one_by_one
        with on_device_of(points.base), elsewhere():
            values = run(leaf, points, chunk, shape)
        lead = chunk.last - chunk.first, chunk.stop - chunk.start
        return self.xp.reshape(values, (*lead, *shape))

    def _together(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        batch, count = points.batch(chunk), chunk.size
        others = self._copies(
            lambda x: self.xp.broadcast_to(x[None, ...], (count, *x.shape)), but=leaf
        )
        others[leaf] = batch
        try:
            values = self.values(others)
        except Exception as error:
            error.add_note(_note(points, chunk, None))
            raise
        if tuple(values.shape) != (count, *shape):
            raise ValueError(
                f"with vectorized=True `f` was given {count} points along a leading "
                f"axis and must return shape {(count, *shape)}, but returned "
                f"{tuple(values.shape)}: let `f` keep the first axis, or leave "
                "`vectorized` out"
            )
        return values

    def _one_by_one(
        self, leaf: int, points: Points, chunk: Chunk, shape: tuple[int, ...]
    ) -> Array:
        values = []
        batch = points.batch(chunk)
        for i in range(chunk.size):
            others = self._copies(lambda x: x, but=leaf)
            others[leaf] = batch[i, ...]
            try:
                value = self.values(others)
            except Exception as error:
                error.add_note(_note(points, chunk, i))
                raise
            if tuple(value.shape) != shape:
                raise ValueError(
                    f"`f` returned shape {shape} at x, but shape {tuple(value.shape)} "
                    "beside it: its result must have one shape everywhere"
                )
            values.append(value)
        return values[0] if len(values) == 1 else self.xp.stack(values, axis=0)

    def _copies(self, view: Callable[[Array], Array], but: int = -1) -> list[Any]:
        """Fresh arguments for one call; the leaf that is moved is filled in later."""
        return [
            None if i == but else view(self.xp.asarray(leaf, copy=True))
            for i, leaf in enumerate(self.leaves)
        ]

    def values(self, arguments: list[Array]) -> Array:
        """What ``f`` gives for one array for each leaf."""
        return self.taken(self.call(rebuild(self.tree, arguments)))

    def taken(self, result: Any) -> Array:
        """A result of ``f`` as numbers of the namespace, in memory of its own.

        It is copied, since ``f`` may hand out one buffer again and again.
        """
        like = self.leaves[0]
        if type(result) is type(like) and result.dtype == like.dtype:
            return self.xp.asarray(result, copy=True)
        if isinstance(result, (bool, int, float)) and not is_complex(self.xp, like):
            wide = wide_dtype(self.xp, like)
            return from_host(self.xp, float(result), like=like, dtype=wide)
        if isinstance(result, (float, complex)) and is_complex(self.xp, like):
            result = from_host(self.xp, result, like=like)
        try:
            found = common_namespace(**{"the result of f": result})
        except TypeError as error:
            raise TypeError(
                f"`f` must return an array or a number, but returned a "
                f"{type(result).__name__}: {error}"
            ) from None
        if found is not self.xp:
            raise TypeError(
                f"`f` was given arrays of {self.xp.__name__} but returned a "
                f"{type(result).__name__}: compute the result with the functions of "
                "the array's own library"
            )
        common_namespace(**{"the result of f": result, "x": like})
        if not is_complex(self.xp, like):
            values = as_float(self.xp, "the result of f", result)
            return self.xp.asarray(values, copy=True) if values is result else values
        if not is_complex(self.xp, result):
            raise TypeError(
                "with method='complex' `f` was given complex numbers but returned "
                f"{result.dtype}: it drops the imaginary part (as abs, real and "
                "comparisons do), so that its derivative is lost; use another method"
            )
        return self.xp.asarray(result, copy=True)


def _first_of_one(values: Array) -> Array:
    if values.ndim == 0 or values.shape[0] != 1:
        raise ValueError(
            "with vectorized=True `f` was given one point along a leading axis and "
            f"returned shape {tuple(values.shape)}: it must keep that axis of length 1"
        )
    return values[0, ...]


class elsewhere:  # noqa: N801 (a context, used like a function)
    """The caller did not choose these points: no warnings, no checks of predictions."""

    def __enter__(self) -> None:
        self._token = perturbed.set(True)
        self._quiet = quiet()
        self._quiet.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._quiet.__exit__(*exception)
        perturbed.reset(self._token)


def _note(points: Points, chunk: Chunk, position: int | None) -> str:
    """Where ``f`` was being evaluated, to add to its exception."""
    row, column = divmod(position or 0, chunk.stop - chunk.start)
    offset = points.offsets[chunk.first + row]
    try:
        where = points.describe(chunk.start + column, offset)
    except Exception:  # reading a device that has just failed
        where = f"column {chunk.start + column} of {points.name}, {offset} steps"
    if position is None and chunk.size > 1:
        where = f"{chunk.size} points at once, the first with {where}"
    return f"xgrad was evaluating `f` at {where}"


# Chunks, one after the other or elsewhere


@dataclass(frozen=True)
class Task:
    """What a worker needs to evaluate any chunk of the points of one leaf."""

    function: Function
    leaf: int
    points: Points
    shape: tuple[int, ...]

    def __call__(self, chunk: Chunk) -> Array:
        """Values at the points of a chunk, ``(offsets, columns, *shape)``."""
        return self.within(chunk, chunk.size)[0]

    def within(self, chunk: Chunk, limit: int) -> tuple[Array, int]:
        """The values, evaluated in pieces of at most ``limit`` points.

        A piece for which memory runs out is halved; returns what is left of the limit.
        """
        if chunk.size <= limit:
            try:
                return self._at(chunk), limit
            except Exception as error:
                if chunk.size == 1 or not out_of_memory(error):
                    raise
            # Here the exception, whose traceback held the arrays of `f`, is gone.
            limit = chunk.size // 2
        first, second = chunk.halves()
        left, limit = self.within(first, limit)
        right, limit = self.within(second, limit)
        axis = 1 if first.start != second.start else 0
        return self.function.xp.concat([left, right], axis=axis), limit

    def _at(self, chunk: Chunk) -> Array:
        return self.function.at_points(self.leaf, self.points, chunk, self.shape)


@dataclass(frozen=True)
class Runner:
    """Evaluates chunks: in this thread, or by the workers of an execution."""

    execution: Execution
    meter: Meter
    workers: Any = None

    def groups(
        self, function: Function, leaf: int, points: Points, base: Array
    ) -> Iterator[tuple[int, int, list[Array]]]:
        """Values around groups of columns, ``(offsets, columns, *shape)``.

        In blocks of offsets, with the first column and the one after the last.
        ``base`` is ``f(x)``.
        """
        xp, shape = function.xp, tuple(base.shape)
        result_bytes = math.prod(shape) * float_info(xp, base.dtype).size
        fitting = self.execution.fitting(points, result_bytes)
        if min(fitting, points.total) * points.point_bytes > SMALL_BYTES:
            _keep_released_memory()
        chunks = list(points.chunks(fitting)) if points.total else []
        task = Task(function, leaf, points, shape)
        run = self._in_turn if self.workers is None else self._by_workers
        found: list[Array] = []
        with contextlib.closing(run(task, chunks)) as results:
            for chunk, values in zip(chunks, results, strict=True):
                self.meter.add(chunk.size)
                found.append(values)
                if chunk.last == len(points.offsets):
                    yield chunk.start, chunk.stop, found
                    found = []

    @staticmethod
    def _in_turn(task: Task, chunks: list[Chunk]) -> Generator[Array, None, None]:
        limit = max((chunk.size for chunk in chunks), default=1)
        for chunk in chunks:
            values, limit = task.within(chunk, limit)
            yield values

    def _by_workers(
        self, task: Task, chunks: list[Chunk]
    ) -> Generator[Array, None, None]:
        if not hasattr(self.workers, "submit"):
            yield from _mapped(self.workers, task, chunks)
            return
        # A window, so that no more results wait than there are workers to make them.
        waiting: collections.deque[Any] = collections.deque()
        width = 2 * self.execution.worker_count
        try:
            for chunk in chunks:
                waiting.append(self.workers.submit(task, chunk))
                if len(waiting) >= width:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _mapped(
    workers: Callable[..., Iterable[Any]], task: Task, chunks: list[Chunk]
) -> Iterator[Array]:
    """Results of a callable like ``map``: as many as there are chunks."""
    results = workers(task, chunks)
    if not isinstance(results, Iterable):
        raise TypeError(
            "`workers` must return the results of `workers(function, chunks)` in "
            f"order, as `map` does, but returned a {type(results).__name__}"
        )
    count = 0
    for values in results:
        count += 1
        yield values
    if count != len(chunks):
        raise ValueError(
            f"`workers` returned {count} results for {len(chunks)} chunks: it must "
            "return one for each, in order, as `map` does"
        )


@contextlib.contextmanager
def runner(execution: Execution, x: Array, each: int = 1) -> Iterator[Runner]:
    """What evaluates chunks, with threads of its own if a number of them is given."""
    meter = Meter(execution.progress, each)
    workers = execution.workers
    try:
        with on_device_of(x), contextlib.ExitStack() as stack:
            if isinstance(workers, int):
                workers = ThreadPoolExecutor(workers, "xgrad", adopt_place(x))
                stack.enter_context(workers)
            yield Runner(execution, meter, workers)
    finally:
        meter.close()
