"""Rules of metrics: missing classes, undefined results, and what is refused."""

import math

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import metrics, special, to_numpy

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
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
    for n in range(1, 20):
        right = metrics.accuracy_interval(labels[:n], labels[:n])
        wrong = metrics.accuracy_interval(labels[:n] - 1, labels[:n])
        assert (to_numpy(right[1]), to_numpy(wrong[0])) == (1, 0)


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
    (lambda: metrics.accuracy(P, special.one_hot(T, 3)), r"look swapped.*argmax\("),
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
    (lambda: metrics.roc_auc(np.eye(4), T), r"scores \(N,\) or \(N, C\)"),
    (lambda: metrics.roc_auc(np.eye(2)[T], T, labels=[0]), "take `positive`"),
    (lambda: metrics.roc_curve(np.eye(3), T), r"`roc_curve\(prediction\[:, k\]"),
    (lambda: metrics.roc_auc(np.eye(3), T, average="micro"), "`average` must be"),
    (lambda: metrics.f1(P, T, labels=[3]), r"`labels` must be .* in \[0, 3\)"),
    (lambda: metrics.f1(P, T, labels=[1, 1]), "`labels` must be different"),
    (lambda: metrics.f1(P, T, labels=[]), "at least one"),
    (lambda: metrics.f1(T, T, average="binary", labels=[1]), "leave `labels` out"),
    (lambda: metrics.f1(P, T, weight=S - 0.2), r"not be negative.*weight\[0\] is -0.1"),
    (lambda: metrics.f1(P, T, weight=S * math.nan), "not be negative or nan"),
    (lambda: metrics.f1(P, T, weight=S * math.inf), "have a finite sum"),
    (lambda: metrics.roc_auc(S, T, weight=S - 0.2), "not be negative"),
    (lambda: metrics.cohen_kappa(P, T, weights="square"), "`weights` must be one of"),
    (lambda: metrics.accuracy(P, T, ignore_index=7, weight=0 * S), "not sum to 0"),
    (lambda: metrics.accuracy(P, 0 * T, ignore_index=0), "a row that is not ignored"),
    (lambda: metrics.accuracy(np.eye(3), np.ones((3, 3))), "one-hot.*take the largest"),
    (lambda: metrics.accuracy(np.ones((3, 3)) > 0, T), "`prediction` must be one-hot"),
    (lambda: metrics.accuracy(np.eye(3), np.eye(3)[:, :2]), "one-hot rows"),
    (lambda: metrics.roc_auc(S, T, positive=2), "`positive` must be one of 0, 1"),
    (lambda: metrics.roc_auc(S, T, weight=S[:2]), r"`weight` has shape \(2,\)"),
    (lambda: metrics.accuracy_interval(P, T, confidence=1), "`confidence` must lie"),
]
WRONG_KIND = [
    (lambda: metrics.accuracy(P.astype(float), T), "must hold integer.*threshold"),
    (lambda: metrics.f1(P, T, labels=1), "`labels` must be a sequence"),
    (lambda: metrics.f1(P, T, ignore_index=0.5), "`ignore_index` must be an integer"),
    (lambda: metrics.accuracy(np.eye(3), np.eye(3) * 1j), "one-hot rows"),
    (lambda: metrics.accuracy(P, T.astype(float)), "`target` must hold integer"),
    (lambda: metrics.accuracy(np.eye(3) * 1j, T), "scores are real"),
    (lambda: metrics.accuracy(P, T, num_classes=2.5), "`num_classes` must be an int"),
    (lambda: metrics.accuracy(P, T, weight=T * 1j), "`weight` must hold real"),
    (lambda: metrics.accuracy(list(P), T), "`prediction` must be an array"),
    (lambda: metrics.f_beta(P, T, beta="2"), "`beta` must be a number"),
    (lambda: metrics.roc_auc(S * 1j, T), "`prediction` must hold real"),
    (lambda: metrics.roc_auc(S, S), "`target` must hold integer"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()
