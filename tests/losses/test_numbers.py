"""Losses of logits and probabilities at the ends of their ranges, and near them."""

import math
import os
from functools import partial

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace
from cases.compare import assert_close, central
from cases.libraries import WITH_LAZY
from cases.losses import LOSSES, value_and_slope_of_each

from xgrad import backend_name, losses, to_numpy

EPS = 2.0**-52
SINGLE = 2.0**-23
INF = math.inf


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


# Logits


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, -1e8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_a_common_offset_of_logits_changes_nothing(xp, name, dtype, offset):
    steps = np.array([[0.0, -8.0, 16.0], [8.0, 0.0, 8.0]])  # exact at 1e8 in float32
    labels = xp.asarray([1, 2])
    shifted = value_and_slope_of_each(
        LOSSES[name], xp.asarray((steps + offset).astype(dtype)), labels
    )
    plain = value_and_slope_of_each(
        LOSSES[name], xp.asarray(steps.astype(dtype)), labels
    )
    # Compiled loops subtract the maximum of rows far out alone, which rounds otherwise.
    is_compiled = os.environ.get("XGRAD_KERNELS") == "numba"
    rtol = 4 * float(np.finfo(dtype).eps) if is_compiled else 0
    for left, right in zip(shifted, plain, strict=True):
        np.testing.assert_allclose(left, right, rtol=rtol)
    assert (plain[0] > 0).all()


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_masked_logits_are_right_with_labels_and_one_hot(xp, name):
    logits = xp.asarray([[-INF, 1.0, 2.0], [0.5, 1.0, -INF]])
    targets = np.array([2, 0])
    expected, slopes = value_and_slope_of_each(
        LOSSES[name], np.array([[1.0, 2.0], [0.5, 1.0]]), np.array([1, 0])
    )
    for target in (xp.asarray(targets), xp.asarray(np.eye(3)[targets])):
        value, slope = value_and_slope_of_each(LOSSES[name], logits, target)
        assert_close(value, expected, rtol=8 * EPS)
        assert_close(slope[0], [0.0, *slopes[0]], rtol=16 * EPS)
        assert_close(slope[1], [*slopes[1], 0.0], rtol=16 * EPS)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_a_masked_class_that_is_the_target_costs_infinity(xp, name):
    logits = xp.asarray([[-INF, 1.0, 2.0]])
    value, slope = value_and_slope_of_each(LOSSES[name], logits, xp.asarray([0]))
    assert value[0] == INF
    expected = [-1.0, 1 / (1 + math.e), math.e / (1 + math.e)]
    assert_close(slope[0], expected, rtol=8 * EPS)


@pytest.mark.parametrize("row", [[INF, 0.0], [-INF, -INF], [math.nan, 0.0]])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_rows_of_logits_without_a_softmax_are_nan(xp, name, row):
    logits = xp.asarray([row, [1.0, 2.0]])
    value, slope = value_and_slope_of_each(LOSSES[name], logits, xp.asarray([1, 1]))
    np.testing.assert_array_equal(np.isnan(value), [True, False])
    np.testing.assert_array_equal(np.isnan(slope).any(axis=1), [True, False])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_is_right_where_the_class_is_certain(xp, gamma):
    logits = xp.asarray([[0.0, 1000.0], [1000.0, 0.0], [0.0, 40.0]])
    value, slope = value_and_slope_of_each(
        losses.focal, logits, xp.asarray([1, 1, 1]), gamma=gamma
    )
    assert_close(value[:2], [0.0, 1000.0], rtol=EPS)
    assert_close(slope[:2], [[0.0, 0.0], [1.0, -1.0]], rtol=EPS)
    assert 0 <= value[2] <= math.exp(-40)
    assert np.isfinite(slope).all()


def test_logistic_losses_are_exact_for_any_logit(xp):
    x = xp.asarray([INF, -INF, 1e4, -1e4, 100.0, 40.0])
    t = xp.asarray([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    each, slope = value_and_slope_of_each(losses.sigmoid_binary_cross_entropy, x, t)
    assert_close(each, [0, 0, 1e4, 1e4, 100, math.exp(-40)], rtol=4 * EPS)
    assert_close(slope, [0, 0, 1, -1, 1, -math.exp(-40)], rtol=4 * EPS)


def test_positive_weight_scales_the_positive_term(xp, rng):
    x, t = rng.normal(size=6), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.25])
    loss = losses.sigmoid_binary_cross_entropy
    weighted = loss(xp.asarray(x), xp.asarray(t), positive_weight=3, reduction="none")
    positive = t * np.log1p(np.exp(-x))
    negative = (1 - t) * np.log1p(np.exp(x))
    assert_close(weighted, 3 * positive + negative, rtol=8 * EPS)
    without = loss(xp.asarray(x), xp.asarray(t), positive_weight=0, reduction="none")
    assert_close(without, negative, rtol=8 * EPS)


