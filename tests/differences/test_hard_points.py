"""Hard points: derivatives are right, or their status says that they are not."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import derivative, gradient, of_method
from cases.functions import FAMILIES, HARD, HARDER, random_cases

from xgrad import Status

ROBUST = ["ladder", "auto"]
CASES = {case.name: case for case in HARD}
# Where 1e-6 is not to be had: a ripple of 1e-6 is noise to every method.
ATTAINABLE = {"fast ripple": 2e-5}


def _answer(case, method, **options):
    value, estimate = derivative(
        case.f, case.x, **of_method(method), full_output=True, **options
    )
    return float(value), float(estimate.error), Status(int(estimate.status))


def _silent(value, bar, status, truth):
    """A wrong answer that nothing tells of."""
    error = abs(value - truth)
    relative = error / abs(truth) if truth else error
    return status == Status.OK and relative > 1e-4 and error > 10 * bar


# Hard points


@pytest.mark.parametrize("method", ROBUST)
@pytest.mark.parametrize("name", CASES)
def test_hard_points_are_right_and_within_their_bound(name, method):
    case = CASES[name]
    value, bar, status = _answer(case, method)
    error = abs(value - case.truth)
    assert status == Status.OK
    assert error <= ATTAINABLE.get(name, 1e-6) * (abs(case.truth) or 1)
    assert error <= bar


@pytest.mark.parametrize("method", ROBUST)
def test_hard_points_are_as_accurate_as_published(method):
    errors = []
    for case in HARD:
        error = abs(_answer(case, method)[0] - case.truth)
        errors.append(error / (abs(case.truth) or 1))
    # Measured when the ladder was designed: 25 below 1e-6, 22 below 1e-10 (21 with the
    # noise of the function measured).
    assert sum(e < 1e-6 for e in errors) >= 25
    assert sum(e < 1e-10 for e in errors) >= 21


@pytest.mark.parametrize("method", ROBUST)
@pytest.mark.parametrize("case", HARDER, ids=lambda case: case.name)
def test_pathological_points_are_right_or_say_so(case, method):
    with np.errstate(divide="ignore"):  # log at 0 warns where the caller asked
        value, bar, status = _answer(case, method)
    if math.isnan(case.truth):
        assert status != Status.OK
    else:
        assert not _silent(value, bar, status, case.truth)
        if status == Status.OK:
            assert abs(value - case.truth) <= bar


@pytest.mark.parametrize("method", [*ROBUST, "central"])
@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, 0.99, -1.0])
def test_corners_are_kinks_and_the_bound_reaches_both_slopes(slope, method):
    value, estimate = derivative(
        lambda x: np.where(x > 0, x, slope * x),
        0.0,
        **of_method(method),
        full_output=True,
    )
    assert estimate.status == Status.KINK
    assert_close(value, (1 + slope) / 2, rtol=1e-12, atol=1e-12)
    assert estimate.error >= (1 - slope) / 2 * (1 - 1e-12)


@pytest.mark.parametrize("method", [*ROBUST, "central"])
def test_a_corner_inside_a_smooth_sum_is_a_kink_of_its_component_alone(method):
    x = np.array([0.7, 0.0, -0.3])
    _, estimate = gradient(
        lambda v: np.sum(np.maximum(v, 0)) + np.sum(np.exp(v)),
        x,
        **of_method(method),
        full_output=True,
    )
    assert estimate.status.tolist() == [Status.OK, Status.KINK, Status.OK]


SMOOTH_BUT_SUSPICIOUS = {
    "x^3": (lambda x: x**3, 0.0),
    "x abs(x)": (lambda x: x * np.abs(x), 0.0),
    "exp(300 x)": (lambda x: np.exp(300 * x), 0.0),
    "sin(1000 x)": (lambda x: np.sin(1000 * x), 0.3),
    "huber": (lambda x: np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5), 1.0),
    "noisy": (lambda x: np.sin(x) + 1e-9 * np.sin(1e12 * x), 1.0),
    "quantised": (lambda x: np.round(np.sin(x), 6), 1.0),
}
FLAT = {
    "x^4": (lambda x: x**4, 0.0),
    "x^2 abs(x)": (lambda x: x**2 * np.abs(x), 0.0),
    "cosh": (np.cosh, 0.0),
    "1e6 x^2": (lambda x: 1e6 * x**2, 0.0),
}
SHARP_BUT_SMOOTH = {
    "cos(1e3 x)": (lambda x: np.cos(1e3 * x), 0.0),
    "cos(1e6 x)": (lambda x: np.cos(1e6 * x), 0.0),
    "gauss": (lambda x: np.exp(-((1e4 * x) ** 2)), 0.0),
    "sqrt(x^2 + 1e-16)": (lambda x: np.sqrt(x**2 + 1e-16), 0.0),
}
SMOOTH_BUT_SUSPICIOUS |= FLAT | SHARP_BUT_SMOOTH


@pytest.mark.parametrize("accuracy", [2, 4, 6, 8])
@pytest.mark.parametrize("name", FLAT)
def test_flat_functions_are_no_corners_for_one_step_either(name, accuracy):
    f, x = FLAT[name]
    _, estimate = derivative(f, x, accuracy=accuracy, full_output=True)
    assert estimate.status == Status.OK


@pytest.mark.parametrize("method", [*ROBUST, "central"])
@pytest.mark.parametrize("curvature", [0.0, 1.0, 100.0, -10.0])
def test_curvature_hides_no_corner(curvature, method):
    value, estimate = derivative(
        lambda x: 3 * x + curvature * x**2 + np.abs(x),
        0.0,
        **of_method(method),
        full_output=True,
    )
    assert estimate.status == Status.KINK
    assert_close(value, 3.0, rtol=1e-9)
    assert estimate.error >= 1 - 1e-3


@pytest.mark.parametrize("method", ROBUST)
@pytest.mark.parametrize("name", SMOOTH_BUT_SUSPICIOUS)
def test_what_is_no_corner_is_no_kink(name, method):
    f, x = SMOOTH_BUT_SUSPICIOUS[name]
    _, estimate = derivative(f, x, **of_method(method), full_output=True)
    assert estimate.status != Status.KINK


@pytest.mark.parametrize("method", ["central", "ladder", "auto", "complex"])
@pytest.mark.parametrize("x", [1e300, -1e300, 1e-300])
def test_huge_and_tiny_points_are_right_or_unresolved(x, method):
    for f, truth in ((lambda v: 3 * v, 3.0), (lambda v: v**2, 2 * x)):
        with np.errstate(over="ignore"):
            value, estimate = derivative(f, x, **of_method(method), full_output=True)
        error = abs(float(value) - truth)
        if estimate.status == Status.OK:
            assert error <= estimate.error
            assert not (value == 0 and estimate.error == 0)
        else:
            assert estimate.status in (Status.UNRESOLVED, Status.NONFINITE)


def test_a_step_that_vanishes_is_unresolved():
    x = np.array([1.0, 1e20])
    value, estimate = derivative(lambda v: v**2, x, step=1e-3, full_output=True)
    assert estimate.status.tolist() == [Status.OK, Status.UNRESOLVED]
    assert np.isnan(value).tolist() == [False, True]
    assert estimate.error[1] == math.inf


# Random functions


@pytest.mark.parametrize("method", ROBUST)
def test_random_functions_of_all_scales_have_no_silent_error(method):
    cases = random_cases(480, seed=5)
    assert len({case.x for case in cases}) == len(cases)
    covered = good = 0
    for case in cases:
        value, bar, status = _answer(case, method)
        assert not _silent(value, bar, status, case.truth), case
        covered += abs(value - case.truth) <= bar
        good += abs(value - case.truth) < 1e-6 * abs(case.truth)
    assert covered >= 0.95 * len(cases)
    assert good >= 0.9 * len(cases)  # the rest are slopes in the far tails


@pytest.mark.parametrize("method", ROBUST)
def test_float32_arithmetic_has_no_silent_error(method, rng):
    for g, slope in FAMILIES.values():
        x = (10 ** rng.uniform(-2, 2, 100)).astype(np.float32)
        width = (x * 10 ** rng.uniform(-1, 1, 100).astype(np.float32)).astype(
            np.float32
        )
        value, estimate = derivative(
            lambda v, g=g, width=width: g(v / width),
            x,
            **of_method(method),
            full_output=True,
        )
        assert value.dtype == estimate.error.dtype == np.float32
        u = x.astype(np.float64) / width
        error = np.abs(value - slope(u) / width)
        assert np.mean(error <= estimate.error) >= 0.95
        relative = error / np.abs(slope(u) / width)
        silent = (estimate.status == 0) & (relative > 1e-2)
        assert not np.any(silent & (error > 10 * estimate.error))


@pytest.mark.parametrize("method", ROBUST)
def test_mixed_scales_in_one_vector(method):
    scales = 10.0 ** np.arange(-8, 9, 2)
    x = scales * np.linspace(0.5, 1.5, scales.size)
    value, estimate = gradient(
        lambda v: np.sum(np.sin(v / scales)), x, **of_method(method), full_output=True
    )
    truth = np.cos(x / scales) / scales
    error = np.abs(value - truth)
    assert (estimate.status == Status.OK).all()
    assert (error <= estimate.error).all()
    if method == "ladder":
        assert (error <= 1e-3 * truth).all()


# Edges of a domain


@pytest.mark.parametrize("method", [*ROBUST, "central"])
def test_one_side_answers_where_the_other_is_not_finite(method):
    for f, x, truth in (
        (lambda v: np.where(v < 1, math.nan, v**3), 1.0, 3.0),
        (lambda v: np.where(v > 1, math.inf, v**3), 1.0, 3.0),
        (lambda v: np.sqrt(v) ** 5 + v, 0.0, 1.0),
    ):
        value, estimate = derivative(f, x, **of_method(method), full_output=True)
        # Shorter steps tell whether the side that is left can be trusted.
        assert estimate.status == (
            Status.NONFINITE if method == "central" else Status.OK
        )
        assert abs(value - truth) <= max(float(estimate.error), 1e-4)
        assert abs(value - truth) <= 0.05


@pytest.mark.parametrize("method", [*ROBUST, "central", "forward"])
def test_nothing_finite_is_nan_with_its_status(method):
    value, estimate = derivative(
        lambda v: v * math.nan, np.ones(2), **of_method(method), full_output=True
    )
    assert np.isnan(value).all()
    assert (estimate.error == math.inf).all()
    assert (estimate.status == Status.NONFINITE).all()
