"""Derivatives of order 2 to 4 have bounds and statuses of their own."""

import math

import mpmath
import numpy as np
import pytest
from cases.differences import of_method

from xgrad import Status, derivative

METHODS = ["central", "ladder", "auto"]
FUNCTIONS = {
    "sin": (np.sin, mpmath.sin),
    "gauss": (lambda u: np.exp(-u * u), lambda u: mpmath.exp(-u * u)),
    "tanh": (np.tanh, mpmath.tanh),
    "log": (lambda u: np.log1p(u * u), lambda u: mpmath.log(1 + u * u)),
}


def exact(g, u, order, scale):
    with mpmath.workdps(60):
        part = mpmath.taylor(g, mpmath.mpf(u), order)[order]
        return float(part * mpmath.factorial(order) / mpmath.mpf(scale) ** order)


def answer(f, x, order, method):
    value, estimate = derivative(
        f, x, order=order, full_output=True, **of_method(method)
    )
    return float(value), float(estimate.error), Status(int(estimate.status))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize(("dtype", "span"), [("float64", 6), ("float32", 3)])
def test_no_error_is_silent_at_any_scale(dtype, span, order, method):
    rng, silent, covered, count = np.random.default_rng(11), 0, 0, 0
    for f, g in FUNCTIONS.values():
        for _ in range(12):
            # A power of two, so that x / scale is exact.
            scale = 2.0 ** int(rng.uniform(-span, span) * math.log2(10))
            u = float(np.dtype(dtype).type(rng.uniform(0.2, 2) * rng.choice([-1, 1])))
            x = np.dtype(dtype).type(u * scale)
            value, bound, status = answer(
                lambda t, f=f, scale=scale: f(t / scale), x, order, method
            )
            right = exact(g, u, order, scale)
            error = abs(value - right)
            wrong = status == Status.OK and error > 1e-4 * abs(right)
            silent += wrong and error > 10 * bound
            covered += status != Status.OK or error <= bound
            count += 1
    # Seven digits tell no more of a fourth derivative.
    is_hard = (dtype, order, method) == ("float32", 4, "central")
    assert silent <= (0.1 if is_hard else 0) * count
    assert covered >= (0.85 if is_hard else 0.93) * count


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_ladder_is_right_at_any_scale(scale, order):
    for method in ("ladder", "auto"):
        x = 0.7 * scale
        value, bound, status = answer(lambda t: np.sin(t / scale), x, order, method)
        right = [math.sin, math.cos][order % 2](0.7) / scale**order
        right *= -1 if order < 4 else 1
        assert status == Status.OK
        assert abs(value - right) <= min(bound, 1e-3 * abs(right))


# The order of the first derivative that jumps at 0.
CORNERS = {
    "abs": (np.abs, 1),
    "hinge": (lambda x: 1 + np.maximum(x, 0), 1),
    "x abs(x)": (lambda x: x * np.abs(x), 2),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), 2),
    "x**2 abs(x)": (lambda x: x * x * np.abs(x), 3),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_derivative_that_does_not_exist_is_a_kink(order, name, method):
    f, first = CORNERS[name]
    _, bound, status = answer(f, 0.0, order, method)
    if order < first:
        assert status == Status.OK
    else:
        assert status == Status.KINK
        assert bound == math.inf or order == first


@pytest.mark.parametrize("method", METHODS)
def test_the_bound_reaches_the_derivatives_of_both_sides(method):
    value, bound, status = answer(lambda x: x * np.abs(x), 0.0, 2, method)
    assert status == Status.KINK
    assert value - bound <= -2 + 1e-6
    assert value + bound >= 2 - 1e-6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("power", [4, 5, 6])
def test_flat_powers_have_no_corner(power, order, method):
    value, bound, status = answer(lambda x: x**power, 0.0, order, method)
    right = math.factorial(order) if order == power else 0
    assert status == Status.OK
    assert abs(value - right) <= bound


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x", [1e300, -1e300, 1e-300])
def test_steps_whose_squares_overflow_are_not_ok(x, method):
    value, bound, status = answer(lambda v: v * 1.0, x, 2, method)
    assert status != Status.OK or abs(value) <= bound


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("width", [5, 20])
def test_rounding_that_is_not_measured_makes_no_corner(width, order):
    # The argument of the exponential function is off by a rounding of its size.
    _, estimate = derivative(
        lambda x: np.exp(-width * x * x),
        np.linspace(0.5, 1.5, 200),
        order=order,
        method="central",
        full_output=True,
    )
    assert (estimate.status != Status.KINK).all()


def test_a_small_corner_of_the_slope_is_told():
    x = np.linspace(0.5, 1.5, 200)
    _, estimate = derivative(
        lambda t: np.sin(t) + 1e-4 * np.maximum(t - x, 0) ** 2,
        x,
        order=2,
        method="central",
        full_output=True,
    )
    assert np.mean(estimate.status == Status.KINK) >= 0.95


def test_the_complex_step_has_no_higher_orders():
    with pytest.raises(ValueError, match="complex step takes no derivatives of order"):
        derivative(np.sin, 1.0, order=2, method="complex")


@pytest.mark.parametrize("x", [0.0, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("method", "side"), [("forward", 1), ("backward", -1)])
def test_estimates_of_one_side_need_no_other(method, side, order, x):
    def f(t):
        assert side * (t - x) >= 0
        return np.sin(t)

    options = {"method": method, "order": order, "vectorized": False}
    value, estimate = derivative(f, x, full_output=True, **options)
    right = [math.cos, math.sin][order % 2 == 0](x) * (1 if order in (1, 4) else -1)
    if x < 1e3:  # where the step is longer than the wave
        assert abs(value - right) <= 2 * estimate.error
        assert estimate.status == Status.OK


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_one_sided_second_derivatives_compare_with_a_smaller_step(method):
    def bump(width):
        return lambda t: 30 + t + np.exp(-(((t - 1) / width + 0.3) ** 2)) * width**2 / 2

    right = (4 * 0.3**2 - 2) * math.exp(-(0.3**2)) / 2
    for width in (1e-3, 1e-4):
        value, bound, status = answer(bump(width), 1.0, 2, method)
        assert abs(value - right) <= bound
        assert status == (Status.OK if width == 1e-3 else Status.UNRESOLVED)
