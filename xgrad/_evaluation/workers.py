"""Evaluation of chunks: in this thread, by an executor, or by a callable like `map`."""

from __future__ import annotations

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import LOG, Array, a_type, at_perturbed_points, is_out_of_memory
from xgrad._evaluation.call_state import CallState
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.loop_warning import Reason, reason_of
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.ways import LOOP, Way

# Values of the chunks, in order.
Values = Generator[Array, None, None]
# Gets the number of a chunk and its values as soon as they are there.
Store = Callable[[int, Array], None]


@dataclass(eq=False)
class ChunkTask:
    """All that a worker needs to evaluate any chunk of the points of one leaf.

    Threads share the ``state`` of the call; another process has its own, and sends the
    reason for a loop together with the values.
    """

    way: Way
    near: Neighborhood
    state: CallState

    def __call__(self, chunk: Chunk) -> tuple[Array, Reason | None]:
        """Return the values at a chunk, ``(offsets, columns, *shape)``, in a worker.

        The second value is the reason for a loop, if there was one.
        """
        with at_perturbed_points():
            return self.evaluate(chunk, chunk.size)[0], self.state.loop_reason

    def receive(self, result: tuple[Array, Reason | None]) -> Array:
        """Return the values that a call has sent, and note the reason for a loop."""
        values, reason = result
        if reason is not None:
            self.state.loop_reason = reason
        return values

    def evaluate(self, chunk: Chunk, most: int) -> tuple[Array, int]:
        """Evaluate a chunk in pieces of at most ``most`` points.

        Halve a piece for which memory runs out. Return the values, and the number of
        points for which memory sufficed. To be called within `at_perturbed_points`.
        """
        if chunk.size <= most:
            try:
                if not self.way.needs_proof:
                    return self.way.evaluate(self.near, chunk), most
                return self._proved_values(chunk), most
            except Exception as error:
                if chunk.size == 1 or not is_out_of_memory(error):
                    raise
            # Here the exception, whose traceback held the arrays of `f`, is gone.
            most = chunk.size // 2
            LOG.info("memory ran out for %d points: chunks are halved", chunk.size)
        # The limit that is left holds for all that follows: what did not fit once would
        # not fit again, and each attempt costs an evaluation.
        first, second = chunk.halves()
        left, most = self.evaluate(first, most)
        right, most = self.evaluate(second, most)
        axis = 1 if first.start != second.start else 0
        return self.near.function.xp.concat([left, right], axis=axis), most

    def _proved_values(self, chunk: Chunk) -> Array:
        """Evaluate a chunk; in a loop, once the way that xgrad chose has failed."""
        way, near, state = self.way, self.near, self.state
        if state.first_values is not None:
            values = state.take_first_values(near, chunk)
            if values is not None:
                return values
        is_slow = near.pace is not None and near.pace.is_slow
        if state.loop_reason is None and not is_slow:
            try:
                return way.evaluate_at_pace(near, chunk)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                state.loop_reason = reason_of(error, near.function.call)
        # Called with one point, `f` raises the caller's own error or none at all.
        values = LOOP.evaluate(near, chunk)
        return values - near.base if way.gives_differences else values


def evaluate_in_turn(
    task: ChunkTask, chunks: list[Chunk], store: Store | None
) -> Values:
    """Evaluate chunks in this thread."""
    most = max([chunk.size for chunk in chunks], default=1)
    for number, chunk in enumerate(chunks):
        values, most = task.evaluate(chunk, most)
        if store is not None:
            store(number, values)
        yield values


@dataclass(eq=False)
class PendingChunk:
    """A chunk that was submitted to an executor."""

    number: int
    future: Any
    task: ChunkTask
    is_stored: bool = False

    def take_values(self, store: Store | None) -> Array:
        """Wait for the values, and store them unless this was done before."""
        values = self.task.receive(self.future.result())
        if store is not None and not self.is_stored:
            self.is_stored = True
            store(self.number, values)
        return values


def evaluate_by_executor(
    executor: Any,
    task: ChunkTask,
    chunks: list[Chunk],
    store: Store | None,
    window: int,
    own_threads: bool,
) -> Values:
    """Evaluate chunks by an executor, at most ``window`` of them at a time.

    With ``own_threads``, wait for the chunks that have begun, and store them, if the
    call is interrupted.
    """
    pending: collections.deque[PendingChunk] = collections.deque()
    try:
        for number, chunk in enumerate(chunks):
            future = _submit(executor, task, chunk)
            pending.append(PendingChunk(number, future, task))
            if len(pending) >= window:
                # It leaves the queue after its values have arrived: those of a call
                # that is interrupted while it waits are stored in the end.
                yield _take_first(pending, store)
                pending.popleft()
        while pending:
            yield _take_first(pending, store)
            pending.popleft()
    finally:
        for chunk_ahead in pending:
            chunk_ahead.future.cancel()
        if pending and store is not None:
            if own_threads:
                # Threads finish what they have begun: it need not be lost.
                wait([chunk_ahead.future for chunk_ahead in pending])
            _store_finished(pending, store)


def _submit(executor: Any, task: ChunkTask, chunk: Chunk) -> Any:
    future = executor.submit(task, chunk)
    if not hasattr(future, "result"):
        raise TypeError(
            "`workers.submit` must return a future, as that of an Executor does; got "
            f"{a_type(future)}"
        )
    return future


def _take_first(pending: collections.deque[PendingChunk], store: Store | None) -> Array:
    """Wait for the values of the first chunk; store those that arrived out of turn."""
    if store is not None:
        _store_finished(pending, store)
    return pending[0].take_values(store)


def _store_finished(pending: collections.deque[PendingChunk], store: Store) -> None:
    for chunk in pending:
        future = chunk.future
        ready = not chunk.is_stored and future.done() and not future.cancelled()
        if ready and future.exception() is None:
            chunk.take_values(store)


def evaluate_by_map(
    workers: Callable[..., Iterable[Any]],
    task: ChunkTask,
    chunks: list[Chunk],
    store: Store | None,
) -> Values:
    """Evaluate chunks by a callable like `map`, which must return one result each."""
    results = workers(task, chunks)
    if not isinstance(results, Iterable):
        raise TypeError(
            "`workers` must return the results of `workers(function, chunks)` in "
            f"order, as `map` does, but returned {a_type(results)}"
        )
    count = 0
    for result in results:
        count += 1
        # At once: there may be no end of results.
        if count > len(chunks):
            break
        values = task.receive(result)
        if store is not None:
            store(count - 1, values)
        yield values
    if count != len(chunks):
        raise ValueError(
            f"`workers` returned {count} results for {len(chunks)} chunks: it must "
            "return one for each, in order, as `map` does"
        )
