"""Compute the gradient of an expensive simulation on many processes, despite faults.

    pip install "xgrad[dask,progress]" && python examples/cluster_gradient.py

How well does each layer of a wall conduct heat? The simulation solves the heat equation
with implicit steps, and each run takes some milliseconds. Its gradient is computed in
this process, by a pool of processes, and on a cluster of local processes, one of whose
workers is killed during the run; then once more with a checkpoint, by a call that is
interrupted twice. All of them give the same result, to the bit. `--workers`, `--layers`
and `--steps` set the sizes.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# One thread for each process, since the processes share the cores.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import xgrad

# Windows has no SIGKILL, but SIGTERM ends a process at once there.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
# Of a simulation in another language there is nothing else.
DIFFERENCES: dict[str, Any] = {"method": "central", "vectorized": False}


def misfit(
    conductivity: np.ndarray, measured: np.ndarray | float, steps: int
) -> np.floating[Any] | np.ndarray:
    """Sum the squared differences between simulated and measured temperatures."""
    temperature = temperatures(conductivity, steps)
    return np.sum((temperature - measured) ** 2)


def temperatures(conductivity: np.ndarray, steps: int) -> np.ndarray:
    """Simulate heat that flows from a warm side (1) through all layers to a cold one.

    The cold side is at 0. Returns the temperature of each layer after some steps.
    """
    between = 2 / (1 / conductivity[1:] + 1 / conductivity[:-1])
    left = np.concatenate([2 * conductivity[:1], between])
    right = np.concatenate([between, 2 * conductivity[-1:]])
    flow = np.diag(left + right) - np.diag(between, 1) - np.diag(between, -1)
    system = np.eye(len(conductivity)) + 0.5 * flow
    temperature = np.zeros(len(conductivity))
    for _ in range(steps):
        source = temperature.copy()
        source[0] += 0.5 * left[0]
        temperature = np.linalg.solve(system, source)
    return temperature


def in_this_process(f: Any, x: np.ndarray) -> np.ndarray:
    return xgrad.gradient(f, x, **DIFFERENCES)


def by_processes(f: Any, x: np.ndarray, count: int) -> np.ndarray:
    with ProcessPoolExecutor(count) as pool:
        list(pool.map(len, ["a", "b"] * count))  # start the processes untimed
        started = time.perf_counter()
        slopes = xgrad.gradient(f, x, **DIFFERENCES, workers=pool, progress=True)
        print(f"{count} processes: {time.perf_counter() - started:.2f} s")
    return slopes


def on_a_cluster(f: Any, x: np.ndarray, count: int) -> np.ndarray:
    from dask.distributed import Client, LocalCluster

    settings = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        pids = list(client.run(os.getpid).values())

        def kill_one(done: int, total: int) -> None:
            if pids and done > x.size:
                os.kill(pids[0], KILL)
                pids.clear()
                print(f"killed a worker after {done} of {total} evaluations")

        workers = client.get_executor()
        started = time.perf_counter()
        slopes = xgrad.gradient(f, x, **DIFFERENCES, workers=workers, progress=kill_one)
        seconds = time.perf_counter() - started
    print(f"{count} workers, one of them killed: {seconds:.2f} s")
    return slopes


def with_interruptions(f: Any, x: np.ndarray) -> np.ndarray:
    """Interrupt a call twice; each time it resumes from the chunks in its file."""
    stops = [x.size, 2 * x.size]

    def interrupt(done: int, total: int) -> None:
        if stops and done > stops[0]:
            stops.pop(0)
            raise KeyboardInterrupt

    with TemporaryDirectory() as folder:
        call = partial(
            xgrad.gradient,
            f,
            x,
            **DIFFERENCES,
            checkpoint=Path(folder) / "run.npz",
            progress=interrupt,
        )
        while True:
            try:
                return call()
            except KeyboardInterrupt as error:
                print(f"interrupted: {error.__notes__[-1].partition(' in ')[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--layers", type=int, default=80)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    true = rng.uniform(0.5, 2.0, options.layers)
    measured = temperatures(true, options.steps)
    f = partial(misfit, measured=measured, steps=options.steps)
    x = np.ones(options.layers)
    started = time.perf_counter()
    alone = in_this_process(f, x)
    seconds = time.perf_counter() - started
    count = 4 * x.size + 1
    print(f"one process: {seconds:.2f} s for {count} evaluations")
    others = [
        by_processes(f, x, options.workers),
        on_a_cluster(f, x, options.workers),
        with_interruptions(f, x),
    ]
    for slopes in others:
        np.testing.assert_array_equal(slopes, alone)
    print("all the same, to the bit")


if __name__ == "__main__":
    main()
