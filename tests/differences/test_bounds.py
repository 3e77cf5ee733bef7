"""No point leaves the bounds, and they cost no accuracy."""

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import gradient

from xgrad import derivative

BOUNDED = ["central", "forward", "backward", "complex", "ladder", "auto"]


@pytest.mark.parametrize("method", BOUNDED)
@pytest.mark.parametrize("width", [1e-9, 1e-3, 1.0, 1e3])
def test_no_point_leaves_the_bounds(method, width, rng):
    low = np.array([0.0, 1.0, -1.0, 1e6])
    high = low + width
    for place in (0.0, 1e-12, 0.3, 0.9999, 1.0):
        x = np.clip(low + place * width, low, high)
        outside = 0

        def f(v, low=low, high=high):
            nonlocal outside
            outside += np.any((v.real < low) | (v.real > high))
            return np.sum(np.sin(v / 7))

        value, estimate = gradient(
            f,
            x,
            method=method,
            bounds=(low, high),
            vectorized=False,
            full_output=True,
        )
        assert outside == 0
        error = np.abs(value - np.cos(x / 7) / 7)
        fine = (estimate.status == 0) & np.isfinite(estimate.error)
        assert (error[fine] <= estimate.error[fine]).mean() >= 0.75 if fine.any() else 1
        if width >= 1:
            # At 1e6 the step of "central" is longer than the wave, and it says so.
            assert fine[: 3 if method == "central" and width > 1 else 4].all()
            # Steps in proportion to x = 1e-12 drown in the rounding of the sum.
            assert method == "ladder" or error[:3].max() <= 1e-4


def test_bounds_cost_no_accuracy():
    x = np.array([0.0, 1.0])
    free = derivative(np.exp, x) - np.exp(x)
    found = derivative(np.exp, x, bounds=(0.0, 1.0)) - np.exp(x)
    assert np.abs(free).max() <= 1e-11
    assert np.abs(found).max() <= 1e-11


def test_bounds_may_be_open_nested_and_on_every_backend(xp):
    tree = {"a": xp.asarray([0.0, 1.0]), "b": xp.asarray(2.0)}
    bounds = {"a": xp.asarray([0.0, 0.0]), "b": 1.0}, None
    found = gradient(
        lambda t: xp.sum(xp.sqrt(t["a"]) ** 5) + t["b"] ** 2, tree, bounds=bounds
    )
    assert_close(found["a"], [0.0, 2.5], rtol=1e-8, atol=1e-5)
    assert_close(found["b"], 4.0, rtol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bounds_of_higher_derivatives(order):
    seen = []

    def f(v):
        seen.append(float(v))
        return np.exp(v)

    found = derivative(f, 0.0, order=order, bounds=(0.0, None))
    assert min(seen) >= 0
    assert_close(found, 1.0, rtol=1e-4)
