"""Weights that are booleans or zero."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY

from xgrad import losses, to_numpy

EPS = 2.0**-52


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def test_boolean_weights_are_a_mask(xp):
    p, t = xp.asarray([1.0, 5.0]), xp.asarray([0.0, 0.0])
    value = losses.mean_squared_error(p, t, weight=xp.asarray([True, False]))
    assert to_numpy(value) == 1


def test_what_weighs_nothing_hides_an_infinite_loss(xp):
    p, t = xp.asarray([[0.0, 1.0], [0.5, 0.5]]), xp.asarray([0, 0])
    weight = xp.asarray([0.0, 2.0])
    value, slope = losses.cross_entropy.value_and_grad(p, t, weight=weight)
    assert_close(value, math.log(2), rtol=4 * EPS)
    np.testing.assert_array_equal(to_numpy(slope), [[0, 0], [-2, 0]])


def test_weights_that_sum_to_zero_are_refused_or_give_nan(xp):
    p = xp.asarray([1.0, 2.0])
    weight = xp.asarray([0.0, 0.0])
    with pytest.raises(ValueError, match="`weight` must not sum to 0"):
        to_numpy(losses.mean_squared_error(p, p, weight=weight))
    unchecked = losses.mean_squared_error(p, p, weight=weight, check=False)
    assert np.isnan(to_numpy(unchecked))
