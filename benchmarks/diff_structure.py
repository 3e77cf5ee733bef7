"""What structure saves: time, evaluations and memory of derivatives, beside peers.

    python benchmarks/diff_structure.py

prints Markdown tables. Everything runs interleaved in one process; a time is the median
of its rounds, and that of the processor, which other programs on the machine do not
prolong; a ratio is that of the medians. Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # tables of cases

from cases.functions import (
    broyden,
    rosenbrock,
    rosenbrock_curvature,
    rosenbrock_slope,
    rosenbrock_terms,
)

from benchmarks.timing import duration
from xgrad import color_columns, gradient, hessian, jacobian

Call = Callable[[], Any]


def medians(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Seconds of each call, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def peak(call: Call) -> float:
    """MiB allocated at once, beyond what was there."""
    call()
    tracemalloc.start()
    call()
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top / 2**20


class Counted:
    """A function that counts its evaluations."""

    def __init__(self, f: Callable[[np.ndarray], Any]) -> None:
        self.f, self.count = f, 0

    def __call__(self, x: np.ndarray) -> Any:
        self.count += 1
        return self.f(x)


def textbook_loop(
    f: Callable[[np.ndarray], Any], x: np.ndarray, h: float
) -> np.ndarray:
    """Central differences of a whole function, in place, as textbooks have them."""
    slope = np.zeros_like(x)
    for i in range(x.size):
        kept = x[i]
        x[i] = kept + h
        above = f(x)
        x[i] = kept - h
        slope[i] = (above - f(x)) / (2 * h)
        x[i] = kept
    return slope


def bands(below: int, above: int, rows: int, columns: int) -> Any:
    """A banded pattern as a sparse matrix."""
    from scipy.sparse import diags_array

    offsets = list(range(-below, above + 1))
    ones = [np.ones(min(rows + min(o, 0), columns - max(o, 0))) for o in offsets]
    return diags_array(ones, offsets=offsets, shape=(rows, columns)).tocsr()


def sums_of_terms() -> None:
    """Gradient of a sum of terms, each of which depends on two variables."""
    print("\n**`gradient(terms=True, sparsity=...)` of Rosenbrock's function**\n")
    print("| n | dtype | calls of f | time | in plain f | at accuracy 2 | error |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for n in (1_000, 10_000, 100_000, 1_000_000):
        coloring = color_columns(bands(0, 1, n - 1, n))
        for dtype in (np.float64, np.float32):
            x = rng.uniform(-2, 2, n).astype(dtype)
            counted = Counted(rosenbrock_terms)

            def solve(x: np.ndarray = x, c: Any = coloring, **options: Any) -> Any:
                return gradient(
                    rosenbrock_terms,
                    x,
                    terms=True,
                    sparsity=c,
                    method="central",
                    **options,
                )

            gradient(counted, x, terms=True, sparsity=coloring, method="central")
            found = medians(
                {
                    "plain": lambda x=x: rosenbrock(x),
                    "default": solve,
                    "two": lambda solve=solve: solve(accuracy=2),
                },
                9,
            )
            exact = rosenbrock_slope(x.astype(np.float64))
            error = np.abs(solve() - exact).max() / np.abs(exact).max()
            time_taken, plain = found["default"], found["plain"]
            print(
                f"| {n:,} | {np.dtype(dtype)} | {counted.count} | "
                f"{time_taken * 1e3:.2f} ms | {time_taken / plain:.1f} | "
                f"{found['two'] / plain:.1f} | {error:.1e} |"
            )
    x = rng.uniform(-2, 2, 10_000).astype(np.float32)
    exact = rosenbrock_slope(x.astype(np.float64))
    loop = textbook_loop(rosenbrock, x, 1e-4)
    error = np.abs(loop - exact).max() / np.abs(exact).max()
    print(
        f"\nThe textbook's loop at n = 10,000 in float32: relative error {error:.1e}."
    )


def sparse_jacobians() -> None:
    """Broyden's tridiagonal Jacobian, beside scipy's."""
    if not importlib.util.find_spec("scipy"):
        return
    from scipy.optimize._numdiff import approx_derivative

    n = 1_000
    x = np.random.default_rng(0).normal(size=n)
    pattern = bands(1, 1, n, n)
    coloring = color_columns(pattern)
    batched = {"vectorized": True}

    def central(x: np.ndarray, sparsity: Any) -> Any:
        return jacobian(broyden, x, sparsity=sparsity, method="central")

    calls: dict[str, Call] = {
        "scipy, pattern": lambda: approx_derivative(
            broyden, x, method="3-point", sparsity=pattern
        ),
        "scipy, pattern and groups": lambda: approx_derivative(
            broyden, x, method="3-point", sparsity=(pattern, coloring.colors)
        ),
        'xgrad, exact, `sparsity="auto"`': lambda: jacobian(
            broyden, x, sparsity="auto"
        ),
        "xgrad, exact, colouring": lambda: jacobian(broyden, x, sparsity=coloring),
        "xgrad, differences, pattern": lambda: central(x, pattern),
        "xgrad, differences, colouring": lambda: central(x, coloring),
        "xgrad, colouring, accuracy 2, batched": lambda: jacobian(
            broyden, x, sparsity=coloring, accuracy=2, **batched
        ),
    }
    found = medians(calls, 60)
    print(f"\n**Sparse Jacobian of Broyden's tridiagonal function, n = {n:,}**\n")
    print("| | time | times faster than scipy with the pattern |")
    print("|---|---|---|")
    for name, seconds in found.items():
        ratio = found["scipy, pattern"] / seconds
        print(f"| {name} | {seconds * 1e3:.2f} ms | {ratio:.1f} |")
    print("\n| n | calls of f | peak memory |\n|---|---|---|")
    for n in (1_000, 10_000, 100_000):
        x = np.random.default_rng(0).normal(size=n)
        counted = Counted(broyden)
        pattern = bands(1, 1, n, n)
        jacobian(counted, x, sparsity=pattern, method="central")
        memory = peak(lambda x=x, p=pattern: central(x, p))
        print(f"| {n:,} | {counted.count} | {memory:.1f} MiB |")


def exact_and_sparse() -> None:
    """Exact sparse matrices, whose patterns are found, beside the function itself."""
    if not importlib.util.find_spec("scipy"):
        return

    def auto(x: np.ndarray) -> Call:
        return lambda: hessian(rosenbrock, x, sparsity="auto")

    print('\n**Exact and sparse, n variables, `sparsity="auto"` or a colouring**\n')
    print("| n | plain f | gradient | Hessian, auto | coloured | memory, auto |")
    print("|---|---|---|---|---|---|")
    for n in (1_000, 10_000, 100_000):
        x = np.random.default_rng(0).uniform(-2, 2, n)
        coloring = color_columns(bands(1, 1, n, n))
        found = medians(
            {
                "plain": lambda x=x: rosenbrock(x),
                "gradient": lambda x=x: gradient(rosenbrock, x),
                "auto": auto(x),
                "coloured": lambda x=x, c=coloring: hessian(rosenbrock, x, sparsity=c),
            },
            9,
        )
        cells = " | ".join(map(duration, found.values()))
        print(f"| {n:,} | {cells} | {peak(auto(x)):.0f} MiB |", flush=True)


def dense_jacobian() -> None:
    """Memory of a dense Jacobian."""
    n = 1_000
    x = np.random.default_rng(0).normal(size=n)
    exact = peak(lambda: jacobian(broyden, x))
    mine = peak(lambda: jacobian(broyden, x, method="central", vectorized=True))
    print(
        f"\nDense Jacobian, n = {n:,} (the result has 7.6 MiB): exact {exact:.0f} MiB,"
    )
    print(f"by differences {mine:.0f} MiB")
    if importlib.util.find_spec("scipy"):
        from scipy.differentiate import jacobian as peer

        first = lambda x: np.moveaxis(broyden(np.moveaxis(x, 0, -1)), -1, 0)  # noqa: E731
        print(f"at once, scipy.differentiate {peak(lambda: peer(first, x)):.0f} MiB.")


def hessians() -> None:
    """Rosenbrock's Hessian, n = 100, the same expression on every side."""
    n = 100
    x = np.random.default_rng(0).uniform(-2, 2, n)
    exact = rosenbrock_curvature(x)
    calls: dict[str, Call] = {
        "xgrad, exact": lambda: hessian(rosenbrock, x),
        'xgrad, exact, `sparsity="auto"`': lambda: hessian(
            rosenbrock, x, sparsity="auto"
        ).toarray(),
        "xgrad, differences, batched by hand": lambda: hessian(
            rosenbrock, x, method="central", vectorized=True
        ),
        "xgrad, differences": lambda: hessian(rosenbrock, x, method="central"),
        "xgrad, differences of the gradient": lambda: hessian(
            rosenbrock, x, grad=rosenbrock_slope, method="central"
        ),
    }
    slow: dict[str, Call] = {}
    calls |= exact_peers(x)
    if importlib.util.find_spec("statsmodels"):
        from statsmodels.tools.numdiff import approx_hess3

        calls["statsmodels approx_hess3"] = lambda: approx_hess3(x, rosenbrock)
    if importlib.util.find_spec("scipy"):
        from scipy.differentiate import hessian as peer

        first = lambda x: rosenbrock(np.moveaxis(x, 0, -1))  # noqa: E731
        slow["scipy.differentiate.hessian"] = lambda: peer(first, x).ddf
    if importlib.util.find_spec("numdifftools"):
        import numdifftools

        slow["numdifftools.Hessian"] = lambda: numdifftools.Hessian(rosenbrock)(x)
    found = medians(calls, 7)
    results = {name: call() for name, call in calls.items()}
    for name, call in slow.items():  # once is long enough
        start = time.process_time()
        results[name] = call()
        found[name] = time.process_time() - start
    print(f"\n**Hessian of Rosenbrock's function, n = {n}**\n")
    print("| | time | xgrad, exact, is faster by | relative error | symmetric |")
    print("|---|---|---|---|---|")
    for name, seconds in found.items():
        ratio = seconds / found["xgrad, exact"]
        error = np.abs(results[name] - exact).max() / np.abs(exact).max()
        same = "yes" if np.array_equal(results[name], results[name].T) else "no"
        print(f"| {name} | {duration(seconds)} | {ratio:,.2g} | {error:.1e} | {same} |")


