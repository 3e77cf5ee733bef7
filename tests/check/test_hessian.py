"""Checks of Hessians: from a function alone, and from its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from xgrad import check_hessian, hessian


def _rosenbrock(n):
    def f(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def grad(x):
        g, d = np.zeros_like(x), x[1:] - x[:-1] ** 2
        g[1:] += 200 * d
        g[:-1] += -400 * x[:-1] * d - 2 * (1 - x[:-1])
        return g

    def hess(x):
        H, i = np.zeros((n, n)), np.arange(n - 1)
        H[i, i] += 2 - 400 * (x[1:] - 3 * x[:-1] ** 2)
        H[i + 1, i + 1] += 200
        H[i, i + 1] = H[i + 1, i] = -400 * x[:-1]
        return H

    return f, grad, hess


def _log_sum_exp(n):
    def grad(x):
        e = np.exp(x - np.max(x))
        return e / np.sum(e)

    def hess(x):
        p = grad(x)
        return np.diag(p) - p[:, None] * p

    return lambda x: np.log(np.sum(np.exp(x))), grad, hess


FUNCTIONS = {"rosenbrock": _rosenbrock, "log sum exp": _log_sum_exp}


def _pair(H, i, j, factor):
    H = H.copy()
    H[i, j] *= factor
    H[j, i] = H[i, j]
    return H


MUTANTS = {
    "all x1.001": lambda H: 1.001 * H,
    "a pair off by 1 %": lambda H: _pair(H, 1, 0, 1.01),
    "a lost pair": lambda H: _pair(H, 1, 0, 0),
    "one side of a pair": lambda H: np.triu(H),
    "a wrong diagonal": lambda H: H + 0.01 * np.diag(np.diagonal(H)),
    "sign": lambda H: -H,
    "zero": lambda H: 0 * H,
}


@pytest.mark.parametrize("with_gradient", [True, False])
@pytest.mark.parametrize("n", [2, 6, 16, 40])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_right_hessian_passes(name, n, with_gradient):
    f, grad, hess = FUNCTIONS[name](n)
    for seed in range(2):
        x = np.random.default_rng(seed).uniform(0.5, 1.5, n)
        report = check_hessian(f, hess, x, grad=grad if with_gradient else None)
        assert report.verdict == "pass"
        assert "Hessian check: PASS" in str(report)


@pytest.mark.parametrize("with_gradient", [True, False])
@pytest.mark.parametrize("n", [2, 6, 40])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_hessian_fails(name, mutant, n, with_gradient):
    f, grad, hess = FUNCTIONS[name](n)
    x = np.random.default_rng(7).uniform(0.5, 1.5, n)
    right = hess(x)
    wrong = MUTANTS[mutant](right)
    report = check_hessian(f, wrong, x, grad=grad if with_gradient else None)
    assert report.verdict == "fail"
    i, j = report.worst.index
    assert wrong[i, j] != right[i, j]
    assert report.worst.measured == pytest.approx(right[i, j], rel=1e-3, abs=1e-6)


def test_single_precision_is_evaluated_in_double():
    f, _, hess = _rosenbrock(5)
    x = np.random.default_rng(0).uniform(0.5, 1.5, 5).astype(np.float32)
    right = hess(x.astype(float)).astype(np.float32)
    report = check_hessian(f, right, x)
    assert report.verdict == "pass"
    assert "evaluated in float64" in str(report)
    assert check_hessian(f, np.float32(1.001) * right, x).verdict == "fail"


def test_every_library_is_checked(xp):
    x = xp.asarray([1.0, 2.0, -1.5])
    hess = lambda x: xp.eye(3, dtype=x.dtype, device=x.device) * (6 * x)  # noqa: E731
    f = lambda x: xp.sum(x**3)  # noqa: E731
    for options in ({}, {"grad": lambda x: 3 * x**2}, {"full": False}):
        assert check_hessian(f, hess, x, **options).verdict == "pass"
        wrong = lambda x: 1.01 * hess(x)  # noqa: E731
        assert check_hessian(f, wrong, x, **options).verdict == "fail"


def test_hessians_by_matrices_have_four_axes(rng):
    A, x = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    f = lambda x: np.sum(np.sin(A @ x))  # noqa: E731
    right = -np.einsum("ri,rj,rk,kl->ikjl", A, A, np.sin(A @ x), np.eye(2))
    assert check_hessian(f, right, x).verdict == "pass"
    wrong = right.copy()
    wrong[0, 1, 1, 1] += 0.1
    report = check_hessian(f, wrong, x)
    assert report.worst.index == (0, 1, 1, 1)
    assert report.hint == "all of the difference lies in hess[0, 1, 1, 1]"


@pytest.mark.parametrize("n", [10, 500])
def test_sparse_hessians_are_checked(n):
    sparse = pytest.importorskip("scipy.sparse")
    f, grad, _ = _rosenbrock(n)
    x = np.random.default_rng(2).uniform(0.5, 1.5, n)
    beside = -400 * x[:-1]
    own = np.r_[2 - 400 * (x[1:] - 3 * x[:-1] ** 2), 0] + np.r_[0, np.full(n - 1, 200)]
    for gradient in (grad, None):
        right = sparse.diags_array([beside, own, beside], offsets=[-1, 0, 1])
        assert check_hessian(f, right, x, grad=gradient).verdict == "pass"
        lost = sparse.diags_array([own], offsets=[0])
        report = check_hessian(f, lost, x, grad=gradient)
        assert report.verdict == "fail"
        assert abs(report.worst.index[0] - report.worst.index[1]) == 1


def test_numerical_hessians_pass_to_their_own_digits():
    f, grad, _ = _rosenbrock(4)
    x = np.array([0.7, 1.2, 0.9, 1.4])
    assert check_hessian(f, lambda x: hessian(f, x, grad=grad), x).verdict == "pass"
    assert check_hessian(f, hessian(f, x), x, rtol=1e-4).verdict == "pass"


def test_evaluations_are_those_of_f():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(x**3)

    x = np.linspace(1, 2, 30)
    for given in (np.diag(6 * x), np.diag(5 * x)):
        calls.clear()
        report = check_hessian(f, given, x, vectorized=False)
        # The calls with x itself are counted as if they were calls for slopes.
        assert report.evaluations == pytest.approx(len(calls), abs=50)


def test_a_linear_function_has_no_curvature():
    x = np.array([1.0, 2.0])
    report = check_hessian(np.sum, np.zeros((2, 2)), x)
    assert report.verdict == "inconclusive"
    assert "0 at this x" in report.hint
    assert check_hessian(np.sum, np.eye(2), x).verdict != "pass"


X = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_hessian(np.sin, np.eye(2), X), "return a scalar"),
        (lambda: check_hessian(np.sum, np.eye(3), X), r"needs shape \(2, 2\)"),
        (lambda: check_hessian(np.sum, np.eye(2), [X]), "one array as `x`"),
        (
            lambda: check_hessian(np.sum, np.eye(2), X, grad=np.sum),
            "a gradient is shaped like x",
        ),
        (lambda: check_hessian(np.sum, lambda x: None, X), "is a `return` missing"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
