"""Metrics of classes against scikit-learn, and where xgrad differs on purpose."""

import math

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import metrics, special, to_numpy

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

AVERAGES = ["macro", "micro", "weighted", None]
RATIOS = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "f_beta": lambda *args, **options: sk.fbeta_score(*args, beta=0.5, **options),
}
OPTIONS = {"f_beta": {"beta": 0.5}}
WHOLE = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "matthews": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
}
EVERY = ["accuracy", "confusion_matrix", *RATIOS, *WHOLE, "specificity"]


def _metric(name):
    function, options = getattr(metrics, name), OPTIONS.get(name, {})
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


@pytest.mark.parametrize("seed", range(100))
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
        found = _metric(name)(
            p,
            t,
            num_classes=classes,
            average=average,
            weight=weight,
            zero_division=zero_division,
        )
        assert_close(found, expected, rtol=1e-12, atol=1e-15)


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


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:A single label was found in:UserWarning")
@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("name", WHOLE)
def test_metrics_of_the_whole_matrix_agree_with_scikit_learn(name, seed):
    p, t, classes, weight = _case(seed)
    expected = WHOLE[name](t, p, sample_weight=weight)
    found = getattr(metrics, name)(p, t, num_classes=classes, weight=weight)
    if name == "cohen_kappa" and math.isnan(expected):
        assert found == 0  # see the test of that rule below
    else:
        assert_close(found, expected, rtol=1e-12, atol=1e-14)


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
        assert found.device == xp.asarray(t).device


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


@pytest.mark.parametrize("seed", range(30))
def test_areas_agree_with_scikit_learn(xp, seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 60))
    scores = rng.normal(size=count).round(1 if seed % 2 else 6)
    t = rng.integers(0, 2, count)
    t[:2] = 0, 1
    weight = rng.uniform(0.1, 2, count) if seed % 3 == 0 else None
    expected = sk.roc_auc_score(t, scores, sample_weight=weight)
    options = {} if weight is None else {"weight": xp.asarray(weight)}
    p, labels = xp.asarray(scores), xp.asarray(t)
    assert_close(metrics.roc_auc(p, labels, **options), expected, rtol=1e-12)
    reversed_ = metrics.roc_auc(p, labels, positive=0, **options)
    assert_close(reversed_, 1 - expected, rtol=1e-9, atol=1e-12)
    both = xp.asarray(np.stack([-scores, scores], axis=1))
    assert_close(metrics.roc_auc(both, labels, **options), expected, rtol=1e-12)


def test_areas_of_one_class_are_undefined(xp):
    p, t = xp.asarray([0.1, 0.2]), xp.asarray([1, 1])
    assert np.isnan(to_numpy(metrics.roc_auc(p, t)))
    assert to_numpy(metrics.roc_auc(p, t, zero_division=0.0)) == 0


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


# Rules


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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:A single label was found in:UserWarning")
def test_agreement_on_one_class_is_undefined():
    """scikit-learn says nan; here it is what `zero_division` says, 0 by default."""
    p = t = np.array([1, 1])
    assert math.isnan(sk.cohen_kappa_score(t, p))
    assert metrics.cohen_kappa(p, t) == 0
    assert metrics.cohen_kappa(p, t, zero_division=1.0) == 1
    assert np.isnan(metrics.matthews(p, t, zero_division=math.nan))


def test_classes_without_rows_have_no_recall():
    p, t = np.array([0, 2]), np.array([0, 0])
    assert metrics.balanced_accuracy(p, t) == 0.5
    assert_close(
        metrics.balanced_accuracy(p, t, zero_division=0.0), 0.5 / 3, rtol=1e-12
    )
    assert_close(metrics.recall(p, t), 0.5 / 3, rtol=1e-12)


def test_f_beta_ends_in_precision_and_recall(rng):
    p, t = rng.integers(0, 3, (2, 20))
    assert metrics.f_beta(p, t, beta=0) == metrics.precision(p, t)
    assert metrics.f_beta(p, t, beta=math.inf) == metrics.recall(p, t)
    assert metrics.f_beta(p, t, beta=np.float32(1)) == metrics.f1(p, t)
    for beta in (1e20, 1e154, 1e200, 10**400):
        assert metrics.f_beta(p, t, beta=beta) == metrics.recall(p, t)


def test_what_is_undefined_is_so_with_weights_too():
    rng = np.random.default_rng(0)
    for _ in range(50):
        t, weight = rng.integers(0, 4, 11), rng.uniform(size=11)
        one = np.zeros(11, int)
        options = {"weight": weight, "num_classes": 4}
        assert metrics.matthews(one, t, **options) == 0
        assert metrics.matthews(t, one, **options) == 0
        assert metrics.cohen_kappa(one, one, **options, zero_division=1.0) == 1
        each = metrics.specificity(t, one, average=None, **options)
        assert each[0] == 0


