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

    def __enter__(self) -> Evaluator:
        """Return itself, where nothing has to be opened."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing, as there is nothing to be closed."""

    def evaluate_columns(
        self, way: Way, near: Neighborhood
    ) -> Generator[tuple[int, int, list[Array]], None, None]:
        """Yield the values around one group of columns after the other.

        A group is its first column, the one after its last, and blocks of offsets
        ``(offsets, columns, *f(x).shape)``.
        """
        values = self.evaluate_at_once(way, near)
        if values is not None:
            yield 0, near.points.count, [values]
            return
        points, most = near.points, points_per_chunk(self.execution, way, near)
        task = ChunkTask(way, near, self.state)
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
                self._report(chunk.size)
                blocks.append(values)
                if chunk.last == len(points.offsets):
                    yield chunk.start, chunk.stop, blocks
                    blocks = []
        finally:
            all_values.close()

    def evaluate_at_once(self, way: Way, near: Neighborhood) -> Array | None:
        """Return the values of all points, ``(offsets, columns, *f(x).shape)``.

        Return None where these are more than one chunk in this thread.
        """
        points, first, total = near.points, self.state.first_values, near.points.total
        if first is not None and first[0] is near and first[1].size == total:
            # The way was proved by all of its values, which are there.
            self.state.first_values = None
            values = first[2]
        elif self.is_plain and 0 < total <= points_per_chunk(self.execution, way, near):
            chunk = points.first_chunk(total)
            values, _ = ChunkTask(way, near, self.state).evaluate(chunk, total)
        else:
            return None
        self._report(total)
        return values

    def _report(self, count: int) -> None:
        """Count the points of a chunk that was evaluated, and warn if by a loop."""
        if self.state.loop_reason is not None:
            self.state.warn_once(warn_of_loop, self.state.loop_reason)
        self.meter.add(count)

    def begin(self, way: Way, near: Neighborhood, memory: ProvedWays, key: Any) -> bool:
        """Evaluate and prove the first chunk; return whether that went well.

        Its values stay for `evaluate_columns`, and its time is recorded in the memory
        of the function. Only where the `pace` can be measured.
        """
        if not self.has_pace(near):
            return False
        chunk = near.points.first_chunk(points_per_chunk(self.execution, way, near))
        values = proved_values(way, near, chunk, memory, key)
        if values is None:
            return False
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


def points_per_chunk(execution: Execution, way: Way, near: Neighborhood) -> int:
    """Return how many points are evaluated at once."""
    points, base = near.points, near.base
    size = float_info(near.function.xp, base.dtype).size
    point_bytes = points.point_bytes + math.prod(base.shape) * size
    if way.width:
        # An entry of the largest array has a value and a difference, and each point a
        # position. More makes chunks smaller than is fast. Set by trial.
        point_bytes += 2 * way.width * size + INDEX_BYTES - points.point_bytes
    most = execution.points_per_chunk(points, point_bytes, isinstance(way, Loop))
    if min(most, points.total) * points.point_bytes > SMALL_BYTES:
        keep_released_memory()
    return most


def proved_values(
    way: Way, near: Neighborhood, chunk: Chunk, memory: ProvedWays, key: Any
) -> Array | None:
    """Evaluate a chunk in a way, prove it by a plain call, and record its pace.

    Return None where that fails. It is tried again at a few points and then in chunks,
    where `reason_of` decides what an error means.
    """
    try:
        start = time.perf_counter()
        values = way.evaluate(near, chunk)
        seconds = time.perf_counter() - start
        near.pace = Pace(memory, key, require_proved(way, near, chunk, values))
    except Exception:
        return None
    near.pace.record(seconds, chunk.size)
    return values


def open_evaluator(
    execution: Execution,
    x: Array,
    each: int = 1,
    *,
    silent: bool = False,
    checkpoint: contextlib.AbstractContextManager[Checkpoint] | None = None,
) -> contextlib.AbstractContextManager[Evaluator]:
    """Return the evaluator of one call on the device of ``x``, as a context.

    One evaluation counts as ``each`` of the caller's function. A ``silent`` evaluator
    does not warn of functions that are called with one point at a time.
    """
    silent = silent or execution.is_told
    meter = ProgressMeter(execution.progress, each)
    evaluator = Evaluator(execution, meter, execution.workers, None, CallState(silent))
    is_plain = checkpoint is None and evaluator.is_plain
    if is_plain and execution.progress is False and on_device_of(x) is NO_DEVICE:
        return evaluator  # there is nothing to be opened or closed
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
