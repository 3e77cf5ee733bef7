"""On the families on which differences go wrong, they are right or say so."""

import functools

import numpy as np
import pytest
from cases.differences import AUTO, derivative, gradient, of_method
from cases.families import FAMILIES, LIMITED, TESTED, members
from cases.functions import FAMILIES as FUNCTIONS

from xgrad import Status

COUNT = 8
METHODS = ["ladder", "auto"]


@functools.cache
def answers(dtype, method, limited):
    """Return for each function its family, whether it is silent, right, and OK."""
    rows = []
    for family in FAMILIES:
        if (family in LIMITED) != limited:
            continue
        for member in members(TESTED, dtype, COUNT, family):
            with np.errstate(all="ignore"):
                value, estimate = derivative(
                    member.f,
                    member.x,
                    full_output=True,
                    vectorized=False,
                    **{**of_method(method), **member.options},
                )
            error = abs(float(value) - member.truth)
            wrong = not error <= 1e-4 * abs(member.truth)
            ok = estimate.status == Status.OK
            rows.append(
                (
                    member.family,
                    bool(ok and wrong and error > 10 * estimate.error),
                    not wrong,
                    bool(ok),
                )
            )
    return rows


@pytest.mark.parametrize(
    ("dtype", "method", "most"),
    [
        ("float64", "ladder", 0.02),
        ("float64", "auto", 0.02),
        ("float64", "central", 0.02),
        ("float64", "forward", 0.03),
        ("float64", "backward", 0.03),
        ("float32", "ladder", 0.03),
        ("float32", "auto", 0.03),
        ("float32", "central", 0.04),
        ("float32", "forward", 0.06),
        ("float32", "backward", 0.06),
    ],
)
def test_few_errors_are_silent(dtype, method, most):
    rows = answers(dtype, method, limited=False)
    silent = [family for family, is_silent, *_ in rows if is_silent]
    assert len(silent) <= most * len(rows), silent


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_that_hold_no_more_are_rarely_silent(dtype, method):
    rows = answers(dtype, method, limited=True)
    silent = [family for family, is_silent, *_ in rows if is_silent]
    assert len(silent) <= 0.12 * len(rows), silent


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "least"), [("float64", 0.9), ("float32", 0.47)])
def test_most_are_right(dtype, least, method):
    rows = answers(dtype, method, limited=False)
    assert np.mean([right for _, _, right, _ in rows]) >= least


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "least"), [("float64", 0.96), ("float32", 0.92)])
def test_few_are_left_open(dtype, least, method):
    rows = answers(dtype, method, limited=False)
    assert np.mean([ok for *_, ok in rows]) >= least


def answer(f, x, method, **options):
    value, estimate = derivative(
        f, x, full_output=True, **{**of_method(method), **options}
    )
    return float(value), float(estimate.error), Status(int(estimate.status))


def is_told(f, x, right, method):
    """Whether the answer is right to within its bound, or its status says it is not."""
    value, error, status = answer(f, x, method)
    return status != Status.OK or abs(value - right) <= error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distance", [1e-9, 1e-8, 3e-7, 1e-5, 1e-3])
