"""Fixed costs: derivatives of a small function beside SciPy's, in the same run.

    python benchmarks/fixed_cost.py           # the table of the README
    python benchmarks/fixed_cost.py --shared  # on a machine that others use
    python benchmarks/fixed_cost.py --quick   # to see that it runs

At two variables nearly all of the time is that of the library, not of the function.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import Timer, pin, table

if __name__ == "__main__":
    pin(1)

import numpy as np
from scipy.optimize._numdiff import approx_derivative

import xgrad
from xgrad import check

SIZES = (2, 10, 100, 1_000, 10_000)


def squares(x: Any) -> Any:
    return np.sum(x**2)


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def outputs(x: Any) -> Any:
    return x**2 * np.sum(x)


def elementwise(x: Any) -> Any:
    return np.sin(x)


def fixed_costs() -> dict[str, Callable[[], Any]]:
    """The calls at two variables; SciPy's are named after their method."""
    x = np.array([0.5, 1.5])
    v = np.array([1.0, -2.0])
    slopes, central = 2 * x, {"method": "central"}
    return {
        "scipy 3-point": lambda: approx_derivative(squares, x, method="3-point"),
        "gradient": lambda: xgrad.gradient(squares, x, **central),
        "gradient, accuracy 2": lambda: xgrad.gradient(
            squares, x, accuracy=2, **central
        ),
        "gradient, full_output": lambda: xgrad.gradient(
            squares, x, full_output=True, **central
        ),
        "scipy 3-point of 2 outputs": lambda: approx_derivative(
            outputs, x, method="3-point"
        ),
        "jacobian": lambda: xgrad.jacobian(outputs, x, **central),
        "jvp": lambda: xgrad.jvp(outputs, x, v, **central),
        "derivative": lambda: xgrad.derivative(elementwise, x, **central),
        "hessian": lambda: xgrad.hessian(squares, x, **central),
        "hvp": lambda: xgrad.hvp(squares, x, v, **central),
        "check_gradient": lambda: check.check_gradient(squares, slopes, x),
    }


def sized(n: int) -> dict[str, Callable[[], Any]]:
    """Gradients of ``n`` variables: plain, of a lambda made anew, with estimates."""
    x = np.linspace(0.5, 1.5, n)
    return {
        "gradient": lambda: xgrad.gradient(squares, x, method="central"),
        "rosenbrock": lambda: xgrad.gradient(rosenbrock, x, method="central"),
        "a new lambda": lambda: xgrad.gradient(
            lambda x: np.sum(x**2), x, method="central"
        ),
        "full_output": lambda: xgrad.gradient(
            squares, x, method="central", full_output=True
        ),
        "scipy": lambda: approx_derivative(squares, x, method="3-point"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    quick = options.quick
    clock = time.process_time if options.shared else time.perf_counter
    timer = Timer(3 if quick else 31, 1e-4 if quick else 4e-3, clock=clock)
    times = timer.medians(fixed_costs())
    lines = []
    for name, seconds in times.items():
        many = name in ("jacobian", "jvp", "scipy 3-point of 2 outputs")
        peer = "scipy 3-point" + (" of 2 outputs" if many else "")
        lines.append((name, f"{seconds * 1e6:,.0f}", f"{seconds / times[peer]:.2f}"))
    print(table(("n = 2", "microseconds", "over SciPy's"), lines), flush=True)
    print()
    columns = [timer.medians(sized(n)) for n in SIZES]
    rows = [
        (name, *(f"{column[name] * 1e6:,.0f}" for column in columns))
        for name in columns[0]
    ]
    print(table(("microseconds", *(f"n = {n:,}" for n in SIZES)), rows))


if __name__ == "__main__":
    main()