def test_areas_do_not_depend_on_the_scale_of_weights():
    for weight in (1e-170, 1.0, 1e170):
        p, t = np.array([0.0, 1.0, 1.0]), np.array([0, 0, 1])
        assert metrics.roc_auc(p, t, weight=np.full(3, weight)) == 0.75


def test_the_positive_class_may_be_any_number_that_is_it(rng):
    p, t = rng.integers(0, 2, (2, 20))
    expected = metrics.f1(p, t, average="binary", positive=1)
    assert metrics.f1(p, t, average="binary", positive=np.int64(1)) == expected
    assert metrics.f1(p, t, average="binary", positive=1.0) == expected


def test_wilson_intervals_hold_the_share(xp):
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263, method 3.
    p = xp.asarray(np.arange(263) < 81)
    labels = xp.asarray(np.ones(263, int))
    low, high = metrics.accuracy_interval(xp.astype(p, xp.int64), labels)
    assert_close(low, 0.2553, rtol=0, atol=5e-5)
    assert_close(high, 0.3662, rtol=0, atol=5e-5)
    none, some = metrics.accuracy_interval(labels[:20] - 1, labels[:20])
    assert_close(none, 0.0, rtol=0, atol=1e-16)
    assert_close(some, 0.1611, rtol=0, atol=5e-5)  # 0 of 20, method 3
    wide = metrics.accuracy_interval(labels[:20] - 1, labels[:20], confidence=0.99)[1]
    assert to_numpy(wide) > to_numpy(some)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("bad", [-1, 3])
def test_bad_labels_are_named(xp, name, bad):
    metric = _metric(name)
    good, wrong = xp.asarray([0, 1, 2]), xp.asarray([0, bad, 2])
    with pytest.raises(ValueError, match=rf"target\[1\] is {bad}"):
        metric(good, wrong, num_classes=3)
    with pytest.raises(ValueError, match=rf"prediction\[1\] is {bad}"):
        metric(wrong, good, num_classes=3)


def test_no_rows_count_to_zeros():
    empty = np.zeros(0, int)
    counts = metrics.confusion_matrix(empty, empty, num_classes=2)
    np.testing.assert_array_equal(counts, np.zeros((2, 2)))
    assert metrics.f1(empty, empty, num_classes=2, zero_division=1.0) == 1


P, T = np.array([0, 1, 2]), np.array([0, 1, 1])
S = np.array([0.1, 0.2, 0.3])
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
    (lambda: metrics.matthews(P, T, zero_division="0"), "`zero_division` must be"),
    (lambda: metrics.confusion_matrix(P, T, normalize="rows"), "`normalize` must be"),
    (lambda: metrics.f_beta(P, T, beta=-1), "`beta` must be at least 0"),
    (lambda: metrics.accuracy(P[:, None], T), r"reshape it, `prediction.reshape"),
    (lambda: metrics.f1(S[:, None], T), r"reshape it, `prediction.reshape\(\(3,\)\)`"),
    (lambda: metrics.f1(P, T[:, None]), r"reshape it, `target.reshape\(\(3,\)\)`"),
    (lambda: metrics.f1(P + 10**7, T), "too many for a confusion matrix"),
    (lambda: metrics.roc_auc(T, S), "look swapped"),
    (lambda: metrics.top_k_accuracy(P, T, k=1), "must hold scores"),
    (lambda: metrics.top_k_accuracy(np.eye(3), T, k=4), "only 3 classes"),
    (lambda: metrics.top_k_accuracy(np.eye(3), T, k=0), "`k` must be at least 1"),
    (lambda: metrics.roc_auc(S, P), r"\[0, 2\), but target\[2\] is 2"),
    (lambda: metrics.roc_auc(np.eye(3), T), r"scores \(N,\) or \(N, 2\)"),
    (lambda: metrics.roc_auc(S, T, positive=2), "`positive` must be one of 0, 1"),
    (lambda: metrics.roc_auc(S, T, weight=S[:2]), r"`weight` has shape \(2,\)"),
    (lambda: metrics.accuracy_interval(P, T, confidence=1), "`confidence` must lie"),
]
WRONG_KIND = [
    (lambda: metrics.accuracy(P.astype(float), T), "must hold integer.*threshold"),
    (lambda: metrics.accuracy(P > 0, T), "`prediction` must hold integer"),
    (lambda: metrics.accuracy(P, T.astype(float)), "`target` must hold integer"),
    (lambda: metrics.accuracy(np.eye(3) * 1j, T), "scores are real"),
    (lambda: metrics.accuracy(P, T, num_classes=2.5), "`num_classes` must be an int"),
    (lambda: metrics.accuracy(P, T, weight=T * 1j), "`weight` must hold real"),
    (lambda: metrics.accuracy(list(P), T), "`prediction` must be an array"),
    (lambda: metrics.f_beta(P, T, beta="2"), "`beta` must be a number"),
    (lambda: metrics.roc_auc(S * 1j, T), "`prediction` must hold real"),
    (lambda: metrics.roc_auc(S, T > 0), "`target` must hold integer"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()
