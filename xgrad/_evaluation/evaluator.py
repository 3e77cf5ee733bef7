"""Evaluates a function around a point: chunks, one after the other or by workers."""

from __future__ import annotations

import collections
import contextlib
import functools
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    device_adopter,
    float_info,
    from_host,
    is_out_of_memory,
    on_device_of,
)
from xgrad._evaluation.checkpoint import Checkpoint, Pass
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.function import Function
from xgrad._evaluation.points import Chunk, Points
from xgrad._evaluation.progress import Meter

Results = Generator[Array, None, None]
Keep = Callable[[int, Array], None]

# At most 32 MiB count for the limits from which glibc returns memory to the system.
RELEASED_BYTES = 31 * 2**20
# Temporaries below this size are never mapped.
SMALL_BYTES = 64 * 2**10
INDEX_BYTES = 8


@functools.cache
def _keep_released_memory() -> None:
    """Let glibc keep what is released, instead of giving it back to the system.

    Giving back one block of this size raises its limits for the rest of the process.
    Without it the temporaries of a large ``f`` may be mapped anew at every call, which
    takes longer than ``f`` itself.
    """
    np.empty(RELEASED_BYTES, dtype=np.uint8)


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
                if chunk.size == 1 or not is_out_of_memory(error):
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
    # What has been found out in this call about plain functions.
    chosen: dict[Any, Function] = field(default_factory=dict)
    kept: Checkpoint | None = None
    told: list[str] = field(default_factory=list)

    def groups(
        self, function: Function, leaf: int, points: Points, base: Array
    ) -> Generator[tuple[int, int, list[Array]], None, None]:
        """Values around groups of columns, ``(offsets, columns, *shape)``.

        In blocks of offsets, with the first column and the one after the last.
        ``base`` is ``f(x)``.
        """
        xp, shape = function.xp, tuple(base.shape)
        size = float_info(xp, base.dtype).size
        point_bytes = points.point_bytes
        if function.width:
            # A few arrays of the largest size, and positions.
            point_bytes = 2 * function.width * size + 8 * INDEX_BYTES
        point_bytes += math.prod(shape) * size
        fitting = self.execution.fitting(points, function.mode, point_bytes)
        if min(fitting, points.total) * points.point_bytes > SMALL_BYTES:
            _keep_released_memory()
        task = Task(function, leaf, points, shape)
        if self.kept is None:
            chunks = list(points.chunks(fitting)) if points.total else []
            results = self._evaluated(task, chunks, _ignored)
        else:
            part = self.kept.next_pass(function, leaf, points, base, fitting)
            chunks = part.chunks
            results = self._kept_or_evaluated(self.kept, part, task, base)
        found: list[Array] = []
        with contextlib.closing(results):
            for chunk, values in zip(chunks, results, strict=True):
                self.meter.add(chunk.size)
                found.append(values)
                if chunk.last == len(points.offsets):
                    yield chunk.start, chunk.stop, found
                    found = []

    def _kept_or_evaluated(
        self, kept: Checkpoint, part: Pass, task: Task, base: Array
    ) -> Results:
        """The values of all chunks, of which only the missing ones are evaluated."""
        missing = [i for i in range(len(part.chunks)) if i not in part.values]

        def keep(number: int, values: Array) -> None:
            if missing[number] not in part.values:
                kept.keep(part, missing[number], values)

        chunks = [part.chunks[i] for i in missing]
        new = self._evaluated(task, chunks, keep)
        to_do = frozenset(missing)
        with contextlib.closing(new):
            for i in range(len(part.chunks)):
                if i in to_do:
                    next(new)
                # What was kept has one layout, and so have the sums made of it.
                yield from_host(task.function.xp, part.values[i], like=base)
            collections.deque(new, maxlen=0)  # more than there should be, perhaps

    def _evaluated(self, task: Task, chunks: list[Chunk], keep: Keep) -> Results:
        """Values of the chunks in order; ``keep(number, values)`` gets them early."""
        if self.workers is None:
            return _in_turn(task, chunks, keep)
        if hasattr(self.workers, "submit"):
            return self._submitted(task, chunks, keep)
        return _mapped(self.workers, task, chunks, keep)

    def _submitted(self, task: Task, chunks: list[Chunk], keep: Keep) -> Results:
        # A window, so that no more results wait than there are workers to make them.
        waiting: Waiting = collections.deque()
        width = 2 * self.execution.worker_count
        try:
            for number, chunk in enumerate(chunks):
                future = self.workers.submit(task, chunk)
                if not hasattr(future, "result"):
                    raise TypeError(
                        "`workers.submit` must return a future, as that of an "
                        f"Executor does; got {type(future).__name__}"
                    )
                waiting.append(_Awaited(number, future))
                if len(waiting) >= width:
                    _keep_finished(waiting, keep)
                    yield waiting[0].result(keep)
                    waiting.popleft()
            while waiting:
                _keep_finished(waiting, keep)
                yield waiting[0].result(keep)
                waiting.popleft()
        finally:
            for awaited in waiting:
                awaited.future.cancel()
            if waiting and keep is not _ignored:
                if isinstance(self.execution.workers, int):
                    # Threads finish what they have begun: it need not be lost.
                    wait([awaited.future for awaited in waiting])
                _keep_finished(waiting, keep)


