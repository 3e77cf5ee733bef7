"""Functions with a backward pass of their own."""

import numpy as np
import pytest

import xgrad


def _cube(x):
    return x * x * x


def _right(x, slope):
    return slope * 3 * x**2


def _wrong(x, slope):
    return slope * 2 * x**2


def _writing(x, slope):
    slope *= 3 * x**2
    return slope


def _sum_of(cube):
    """Return functions of one code that enclose another backward pass."""
    return lambda x: np.sum(cube(x))


def test_a_wrong_backward_pass_is_found_where_a_right_one_was_proved_before():
    x = np.array([1.0, 2.0])
    f = _sum_of(xgrad.custom_vjp(_cube, _right))
    np.testing.assert_allclose(xgrad.gradient(f, x, method="autodiff"), 3 * x**2)
    f = _sum_of(xgrad.custom_vjp(_cube, _wrong))
    with pytest.raises(ValueError, match="`custom_vjp` is wrong"):
        xgrad.gradient(f, x, method="autodiff")


def test_a_backward_pass_may_write_into_its_cotangent():
    cube = xgrad.custom_vjp(_cube, _writing)
    x = np.array([1.0, 2.0])
    # The sum sends one cotangent to both of its terms.
    slopes = xgrad.gradient(lambda x: np.sum(x + cube(x)), x, method="autodiff")
    np.testing.assert_allclose(slopes, 1 + 3 * x**2)
    _, pull = xgrad.vjp(cube, x)
    cotangent = np.ones(2)
    np.testing.assert_allclose(pull(cotangent), 3 * x**2)
    np.testing.assert_array_equal(cotangent, 1.0)


def test_a_cotangent_is_an_array_in_c_order():
    flags = []

    def vjp(x, slope):
        flags.append((slope.flags["C_CONTIGUOUS"], slope.flags.writeable))
        return slope

    same = xgrad.custom_vjp(np.copy, vjp)
    weights = np.arange(6.0).reshape(2, 3)
    slopes = xgrad.gradient(lambda x: np.sum(same(x).T * weights), np.ones((3, 2)))
    np.testing.assert_allclose(slopes, weights.T)
    xgrad.gradient(lambda x: np.sum(same(x)), np.ones((3, 2)))
    assert flags
    assert all(a and b for a, b in flags)


def test_two_outputs_have_one_cotangent_each():
    def both(x):
        return np.sin(x), np.cos(x)

    def vjp(x, of_sine, of_cosine):
        return of_sine * np.cos(x) - of_cosine * np.sin(x)

    circle = xgrad.custom_vjp(both, vjp)

    def f(x):
        sine, cosine = circle(x)
        return np.sum(sine * cosine**2)

    x = np.array([0.3, 1.2])
    right = np.cos(x) ** 3 - 2 * np.sin(x) ** 2 * np.cos(x)
    np.testing.assert_allclose(xgrad.gradient(f, x, method="autodiff"), right)
