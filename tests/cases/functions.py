"""Functions whose derivatives are known exactly, and hard to find numerically.

Sources: the hard points are from the test problems of numDeriv, numericalderivative and
Squire and Trapp (SIAM Review 40, 1998); the random functions are drawn here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Elementwise = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A function of one variable (elementwise on arrays), a point and the truth."""

    name: str
    f: Elementwise
    x: float
    truth: float


def _squire_trapp(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / (np.sin(x) ** 3 + np.cos(x) ** 3)


def _squire_trapp_slope(x: float) -> float:
    s, c = math.sin(x), math.cos(x)
    below = s**3 + c**3
    return math.exp(x) * (below - 3 * s * c * (s - c)) / below**2


# Where the only question is how accurate the answer is; the last one is noisy.
HARD = [
    Case("exp", np.exp, 1.0, math.e),
    Case("sin at 0", np.sin, 0.0, 1.0),
    Case("cos at 0", np.cos, 0.0, 0.0),
    Case("x^2 at 0", lambda x: x**2, 0.0, 0.0),
    Case("x^3 + x", lambda x: x**3 + x, 1e-10, 1.0),
    Case("Squire-Trapp", _squire_trapp, 1.5, _squire_trapp_slope(1.5)),
    Case("exp(-x/1e6)", lambda x: np.exp(-x / 1e6), 1.0, -1e-6 * math.exp(-1e-6)),
    Case("x^2 at 1e10", lambda x: x**2, 1e10, 2e10),
    Case("sin(1e-8 x)", lambda x: np.sin(1e-8 * x), 1e8, 1e-8 * math.cos(1.0)),
    Case("sin at 1e6", np.sin, 1e6, math.cos(1e6)),
    Case("log at 1e-3", np.log, 1e-3, 1e3),
    Case("log at 1e-8", np.log, 1e-8, 1e8),
    Case("sqrt at 1e-8", np.sqrt, 1e-8, 5e3),
    Case("1/x at 1e-6", lambda x: 1 / x, 1e-6, -1e12),
    Case("asin at .999", np.arcsin, 0.999, 1 / math.sqrt(1 - 0.999**2)),
    Case("sin(1/x)", lambda x: np.sin(1 / x), 1e-4, -math.cos(1e4) * 1e8),
    Case("sin(100 x)", lambda x: np.sin(100 * x), 1.0, 100 * math.cos(100.0)),
    Case("1e8 + sin", lambda x: 1e8 + np.sin(x), 1.0, math.cos(1.0)),
    Case(
        "numDeriv cubic",
        lambda x: (x - 100) ** 2 + 1e-6 * (x - 300) ** 3,
        300.001,
        2 * (300.001 - 100) + 3e-6 * (300.001 - 300) ** 2,
    ),
    Case(
        "SXXN1",
        lambda x: np.expm1(x) ** 2,
        -8.0,
        2 * math.exp(-8) * math.expm1(-8),
    ),
    Case("SXXN2", lambda x: np.exp(100 * x), 0.01, 100 * math.e),
    Case(
        "SXXN3",
        lambda x: x**4 + 3 * x**2 - 10 * x,
        0.99999,
        4 * 0.99999**3 + 6 * 0.99999 - 10,
    ),
    Case(
        "SXXN4",
        lambda x: 1e4 * x**3 + 0.01 * x**2 + 5 * x,
        1e-9,
        3e4 * 1e-18 + 0.02 * 1e-9 + 5,
    ),
    Case("abs at 1e-3", np.abs, 1e-3, 1.0),
    Case("relu at 1e-6", lambda x: np.maximum(x, 0), 1e-6, 1.0),
    Case(
        "fast ripple",
        lambda x: np.sin(x) + 1e-6 * np.sin(1e13 * x + 3),
        1.0,
        math.cos(1.0),
    ),
]


def _in_float32(x: np.ndarray) -> np.ndarray:
    return np.sin(x.astype(np.float32)).astype(np.float64)


# Where a number alone may mislead: a truth of nan means that there is no derivative.
HARDER = [
    Case("abs at 0", np.abs, 0.0, math.nan),
    Case("relu at 0", lambda x: np.maximum(x, 0), 0.0, math.nan),
    Case("leaky .01 at 0", lambda x: np.maximum(x, 0.01 * x), 0.0, math.nan),
    Case("leaky .99 at 0", lambda x: np.maximum(x, 0.99 * x), 0.0, math.nan),
    Case("step at 0", lambda x: np.heaviside(x, 1.0), 0.0, math.nan),
    Case("cbrt at 0", np.cbrt, 0.0, math.nan),
    Case("sqrt at 0", np.sqrt, 0.0, math.nan),
    Case("log at 0", np.log, 0.0, math.nan),
    Case("all nan", lambda x: x * math.nan, 1.0, math.nan),
    Case("step near 0", lambda x: np.heaviside(x - 1e-4, 1.0) + x, 0.0, 1.0),
    Case("x abs(x) at 0", lambda x: x * np.abs(x), 0.0, 0.0),
    Case("sin(1e6 x) at 0", lambda x: np.sin(1e6 * x), 0.0, 1e6),
    Case("exp(-x/1e12) at 0", lambda x: np.exp(-x / 1e12), 0.0, -1e-12),
    Case("constant", lambda x: 3 + 0 * x, 1.0, 0.0),
    Case("x at 1e300", lambda x: 1 * x, 1e300, 1.0),
    Case("x^2 at 1e-300", lambda x: x**2, 1e-300, 2e-300),
    Case("float32 inside", _in_float32, 1.0, math.cos(1.0)),
    Case("round(sin, 6)", lambda x: np.round(np.sin(x), 6), 1.0, math.cos(1.0)),
    Case("floor at .5", np.floor, 0.5, 0.0),
    Case("exp at 700", np.exp, 700.0, math.exp(700)),
    Case(
        "exp(-1/x^2)",
        lambda x: np.exp(-1 / x**2),
        0.1,
        2 / 0.1**3 * math.exp(-1 / 0.1**2),
    ),
    Case("x log x", lambda x: x * np.log(x), 1e-12, math.log(1e-12) + 1),
    Case(
        "huber at its knee",
        lambda x: np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5),
        1.0,
        1.0,
    ),
    Case("abs at -1e-6", np.abs, -1e-6, -1.0),
    Case(
        "ripple noise",
        lambda x: np.sin(x) + 1e-6 * np.sin(1e11 * x),
        1.0,
        math.cos(1.0),
    ),
]

