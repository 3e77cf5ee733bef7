"""Entries that a function takes as numbers of Python, which still depend on x."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import gradient, hessian

X = np.array([0.5, 1.5, -2.0])


def returns_a_float(x):
    return float(np.sum(x**2))


def by_float(x):
    return sum(float(v) ** 2 for v in x)


def by_map(x):
    return sum(v * v for v in map(float, x))


def by_item(x):
    return np.sum(x**2).item() + 0.0


def by_items(x):
    y = x.reshape(3, 1)
    return x.item(0) ** 2 + y.item(1, 0) ** 2 + y.item((2, 0)) ** 2


def by_lists(x):
    return sum(v**2 for v in x.tolist())


def by_nested_lists(x):
    (a, b), (c, d) = np.array([[x[0], x[1]], [x[2], 1.0]]).tolist()
    return a * a + b * b + c * c + d


def asks_for_floats(x):
    values = [float(v) for v in x]
    assert all(isinstance(v, float) for v in values)
    assert all(isinstance(v, (int, float)) for v in values)
    return math.fsum(v**2 for v in values)


def as_a_dtype(x):
    y = np.zeros(3, dtype=float)
    y[:] = np.array([float(v) for v in x], float).astype(float) ** 2
    assert x.dtype == float
    assert float("inf") > float(3) == 3.0 == float("3")
    assert not isinstance(1, float)
    assert issubclass(np.float64, float)
    return y.sum()


def of_a_number_that_changes(x):
    y = np.zeros(())
    y[...] = x[0]
    first = float(y)
    y[...] = 5.0
    return first**2 + x[1] ** 2 + x[2] ** 2 + 0 * float(y)


@pytest.mark.parametrize(
    "f",
    [
        *(returns_a_float, by_float, by_map, by_item, by_items, by_lists),
        *(by_nested_lists, asks_for_floats, as_a_dtype, of_a_number_that_changes),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_of_python_keep_their_derivative(f, dtype):
    if dtype == "float32" and f in (asks_for_floats, as_a_dtype):
        pytest.skip("numbers of single precision are no floats")
    x = X.astype(dtype)
    found, estimate = gradient(f, x, full_output=True)
    assert estimate.method == "autodiff"
    assert found.dtype == dtype
    assert_close(found, 2 * x, rtol=1e-6)
    if f is of_a_number_that_changes:
        return  # its assignments are refused in a derivative of a derivative
    curvature, estimate = hessian(f, x, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(curvature, 2 * np.eye(3, dtype=dtype), rtol=1e-6)


def test_errors_of_conversions_stay():
    for convert in (float, lambda x: x.item()):
        with pytest.raises((TypeError, ValueError), match=r"one|size|scalar"):
            gradient(lambda x, c=convert: c(x) ** 2, X)
