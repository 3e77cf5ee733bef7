"""Normalised rows, norms and barriers."""

from __future__ import annotations

import numpy as np

from cases.gradients.data import HALF_ZERO, T10, away, normal, soft, uniform
from cases.gradients.elementwise import ABS, X_LOG_X
from cases.gradients.pairs import Case, Pair, case, like, linear, stretched, summed
from cases.gradients.rows import cosine_distance, length


def centred(xp, x, axis):
    """Less the mean, twice: a mean is rounded."""
    d = x - xp.mean(x, axis=axis, keepdims=True)
    return d - xp.mean(d, axis=axis, keepdims=True)


def normalised(w: np.ndarray, axis: int, eps: float = 1e-5) -> Pair:
    """A layer or batch norm, read out by weights."""

    def parts(xp, x):
        d = centred(xp, x, axis)
        size = xp.sqrt(xp.mean(d**2, axis=axis, keepdims=True) + eps)
        return d / size, size

    def grad(xp, x):
        y, size = parts(xp, x)
        v = like(xp, x, w - w.mean(axis=axis, keepdims=True))
        return (v - y * xp.mean(v * y, axis=axis, keepdims=True)) / size

    return lambda xp, x: xp.sum(like(xp, x, w) * parts(xp, x)[0]), grad


def root_normalised(w: np.ndarray) -> Pair:
    """Rows over the root of their mean square, read out by weights."""

    def parts(xp, x):
        size = xp.sqrt(xp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
        return x / size, size

    def grad(xp, x):
        (y, size), v = parts(xp, x), like(xp, x, w)
        return (v - y * xp.mean(v * y, axis=-1, keepdims=True)) / size

    return lambda xp, x: xp.sum(like(xp, x, w) * parts(xp, x)[0]), grad


def correlation(t: np.ndarray) -> Pair:
    """One less the correlation coefficient: a cosine of what is centred."""
    value, slope = cosine_distance(t - t.mean())
    return (
        lambda xp, x: value(xp, centred(xp, x, -1)),
        lambda xp, x: centred(xp, slope(xp, centred(xp, x, -1)), -1),
    )


VARIANCE: Pair = (
    lambda xp, x: xp.mean(centred(xp, x, -1) ** 2),
    lambda xp, x: 2 * centred(xp, x, -1) / x.shape[0],
)
W3D = normal(120, 2, 3, 4)
W_LAYER, W_BATCH = normal(121, 4, 10), normal(122, 10, 3)


def norm(p: float) -> Pair:
    """The ``p``-norm of a vector, ``p`` above 1."""

    def f(xp, x):
        return xp.sum(xp.abs(x) ** p) ** (1 / p)

    return f, lambda xp, x: xp.sign(x) * (xp.abs(x) / f(xp, x)) ** (p - 1)


def row_lengths() -> Pair:
    """Sum of the lengths of rows; the subgradient of a row of zeros is 0."""

    def grad(xp, x):
        r = length(xp, x)
        return x / xp.where(r > 0, r, 1.0)

    return lambda xp, x: xp.sum(length(xp, x)), grad


def largest(xp, x):
    """Where the largest entries are; equal ones share."""
    at = xp.where(x == xp.max(x), xp.ones_like(x), xp.zeros_like(x))
    return at / xp.sum(at)


MAX: Pair = (lambda xp, x: xp.max(x), largest)
LARGEST_SIZE: Pair = (
    lambda xp, x: xp.max(xp.abs(x)),
    lambda xp, x: xp.sign(x) * largest(xp, xp.abs(x)),
)
BARRIER: Pair = (lambda xp, y: -xp.log(1 - y), lambda xp, y: 1 / (1 - y))
SPARSE_ROWS = normal(250, 4, 3)

CASES: tuple[Case, ...] = (
    case("layer norm", normalised(W_LAYER, -1), 2 + normal(123, 4, 10)),
    case(
        "layer norm, variance near 0",
        normalised(W_LAYER, -1),
        1e-4 * normal(124, 4, 10),
    ),
    case(
        "layer norm, close rows", normalised(W_LAYER, -1), 1 + 1e-4 * normal(125, 4, 10)
    ),
    case("layer norm of constant rows", normalised(W_LAYER, -1), np.full((4, 10), 2.0)),
    case("layer norm of three dimensions", normalised(W3D, -1), normal(126, 2, 3, 4)),
    case("batch norm", normalised(W_BATCH, 0), 3 * normal(127, 10, 3) - 1),
    case(
        "batch norm, variance near 0",
        normalised(W_BATCH, 0),
        1 + 1e-6 * normal(128, 10, 3),
    ),
    case(
        "batch norm, one column constant",
        normalised(W_BATCH, 0),
        normal(129, 10, 3) * np.array([1.0, 0.0, 1.0]) + 1,
    ),
    case("root mean square norm", root_normalised(W_LAYER), normal(130, 4, 10)),
    case("variance", VARIANCE, normal(131, 100)),
    case("variance beside a large mean", VARIANCE, 1e4 + normal(132, 100)),
    case("correlation", correlation(T10), normal(133, 10)),
    case("length", norm(2.0), normal(251, 10)),
    case("length in units of 1e8", stretched(norm(2.0), 1e8), 1e8 * normal(252, 10)),
    case("length at 0", row_lengths(), np.zeros(3), "kink"),
    case("3-norm", norm(3.0), normal(253, 100)),
    case("1.5-norm", norm(1.5), away(normal(254, 10))),
    case("3-norm, some zeros", norm(3.0), HALF_ZERO),
    case("1-norm", summed(ABS), away(normal(255, 10))),
    case("1-norm with zeros", summed(ABS), HALF_ZERO, "kink"),
    case("lengths of rows", row_lengths(), SPARSE_ROWS),
    case(
        "lengths of rows, one 0",
        row_lengths(),
        SPARSE_ROWS * [[1], [0], [1], [1]],
        "kink",
    ),
    case("largest", MAX, normal(256, 10)),
    case("largest, a tie", MAX, [1.0, 3.0, 3.0, -2.0], "kink"),
    case("largest size", LARGEST_SIZE, normal(257, 3, 4)),
    case("largest size, a tie", LARGEST_SIZE, [[1.0, 3.0], [-3.0, -2.0]], "kink"),
    case(
        "barrier", linear(uniform(258, -1, 1, 20, 3), summed(BARRIER)), [0.2, -0.1, 0.3]
    ),
    case("barrier near its wall", summed(BARRIER), [0.5, 1 - 2**-10]),
    case("entropy", summed(X_LOG_X), soft(259, 1, 10)[0]),
)
