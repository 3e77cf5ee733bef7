"""Losses where numbers get hard: ends of ranges, infinities, offsets, long sums."""

import math

import mpmath
import numpy as np
import pytest
from cases.compare import assert_close, central
from cases.libraries import WITH_LAZY
from cases.losses import LOSSES, needed, sample

from xgrad import losses, to_numpy

EPS = 2.0**-52
SINGLE = 2.0**-23
INF = math.inf


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def _each(loss, prediction, target, **options):
    """Losses and slopes, unreduced, on the host."""
    found = loss.value_and_grad(prediction, target, reduction="none", **options)
    return tuple(map(to_numpy, found))


# Logits


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, -1e8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_a_common_offset_of_logits_changes_nothing(xp, name, dtype, offset):
    steps = np.array([[0.0, -8.0, 16.0], [8.0, 0.0, 8.0]])  # exact at 1e8 in float32
    labels = xp.asarray([1, 2])
    shifted = _each(LOSSES[name], xp.asarray((steps + offset).astype(dtype)), labels)
    plain = _each(LOSSES[name], xp.asarray(steps.astype(dtype)), labels)
    for left, right in zip(shifted, plain, strict=True):
        np.testing.assert_array_equal(left, right)
    assert (plain[0] > 0).all()


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_masked_logits_are_right_with_labels_and_one_hot(xp, name):
    logits = xp.asarray([[-INF, 1.0, 2.0], [0.5, 1.0, -INF]])
    targets = np.array([2, 0])
    expected, slopes = _each(
        LOSSES[name], np.array([[1.0, 2.0], [0.5, 1.0]]), np.array([1, 0])
    )
    for target in (xp.asarray(targets), xp.asarray(np.eye(3)[targets])):
        value, slope = _each(LOSSES[name], logits, target)
        assert_close(value, expected, rtol=8 * EPS)
        assert_close(slope[0], [0.0, *slopes[0]], rtol=16 * EPS)
        assert_close(slope[1], [*slopes[1], 0.0], rtol=16 * EPS)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_a_masked_class_that_is_the_target_costs_infinity(xp, name):
    logits = xp.asarray([[-INF, 1.0, 2.0]])
    value, slope = _each(LOSSES[name], logits, xp.asarray([0]))
    assert value[0] == INF
    expected = [-1.0, 1 / (1 + math.e), math.e / (1 + math.e)]
    assert_close(slope[0], expected, rtol=8 * EPS)


@pytest.mark.parametrize("row", [[INF, 0.0], [-INF, -INF], [math.nan, 0.0]])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "focal"])
def test_rows_of_logits_without_a_softmax_are_nan(xp, name, row):
    logits = xp.asarray([row, [1.0, 2.0]])
    value, slope = _each(LOSSES[name], logits, xp.asarray([1, 1]))
    np.testing.assert_array_equal(np.isnan(value), [True, False])
    np.testing.assert_array_equal(np.isnan(slope).any(axis=1), [True, False])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_is_right_where_the_class_is_certain(xp, gamma):
    logits = xp.asarray([[0.0, 1000.0], [1000.0, 0.0], [0.0, 40.0]])
    value, slope = _each(losses.focal, logits, xp.asarray([1, 1, 1]), gamma=gamma)
    assert_close(value[:2], [0.0, 1000.0], rtol=EPS)
    assert_close(slope[:2], [[0.0, 0.0], [1.0, -1.0]], rtol=EPS)
    assert 0 <= value[2] <= math.exp(-40)
    assert np.isfinite(slope).all()


