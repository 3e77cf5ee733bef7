"""The thresholds of checks: each decides, a little above and a little below itself."""

import itertools

import numpy as np
import pytest

from xgrad import check_gradient


def sines(x):
    return np.sum(np.sin(x))


@pytest.fixture
def x(rng):
    return rng.normal(size=6)


@pytest.mark.parametrize(("part", "is_guard"), [(5e-6, True), (5e-5, False)])
def test_a_guard_is_a_small_part(x, part, is_guard):
    report = check_gradient(sines, (1 + part) * np.cos(x), x)
    assert ("as a guard does" in report.hint) == is_guard


@pytest.mark.parametrize(("part", "is_two"), [(3e-4, True), (3e-3, False)])
def test_a_factor_is_named_if_it_is_close(x, part, is_two):
    report = check_gradient(sines, 2 * (1 + part) * np.cos(x), x)
    assert report.verdict == "fail"
    assert ("is twice the measured one" in report.hint) == is_two


def test_a_factor_explains_nearly_all_of_a_difference(x):
    signs = np.where(np.arange(6) % 2, -1, 1)
    nearly = 3 * np.cos(x) + 0.02 * signs * np.max(np.abs(np.cos(x)))
    assert "times the measured one" in check_gradient(sines, nearly, x).hint
    far = 3 * np.cos(x) + 2 * signs * np.max(np.abs(np.cos(x)))
    assert "times the measured one" not in check_gradient(sines, far, x).hint


@pytest.mark.parametrize(("roundings", "is_random"), [(20, False), (200, True)])
def test_two_calls_may_differ_by_some_roundings(x, roundings, is_random):
    calls = itertools.count()

    def f(x):
        return sines(x) + 1e12 * (1 + roundings * 2.0**-52 * (next(calls) % 2))

    report = check_gradient(f, np.cos(x), x, vectorized=False)
    assert report.verdict == "inconclusive"
    assert ("two calls of `f`" in report.hint) == is_random


@pytest.mark.parametrize(("part", "is_double"), [(1e-4, True), (1e-3, False)])
def test_both_precisions_agree_to_half_of_the_digits_of_float32(x, part, is_double):
    def f(x):
        return sines(x) * (1 if x.dtype == np.float32 else 1 + part)

    report = check_gradient(f, np.cos, x.astype(np.float32))
    assert ("evaluated in" in str(report)) == is_double


@pytest.mark.parametrize(("offset", "is_double"), [(3e4, False), (3e5, True)])
def test_a_move_that_float32_rounds_away_is_expected_to_be_seen(offset, is_double):
    def f(x):
        return np.float64(sines(x.astype(np.float32))) + offset

    x = np.linspace(0.5, 1.4, 6).astype(np.float32)
    report = check_gradient(f, np.cos, x)
    assert ("evaluated in" in str(report)) == is_double
