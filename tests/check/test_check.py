"""Gradient checks: what they say of right and of wrong gradients, and how."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from xgrad import check_gradient
from xgrad.check._conclusion import JudgedSlopes, conclude
from xgrad.check._verdict import Verdicts

LARGE = 1000  # more entries than are measured one by one


def _cubes(xp):
    return lambda x: xp.sum(x**3), lambda x: 3 * x**2


def _far_from_zero(rng, shape):
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape)


def _smooth(n, rng):
    """A function whose entries all matter, a point, and the gradient there."""
    c = rng.uniform(1, 2, n)
    x = _far_from_zero(rng, n)
    return lambda x: np.sum(c * np.sin(x)), c * np.cos(x), x


# Verdicts


@pytest.mark.parametrize("shape", [(), (1,), (7,), (4, 5), (LARGE,)])
def test_a_right_gradient_passes(xp, rng, shape):
    f, grad = _cubes(xp)
    report = check_gradient(f, grad, xp.asarray(_far_from_zero(rng, shape)))
    assert report.verdict == "pass"
    assert report
    assert report.taylor_rate == pytest.approx(2, abs=0.1)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("shape", [(1,), (7,), (4, 5), (LARGE,)])
def test_a_wrong_gradient_fails(xp, rng, shape):
    f, grad = _cubes(xp)
    x = xp.asarray(_far_from_zero(rng, shape))
    report = check_gradient(f, lambda x: 1.001 * grad(x), x)
    assert report.verdict == "fail"
    assert not report
    assert report.taylor_rate == pytest.approx(1, abs=0.1)


def test_single_precision_is_checked_in_its_own_precision(xp, rng):
    f, grad = _cubes(xp)
    x = xp.asarray(_far_from_zero(rng, 20), dtype="float32")
    assert check_gradient(f, grad, x).verdict == "pass"
    assert check_gradient(f, lambda x: 1.01 * grad(x), x).verdict == "fail"


def test_in_double_precision_small_errors_of_single_gradients_show(rng):
    f, grad = _cubes(np)
    x = _far_from_zero(rng, 20).astype(np.float32)
    assert check_gradient(f, grad, x, dtype="float64").verdict == "pass"
    wrong = (1.0005 * grad(x)).astype(np.float32)
    assert check_gradient(f, wrong, x, dtype="float64").verdict == "fail"


def test_half_precision_is_evaluated_in_single(rng):
    seen = set()

    def f(x):
        seen.add(x.dtype.name)
        return np.sum(x**3)

    x = _far_from_zero(rng, 20).astype(np.float16)
    report = check_gradient(f, lambda x: (3 * x**2).astype(np.float16), x)
    assert seen == {"float32"}
    assert report.verdict == "pass"


def test_integers_are_promoted(xp):
    f, grad = _cubes(xp)
    assert check_gradient(f, grad, xp.asarray([1, 2, 3])).verdict == "pass"


def test_the_gradient_may_be_an_array(xp, rng):
    f, grad = _cubes(xp)
    x = xp.asarray(_far_from_zero(rng, 5))
    assert check_gradient(f, grad(x), x).verdict == "pass"


def test_a_number_is_a_gradient_of_a_number():
    assert check_gradient(lambda x: x**2, lambda x: 2 * float(x), np.array(3.0))


@pytest.mark.parametrize("scale", [1e-7, 1e-3, 1e8])
def test_every_scale_of_x_is_checked_alike(rng, scale):
    x = scale * _far_from_zero(rng, LARGE)

    def f(x):
        return np.sum(np.sin(x / scale))

    right = np.cos(x / scale) / scale
    assert check_gradient(f, right, x).verdict == "pass"
    assert check_gradient(f, 1.001 * right, x).verdict == "fail"


def test_scales_may_differ_within_an_array():
    scales = 10.0 ** np.linspace(-8, 8, 300)
    x = scales * np.linspace(0.5, 2.0, 300)
    right = np.cos(x / scales) / scales

    def f(x):
        return np.sum(np.sin(x / scales))

    assert check_gradient(f, right, x).verdict == "pass"
    for entry in (0, 150, 299):
        wrong = right.copy()
        wrong[entry] *= 1.03
        report = check_gradient(f, wrong, x)
        assert report.verdict == "fail"
        assert report.worst.index == (entry,)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e290])
@pytest.mark.parametrize("n", [4, LARGE])
def test_functions_of_extreme_size_make_no_noise(rng, scale, n):
    x = _far_from_zero(rng, n)
    f = lambda x: np.sum(np.sin(x)) * scale  # noqa: E731
    right = np.cos(x) * scale
    assert check_gradient(f, right, x).verdict in ("pass", "inconclusive")
    for wrong in (2 * right, -right, 0 * right, right[::-1].copy(), right + 1e300):
        report = check_gradient(f, wrong, x)
        assert report.verdict in ("fail", "inconclusive")
        assert str(report)


def test_a_stationary_point_tells_nothing_of_factors(rng):
    A, x = rng.normal(size=(20, 10)), rng.normal(size=10)
    b = A @ x
    x = np.nextafter(x, np.inf)
    f, grad = lambda x: np.sum((A @ x - b) ** 2) / 2, lambda x: A.T @ (A @ x - b)
    assert 0 < np.max(np.abs(grad(x))) < 1e-12
    for factor in (1.0, 2.0):
        report = check_gradient(f, factor * grad(x), x)
        assert report.verdict == "inconclusive"
        assert "0 at this x up to rounding errors" in report.hint
    assert check_gradient(f, lambda x: grad(x) + 1e-3, x).verdict == "fail"


@pytest.mark.parametrize("seed", range(8))
def test_a_minimum_with_a_residual_is_called_stationary(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(30, 6)), rng.normal(size=30)
    x = np.linalg.lstsq(A, b, rcond=None)[0]
    f, grad = lambda x: np.sum((A @ x - b) ** 2) / 2, lambda x: A.T @ (A @ x - b)
    report = check_gradient(f, grad, x)
    assert report.verdict == "inconclusive"
    assert "check at random values" in report.hint
    assert check_gradient(f, grad, x + 1e-3).verdict == "pass"
    assert check_gradient(f, lambda x: 1.01 * grad(x), x + 1e-3).verdict == "fail"


def test_entries_that_do_not_matter_have_slope_zero(rng):
    x = rng.normal(size=5)
    right = np.array([2 * x[0], 0, 0, 0, 0])
    assert check_gradient(lambda x: x[0] ** 2, right, x).verdict == "pass"
    wrong = right + np.array([0, 0, 1e-3, 0, 0])
    report = check_gradient(lambda x: x[0] ** 2, wrong, x)
    assert report.verdict == "fail"
    assert report.worst.index == (2,)


def test_a_constant_has_gradient_zero():
    constant = lambda x: np.sum(0 * x) + 3  # noqa: E731
    # Ten times this gradient is 0 as well, so that no error can be told.
    assert check_gradient(constant, np.zeros(3), np.ones(3)).verdict == "inconclusive"
    report = check_gradient(constant, np.ones(3), np.ones(3))
    assert report.verdict == "inconclusive"
    assert "does not change around this x" in report.hint


def test_moves_that_rounding_swallows_fail_no_gradient():
    x = np.linspace(1, 2, 5)
    f = lambda x: (1e16 + np.sum(x)) - 1e16  # noqa: E731
    for given in (np.ones(5), np.zeros(5)):
        assert check_gradient(f, given, x).verdict == "inconclusive"
    log = lambda x: np.log(1 + x[0] ** 2)  # noqa: E731
    for x in (1e-8, 1e-9):
        report = check_gradient(log, np.array([2 * x]), np.array([x]))
        assert report.verdict == "inconclusive"


def test_an_array_that_f_does_not_use_is_named():
    p = {"a": np.ones(3), "b": np.ones(2)}
    given = {"a": 2 * p["a"], "b": p["b"]}
    report = check_gradient(lambda p: np.sum(p["a"] ** 2), given, p)
    assert report.verdict == "fail"
    assert "`f` does not depend on x['b']" in report.hint


# Corners


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [3, LARGE])
def test_a_corner_is_told_from_an_error(n, slope):
    x = np.linspace(0, 1, n)
    given = np.sign(x)
    given[0] = slope
    report = check_gradient(lambda x: np.sum(np.abs(x)), given, x)
    assert report.verdict == "kink"
    assert not report


def test_a_corner_does_not_excuse_other_errors():
    x = np.linspace(0, 1, 5)
    given = np.sign(x) * np.array([1, 1, 1, 1, 1.01])
    report = check_gradient(lambda x: np.sum(np.abs(x)), given, x)
    assert report.verdict == "fail"
    assert report.worst.index == (4,)


def test_a_slope_outside_of_those_of_a_corner_is_wrong():
    x = np.array([0.0, 1.0])
    report = check_gradient(lambda x: np.sum(np.abs(x)), np.array([9.0, 1.0]), x)
    assert report.verdict == "fail"
    assert report.worst.index == (0,)


def test_close_to_a_corner_there_is_none(rng):
    x = 1e-3 * _far_from_zero(rng, LARGE)
    assert check_gradient(lambda x: np.sum(np.abs(x)), np.sign, x).verdict == "pass"


@pytest.mark.parametrize("distance", [1e-4, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10])
@pytest.mark.parametrize("n", [1, 5, 300])
def test_a_corner_beside_x_fails_no_right_gradient(n, distance):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.uniform(1, 2, n)
        corner, rise = x * (1 + distance), rng.uniform(0.2, 5)
        f = lambda x, c=corner, r=rise: np.sum(np.sin(x) + r * np.maximum(x - c, 0))  # noqa: E731
        verdict = check_gradient(f, np.cos(x), x).verdict
        assert verdict == "pass" if distance >= 1e-7 else verdict != "fail"
        # The mean of both slopes is no slope.
        mean = np.cos(x) + rise / 2
        assert check_gradient(f, mean, x).verdict != "pass"


def test_rounding_inside_of_f_fails_no_right_gradient():
    cases = [
        (lambda x: -np.log(1 - 1 / (1 + np.exp(-x[0]))), 1.0, 30.0),
        (lambda x: 1 - np.cos(x[0]), 1e-7, 1e-7),
        (lambda x: np.round(np.sin(x[0]), 3), np.cos(0.7), 0.7),
    ]
    for f, slope, x in cases:
        assert check_gradient(f, np.array([slope]), np.array([x])).verdict != "fail"


def test_whole_periods_are_no_flat_function():
    x = np.array([2500.3345, 3000.21])
    f = lambda x: np.sum(np.cos(2 * np.pi * x))  # noqa: E731
    right = -2 * np.pi * np.sin(2 * np.pi * x)
    assert check_gradient(f, right, x).verdict == "pass"
    assert check_gradient(f, 0 * x, x).verdict == "fail"


def _groups(*outcomes):
    """Arrays with these outcomes of their slopes, one after the other."""
    nothing = np.zeros(0)
    slopes = SimpleNamespace(
        analytic=np.ones(1), measured=np.ones(1), status=np.zeros(1)
    )
    return [
        JudgedSlopes(
            leaf,
            slopes,
            Verdicts(np.array(codes), nothing, nothing, np.zeros(1, bool)),
            np.arange(len(codes)),
            nothing,
        )
        for leaf, codes in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("along", "entries", "complete", "verdict"),
    [
        ([[3, 3], [0, 0]], [[2]], False, "kink"),
        ([[3, 0], [3, 3]], [[2], [0]], False, "fail"),
        ([[3, 0], [3, 0]], [[2], [1]], False, "inconclusive"),
        ([[3, 0], [0, 0]], [[3]], False, "fail"),
        ([[2, 0], [0, 0]], [], False, "kink"),
        ([[0, 1], [1, 0]], [], False, "pass"),
        ([[0, 1], [1, 1]], [], False, "inconclusive"),
        ([[0, 1], [0, 3]], [[0, 0], [0, 0]], True, "inconclusive"),
        ([[0, 1], [1, 1]], [[0, 0], [0, 0]], True, "pass"),
        ([[0, 0], [0, 0]], [[0, 2], [0, 3]], True, "fail"),
    ],
)
def test_a_corner_excuses_its_own_array_alone(along, entries, complete, verdict):
    groups = _groups(*along), _groups(*entries)
    assert conclude(*groups, complete=complete) == verdict


# What cannot be told


def test_noise_makes_no_failure(rng):
    f = lambda x: 1e12 + np.sum(np.sin(x))  # noqa: E731
    x = _far_from_zero(rng, 5)
    for factor in (1.0, 1.001):
        report = check_gradient(f, factor * np.cos(x), x)
        assert report.verdict == "inconclusive"
        assert "pass rtol=" in report.hint
    assert check_gradient(f, -np.cos(x), x).verdict == "fail"


def test_single_precision_inside_is_noticed(rng):
    x = _far_from_zero(rng, 5)

    def f(x):
        return np.sum(np.sin(x.astype(np.float32)).astype(np.float64))

    report = check_gradient(f, np.cos(x), x, full=False)
    assert report.verdict == "inconclusive"
    assert check_gradient(f, np.cos(x), x, rtol=1e-3).verdict == "pass"
    assert check_gradient(f, 1.1 * np.cos(x), x).verdict == "fail"


def test_a_function_that_is_not_deterministic_is_named():
    random = np.random.default_rng(0)

    def dropout(x):
        return np.sum(x * random.choice([0.0, 2.0], x.shape))

    report = check_gradient(dropout, np.ones(20), np.ones(20))
    assert report.verdict == "inconclusive"
    assert "two calls of `f` at the same point differ" in report.hint


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_tells_nothing(value):
    report = check_gradient(lambda x: np.sum(x) * value, np.ones(3), np.ones(3))
    assert report.verdict == "inconclusive"
    assert str(value) in report.hint
    assert report.worst is None
    assert "compared nothing" in str(report)


def test_a_function_defined_on_one_side_is_checked_there():
    f = lambda x: np.sum(np.sqrt(x) ** 3)  # noqa: E731
    x = np.array([0.0, 1.0, 2.0])
    assert check_gradient(f, 1.5 * np.sqrt(x), x).verdict != "fail"
    assert check_gradient(f, 1.5 * np.sqrt(x) + 1, x).verdict == "fail"


def test_a_gradient_that_is_not_finite_fails():
    given = np.array([2.0, math.nan, 2.0])
    report = check_gradient(lambda x: np.sum(x**2), given, np.ones(3))
    assert report.verdict == "fail"
    assert report.worst.index == (1,)
    assert "not finite" in report.hint
