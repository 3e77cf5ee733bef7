"""Losses of errors where numbers get hard: at corners, infinities and extreme sizes."""

import math

import mpmath
import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from cases.losses import LOSSES, value_and_slope_of_each

from xgrad import losses, to_numpy

EPS = 2.0**-52
SINGLE = 2.0**-23
INF = math.inf


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def test_log_cosh_is_accurate_at_every_size(xp):
    sizes = np.logspace(-6, 3, 400, dtype=np.float32)
    error = np.concatenate([sizes, -sizes, [np.float32(0)]])
    found, slope = value_and_slope_of_each(
        losses.log_cosh, xp.asarray(error), xp.asarray(0 * error)
    )
    with mpmath.workdps(40):
        big = [mpmath.mpf(float(e)) for e in error]
        exact = np.array([float(mpmath.log(mpmath.cosh(e))) for e in big])
        slopes = np.array([float(mpmath.tanh(e)) for e in big])
    assert found.dtype == np.float32
    assert_close(found, exact, rtol=1e-6)
    assert_close(slope, slopes, rtol=1e-6)
    largest = value_and_slope_of_each(
        losses.log_cosh, xp.asarray([1e300, -INF]), xp.asarray([0.0, 0.0])
    )
    np.testing.assert_array_equal(largest, [[1e300, INF], [1.0, -1.0]])


def test_log_errors_of_close_values_are_accurate(xp):
    p = np.array([1e6 + 1, 2.0, 1e-7, 3.0], np.float32)
    t = np.array([1e6, 2.0, 0.0, 1e20], np.float32)
    value, slope = value_and_slope_of_each(
        losses.mean_squared_log_error, xp.asarray(p), xp.asarray(t)
    )
    with mpmath.workdps(40):
        big = [[mpmath.mpf(float(v)) for v in row] for row in (p, t)]
        logs = [mpmath.log((1 + a) / (1 + b)) for a, b in zip(*big, strict=True)]
        exact = [float(v**2) for v in logs]
        slopes = [float(2 * v / (1 + a)) for v, a in zip(logs, big[0], strict=True)]
    assert_close(value, exact, rtol=4 * SINGLE)
    assert_close(slope, slopes, rtol=4 * SINGLE)


CORNERS = {
    # name: options, errors, losses, slopes
    "mean_absolute_error": ({}, [0, -2, INF], [0, 2, INF], [0, -1, 1]),
    "huber": ({"delta": 2}, [0, 2, -3, INF], [0, 2, 4, INF], [0, 2, -2, 2]),
    "smooth_l1": ({"beta": 2}, [0, 2, -3, INF], [0, 1, 2, INF], [0, 1, -1, 1]),
    "pinball": (
        {"quantile": 0.25},
        [0, 2, -2, INF],
        [0, 1.5, 0.5, INF],
        [0, 0.75, -0.25, 0.75],
    ),
    "log_cosh": ({}, [0, INF], [0, INF], [0, 1]),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners_and_infinite_errors(xp, name):
    options, errors, values, slopes = CORNERS[name]
    p = np.array(errors, float)
    found = value_and_slope_of_each(
        LOSSES[name], xp.asarray(p), xp.asarray(np.zeros_like(p)), **options
    )
    np.testing.assert_array_equal(found[0], values)
    np.testing.assert_array_equal(found[1], slopes)


def test_hinges_on_and_beyond_their_margin(xp):
    p, t = xp.asarray([1.0, 2.0, -1.0, INF, -INF]), xp.asarray([1, 1, 1, 1, 1])
    value, slope = value_and_slope_of_each(losses.hinge, p, t)
    np.testing.assert_array_equal(value, [0, 0, 2, 0, INF])
    np.testing.assert_array_equal(slope, [0, 0, -1, 0, -1])
    value, slope = value_and_slope_of_each(losses.squared_hinge, p, t)
    np.testing.assert_array_equal(value, [0, 0, 4, 0, INF])
    np.testing.assert_array_equal(slope, [0, 0, -4, 0, -INF])


def test_poisson_without_a_rate_costs_nothing_for_a_count_of_zero(xp):
    x, t = xp.asarray([-INF, -INF, 0.0]), xp.asarray([0, 1, 0])
    value, slope = value_and_slope_of_each(losses.poisson_nll, x, t)
    np.testing.assert_array_equal(value, [0, INF, 1])
    np.testing.assert_array_equal(slope, [0, -1, 1])


def test_a_variance_is_a_number_or_one_for_each_entry(xp, rng):
    (p, t), variance = rng.normal(size=(2, 5, 4)), rng.uniform(0.5, 2, (5, 4))
    loss, arrays = losses.gaussian_nll, (xp.asarray(p), xp.asarray(t))
    for given, used in [
        (2, 2.0),
        (0.5, 0.5),
        (xp.asarray(np.array(2.0)), 2.0),
        (xp.asarray(variance), variance),
        (xp.asarray(np.full((5, 4), 3)), 3.0),
    ]:
        value, slope = value_and_slope_of_each(loss, *arrays, variance=given)
        assert_close(
            value, (np.log(used) + (p - t) ** 2 / used) / 2, rtol=8 * EPS, atol=EPS
        )
        assert_close(slope, (p - t) / used, rtol=4 * EPS)


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e20, 3e38])
def test_root_mean_squared_error_of_any_size_in_float32(xp, size):
    if size > 1e38 and "jax" in xp.__name__:
        pytest.skip("JAX divides by a number by its reciprocal, which it takes for 0")
    p = np.array([size, -size], np.float32)
    found = losses.root_mean_squared_error.value_and_grad(
        xp.asarray(p), xp.asarray(0 * p)
    )
    assert_close(found[0], p[0], rtol=2 * SINGLE)
    assert_close(found[1], [0.5, -0.5], rtol=4 * SINGLE)
    assert found[0].dtype == found[1].dtype == xp.float32