def test_logistic_losses_are_exact_for_any_logit(xp):
    x = xp.asarray([INF, -INF, 1e4, -1e4, 100.0, 40.0])
    t = xp.asarray([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    each, slope = _each(losses.sigmoid_binary_cross_entropy, x, t)
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
        each, slope = _each(loss, p, t)
        np.testing.assert_array_equal(each, [INF, 0.0])
        np.testing.assert_array_equal(slope, [[-INF, 0], [-1, 0]])
    each, slope = _each(losses.cross_entropy, p, labels)
    np.testing.assert_array_equal(each, [INF, 0.0])
    np.testing.assert_array_equal(slope, [[-INF, 0], [-1, 0]])


def test_binary_cross_entropy_at_the_ends(xp):
    p, t = xp.asarray([0.0, 1.0, 0.0, 1.0]), xp.asarray([0.0, 1.0, 1.0, 0.0])
    each, slope = _each(losses.binary_cross_entropy, p, t)
    np.testing.assert_array_equal(each, [0, 0, INF, INF])
    np.testing.assert_array_equal(slope, [1, -1, -INF, INF])


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
    value, slope = _each(losses.focal, logits, xp.asarray([0, 0, 1]))
    with mpmath.workdps(40):
        misses = [mpmath.mpf(2) / (mpmath.exp(x) + 2) for x in (20, 10)]
        exact = [float(-(m**2) * mpmath.log(1 - m)) for m in misses]
        steep = [float(m * (2 * (1 - m) * mpmath.log(1 - m) - m)) for m in misses]
        expected = [float(k * m) for k, m in zip(steep, misses, strict=True)]
    assert_close(value[:2], exact, rtol=8 * SINGLE)
    assert_close(slope[:2, 0], expected, rtol=16 * SINGLE)
    tied = float(0.5**2 * math.log(2))
    assert_close(value[2], tied, rtol=1e-5)


# Errors


def test_log_cosh_is_accurate_at_every_size(xp):
    sizes = np.logspace(-6, 3, 400, dtype=np.float32)
    error = np.concatenate([sizes, -sizes, [np.float32(0)]])
    found, slope = _each(losses.log_cosh, xp.asarray(error), xp.asarray(0 * error))
    with mpmath.workdps(40):
        big = [mpmath.mpf(float(e)) for e in error]
        exact = np.array([float(mpmath.log(mpmath.cosh(e))) for e in big])
        slopes = np.array([float(mpmath.tanh(e)) for e in big])
    assert found.dtype == np.float32
    assert_close(found, exact, rtol=1e-6)
    assert_close(slope, slopes, rtol=1e-6)
    largest = _each(losses.log_cosh, xp.asarray([1e300, -INF]), xp.asarray([0.0, 0.0]))
    np.testing.assert_array_equal(largest, [[1e300, INF], [1.0, -1.0]])


def test_log_errors_of_close_values_are_accurate(xp):
    p = np.array([1e6 + 1, 2.0, 1e-7, 3.0], np.float32)
    t = np.array([1e6, 2.0, 0.0, 1e20], np.float32)
    value, slope = _each(losses.mean_squared_log_error, xp.asarray(p), xp.asarray(t))
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
    found = _each(LOSSES[name], xp.asarray(p), xp.asarray(np.zeros_like(p)), **options)
    np.testing.assert_array_equal(found[0], values)
    np.testing.assert_array_equal(found[1], slopes)


def test_hinges_on_and_beyond_their_margin(xp):
    p, t = xp.asarray([1.0, 2.0, -1.0, INF, -INF]), xp.asarray([1, 1, 1, 1, 1])
    value, slope = _each(losses.hinge, p, t)
    np.testing.assert_array_equal(value, [0, 0, 2, 0, INF])
    np.testing.assert_array_equal(slope, [0, 0, -1, 0, -1])
    value, slope = _each(losses.squared_hinge, p, t)
    np.testing.assert_array_equal(value, [0, 0, 4, 0, INF])
    np.testing.assert_array_equal(slope, [0, 0, -4, 0, -INF])


def test_poisson_without_a_rate_costs_nothing_for_a_count_of_zero(xp):
    x, t = xp.asarray([-INF, -INF, 0.0]), xp.asarray([0, 1, 0])
    value, slope = _each(losses.poisson_nll, x, t)
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
        value, slope = _each(loss, *arrays, variance=given)
        assert_close(
            value, (np.log(used) + (p - t) ** 2 / used) / 2, rtol=8 * EPS, atol=EPS
        )
        assert_close(slope, (p - t) / used, rtol=4 * EPS)


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e20, 1e37])
def test_root_mean_squared_error_of_any_size_in_float32(xp, size):
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
    each, slope = _each(losses.cosine_distance, xp.asarray(far), xp.asarray(t, dtype))
    expected, slopes = _each(losses.cosine_distance, p, t)
    tolerance = 32 * float(np.finfo(dtype).eps)
    assert_close(each, expected, rtol=tolerance, atol=tolerance)
    assert_close(slope.astype(float) * scale, slopes, rtol=0, atol=tolerance)


