"""A way that takes longer than the loop gives way to it, without a word."""

import time

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian, way_name

from xgrad._evaluation import pace

X = np.linspace(0.5, 1.5, 12)


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    monkeypatch.setattr(pace, "SLOWER", 1.3)


def slow_in_batches(x):
    """Take a thousand times as long where x stands for many points."""
    if type(x) is not np.ndarray:
        time.sleep(2e-2)
    return x**2


def fast_in_batches(x):
    time.sleep(2e-3)
    return x**2


DERIVATIVES = {
    "gradient": lambda f: gradient(lambda x: np.sum(f(x)), X),
    "estimate": lambda f: gradient(lambda x: np.sum(f(x)), X, full_output=True)[0],
    "jacobian": lambda f: jacobian(f, X),
    "hessian": lambda f: hessian(lambda x: np.sum(f(x)), X),
}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_a_loop_is_remembered_where_it_is_faster(derivative):
    calls = []

    def f(x):
        calls.append(type(x))
        return slow_in_batches(x)

    first = derivative(f)
    for _ in range(3):
        np.testing.assert_allclose(derivative(f), first, atol=1e-5)
    calls.clear()
    derivative(f)
    assert set(calls) == {np.ndarray}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_many_points_at_once_stay_where_they_are_faster(derivative):
    calls = []

    def f(x):
        calls.append(type(x))
        return fast_in_batches(x)

    for _ in range(4):
        derivative(f)
    calls.clear()
    derivative(f)
    assert set(calls) != {np.ndarray}


def test_one_slow_call_is_a_pause_of_the_machine():
    pauses = iter([0.0, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0])

    def f(x):
        time.sleep(1e-3 if type(x) is np.ndarray else next(pauses, 0.0))
        return np.sum(x**2)

    for _ in range(8):
        gradient(f, X, full_output=True)
    assert way_name(f) == "sparse"


def test_the_rest_of_a_call_is_a_loop():
    calls = []

    def f(x):
        calls.append(type(x))
        return np.sum(slow_in_batches(x))

    x = np.linspace(0.5, 1.5, 40)
    slopes = gradient(f, x, max_bytes=2**9)
    np.testing.assert_allclose(slopes, 2 * x, rtol=1e-8)
    batches = [kind for kind in calls if kind is not np.ndarray]
    # Those of the proof, and of eight chunks.
    assert 8 <= len(batches) <= 11
    assert calls[-1] is np.ndarray
