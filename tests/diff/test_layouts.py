"""Arrays in any memory layout: functions that ask for it are differentiated as called.

Copies of an array have its order of axes, and so have all points around it.
"""

from __future__ import annotations

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import check_gradient, gradient, hvp, jacobian, jvp, value_and_gradient

WEIGHTS = np.arange(1.0, 13.0)
MATRIX = np.sin(np.arange(12.0)).reshape(3, 4)
LAYOUTS = {
    "C": MATRIX,
    "F": np.asfortranarray(MATRIX),
    "rows from below": MATRIX[::-1],
    "F from below": np.asfortranarray(MATRIX)[::-1],
    "every second column": np.repeat(MATRIX, 2, axis=1)[:, ::2],
    "one row": np.broadcast_to(MATRIX[:1], (3, 4)),
}
METHODS = ("autodiff", "central", "forward", "ladder", "complex")


def in_memory(x):
    return np.sum(x.flatten("A") ** 2 * WEIGHTS)


def through_a_view(x):
    row = x.reshape(-1)
    row[0] = 7.0
    return np.sum(row * WEIGHTS) + np.sum(x**2)


def slope_of(f, x):
    """The slope of one of the functions, from the layout of a copy."""
    y = x.copy("K")
    order = "F" if np.isfortran(y) else "C"
    if f is in_memory:
        return 2 * y * WEIGHTS.reshape(y.shape, order=order)
    slope = WEIGHTS.reshape(y.shape) + 2 * y
    # The first entry is replaced, in the array as well if the row is a view of it.
    slope[0, 0] = 2 * y[0, 0] if order == "F" else 0.0
    return slope


@pytest.mark.filterwarnings("ignore:xgrad evaluates:RuntimeWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("f", [in_memory, through_a_view])
@pytest.mark.parametrize("vectorized", ["auto", False])
def test_derivatives_are_those_of_the_layout(f, layout, vectorized):
    x = LAYOUTS[layout]
    expected, v = slope_of(f, x), np.cos(np.arange(12.0)).reshape(3, 4)
    for method in METHODS:
        found = gradient(f, x, method=method, vectorized=vectorized)
        assert_close(found, expected, rtol=1e-6, atol=1e-6)
        found = jvp(f, x, v, method=method, vectorized=vectorized)
        assert_close(found, np.sum(expected * v), rtol=1e-6, atol=1e-6)
        found = jacobian(f, x, method=method, vectorized=vectorized)
        assert_close(found, expected, rtol=1e-6, atol=1e-6)
    value, _ = value_and_gradient(f, x)
    assert_close(value, f(x.copy("K")), rtol=1e-14)
    assert check_gradient(f, lambda x: slope_of(f, x), x).verdict == "pass"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", ["autodiff", "central"])
def test_second_derivatives_are_those_of_the_layout(layout, method):
    x, v = LAYOUTS[layout], np.cos(np.arange(12.0)).reshape(3, 4)
    order = "F" if np.isfortran(x.copy("K")) else "C"
    expected = 2 * v * WEIGHTS.reshape(x.shape, order=order)
    assert_close(hvp(in_memory, x, v, method=method), expected, rtol=1e-5)