def test_small_angles_are_resolved_and_zeros_are_at_right_angles(xp):
    p = xp.asarray([[1.0, 1e-9], [0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    t = xp.asarray([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    each, slope = _each(losses.cosine_distance, p, t)
    assert_close(each[[0, 3]], [5e-19, 0.0], rtol=4 * EPS)
    np.testing.assert_array_equal(each[[1, 2, 4]], 1)
    np.testing.assert_array_equal(slope[[1, 2, 3, 4]], 0)
    assert_close(slope[0], [-1e-18, 1e-9], rtol=4 * EPS, atol=EPS)


# Sums and halves


@pytest.mark.thorough
def test_a_mean_over_ten_million_float32_losses_is_right():
    count = 10_000_000
    p = np.random.default_rng(0).uniform(0, 1, count).astype(np.float32)
    exact = math.fsum(p.tolist()) / count
    value = losses.mean_absolute_error(p, np.zeros_like(p))
    assert value.dtype == np.float32
    assert_close(value, exact, rtol=1e-6)
    squared = math.fsum((p.astype(float) ** 2).tolist()) / count
    assert_close(losses.mean_squared_error(p, np.zeros_like(p)), squared, rtol=1e-6)


@pytest.mark.parametrize("count", [70_000, 10_000_000])
def test_a_mean_over_many_half_precision_losses_neither_overflows_nor_stalls(count):
    rows = np.full(count, 2.5, np.float16)
    value, slope = losses.mean_squared_error.value_and_grad(rows, np.zeros_like(rows))
    assert value == 6.25
    assert slope.dtype == np.float16
    assert_close(slope[0], 5 / count, rtol=0.01, atol=2.0**-25)  # subnormal, or lost


def test_a_mean_over_many_half_precision_rows():
    logits = np.tile(np.array([[2.0, 1.0]], np.float16), (70_000, 1))
    value = losses.softmax_cross_entropy(logits, np.zeros(70_000, np.uint8))
    assert_close(value, math.log1p(math.exp(-1)), rtol=4 * SINGLE)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("width", [100, 1000, 100_000])
def test_long_rows_are_added_up_accurately(rng, width, order):
    p = np.asarray(rng.uniform(0, 1, (4, width)).astype(np.float32), order=order)
    value = losses.half_squared_error(p, 0 * p, reduction="none")
    exact = np.array([math.fsum((row.astype(float) ** 2).tolist()) / 2 for row in p])
    assert_close(value, exact, rtol=4 * SINGLE)
    flat = losses.softmax_cross_entropy(0 * p, np.zeros(4, int), reduction="none")
    assert_close(flat, np.full(4, math.log(width)), rtol=4 * SINGLE)
    even = np.asarray(np.full((4, width), 1 / width, np.float32), order=order)
    assert_close(losses.cross_entropy(even, even), math.log(width), rtol=8 * SINGLE)
    soft = losses.softmax_cross_entropy(0 * p, even, reduction="none")
    assert_close(soft, np.full(4, math.log(width)), rtol=8 * SINGLE)


BFLOATS = ["ml_dtypes", "torch", "jax"]


def _bfloat(library, values):
    if library == "torch":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        return torch.asarray(values).to(torch.bfloat16)
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    if library == "jax":
        jax = pytest.importorskip("jax", reason="jax is not installed")
        return jax.numpy.asarray(values, dtype=jax.numpy.bfloat16)
    return np.asarray(values).astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("library", BFLOATS)
@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_is_computed_in_float32(rng, library, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    options = dict.fromkeys(needed(loss), 0.5)
    half = _bfloat(library, p)
    target = _same(library, t)
    value, gradient = loss.value_and_grad(half, target, check=False, **options)
    assert gradient.dtype == half.dtype
    assert "float32" in str(value.dtype)
    single = to_numpy(_widened(half))
    expected, slopes = loss.value_and_grad(single, t, check=False, **options)
    assert_close(value, expected, rtol=16 * SINGLE)
    rounding = 2.0**-8  # bfloat16 has 8 bits
    assert_close(_widened(gradient), slopes, rtol=rounding, atol=1e-6)


def _same(library, values):
    if library == "ml_dtypes":
        return values
    module = pytest.importorskip("torch" if library == "torch" else "jax.numpy")
    return module.asarray(values)


def _widened(x):
    return to_numpy(x.float() if hasattr(x, "float") else x.astype(np.float32))


@pytest.mark.parametrize("library", BFLOATS)
@pytest.mark.parametrize("count", [70_000, 10_000_000])
def test_a_mean_over_many_bfloats_is_right(library, count):
    rows = _bfloat(library, np.full(count, 2.25, np.float32))
    value = losses.mean_absolute_error(rows, 0 * rows)
    assert_close(_widened(value), 2.25, rtol=SINGLE)


# Weights


def test_boolean_weights_are_a_mask(xp):
    p, t = xp.asarray([1.0, 5.0]), xp.asarray([0.0, 0.0])
    value = losses.mean_squared_error(p, t, weight=xp.asarray([True, False]))
    assert to_numpy(value) == 1


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [">f4", ">f8", "longdouble"])
def test_other_floats_of_numpy_keep_their_dtype(rng, name, dtype):
    p, t = sample(LOSSES[name], rng)
    options = dict.fromkeys(needed(LOSSES[name]), 0.5)
    found = LOSSES[name].value_and_grad(p.astype(dtype), t, **options)
    expected = LOSSES[name].value_and_grad(p, t, **options)
    for actual, right in zip(found, expected, strict=True):
        assert actual.dtype == np.dtype(dtype)
        assert_close(actual.astype(float), right, rtol=1e-5, atol=1e-5)


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


def test_integer_predictions_are_promoted(xp):
    value = losses.mean_squared_error(xp.asarray([1, 2]), xp.asarray([0, 4]))
    assert to_numpy(value) == 2.5
    assert value.dtype == (xp.float32 if xp.name == "torch" else xp.float64)
