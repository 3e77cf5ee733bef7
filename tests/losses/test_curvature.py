"""Hessians of losses where their formulas change over, but they are smooth."""

import numpy as np
import pytest

import xgrad
from xgrad import losses

ROWS = {
    "all 0": np.zeros((2, 3)),
    "two equal": np.array([[1.0, 1.0, 0.0], [0.3, 0.0, 0.0]]),
    "apart": np.array([[0.4, -1.0, 0.0], [0.3, 2.0, 0.1]]),
}
BINARY = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.25]])
LABELS = np.array([0, 2])
CASES = {
    "sigmoid_binary_cross_entropy": (BINARY, {}),
    "weighted": (BINARY, {"positive_weight": 3.0}),
    "softmax_cross_entropy": (LABELS, {}),
    "focal": (LABELS, {}),
    "focal of 3": (LABELS, {"gamma": 3.0}),
    "log_cosh": (BINARY - BINARY, {}),
}
NAMES = {"weighted": "sigmoid_binary_cross_entropy", "focal of 3": "focal"}


@pytest.mark.parametrize("at", ROWS)
@pytest.mark.parametrize("name", CASES)
def test_exact_hessians_are_those_of_differences(name, at):
    target, options = CASES[name]
    loss = getattr(losses, NAMES.get(name, name))

    def f(z):
        return loss(z, target, reduction="sum", **options)

    exact = xgrad.hessian(f, ROWS[at], method="autodiff")
    slope = xgrad.jacobian(
        lambda z: loss.grad(z, target, reduction="sum", **options),
        ROWS[at],
        method="ladder",
    )
    # Differences leave seven digits of a slope that is itself rounded at 0.
    np.testing.assert_allclose(exact, slope, rtol=0, atol=1e-6)
    assert np.max(np.abs(exact)) > 0.01