# Probabilities


def test_probability_zero_costs_infinity_and_nothing_where_the_target_is_zero(xp):
    p, labels = xp.asarray([[0.0, 1.0], [1.0, 0.0]]), xp.asarray([0, 0])
    for loss in (losses.cross_entropy, losses.kl_divergence):
        t = xp.asarray([[1.0, 0.0], [1.0, 0.0]])
        each, slope = value_and_slope_of_each(loss, p, t)
        np.testing.assert_array_equal(each, [INF, 0.0])
        np.testing.assert_array_equal(slope, [[-INF, 0], [-1, 0]])
    each, slope = value_and_slope_of_each(losses.cross_entropy, p, labels)
    np.testing.assert_array_equal(each, [INF, 0.0])
    np.testing.assert_array_equal(slope, [[-INF, 0], [-1, 0]])


def test_binary_cross_entropy_at_the_ends(xp):
    p, t = xp.asarray([0.0, 1.0, 0.0, 1.0]), xp.asarray([0.0, 1.0, 1.0, 0.0])
    each, slope = value_and_slope_of_each(losses.binary_cross_entropy, p, t)
    np.testing.assert_array_equal(each, [0, 0, INF, INF])
    np.testing.assert_array_equal(slope, [1, -1, -INF, INF])


@pytest.mark.parametrize(
    "name", ["binary_cross_entropy", "cross_entropy", "kl_divergence"]
)
def test_slopes_of_subnormal_probabilities_do_not_overflow(name):
    tiny = 2.0**-1060  # its reciprocal is infinite
    p, t = np.array([[tiny, 1.0]]), np.array([[tiny / 4, 1.0]])
    slope = LOSSES[name].grad(p, t, reduction="sum")
    first = 0.75 if name == "binary_cross_entropy" else -0.25
    np.testing.assert_array_equal(slope, [[first, -1.0]])


def test_sure_rows_cost_nothing_and_not_minus_nothing():
    p, t = np.array([[1.0], [1.0]]), np.array([[1], [1]])
    for loss in (losses.binary_cross_entropy, losses.focal, losses.cross_entropy):
        each = loss(p, t, reduction="none")
        assert not np.signbit(each).any()
        assert (each == 0).all()


def test_slopes_of_small_masks_do_not_vanish(xp):
    p = xp.asarray(np.array([[1e-25, 0.0], [0.0, 0.0]], np.float32))
    slope = losses.dice.grad(p, p, smooth=0, reduction="sum")
    assert_close(slope, [[-0.5, 0.5], [0.0, 0.0]], rtol=4 * SINGLE)


def test_the_textbook_delta_has_its_own_slope(xp, rng):
    p = rng.dirichlet(np.ones(4), 3)
    t = np.array([0, 1, 3])
    loss = losses.cross_entropy
    slopes = central(lambda q: float(loss(q, t, delta=0.1, check=False)), p)
    assert_close(loss.grad(xp.asarray(p), xp.asarray(t), delta=0.1), slopes, rtol=1e-8)
    sure = loss(xp.asarray([[0.0, 1.0]]), xp.asarray([0]), delta=1e-7)
    assert_close(sure, -math.log(1e-7), rtol=4 * EPS)


