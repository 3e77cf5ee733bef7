"""Estimates: error bounds that hold, statuses, and the evaluations they cost."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import AUTO, derivative, gradient, of_method
from cases.functions import FAMILIES

from xgrad import Estimate, Status, to_numpy

ROBUST = ["ladder", "auto"]
METHODS = ["central", "forward", "complex", "ladder"]


def test_statuses_are_int8_in_the_callers_namespace(xp):
    x = xp.asarray([0.0, 1.0, math.nan])
    value, estimate = derivative(
        lambda v: xp.abs(v) + 0 * v, x, method="ladder", full_output=True
    )
    assert estimate.status.dtype == xp.int8
    assert type(estimate.status) is type(value)
    assert to_numpy(estimate.status).tolist() == [2, 0, 3]
    assert_close(value, [0.0, 1.0, math.nan], rtol=1e-12, atol=1e-15)


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
            g, x, **of_method(method), accuracy=accuracy, full_output=True
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
        np.exp, x, order=order, **of_method(method), full_output=True
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
    for options in (*({"method": m} for m in METHODS), AUTO):
        calls = 0

        def f(v):
            nonlocal calls
            calls += 1
            return np.sum(np.exp(v))

        options = options | {"full_output": True}
        _, estimate = gradient(f, np.ones(3), vectorized=False, **options)
        assert estimate.evaluations == calls
        _, together = gradient(f, np.ones(3), **options)
        assert together.evaluations == estimate.evaluations


def test_auto_climbs_the_ladder_for_the_bad_components_alone():
    x = np.array([1.0, 1e-6, 2.0, -3.0])
    _, central = gradient(lambda v: np.sum(np.exp(v)), x, full_output=True, **AUTO)
    value, climbed = gradient(
        lambda v: np.sum(np.exp(v)) + np.log(v[1]), x, full_output=True, **AUTO
    )
    assert climbed.evaluations == central.evaluations + 26
    assert_close(value[1], 1e6 + math.exp(1e-6), rtol=1e-9)


JUMPS_AND_CORNERS = {
    "jump": (np.sign, 0),
    "corner": (np.abs, -1),
    "hinge": (lambda t: np.maximum(t, 0), 0),
}


@pytest.mark.parametrize("accuracy", [2, 4, 6, 8])
@pytest.mark.parametrize("name", JUMPS_AND_CORNERS)
def test_bounds_cover_a_small_jump_or_corner_between_the_points(name, accuracy):
    f, slope = JUMPS_AND_CORNERS[name]
    step, size = 2.0**-6, 1e-9  # so small that values close to x do not tell
    covered = []
    for distance in np.linspace(0.01, max(2, accuracy / 2), 80):
        value, estimate = derivative(
            lambda x, d=distance: x + size * f((x - 1) / step - d),
            1.0,
            step=step,
            accuracy=accuracy,
            full_output=True,
        )
        covered.append(abs(value - 1 - size * slope / step) <= estimate.error)
    assert np.mean(covered) >= (1 if name == "jump" else 0.93)


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
    value, estimate = gradient(f, x, full_output=True, **AUTO)
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


@pytest.mark.parametrize("options", [{"method": "ladder"}, AUTO])
def test_lazy_arrays_have_no_values_to_choose_by(options):
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    with pytest.raises(TypeError, match="chooses steps by looking at values"):
        gradient(lambda v: v.sum(), da.ones(3), **options)


def test_a_status_takes_codes_of_any_library(xp):
    code = xp.asarray(2, dtype="int8")
    assert Status(code) is Status(2) is Status.KINK
    with pytest.raises(ValueError, match="7 is not a valid Status"):
        Status(7)
