"""Metrics against scikit-learn, and where xgrad's rules differ on purpose."""

import math

import numpy as np
import pytest
from helpers import assert_close

from xgrad import metrics, special, to_numpy

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

AVERAGES = ["macro", "micro", "weighted", None]
RATIOS = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}


def _default_rtol(xp):
    """Labels give the default float of the library: float32 with torch."""
    return 1e-6 if xp.name == "torch" else 1e-12


def _case(seed):
    """Random labels; some classes are missing, some weights are 0."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    count = int(rng.integers(1, 40))
    p, t = rng.integers(0, classes, (2, count))
    if seed % 3 == 0:
        t[t == classes - 1] = 0
    weight = rng.uniform(0.1, 2, count).round(2) if seed % 2 else None
    return p, t, classes, weight


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", RATIOS)
def test_ratios_agree_with_scikit_learn(name, average, seed):
    p, t, classes, weight = _case(seed)
    # Undefined classes with all of the weight: see the test of that rule below.
    fills = (0.0, 1.0) if average == "weighted" else (0.0, 1.0, math.nan)
    for zero_division in fills:
        expected = RATIOS[name](
            t,
            p,
            labels=range(classes),
            average=average,
            sample_weight=weight,
            zero_division=zero_division,
        )
        found = getattr(metrics, name)(
            p,
            t,
            num_classes=classes,
            average=average,
            weight=weight,
            zero_division=zero_division,
        )
        assert_close(found, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("name", RATIOS)
def test_binary_averages_agree_with_scikit_learn(name, positive, seed):
    rng = np.random.default_rng(seed)
    p, t = rng.integers(0, 2, (2, 15))
    expected = RATIOS[name](t, p, pos_label=positive, zero_division=0.0)
    found = getattr(metrics, name)(p, t, average="binary", positive=positive)
    assert_close(found, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_agrees_with_scikit_learn(xp, seed, normalize):
    p, t, classes, weight = _case(seed)
    expected = sk.confusion_matrix(
        t, p, labels=range(classes), normalize=normalize, sample_weight=weight
    )
    found = metrics.confusion_matrix(
        xp.asarray(p),
        xp.asarray(t),
        num_classes=classes,
        normalize=normalize,
        weight=None if weight is None else xp.asarray(weight),
    )
    if weight is None and normalize is None:
        assert found.dtype == xp.int64
    assert_close(found, expected, rtol=_default_rtol(xp))


@pytest.mark.parametrize("seed", range(10))
def test_accuracy_agrees_with_scikit_learn(xp, seed):
    p, t, _, weight = _case(seed)
    expected = sk.accuracy_score(t, p, sample_weight=weight)
    found = metrics.accuracy(
        xp.asarray(p),
        xp.asarray(t),
        weight=None if weight is None else xp.asarray(weight),
    )
    assert_close(found, expected, rtol=_default_rtol(xp))


@pytest.mark.parametrize("name", ["accuracy", "confusion_matrix", *RATIOS])
def test_every_backend_and_kind_of_label_agrees(xp, rng, name):
    metric = getattr(metrics, name)
    scores, t = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    expected = to_numpy(metric(scores, t))
    p = scores.argmax(axis=-1)
    for prediction, target in [
        (scores, t),
        (scores, t.astype(np.uint8)),
        (p, t),
        (p.astype(np.uint8), t.astype(np.int16)),
    ]:
        found = metric(xp.asarray(prediction), xp.asarray(target))
        assert_close(found, expected, rtol=_default_rtol(xp))
        assert found.device == xp.asarray(t).device


def test_results_have_the_dtype_of_the_scores(xp, rng):
    scores, t = rng.normal(size=(6, 3)).astype(np.float32), np.arange(6) % 3
    assert metrics.accuracy(xp.asarray(scores), xp.asarray(t)).dtype == xp.float32
    half = metrics.f1(scores.astype(np.float16), t)
    assert half.dtype == np.float32


def test_narrow_labels_do_not_overflow_in_the_count():
    p = np.array([15, 15, 3], np.uint8)
    counts = metrics.confusion_matrix(p, p, num_classes=20)
    assert counts[15, 15] == 2
    assert counts.sum() == 3


def test_the_first_of_equal_scores_wins():
    scores = np.array([[0.5, 0.5], [0.1, 0.9]])
    assert metrics.accuracy(scores, np.array([0, 1])) == 1


def test_macro_runs_over_all_classes_where_scikit_learn_leaves_missing_ones_out():
    p, t = np.array([0, 1, 0]), np.array([0, 1, 1])
    three = metrics.f1(p, t, num_classes=3)
    assert_close(three, 2 / 3 * metrics.f1(p, t), rtol=1e-14)
    assert_close(metrics.f1(p, t), sk.f1_score(t, p, average="macro"), rtol=1e-14)


def test_a_weighted_average_without_weight_is_undefined():
    """scikit-learn takes the plain mean there."""
    p, t = np.array([1, 1]), np.array([0, 0])  # precision of class 0 is 0/0
    options = {"average": "weighted", "zero_division": math.nan}
    assert np.isnan(metrics.precision(p, t, **options))
    assert sk.precision_score(t, p, **options) == 0
    p, t = np.array([1, 1, 2, 2]), np.array([0, 1, 1, 2])
    found = metrics.precision(p, t, **options)
    assert_close(found, sk.precision_score(t, p, **options), rtol=1e-14)


def test_nan_scores_are_refused_where_argmax_would_pick_them(xp):
    scores = xp.asarray([[0.1, 0.9], [math.nan, 1.0]])
    with pytest.raises(ValueError, match=r"hold no nan, but prediction\[1, 0\] is nan"):
        metrics.accuracy(scores, xp.asarray([1, 1]))


@pytest.mark.parametrize("name", ["accuracy", "confusion_matrix", *RATIOS])
@pytest.mark.parametrize("bad", [-1, 3])
def test_bad_labels_are_named(xp, name, bad):
    metric = getattr(metrics, name)
    good, wrong = xp.asarray([0, 1, 2]), xp.asarray([0, bad, 2])
    with pytest.raises(ValueError, match=rf"target\[1\] is {bad}"):
        metric(good, wrong, num_classes=3)
    with pytest.raises(ValueError, match=rf"prediction\[1\] is {bad}"):
        metric(wrong, good, num_classes=3)


def test_regression_losses_are_metrics_too():
    assert metrics.mean_squared_error(np.array([1.0]), np.array([3.0])) == 4
    assert metrics.root_mean_squared_error(np.array([1.0]), np.array([3.0])) == 2


def test_no_rows_count_to_zeros():
    empty = np.zeros(0, int)
    counts = metrics.confusion_matrix(empty, empty, num_classes=2)
    np.testing.assert_array_equal(counts, np.zeros((2, 2)))
    assert metrics.f1(empty, empty, num_classes=2, zero_division=1.0) == 1


P, T = np.array([0, 1, 2]), np.array([0, 1, 1])
BAD = [
    (lambda: metrics.accuracy(P, T[:2]), r"shape \(3,\) and `target` \(2,\)"),
    (lambda: metrics.accuracy(P, special.one_hot(T, 3)), "look swapped"),
    (lambda: metrics.accuracy(P[:, None, None], T), "scores"),
    (lambda: metrics.accuracy(P, T, num_classes=2), r"prediction\[2\] is 2"),
    (lambda: metrics.accuracy(np.eye(3), T, num_classes=4), "3 columns of scores"),
    (lambda: metrics.confusion_matrix(P[:0], T[:0]), "no labels to count"),
    (lambda: metrics.accuracy(P[:0], T[:0], num_classes=2), "no rows"),
    (lambda: metrics.accuracy(P, T, weight=np.ones(2)), "one entry for each row"),
    (lambda: metrics.accuracy(P, T, weight=np.zeros(3)), "not sum to 0"),
    (lambda: metrics.f1(P, T, average="mean"), "`average` must be one of"),
    (lambda: metrics.f1(P, T, average="binary"), "two classes, but there are 3"),
    (lambda: metrics.f1(T, T, average="binary", positive=2), "`positive` must be"),
    (lambda: metrics.f1(P, T, zero_division=0.5), "`zero_division` must be"),
    (lambda: metrics.confusion_matrix(P, T, normalize="rows"), "`normalize` must be"),
]
WRONG_KIND = [
    (lambda: metrics.accuracy(P.astype(float), T), "`prediction` must hold integer"),
    (lambda: metrics.accuracy(P, T.astype(float)), "`target` must hold integer"),
    (lambda: metrics.accuracy(np.eye(3) * 1j, T), "scores are real"),
    (lambda: metrics.accuracy(P, T, num_classes=2.5), "`num_classes` must be an int"),
    (lambda: metrics.accuracy(P, T, weight=T * 1j), "`weight` must hold real"),
    (lambda: metrics.accuracy(list(P), T), "`prediction` must be an array"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()
