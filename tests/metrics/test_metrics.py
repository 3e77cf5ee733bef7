"""Metrics of classes against scikit-learn, and where xgrad differs on purpose."""

import math
from functools import partial

import numpy as np
import pytest
from array_api_compat import device
from cases.compare import assert_close
from cases.libraries import LIBRARIES

from xgrad import metrics, to_numpy

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
AVERAGES = ["macro", "micro", "weighted", None]
RATIOS = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "jaccard": sk.jaccard_score,
    "f_beta": lambda *args, **options: sk.fbeta_score(*args, beta=0.5, **options),
}
OPTIONS = {
    "f_beta": {"beta": 0.5},
    "linear_kappa": {"weights": "linear"},
    "quadratic_kappa": {"weights": "quadratic"},
}
WHOLE = {
    **{
        f"{kind}_kappa": partial(sk.cohen_kappa_score, weights=kind)
        for kind in ("linear", "quadratic")
    },
    "balanced_accuracy": sk.balanced_accuracy_score,
    "matthews": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
}
EVERY = ["accuracy", "confusion_matrix", *RATIOS, *WHOLE, "specificity"]


def _metric(name):
    options = OPTIONS.get(name, {})
    function = getattr(metrics, "cohen_kappa" if "_kappa" in name else name)
    return lambda *args, **kwargs: function(*args, **options, **kwargs)


def _default_rtol(xp):
    """Labels give the default float of the library: float32 with torch."""
    return 1e-6 if xp.name == "torch" else 1e-12


