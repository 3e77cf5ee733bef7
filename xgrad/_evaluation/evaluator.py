"""The evaluator of one call: values around a point, in chunks, with a checkpoint."""

from __future__ import annotations

import collections
import contextlib
import math
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from xgrad._arrays import (
    NO_DEVICE,
    Array,
    device_adopter,
    float_info,
    from_host,
    is_numpy,
    on_device_of,
)
from xgrad._evaluation.call_state import CallState
from xgrad._evaluation.checkpoint import Checkpoint
from xgrad._evaluation.checkpoint_file import Pass
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.execution import Execution
from xgrad._evaluation.loop_warning import warn_of_loop
from xgrad._evaluation.memory import SMALL_BYTES, keep_released_memory
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.pace import Pace
from xgrad._evaluation.progress import ProgressMeter
from xgrad._evaluation.proof import require_proved
from xgrad._evaluation.proved_ways import ProvedWays
from xgrad._evaluation.ways import Loop, Way
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
    """Evaluates the chunks of one call, of which it holds the state."""

    execution: Execution
    meter: ProgressMeter
    workers: Any = None
    checkpoint: Checkpoint | None = None
    state: CallState = field(default_factory=CallState)

    def evaluate_columns(
        self, way: Way, near: Neighborhood
    ) -> Generator[tuple[int, int, list[Array]], None, None]:
        """Yield the values around one group of columns after the other.

        A group is its first column, the one after its last, and blocks of offsets
        ``(offsets, columns, *f(x).shape)``.
        """
        points, most = near.points, self._points_per_chunk(way, near)
        if min(most, points.total) * points.point_bytes > SMALL_BYTES:
            keep_released_memory()
        task = ChunkTask(way, near, self.state)
        if self.is_plain and points.total <= most:
            # The usual case, for which this is all that has to be done.
            if points.total:
                chunk = Chunk(0, points.count, 0, len(points.offsets))
                values, _ = task.evaluate(chunk, chunk.size)
                self._report(chunk)
                yield chunk.start, chunk.stop, [values]
            return
        if self.checkpoint is None:
            chunks = list(points.chunks(most)) if points.total else []
            all_values = self._evaluate(task, chunks, None)
        else:
            one_pass = self.checkpoint.next_pass(way, near, most)
            chunks = one_pass.chunks
            all_values = self._evaluate_missing(self.checkpoint, one_pass, task)
        blocks: list[Array] = []
        try:
            for chunk, values in zip(chunks, all_values, strict=True):
                self._report(chunk)
                blocks.append(values)
                if chunk.last == len(points.offsets):
                    yield chunk.start, chunk.stop, blocks
                    blocks = []
        finally:
            all_values.close()

    def _report(self, chunk: Chunk) -> None:
        """Count the points of a chunk that was evaluated, and warn if by a loop."""
        if self.state.loop_reason is not None:
            self.state.warn_once(warn_of_loop, self.state.loop_reason)
        self.meter.add(chunk.size)

    def begin(self, way: Way, near: Neighborhood, memory: ProvedWays, key: Any) -> bool:
        """Evaluate and prove the first chunk; return whether that went well.

        Its values stay for `evaluate_columns`, and its time is recorded in the memory
        of the function. Only where the `pace` can be measured.
        """
        if not self.has_pace(near):
            return False
        chunk = next(near.points.chunks(self._points_per_chunk(way, near)))
        try:
            start = time.perf_counter()
            values = way.evaluate(near, chunk)
            seconds = time.perf_counter() - start
            near.pace = Pace(memory, key, require_proved(way, near, chunk, values))
        # What has failed is tried again at a few points and then in chunks, where
        # `reason_of` decides what the error means.
        except Exception:
            return False
        near.pace.record(seconds, chunk.size)
        self.state.first_values = near, chunk, values
        return True

    def has_pace(self, near: Neighborhood) -> bool:
        """Whether the time of a chunk means anything.

        It does in this thread and without a checkpoint, of NumPy arrays, which take no
        time to compare either.
        """
        return self.is_plain and is_numpy(near.function.xp)

    @property
    def is_plain(self) -> bool:
        """Whether chunks are evaluated one after the other, and not stored."""
        return self.workers is None and self.checkpoint is None

    def _points_per_chunk(self, way: Way, near: Neighborhood) -> int:
        points, base = near.points, near.base
        size = float_info(near.function.xp, base.dtype).size
        point_bytes = points.point_bytes
        if way.width:
            # An entry of the largest array has a value, a difference and positions for
            # a few gathers. Set by trial.
            point_bytes = 2 * way.width * size + 8 * INDEX_BYTES
        point_bytes += math.prod(base.shape) * size
        in_loop = isinstance(way, Loop)
        return self.execution.points_per_chunk(points, point_bytes, in_loop)

    def _evaluate_missing(
        self, checkpoint: Checkpoint, one_pass: Pass, task: ChunkTask
    ) -> Values:
        """Yield the values of all chunks; evaluate those that are not in the file."""
        near, chunks, stored = task.near, one_pass.chunks, one_pass.values
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
                yield from_host(near.function.xp, stored[i], like=near.base)
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


def open_evaluator(
    execution: Execution,
    x: Array,
    each: int = 1,
    *,
    silent: bool = False,
    checkpoint: contextlib.AbstractContextManager[Checkpoint] | None = None,
    state: CallState | None = None,
) -> contextlib.AbstractContextManager[Evaluator]:
    """Return the evaluator of one call on the device of ``x``, as a context.

    One evaluation counts as ``each`` of the caller's function. A ``silent`` evaluator
    does not warn of functions that are called with one point at a time. The call goes
    on from a ``state``, if there is one.
    """
    meter = ProgressMeter(execution.progress, each)
    state = CallState(silent) if state is None else state
    evaluator = Evaluator(execution, meter, execution.workers, None, state)
    if evaluator.is_plain and checkpoint is None and execution.progress is False:
        device = on_device_of(x)
        if device is NO_DEVICE:  # nothing to be opened or closed
            return contextlib.nullcontext(evaluator)
    return _with_resources(evaluator, x, checkpoint)


@contextlib.contextmanager
def _with_resources(
    evaluator: Evaluator,
    x: Array,
    checkpoint: contextlib.AbstractContextManager[Checkpoint] | None,
) -> Iterator[Evaluator]:
    """Yield an evaluator on the device of ``x``, with its own threads and its file."""
    workers = evaluator.workers
    try:
        with on_device_of(x), contextlib.ExitStack() as stack:
            file = None if checkpoint is None else stack.enter_context(checkpoint)
            if isinstance(workers, int):
                workers = ThreadPoolExecutor(
                    evaluator.execution.worker_count, "xgrad", device_adopter(x)
                )
                stack.enter_context(workers)
            yield replace(evaluator, workers=workers, checkpoint=file)
    finally:
        evaluator.meter.close()
