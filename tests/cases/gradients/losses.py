"""Losses of elements, by hand."""

from __future__ import annotations

import math

import numpy as np

from cases.gradients.data import (
    E10,
    T01,
    T10,
    T11,
    T34,
    TIE,
    away,
    bits,
    normal,
    signs,
    uniform,
)
from cases.gradients.elementwise import (
    ABS,
    CAUCHY,
    HALF_SQUARE,
    HUBER,
    LOG_COSH,
    PINBALL,
    SQUARE,
    sigmoid,
    softplus,
    step,
)
from cases.gradients.pairs import (
    Case,
    Pair,
    averaged,
    case,
    like,
    shifted,
    stretched,
    summed,
    weighted,
)


def binary_cross_entropy(t: np.ndarray) -> Pair:
    """By probabilities."""

    def value(xp, p):
        y = like(xp, p, t)
        return -(y * xp.log(p) + (1 - y) * xp.log1p(-p))

    def slope(xp, p):
        return (p - like(xp, p, t)) / (p * (1 - p))

    return value, slope


def binary_logits(t: np.ndarray, positive: float = 1.0) -> Pair:
    """Binary cross entropy by logits, with a weight of the positive class."""

    def value(xp, x):
        y = like(xp, x, t)
        return positive * y * softplus(xp, -x) + (1 - y) * softplus(xp, x)

    def slope(xp, x):
        y = like(xp, x, t)
        return (1 - y) * sigmoid(xp, x) - positive * y * sigmoid(xp, -x)

    return value, slope


def hinge(t: np.ndarray) -> Pair:
    """Of signed targets."""

    def slope(xp, x):
        y = like(xp, x, t)
        return -y * step(xp, 1 - y * x)

    return lambda xp, x: xp.maximum(1 - like(xp, x, t) * x, 0.0), slope


def squared_hinge(t: np.ndarray) -> Pair:
    """Of signed targets."""
    value, _ = hinge(t)
    return (
        lambda xp, x: value(xp, x) ** 2,
        lambda xp, x: -2 * like(xp, x, t) * value(xp, x),
    )


def poisson(t: np.ndarray) -> Pair:
    """By the logarithm of the rate."""
    return (
        lambda xp, x: xp.exp(x) - like(xp, x, t) * x,
        lambda xp, x: xp.exp(x) - like(xp, x, t),
    )


def poisson_rate(t: np.ndarray) -> Pair:
    """By the rate."""
    return (
        lambda xp, x: x - like(xp, x, t) * xp.log(x),
        lambda xp, x: 1 - like(xp, x, t) / x,
    )


def gaussian_variance(e: np.ndarray) -> Pair:
    """By the variance."""
    return (
        lambda xp, v: (xp.log(v) + like(xp, v, e**2) / v) / 2,
        lambda xp, v: (v - like(xp, v, e**2)) / (2 * v**2),
    )


def gaussian_log_variance(e: np.ndarray) -> Pair:
    """By the logarithm of the variance."""
    return (
        lambda xp, s: (s + like(xp, s, e**2) * xp.exp(-s)) / 2,
        lambda xp, s: (1 - like(xp, s, e**2) * xp.exp(-s)) / 2,
    )


def squared_log_error(t: np.ndarray) -> Pair:
    """Of numbers above -1."""
    return (
        lambda xp, p: (xp.log1p(p) - like(xp, p, np.log1p(t))) ** 2,
        lambda xp, p: 2 * (xp.log1p(p) - like(xp, p, np.log1p(t))) / (1 + p),
    )


def root_mean_square() -> Pair:
    """Root of the mean of squares."""

    def f(xp, e):
        return xp.sqrt(xp.mean(e**2))

    return f, lambda xp, e: e / (math.prod(e.shape) * f(xp, e))


def dice(t: np.ndarray) -> Pair:
    """One less the overlap of a soft mask with a hard one."""

    def parts(xp, p):
        return 2 * xp.sum(p * like(xp, p, t)), xp.sum(p) + float(t.sum())

    def f(xp, p):
        above, below = parts(xp, p)
        return 1 - above / below

    def grad(xp, p):
        above, below = parts(xp, p)
        return (above / below - 2 * like(xp, p, t)) / below

    return f, grad


