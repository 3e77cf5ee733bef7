"""Train on more rows than fit into memory, by exact gradients of blocks on a cluster.

    pip install "xgrad[dask]" && python examples/cluster_training.py

60 million rows are a Dask array, whose blocks are generated where they are needed: on
the workers, never here. Each worker computes the exact value and gradient of the loss
of its blocks, which are a few numbers, and these are added up here. Then the same is
done in plain batches, without Dask, and both arrive at the same weights.

`--rows`, `--chunk`, `--workers` and `--passes` set the sizes. `--scheduler tcp://...`
takes a cluster that runs already, and `--backend cupy` moves each block to the GPU of
its worker.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

# One thread for each process, since the processes share the cores.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import dask
import dask.array as da
import numpy as np
from dask.distributed import Client, LocalCluster, progress

import xgrad
from xgrad.losses import sigmoid_binary_cross_entropy

FEATURES = 8
SEED = 21
TRUTH = np.linspace(-1, 1, FEATURES + 1)  # the last one is the bias
# The summed loss, its gradient, and the mean curvature of the first block.
Sums = tuple[Any, np.ndarray, np.ndarray]


def generate(number: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Generate one block: features, and labels that follow a logistic model."""
    rng = np.random.default_rng([SEED, number])
    features = rng.standard_normal((rows, FEATURES))
    logits = features @ TRUTH[:-1] + TRUTH[-1]
    return features, rng.random(rows) < xgrad.special.sigmoid(logits)


def block_sums(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, backend: str
) -> tuple[Any, np.ndarray]:
    """Return the loss of a block, summed over its rows, and its exact gradient."""
    xp = xgrad.namespace(backend)
    X, y = xp.asarray(features), xp.asarray(labels)
    value, slope = xgrad.value_and_gradient(
        partial(block_loss, X=X, y=y), xp.asarray(weights), method="autodiff"
    )
    return xgrad.to_numpy(value), xgrad.to_numpy(slope)


def block_curvature(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, backend: str
) -> np.ndarray:
    """Return the exact Hessian of the mean loss of a block."""
    xp = xgrad.namespace(backend)
    X, y = xp.asarray(features), xp.asarray(labels)
    curvature = xgrad.hessian(
        partial(block_loss, X=X, y=y), xp.asarray(weights), method="autodiff"
    )
    return xgrad.to_numpy(curvature) / len(features)


def block_loss(w: Any, X: Any, y: Any) -> Any:
    return sigmoid_binary_cross_entropy(X @ w[:-1] + w[-1], y, reduction="sum")


def train(sums: Callable[[np.ndarray], Sums], rows: int, passes: int) -> np.ndarray:
    """Take steps of Newton's method, with the curvature of one block.

    The gradient of all rows decides where the steps end; the curvature decides only how
    fast they come there.
    """
    weights = np.zeros(FEATURES + 1)
    for number in range(1, passes + 1):
        started = time.perf_counter()
        value, slope, curvature = sums(weights)
        weights = weights - np.linalg.solve(curvature, slope / rows)
        largest, seconds = np.max(np.abs(slope)) / rows, time.perf_counter() - started
        print(
            f"  pass {number}: loss {value / rows:.6f}, "
            f"largest slope {largest:.0e}, {seconds:.1f} s"
        )
    return weights


def sizes(rows: int, chunk: int) -> list[int]:
    return [min(chunk, rows - start) for start in range(0, rows, chunk)]


def lazy_rows(rows: int, chunk: int) -> tuple[da.Array, da.Array]:
    """Return all rows as two Dask arrays. Any others with the same blocks will do."""
    counts = sizes(rows, chunk)
    parts = [dask.delayed(generate, nout=2)(i, n) for i, n in enumerate(counts)]
    X = [
        da.from_delayed(X, (n, FEATURES), np.float64)
        for (X, _), n in zip(parts, counts, strict=True)
    ]
    y = [
        da.from_delayed(y, (n,), np.bool_)
        for (_, y), n in zip(parts, counts, strict=True)
    ]
    return da.concatenate(X), da.concatenate(y)


def sums_on_a_cluster(
    X: da.Array, y: da.Array, client: Client, backend: str, weights: np.ndarray
) -> Sums:
    """Add up the sums of all blocks, each computed by a worker of the cluster."""
    blocks = list(zip(X.to_delayed().ravel(), y.to_delayed(), strict=True))
    curvature = dask.delayed(block_curvature)(*blocks[0], weights, backend)
    lazy = [dask.delayed(block_sums)(*block, weights, backend) for block in blocks]
    futures = client.compute([curvature, *lazy])
    progress(futures, notebook=False)
    print()
    curvature, *parts = client.gather(futures)
    return *added(parts), curvature


def sums_in_batches(counts: list[int], backend: str, weights: np.ndarray) -> Sums:
    """Add up the same sums without Dask, one block after the other."""
    curvature = block_curvature(*generate(0, counts[0]), weights, backend)
    parts = [
        block_sums(*generate(i, n), weights, backend) for i, n in enumerate(counts)
    ]
    return *added(parts), curvature


def added(parts: list[tuple[Any, np.ndarray]]) -> tuple[Any, np.ndarray]:
    values, slopes = zip(*parts, strict=True)
    return np.sum(values), np.sum(slopes, axis=0)


@contextmanager
def cluster(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Connect to a cluster, or start one of local processes with little memory."""
    if scheduler:
        with Client(scheduler) as client:
            yield client
        return
    limits = {"threads_per_worker": 1, "memory_limit": "700MB"}
    with (
        LocalCluster(n_workers=workers, dashboard_address=None, **limits) as local,
        Client(local) as client,
    ):
        yield client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000_000)
    parser.add_argument("--chunk", type=int, default=250_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--scheduler")
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy")
    options = parser.parse_args()
    rows, passes, backend = options.rows, options.passes, options.backend
    X, y = lazy_rows(rows, options.chunk)
    started = time.perf_counter()
    with cluster(options.scheduler, options.workers) as client:
        print(f"{rows:,} rows in {X.numblocks[0]} blocks, on a cluster:")
        sums = partial(sums_on_a_cluster, X, y, client, backend)
        weights = train(sums, rows, passes)
    print(f"trained in {time.perf_counter() - started:.0f} s")
    print("the same in plain batches:")
    started = time.perf_counter()
    sums = partial(sums_in_batches, sizes(rows, options.chunk), backend)
    alone = train(sums, rows, passes)
    print(f"trained in {time.perf_counter() - started:.0f} s")
    np.testing.assert_allclose(weights, alone, rtol=0, atol=1e-10)
    error = np.max(np.abs(weights - TRUTH))
    print(f"the weights agree to 1e-10, and are {error:.0e} from those of the model")


if __name__ == "__main__":
    main()
