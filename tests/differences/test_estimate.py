"""Error bounds, statuses and the ladder: right where peers are silently wrong."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.functions import FAMILIES, HARD, HARDER, random_cases

from xgrad import Estimate, Status, derivative, gradient, to_numpy

ROBUST = ["ladder", "auto"]
CASES = {case.name: case for case in HARD}
# Where 1e-6 is not to be had: a ripple of 1e-6 is noise to every method.
ATTAINABLE = {"fast ripple": 2e-5}


def _answer(case, method, **options):
    value, estimate = derivative(
        case.f, case.x, method=method, full_output=True, **options
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
        lambda x: np.where(x > 0, x, slope * x), 0.0, method=method, full_output=True
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
        method=method,
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
        method=method,
        full_output=True,
    )
    assert estimate.status == Status.KINK
    assert_close(value, 3.0, rtol=1e-9)
    assert estimate.error >= 1 - 1e-3


@pytest.mark.parametrize("method", ROBUST)
@pytest.mark.parametrize("name", SMOOTH_BUT_SUSPICIOUS)
def test_what_is_no_corner_is_no_kink(name, method):
    f, x = SMOOTH_BUT_SUSPICIOUS[name]
    _, estimate = derivative(f, x, method=method, full_output=True)
    assert estimate.status != Status.KINK


@pytest.mark.parametrize("method", ["central", "ladder", "auto", "complex"])
@pytest.mark.parametrize("x", [1e300, -1e300, 1e-300])
def test_huge_and_tiny_points_are_right_or_unresolved(x, method):
    for f, truth in ((lambda v: 3 * v, 3.0), (lambda v: v**2, 2 * x)):
        with np.errstate(over="ignore"):
            value, estimate = derivative(f, x, method=method, full_output=True)
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


def test_statuses_are_int8_in_the_callers_namespace(xp):
    x = xp.asarray([0.0, 1.0, math.nan])
    value, estimate = derivative(
        lambda v: xp.abs(v) + 0 * v, x, method="ladder", full_output=True
    )
    assert estimate.status.dtype == xp.int8
    assert type(estimate.status) is type(value)
    assert to_numpy(estimate.status).tolist() == [2, 0, 3]
    assert_close(value, [0.0, 1.0, math.nan], rtol=1e-12, atol=1e-15)


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
            method=method,
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
        lambda v: np.sum(np.sin(v / scales)), x, method=method, full_output=True
    )
    truth = np.cos(x / scales) / scales
    error = np.abs(value - truth)
    assert (estimate.status == Status.OK).all()
    assert (error <= estimate.error).all()
    if method == "ladder":
        assert (error <= 1e-3 * truth).all()


# Bounds of every method


STENCILS = [
    *(("central", a) for a in (2, 4, 6, 8)),
    *((side, a) for side in ("forward", "backward") for a in (1, 2, 3, 4)),
    ("complex", None),
    ("ladder", None),
    ("auto", None),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("method", "accuracy"), STENCILS)
def test_at_least_95_percent_of_the_errors_lie_within_the_bound(
    method, accuracy, dtype, rng
):
    covered = []
    for name, (g, slope) in FAMILIES.items():
        if method == "complex" and name == "tanh":
            continue
        x = rng.uniform(0.1, 3.0, 200).astype(dtype)
        value, estimate = derivative(
            g, x, method=method, accuracy=accuracy, full_output=True
        )
        assert np.isfinite(estimate.error).all()
        error = np.abs(value.astype(np.float64) - slope(x.astype(np.float64)))
        covered.append(error <= estimate.error)
    assert np.mean(covered) >= 0.95


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("method", ["central", "forward", "backward"])
def test_bounds_of_higher_derivatives(order, method, rng):
    x = rng.uniform(0.1, 2.0, 300)
    value, estimate = derivative(
        np.exp, x, order=order, method=method, full_output=True
    )
    assert np.mean(np.abs(value - np.exp(x)) <= estimate.error) >= 0.95


def test_full_output_changes_no_value(xp, rng):
    x = xp.asarray(rng.normal(size=5))
    for method, accuracy in STENCILS:
        options = {"method": method, "accuracy": accuracy}
        plain = gradient(lambda v: xp.sum(xp.exp(v)), x, **options)
        value, estimate = gradient(
            lambda v: xp.sum(xp.exp(v)), x, full_output=True, **options
        )
        assert isinstance(estimate, Estimate)
        assert_close(value, to_numpy(plain), rtol=0)


def test_estimates_are_frozen_and_shaped_like_the_parameters(xp):
    tree = {"w": xp.asarray([1.0, 2.0]), "b": (xp.asarray(3.0),)}
    _, estimate = gradient(
        lambda t: xp.sum(t["w"] ** 3) * t["b"][0], tree, full_output=True
    )
    for field in (estimate.error, estimate.step, estimate.status):
        assert set(field) == {"w", "b"}
        assert tuple(field["w"].shape) == (2,)
        assert tuple(field["b"][0].shape) == ()
    with pytest.raises(AttributeError):
        estimate.error = None


def test_evaluations_are_those_of_f():
    for method in ("central", "forward", "complex", "ladder", "auto"):
        calls = 0

        def f(v):
            nonlocal calls
            calls += 1
            return np.sum(np.exp(v))

        options = {"method": method, "full_output": True}
        _, estimate = gradient(f, np.ones(3), vectorized=False, **options)
        assert estimate.evaluations == calls
        _, together = gradient(f, np.ones(3), **options)
        assert together.evaluations == estimate.evaluations


def test_auto_climbs_the_ladder_for_the_bad_components_alone():
    x = np.array([1.0, 1e-6, 2.0, -3.0])
    _, central = gradient(
        lambda v: np.sum(np.exp(v)), x, method="auto", full_output=True
    )
    value, climbed = gradient(
        lambda v: np.sum(np.exp(v)) + np.log(v[1]), x, method="auto", full_output=True
    )
    assert climbed.evaluations == central.evaluations + 24
    assert_close(value[1], 1e6 + math.exp(1e-6), rtol=1e-9)


# Edges of a domain


@pytest.mark.parametrize("method", [*ROBUST, "central"])
def test_one_side_answers_where_the_other_is_not_finite(method):
    for f, x, truth in (
        (lambda v: np.where(v < 1, math.nan, v**3), 1.0, 3.0),
        (lambda v: np.where(v > 1, math.inf, v**3), 1.0, 3.0),
        (lambda v: np.sqrt(v) ** 5 + v, 0.0, 1.0),
    ):
        value, estimate = derivative(f, x, method=method, full_output=True)
        # Shorter steps tell whether the side that is left can be trusted.
        assert estimate.status == (
            Status.NONFINITE if method == "central" else Status.OK
        )
        assert abs(value - truth) <= max(float(estimate.error), 1e-4)
        assert abs(value - truth) <= 0.05


@pytest.mark.parametrize("method", [*ROBUST, "central", "forward"])
def test_nothing_finite_is_nan_with_its_status(method):
    value, estimate = derivative(
        lambda v: v * math.nan, np.ones(2), method=method, full_output=True
    )
    assert np.isnan(value).all()
    assert (estimate.error == math.inf).all()
    assert (estimate.status == Status.NONFINITE).all()


# Noise


def test_noise_widens_the_bound_of_a_ladder(rng):
    def noisy(v):
        bits = np.abs(np.sin(v * 1e9)) * 1e4
        return np.sin(v) + 1e-7 * (bits - np.floor(bits) - 0.5)

    x = rng.uniform(0.5, 1.5, 200)
    assert np.ptp(noisy(x) - np.sin(x)) > 5e-8
    value, estimate = derivative(noisy, x, method="ladder", full_output=True)
    error = np.abs(value - np.cos(x))
    assert np.mean(error <= estimate.error) >= 0.95
    clean = derivative(np.sin, x, method="ladder", full_output=True)[1]
    assert np.median(estimate.error) > 100 * np.median(clean.error)


WAVES = {
    "waves shorter than the step": (
        np.array([1, 2584.1506, 1152.1682, 259.79675], np.float32),
        lambda v: np.sum(np.sin(v)),
        np.cos,
    ),
}


@pytest.mark.parametrize("name", WAVES)
def test_auto_is_not_misled_by(name):
    x, f, slope = WAVES[name]
    value, estimate = gradient(f, x, method="auto", full_output=True)
    error = np.abs(value - slope(x.astype(np.float64)))
    assert (error <= estimate.error).all()
    assert error.max() <= 1e-3


def test_rounding_inside_a_function_widens_the_bound():
    x = np.linspace(1.0, 20.0, 60)
    # log(1 + e) forgets e below 1e-16: a plateau for small steps.
    value, estimate = derivative(
        lambda v: np.log(1 + np.exp(-v)), x, method="ladder", full_output=True
    )
    error = np.abs(value + 1 / (1 + np.exp(x)))
    assert (error <= estimate.error).mean() >= 0.95


# Lazy arrays


@pytest.mark.parametrize("method", ROBUST)
def test_lazy_arrays_have_no_values_to_choose_by(method):
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    with pytest.raises(TypeError, match="chooses steps by looking at values"):
        gradient(lambda v: v.sum(), da.ones(3), method=method)


def test_a_status_takes_codes_of_any_library(xp):
    code = xp.asarray(2, dtype="int8")
    assert Status(code) is Status(2) is Status.KINK
    with pytest.raises(ValueError, match="7 is not a valid Status"):
        Status(7)