def _case(seed):
    """Random labels of random width; some classes are missing, some weights are 0."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    count = int(rng.integers(1, 40))
    p, t = rng.integers(0, classes, (2, count))
    if seed % 3 == 0:
        t[t == classes - 1] = 0
    if seed % 5 == 0:
        p[p == 0] = 1
    weight = rng.uniform(0.1, 2, count).round(2) if seed % 2 else None
    if weight is not None and seed % 7 == 0:
        weight[1:] *= rng.integers(0, 2, count - 1)
    dtypes = ["int8", "uint8", "int32", "int64", "uint64"]
    return p.astype(dtypes[seed % 5]), t.astype(dtypes[seed % 3]), classes, weight


@pytest.mark.sampled(11)
@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", RATIOS)
def test_ratios_agree_with_scikit_learn(name, average, seed):
    _assert_ratios_agree(LIBRARIES["numpy"](), name, average, seed)


@pytest.mark.parametrize("name", RATIOS)
def test_ratios_agree_with_scikit_learn_on_every_library(xp, name):
    for average, seed in zip(AVERAGES, (1, 2, 32, 63), strict=True):
        _assert_ratios_agree(xp, name, average, seed)


def _assert_ratios_agree(xp, name, average, seed):
    p, t, classes, weight = _case(seed)
    arrays = xp.asarray(p), xp.asarray(t)
    # Undefined classes with all of the weight: see the test of that rule below.
    fills = (0.0, 1.0) if average == "weighted" else (0.0, 1.0, math.nan)
    if name == "jaccard":  # scikit-learn takes no nan there
        fills = (0.0, 1.0)
    for zero_division in fills:
        expected = RATIOS[name](
            t,
            p,
            labels=range(classes),
            average=average,
            sample_weight=weight,
            zero_division=zero_division,
        )
        found = _metric(name)(
            *arrays,
            num_classes=classes,
            average=average,
            weight=None if weight is None else xp.asarray(weight),
            zero_division=zero_division,
        )
        assert_close(found, expected, rtol=_default_rtol(xp), atol=1e-15)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("name", RATIOS)
def test_binary_averages_agree_with_scikit_learn(name, positive, seed):
    rng = np.random.default_rng(seed)
    p, t = rng.integers(0, 2, (2, 15))
    weight = rng.uniform(size=15) if seed % 2 else None
    options = {"sample_weight": weight, "zero_division": float(seed % 3 == 0)}
    expected = RATIOS[name](t, p, pos_label=positive, **options)
    found = _metric(name)(
        p,
        t,
        average="binary",
        positive=positive,
        weight=weight,
        zero_division=options["zero_division"],
    )
    assert_close(found, expected, rtol=1e-12)


@pytest.mark.sampled(7)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:A single label was found in:UserWarning")
@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("name", WHOLE)
def test_metrics_of_the_whole_matrix_agree_with_scikit_learn(name, seed):
    p, t, classes, weight = _case(seed)
    # Of the classes that it sees alone it would take other distances.
    labels = {"labels": range(classes)} if "kappa" in name else {}
    expected = WHOLE[name](t, p, sample_weight=weight, **labels)
    found = _metric(name)(p, t, num_classes=classes, weight=weight)
    if "kappa" in name and math.isnan(expected):
        assert found == 0  # see the test of that rule below
    else:
        assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("seed", range(40))
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


@pytest.mark.parametrize("seed", range(20))
def test_accuracy_agrees_with_scikit_learn(xp, seed):
    p, t, _, weight = _case(seed)
    expected = sk.accuracy_score(t, p, sample_weight=weight)
    found = metrics.accuracy(
        xp.asarray(p),
        xp.asarray(t),
        weight=None if weight is None else xp.asarray(weight),
    )
    assert_close(found, expected, rtol=_default_rtol(xp))


@pytest.mark.parametrize("average", [*AVERAGES, "binary"])
def test_specificity_is_the_recall_of_the_other_class(rng, average):
    p, t = rng.integers(0, 2, (2, 30))
    weight = rng.uniform(size=30)
    options = {"average": average, "weight": weight}
    found = metrics.specificity(p, t, **options)
    turned = metrics.recall(1 - p, 1 - t, **options)
    if average == "weighted":
        share = metrics.recall(p, t, average=None, weight=weight)[::-1]
        support = np.bincount(t, weights=weight)
        turned = np.sum(share * support) / support.sum()
    if average is None:
        turned = metrics.recall(p, t, average=None, weight=weight)[::-1]
    assert_close(found, turned, rtol=1e-12)


def test_specificity_of_several_classes_counts_rows_of_the_others(rng):
    p, t = rng.integers(0, 4, (2, 60))
    each = metrics.specificity(p, t, average=None)
    expected = [np.mean(p[t != k] != k) for k in range(4)]
    assert_close(each, expected, rtol=1e-12)
    micro = metrics.specificity(p, t, average="micro")
    rows = np.concatenate([p[t != k] != k for k in range(4)])
    assert_close(micro, rows.mean(), rtol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_every_backend_and_kind_of_label_agrees(xp, rng, name):
    metric = _metric(name)
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
        assert_close(found, expected, rtol=_default_rtol(xp), atol=1e-7)
        assert device(found) == device(xp.asarray(t))


@pytest.mark.parametrize("name", EVERY)
def test_weights_count_rows(rng, name):
    p, t = rng.integers(0, 3, (2, 12))
    weight = rng.integers(0, 3, 12)
    twice = np.repeat(np.arange(12), weight)
    found = _metric(name)(p, t, weight=weight, num_classes=3)
    assert_close(found, _metric(name)(p[twice], t[twice], num_classes=3), rtol=1e-12)


def test_results_have_the_dtype_of_the_scores(xp, rng):
    scores, t = rng.normal(size=(6, 3)).astype(np.float32), np.arange(6) % 3
    for name in EVERY:
        found = _metric(name)(xp.asarray(scores), xp.asarray(t))
        integers = name == "confusion_matrix"
        assert found.dtype == (xp.int64 if integers else xp.float32)
    half = metrics.f1(scores.astype(np.float16), t)
    assert half.dtype == np.float32


def test_labels_of_any_width_do_not_overflow_in_the_count():
    p = np.array([15, 15, 3], np.uint8)
    counts = metrics.confusion_matrix(p, p, num_classes=20)
    assert counts[15, 15] == 2
    assert counts.sum() == 3
    many = np.array([200, 201], np.uint8)
    assert metrics.confusion_matrix(many, many, num_classes=300)[201, 201] == 1


def test_many_rows_are_counted_like_few(rng):
    p, t = rng.integers(0, 5, (2, 300_000))
    expected = sk.confusion_matrix(t, p)
    np.testing.assert_array_equal(
        metrics.confusion_matrix(p, t, num_classes=5), expected
    )
    assert metrics.accuracy(p, t, num_classes=5) == np.mean(p == t)
    p[-1] = 5
    for metric in (metrics.confusion_matrix, metrics.accuracy):
        with pytest.raises(ValueError, match=r"prediction\[299999\] is 5"):
            metric(p, t, num_classes=5)


# Scores


def test_the_first_of_equal_scores_wins():
    scores = np.array([[0.5, 0.5], [0.1, 0.9]])
    assert metrics.accuracy(scores, np.array([0, 1])) == 1


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_top_k_agrees_with_scikit_learn(xp, rng, k):
    scores, t = rng.normal(size=(50, 5)), rng.integers(0, 5, 50)
    weight = rng.uniform(size=50)
    arrays = xp.asarray(scores), xp.asarray(t)
    if k < 5:
        expected = sk.top_k_accuracy_score(t, scores, k=k)
        assert_close(metrics.top_k_accuracy(*arrays, k=k), expected, rtol=1e-12)
        expected = sk.top_k_accuracy_score(t, scores, k=k, sample_weight=weight)
    else:
        expected = 1.0
    found = metrics.top_k_accuracy(*arrays, k=k, weight=xp.asarray(weight))
    assert_close(found, expected, rtol=1e-12)


def test_of_equal_scores_the_smaller_class_is_among_the_first(xp):
    """So that k = 1 is the accuracy; scikit-learn takes the larger class."""
    scores = xp.asarray([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]])
    for labels, first, second in [([0, 1], 1.0, 1.0), ([2, 2], 0.0, 0.5)]:
        t = xp.asarray(labels)
        assert to_numpy(metrics.top_k_accuracy(scores, t, k=1)) == first
        assert to_numpy(metrics.accuracy(scores, t)) == first
        assert to_numpy(metrics.top_k_accuracy(scores, t, k=2)) == second
        assert to_numpy(metrics.top_k_accuracy(scores, t, k=3)) == 1
    theirs = sk.top_k_accuracy_score([2, 2], to_numpy(scores), k=1, labels=[0, 1, 2])
    assert theirs == 1


def test_nan_scores_are_refused_where_argmax_would_pick_them(xp):
    scores = xp.asarray([[0.1, 0.9], [math.nan, 1.0]])
    labels = xp.asarray([1, 1])
    for metric in (metrics.accuracy, metrics.f1, metrics.confusion_matrix):
        with pytest.raises(ValueError, match=r"no nan, but prediction\[1, 0\] is nan"):
            metric(scores, labels)
    with pytest.raises(ValueError, match=r"no nan, but prediction\[1, 0\] is nan"):
        metrics.top_k_accuracy(scores, labels, k=1)
    with pytest.raises(ValueError, match=r"no nan, but prediction\[1\] is nan"):
        metrics.roc_auc(scores[:, 0], xp.asarray([0, 1]))
