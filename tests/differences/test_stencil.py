"""Stencils: exact weights, the accuracy they claim, and their errors."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgrad._differences.stencil import ACCURACIES, ORDERS, stencil, stencil_on

METHODS = [(m, a) for m, (offered, _) in ACCURACIES.items() for a in offered]


def _moment(scheme, power):
    terms = zip(scheme.weights, scheme.offsets, strict=True)
    return sum(w * Fraction(o) ** power for w, o in terms)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("method", "accuracy"), METHODS)
def test_polynomials_are_differentiated_exactly_up_to_the_accuracy(
    method, accuracy, order
):
    scheme = stencil(method, accuracy, order)
    assert scheme.accuracy == accuracy
    for power in range(order + accuracy):
        expected = math.factorial(order) if power == order else 0
        assert _moment(scheme, power) == expected
    assert _moment(scheme, order + accuracy) != 0


# Fornberg, Math. Comp. 51 (1988), table 1.
@pytest.mark.parametrize(
    ("accuracy", "weights", "divisor"),
    [
        (2, [-1, 1], 2),
        (4, [1, -8, 8, -1], 12),
        (6, [-1, 9, -45, 45, -9, 1], 60),
        (8, [3, -32, 168, -672, 672, -168, 32, -3], 840),
    ],
)
def test_central_weights_are_the_published_ones(accuracy, weights, divisor):
    scheme = stencil("central", accuracy)
    assert scheme.weights == tuple(Fraction(w, divisor) for w in weights)


@pytest.mark.parametrize(("method", "accuracy"), METHODS)
def test_quotients_are_the_same_combination(method, accuracy):
    scheme = stencil(method, accuracy)
    weights = dict.fromkeys([*scheme.offsets, 0], Fraction(0))
    for plus, minus, weight in scheme.quotients:
        weights[plus] += weight / (plus - minus)
        weights[minus] -= weight / (plus - minus)
    expected = dict(zip(scheme.offsets, scheme.weights, strict=True))
    assert {o: w for o, w in weights.items() if w} == expected
    assert sum(weight for *_, weight in scheme.quotients) == 1


@given(
    offsets=st.sets(st.integers(-6, 6), min_size=3, max_size=7).map(sorted),
    order=st.integers(1, 2),
)
def test_any_offsets_satisfy_the_taylor_conditions(offsets, order):
    scheme = stencil_on(tuple(offsets), order)
    for power in range(len(offsets)):
        expected = math.factorial(order) if power == order else 0
        assert _moment(scheme, power) == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("side", [1, -1])
def test_one_sided_stencils_stay_on_their_side(side, order):
    one_sided = stencil("central", 4, order).one_sided(side)
    if one_sided is None:
        assert max(stencil("central", 4, order).offsets) < order
    else:
        assert all(side * o >= 0 for o in one_sided.offsets)
        assert one_sided.order == order


@pytest.mark.parametrize(("method", "accuracy"), METHODS)
def test_step_is_a_power_of_two_near_the_optimum(method, accuracy):
    eps = 2.0**-52
    step = stencil(method, accuracy).relative_step(eps)
    assert math.frexp(step)[0] == 0.5
    assert 0.5 <= step / eps ** (1 / (accuracy + 1)) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("middle", None), "`method` must be one of 'central', 'forward', 'backward'"),
        (("central", 3), "`accuracy` of method='central' must be one of 2, 4, 6, 8"),
        (("forward", 5), "`accuracy` of method='forward' must be one of 1, 2, 3, 4"),
        (("central", 2, 5), "`order` must be one of 1, 2, 3, 4"),
    ],
)
def test_what_is_not_offered_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        stencil(*arguments)
