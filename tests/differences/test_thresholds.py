"""The thresholds of the ladder: each of them decides, and where it says.

Sequences of rungs are made up so that one rule alone decides, a little below its
threshold and a little above: moved by a factor of two to either side, a test fails.
"""

import numpy as np
import pytest

from xgrad import Status, derivative, gradient, hessian
from xgrad._differences.noise import _levels
from xgrad._differences.rung_choice import BOUND, choose
from xgrad._differences.rung_status import (
    find_corner,
    find_piece,
    is_unresolved,
)
from xgrad._differences.rung_values import RungValues
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import Rungs

RATIO = 8
RUNGS = Rungs(RATIO, 13)
# Two bounds of the rounding of a slope of 1 between two values of 1 that are 2e-9 from
# x: three roundings of the values and of x.
DIFF = 2 * 3 * 2 * 2.0**-52 / 2.0**-29
STEPS = RUNGS.smallest * np.array(RUNGS.units, float)


def values_of(f, at=1.0, noise=None):
    """What ``f`` does on the rungs around a point."""
    offsets = np.concatenate([STEPS, -STEPS])
    points = at + offsets
    base = np.asarray(f(np.float64(at)))
    samples = Samples(
        xp=np,
        offsets=RUNGS.offsets,
        base=base,
        blocks=[f(points)[:, None]],
        origin=np.array([at]),
        coordinates=[points[:, None]],
        eps=2.0**-52,
        read=lambda array: array,
        align=lambda array: array,
        magnitudes=np.abs,
        noise=None if noise is None else np.asarray(noise),
    )
    return RungValues.of_samples(RUNGS, samples)


def choice_of(slopes, noise):
    return choose(np, np.array(slopes)[:, None], np.array(noise)[:, None], RATIO**2)


# Which rung answers


@pytest.mark.parametrize(("noises", "passes"), [(1.6, True), (2.5, False)])
def test_an_answer_may_miss_smaller_rungs_by_two_noises(noises, passes):
    noise = [1e-9, 1e-9, 1e-9, 1e-6, 1e-6, 1e-6]
    # Flat, then all smaller rungs say another value, within so many of their noises.
    slopes = [1.0, 1.0, 1.0] + [1.0 + noises * 1e-6] * 3
    # (Of the error of the large rungs, almost nothing is left to excuse it.)
    assert (choice_of(slopes, noise).rung[0] == 1) == passes


@pytest.mark.parametrize(("errors", "passes"), [(0.7, True), (1.5, False)])
def test_an_answer_may_miss_smaller_rungs_by_its_bound(errors, passes):
    noise = [1e-3, 1e-3, 1e-3, 1e-9, 1e-2, 1e-2]
    slopes = [1.0, 1.0, 1.0, 1.0 + errors * BOUND * 1e-3, 1.0, 1.0]
    found = choice_of(slopes, noise)
    assert (found.rung[0] == 1) == passes


def test_the_error_is_a_third_of_the_bound():
    value, estimate = derivative(np.sin, 1.0, method="ladder", full_output=True)
    errors = []
    for x in np.linspace(0.3, 2, 150):
        value, estimate = derivative(np.sin, x, method="ladder", full_output=True)
        errors.append(abs(value - np.cos(x)) / estimate.error)
    # The noise is random, so that bounds are neither exceeded nor idle.
    assert max(errors) <= 1
    assert max(errors) >= 0.2


# Noise that the values show


def staircase(step):
    return lambda x: np.floor(x / step + 0.31) * step


def test_a_function_that_stands_still_is_flat_or_a_staircase():
    stairs = values_of(lambda x: 3.3 + staircase(1e-3)(x))
    assert stairs.noise_across.max() >= 1e-3
    flat = values_of(lambda x: 3.3 + np.maximum(x - 1.01, 0))
    assert flat.noise_across.max() <= 1e-14


@pytest.mark.parametrize(("part", "is_quantum"), [(0.4, True), (0.65, False)])
def test_both_sides_of_a_staircase_move_alike(part, is_quantum):
    # Flat near x; beyond, the sides move by 1 + part and by 1 - part.
    def f(x):
        moved = np.where(np.abs(x - 1) > 1e-2, x - 1, 0.0)
        return np.pi + moved * (1 + part * np.sign(moved))

    assert (values_of(f).noise_across.max() > 1e-3) == is_quantum


def test_values_that_are_multiples_of_their_least_move_are_a_staircase():
    # One side alone moves, by a quantum: the value is 21 of them.
    quantum = 2.0**-12
    one_side = values_of(lambda x: quantum * (21.0 + (x > 1.01)))
    assert one_side.noise_across.max() >= quantum
    plain = values_of(lambda x: np.pi + quantum * (x > 1.01))
    assert plain.noise_across.max() <= 1e-14


