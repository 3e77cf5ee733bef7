"""Test your own code on NumPy and CuPy: `pytest examples/test_your_code.py`."""

from xgrad.testing import assert_close


def softplus_sum(xp, x):
    return xp.sum(xp.maximum(x, 0 * x) + xp.log1p(xp.exp(-xp.abs(x))))


def test_the_gradient_is_the_logistic_function(xp, assert_gradient):
    x = xp.linspace(-3.0, 4.0, 50)
    assert_gradient(lambda x: softplus_sum(xp, x), lambda x: 1 / (1 + xp.exp(-x)), x)


def test_half_the_slope_at_zero(xp):
    assert_close(softplus_sum(xp, xp.zeros(2)), 2 * xp.log(xp.asarray(2.0)))
