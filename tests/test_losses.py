"""Losses: values against formulas, slopes against differences, and every edge."""

import inspect
import math
import pickle

import mpmath
import numpy as np
import pytest
from helpers import LOSSES, assert_close, central, sample

from xgrad import losses, special, to_numpy
from xgrad._loss import ClassLoss, Loss

EPS = 2.0**-52
ROWS = {name for name, loss in LOSSES.items() if loss.rows}
CLASSES = {name for name, loss in LOSSES.items() if isinstance(loss, ClassLoss)}
SUMMABLE = {name for name, loss in LOSSES.items() if "sum" in loss.reductions}


# Formulas written once more, for one element or one row, in 50 digits.
def _log(p):
    return mpmath.log(p) if p else mpmath.mpf("-inf")


def _term(t, value):
    return t * value if t else mpmath.mpf(0)


def _row_cross_entropy(p, t):
    return -sum(_term(tk, _log(pk)) for pk, tk in zip(p, t, strict=True))


def _row_softmax_cross_entropy(x, t):
    normaliser = mpmath.log(sum(mpmath.exp(v) for v in x))
    return sum(_term(tk, normaliser - v) for v, tk in zip(x, t, strict=True))


FORMULAS = {
    "half_squared_error": lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t)) / 2,  # noqa: B905
    "mean_squared_error": lambda p, t: (p - t) ** 2,
    "mean_absolute_error": lambda p, t: abs(p - t),
    "root_mean_squared_error": lambda p, t: (p - t) ** 2,
    "cross_entropy": _row_cross_entropy,
    "softmax_cross_entropy": _row_softmax_cross_entropy,
    "binary_cross_entropy": lambda p, t: (
        -(_term(t, _log(p)) + _term(1 - t, _log(1 - p)))
    ),
    "sigmoid_binary_cross_entropy": lambda x, t: (
        t * mpmath.log(1 + mpmath.exp(-x)) + (1 - t) * mpmath.log(1 + mpmath.exp(x))
    ),
}


def _exact(name, prediction, target):
    """The unreduced loss in 50 digits, rounded once."""
    with mpmath.workdps(50):
        big = np.vectorize(mpmath.mpf, otypes=[object])
        p, t = big(prediction), big(target)
        pairs = zip(p, t, strict=True) if name in ROWS else zip(p.flat, t.flat)  # noqa: B905
        values = [float(FORMULAS[name](a, b)) for a, b in pairs]
    return np.array(values).reshape(p.shape[:-1] if name in ROWS else p.shape)


def _dense(name, target, prediction):
    if name in CLASSES and target.ndim < prediction.ndim:
        return np.eye(prediction.shape[-1])[target]
    return target


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


def test_every_loss_has_a_formula_to_be_compared_with():
    assert FORMULAS.keys() == LOSSES.keys()


