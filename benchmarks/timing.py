"""Timing for benchmarks: calls in turn, medians, on a CPU or by the events of a GPU."""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Calls = Mapping[str, Callable[[], Any]]


def pin(threads: int) -> None:
    """Let everybody have so many threads; only before NumPy is imported."""
    if "numpy" in sys.modules:
        raise RuntimeError("NumPy has been imported: its threads are started already")
    for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    # Without it most of the time of PyTorch's large results is that of page faults.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if threads == 1:
        _add_flags("--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def without_avx512() -> None:
    """Let no library use AVX-512, as on most laptops; only before they are imported."""
    os.environ |= {
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }
    _add_flags("--xla_cpu_max_isa=AVX2")


def _add_flags(flags: str) -> None:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()


@dataclass(frozen=True)
class Timer:
    """Median times of calls, in seconds.

    Each round runs every call once, so that a machine that slows down slows down all of
    them; short calls are repeated until they take ``least`` seconds together. The order
    is another in each round: a large array costs what the call before left of the
    memory, whole or in pieces.
    """

    rounds: int = 15
    least: float = 4e-3
    most: float = 20.0  # for all rounds of one call
    # Or `time.process_time`, on a machine that others use: the time of all threads.
    clock: Callable[[], float] = time.perf_counter

    def medians(self, calls: Calls) -> dict[str, float]:
        """The median time of each call."""
        repeats, rounds = {}, self.rounds
        for name, call in calls.items():
            call()
            once = self._time(call, 1)
            repeats[name] = max(1, min(10_000, round(self.least / max(once, 1e-7))))
            rounds = max(3, min(rounds, round(self.most / max(once, 1e-7))))
        found: dict[str, list[float]] = {name: [] for name in calls}
        order, rng = [*calls.items()], random.Random(0)
        for _ in range(rounds):
            rng.shuffle(order)
            for name, call in order:
                found[name].append(self._time(call, repeats[name]) / repeats[name])
        return {name: statistics.median(times) for name, times in found.items()}

    def _time(self, call: Callable[[], Any], count: int) -> float:
        started = self.clock()
        for _ in range(count):
            call()
        return self.clock() - started


@dataclass(frozen=True)
class DeviceTimer(Timer):
    """The same by the events of a CUDA stream: what the device takes, not Python.

    A kernel of some hundred microseconds goes first, so that launches queue up behind
    it and none waits for Python.
    """

    least: float = 2e-3
    _ahead: list[Any] = field(default_factory=list)

    def _time(self, call: Callable[[], Any], count: int) -> float:
        import cupy

        if not self._ahead:
            self._ahead.append(cupy.ones((2048, 2048), dtype=cupy.float32))
        start, stop = cupy.cuda.Event(), cupy.cuda.Event()
        cupy.cuda.Device().synchronize()
        for _ in range(4):
            self._ahead[0] @ self._ahead[0]
        start.record()
        for _ in range(count):
            call()
        stop.record()
        stop.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, stop)) * 1e-3


def duration(seconds: float) -> str:
    """A time with its unit."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
