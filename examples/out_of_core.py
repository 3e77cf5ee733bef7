"""Evaluate loss, confusion matrix, F1 and R2 of more rows than fit into memory.

    pip install "xgrad[dask]" && python examples/out_of_core.py

60 million rows are generated when they are needed and evaluated twice: as Dask arrays
on a cluster of local processes, and in plain batches that update the same states. Both
give the same numbers, in less than 2 GB. `--rows` and `--workers` set the sizes.
"""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

import dask
import dask.array as da
import numpy as np
import psutil
from dask.distributed import Client, LocalCluster, progress

from xgrad import metrics
from xgrad.losses import softmax_cross_entropy

CLASSES = 4
SEED = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000_000)
    parser.add_argument("--chunk", type=int, default=500_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with Memory() as memory:
        started = time.perf_counter()
        cluster = on_a_cluster(options.rows, options.chunk, options.workers)
        print(f"\n{options.rows:,} rows on a cluster, {seconds(started)}")
        show(cluster)
        started = time.perf_counter()
        batches = in_batches(options.rows, options.chunk)
        print(f"the same in plain batches, {seconds(started)}")
        show(batches)
    for name, value in cluster.items():
        np.testing.assert_allclose(value, batches[name], rtol=1e-10)
    print(f"equal to 1e-10; at most {memory.peak / 1e9:.2f} GB in all processes")


def generate(number: int, rows: int) -> tuple[np.ndarray, ...]:
    """Generate one chunk: logits and labels, a prediction and its target."""
    rng = np.random.default_rng([SEED, number])
    labels = rng.integers(0, CLASSES, rows, dtype=np.uint8)
    logits = rng.standard_normal((rows, CLASSES), dtype=np.float32)
    logits[np.arange(rows), labels] += 2
    target = 1e4 + rng.standard_normal(rows, dtype=np.float32)
    prediction = target + rng.standard_normal(rows, dtype=np.float32) / 2
    return logits, labels, prediction, target


def sizes(rows: int, chunk: int) -> list[int]:
    return [min(chunk, rows - start) for start in range(0, rows, chunk)]


def on_a_cluster(rows: int, chunk: int, workers: int) -> dict[str, Any]:
    """Compute all results from lazy arrays, in one pass on a cluster."""
    parts = [
        dask.delayed(generate, nout=4)(i, n) for i, n in enumerate(sizes(rows, chunk))
    ]
    shapes = [(CLASSES,), (), (), ()]
    dtypes = [np.float32, np.uint8, np.float32, np.float32]
    logits, labels, prediction, target = (
        da.concatenate(
            [
                da.from_delayed(part[i], shape=(n, *shapes[i]), dtype=dtypes[i])
                for part, n in zip(parts, sizes(rows, chunk), strict=True)
            ]
        )
        for i in range(4)
    )
    state = metrics.Classification(CLASSES).update(logits, labels)
    lazy = {
        "loss": softmax_cross_entropy(logits, labels),
        "confusion matrix": state.confusion_matrix(),
        "F1": state.f1(),
        "R2": metrics.Regression().update(prediction, target).r2_score(),
    }
    limits = {"threads_per_worker": 1, "memory_limit": "700MB"}
    with (
        LocalCluster(n_workers=workers, dashboard_address=None, **limits) as cluster,
        Client(cluster) as client,
    ):
        futures = client.compute(lazy)
        progress(futures, notebook=False)
        return client.gather(futures)


def in_batches(rows: int, chunk: int) -> dict[str, Any]:
    """Compute the same results without Dask, by states updated with every chunk."""
    loss = metrics.Mean()
    classes, numbers = metrics.Classification(CLASSES), metrics.Regression()
    for i, n in enumerate(sizes(rows, chunk)):
        logits, labels, prediction, target = generate(i, n)
        loss = loss.update(softmax_cross_entropy(logits, labels, reduction="none"))
        classes = classes.update(logits, labels)
        numbers = numbers.update(prediction, target)
    return {
        "loss": np.float32(loss.mean()),
        "confusion matrix": classes.confusion_matrix(),
        "F1": classes.f1(),
        "R2": numbers.r2_score(),
    }


def show(results: dict[str, Any]) -> None:
    for name, value in results.items():
        print(f"  {name}: {str(value).replace(chr(10), chr(10) + ' ' * 20)}")


def seconds(started: float) -> str:
    return f"{time.perf_counter() - started:.0f} s"


class Memory:
    """Measure the peak memory of this process and its children in a ``with`` block."""

    def __init__(self) -> None:
        self.peak = 0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._watcher.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.1):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)


if __name__ == "__main__":
    main()
