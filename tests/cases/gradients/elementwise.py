"""Sums of elementwise functions: activations, all scales of `x`, and zeros in it."""

from __future__ import annotations

import math

import numpy as np

from cases.gradients.data import HALF_ZERO, away, normal, uniform
from cases.gradients.pairs import (
    Case,
    Pair,
    averaged,
    case,
    raised,
    stretched,
    summed,
    weighted,
)


def sigmoid(xp, x):
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + z), z / (1 + z))


def sigmoid_slope(xp, x):
    z = xp.exp(-xp.abs(x))
    return z / (1 + z) ** 2


def softplus(xp, x):
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


def gelu(xp, x):
    return x / 2 * (1 + xp.tanh(0.8 * (x + 0.045 * x**3)))


def gelu_slope(xp, x):
    t = xp.tanh(0.8 * (x + 0.045 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * 0.8 * (1 + 0.135 * x**2)


def log_cosh(xp, x):
    a = xp.abs(x)
    near = xp.log1p(2 * xp.sinh(xp.minimum(a, 1.0) / 2) ** 2)
    return xp.where(a < 1, near, a + xp.log1p(xp.exp(-2 * a)) - math.log(2))


def huber(xp, x):
    inner = xp.minimum(xp.abs(x), 1.0)
    return inner**2 / 2 + xp.abs(x) - inner


def squire_trapp_slope(xp, x):
    s, c = xp.sin(x), xp.cos(x)
    below = s**3 + c**3
    return xp.exp(x) * (below - 3 * s * c * (s - c)) / below**2


def step(xp, x, below=0.0):
    """1 where positive."""
    return xp.where(x > 0, xp.ones_like(x), xp.full_like(x, below))


SIN: Pair = (lambda xp, x: xp.sin(x), lambda xp, x: xp.cos(x))
COS: Pair = (lambda xp, x: xp.cos(x), lambda xp, x: -xp.sin(x))
EXP: Pair = (lambda xp, x: xp.exp(x), lambda xp, x: xp.exp(x))
LOG: Pair = (lambda xp, x: xp.log(x), lambda xp, x: 1 / x)
SQRT: Pair = (lambda xp, x: xp.sqrt(x), lambda xp, x: 0.5 / xp.sqrt(x))
RECIPROCAL: Pair = (lambda xp, x: 1 / x, lambda xp, x: -1 / x**2)
SQUARE: Pair = (lambda xp, x: x**2, lambda xp, x: 2 * x)
HALF_SQUARE: Pair = (lambda xp, x: x**2 / 2, lambda xp, x: x)
CUBE: Pair = (lambda xp, x: x**3, lambda xp, x: 3 * x**2)
CONSTANT: Pair = (lambda xp, x: 0 * x + 3, lambda xp, x: 0 * x)
SIGMOID: Pair = (sigmoid, sigmoid_slope)
SOFTPLUS: Pair = (softplus, sigmoid)
TANH: Pair = (lambda xp, x: xp.tanh(x), lambda xp, x: 1 / xp.cosh(x) ** 2)
SWISH: Pair = (
    lambda xp, x: x * sigmoid(xp, x),
    lambda xp, x: sigmoid(xp, x) + x * sigmoid_slope(xp, x),
)
GELU: Pair = (gelu, gelu_slope)
ELU: Pair = (
    lambda xp, x: xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0.0))),
    lambda xp, x: xp.exp(xp.minimum(x, 0.0)),
)
SOFTSIGN: Pair = (
    lambda xp, x: x / (1 + xp.abs(x)),
    lambda xp, x: 1 / (1 + xp.abs(x)) ** 2,
)
RELU: Pair = (lambda xp, x: xp.maximum(x, 0.0), step)
LEAKY: Pair = (
    lambda xp, x: xp.maximum(x, x / 16),
    lambda xp, x: step(xp, x, below=1 / 16),
)
ABS: Pair = (lambda xp, x: xp.abs(x), lambda xp, x: xp.sign(x))
CLIPPED: Pair = (
    lambda xp, x: xp.minimum(xp.maximum(x, -1.0), 1.0),
    lambda xp, x: step(xp, 1 - xp.abs(x)),
)
SIGNED_SQUARE: Pair = (lambda xp, x: x * xp.abs(x), lambda xp, x: 2 * xp.abs(x))
LOG_COSH: Pair = (log_cosh, lambda xp, x: xp.tanh(x))
HUBER: Pair = (huber, lambda xp, x: xp.minimum(xp.maximum(x, -1.0), 1.0))
CAUCHY: Pair = (lambda xp, x: xp.log1p(x**2), lambda xp, x: 2 * x / (1 + x**2))
X_LOG_X: Pair = (lambda xp, x: x * xp.log(x), lambda xp, x: xp.log(x) + 1)
ARCSIN: Pair = (lambda xp, x: xp.asin(x), lambda xp, x: 1 / xp.sqrt((1 - x) * (1 + x)))
EXP_LESS_X: Pair = (lambda xp, x: xp.exp(x) - x, lambda xp, x: xp.expm1(x))
SQUIRE_TRAPP: Pair = (
    lambda xp, x: xp.exp(x) / (xp.sin(x) ** 3 + xp.cos(x) ** 3),
    squire_trapp_slope,
)
CUBIC: Pair = (
    lambda xp, x: (x - 100) ** 2 + 1e-6 * (x - 300) ** 3,
    lambda xp, x: 2 * (x - 100) + 3e-6 * (x - 300) ** 2,
)
PINBALL: Pair = (
    lambda xp, e: xp.maximum(-0.75 * e, 0.25 * e),
    lambda xp, e: 0.5 * xp.sign(e) - 0.25 * xp.abs(xp.sign(e)),
)
SCALES = 10.0 ** np.arange(-8, 9)
SPREAD = SCALES * uniform(20, 0.5, 1.5, 17)
EVEN = (np.arange(10) % 2 == 0).astype(float)