def test_a_corner_beside_x_is_not_averaged(distance, method):
    def f(x):
        return (x - 3) ** 2 + 5 * np.abs(x - 1 - distance)

    value, error, status = answer(f, 1.0, method)
    assert status == Status.OK
    assert abs(value + 9) <= min(error, 1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_corner_as_close_as_the_smallest_steps_is_told(method):
    def f(x):
        return (x - 3) ** 2 + 5 * np.abs(x - 1 - 1e-10)

    assert is_told(f, 1.0, -9.0, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distance", [2e-6, 1e-5, 1e-4])
def test_a_corner_beside_x_is_told_in_float32(distance, method):
    def f(x):
        return (x - 3) ** 2 + 5 * np.abs(x - np.float32(1 + distance))

    assert is_told(f, np.float32(1), -9.0, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("f", "x", "right"),
    [
        (lambda x: -np.log(1 - 1 / (1 + np.exp(-x))), 30.0, 1.0),
        (lambda x: np.log(1 + x * x), 1e-7, 2e-7),
        (lambda x: 1 - np.cos(x), 1e-7, 1e-7),
        (lambda x: (1e12 + x * x) - 1e12, 1.1, 2.2),
        (lambda x: np.round(np.sin(x), 3), 0.7, np.cos(0.7)),
        (lambda x: np.sin(np.floor(1000 * x) / 1000), 0.7, np.cos(0.7)),
    ],
)
def test_rounding_inside_is_no_slope_of_zero(f, x, right, method):
    assert is_told(f, x, right, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.maximum(x - 1.001, 0),  # flat on one side of a corner
        lambda x: np.maximum(np.abs(x - 1) - 1e-3, 0),  # flat between two corners
        lambda x: np.where(x > 1.001, 1.0, 0.0) + 0 * x,  # flat beside a jump
    ],
)
def test_where_it_is_flat_the_slope_is_zero(f, method):
    value, error, status = answer(f, 1.0, method)
    assert status == Status.OK
    assert value == 0
    assert error <= 1e-9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("f", "x", "right"),
    [
        (lambda x: (1 - np.cos(x)) / x**2, 1e-5, -8.33e-7),
        (lambda x: (np.exp(x) - 1) / x, 1e-7, 0.5),
        (lambda x: (np.sin(x) - x) / x**3, 2.7e-6, 4.5e-8),
    ],
)
def test_pieces_that_rounding_makes_are_no_slope(f, x, right, method):
    assert is_told(f, x, right, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("power", [4, 5, 6, 7, 9])
@pytest.mark.parametrize("tilt", [0.0, 1e-6, 1.0])
def test_flat_powers_are_no_pieces(power, tilt, method):
    value, error, status = answer(lambda x: x**power + tilt * x, 0.0, method)
    assert status == Status.OK
    assert abs(value - tilt) <= error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("period", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("x", [2500.3345, 40.33, 3000.21, 1e6 + 0.3])
def test_periods_that_are_powers_of_two_hide_from_no_step(x, period, method):
    value, error, status = answer(lambda x: np.mod(x, period) ** 2, x, method)
    right = 2 * (x % period)
    assert abs(value - right) <= 1e-4 * right
    assert abs(value - right) <= error or status != Status.OK


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("width", [1e-3, 1e-5, 1e-7, 1e-9])
def test_a_needle_at_x_is_seen(width, method):
    def f(x):
        return x + np.exp(-(((x - 1) / width - 1) ** 2) / 2)

    value, error, status = answer(f, 1.0, method)
    right = 1 + np.exp(-0.5) / width
    assert status == Status.OK
    assert abs(value - right) <= min(error, 1e-4 * right)


# Central differences, and two values close to x


def test_central_compares_with_two_values_close_to_x():
    x = np.linspace(1, 2, 6)
    x[3] = 1.5

    def f(v):
        return np.sum(np.sin(v)) + 1e-6 * np.sin(1e6 * (v[3] - 1.5) + 1)

    value, estimate = gradient(f, x, full_output=True)
    slope = np.cos(x)
    slope[3] += np.cos(1)
    wrong = np.abs(value - slope) > 1e-4
    assert wrong.tolist() == [False] * 3 + [True] + [False] * 2
    status = np.where(wrong, Status.UNRESOLVED, Status.OK)
    assert estimate.status.tolist() == status.tolist()
    assert (np.abs(value - slope) <= estimate.error).all()


@pytest.mark.parametrize(("method", "side"), [("forward", 1), ("backward", -1)])
def test_one_sided_differences_compare_with_values_on_their_side(method, side):
    x = np.linspace(1, 2, 6)

    def f(v):
        beyond = side * (v - x)
        assert (beyond >= 0).all()
        return (
            np.sum(np.sin(v)) + np.minimum(beyond[3], 1e-7) + np.minimum(beyond[4], 0)
        )

    value, estimate = gradient(f, x, method=method, vectorized=False, full_output=True)
    slope = np.cos(x)
    slope[3] += side
    assert (np.abs(value - slope) <= estimate.error).all()
    is_open = np.arange(6) == 3
    status = np.where(is_open, Status.UNRESOLVED, Status.OK)
    assert estimate.status.tolist() == status.tolist()


@pytest.mark.parametrize("x", [0.0, 1.0])
def test_one_sided_differences_at_a_bound_compare_with_values_inside(x):
    def f(v):
        assert 0 <= v <= 1
        return np.sin(v) + np.minimum(np.minimum(v, 1 - v), 1e-7)

    value, estimate = derivative(
        f, x, method="forward", bounds=(0, 1), full_output=True, vectorized=False
    )
    assert estimate.status == Status.UNRESOLVED
    assert abs(value - np.cos(x) - 1 + 2 * x) <= estimate.error


def test_it_costs_two_evaluations_where_they_agree():
    x = np.linspace(1, 2, 6)
    _, estimate = gradient(lambda v: np.sum(np.sin(v)), x, full_output=True)
    assert estimate.evaluations == 4 * 6 + 1 + 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("accuracy", [2, 4, 6, 8])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_smooth_functions_are_not_doubted(name, accuracy, dtype):
    f, slope = FUNCTIONS[name]
    x = np.random.default_rng(3).uniform(-3, 3, 200).astype(dtype)
    value, estimate = derivative(f, x, accuracy=accuracy, full_output=True)
    assert (estimate.status == Status.OK).all()
    error = np.abs(value - slope(x.astype(np.float64)))
    assert np.mean(error <= estimate.error) >= 0.95


def test_a_small_component_beside_a_large_one_is_bounded():
    x = np.array([1e-8, 1.0, 2.0])
    value, estimate = gradient(
        lambda v: np.sqrt(v[0]) + 1e9 * np.sum(v[1:]), x, full_output=True, **AUTO
    )
    error = np.abs(value - np.array([5000, 1e9, 1e9]))
    assert ((estimate.status != Status.OK) | (error <= estimate.error)).all()
    x = np.float32([1e-3, 1, 2])
    value, estimate = gradient(
        lambda v: np.sin(3e3 * v[0]) + 1e3 * np.sum(np.sin(v[1:])),
        x,
        full_output=True,
        **AUTO,
    )
    right = np.append(3e3 * np.cos(3e3 * float(x[0])), 1e3 * np.cos([1.0, 2.0]))
    error = np.abs(value - right)
    assert ((estimate.status != Status.OK) | (error <= estimate.error)).all()


def test_auto_takes_no_ladder_for_slopes_of_zero():
    x = np.array([0.0, 1.0, 0.0, 2.0])
    _, estimate = gradient(lambda v: np.sum(v**2), x, full_output=True, **AUTO)
    assert estimate.evaluations == 4 * 4 + 1 + 30