def test_values_agree_with_the_formula(xp, rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    exact = _exact(name, p, _dense(name, t, p))
    mean = math.sqrt(exact.mean()) if "root" in name else exact.mean()
    assert_close(loss(xp.asarray(p), xp.asarray(t)), mean, rtol=8 * EPS)
    if name in SUMMABLE:
        each = loss(xp.asarray(p), xp.asarray(t), reduction="none")
        assert_close(each, exact, rtol=32 * EPS, atol=4 * EPS)
        total = loss(xp.asarray(p), xp.asarray(t), reduction="sum")
        assert_close(total, exact.sum(), rtol=8 * EPS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_agree_with_differences(xp, rng, name, reduction, weighted):
    loss = LOSSES[name]
    if reduction not in loss.reductions:
        assert name == "root_mean_squared_error"
        return
    p, t = sample(loss, rng)
    options = {"reduction": reduction}
    plain = dict(options, check=False)
    if weighted:
        weight = rng.uniform(0.5, 2, p.shape[:-1] if loss.rows else p.shape)
        options["weight"] = xp.asarray(weight)
        plain["weight"] = weight
    slopes = central(lambda q: float(loss(q, t, **plain)), p)
    gradient = loss.grad(xp.asarray(p), xp.asarray(t), **options)
    assert tuple(gradient.shape) == p.shape
    # Rounding of the central difference: eps / h times the loss, and h**2.
    assert_close(gradient, slopes, rtol=1e-7, atol=1e-9)


def test_value_and_grad_are_the_value_and_the_grad(xp, rng, name):
    loss = LOSSES[name]
    arrays = [xp.asarray(a) for a in sample(loss, rng)]
    value, gradient = loss.value_and_grad(*arrays)
    assert_close(value, to_numpy(loss(*arrays)), rtol=2 * EPS)
    assert_close(gradient, to_numpy(loss.grad(*arrays)), rtol=2 * EPS)


def test_slopes_without_reduction_are_those_of_the_sum(xp, rng, name):
    loss = LOSSES[name]
    if name not in SUMMABLE:
        assert loss.reductions == ("mean",)
        return
    arrays = [xp.asarray(a) for a in sample(loss, rng)]
    each = loss.grad(*arrays, reduction="none")
    assert_close(loss.grad(*arrays, reduction="sum"), to_numpy(each), rtol=0)


def test_weights_count_rows(xp, rng, name):
    """A weight of 2 is a row given twice, a weight of 0 a row left out."""
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    weight = np.array([2.0, 1.0, 0.0, 1.0, 1.0])
    repeated = [0, 0, 1, 3, 4]
    if not loss.rows:
        weight = np.repeat(weight[:, None], p.shape[1], axis=1)
    weighted = loss(xp.asarray(p), xp.asarray(t), weight=xp.asarray(weight))
    twice = loss(xp.asarray(p[repeated]), xp.asarray(t[repeated]))
    assert_close(weighted, to_numpy(twice), rtol=8 * EPS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_keep_namespace_dtype_and_device(xp, rng, name, dtype):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    target = xp.asarray(t) if name in CLASSES else xp.asarray(t, dtype)
    prediction = xp.asarray(p.astype(dtype))
    value, gradient = loss.value_and_grad(prediction, target)
    for result in (value, gradient):
        assert result.dtype == getattr(xp, dtype)
        assert type(gradient) is type(prediction)
    assert gradient.device == prediction.device
    reference = loss(p, t)
    assert_close(value, reference, rtol=1e-5 if dtype == "float32" else 8 * EPS)


def test_half_precision_gives_a_float32_loss_and_a_half_gradient(rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    half = p.astype(np.float16)
    value, gradient = loss.value_and_grad(half, t)
    assert value.dtype == np.float32
    assert gradient.dtype == np.float16
    assert_close(value, loss(half.astype(np.float32), t), rtol=1e-6)


def test_a_mean_over_many_half_precision_rows_does_not_overflow():
    rows = np.full(70_000, 2.5, np.float16)
    assert losses.mean_squared_error(rows, np.zeros_like(rows)) == 6.25


def test_a_mean_over_ten_million_float32_losses_is_right():
    p = np.full(10_000_000, 0.1, np.float32)
    value = losses.mean_absolute_error(p, np.zeros_like(p))
    assert_close(value, np.float32(0.1), rtol=1e-7)


def test_layouts_do_not_matter(rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    value, gradient = loss.value_and_grad(p, t)
    spaced = np.zeros((p.shape[0], 2 * p.shape[1]))
    spaced[:, ::2] = p
    for layout in (np.asfortranarray(p), p[::-1].copy()[::-1], spaced[:, ::2]):
        other, other_gradient = loss.value_and_grad(layout, t)
        assert_close(other, value, rtol=4 * EPS)
        assert_close(other_gradient, gradient, rtol=4 * EPS)


def test_arguments_are_left_as_they_are(rng, name):
    p, t = sample(LOSSES[name], rng)
    before = p.copy(), t.copy()
    LOSSES[name].value_and_grad(p, t)
    np.testing.assert_array_equal(p, before[0])
    np.testing.assert_array_equal(t, before[1])


def test_integer_predictions_are_promoted(xp):
    value = losses.mean_squared_error(xp.asarray([1, 2]), xp.asarray([0, 4]))
    assert to_numpy(value) == 2.5


# Labels


@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_labels_of_any_width_agree_with_one_hot(xp, rng, name, dtype):
    loss = LOSSES[name]
    p, t = sample(loss, rng, (7, 4))
    hot = np.eye(4)[t]
    for method in (loss, loss.grad):
        labels = method(xp.asarray(p), xp.asarray(t.astype(dtype)))
        dense = method(xp.asarray(p), xp.asarray(hot))
        integers = method(xp.asarray(p), xp.asarray(hot.astype(int)))
        assert_close(labels, to_numpy(dense), rtol=8 * EPS, atol=EPS)
        assert_close(integers, to_numpy(dense), rtol=0)


def test_narrow_labels_do_not_overflow_with_many_classes(xp, rng):
    logits = rng.normal(size=(3, 1000))
    labels = np.array([255, 254, 0], np.uint8)
    value = losses.softmax_cross_entropy(xp.asarray(logits), xp.asarray(labels))
    expected = -np.log(special.softmax(logits))[np.arange(3), labels].mean()
    assert_close(value, expected, rtol=8 * EPS)


@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize("bad", [-1, 4, -(2**31), 2**31 - 1])
def test_bad_labels_are_named_or_poison_their_row(xp, rng, name, bad):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    t[2] = bad
    prediction, target = xp.asarray(p), xp.asarray(t)
    for method in (loss, loss.grad, loss.value_and_grad):
        with pytest.raises(ValueError, match=rf"target\[2\] is {bad}"):
            method(prediction, target)
    each, slope = loss.value_and_grad(prediction, target, reduction="none", check=False)
    is_bad = np.arange(5) == 2
    np.testing.assert_array_equal(np.isnan(to_numpy(each)), is_bad)
    np.testing.assert_array_equal(np.isnan(to_numpy(slope)).all(axis=-1), is_bad)
    assert np.isnan(to_numpy(loss(prediction, target, check=False)))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_row_alone_gives_a_number(xp, rng, name):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    alone = loss(xp.asarray(p[0]), xp.asarray(t[0]))
    assert tuple(alone.shape) == ()
    first = loss(xp.asarray(p), xp.asarray(t), reduction="none")[0]
    assert_close(alone, to_numpy(first), rtol=4 * EPS)


def test_more_axes_are_more_rows(xp, rng):
    logits, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, (2, 3))
    loss = losses.softmax_cross_entropy
    each = loss(xp.asarray(logits), xp.asarray(labels), reduction="none")
    flat = loss(logits.reshape(6, 4), labels.reshape(6), reduction="none")
    assert_close(each, flat.reshape(2, 3), rtol=4 * EPS)


def test_soft_targets_need_not_sum_to_one(xp, rng):
    logits, weights = rng.normal(size=(3, 4)), rng.uniform(0, 2, (3, 4))
    value = losses.softmax_cross_entropy(
        xp.asarray(logits), xp.asarray(weights), reduction="none"
    )
    expected = _exact("softmax_cross_entropy", logits, weights)
    assert_close(value, expected, rtol=16 * EPS)


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_soft_targets_must_be_finite_and_not_negative(xp, bad):
    target = xp.asarray([[0.5, 0.5], [bad, 1.0]])
    with pytest.raises(ValueError, match=r"not negative, but target\[1, 0\] is"):
        losses.softmax_cross_entropy(xp.asarray([[1.0, 2.0], [3.0, 4.0]]), target)


# Textbook values: Saito, Deep Learning from Scratch, chapter 4.
TEXTBOOK = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]
MISSED = [0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]


@pytest.mark.parametrize(
    ("row", "half", "entropy"),
    [(TEXTBOOK, 0.0975, 0.510825457099338), (MISSED, 0.5975, 2.302584092994546)],
)
def test_values_of_the_textbook(xp, row, half, entropy):
    p, t = xp.asarray(row), xp.asarray(2)
    hot = special.one_hot(t, 10)
    assert_close(losses.half_squared_error(p, hot), half, rtol=4 * EPS)
    assert_close(losses.cross_entropy(p, t, delta=1e-7), entropy, rtol=4 * EPS)
    assert_close(losses.cross_entropy(p, hot, delta=1e-7), entropy, rtol=4 * EPS)


# Hard numbers


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, -1e8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_common_offset_of_logits_changes_nothing(xp, dtype, offset):
    steps = np.array([[0.0, -8.0, 16.0], [8.0, 0.0, 8.0]])  # exact at 1e8 in float32
    labels = xp.asarray([1, 2])
    loss = losses.softmax_cross_entropy
    shifted = loss(xp.asarray((steps + offset).astype(dtype)), labels)
    plain = loss(xp.asarray(steps.astype(dtype)), labels)
    assert to_numpy(shifted) == to_numpy(plain)
    assert to_numpy(plain) > 0


def test_masked_logits_are_right_with_labels_and_one_hot(xp):
    logits = xp.asarray([[-math.inf, 1.0, 2.0]])
    expected = math.log1p(math.exp(-1.0))
    for target in (xp.asarray([2]), xp.asarray([[0.0, 0.0, 1.0]])):
        value, gradient = losses.softmax_cross_entropy.value_and_grad(logits, target)
        assert_close(value, expected, rtol=4 * EPS)
        p = 1 / (1 + math.e)
        assert_close(gradient, [[0.0, p, -p]], rtol=8 * EPS)


def test_probability_zero_costs_infinity_and_nothing_where_the_target_is_zero(xp):
    p = xp.asarray([[0.0, 1.0], [1.0, 0.0]])
    each = losses.cross_entropy(p, xp.asarray([0, 0]), reduction="none")
    np.testing.assert_array_equal(to_numpy(each), [math.inf, 0.0])
    slope = losses.cross_entropy.grad(p, xp.asarray([0, 0]), reduction="none")
    np.testing.assert_array_equal(to_numpy(slope), [[-math.inf, 0], [-1, 0]])


def test_binary_cross_entropy_at_the_ends(xp):
    p, t = xp.asarray([0.0, 1.0, 0.0, 1.0]), xp.asarray([0.0, 1.0, 1.0, 0.0])
    each, slope = losses.binary_cross_entropy.value_and_grad(p, t, reduction="none")
    np.testing.assert_array_equal(to_numpy(each), [0, 0, math.inf, math.inf])
    np.testing.assert_array_equal(to_numpy(slope), [1, -1, -math.inf, math.inf])


def test_sigmoid_binary_cross_entropy_is_exact_for_any_logit(xp):
    x = xp.asarray([math.inf, -math.inf, 1e4, -1e4, 100.0, 40.0])
    t = xp.asarray([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    loss = losses.sigmoid_binary_cross_entropy
    each, slope = loss.value_and_grad(x, t, reduction="none")
    assert_close(each, [0, 0, 1e4, 1e4, 100, math.exp(-40)], rtol=4 * EPS)
    assert_close(slope, [0, 0, 1, -1, 1, -math.exp(-40)], rtol=4 * EPS)


def test_positive_weight_scales_the_positive_term(xp, rng):
    x, t = rng.normal(size=6), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.25])
    loss = losses.sigmoid_binary_cross_entropy
    weighted = loss(xp.asarray(x), xp.asarray(t), positive_weight=3, reduction="none")
    positive = t * np.log1p(np.exp(-x))
    negative = (1 - t) * np.log1p(np.exp(x))
    assert_close(weighted, 3 * positive + negative, rtol=8 * EPS)
    slopes = central(lambda q: float(loss(q, t, positive_weight=3)), x)
    gradient = loss.grad(xp.asarray(x), xp.asarray(t), positive_weight=3)
    assert_close(gradient, slopes, rtol=1e-8)


def test_the_textbook_delta_has_its_own_slope(xp, rng):
    p = rng.dirichlet(np.ones(4), 3)
    t = np.array([0, 1, 3])
    loss = losses.cross_entropy
    slopes = central(lambda q: float(loss(q, t, delta=0.1, check=False)), p)
    assert_close(loss.grad(xp.asarray(p), xp.asarray(t), delta=0.1), slopes, rtol=1e-8)


def test_root_mean_squared_error_is_flat_where_it_is_zero(xp):
    p = xp.asarray([1.0, 2.0])
    value, gradient = losses.root_mean_squared_error.value_and_grad(p, p)
    assert to_numpy(value) == 0
    np.testing.assert_array_equal(to_numpy(gradient), [0, 0])


def test_nan_reaches_the_loss(xp, name, rng):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    p[1, 1] = math.nan
    assert np.isnan(to_numpy(loss(xp.asarray(p), xp.asarray(t))))


# Empty and weightless


def test_an_empty_mean_is_refused_and_an_empty_sum_is_zero(xp, name):
    loss = LOSSES[name]
    p = xp.asarray(np.zeros((0, 3)))
    t = xp.asarray(np.zeros(0, int)) if name in CLASSES else p
    with pytest.raises(ValueError, match="mean over no losses is undefined"):
        loss(p, t)
    if name in SUMMABLE:
        assert to_numpy(loss(p, t, reduction="sum")) == 0
        assert tuple(loss.grad(p, t, reduction="sum").shape) == (0, 3)


def test_weights_that_sum_to_zero_are_refused_or_give_nan(xp):
    p = xp.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match="`weight` must not sum to 0"):
        losses.mean_squared_error(p, p, weight=xp.asarray([0.0, 0.0]))
    unchecked = losses.mean_squared_error(
        p, p, weight=xp.asarray([0.0, 0.0]), check=False
    )
    assert np.isnan(to_numpy(unchecked))


def test_boolean_weights_are_a_mask(xp):
    p, t = xp.asarray([1.0, 5.0]), xp.asarray([0.0, 0.0])
    value = losses.mean_squared_error(p, t, weight=xp.asarray([True, False]))
    assert to_numpy(value) == 1


# Bad arguments

A = np.array([[0.2, 0.8], [0.5, 0.5]])
BAD = [
    (
        lambda: losses.mean_squared_error(A[:, :1], A[:, 0]),
        r"\(2, 1\).*\(2,\).*reshape",
    ),
    (lambda: losses.mean_squared_error(A[:, 0], A[:, :1]), r"target.reshape\(\(2,\)\)"),
    (lambda: losses.half_squared_error(A, A[0]), r"pass two arrays of one shape"),
    (
        lambda: losses.softmax_cross_entropy(A, np.array([[0], [1]])),
        r"must be \(2,\) \(integer labels\) or \(2, 2\).*target.reshape\(\(2,\)\)",
    ),
    (lambda: losses.softmax_cross_entropy(np.array(1.0), np.array(0)), "last axis"),
    (lambda: losses.softmax_cross_entropy(np.array([0, 1]), A), "look swapped"),
    (lambda: losses.mean_squared_error(np.array([0, 1]), A), "look swapped"),
    (lambda: losses.mean_squared_error(A, A, reduction="avg"), "`reduction` must be"),
    (
        lambda: losses.root_mean_squared_error(A, A, reduction="sum"),
        "'mean'; got 'sum'",
    ),
    (
        lambda: losses.mean_squared_error(A, A, weight=A[0]),
        r"`weight` has shape \(2,\)",
    ),
    (lambda: losses.cross_entropy(A + 0.5, np.array([0, 1])), r"\[0, 1\] is 1.3"),
    (
        lambda: losses.cross_entropy(A / 2, np.array([0, 1])),
        "sum to 1.*is 0.5.*softmax",
    ),
    (lambda: losses.binary_cross_entropy(-A, A), r"prediction\[0, 0\] is -0.2"),
    (lambda: losses.binary_cross_entropy(A, 3 * A), r"target\[0, 1\] is 2.4"),
    (
        lambda: losses.cross_entropy(A, np.array([0, 1]), delta=-1),
        "`delta` must not be",
    ),
    (
        lambda: losses.sigmoid_binary_cross_entropy(A, A, positive_weight=math.nan),
        "`positive_weight` must not be",
    ),
]
WRONG_KIND = [
    (lambda: losses.mean_squared_error([1.0], A), "`prediction` must be an array"),
    (lambda: losses.mean_squared_error(A, 1.0), "`target` must be an array"),
    (lambda: losses.mean_squared_error(A * 1j, A), "`prediction` must hold real"),
    (lambda: losses.mean_squared_error(A, A * 1j), "`target` must hold real"),
    (lambda: losses.mean_squared_error(A > 0, A), "`prediction` must hold real"),
    (lambda: losses.mean_squared_error(np.ma.array(A), A), "MaskedArray"),
    (lambda: losses.mean_squared_error(A, np.asmatrix(A)), "matrix"),
    (lambda: losses.softmax_cross_entropy(A, A[0]), "integer class labels"),
    (lambda: losses.softmax_cross_entropy(A, A[0] > 0), "integer class labels"),
    (lambda: losses.mean_squared_error(A, A, weight=A * 1j), "`weight` must hold real"),
    (lambda: losses.mean_squared_error(A, A, delta=1), "unexpected keyword.*'delta'"),
    (lambda: losses.mean_squared_error(A, A, "mean"), "positional argument"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_libraries_and_devices_are_not_mixed():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict missing")
    here = strict.asarray([1.0])
    there = strict.asarray([1.0], device=strict.Device("device1"))
    with pytest.raises(TypeError, match="different libraries: `prediction` a numpy"):
        losses.mean_squared_error(np.ones(1), here)
    with pytest.raises(ValueError, match="different devices: `prediction` on"):
        losses.mean_squared_error(here, there)


# The wrapper itself


def test_a_slope_with_other_options_is_refused():
    @Loss
    def scaled(xp, prediction, target, /, *, scale=1.0):
        """A loss."""
        return scale * prediction

    with pytest.raises(TypeError, match="`scaled` must take the same parameters"):

        @scaled.slope
        def _(xp, prediction, target, /, *, scale=2.0):
            return scale

    with pytest.raises(TypeError, match="`scaled` has no gradient"):
        scaled.grad(np.ones(2), np.ones(2))


def test_losses_travel_to_other_processes(name):
    assert pickle.loads(pickle.dumps(LOSSES[name])) is LOSSES[name]


def test_signatures_show_the_options(name):
    parameters = list(inspect.signature(LOSSES[name]).parameters)
    assert parameters[:5] == ["prediction", "target", "reduction", "weight", "check"]
    assert LOSSES[name].__doc__
