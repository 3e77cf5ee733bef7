"""Exact Hessians, Jacobians and products of plain NumPy code, beside other libraries.

    python benchmarks/autodiff_orders.py

prints Markdown tables. All take turns in one process on one thread; a time is the
median of what the processor took, after the first call. The error is the largest
difference from the matrix by hand, as a part of its largest entry. Libraries that are
not installed are left out, by name; the slowest are called once.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

# It sets the number of threads, before NumPy begins with them.
from benchmarks.autodiff import ProcessorTimer, is_installed, timed  # noqa: I001
from benchmarks.timing import duration, table

import numpy as np
import scipy.sparse

import xgrad

Call = Callable[[], Any]
BANDS = (-1, 0, 1)


# Functions


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_bands(x: Any) -> list[Any]:
    """The bands of its Hessian: below, on and above the diagonal."""
    middle = np.zeros_like(x)
    middle[:-1] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    middle[1:] += 200
    return [-400 * x[:-1], middle, -400 * x[:-1]]


def broyden(x: Any) -> Any:
    padded = np.pad(x, 1)
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def curve(x: Any) -> Any:
    return np.log1p(x * np.tanh(x))


def network(inputs: int, outputs: int) -> tuple[Any, Any, Any]:
    """A layer of tanh, and the matrices of its weights."""
    random = np.random.default_rng(0)
    first = random.normal(size=(64, inputs)) / np.sqrt(inputs)
    second = random.normal(size=(outputs, 64)) / 8
    return lambda x: np.tanh(second @ np.tanh(first @ x)), first, second


# Libraries: each returns a call that returns a dense matrix


def hessian_by_jax(x: Any) -> Call:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def f(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    function, point = jax.jit(jax.hessian(f)), jnp.asarray(x)
    return lambda: jax.block_until_ready(function(point))


def hessian_by_torch(x: Any) -> Call:
    import torch

    def f(x: Any) -> Any:
        return torch.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    function, point = torch.func.hessian(f), torch.as_tensor(x)
    return lambda: function(point).numpy()


def hessian_by_autograd(x: Any) -> Call:
    import autograd
    import autograd.numpy as anp

    def f(x: Any) -> Any:
        return anp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    function = autograd.hessian(f)
    return lambda: function(x)


def hessian_by_scipy(x: Any) -> Call:
    from scipy.differentiate import hessian

    def f(x: Any) -> Any:
        terms = 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
        return np.sum(terms, axis=0)

    return lambda: hessian(f, x).ddf


def hessian_by_numdifftools(x: Any) -> Call:
    import numdifftools

    function = numdifftools.Hessian(rosenbrock)
    return lambda: function(x)


def hessian_by_statsmodels(x: Any) -> Call:
    from statsmodels.tools.numdiff import approx_hess3

    return lambda: approx_hess3(x, rosenbrock)


HESSIANS: dict[str, tuple[str, Callable[[Any], Call]]] = {
    "xgrad": ("xgrad", lambda x: lambda: xgrad.hessian(rosenbrock, x)),
    "xgrad, differences": (
        "xgrad",
        lambda x: lambda: xgrad.hessian(rosenbrock, x, method="central"),
    ),
    "JAX under `jit`": ("jax", hessian_by_jax),
    "PyTorch": ("torch", hessian_by_torch),
    "autograd": ("autograd", hessian_by_autograd),
    "statsmodels": ("statsmodels", hessian_by_statsmodels),
    "numdifftools": ("numdifftools", hessian_by_numdifftools),
    "scipy.differentiate": ("scipy", hessian_by_scipy),
}
SLOW = ("numdifftools", "scipy.differentiate")


# Tables


def largest_error(found: Any, right: Any) -> float:
    difference = np.max(np.abs(np.asarray(found) - right))
    return float(difference / np.max(np.abs(right)))


def dense_hessians(n: int = 100) -> None:
    x = np.random.default_rng(1).normal(size=n)
    right = scipy.sparse.diags_array(rosenbrock_bands(x), offsets=BANDS).toarray()
    calls = {
        label: make(x)
        for label, (package, make) in HESSIANS.items()
        if is_installed(package)
    }
    timer = ProcessorTimer(rounds=11, most=5.0)
    quick = {label: call for label, call in calls.items() if label not in SLOW}
    times = timer.medians(quick)
    rows = []
    for label, call in calls.items():
        seconds, matrix = timed(call)
        error = largest_error(matrix, right)
        rows.append([label, duration(times.get(label, seconds)), f"{error:.0e}"])
    print(f"\n**Hessian of Rosenbrock's function, n = {n}, dense**\n")
    print(table(["library", "time", "error"], rows), flush=True)


def sparse_jacobians() -> None:
    x = np.random.default_rng(1).normal(size=100_000)
    ones = np.ones(len(x))
    pattern = scipy.sparse.diags_array([ones[1:], ones, ones[1:]], offsets=BANDS)
    coloring = xgrad.color_columns(pattern)
    calls = {
        "no pattern": lambda: xgrad.jacobian(broyden, x, sparsity="auto"),
        "its colouring": lambda: xgrad.jacobian(broyden, x, sparsity=coloring),
        "differences, its colouring": lambda: xgrad.jacobian(
            broyden, x, sparsity=coloring, method="central"
        ),
    }
    times = ProcessorTimer(rounds=11, most=8.0).medians(calls)
    least = times["its colouring"]
    rows = [
        [label, duration(seconds), f"{seconds / least:.2f}"]
        for label, seconds in times.items()
    ]
    print("\n**Jacobian of Broyden's tridiagonal function, n = 100,000, sparse**\n")
    print(table(["given", "time", "of that with the colouring"], rows), flush=True)


def dense_jacobians() -> None:
    rows = []
    for inputs, outputs in ((1_000, 10), (100, 100), (10, 1_000)):
        f, first, second = network(inputs, outputs)
        x = np.random.default_rng(2).normal(size=inputs)
        hidden = np.tanh(first @ x)
        top = 1 - np.tanh(second @ hidden) ** 2
        right = (top[:, None] * second) @ ((1 - hidden**2)[:, None] * first)
        calls: dict[str, Call] = {
            "xgrad": _jacobian_at(f, x),
            "xgrad, differences": _jacobian_at(f, x, method="central"),
        }
        if is_installed("jax"):
            calls |= _jacobians_by_jax(first, second, x)
        for label, call in calls.items():
            assert label.endswith("differences") or (
                largest_error(call(), right) < 1e-12
            )
        times = ProcessorTimer(rounds=9, most=6.0).medians(calls)
        rows.append([f"{outputs} x {inputs}", *map(duration, times.values())])
        header = ["outputs x inputs", *times]
    print("\n**Jacobian of a network's outputs by its inputs, dense**\n")
    print(table(header, rows), flush=True)


def _jacobian_at(f: Any, x: Any, **options: Any) -> Call:
    return lambda: xgrad.jacobian(f, x, **options)


def _jacobians_by_jax(first: Any, second: Any, x: Any) -> dict[str, Call]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    first, second, x = map(jnp.asarray, (first, second, x))

    def f(x: Any) -> Any:
        return jnp.tanh(second @ jnp.tanh(first @ x))

    eager, compiled = jax.jacrev(f), jax.jit(jax.jacrev(f))
    return {
        "JAX": lambda: np.asarray(jax.block_until_ready(eager(x))),
        "JAX under `jit`": lambda: np.asarray(jax.block_until_ready(compiled(x))),
    }


def products() -> None:
    rows = []
    for n in (100, 10_000, 100_000):
        x, v = np.random.default_rng(3).normal(size=(2, n))
        calls = _products_at(x, v)
        times = ProcessorTimer(rounds=11, most=5.0).medians(calls)
        plain, gradient = times["plain f"], times["gradient"]
        rows.append(
            [
                f"{n:,}",
                *map(duration, times.values()),
                f"{times['jvp'] / plain:.1f}",
                f"{times['hvp'] / gradient:.1f}",
            ]
        )
    print("\n**Products of Rosenbrock's function**\n")
    header = ["n", "plain f", "gradient", "jvp", "hvp"]
    header += ["jvp, in plain f", "hvp, in gradients"]
    print(table(header, rows), flush=True)


def _products_at(x: Any, v: Any) -> dict[str, Call]:
    return {
        "plain f": lambda: rosenbrock(x),
        "gradient": lambda: xgrad.gradient(rosenbrock, x),
        "jvp": lambda: xgrad.jvp(rosenbrock, x, v),
        "hvp": lambda: xgrad.hvp(rosenbrock, x, v),
    }


def orders() -> None:
    import mpmath

    mpmath.mp.dps = 40
    x = np.linspace(-2, 2, 9)
    rows = []
    for order in (1, 2, 3, 4):
        right = np.array(
            [
                float(mpmath.diff(lambda t: mpmath.log1p(t * mpmath.tanh(t)), p, order))
                for p in x
            ]
        )
        cells = []
        for method in ("autodiff", "central"):
            call = _derivative_at(x, order, method)
            cells += [
                f"{largest_error(call(), right):.0e}",
                duration(ProcessorTimer(rounds=9, most=2.0).medians({"": call})[""]),
            ]
        rows.append([str(order), *cells])
    print("\n**Derivatives of log1p(x * tanh(x)) at 9 points**\n")
    header = ["order", "exact: error", "time", "differences: error", "time"]
    print(table(header, rows), flush=True)


def _derivative_at(x: Any, order: int, method: Any) -> Call:
    return lambda: xgrad.derivative(curve, x, order=order, method=method)


def main() -> None:
    for name in ("jax", "torch", "autograd", "statsmodels", "numdifftools"):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed")
    warnings.simplefilter("ignore")
    products()
    orders()
    sparse_jacobians()
    dense_jacobians()
    dense_hessians()


if __name__ == "__main__":
    main()
