"""How to run a function: how many points at once, by whom, and who is told."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

from xgrad._arrays import free_gpu_bytes, integer, one_of
from xgrad._evaluation.points import Points
from xgrad._evaluation.progress import Progress

Vectorized = Literal["auto"] | bool
# "batch": the caller's function takes a leading axis. "loop": one point a call.
# "sparse" and "dense": a plain function through the hidden axis, with differences of
# the entries that change or with values of all of them. "vmap": through the library's
# own. "auto": one of the last four, still to be found out.
Mode = Literal["auto", "batch", "loop", "sparse", "dense", "vmap"]
Kept = str | os.PathLike[str] | None
Workers = int | Executor | Callable[..., Iterable[Any]] | None
# Near the size of a second-level cache: larger chunks of points only move more memory.
CPU_BYTES = 2 * 2**20
# A loop gains nothing from more points at once than it needs to hide their building.
LOOP_BYTES = 64 * 2**20
# Chunks for each worker: enough of them that none waits long for the last one.
CHUNKS_PER_WORKER = 4
MOST_THREADS = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """How to run a function: many points a call or one, in how much memory, where.

    The public functions repeat these options, with the same types and defaults.
    """

    vectorized: Vectorized = "auto"
    """Whether the function takes a leading axis of points; "auto": find a way."""
    max_bytes: int | None = None
    """Memory for the perturbed points; None: cache-sized, or a quarter of the GPU."""
    workers: Workers = None
    """Number of threads, an executor, or a callable like `map`; None: this thread."""
    progress: Progress = False
    """Whether to show a bar, or a callable ``(done, total)``."""
    checkpoint: Kept = None
    """Name of a file for finished chunks; None: no file."""

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

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked for that takes more than this thread."""
        return (
            self.max_bytes is None
            and self.workers is None
            and self.checkpoint is None
            and self.progress is False
        )

    @property
    def mode(self) -> Mode:
        """How ``f`` is called, as far as the caller has said it."""
        if self.vectorized == "auto":
            return "auto"
        return "batch" if self.vectorized else "loop"

    @property
    def worker_count(self) -> int:
        """How many chunks may run at once, as far as one can tell."""
        if self.workers is None or isinstance(self.workers, int):
            return self.workers or 1
        for name in ("_max_workers", "num_workers"):  # of the library, and of MPI
            known = getattr(self.workers, name, None)
            if isinstance(known, int) and known > 0:
                return known
        client: Any = getattr(self.workers, "_client", None)
        if hasattr(client, "ncores"):  # Dask's
            return max(1, sum(client.ncores().values()))
        return os.cpu_count() or 1

    def fitting(self, points: Points, mode: Mode, point_bytes: int) -> int:
        """How many points to evaluate at once; each takes so many bytes."""
        free = None
        if self.max_bytes is not None:
            budget = self.max_bytes
        else:
            free = free_gpu_bytes(points.base)
            budget = CPU_BYTES if free is None else free // 4
            if free is not None and mode == "loop":
                budget = min(budget, LOOP_BYTES)
        if self.max_bytes is not None or free is not None:
            budget //= self.worker_count  # all of them at once stay within it
        fitting = max(1, budget // max(1, point_bytes))
        if self.workers is not None:
            share = math.ceil(points.total / (CHUNKS_PER_WORKER * self.worker_count))
            fitting = min(fitting, max(1, share))
        return fitting