@pytest.mark.parametrize(("multiples", "is_quantum"), [(0.7, True), (1.4, False)])
def test_too_many_multiples_are_met_by_chance(multiples, is_quantum):
    quantum, count = 2.0**-22, round(multiples * 2**20)
    values = values_of(lambda x: quantum * (count + (x > 1.01)))
    assert (values.noise_across.max() >= quantum) == is_quantum


@pytest.mark.parametrize("offset", [0.3, 5.0, -70.3])
def test_numbers_of_float32_that_stand_still_are_a_staircase(offset):
    def hinge(x):
        return offset + 1.7 * np.maximum(x - 1, 0)

    def single(x):
        return hinge(x).astype(np.float32).astype(np.float64)

    assert values_of(single).noise_across.max() >= 2.0**-26 * abs(offset)
    flat = (lambda x: hinge(x - 1e-3), lambda x: offset + 2.0 * (x > 1.001))
    for f in flat:
        assert values_of(f).noise_across.max() <= 1e-13
    _, estimate = derivative(
        lambda x: np.float64(np.float32(hinge(x))),
        1.0,
        method="ladder",
        full_output=True,
        vectorized=False,
    )
    assert estimate.status == Status.KINK
    # Of numbers of float32 themselves it says nothing that they are.
    value, estimate = derivative(
        lambda x: np.float32(0.3) + np.maximum(x - np.float32(1.01), 0),
        np.float32(1),
        method="ladder",
        full_output=True,
    )
    assert estimate.status == Status.OK
    assert abs(value) <= estimate.error <= 1


def test_noise_is_what_the_middle_of_the_three_smallest_rungs_shows():
    smooth = values_of(np.sin)
    assert smooth.noise_across.max() <= 1e-15
    size = 1e-9

    def noisy(x):
        return np.sin(x) + size * np.cos(1e15 * x)

    assert size / 4 <= values_of(noisy).noise_across.max() <= 8 * size
    # On one rung it may not show.
    hidden = values_of(lambda x: noisy(x) * (np.abs(x - 1) > 1.5 * STEPS[-1]))
    assert hidden.noise_across.max() >= size / 4
    # A corner between the rungs is not noise, unless one rung alone ends before it.
    for rung in (-3, -4, -5):
        corner = 1 + 0.5 * STEPS[rung]
        values = values_of(lambda x, corner=corner: np.abs(x - corner))
        assert values.noise_across.max() <= 1e-3 * STEPS[rung]


# What speaks against an answer


@pytest.mark.parametrize(("share", "is_open"), [(0.7e-3, False), (1.5e-3, True)])
def test_an_error_that_is_no_part_of_the_largest_slope_is_not_open(share, is_open):
    # Slopes that fall to nothing and disagree: an error of `share` of the largest.
    slopes = [1.0, 0.0, 0.0, 0.0, share, -share]
    found = choice_of([*slopes[:1], share, -share, share, -share, share], [1e-9] * 6)
    error = found.error[0]
    top = error / share
    scaled = np.array([[top]] + [[0.0]] * 5)
    assert is_unresolved(found, scaled)[0] == is_open


@pytest.mark.parametrize(("error", "is_open"), [(0.7e-4, False), (1.5e-4, True)])
def test_the_smallest_rung_may_differ_by_a_part_of_the_value(error, is_open):
    # Each rung halves what is left: the last one before the smallest answers.
    slopes = np.array([1.0 + error * 5**k for k in reversed(range(6))])
    found = choice_of(slopes, [1e-9] * 6)
    assert found.rung[0] == 4
    relative = found.error[0] / found.value[0]
    slopes = 1 + (slopes - 1) * error / relative
    found = choice_of(slopes, [1e-9] * 6)
    assert found.error[0] == pytest.approx(error, rel=0.01)
    assert is_unresolved(found, 1e-9 * slopes[:, None])[0] == is_open


@pytest.mark.parametrize(("stays", "is_corner"), [(0.35, False), (0.7, True)])
def test_a_corner_stays(stays, is_corner):
    corner = np.array([stays**k for k in range(6)])[:, None]
    noise = np.full_like(corner, 1e-9)
    found, size = find_corner(np, corner, noise, np.array([2]))
    assert found[0] == is_corner
    assert size[0] == corner[-1, 0]


