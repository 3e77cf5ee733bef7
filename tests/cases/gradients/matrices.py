"""Polynomials, and functions of matrices."""

from __future__ import annotations

import numpy as np

from cases.gradients.data import E10, T10, away, normal, uniform
from cases.gradients.elementwise import SQUARE
from cases.gradients.pairs import (
    Case,
    Pair,
    averaged,
    both,
    case,
    like,
    padded,
    scaled,
    shifted,
    stretched,
)


def quadratic(A: np.ndarray, b: np.ndarray) -> Pair:
    """``x @ A @ x / 2 + b @ x``, with any square ``A``."""

    def f(xp, x):
        return xp.sum(x * (like(xp, x, A) @ x)) / 2 + xp.sum(like(xp, x, b) * x)

    return f, lambda xp, x: like(xp, x, (A + A.T) / 2) @ x + like(xp, x, b)


def rosenbrock(xp, x):
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_grad(xp, x):
    u = x[1:] - x[:-1] ** 2
    left = -400 * x[:-1] * u - 2 * (1 - x[:-1])
    return padded(xp, left, 0, 0, 1) + padded(xp, 200 * u, 0, 1, 0)


def broyden_terms(xp, x):
    around = padded(xp, x[:-1], 0, 1, 0) + 2 * padded(xp, x[1:], 0, 0, 1)
    return (3 - 2 * x) * x - around + 1


def broyden_grad(xp, x):
    r = broyden_terms(xp, x)
    around = padded(xp, r[1:], 0, 0, 1) + 2 * padded(xp, r[:-1], 0, 1, 0)
    return 2 * ((3 - 4 * x) * r - around)


def beale(xp, x):
    powers = xp.stack([x[1], x[1] ** 2, x[1] ** 3])
    return xp.sum((like(xp, x, [1.5, 2.25, 2.625]) - x[0] * (1 - powers)) ** 2)


def beale_grad(xp, x):
    y = x[1]
    powers = xp.stack([y, y**2, y**3])
    r = 2 * (like(xp, x, [1.5, 2.25, 2.625]) - x[0] * (1 - powers))
    steep = xp.stack([xp.ones_like(y), 2 * y, 3 * y**2])
    return xp.stack([xp.sum(r * (powers - 1)), xp.sum(r * x[0] * steep)])


def product_grad(xp, x):
    """Products of all others, so that an entry may be 0."""
    same = like(xp, x, np.eye(x.shape[0])) > 0
    return xp.prod(xp.where(same, 1.0, x[None, :]), axis=1)


def geometric_mean(xp, x):
    return xp.exp(xp.mean(xp.log(x)))


def gram_grad(xp, X):
    Xt = xp.matrix_transpose(X)
    eye = xp.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return 2 * X @ xp.linalg.inv(Xt @ X + eye)


def gram(xp, X):
    eye = xp.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return xp.linalg.slogdet(xp.matrix_transpose(X) @ X + eye)[1]


def inverse_transposed(xp, X):
    return xp.matrix_transpose(xp.linalg.inv(X))


def trace_of_inverse_grad(xp, X):
    inverse = inverse_transposed(xp, X)
    return -inverse @ inverse


def diagonal_in(B: np.ndarray) -> Pair:
    """``log det(I + B @ diag(x) @ B.T)``."""

    def matrix(xp, x):
        b = like(xp, x, B)
        eye = like(xp, x, np.eye(B.shape[0]))
        return eye + (b * x[None, :]) @ xp.matrix_transpose(b)

    def grad(xp, x):
        b = like(xp, x, B)
        return xp.sum(b * (xp.linalg.inv(matrix(xp, x)) @ b), axis=0)

    return lambda xp, x: xp.linalg.slogdet(matrix(xp, x))[1], grad


def bilinear(A: np.ndarray, B: np.ndarray) -> Pair:
    """``sum((A @ X @ B)**2) / 2``."""

    def inside(xp, X):
        return like(xp, X, A) @ X @ like(xp, X, B)

    return (
        lambda xp, X: xp.sum(inside(xp, X) ** 2) / 2,
        lambda xp, X: like(xp, X, A.T) @ inside(xp, X) @ like(xp, X, B.T),
    )


def factors(M: np.ndarray, V: np.ndarray) -> Pair:
    """``mean((U @ V - M)**2)`` by ``U``."""
    value, slope = averaged(shifted(SQUARE, M))
    return (
        lambda xp, U: value(xp, U @ like(xp, U, V)),
        lambda xp, U: slope(xp, U @ like(xp, U, V)) @ like(xp, U, V.T),
    )


