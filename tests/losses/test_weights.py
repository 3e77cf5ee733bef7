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


def test_each_column_has_a_positive_weight_of_its_own(xp, rng):
    x, t = rng.normal(size=(7, 3)), rng.integers(0, 2, (7, 3))
    weights = np.array([1.0, 2.0, 0.0])
    loss = losses.sigmoid_binary_cross_entropy
    arrays = xp.asarray(x), xp.asarray(t)
    found = loss.value_and_grad(*arrays, positive_weight=xp.asarray(weights))
    columns = [
        loss.value_and_grad(x[:, k], t[:, k], positive_weight=float(weights[k]))
        for k in range(3)
    ]
    assert_close(found[0], np.mean([value for value, _ in columns]), rtol=8 * EPS)
    slopes = np.stack([slope for _, slope in columns], axis=1) / 3
    assert_close(found[1], slopes, rtol=8 * EPS)


def test_a_positive_weight_of_each_label():
    found = losses.sigmoid_binary_cross_entropy(
        np.array([[1.0, 2.0]]), np.array([[0, 1]]), positive_weight=np.array([1.0, 2.0])
    )
    assert_close(found, 0.78356, rtol=1e-5)
