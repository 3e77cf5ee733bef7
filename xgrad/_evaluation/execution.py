"""The options of how to run a function: points at once, memory, workers, progress."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xgrad._arrays import free_gpu_bytes, integer, one_of
from xgrad._evaluation.points import Points
from xgrad._evaluation.progress import Progress
from xgrad._evaluation.sharing import share_equal

Vectorized = Literal["auto"] | bool
CheckpointPath = str | os.PathLike[str] | None
Workers = int | Executor | Callable[..., Iterable[Any]] | None
# Near the size of a second-level cache: larger chunks of points only move more memory.
# Buffers of 256 KiB to 2 MiB were fastest for up to 1,000 variables.
CPU_BYTES = 2 * 2**20
# A loop on a GPU gains nothing from more points at once than it takes to hide the time
# in which they are built. Set by trial.
LOOP_BYTES = 64 * 2**20
# Chunks for each worker: if all take equally long, the others wait for the last one a
# quarter of the time at most.
CHUNKS_PER_WORKER = 4
# As in other libraries, -1 workers are as many threads as there are processors.
ALL_PROCESSORS = -1
# More than a process can use: a larger number is a mistake, for example one of bytes.
MOST_THREADS = 10_000
# Share of the free memory of a GPU for the points: the function needs room for a few
# temporaries of their size.
GPU_SHARE = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """The options of how to run a function, as the caller sets them.

    The public functions repeat these options, with the same types and defaults.
    """

    vectorized: Vectorized = "auto"
    """Whether the function takes a leading axis of points; "auto": find a way."""
    max_bytes: int | None = None
    """Memory for the points of one chunk, or for the record of an exact gradient."""
    workers: Workers = None
    """Number of threads (-1: all processors), an executor or a `map`; None: no more."""
    progress: Progress = False
    """Whether to show a bar, or a callable ``(done, total)``."""
    checkpoint: CheckpointPath = None
    """Name of a file for finished chunks; None: no file."""
    is_told: bool = False
    """Whether the caller has heard why differences, and perhaps a loop, are needed."""

    def __post_init__(self) -> None:
        one_of("vectorized", self.vectorized, ("auto", True, False))
        if self.max_bytes is not None:
            integer("max_bytes", self.max_bytes, least=1)
        if not (isinstance(self.progress, bool) or callable(self.progress)):
            raise TypeError(
                "`progress` must be True, False or a callable (done, total); got "
                f"{self.progress!r}"
            )
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise TypeError(
                f"`checkpoint` must be the name of a file; got {self.checkpoint!r}"
            )
        workers = self.workers
        if isinstance(workers, int):
            if workers != ALL_PROCESSORS:
                integer("workers", workers, least=1)
            if workers > MOST_THREADS:
                raise ValueError(
                    f"`workers` is a number of threads, at most {MOST_THREADS:,}"
                )
        elif not (workers is None or hasattr(workers, "submit") or callable(workers)):
            raise TypeError(
                "`workers` must be a number of threads, a concurrent.futures.Executor "
                f"or a callable like `map`; got {workers!r}"
            )

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether nothing is asked for that takes more than this thread."""
        return (
            self.max_bytes is self.workers is None
            and self.checkpoint is None
            and self.progress is False
        )

    @property
    def worker_count(self) -> int:
        """Number of workers, if the executor tells it, or else of processors."""
        if self.workers is None:
            return 1
        if self.workers == ALL_PROCESSORS:
            return _count_processors()
        if isinstance(self.workers, int):
            return self.workers
        # The attributes of `concurrent.futures`, and of mpi4py.
        for name in ("_max_workers", "num_workers"):
            count = getattr(self.workers, name, None)
            if isinstance(count, int) and count > 0:
                return count
        client: Any = getattr(self.workers, "_client", None)
        if hasattr(client, "ncores"):  # Dask's
            return max(1, sum(client.ncores().values()))
        return _count_processors()

    def points_per_chunk(self, points: Points, point_bytes: int, in_loop: bool) -> int:
        """Return how many points to evaluate at once, each of so many bytes.

        ``in_loop`` says that the function is called with one point at a time.
        """
        if type(points.base) is np.ndarray and self.max_bytes is self.workers is None:
            return max(1, CPU_BYTES // max(1, point_bytes))
        free = free_gpu_bytes(points.base) if self.max_bytes is None else None
        if self.max_bytes is not None:
            budget = self.max_bytes
        else:
            budget = CPU_BYTES if free is None else free // GPU_SHARE
            if free is not None and in_loop:
                budget = min(budget, LOOP_BYTES)
        if self.max_bytes is not None or free is not None:
            budget //= self.worker_count  # all workers together stay within it
        count = max(1, budget // max(1, point_bytes))
        if self.workers is not None:
            share = math.ceil(points.total / (CHUNKS_PER_WORKER * self.worker_count))
            count = min(count, max(1, share))
        return count


def _count_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


execution_for = share_equal(Execution)