NEAR_ENDS = [1e-6, 1 - 1e-6, 1e-4, 1 - 1e-4]

CASES: tuple[Case, ...] = (
    case("mean squared error", averaged(shifted(SQUARE, T34)), normal(45, 3, 4)),
    case(
        "half squared error of 1,000",
        summed(shifted(HALF_SQUARE, normal(46, 1_000))),
        normal(47, 1_000),
    ),
    case("root mean squared error", shifted(root_mean_square(), T10), normal(48, 10)),
    case(
        "squared logarithmic error",
        averaged(squared_log_error(uniform(49, 0, 3, 10))),
        uniform(50, 0, 3, 10),
    ),
    case("absolute error", averaged(shifted(ABS, T10)), T10 + away(normal(51, 10))),
    case(
        "absolute error, a tie",
        averaged(shifted(ABS, TIE)),
        [1.0, 0.5, 2.0, 0.0],
        "kink",
    ),
    case("huber", averaged(shifted(HUBER, T34)), T34 + 2 * normal(52, 3, 4)),
    case("huber at its knee", summed(HUBER), [1.0, -1.0, 0.5]),
    case(
        "huber at a shifted knee", averaged(shifted(HUBER, TIE)), [2.0, -2.0, 0.0, 4.0]
    ),
    case("smooth l1", averaged(stretched(HUBER, 0.5)), normal(53, 10)),
    case("log cosh of residuals", averaged(shifted(LOG_COSH, T10)), normal(54, 10)),
    case("cauchy loss", averaged(shifted(CAUCHY, T10)), normal(55, 10)),
    case("pinball", averaged(shifted(PINBALL, T10)), T10 + away(normal(56, 10))),
    case("pinball, a tie", summed(shifted(PINBALL, TIE)), [1.0, 0.0, 2.0, 0.5], "kink"),
    case(
        "binary cross entropy",
        averaged(binary_cross_entropy(T01[:10])),
        uniform(57, 0.05, 0.95, 10),
    ),
    case(
        "binary cross entropy, sure and right",
        averaged(binary_cross_entropy(np.array([0.0, 1.0, 0.0, 1.0]))),
        NEAR_ENDS,
    ),
    case(
        "binary cross entropy, sure and wrong",
        averaged(binary_cross_entropy(np.array([1.0, 0.0, 1.0, 0.0]))),
        NEAR_ENDS,
    ),
    case(
        "binary cross entropy by logits",
        summed(binary_logits(T01)),
        3 * normal(58, 100),
    ),
    case(
        "binary cross entropy, logits of 30",
        averaged(binary_logits(bits(59, 4, 3))),
        30 * signs(60, 4, 3),
    ),
    case(
        "binary cross entropy, positives weigh 3",
        averaged(binary_logits(uniform(61, 0, 1, 10), positive=3.0)),
        normal(62, 10),
    ),
    case("hinge", averaged(hinge(T11)), T11 * (1 + away(normal(63, 10)))),
    case("hinge, ties", averaged(hinge(TIE)), [1.0, -1.0, 0.5, 3.0], "kink"),
    case("squared hinge", averaged(squared_hinge(T11)), normal(64, 10)),
    case(
        "squared hinge at its edge", summed(squared_hinge(TIE)), [1.0, -1.0, 0.5, 3.0]
    ),
    case("poisson", averaged(poisson(uniform(65, 0, 5, 10))), normal(66, 10)),
    case(
        "poisson by the rate",
        summed(poisson_rate(uniform(67, 0, 5, 10))),
        uniform(68, 0.1, 4, 10),
    ),
    case(
        "gaussian by the mean",
        weighted(shifted(HALF_SQUARE, T10), 1 / uniform(69, 0.1, 2, 10)),
        normal(70, 10),
    ),
    case(
        "gaussian by the variance",
        averaged(gaussian_variance(E10)),
        uniform(71, 0.5, 2, 10),
    ),
    case(
        "gaussian by a small variance",
        averaged(gaussian_variance(1e-3 * E10)),
        1e-6 * uniform(72, 0.5, 2, 10),
    ),
    case(
        "gaussian by the logarithm of the variance",
        summed(gaussian_log_variance(E10)),
        normal(73, 10),
    ),
    case("dice", dice(T01), uniform(74, 0.05, 0.95, 100)),
)