def exact_peers(x: np.ndarray) -> dict[str, Call]:
    """Exact Hessians of libraries with arrays of their own, dense."""
    calls: dict[str, Call] = {}
    if importlib.util.find_spec("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        plain = jax.hessian(rosenbrock_of(jax.numpy))
        compiled = jax.jit(plain)
        calls["JAX"] = lambda: np.asarray(plain(jax.numpy.asarray(x)))
        calls["JAX under `jit`"] = lambda: np.asarray(compiled(jax.numpy.asarray(x)))
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        f = rosenbrock_of(torch)
        calls["PyTorch, `torch.func.hessian`"] = lambda: torch.func.hessian(f)(
            torch.as_tensor(x)
        ).numpy()
    return calls


def rosenbrock_of(xp: Any) -> Callable[[Any], Any]:
    """The same function in the words of another library."""
    return lambda x: xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main() -> None:
    """All tables."""
    warnings.simplefilter("ignore")
    names = ("numpy", "scipy", "statsmodels", "numdifftools", "jax", "torch")
    installed = [n for n in names if importlib.util.find_spec(n)]
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in installed)
    print(f"Python {platform.python_version()}, {versions}")
    sums_of_terms()
    sparse_jacobians()
    exact_and_sparse()
    dense_jacobian()
    hessians()


if __name__ == "__main__":
    main()
