"""Checks of Jacobians: of few entries and of many, dense and sparse."""

from __future__ import annotations

import numpy as np
import pytest
from cases.checked import far_from_zero

from xgrad import check_jacobian, jacobian

# Results and entries of x: compared one by one, and in sums of rows.
SIZES = [(1, 3), (5, 2), (4, 4), (40, 3), (30, 300), (600, 40)]


def _sines(m, n, seed):
    """A function whose rows have many scales, its Jacobian, and a point."""
    rng = np.random.default_rng(seed)
    A, scales = rng.normal(size=(m, n)) / n**0.5, 10.0 ** rng.uniform(-3, 3, m)
    A = np.where(np.abs(A) < 0.2 / n**0.5, 0.3 / n**0.5, A)
    f = lambda x: scales * np.sin(A @ x)  # noqa: E731
    return f, lambda x: (scales * np.cos(A @ x))[:, None] * A, rng.normal(size=n)


def _entry(J, place, factor):
    J = J.copy()
    J[place] *= factor
    return J


MUTANTS = {
    "all x1.001": lambda J, place: 1.001 * J,
    "one entry off by 1 %": lambda J, place: _entry(J, place, 1.01),
    "one sign": lambda J, place: _entry(J, place, -1),
    "one zero": lambda J, place: _entry(J, place, 0),
    "a row of zeros": lambda J, place: _entry(J, place[0], 0),
    "a column off by 5 %": lambda J, place: _entry(J, (..., place[1]), 1.05),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_a_right_jacobian_passes(size, dtype, seed):
    f, jac, x = _sines(*size, seed)
    x = x.astype(dtype)
    report = check_jacobian(f, jac(x.astype(float)).astype(dtype), x)
    assert report.verdict == "pass"
    assert str(report).startswith(
        "Jacobian check: PASS (the given Jacobian is correct)"
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_jacobian_fails(size, mutant):
    f, jac, x = _sines(*size, 3)
    place = size[0] // 2, size[1] - 1
    right = jac(x)
    wrong = MUTANTS[mutant](right, place)
    report = check_jacobian(f, wrong, x)
    assert report.verdict == "fail"
    i, j = report.worst.index
    assert wrong[i, j] != right[i, j]
    assert report.worst.given == pytest.approx(wrong[i, j])
    assert report.worst.measured == pytest.approx(right[i, j], rel=1e-4)
    if mutant.startswith("one"):
        assert (i, j) == place


def test_single_precision_finds_small_errors():
    f, jac, x = _sines(20, 6, 0)
    x = x.astype(np.float32)
    right = jac(x.astype(float)).astype(np.float32)
    assert check_jacobian(f, 1.001 * right, x).verdict == "fail"
    assert "evaluated in float64" in str(check_jacobian(f, right, x))


def test_every_library_is_checked(xp, rng):
    x = xp.asarray(far_from_zero(rng, 4))
    f = lambda x: xp.concat([x**3, xp.reshape(xp.sum(x), (1,))])  # noqa: E731

    def jac(x):
        eye = xp.eye(4, dtype=x.dtype, device=x.device)
        last = xp.ones_like(x)
        return xp.concat([eye * (3 * x**2), xp.reshape(last, (1, 4))])

    assert check_jacobian(f, jac, x).verdict == "pass"
    assert check_jacobian(f, jac, x, full=False).verdict == "pass"
    for full in (True, False):
        assert check_jacobian(f, lambda x: -jac(x), x, full=full).verdict == "fail"


def test_results_and_arguments_may_have_any_shape(rng):
    A, x = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    f = lambda x: np.sin(A @ x)  # noqa: E731
    right = np.einsum("ik,ij,kl->ikjl", np.cos(A @ x), A, np.eye(4))
    assert check_jacobian(f, right, x).verdict == "pass"
    wrong = right.copy()
    wrong[1, 2, 0, 2] += 0.1
    report = check_jacobian(f, wrong, x)
    assert report.worst.index == (1, 2, 0, 2)
    assert report.hint == "all of the difference lies in jac[1, 2, 0, 2]"
    assert "jac[1, 2, 0, 2]" in repr(report)


def test_nested_arguments_match_by_names(rng):
    p = {"W": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}
    t = rng.normal(size=3)
    f = lambda p: np.tanh(p["W"] @ t + p["b"])  # noqa: E731

    def jac(p):
        slope = np.diag(1 - f(p) ** 2)
        return {"b": slope, "W": slope[:, :, None] * t}

    assert check_jacobian(f, jac, p).verdict == "pass"
    report = check_jacobian(f, lambda p: {**jac(p), "b": np.zeros((2, 2))}, p)
    assert report.verdict == "fail"
    assert report.worst.index[0] == "b"
    assert "only x['b'] differs" in report.hint


def test_a_scalar_function_has_a_jacobian():
    x = np.array([1.0, 2.0])
    assert check_jacobian(lambda x: np.sum(x**2), lambda x: 2 * x, x).verdict == "pass"
    assert check_jacobian(lambda x: np.sum(x**2), lambda x: 3 * x, x).verdict == "fail"


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array", "dia_array"])
@pytest.mark.parametrize("n", [30, 3000])
def test_sparse_jacobians_are_checked(kind, n):
    sparse = pytest.importorskip("scipy.sparse")
    x = np.random.default_rng(1).normal(size=n)
    f = lambda x: np.sin(x[1:]) * x[:-1]  # noqa: E731

    def jac(x):
        diagonals = [np.sin(x[1:]), np.cos(x[1:]) * x[:-1]]
        matrix = sparse.diags_array(diagonals, offsets=[0, 1], shape=(n - 1, n))
        return getattr(sparse, kind)(matrix)

    assert check_jacobian(f, jac, x).verdict == "pass"
    # An entry that is not stored counts as 0.
    lost = jac(x).tolil()
    lost[n // 2, n // 2] = 0
    report = check_jacobian(f, getattr(sparse, kind)(lost), x)
    assert report.verdict == "fail"
    assert report.worst.index == (n // 2, n // 2)
    report = check_jacobian(f, 1.001 * jac(x), x)
    assert report.verdict == "fail"
    assert "1.001 times the measured one" in report.hint


def test_numerical_jacobians_pass():
    f, _, x = _sines(6, 5, 2)
    assert check_jacobian(f, lambda x: jacobian(f, x), x).verdict == "pass"


HINTS = {
    "is transposed": lambda J: J.T.copy(),
    "has the wrong sign": lambda J: -J,
    "all of the difference lies in jac[2, ...]": lambda J: _entry(J, 2, 0),
    "all of the difference lies in jac[..., 1]": lambda J: _entry(J, (..., 1), 2),
}


@pytest.mark.parametrize("hint", HINTS)
def test_usual_mistakes_are_named(hint):
    f, jac, x = _sines(5, 5, 4)
    report = check_jacobian(f, HINTS[hint](jac(x)), x)
    assert report.verdict == "fail"
    assert hint in report.hint


def test_a_corner_is_named():
    x = np.array([0.0, 1.0])
    jac = np.array([[0.3, 0.0], [0.0, 2.0]])
    f = lambda x: np.stack([np.abs(x[0]), x[1] ** 2])  # noqa: E731
    report = check_jacobian(f, jac, x)
    assert report.verdict == "kink"
    assert "corner at jac[0, 0]" in report.hint


def test_the_cost_does_not_grow_with_the_results():
    found = set()
    for m in (2, 50, 2000):
        f, jac, x = _sines(m, 4, 0)
        found.add(check_jacobian(f, jac, x).evaluations)
    assert len(found) == 1


def test_functions_of_many_points_are_checked(rng):
    A, x = rng.normal(size=(3, 4)), rng.normal(size=4)
    f = lambda x: np.sin(x @ A.T)  # noqa: E731
    jac = lambda x: np.cos(x @ A.T)[:, None] * A  # noqa: E731
    for full in (True, False):
        report = check_jacobian(f, jac, x, vectorized=True, full=full)
        assert report.verdict == "pass"


X = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: check_jacobian(np.sin, np.ones(2), X),
            r"`jac` has shape \(2,\), but f\(x\) has shape \(2,\) and x has \(2,\): it "
            r"needs shape \(2, 2\)",
        ),
        (lambda: check_jacobian(np.sin, lambda x: None, X), "is a `return` missing"),
        (lambda: check_jacobian(np.sin, "no", X), "`jac` must be an array"),
        (lambda: check_jacobian(np.sin, 1j * np.eye(2), X), "must hold real numbers"),
        (lambda: check_jacobian(3, np.eye(2), X), "`f` must be callable"),
        (lambda: check_jacobian(np.sin, np.eye(2), np.cos), "`x` is a function"),
        (lambda: check_jacobian(np.sin, np.eye(2), X, rtol=-1), "`rtol` must be in"),
        (
            lambda: check_jacobian(np.sin, np.ones((0, 0)), X[:0]),
            "`x` has no entries",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_sparse_matrix_of_another_shape_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"needs shape \(2, 2\)"):
        check_jacobian(np.sin, sparse.eye_array(3), X)


def test_a_sparse_matrix_beside_arrays_of_another_library_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="pass a dense array"):
        check_jacobian(lambda x: x, sparse.eye_array(2), strict.ones(2))