# name: function of u, its derivative; smooth, of size about 1 for u about 1.
FAMILIES: dict[str, tuple[Elementwise, Elementwise]] = {
    "sin": (np.sin, np.cos),
    "exp(-u^2)": (lambda u: np.exp(-(u**2)), lambda u: -2 * u * np.exp(-(u**2))),
    "tanh": (np.tanh, lambda u: 1 / np.cosh(np.minimum(abs(u), 300)) ** 2),
    "1/(1+u^2)": (lambda u: 1 / (1 + u**2), lambda u: -2 * u / (1 + u**2) ** 2),
    "log1p(u^2)": (lambda u: np.log1p(u**2), lambda u: 2 * u / (1 + u**2)),
    "u^3 - 2u": (lambda u: u**3 - 2 * u, lambda u: 3 * u**2 - 2),
    "sqrt(1+u^2)": (lambda u: np.sqrt(1 + u**2), lambda u: u / np.sqrt(1 + u**2)),
    "atan": (np.arctan, lambda u: 1 / (1 + u**2)),
}


def random_cases(count: int, seed: int) -> list[Case]:
    """``height * g(x / width + phase)``, with the width within 10^3 of ``x``.

    ``|x|`` is 10^U(-6, 4), the width ``|x|`` times 10^U(-3, 3), the height 10^U(-3, 3).
    """
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(count):
        name, (g, slope) = list(FAMILIES.items())[i % len(FAMILIES)]
        x = float(10 ** rng.uniform(-6, 4) * rng.choice([-1, 1]))
        width = float(abs(x) * 10 ** rng.uniform(-3, 3))
        height, phase = float(10 ** rng.uniform(-3, 3)), float(rng.uniform(-2, 2))

        def f(
            t: np.ndarray,
            g: Elementwise = g,
            width: float = width,
            height: float = height,
            phase: float = phase,
        ) -> np.ndarray:
            return height * g(t / width + phase)

        truth = float(height / width * slope(np.float64(x / width + phase)))
        cases.append(Case(name, f, x, truth))
    return cases


# Functions of many variables, along the last axis, with known derivatives


def rosenbrock_terms(x: np.ndarray) -> np.ndarray:
    """Terms of Rosenbrock's function."""
    return 100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2


def rosenbrock(x: np.ndarray) -> Any:
    """Rosenbrock's function."""
    return np.sum(rosenbrock_terms(x), axis=-1)


def rosenbrock_slope(x: np.ndarray) -> np.ndarray:
    """Gradient of Rosenbrock's function."""
    slope = np.zeros_like(x)
    inner = x[1:] - x[:-1] ** 2
    slope[:-1] = -400 * x[:-1] * inner - 2 * (1 - x[:-1])
    slope[1:] += 200 * inner
    return slope


def rosenbrock_curvature(x: np.ndarray) -> np.ndarray:
    """Hessian of Rosenbrock's function."""
    diagonal = np.zeros_like(x)
    diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    diagonal[1:] += 200
    beside = np.diag(-400 * x[:-1], 1)
    return np.diag(diagonal) + beside + beside.T


def broyden(x: np.ndarray) -> np.ndarray:
    """Broyden's tridiagonal function."""
    y = (3 - 2 * x) * x + 1
    y[..., 1:] -= x[..., :-1]
    y[..., :-1] -= 2 * x[..., 1:]
    return y


def broyden_slope(x: np.ndarray) -> np.ndarray:
    """Jacobian of Broyden's tridiagonal function."""
    return np.diag(3 - 4 * x) - np.eye(x.size, k=-1) - 2 * np.eye(x.size, k=1)