def test_rows_that_nearly_sum_to_one_are_accepted_as_they_are(xp):
    for dtype, slack in (("float32", 3e-4), ("float64", 1.4e-8)):
        row = np.array([[0.25, 0.75 - slack]], dtype)
        value = losses.cross_entropy(xp.asarray(row), xp.asarray([1]))
        assert_close(value, -np.log(row[0, 1]), rtol=2 * SINGLE)
        further = xp.asarray(row - np.array([[0, slack]], dtype))
        with pytest.raises(ValueError, match="sum to 1"):
            to_numpy(losses.cross_entropy(further, xp.asarray([1])))


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-7])
def test_close_distributions_have_a_small_divergence(xp, rng, gap):
    t = rng.dirichlet(np.ones(6), 20)
    shift = gap * t * rng.normal(size=t.shape)
    p = t + shift - t * shift.sum(axis=1, keepdims=True)
    each = to_numpy(
        losses.kl_divergence(xp.asarray(p), xp.asarray(t), reduction="none")
    )
    with mpmath.workdps(40):
        exact = [
            float(mpmath.fsum(b * mpmath.log(b / a) for a, b in zip(q, u, strict=True)))
            for q, u in zip(
                np.vectorize(mpmath.mpf, otypes=[object])(p), t, strict=True
            )
        ]
    # Each relative difference is known to eps, and the rows sum to 1 to a few eps.
    assert_close(each, exact, rtol=0, atol=4 * EPS)


def test_easy_rows_of_focal_loss_are_accurate(xp):
    logits = xp.asarray(np.array([[20, 0, 0], [10, 0, 0], [5, 5, -9]], np.float32))
    value, slope = value_and_slope_of_each(losses.focal, logits, xp.asarray([0, 0, 1]))
    with mpmath.workdps(40):
        misses = [mpmath.mpf(2) / (mpmath.exp(x) + 2) for x in (20, 10)]
        exact = [float(-(m**2) * mpmath.log(1 - m)) for m in misses]
        steep = [float(m * (2 * (1 - m) * mpmath.log(1 - m) - m)) for m in misses]
        expected = [float(k * m) for k, m in zip(steep, misses, strict=True)]
    assert_close(value[:2], exact, rtol=8 * SINGLE)
    assert_close(slope[:2, 0], expected, rtol=16 * SINGLE)
    tied = float(0.5**2 * math.log(2))
    assert_close(value[2], tied, rtol=1e-5)


# Gaps between the largest logit and the others, beside which 1 has no digits left.
GAPS = [3.0, 16.0, 40.0, 80.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 512.0])
@pytest.mark.parametrize("classes", [2, 10, 70, 500])
def test_the_loss_of_a_sure_row_keeps_its_digits(xp, classes, offset, dtype):
    logits = np.zeros((len(GAPS), classes)) + offset - np.array(GAPS)[:, None]
    labels = np.array([0, 1, classes - 1, 0])
    logits[np.arange(4), labels] = offset
    expected = [math.log1p((classes - 1) * math.exp(-gap)) for gap in GAPS]
    eps = float(np.finfo(dtype).eps)
    # The sum of that many exponentials, and the exponentials.
    rtol = (classes**0.5 + 8) * eps
    x, y = xp.asarray(logits.astype(dtype)), xp.asarray(labels)
    # The formulas of other libraries take fewer steps; their kernels keep the digits.
    few_steps = backend_name(array_namespace(x)) not in ("numpy", "dask")
    close = partial(assert_close, rtol=rtol, atol=rtol if few_steps else 0)
    loss = partial(losses.softmax_cross_entropy, reduction="none")
    one_hot = xp.asarray(np.eye(classes, dtype=dtype)[labels])
    for target, weight in ((y, None), (one_hot, None), (y, 0 * x[:, 0] + 1)):
        close(loss(x, target, weight=weight), expected)
    value = losses.softmax_cross_entropy.value_and_grad(x, y, reduction="none")[0]
    close(value, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sure_rows_among_others_keep_their_digits(rng, dtype):
    # As many as kernels take, with rows that they compute in another way between them.
    x = rng.normal(size=(20_000, 10))
    x[::3] += 40 * np.eye(10)[3]
    x[::7] += 5000
    x[::101] = math.nan
    labels = np.full(len(x), 3)
    x = x.astype(dtype)
    wide = x.astype(np.longdouble)
    others = np.delete(wide, 3, axis=1) - wide[:, 3:4]
    expected = np.log1p(np.exp(others).sum(axis=1)).astype(float)
    for function in (
        losses.softmax_cross_entropy,
        lambda *a, **k: losses.softmax_cross_entropy.value_and_grad(*a, **k)[0],
    ):
        value = function(x, labels, reduction="none")
        # 5,000 has an error of half a unit of its own in the differences of float32.
        np.testing.assert_allclose(
            value, expected, rtol=16 * float(np.finfo(dtype).eps)
        )