def _ignored(number: int, values: Array) -> None:
    """Nothing is kept."""


@dataclass
class _Awaited:
    """A chunk that a worker has, or has finished."""

    number: int
    future: Any
    kept: bool = False

    def result(self, keep: Keep) -> Array:
        """Its values, kept once."""
        values = self.future.result()
        if not self.kept:
            self.kept = True
            keep(self.number, values)
        return values


Waiting = collections.deque[_Awaited]


def _keep_finished(waiting: Waiting, keep: Keep) -> None:
    """Keep results that have arrived before it is their turn."""
    if keep is _ignored:
        return
    for awaited in waiting:
        future = awaited.future
        ready = not awaited.kept and future.done() and not future.cancelled()
        if ready and future.exception() is None:
            awaited.result(keep)


def _in_turn(task: Task, chunks: list[Chunk], keep: Keep) -> Results:
    limit = max((chunk.size for chunk in chunks), default=1)
    for number, chunk in enumerate(chunks):
        values, limit = task.within(chunk, limit)
        keep(number, values)
        yield values


def _mapped(
    workers: Callable[..., Iterable[Any]], task: Task, chunks: list[Chunk], keep: Keep
) -> Results:
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
        if count > len(chunks):  # at once: there may be no end of them
            break
        keep(count - 1, values)
        yield values
    if count != len(chunks):
        raise ValueError(
            f"`workers` returned {count} results for {len(chunks)} chunks: it must "
            "return one for each, in order, as `map` does"
        )


@contextlib.contextmanager
def runner(
    execution: Execution,
    x: Array,
    each: int = 1,
    *,
    silent: bool = False,
    kept: contextlib.AbstractContextManager[Checkpoint] | None = None,
) -> Iterator[Runner]:
    """What evaluates chunks, with threads of its own if a number of them is given.

    ``silent`` ones do not warn of functions that are called one point at a time; in
    ``kept`` are chunks that are finished.
    """
    meter = Meter(execution.progress, each)
    workers = execution.workers
    try:
        with on_device_of(x), contextlib.ExitStack() as stack:
            checkpoint = None if kept is None else stack.enter_context(kept)
            if isinstance(workers, int):
                workers = ThreadPoolExecutor(workers, "xgrad", device_adopter(x))
                stack.enter_context(workers)
            told = ["silent"] if silent else []
            yield Runner(execution, meter, workers, told=told, kept=checkpoint)
    finally:
        meter.close()
