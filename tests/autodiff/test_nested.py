"""Derivatives inside derivatives: each variable keeps its own tangents."""

from __future__ import annotations

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import (
    derivative,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    sparsity_pattern,
    tangent_line,
)

X = np.array([0.5, 1.5, -0.7])
ONES = np.ones(3)


def cubes(x):
    return np.sum(x**3) + x[0] * x[1]


# Each is a call and the right result, found by hand.
NESTED = {
    "an outer variable is a constant": (
        lambda: derivative(lambda x: x * derivative(lambda y: x + y, 1.0), 2.0),
        1.0,
    ),
    "both variables have one name": (
        lambda: derivative(
            lambda x: x * (lambda o: derivative(lambda x: x * o, x))(x), 2.0
        ),
        4.0,
    ),
    "jacobian of gradient": (
        lambda: jacobian(lambda x: gradient(cubes, x), X),
        np.diag(6 * X) + np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]),
    ),
    "jacobian of jacobian": (
        lambda: jacobian(lambda x: jacobian(lambda y: y**3, x), X),
        np.einsum("ij,jk->ijk", np.eye(3), np.diag(6 * X)),
    ),
    "gradient of hessian": (
        lambda: gradient(
            lambda x: np.sum(hessian(cubes, x) * np.arange(9).reshape(3, 3)), X
        ),
        6 * np.array([0.0, 4.0, 8.0]),
    ),
    "gradient of jvp": (
        lambda: gradient(lambda x: np.sum(jvp(lambda y: y**3, x, ONES)), X),
        6 * X,
    ),
    "gradient of jvp by its vector": (
        lambda: gradient(lambda v: np.sum(jvp(lambda y: y**3, X, v)), ONES),
        3 * X**2,
    ),
    "gradient of hvp by point and vector": (
        lambda: gradient(lambda x: np.sum(hvp(lambda y: np.sum(y**3), x, x)), X),
        12 * X,
    ),
    "hvp of hvp": (
        lambda: hvp(lambda x: np.sum(hvp(lambda y: np.sum(y**4), x, x)), X, ONES),
        72 * X,
    ),
    "derivatives four deep": (
        lambda: derivative(
            lambda x: derivative(
                lambda x: derivative(lambda x: derivative(lambda x: x**5, x), x), x
            ),
            2.0,
        ),
        240.0,
    ),
    "gradient in derivative of order 2": (
        lambda: derivative(
            lambda x: gradient(lambda y: np.sum(np.sin(y)), x), X, order=2
        ),
        -np.cos(X),
    ),
    "jacobian of gradient by a closure": (
        lambda: jacobian(lambda a: gradient(lambda b: np.sum(a**2 * b**3), X), X),
        np.diag(6 * X**3),
    ),
    "with estimates inside": (
        lambda: gradient(
            lambda x: np.sum(hessian(lambda y: np.sum(y**3), x, full_output=True)[0]),
            X,
        ),
        6 * ONES,
    ),
    "nested arrays": (
        lambda: gradient(
            lambda p: np.sum(jacobian(lambda q: q["a"] * q["b"], p)["a"]),
            {"a": X, "b": X + 1},
        )["b"],
        ONES,
    ),
    "a tangent": (
        lambda: gradient(lambda x: np.sum(tangent_line(np.sin, x)(x + 1)), X),
        np.cos(X) - np.sin(X),
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_derivatives_in_derivatives(name):
    call, expected = NESTED[name]
    assert_close(call(), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "inner",
    [
        lambda x: jacobian(lambda y: y**2, x, sparsity="auto"),
        lambda x: hessian(lambda y: np.sum(y**3), x, sparsity="auto"),
        lambda x: sparsity_pattern(lambda y: y**2, x),
    ],
)
def test_sparse_matrices_inside_say_what_to_do(inner):
    def f(x):
        return np.sum(inner(x).toarray())

    with pytest.raises(TypeError, match="differentiated itself: leave `sparsity` out"):
        gradient(f, X, method="autodiff")