def paired(C: np.ndarray) -> Pair:
    """``sum(C * X)``: the trace of ``C.T @ X``."""
    return (
        lambda xp, X: xp.sum(like(xp, X, C) * X),
        lambda xp, X: like(xp, X, C) + 0 * X,
    )


ROSENBROCK: Pair = (rosenbrock, rosenbrock_grad)
BROYDEN: Pair = (lambda xp, x: xp.sum(broyden_terms(xp, x) ** 2), broyden_grad)
PRODUCT: Pair = (lambda xp, x: xp.prod(x), product_grad)
GEOMETRIC_MEAN: Pair = (
    geometric_mean,
    lambda xp, x: geometric_mean(xp, x) / (x.shape[0] * x),
)
LOG_DET: Pair = (lambda xp, X: xp.linalg.slogdet(X)[1], inverse_transposed)
DET: Pair = (
    lambda xp, X: xp.linalg.det(X),
    lambda xp, X: xp.linalg.det(X) * inverse_transposed(xp, X),
)
TRACE_OF_INVERSE: Pair = (
    lambda xp, X: xp.linalg.trace(xp.linalg.inv(X)),
    trace_of_inverse_grad,
)
TRACE_OF_CUBE: Pair = (
    lambda xp, X: xp.linalg.trace(X @ X @ X),
    lambda xp, X: 3 * xp.matrix_transpose(X @ X),
)
A10, A3 = normal(200, 10, 10), 2 * np.eye(3) + 0.5 * normal(201, 3, 3)
A100 = normal(202, 100, 100)

CASES: tuple[Case, ...] = (
    case(
        "quadratic of two",
        quadratic(np.array([[2.0, 1], [-1, 3]]), np.ones(2)),
        [0.5, -1],
    ),
    case("quadratic", quadratic(A10, T10), normal(203, 10)),
    case("quadratic of 100", quadratic(A100, normal(204, 100)), normal(205, 100)),
    case("quadratic in units of 1e8", stretched(quadratic(A10, T10), 1e8), 1e8 * E10),
    case(
        "quadratic in units of 1e-7", stretched(quadratic(A10, T10), 1e-7), 1e-7 * E10
    ),
    case("rosenbrock", ROSENBROCK, [-1.2, 1.0]),
    case("rosenbrock of 10", ROSENBROCK, normal(206, 10)),
    case("rosenbrock of 1,000", ROSENBROCK, uniform(207, 0.5, 1.5, 1_000)),
    case("rosenbrock at its solution", ROSENBROCK, np.ones(10)),
    case(
        "rosenbrock in units of 1e-4",
        stretched(ROSENBROCK, 1e-4),
        1e-4 * normal(208, 3),
    ),
    case("broyden tridiagonal", BROYDEN, normal(209, 10)),
    case("beale", (beale, beale_grad), [1.0, 0.8]),
    case("product", PRODUCT, away(normal(210, 10), 0.5)),
    case("product with a zero", PRODUCT, [1.5, 0.0, -2.0, 0.5, 3.0]),
    case("product with two zeros", PRODUCT, [1.5, 0.0, -2.0, 0.0, 3.0]),
    case("geometric mean", GEOMETRIC_MEAN, uniform(211, 0.5, 2, 100)),
    case("trace of a product", paired(normal(212, 3, 5)), normal(213, 3, 5)),
    case(
        "squares of A X B",
        bilinear(normal(214, 4, 3), normal(215, 5, 4)),
        normal(216, 3, 5),
    ),
    case(
        "squares of A X B, (3, 3)", bilinear(normal(217, 4, 3), normal(218, 3, 4)), A3
    ),
    case("factors", factors(normal(219, 6, 5), normal(220, 2, 5)), normal(221, 6, 2)),
    case("log det", LOG_DET, A3),
    case("log det of X.T X + I", (gram, gram_grad), normal(222, 5, 3)),
    case("log det of X.T X + I, wide", (gram, gram_grad), normal(223, 3, 4)),
    case(
        "log det of a diagonal", diagonal_in(normal(224, 4, 6)), uniform(225, 0.5, 2, 6)
    ),
    case(
        "gaussian by its precision", both(paired(A3 @ A3.T), scaled(LOG_DET, -1.0)), A3
    ),
    case("determinant", DET, A3),
    case("trace of the inverse", TRACE_OF_INVERSE, A3),
    case("trace of the cube", TRACE_OF_CUBE, normal(226, 4, 4)),
)
