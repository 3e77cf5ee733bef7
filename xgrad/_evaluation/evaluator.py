"""The evaluator of one call: values around a point, in chunks, with a checkpoint."""

from __future__ import annotations

import collections
import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from xgrad._arrays import Array, device_adopter, float_info, from_host, on_device_of
from xgrad._evaluation.checkpoint import Checkpoint
from xgrad._evaluation.checkpoint_file import Pass
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.function import Function
from xgrad._evaluation.loop_warning import Fallback, Reason, warn_of_loop
from xgrad._evaluation.memory import SMALL_BYTES, keep_released_memory
from xgrad._evaluation.points import Points
from xgrad._evaluation.progress import ProgressMeter
from xgrad._evaluation.workers import (
    ChunkTask,
    Store,
    Values,
    evaluate_by_executor,
    evaluate_by_map,
    evaluate_in_turn,
)

INDEX_BYTES = 8
# Chunks that an executor has at a time, for each worker: one that is evaluated and one
# that follows, so that no worker waits and few values do.
WINDOW_PER_WORKER = 2


@dataclass(eq=False)
class Evaluator:
    """Evaluates chunks, and holds the state of one call.

    ``proved`` maps the kinds of points of this call to the function with the way that
    was proved for them; ``may_warn`` is whether a loop is still worth a warning, and
    ``fallback`` says why a chunk was evaluated in a loop, if one was.
    """

    execution: Execution
    meter: ProgressMeter
    workers: Any = None
    checkpoint: Checkpoint | None = None
    may_warn: bool = True
    proved: dict[Any, Function] = field(default_factory=dict)
    fallback: Fallback = field(default_factory=Fallback)

    def warn_once(self, warn: Callable[[Reason], None], reason: Reason) -> None:
        """Warn the caller, unless there was a warning in this call before."""
        if self.may_warn:
            self.may_warn = False
            warn(reason)

    def evaluate_columns(
        self, function: Function, leaf: int, points: Points, base: Array
    ) -> Generator[tuple[int, int, list[Array]], None, None]:
        """Yield the values around one group of columns after the other.

        A group is its first column, the one after its last, and blocks of offsets
        ``(offsets, columns, *shape)``; ``base`` is ``f(x)``.
        """
        most = self._points_per_chunk(function, points, base)
        if min(most, points.total) * points.point_bytes > SMALL_BYTES:
            keep_released_memory()
        task = ChunkTask(function, leaf, points, tuple(base.shape), self.fallback)
        if self.checkpoint is None:
            chunks = list(points.chunks(most)) if points.total else []
            all_values = self._evaluate(task, chunks, None)
        else:
            one_pass = self.checkpoint.next_pass(function, leaf, points, base, most)
            chunks = one_pass.chunks
            all_values = self._evaluate_missing(self.checkpoint, one_pass, task, base)
        blocks: list[Array] = []
        with contextlib.closing(all_values):
            for chunk, values in zip(chunks, all_values, strict=True):
                if self.fallback.reason is not None:
                    self.warn_once(warn_of_loop, self.fallback.reason)
                self.meter.add(chunk.size)
                blocks.append(values)
                if chunk.last == len(points.offsets):
                    yield chunk.start, chunk.stop, blocks
                    blocks = []

    def _points_per_chunk(self, function: Function, points: Points, base: Array) -> int:
        size = float_info(function.xp, base.dtype).size
        point_bytes = points.point_bytes
        if function.width:
            # An entry of the largest array has a value, a difference and positions for
            # a few gathers. Set by trial.
            point_bytes = 2 * function.width * size + 8 * INDEX_BYTES
        point_bytes += math.prod(base.shape) * size
        return self.execution.points_per_chunk(points, function.mode, point_bytes)

    def _evaluate_missing(
        self, checkpoint: Checkpoint, one_pass: Pass, task: ChunkTask, base: Array
    ) -> Values:
        """Yield the values of all chunks; evaluate those that are not in the file."""
        chunks, stored = one_pass.chunks, one_pass.values
        missing = [i for i in range(len(chunks)) if i not in stored]

        def store(number: int, values: Array) -> None:
            if missing[number] not in stored:
                checkpoint.store(one_pass, missing[number], values)

        new = self._evaluate(task, [chunks[i] for i in missing], store)
        to_evaluate = frozenset(missing)
        with contextlib.closing(new):
            for i in range(len(chunks)):
                if i in to_evaluate:
                    next(new)
                # From the file, new values as well: sums depend on the layout, and a
                # call that goes on must return the same bits.
                yield from_host(task.function.xp, stored[i], like=base)
            # Callables like `map` must not return more than one result for each chunk.
            collections.deque(new, maxlen=0)

    def _evaluate(
        self, task: ChunkTask, chunks: list[Chunk], store: Store | None
    ) -> Values:
        """Yield the values of chunks in order; ``store`` gets them as they arrive."""
        if self.workers is None:
            return evaluate_in_turn(task, chunks, store)
        if hasattr(self.workers, "submit"):
            window = WINDOW_PER_WORKER * self.execution.worker_count
            own_threads = isinstance(self.execution.workers, int)
            return evaluate_by_executor(
                self.workers, task, chunks, store, window, own_threads
            )
        return evaluate_by_map(self.workers, task, chunks, store)


@contextlib.contextmanager
def open_evaluator(
    execution: Execution,
    x: Array,
    each: int = 1,
    *,
    silent: bool = False,
    checkpoint: contextlib.AbstractContextManager[Checkpoint] | None = None,
    fallback: Fallback | None = None,
) -> Iterator[Evaluator]:
    """Yield the evaluator of one call on the device of ``x``, with its own threads.

    One evaluation counts as ``each`` of the caller's function. A ``silent`` evaluator
    does not warn of functions that are called with one point at a time. ``fallback``
    says whether the call has come to that before.
    """
    meter = ProgressMeter(execution.progress, each)
    workers = execution.workers
    try:
        with on_device_of(x), contextlib.ExitStack() as stack:
            file = None if checkpoint is None else stack.enter_context(checkpoint)
            if isinstance(workers, int):
                workers = ThreadPoolExecutor(workers, "xgrad", device_adopter(x))
                stack.enter_context(workers)
            yield Evaluator(
                execution,
                meter,
                workers,
                file,
                may_warn=not silent,
                fallback=fallback or Fallback(),
            )
    finally:
        meter.close()