def test_root_mean_squared_error_has_no_slope_where_it_is_infinite(xp):
    p = xp.asarray([math.inf, 1.0])
    value, slope = losses.root_mean_squared_error.value_and_grad(p, xp.asarray([1, 1]))
    assert to_numpy(value) == math.inf
    assert np.isnan(to_numpy(slope)).all()


def test_root_mean_squared_error_is_flat_where_it_is_zero(xp):
    p = xp.asarray([1.0, 2.0])
    value, gradient = losses.root_mean_squared_error.value_and_grad(p, p)
    assert to_numpy(value) == 0
    np.testing.assert_array_equal(to_numpy(gradient), [0, 0])


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        *((s, "float64") for s in (1e-290, 1e-170, 1.0, 1e170, 1e290)),
        *((s, "float32") for s in (1e-30, 1e-22, 1.0, 1e22, 1e36)),
    ],
)
def test_angles_do_not_depend_on_lengths(xp, rng, scale, dtype):
    p, t = rng.normal(size=(2, 5, 3))
    far = (p * scale).astype(dtype)
    each, slope = value_and_slope_of_each(
        losses.cosine_distance, xp.asarray(far), xp.asarray(t, dtype)
    )
    expected, slopes = value_and_slope_of_each(losses.cosine_distance, p, t)
    tolerance = 32 * float(np.finfo(dtype).eps)
    assert_close(each, expected, rtol=tolerance, atol=tolerance)
    assert_close(slope.astype(float) * scale, slopes, rtol=0, atol=tolerance)


def test_small_angles_are_resolved_and_zeros_are_at_right_angles(xp):
    p = xp.asarray([[1.0, 1e-9], [0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    t = xp.asarray([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    each, slope = value_and_slope_of_each(losses.cosine_distance, p, t)
    assert_close(each[[0, 3]], [5e-19, 0.0], rtol=4 * EPS)
    np.testing.assert_array_equal(each[[1, 2, 4]], 1)
    np.testing.assert_array_equal(slope[[1, 2, 3, 4]], 0)
    assert_close(slope[0], [-1e-18, 1e-9], rtol=4 * EPS, atol=EPS)


def test_nan_beside_a_row_of_zeros_is_not_a_right_angle(xp):
    p = xp.asarray([[math.nan, 1.0], [0.0, 0.0], [1.0, 2.0]])
    t = xp.asarray([[0.0, 0.0], [math.nan, 1.0], [0.0, 0.0]])
    each, slope = value_and_slope_of_each(losses.cosine_distance, p, t)
    np.testing.assert_array_equal(each, [math.nan, math.nan, 1])
    assert np.isnan(slope[0]).all()
    np.testing.assert_array_equal(slope[2], 0)
