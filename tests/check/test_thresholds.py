"""The thresholds of checks: each decides, a little above and a little below itself."""

import itertools

import numpy as np
import pytest

from xgrad import Status, check_gradient
from xgrad.check._slopes import Slopes
from xgrad.check._verdict import (
    Outcome,
    Tolerances,
    default_rtol,
    judge_directions,
    judge_entries,
)


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


# Verdicts on slopes that are made up, with steps of 0.1 and 0.01 to both sides

STEPS = np.array([0.1, 0.01])
MOVES = np.concatenate([STEPS, -STEPS])
DOUBLE = Tolerances(1e-7, 2.0**-52, 0.0, 2.0**-52)


def outcome(analytic, measured, error, tolerances=DOUBLE, unseen=None, **fields):
    """Return what is said of one slope of a function that is straight."""
    values = {
        "status": Status.OK,
        "size": 1.0,
        "typical": 1.0,
        "base": 0.0,
        "noise": 0.0,
        "rises": measured * MOVES,
        "moves": MOVES,
    }
    values = {"analytic": analytic, "measured": measured, "error": error, **values}
    arrays = {k: np.asarray(v, float)[None] for k, v in {**values, **fields}.items()}
    slopes = Slopes(**arrays)
    if unseen is None:
        verdicts = judge_entries(slopes, tolerances)
    else:
        verdicts = judge_directions(slopes, tolerances, unseen)
    return Outcome(int(verdicts.outcomes[0]))


@pytest.mark.parametrize(("bounds", "fails"), [(2.5, False), (4.0, True)])
def test_a_slope_differs_above_three_bounds(bounds, fails):
    result = outcome(1 + bounds * 1e-4, 1.0, 1e-4)
    assert (result == Outcome.DIFFERS) == fails


@pytest.mark.parametrize(("angles", "fails"), [(0.65, False), (0.85, True)])
def test_a_slope_at_a_corner_lies_between_both_sides(angles, fails):
    # The bound of a corner is three times the half of its angle, which is 1.
    result = outcome(3 + angles, 3.0, 1.5, status=Status.KINK)
    assert (result == Outcome.DIFFERS) == fails


@pytest.mark.parametrize(("error", "agrees"), [(9e-7, True), (2e-6, False)])
def test_a_bound_may_be_some_tolerances(error, agrees):
    assert (outcome(1.0, 1.0, error) == Outcome.AGREES) == agrees


@pytest.mark.parametrize(("error", "agrees"), [(7e-3, True), (9e-3, False)])
def test_one_entry_among_many_has_to_show(error, agrees):
    single = Tolerances(1e-3, 2.0**-23, 0.0, 2.0**-23)
    result = outcome(1.0, 1.0, error, single, unseen=3000)
    assert (result == Outcome.AGREES) == agrees


@pytest.mark.parametrize(("roundings", "agrees"), [(40, True), (200, False)])
def test_a_gradient_may_have_roundings_of_its_own(roundings, agrees):
    exact = Tolerances(0.0, 2.0**-52, 0.0, 2.0**-52)
    result = outcome(1 + roundings * 2.0**-52, 1.0, 0.0, exact)
    assert (result == Outcome.AGREES) == agrees


@pytest.mark.parametrize(("error", "agrees"), [(8e-11, True), (3e-10, False)])
def test_a_slope_of_zero_is_small_beside_its_change(error, agrees):
    result = outcome(0.0, 0.0, error, typical=0.0, rises=MOVES**2 / 2)
    assert (result == Outcome.AGREES) == agrees


@pytest.mark.parametrize(("noises", "agrees"), [(3, True), (6, False)])
def test_a_function_that_stands_still_moves_by_some_noises(noises, agrees):
    rises = noises * 1e-9 * np.sign(MOVES)
    result = outcome(0.0, 0.0, 1e-9, status=Status.UNRESOLVED, noise=1e-9, rises=rises)
    assert (result == Outcome.AGREES) == agrees


def excused(power=2.0, part=1.0, noises=1e6):
    """Whether the Taylor remainder of a slope excuses what the measured one says.

    The remainder falls as a power of the step. At the smaller step it is so many
    noises, of which the difference of the slopes makes a part.
    """
    remainder = 0.1 * MOVES[:2] ** power
    rises = np.concatenate([MOVES[:2] + remainder, MOVES[2:] - remainder])
    difference = part * remainder[1] / MOVES[1]
    noise = remainder[1] / noises / 2
    result = outcome(1.0, 1.0 + difference, 1e-9, rises=rises, noise=noise)
    return result != Outcome.DIFFERS


def test_a_remainder_excuses_a_difference():
    assert excused(power=1.6)
    assert not excused(power=1.4)
    assert excused(part=0.7)
    assert not excused(part=0.3)
    assert excused(noises=24)
    assert not excused(noises=10)


@pytest.mark.parametrize("digits", [52, 23, 10, 7])
def test_tolerances_are_a_few_roots_of_the_precision(digits):
    eps = 2.0**-digits
    assert 0.9 <= default_rtol(eps, eps) / eps**0.5 <= 8
