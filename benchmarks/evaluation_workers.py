"""What processes gain for a slow function, and what a checkpoint costs.

    python benchmarks/evaluation_workers.py [--workers 2]

Prints a Markdown table. The function keeps a core busy for so many milliseconds, and is
called one point at a time; the pool is started before the time is taken.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import xgrad
from benchmarks.timing import duration, table


def slow(x: np.ndarray, seconds: float) -> Any:
    """A sum of squares that takes its time."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return np.sum(x**2)


def median(call: Callable[[], Any], rounds: int = 3) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    count = parser.parse_args().workers
    lines = []
    with ProcessPoolExecutor(count) as pool, TemporaryDirectory() as folder:
        list(pool.map(len, ["start"] * 4 * count))
        for seconds, n in ((5e-3, 100), (1e-3, 500), (0.0, 5000)):
            x, f = np.linspace(0.5, 2.0, n), partial(slow, seconds=seconds)
            call = partial(xgrad.gradient, f, x, vectorized=False)
            evaluations = 4 * n + 1
            plain = median(call)
            shared = median(partial(call, workers=pool))
            names = iter(range(100))

            def kept(call: Any = call, names: Any = names, n: int = n) -> Any:
                return call(checkpoint=Path(folder) / f"{n}-{next(names)}.npz")

            lines.append(
                [
                    duration(seconds) if seconds else "at once",
                    f"{evaluations:,}",
                    duration(plain),
                    duration(shared),
                    f"{plain / shared:.2f}",
                    duration((plain - evaluations * seconds) / evaluations),
                    duration((median(kept) - plain) / evaluations),
                ]
            )
    header = ["one call", "evaluations", "one process", f"{count} processes", "gain"]
    header += ["xgrad's own time, an evaluation", "more with a checkpoint"]
    print(table(header, lines))


if __name__ == "__main__":
    main()
