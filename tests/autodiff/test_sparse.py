"""Products with sparse constants have exact slopes, of whatever class these are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cases.compare import assert_close
from cases.tape import slope_by_differences, slope_on_tape

from xgrad import gradient, jacobian
from xgrad._tracing import NotTraceableError

sparse = pytest.importorskip("scipy.sparse")

DENSE = np.where(
    np.arange(20).reshape(4, 5) % 3 == 0, np.linspace(-1, 2, 20).reshape(4, 5), 0
)
X = np.linspace(0.3, 1.7, 5)
ARRAYS = ("csr_array", "csc_array", "coo_array", "dia_array", "bsr_array", "lil_array")
MATRICES = ("csr_matrix", "csc_matrix", "coo_matrix")


def squared(function):
    """A function of which the slope depends on the values."""
    return lambda x: np.sum(function(x) ** 2)


def products(matrix):
    """What people write with a sparse matrix of 4 rows and 5 columns."""
    columns = np.arange(3.0)
    return {
        "A @ x": lambda x: matrix @ x,
        "A.dot(x)": lambda x: matrix.dot(x),
        "A.T @ A @ x": lambda x: matrix.T @ (matrix @ x),
        "x @ A.T": lambda x: x @ matrix.T,
        "A @ matrix": lambda x: matrix @ (x[:, None] * columns),
        "matrix @ A.T": lambda x: (x * columns[:, None]) @ matrix.T,
        "A[:4, :4] + x": lambda x: matrix.tocsr()[:, :4] + np.outer(x[:4], x[:4]),
        "x - A": lambda x: np.outer(x[:4], x) - matrix,
    }


@pytest.mark.parametrize("name", products(None))
@pytest.mark.parametrize("kind", [*ARRAYS, *MATRICES])
def test_products(kind, name):
    if kind.startswith("coo") and name == "A.dot(x)":
        pytest.skip("this class converts the other operand itself")
    f = products(getattr(sparse, kind)(DENSE))[name]
    found, expected = slope_on_tape(f, X), slope_by_differences(f, X)
    np.testing.assert_allclose(np.asarray(found.value), expected.value, rtol=1e-14)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", MATRICES)
def test_the_star_of_old_classes_is_a_product_of_matrices(kind):
    matrix = getattr(sparse, kind)(DENSE)
    for f in (squared(lambda x: matrix * x), squared(lambda x: x * matrix.T)):
        found, expected = slope_on_tape(f, X), slope_by_differences(f, X)
        np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8)


@pytest.mark.parametrize("kind", ARRAYS)
def test_the_star_of_new_classes_is_refused(kind):
    matrix = getattr(sparse, kind)(DENSE[:, :4])
    with pytest.raises(NotTraceableError, match=r"asarray|sparse"):
        slope_on_tape(lambda x: (matrix * np.outer(x[:4], x[:4])).sum(), X)


def test_complex_matrices_and_single_precision():
    matrix = sparse.csr_array(DENSE * (1 + 2j))
    f = squared(lambda x: np.abs(matrix @ (x * (1 - 1j)) + x[0]))
    found, expected = slope_on_tape(f, X), slope_by_differences(f, X)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8)
    single = sparse.csr_array(DENSE.astype(np.float32))
    found = slope_on_tape(squared(lambda x: single @ x), X.astype(np.float32))
    assert found.gradient.dtype == found.value.dtype == np.float32


def test_a_matrix_that_changes_later_does_no_harm():
    def f(x):
        matrix = sparse.csr_array(DENSE)
        y = matrix @ x**2
        matrix.data[:] = 7.0
        return np.sum(y**2)

    found, expected = slope_on_tape(f, X), slope_by_differences(f, X)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8)


@pytest.mark.parametrize("name", products(None))
@pytest.mark.parametrize("dense", ["0", "1"])
def test_products_at_many_points(name, dense, monkeypatch):
    monkeypatch.setenv("XGRAD_DENSE", dense)
    f = products(sparse.csr_array(DENSE))[name]
    derivative = jacobian if f(X).ndim else gradient
    assert_close(
        derivative(f, X), derivative(f, X, vectorized=False), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize(
    "f",
    [
        lambda x: sparse.csr_array(x[None]) @ x,
        lambda x: sparse.coo_array(DENSE).dot(x),
        lambda x: sparse.linalg.spsolve(sparse.eye_array(5, format="csc"), x),
        lambda x: sparse.csr_array(DENSE).multiply(x) @ x,
    ],
)
def test_what_converts_is_refused_or_right(f):
    pytest.importorskip("scipy.sparse.linalg")
    try:
        found = slope_on_tape(f, X)
    except NotTraceableError as error:
        assert re.search(r"asarray|sparse", str(error))  # noqa: PT017
    else:  # with older versions of SciPy
        expected = slope_by_differences(f, X)
        np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8)
