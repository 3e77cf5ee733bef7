"""The evaluator of one call: values around a point, in chunks, with a checkpoint."""

from __future__ import annotations

import collections
import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from xgrad._arrays import (
    Array,
    device_adopter,
    float_info,
    from_host,
    is_numpy,
    on_device_of,
)
from xgrad._evaluation.checkpoint import Checkpoint
from xgrad._evaluation.checkpoint_file import Pass
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.function import Function
from xgrad._evaluation.loop_warning import Fallback, Reason, warn_of_loop
from xgrad._evaluation.memory import SMALL_BYTES, keep_released_memory
from xgrad._evaluation.points import Points
from xgrad._evaluation.progress import ProgressMeter
from xgrad._evaluation.ways import at_proved_points
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
    was proved for them; ``silent`` is whether loops are worth no warning, ``may_warn``
    whether there was none so far, and ``fallback`` says why a chunk was evaluated in a
    loop, if one was. ``first_values`` are those of the chunk by which a way was proved.
    """

    execution: Execution
    meter: ProgressMeter
    workers: Any = None
    checkpoint: Checkpoint | None = None
    silent: bool = False
    may_warn: bool = True
    proved: dict[Any, Function] = field(default_factory=dict)
    fallback: Fallback = field(default_factory=Fallback)
    first_values: tuple[Points, Chunk, Array] | None = None

    def warn_once(self, warn: Callable[[Reason], None], reason: Reason) -> None:
        """Warn the caller, unless there was a warning in this call before.

        An error of xgrad is heard of in silent calls, too.
        """
        if self.may_warn and not (self.silent and not reason.is_fault):
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
            all_values = self._evaluate_rest(task, chunks)
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

    def begin(self, function: Function, leaf: int, points: Points, base: Array) -> bool:
        """Evaluate and prove the first chunk; return whether that went well.

        Its values stay for `evaluate_columns`. Only in this thread and without a
        checkpoint, and of NumPy arrays, which take no time to compare.
        """
        if not (self.is_plain and is_numpy(function.xp)):
            return False
        chunk = next(points.chunks(self._points_per_chunk(function, points, base)))
        try:
            values = at_proved_points(function, leaf, points, chunk, tuple(base.shape))
        # What has failed is tried again at a few points and then in chunks, where
        # `reason_of` decides what the error means.
        except Exception:
            return False
        self.first_values = points, chunk, values
        return True

    @property
    def is_plain(self) -> bool:
        """Whether chunks are evaluated one after the other, and not stored."""
        return self.workers is None and self.checkpoint is None

    def _evaluate_rest(self, task: ChunkTask, chunks: list[Chunk]) -> Values:
        """Yield the values of all chunks, of which the first may be there."""
        first, self.first_values = self.first_values, None
        if first is not None and first[0] is task.points and first[1] == chunks[0]:
            yield first[2]
            chunks = chunks[1:]
            del first
        yield from self._evaluate(task, chunks, None)

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
                silent=silent,
                fallback=fallback or Fallback(),
            )
    finally:
        meter.close()
