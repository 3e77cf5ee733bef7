"""Optimizers of SciPy with exact derivatives, beside SciPy's own differences.

    python benchmarks/optimizers.py

prints Markdown tables. Each row is the whole of an optimisation: the calls of the
function are counted in one run, and the time is the median of others, of the processor.
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
import scipy.sparse  # noqa: E402
from scipy.optimize import least_squares, minimize  # noqa: E402

from xgrad import (  # noqa: E402
    color_columns,
    gradient,
    hessian,
    hvp,
    jacobian,
    sparsity_pattern,
    value_and_gradient,
)

Function = Callable[[np.ndarray], Any]
HEADER = ["SciPy's function", "derivatives", "iterations", "calls of f", "time"]


class Counted:
    """A function that counts its calls."""

    def __init__(self, f: Function) -> None:
        self.f, self.calls = f, 0

    def __call__(self, x: np.ndarray) -> Any:
        self.calls += 1
        return self.f(x)


def rosenbrock(x: np.ndarray) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def residuals(x: np.ndarray, target: np.ndarray) -> Any:
    """Broyden's tridiagonal function, less a target."""
    padded = np.concatenate([[0.0], x, [0.0]])
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + target


def measured(
    f: Function, ways: dict[tuple[str, str], Callable[[Function], Any]]
) -> dict[tuple[str, str], tuple[Any, list[str]]]:
    """Run each optimizer; return its result, and the cells of its row."""
    rows = {}
    for names, optimize in ways.items():
        optimize(f)  # derivatives are proved at first use
        counted = Counted(f)
        result = optimize(counted)
        call = partial(optimize, f)
        timer = Timer(rounds=7, most=5.0, clock=time.process_time)
        seconds = timer.medians({"it": call})["it"]
        iterations = getattr(result, "nit", result.nfev)
        cells = [*names, str(iterations), f"{counted.calls:,}", duration(seconds)]
        rows[names] = result, cells
    return rows


def minimum(n: int) -> dict[tuple[str, str], Callable[[Function], Any]]:
    """Minimise from 1/2, with derivatives of first and second order."""
    start = np.full(n, 0.5)

    def with_slope(f: Function, **options: Any) -> Any:
        return minimize(partial(value_and_gradient, f), start, jac=True, **options)

    exact = {
        ("BFGS", "exact gradient"): with_slope,
        ("L-BFGS-B", "exact gradient"): partial(with_slope, method="L-BFGS-B"),
        ("trust-exact", "exact gradient and Hessian"): lambda f: with_slope(
            f, method="trust-exact", hess=partial(hessian, f)
        ),
        ("trust-krylov", "exact gradient and products"): lambda f: with_slope(
            f, method="trust-krylov", hessp=partial(hvp, f)
        ),
        ("Newton-CG", "exact gradient and products"): lambda f: with_slope(
            f, method="Newton-CG", hessp=partial(hvp, f)
        ),
    }
    own = {
        ("BFGS", "SciPy's differences"): lambda f: minimize(f, start),
        ("L-BFGS-B", "SciPy's differences"): lambda f: minimize(
            f, start, method="L-BFGS-B"
        ),
        ("Newton-CG", "exact gradient, SciPy's differences of it"): lambda f: minimize(
            f, start, jac=partial(gradient, f), method="Newton-CG"
        ),
    }
    return {**own, **exact}


def large_minimum(n: int) -> dict[tuple[str, str], Callable[[Function], Any]]:
    """Minimise a function of many variables, whose Hessian is sparse."""
    start = np.full(n, 0.5)

    def with_slope(f: Function, **options: Any) -> Any:
        return minimize(partial(value_and_gradient, f), start, jac=True, **options)

    return {
        ("trust-krylov", "exact gradient and products"): lambda f: with_slope(
            f, method="trust-krylov", hessp=partial(hvp, f)
        ),
        ("trust-constr", "exact gradient and sparse Hessian"): lambda f: with_slope(
            f, method="trust-constr", hess=partial(hessian, f, sparsity="auto")
        ),
    }


def squares(n: int) -> dict[tuple[str, str], Callable[[Function], Any]]:
    """Solve least squares whose Jacobian is sparse."""
    start, ones = np.full(n, -0.1), np.ones(n)
    solve = partial(least_squares, x0=start, method="trf", tr_solver="lsmr")
    pattern = scipy.sparse.diags_array(
        [ones[1:], ones, ones[1:]], offsets=[-1, 0, 1], dtype=bool
    )

    def by_colours(f: Function) -> Any:
        coloring = color_columns(sparsity_pattern(f, start))
        return solve(f, jac=partial(jacobian, f, sparsity=coloring))

    return {
        ("least_squares", "SciPy's differences by a pattern"): lambda f: solve(
            f, jac_sparsity=pattern.tocsr()
        ),
        ("least_squares", 'exact, `sparsity="auto"`'): lambda f: solve(
            f, jac=partial(jacobian, f, sparsity="auto")
        ),
        ("least_squares", "exact, coloured once"): by_colours,
    }


def show(
    title: str,
    last: str,
    rows: dict[tuple[str, str], tuple[Any, list[str]]],
    quality: Callable[[Any], str],
) -> None:
    print(f"\n**{title}**\n")
    cells = [[*cells, quality(result)] for result, cells in rows.values()]
    print(table([*HEADER, last], cells), flush=True)


def main() -> None:
    """All tables."""
    warnings.simplefilter("ignore")  # SciPy's, of optimizers that give up
    versions = ", ".join(
        f"{n} {importlib.metadata.version(n)}" for n in ("numpy", "scipy")
    )
    print(f"Python {platform.python_version()}, {versions}")

    def error(result: Any) -> str:
        return f"{np.max(np.abs(result.x - 1)):.0e}"

    title = "Minimum of Rosenbrock's function, n = {:,}"
    show(title.format(50), "error", measured(rosenbrock, minimum(50)), error)
    rows = measured(rosenbrock, large_minimum(10_000))
    show(title.format(10_000), "error", rows, error)
    f = partial(residuals, target=np.linspace(0, 1, 5_000))
    rows = measured(f, squares(5_000))
    show(
        "Least squares of Broyden's tridiagonal function, n = 5,000",
        "cost",
        rows,
        lambda result: f"{result.cost:.0e}",
    )


if __name__ == "__main__":
    main()