@pytest.mark.parametrize(("noises", "is_corner"), [(1.4, False), (2.8, True)])
def test_a_corner_is_twice_the_noise(noises, is_corner):
    corner = np.ones((6, 1))
    found, _ = find_corner(np, corner, corner / noises, np.array([2]))
    assert found[0] == is_corner


def test_a_corner_that_only_larger_rungs_show_is_beside_x():
    corner = np.array([1.0, 1.0, 1.0, 0, 0, 0])[:, None]
    noise = np.full_like(corner, 1e-9)
    assert find_corner(np, corner, noise, np.array([2]))[0][0]
    assert not find_corner(np, corner, noise, np.array([3]))[0][0]


def pieces(jump, length, slope=1.0, other=0.0):
    """A piece of a slope around 1, and beyond its edges another slope, that jumps."""

    def f(x):
        away = x - 1
        inside = np.abs(away) < length
        phase = np.sin(1e7 * away) * jump
        return 0.2 + np.where(inside, slope * away, other * away + phase)

    return f


def piece_in(f, **options):
    values = values_of(f, **options)
    slopes = values.across / (values.steps[0] + values.steps[1])
    noise = values.noise_across / values.steps[0]
    found = choose(np, slopes, noise, RATIO**2)
    return find_piece(values, found, slopes)[0][0]


def test_a_piece_of_a_scattering_function_is_found():
    assert piece_in(pieces(jump=1e-4, length=1e-4))
    assert not piece_in(np.sin)
    assert not piece_in(lambda x: np.sin(300 * x))


@pytest.mark.parametrize(("other", "is_piece"), [(0.65, False), (0.3, True)])
def test_the_slope_beyond_a_piece_is_another_one(other, is_piece):
    assert piece_in(pieces(jump=1e-7, length=1e-4, other=other)) == is_piece


def grown(power, once_more=0.0, top=0.1):
    """A slope of 1 up to an edge, where the rest grows by a power of the ratio.

    On the next larger rung it grows by another power; beyond, `f` scatters about 0.
    """
    edge, reach = 6, np.argsort(STEPS)
    rest = STEPS[edge - 1] / RATIO**power * (STEPS / STEPS[edge]) ** 2
    moves = STEPS + rest
    moves[edge - 1] = 0.0
    moves[: edge - 1] = 0.1 * STEPS[edge - 1]
    moves[0] = top * STEPS[edge - 1]
    moves[edge - 2] = STEPS[edge - 2] - STEPS[edge - 1] * RATIO ** (1 + once_more)

    def f(x):
        away = x - 1
        size = np.interp(np.abs(away), STEPS[reach], moves[reach])
        sign = np.where(np.abs(away) > 1.5 * STEPS[edge - 1], 1.0, np.sign(away))
        return 0.2 + sign * size

    return f


@pytest.mark.parametrize(("power", "is_edge"), [(3.2, False), (3.8, True)])
def test_an_edge_grows_faster_than_any_smooth_function(power, is_edge):
    assert piece_in(grown(power)) == is_edge


@pytest.mark.parametrize(("power", "is_edge"), [(0.6, True), (1.6, False)])
def test_what_grows_on_as_fast_is_no_edge(power, is_edge):
    assert piece_in(grown(5.0, power)) == is_edge


# The top rung bends by twice its move; 4 times the root of the step is the limit.
@pytest.mark.parametrize(("part", "is_piece"), [(0.7, True), (1.4, False)])
def test_beyond_a_piece_bends_grow_less_than_the_root_of_the_step(part, is_piece):
    top = part * 2 * RATIO**2.5
    assert piece_in(grown(5.0, top=top)) == is_piece


def test_beyond_a_corner_bends_grow_with_the_step():
    # Two corners beside x are no piece: the bends beyond grow.
    def f(x):
        away = x - 1
        return (
            0.2
            + away
            - 2 * np.maximum(away - 1e-6, 0)
            + 3 * np.maximum(-away - 2e-6, 0)
        )

    assert not piece_in(f)


# Steps that are no whole periods


@pytest.mark.parametrize("period", [0.25, 0.5, 1.0, 2.0, 3.0, 0.75, 1.5])
def test_no_rung_is_a_whole_number_of_periods(period):
    for size in 2.0 ** np.arange(0, 20):
        turns = size * STEPS / period
        turns = turns[turns > 0.2]
        assert (np.abs(turns - np.round(turns)) > 1e-4).all()


@pytest.mark.parametrize(
    ("difference", "is_ok"), [(DIFF * 0.9, True), (DIFF * 1.5, False)]
)
def test_values_close_to_x_are_compared_within_their_rounding(difference, is_ok):
    def f(x):
        away = x - 1
        return x + difference * np.clip(away, -1e-6, 1e-6)

    _, estimate = derivative(f, 1.0, method="central", full_output=True)
    assert (estimate.status == Status.OK) == is_ok


