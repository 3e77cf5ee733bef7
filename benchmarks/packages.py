"""Gradients of functions that call other packages, beside SciPy's differences.

    python benchmarks/packages.py

prints a Markdown table: the time of one call of each function, and of its gradients, of
the processor. The error of SciPy is the largest difference to the exact gradient,
relative to the largest component; the exact one was proved to be right before.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import Timer, duration, pin, table

pin(1)

import numpy as np  # noqa: E402 (its threads begin with it)
import scipy.linalg  # noqa: E402
from scipy import ndimage, stats  # noqa: E402
from scipy.integrate import solve_ivp  # noqa: E402
from scipy.optimize._numdiff import approx_derivative  # noqa: E402
from scipy.spatial.distance import cdist  # noqa: E402

import xgrad  # noqa: E402

Function = Callable[[np.ndarray], Any]
HEADER = [
    "function",
    "variables",
    "f",
    "exact gradient",
    "SciPy, 3 points",
    "its error",
]
RANDOM = np.random.default_rng(0)


def gamma_fit(count: int) -> tuple[Function, np.ndarray]:
    """The likelihood of gamma distributions, one for each group of data."""
    data = RANDOM.gamma(2.0, size=(200, count))

    def f(p: np.ndarray) -> Any:
        return -np.sum(stats.gamma.logpdf(data, p[:count], scale=p[count:]))

    return f, np.concatenate([np.full(count, 2.2), np.full(count, 0.9)])


def gaussian_process(count: int) -> tuple[Function, np.ndarray]:
    """The likelihood of a Gaussian process, by the scales of its inputs."""
    points, values = RANDOM.normal(size=(60, count)), RANDOM.normal(size=60)

    def f(p: np.ndarray) -> Any:
        scaled = points * np.exp(p)
        covariance = np.exp(-cdist(scaled, scaled, "sqeuclidean")) + 0.1 * np.eye(60)
        factor, lower = scipy.linalg.cho_factor(covariance, lower=True)
        solution = scipy.linalg.cho_solve((factor, lower), values)
        return values @ solution / 2 + np.sum(np.log(np.diag(factor)))

    return f, np.full(count, -1.0)


def reactions(count: int) -> tuple[Function, np.ndarray]:
    """A chain of reactions over time, by their rates."""

    def f(rates: np.ndarray) -> Any:
        def change(t: float, y: np.ndarray) -> Any:
            flow = rates * y[:-1]
            return np.concatenate([-flow, [0.0]]) + np.concatenate([[0.0], flow])

        start = np.zeros(count + 1)
        start[0] = 1.0
        return solve_ivp(change, (0.0, 2.0), start, rtol=1e-8, atol=1e-10).y[-1, -1]

    return f, np.linspace(1.0, 2.0, count)


def sharpened(count: int) -> tuple[Function, np.ndarray]:
    """An image whose blurred version is to be another one."""
    seen = ndimage.gaussian_filter(RANDOM.uniform(size=(count, count)), 1.5)

    def f(x: np.ndarray) -> Any:
        blurred = ndimage.gaussian_filter(x.reshape(count, count), 1.5)
        return np.sum((blurred - seen) ** 2)

    return f, RANDOM.uniform(size=count * count)


CASES = {
    "`stats.gamma.logpdf`": gamma_fit(20),
    "`cdist`, `cho_factor`, `cho_solve`": gaussian_process(20),
    "`solve_ivp`": reactions(20),
    "`ndimage.gaussian_filter`": sharpened(32),
}


def row(name: str, f: Function, x: np.ndarray) -> list[str]:
    """Return the cells of one function."""
    exact = partial(xgrad.gradient, f, x, method="autodiff")
    peer = partial(approx_derivative, f, x, method="3-point")
    truth = exact()
    error = np.max(np.abs(peer() - truth)) / np.max(np.abs(truth))
    timer = Timer(rounds=5, most=20.0, clock=time.process_time)
    seconds = timer.medians({"f": partial(f, x), "exact": exact, "peer": peer})
    times = [duration(seconds[way]) for way in ("f", "exact", "peer")]
    return [name, f"{x.size:,}", *times, f"{error:.0e}"]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    versions = (f"{n} {importlib.metadata.version(n)}" for n in ("numpy", "scipy"))
    print(f"Python {platform.python_version()}, {', '.join(versions)}", end="\n\n")
    rows = [row(name, f, x) for name, (f, x) in CASES.items()]
    print(table(HEADER, rows))
