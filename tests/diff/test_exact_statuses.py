"""Exact derivatives tell of corners, of infinities and of what was done."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from cases.calls import counted, told
from cases.compare import assert_close
from cases.functions import rosenbrock

import xgrad
from xgrad import (
    Status,
    gradient,
    hessian,
    jacobian,
)

X = np.array([0.5, 1.5, 2.0])


def test_statuses_and_bounds_of_exact_gradients():
    x = np.array([0.0, 2.0, 3.0])
    value, estimate = gradient(
        lambda x: np.abs(x[0]) + np.sqrt(x[1]) + np.maximum(x[2], 3.0),
        x,
        full_output=True,
    )
    assert_close(value, [0, 0.5 / math.sqrt(2), 0.5], rtol=1e-15)
    assert estimate.method == "autodiff"
    assert estimate.status.tolist() == [Status.KINK, Status.OK, Status.KINK]
    assert abs(value[1] - 0.5 / math.sqrt(2)) <= estimate.error[1] <= 1e-14
    f = counted(rosenbrock)
    _, estimate = gradient(f, X, full_output=True)
    assert estimate.evaluations == f.calls


def test_bounds_of_rounding_hold_for_random_functions(rng):
    mpmath = pytest.importorskip("mpmath")
    held = []
    for _ in range(40):
        a, x = rng.normal(size=2), rng.uniform(0.1, 3, 1)
        value, estimate = gradient(
            lambda x, a=a: (np.sin(a[0] * x) * np.exp(x) / (x + a[1] ** 2)).sum(),
            x,
            full_output=True,
        )
        with mpmath.workdps(40):
            exact = mpmath.diff(
                lambda t, a=a: (
                    mpmath.sin(mpmath.mpf(a[0]) * t)
                    * mpmath.exp(t)
                    / (t + mpmath.mpf(a[1]) ** 2)
                ),
                mpmath.mpf(x[0]),
            )
        held.append(abs(float(exact - mpmath.mpf(value[0]))) <= estimate.error[0])
    assert np.mean(held) >= 0.95


def test_branches_that_were_not_taken_do_no_harm():
    x = np.array([-1.0, 4.0])
    with np.errstate(all="ignore"):
        slopes = gradient(lambda x: np.where(x > 0, np.sqrt(x), 0.0).sum(), x)
        assert_close(slopes, [0, 0.25], rtol=1e-12)
        slopes = gradient(
            lambda x: (1 / (1 + np.exp(-x))).sum(), np.array([-1000.0, 0])
        )
        assert_close(slopes, [0, 0.25], rtol=1e-12)
        # Not 0: an infinite slope times 0 is what it is in the limit.
        slopes = gradient(lambda x: np.exp(np.log(x)).sum(), np.array([0.0, 1.0]))
        assert_close(slopes, [1, 1], rtol=1e-9)


def test_an_infinite_slope_is_told():
    slopes, messages = told(lambda: gradient(lambda x: np.sqrt(x).sum(), np.zeros(1)))
    assert slopes == math.inf
    assert any("NONFINITE at x[0]" in message for message in messages)


def test_the_method_is_what_was_done():
    """Of "auto" without an exact gradient: central differences, or the ladder, too."""

    def by_python(x):
        return complex(x[0]).real ** 2 + 3 * x[1]

    def close_to_a_pole(x):
        return 1 / complex(x[0]).real + x[1]

    with pytest.warns(RuntimeWarning, match="takes differences"):
        _, smooth = gradient(by_python, np.array([0.5, 2.0]), full_output=True)
    with pytest.warns(RuntimeWarning, match="takes differences"):
        _, sharp = gradient(close_to_a_pole, np.array([1e-6, 2.0]), full_output=True)
    assert smooth.method == "central"
    assert sharp.method == "central, ladder"
    _, named = gradient(
        by_python, np.array([0.5, 2.0]), method="ladder", full_output=True
    )
    assert named.method == "ladder"


@pytest.mark.parametrize(
    "view",
    [
        lambda m: m.conj(),
        lambda m: m.conjugate().T,
        lambda m: m.reshape(3, 2, order="F"),
        lambda m: m.T.reshape(6, order="F"),
        lambda m: m.T.ravel("F"),
        lambda m: m.T.ravel("A"),
        lambda m: np.rot90(m),
        lambda m: np.rot90(m, 2),
        lambda m: np.rot90(m, -1, (1, 0)),
        lambda m: np.rot90(m, 4),
    ],
)
def test_what_shares_memory_follows_assignments_on_both_sides(view):
    weights = np.arange(1.0, 7.0)

    def f(x):
        m = x.reshape(2, 3) * 1.0
        v = view(m)
        v *= v
        m[0] += 1
        v[0] = 3 * v[1]
        return np.sum(m.reshape(6) * weights) + np.sum(v.reshape(-1) * weights)

    x = np.linspace(0.5, 2.0, 6)
    right = gradient(f, x, method="ladder", vectorized=False)
    found = gradient(f, x, method="autodiff")
    assert_close(found, right, rtol=1e-8, atol=1e-8)


def test_numbers_of_an_array_are_scalars_for_derivatives_of_second_order_too():
    def f(x):
        return np.sum((2 if np.isscalar(x[0]) else 3) * x**2)

    assert_close(hessian(f, X, method="autodiff"), 4 * np.eye(3), rtol=1e-14)


def test_an_array_has_the_methods_of_plain_arrays_alone():
    def f(x):
        return np.sum(x**2) if hasattr(x, "ptp") == hasattr(X, "ptp") else x[0]

    assert_close(gradient(f, X, method="autodiff"), 2 * X, rtol=1e-14)


def test_a_list_of_conditions_chooses_at_many_points():
    found = jacobian(lambda x: np.where([True, False, True], x**2, 0), X)
    assert_close(found, np.diag([1.0, 0.0, 4.0]), rtol=1e-14)


OUTSIDE = np.array([1.0, 2.0])


def logs(x):
    """The logarithms of x - 1.5, of which that of the first entry is nan."""
    return np.log(x - 1.5)


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (lambda: gradient(lambda x: np.sum(logs(x)), OUTSIDE), "2 of 2"),
        (lambda: gradient(logs, OUTSIDE, terms=True), "2 of 2"),
        (lambda: gradient(lambda x: logs(x)[:, 0], OUTSIDE[:, None], axis=-1), "1 of"),
        (lambda: jacobian(logs, OUTSIDE), r"2 of 4 .* f\(x\)\[0\] by x\[0\]"),
        (lambda: xgrad.jvp(logs, OUTSIDE, OUTSIDE), r"1 of 2 .* f\(x\)\[0\]"),
        (lambda: xgrad.derivative(logs, OUTSIDE), r"1 of 2 .* x\[0\]"),
    ],
)
def test_slopes_of_what_is_nan_are_told_although_rules_have_some(call, count):
    with np.errstate(invalid="ignore"):
        _, messages = told(call)
    assert re.search(f"{count}.*", messages[-1])
    assert "NONFINITE" in messages[-1]