def status_of(f, x=1.0, **options):
    _, estimate = derivative(f, x, method="central", full_output=True, **options)
    return Status(int(estimate.status))


@pytest.mark.parametrize(("size", "is_corner"), [(4e-5, False), (4e-4, True)])
def test_a_corner_counts_from_a_part_of_the_slope_on(size, is_corner):
    status = status_of(lambda x: x + size * np.abs(x - 1))
    assert (status == Status.KINK) == is_corner


@pytest.mark.parametrize(("size", "is_corner"), [(1e-12, False), (2e-11, True)])
def test_a_corner_stands_out_from_rounding(size, is_corner):
    status = status_of(lambda x: 1 + size * np.abs(x - 1))
    assert (status == Status.KINK) == is_corner


@pytest.mark.parametrize("at_x", [0.0, 1.0])
def test_a_jump_at_x_is_told_as_a_corner(at_x):
    status = status_of(lambda x: x + np.heaviside(x - 1, at_x))
    assert status == Status.KINK


def test_curvature_that_turns_over_is_no_corner():
    # It rises at one step and falls at the next one.
    h = 2.0**-6
    f = lambda x: 1.75 * x**2 / h - 0.75 * x**4 / h**3  # noqa: E731
    assert status_of(f, 0.0, step=h) != Status.KINK


@pytest.mark.parametrize(
    "options",
    [{"method": "central", "accuracy": 2}, {"method": "forward", "accuracy": 1}],
)
def test_bounds_that_compare_with_a_higher_accuracy_are_twice_the_error(options):
    x = np.linspace(0.3, 2, 200)
    value, estimate = derivative(np.sin, x, step=1e-3, full_output=True, **options)
    used = np.abs(value - np.cos(x)) / estimate.error
    assert 0.3 <= np.median(used) <= 0.7


def test_bounds_of_the_complex_step_are_not_idle(rng):
    x = rng.uniform(0.5, 2.0, 200)
    value, estimate = derivative(
        lambda v: np.exp(v) / (np.sin(v) ** 3 + np.cos(v) ** 3),
        x,
        method="complex",
        full_output=True,
    )
    sine, cosine = (f(x.astype(np.longdouble)) for f in (np.sin, np.cos))
    below = sine**3 + cosine**3
    exact = np.exp(x.astype(np.longdouble)) / below**2
    exact *= below - 3 * sine * cosine * (sine - cosine)
    used = np.abs(value - exact) / estimate.error
    assert np.mean(used <= 1) >= 0.95
    assert np.quantile(used, 0.9) >= 0.05


def test_the_rounding_in_bounds_of_hessians_is_not_idle(rng):
    used = []
    for x in rng.uniform(0.3, 2, (60, 2)):
        value, estimate = hessian(
            lambda v: 1e5 + np.sum(np.exp(v)), x, method="central", full_output=True
        )
        used.append(np.abs(value - np.diag(np.exp(x))) / estimate.error)
    assert 0.03 <= np.quantile(used, 0.9) <= 0.3


def test_a_small_component_is_taken_again_above_some_roundings_of_the_sum():
    f = lambda v: v[1] + 1e-13 * np.sin(1000 * v[0])  # noqa: E731
    _, estimate = gradient(
        f, np.array([1.0, 1.0]), bounds=(None, None), full_output=True
    )
    assert estimate.evaluations == 4 * 2 + 1 + 30 + 26


# The noise


def level_of(values):
    return float(_levels(np, np.asarray(values)[:, None])[0])


@pytest.mark.parametrize(("part", "is_noise"), [(0.02, True), (0.3, False)])
def test_noise_is_a_small_part_of_the_values(part, is_noise, rng):
    levels = [level_of(1 + part * rng.uniform(-1, 1, 7)) for _ in range(200)]
    assert (np.mean(np.greater(levels, 0)) >= 0.5) == is_noise


def test_a_wave_of_eight_points_is_no_noise():
    turns = np.arange(-3, 4)[:, None] / 8 + np.linspace(0, 1, 50)
    levels = _levels(np, 100 + np.cos(2 * np.pi * turns))
    assert np.mean(levels > 0) <= 0.1


def test_a_bend_on_one_rung_is_no_noise():
    def f(x):
        away = np.abs(x - 1) / STEPS[-2]
        return 1 + 1e-9 * ((away > 0.9) & (away < 1.1))

    assert values_of(f).noise_across.max() <= 1e-14