CASES: tuple[Case, ...] = (
    case("sigmoid", summed(SIGMOID), 3 * normal(1, 10)),
    case("sigmoid, far out", summed(SIGMOID), [-30.0, 0.5, 30.0]),
    case("softplus", summed(SOFTPLUS), 2 * normal(2, 100)),
    case("softplus, -30 to 30", averaged(SOFTPLUS), np.linspace(-30, 30, 10)),
    case("tanh, mean of 257", averaged(TANH), normal(3, 257)),
    case("swish", summed(SWISH), 2 * normal(4, 2, 5)),
    case("gelu", averaged(GELU), 2 * normal(5, 10, 10)),
    case("elu, also at 0", summed(ELU), [-1.5, 0.0, 2.0]),
    case("softsign, 256", summed(SOFTSIGN), away(normal(6, 256))),
    case("log cosh", averaged(LOG_COSH), [1e-6, -1e-3, 0.5, -0.999, 1.001, -3.0, 30.0]),
    case("relu off its corner", summed(RELU), away(normal(7, 100))),
    case("relu at 0", summed(RELU), [0.0, 1.0, -1.0], "kink"),
    case(
        "relu, some at 0",
        weighted(RELU, away(normal(8, 4, 5))),
        away(normal(9, 4, 5)) * (np.arange(20).reshape(4, 5) % 4 > 0),
        "kink",
    ),
    case("leaky relu at 0", summed(LEAKY), 0.0, "kink"),
    case("abs at 0", averaged(ABS), [[0.0, 2.0], [-1.0, 0.5]], "kink"),
    case("clip at its ends", summed(CLIPPED), [1.0, -1.0, 0.5, 2.0], "kink"),
    case("x abs(x) at 0", summed(SIGNED_SQUARE), [0.0, 1.0, -2.0]),
    case("sin of a number", SIN, 0.7),
    case("Squire-Trapp", SQUIRE_TRAPP, 1.5),
    case("cubic far from its centre", CUBIC, 300.001),
    case("arcsin near 1", summed(ARCSIN), [0.9, 0.99, -0.999]),
    case("cube of one entry", summed(CUBE), [1.3]),
    case("sin of two", summed(SIN), [2.0, -0.3]),
    case("sin of three dimensions", summed(SIN), normal(10, 2, 3, 4)),
    case("mean square of three dimensions", averaged(SQUARE), normal(11, 5, 4, 3)),
    case("fast waves", summed(stretched(SIN, 0.01)), [1.0, 0.3, -0.7]),
    case("10,000 waves", summed(SIN), normal(12, 10_000)),
    case("mean square of 10,000", averaged(SQUARE), normal(13, 10_000)),
    case(
        "weighted exponentials",
        weighted(EXP_LESS_X, np.arange(1.0, 101.0)),
        normal(14, 100),
    ),
    *(
        case(
            f"waves of {unit:.0e}", summed(stretched(SIN, unit)), unit * normal(21, 10)
        )
        for unit in (1e-7, 1e-3, 1e4, 1e8)
    ),
    case("waves of all scales", summed(stretched(SIN, SCALES)), SPREAD),
    case("logarithms of all scales", summed(LOG), SPREAD),
    case("squares of all scales", summed(SQUARE), SPREAD),
    case("log at 1e-6", LOG, 1e-6),
    case("1/x at 1e-6", RECIPROCAL, 1e-6),
    case("1/x at 1e-6, -2e-6, 1", summed(RECIPROCAL), [1e-6, -2e-6, 1.0]),
    case("square root at 1e-8", SQRT, 1e-8),
    case("x log x at 1e-12", summed(X_LOG_X), [1e-12]),
    case("square at 1e8", SQUARE, 1e8),
    case("squares at 1e8", summed(SQUARE), 1e8 * normal(22, 3)),
    case("cubes at 1e-7", summed(CUBE), 1e-7 * normal(23, 2, 2)),
    case("exp at 20", summed(EXP), [20.0, 19.5, 21.0]),
    case("large offset", raised(summed(SIN), 1e6), normal(24, 10)),
    case("sin, half of x zero", summed(SIN), HALF_ZERO),
    case("squares, half of x zero", summed(SQUARE), HALF_ZERO),
    case("squares of every other entry", weighted(SQUARE, EVEN), normal(31, 10)),
    case("constant", summed(CONSTANT), normal(32, 3)),
    case("cos at 0", summed(COS), np.zeros(3)),
    case("exponentials at their minimum", weighted(EXP_LESS_X, 1 + EVEN), np.zeros(10)),
)
