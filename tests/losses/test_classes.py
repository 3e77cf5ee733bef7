"""Losses of classes: labels, one-hot and soft targets, weights, smoothing, ignoring."""

import functools
import itertools
import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.formulas import exact
from cases.libraries import WITH_LAZY
from cases.losses import LOSSES, adjusting, needed, on, sample

from xgrad import losses, special, to_numpy
from xgrad.losses._class_loss import ClassLoss

EPS = 2.0**-52
CLASSES = [name for name, loss in LOSSES.items() if isinstance(loss, ClassLoss)]
ADJUSTABLE = [name for name in CLASSES if LOSSES[name].adjustable]
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


@pytest.fixture(params=CLASSES)
def loss(request):
    return LOSSES[request.param]


def _methods(loss):
    yield lambda *args, **options: to_numpy(loss(*args, **options))
    yield lambda *args, **options: to_numpy(loss.grad(*args, **options))
    yield lambda *args, **options: to_numpy(loss.value_and_grad(*args, **options))


# Labels


@pytest.mark.sampled(5)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_of_any_width_agree_with_one_hot(xp, rng, loss, dtype):
    p, t = sample(loss, rng, (7, 4))
    prediction, labels = xp.asarray(p), xp.asarray(t.astype(dtype))
    for hot in (np.eye(4)[t], np.eye(4, dtype=dtype)[t], np.eye(4, dtype=bool)[t]):
        found = loss.value_and_grad(prediction, labels)
        dense = loss.value_and_grad(prediction, xp.asarray(hot))
        for left, right in zip(found, dense, strict=True):
            assert_close(left, to_numpy(right), rtol=8 * EPS, atol=EPS)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("classes", [10, 256, 300])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_do_not_wrap_with_many_classes(xp, rng, loss, dtype, classes):
    """Few classes are read by a mask, many by an index; 300 do not fit into uint8."""
    p, _ = sample(loss, rng, (6, classes))
    largest = min(classes - 1, np.iinfo(dtype).max)
    t = np.array([0, 1, largest, largest - 1, largest // 2, 7], dtype)
    value, slope = loss.value_and_grad(xp.asarray(p), xp.asarray(t), reduction="none")
    hot = np.eye(classes)[t.astype(int)]
    expected, slopes = loss.value_and_grad(p, hot, reduction="none")
    assert_close(value, expected, rtol=16 * EPS)
    assert_close(slope, slopes, rtol=16 * EPS, atol=EPS)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("bad", [-1, 4, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("classes", [4, 300])
def test_bad_labels_are_named_or_poison_their_row(xp, rng, loss, bad, classes):
    bad = classes if bad == 4 else bad
    p, t = sample(loss, rng, (5, classes))
    t[2] = bad
    prediction, target = xp.asarray(p), xp.asarray(t)
    for method in _methods(loss):
        with pytest.raises(ValueError, match=rf"target\[2\] is {bad}"):
            method(prediction, target)
    each, slope = loss.value_and_grad(prediction, target, reduction="none", check=False)
    is_bad = np.arange(5) == 2
    np.testing.assert_array_equal(np.isnan(to_numpy(each)), is_bad)
    np.testing.assert_array_equal(np.isnan(to_numpy(slope)).all(axis=-1), is_bad)
    np.testing.assert_array_equal(np.isnan(to_numpy(slope)).any(axis=-1), is_bad)
    assert np.isnan(to_numpy(loss(prediction, target, check=False)))


@pytest.mark.sampled(5)
@pytest.mark.parametrize("classes", [4, 256, 300])
def test_unsigned_labels_are_not_taken_for_negative_ones(xp, rng, loss, classes):
    p, t = sample(loss, rng, (5, classes))
    for dtype in ("uint16", "uint32", "uint64"):
        labels = t.astype(dtype)
        labels[3] = bad = np.iinfo(dtype).max
        target = xp.asarray(labels)
        with pytest.raises(ValueError, match=rf"target\[3\] is {bad}"):
            to_numpy(loss(xp.asarray(p), target))
        each = loss(xp.asarray(p), target, reduction="none", check=False)
        np.testing.assert_array_equal(np.isnan(to_numpy(each)), np.arange(5) == 3)


def test_the_first_bad_label_of_many_axes_is_named(rng, loss):
    p, _ = sample(loss, rng, (6, 4))
    t = np.array([[0, 1, 2], [3, 9, 8]])
    with pytest.raises(ValueError, match=r"\[0, 4\), but target\[1, 1\] is 9"):
        loss(p.reshape(2, 3, 4), t)


def test_a_bad_label_is_an_error_whatever_it_weighs(xp, rng, loss):
    p, t = sample(loss, rng)
    t[1] = 4
    prediction, target = xp.asarray(p), xp.asarray(t)
    weight = xp.asarray([1.0, 0.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"target\[1\] is 4"):
        to_numpy(loss(prediction, target, weight=weight))
    unchecked = loss(prediction, target, weight=weight, reduction="none", check=False)
    np.testing.assert_array_equal(np.isnan(to_numpy(unchecked)), np.arange(5) == 1)


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_soft_targets_must_be_finite_and_not_negative(xp, bad, rng, loss):
    p, t = sample(loss, rng)
    soft = np.eye(4)[t]
    soft[2, 1] = bad
    with pytest.raises(ValueError, match=r"not negative, but target\[2, 1\] is"):
        to_numpy(loss(xp.asarray(p), xp.asarray(soft)))


def test_soft_targets_need_not_sum_to_one(xp, rng, loss):
    p, _ = sample(loss, rng)
    soft = rng.uniform(0, 2, p.shape)
    found = loss.value_and_grad(xp.asarray(p), xp.asarray(soft), reduction="none")
    for actual, right in zip(found, exact(loss.__name__, p, soft), strict=True):
        assert_close(actual, right, rtol=16 * EPS, atol=8 * EPS)


# Class weights, smoothing, ignoring

SETTINGS = {
    "reduction": ["mean", "sum", "none"],
    "weight": [None, np.array([1.0, 0.5, 2.0, 0.0, 1.0, 3.0])],
    "class_weight": [None, np.array([0.5, 2.0, 0.0, 1.0])],
    "label_smoothing": [0.0, 0.3, 1.0],
    "ignore_index": [None, 1, -100],
}
COMBINATIONS = [
    dict(zip(SETTINGS, values, strict=True))
    for values in itertools.product(*SETTINGS.values())
]
LABELS = np.array([0, 1, 3, 1, 2, 0])
LOGITS = np.random.default_rng(3).normal(size=(6, 4))
TARGETS = {
    "labels": LABELS,
    "one-hot": np.eye(4)[LABELS],
    "soft": np.random.default_rng(4).uniform(0.1, 1, (6, 4)),
}


@functools.cache
def _rows(name, kind, weighted, label_smoothing, ignore_index):
    """Losses and slopes of the rows, in 50 digits each."""
    classes = SETTINGS["class_weight"][weighted]
    return exact(
        name,
        LOGITS,
        TARGETS[kind],
        **adjusting(
            LOSSES[name],
            {
                "class_weight": classes,
                "label_smoothing": label_smoothing,
                "ignore_index": ignore_index,
            },
        ),
    )


def _expected(name, kind, options):
    """The reduced loss and its gradient, straight from the definitions."""
    classes, weight = options["class_weight"], options["weight"]
    smoothing, ignored = options["label_smoothing"], options["ignore_index"]
    losses, slopes = _rows(name, kind, classes is not None, smoothing, ignored)
    target = TARGETS["one-hot" if kind == "labels" else kind]
    weights = np.ones(len(LABELS)) if weight is None else weight
    weights = np.where((kind != "soft") & (ignored == LABELS), 0, weights)
    losses, slopes = losses * weights, slopes * weights[:, None]
    if options["reduction"] == "none":
        return losses, slopes
    share = 1.0 if classes is None else target @ classes
    count = np.sum(weights * share) if options["reduction"] == "mean" else 1.0
    return losses.sum() / count, slopes / count


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", ADJUSTABLE)
@pytest.mark.parametrize("kind", TARGETS)
def test_every_combination_of_options(xp, name, kind):
    arrays = xp.asarray(LOGITS), xp.asarray(TARGETS[kind])
    every = COMBINATIONS[::7] if xp.name == "dask" else COMBINATIONS
    loss = LOSSES[name]
    if "label_smoothing" not in loss.adjustable:
        every = [options for options in every if not options["label_smoothing"]]
    for i, options in enumerate(every):
        expected = _expected(name, kind, options)
        taken = {n: options[n] for n in ("reduction", "weight")}
        taken |= adjusting(loss, options)
        found = loss.value_and_grad(*arrays, check=i % 2 == 0, **on(xp, taken))
        for actual, right in zip(found, expected, strict=True):
            assert_close(actual, right, rtol=32 * EPS, atol=8 * EPS)
    assert len(every) > 4


@pytest.mark.parametrize("name", ADJUSTABLE)
def test_ignored_labels_may_be_any_number(xp, rng, name):
    p = rng.normal(size=(4, 3))
    p[1] = math.nan  # of a row that is ignored
    for number, dtype in [(-100, int), (255, np.uint8), (-1, np.int8), (2, np.int32)]:
        t = np.array([0, number, 1, 0]).astype(dtype)
        kept = [0, 2, 3]
        value, slope = LOSSES[name].value_and_grad(
            xp.asarray(p), xp.asarray(t), ignore_index=number
        )
        expected, slopes = LOSSES[name].value_and_grad(p[kept], t[kept])
        assert_close(value, expected, rtol=8 * EPS)
        assert_close(to_numpy(slope)[kept], slopes, rtol=8 * EPS, atol=EPS)
        np.testing.assert_array_equal(to_numpy(slope)[1], 0)


@pytest.mark.parametrize("name", ADJUSTABLE)
@pytest.mark.parametrize(("dtype", "number"), [("uint32", 2**31), ("uint64", 2**63)])
def test_large_unsigned_labels_are_ignored_by_their_number(
    xp, rng, name, dtype, number
):
    if xp.name == "torch" and number > 2**62:
        pytest.skip("torch fills no array with such a number")
    p, t = rng.normal(size=(2, 3)), np.array([number, 1], dtype)
    found = LOSSES[name](xp.asarray(p), xp.asarray(t), ignore_index=number)
    assert_close(found, LOSSES[name](p[1:], np.array([1])), rtol=4 * EPS)


@pytest.mark.parametrize("name", ADJUSTABLE)
def test_only_the_ignored_label_is_excused(xp, rng, name):
    p, t = xp.asarray(rng.normal(size=(3, 3))), xp.asarray([-100, -1, 0])
    loss = LOSSES[name]
    with pytest.raises(ValueError, match=r"\[0, 3\), but target\[1\] is -1"):
        to_numpy(loss(p, t, ignore_index=-100))
    each = loss(p, t, ignore_index=-100, reduction="none", check=False)
    np.testing.assert_array_equal(np.isnan(to_numpy(each)), [False, True, False])
    assert to_numpy(each)[0] == 0


@pytest.mark.parametrize("name", ADJUSTABLE)
def test_a_number_that_labels_cannot_hold_ignores_nothing(xp, rng, name):
    p, t = rng.normal(size=(3, 3)), np.array([0, 1, 2], np.uint8)
    for number in (-100, 256, 2**31, 2**70, -(2**64) + 1):
        found = LOSSES[name](xp.asarray(p), xp.asarray(t), ignore_index=number)
        assert_close(found, LOSSES[name](p, t), rtol=4 * EPS)
    wide = np.array([0, 2**64 - 100, 2], np.uint64)
    with pytest.raises(ValueError, match=rf"target\[1\] is {2**64 - 100}"):
        to_numpy(LOSSES[name](xp.asarray(p), xp.asarray(wide), ignore_index=-100))


@pytest.mark.parametrize("name", ADJUSTABLE)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore_index": 1}, "`target` must have a row that is not ignored"),
        ({"class_weight": np.array([1.0, 0, 1])}, "`class_weight` must not be 0 for"),
        (
            {"class_weight": np.array([1.0, 0, 1]), "label_smoothing": 0.1},
            "`class_weight` must not be 0 for all targets",
        ),
        ({"weight": np.array([0.0, 0.0])}, "`weight` must not sum to 0"),
    ],
    ids=["ignored", "class without weight", "and smoothed", "rows without weight"],
)
def test_a_mean_over_nothing_is_refused_or_nan(xp, rng, name, options, message):
    loss = LOSSES[name]
    p, t = xp.asarray(rng.normal(size=(2, 3))), xp.asarray([1, 1])
    options = on(
        xp, {n: options[n] for n in options if n in (*loss.adjustable, "weight")}
    )
    with pytest.raises(ValueError, match=f'{message}.*reduction="sum"'):
        to_numpy(loss(p, t, **options))
    value, slope = loss.value_and_grad(p, t, check=False, **options)
    assert np.isnan(to_numpy(value))
    assert np.isnan(to_numpy(slope)).all() or "label_smoothing" in options
    if "label_smoothing" not in options:
        assert to_numpy(loss(p, t, reduction="sum", **options)) == 0


@pytest.mark.parametrize(
    "name", [n for n in ADJUSTABLE if "label_smoothing" in LOSSES[n].adjustable]
)
def test_masked_logits_keep_the_options_right(xp, name):
    """A class of weight 0 may be masked by -inf, smoothing or not."""
    p = xp.asarray([[1.0, -math.inf, 0.5], [0.0, -math.inf, 2.0]])
    t = xp.asarray([0, 2])
    weights = xp.asarray([1.0, 0.0, 2.0])
    found = LOSSES[name].value_and_grad(p, t, class_weight=weights, label_smoothing=0.3)
    two = np.array([[1.0, 0.5], [0.0, 2.0]])
    soft = (0.7 * np.eye(2) + 0.1) * np.array([1.0, 2.0])
    value, slope = LOSSES[name].value_and_grad(two, soft)
    assert_close(found[0], value * 2 / 3, rtol=8 * EPS)
    assert_close(to_numpy(found[1])[:, [0, 2]], slope * 2 / 3, rtol=16 * EPS)
    np.testing.assert_array_equal(to_numpy(found[1])[:, 1], 0)


@pytest.mark.parametrize("name", ADJUSTABLE)
@pytest.mark.parametrize("kind", ["labels", "one-hot"])
def test_a_class_without_weight_leaves_its_rows_out(xp, name, kind):
    logits = np.array([[0.0, 1.0, math.nan], [0.0, 1.0, 2.0], [math.inf, 0.0, 0.0]])
    labels = np.array([0, 1, 0])
    target = labels if kind == "labels" else np.eye(3)[labels]
    value, slope = LOSSES[name].value_and_grad(
        xp.asarray(logits),
        xp.asarray(target),
        class_weight=xp.asarray([0.0, 1.0, 2.0]),
    )
    expected, slopes = LOSSES[name].value_and_grad(logits[1:2], labels[1:2])
    assert_close(value, expected, rtol=4 * EPS)
    assert_close(slope, np.stack([0 * slopes[0], slopes[0], 0 * slopes[0]]), rtol=EPS)


def test_focal_without_gamma_is_the_cross_entropy(xp, rng):
    p, t = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    arrays = xp.asarray(p), xp.asarray(t)
    found = losses.focal.value_and_grad(*arrays, gamma=0)
    expected = losses.softmax_cross_entropy.value_and_grad(p, t)
    for actual, right in zip(found, expected, strict=True):
        assert_close(actual, right, rtol=8 * EPS, atol=EPS)


def test_kl_divergence_is_the_cross_entropy_without_the_entropy(xp, rng):
    p, t = rng.dirichlet(np.ones(4), (2, 5))
    arrays = xp.asarray(p), xp.asarray(t)
    entropy = losses.cross_entropy(t, t)
    difference = losses.cross_entropy(p, t) - entropy
    assert_close(losses.kl_divergence(*arrays), difference, rtol=16 * EPS)
    slope = losses.cross_entropy.grad(p, t)
    assert_close(losses.kl_divergence.grad(*arrays), slope, rtol=4 * EPS)


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
    assert needed(losses.cross_entropy) == {}


@pytest.mark.parametrize("gamma", [0, 0.25, 0.5, 1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slopes_of_focal_are_finite_where_the_rest_of_a_row_is_subnormal(
    xp, gamma, dtype
):
    first, last = (85.0, 120.0) if dtype == "float32" else (700.0, 760.0)
    gaps = np.linspace(first, last, 36)
    logits = np.stack([gaps, 0 * gaps], axis=1).astype(dtype)
    for target in (np.zeros(36, int), np.eye(2)[np.zeros(36, int)]):
        p, t = xp.asarray(logits), xp.asarray(target)
        slope = to_numpy(losses.focal.grad(p, t, gamma=gamma, reduction="sum"))
        assert np.isfinite(slope).all()
        assert (np.abs(slope) <= 1e-30).all()


def test_weights_of_classes_and_ignored_rows_of_focal():
    z = np.array([[1.0, 2.0]])
    weights = np.array([0.25, 0.75])
    # One row: its weight cancels in the mean.
    found = losses.focal(z, np.array([0]), class_weight=weights)
    assert_close(found, 0.70187, rtol=1e-5)
    two = losses.focal(np.tile(z, (2, 1)), np.array([0, 1]), class_weight=weights)
    each = losses.focal(np.tile(z, (2, 1)), np.array([0, 1]), reduction="none")
    assert_close(two, each @ weights, rtol=1e-15)
    with pytest.raises(ValueError, match="a row that is not ignored"):
        losses.focal(z, np.array([-1]), ignore_index=-1)
