"""Options that classification metrics share: ignored rows, classes, kinds of target."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from cases.metrics import RATIOS, WHOLE

from xgrad import metrics, to_numpy
from xgrad.metrics import Classification

EVERY = (*RATIOS, *WHOLE)


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


@pytest.fixture
def rows(rng):
    """Scores, labels and weights; a third of the rows does not count."""
    scores, t = rng.normal(size=(31, 4)), rng.integers(0, 4, 31)
    return scores, t, rng.random(31), np.arange(31) % 3 == 1


def _tolerance(xp):
    return 1e-6 if xp.name == "torch" else 1e-12


@pytest.mark.parametrize("ignored", [-100, 2, 255, 9])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_ignored_rows_do_not_count(xp, rows, name, weighted, ignored):
    scores, t, weight, marked = rows
    if ignored == 2:  # also the number of a class
        marked = t == 2
    hidden = np.where(marked, ignored, t).astype(np.int16)
    kept = ~marked
    options = {"weight": weight[kept]} if weighted else {}
    metric = getattr(metrics, name)
    expected = metric(scores[kept], t[kept], **options)
    lazy = {"weight": xp.asarray(weight)} if weighted else {}
    arrays = xp.asarray(scores), xp.asarray(hidden)
    found = metric(*arrays, ignore_index=ignored, **lazy)
    assert_close(found, to_numpy(expected), rtol=_tolerance(xp))
    labels = np.where(marked, 77, scores.argmax(-1))  # bad where it does not count
    found = metric(
        xp.asarray(labels), arrays[1], num_classes=4, ignore_index=ignored, **lazy
    )
    assert_close(found, to_numpy(expected), rtol=_tolerance(xp))


def test_states_ignore_rows(xp, rows):
    scores, t, _, marked = rows
    hidden = xp.asarray(np.where(marked, -1, t))
    state = Classification(4)
    for part in (slice(0, 9), slice(9, 31)):
        state = state.update(xp.asarray(scores[part]), hidden[part], ignore_index=-1)
    expected = metrics.f1(scores[~marked], t[~marked])
    assert_close(state.f1(), expected, rtol=1e-12)
    assert int(to_numpy(state.counts).sum()) == (~marked).sum()


def test_what_ignored_rows_predict_is_not_looked_at(xp, rows):
    scores, t, _, marked = rows
    broken = np.where(marked[:, None], math.nan, scores)
    hidden = xp.asarray(np.where(marked, 9, t))
    found = metrics.accuracy(xp.asarray(broken), hidden, ignore_index=9)
    expected = metrics.accuracy(scores[~marked], t[~marked])
    assert_close(found, expected, rtol=_tolerance(xp))
    found = metrics.top_k_accuracy(xp.asarray(broken), hidden, k=2, ignore_index=9)
    expected = metrics.top_k_accuracy(scores[~marked], t[~marked], k=2)
    assert_close(found, expected, rtol=_tolerance(xp))


def test_labels_without_num_classes_are_counted_without_the_ignored():
    p, t = np.array([0, 0, 0, 1]), np.array([0, -100, 1, 1])
    assert metrics.recall(p, t, ignore_index=-100) == 0.75
    t = np.array([0, 255, 1, 1], np.uint8)
    assert metrics.confusion_matrix(p, t, ignore_index=255).shape == (2, 2)


def test_intervals_count_the_rows_that_are_not_ignored():
    p, t = np.array([0, 1, 1, 0]), np.array([0, 1, 9, 9])
    expected = metrics.accuracy_interval(p[:2], t[:2])
    assert metrics.accuracy_interval(p, t, ignore_index=9) == expected


@pytest.mark.parametrize("kind", ["int64", "float32", "bool"])
@pytest.mark.parametrize("name", EVERY)
def test_one_hot_targets_are_labels(xp, rows, name, kind):
    scores, t, _, _ = rows
    target = xp.asarray(np.eye(4)[t].astype(kind))
    metric = getattr(metrics, name)
    expected = to_numpy(metric(scores, t))
    assert_close(metric(xp.asarray(scores), target), expected, rtol=_tolerance(xp))
    if kind == "float32":  # a float matrix behind labels looks like scores
        return
    labels = xp.asarray(scores.argmax(-1))
    assert_close(metric(labels, target), expected, rtol=_tolerance(xp))


@pytest.mark.parametrize("name", EVERY)
def test_booleans_are_labels_of_two_classes(xp, rng, name):
    p, t = rng.integers(0, 2, (2, 30))
    metric = getattr(metrics, name)
    for left, right in ((p, t), (0 * p, 0 * t)):
        expected = to_numpy(metric(left, right, num_classes=2))
        booleans = xp.asarray(left == 1), xp.asarray(right == 1)
        classes = {"num_classes": 2} if xp.name == "dask" else {}
        found = metric(*booleans, **classes)
        assert_close(found, expected, rtol=_tolerance(xp))


def test_a_row_with_two_ones_is_no_class(xp):
    scores, target = (
        xp.asarray(np.eye(3)),
        xp.asarray([[1, 0, 0], [1, 1, 0], [0, 0, 1]]),
    )
    with pytest.raises(ValueError, match=r"number of ones in target\[1\] is 2"):
        to_numpy(metrics.f1(scores, target))
    soft = xp.asarray([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match=r"must be one-hot.*argmax"):
        to_numpy(metrics.accuracy(scores, soft))


@pytest.mark.parametrize("labels", [[0, 2], [3, 1], (2,), np.array([1, 3])])
@pytest.mark.parametrize("name", RATIOS)
def test_averages_over_some_of_the_classes(xp, rows, name, labels):
    scores, t, weight, _ = rows
    metric = getattr(metrics, name)
    options = {"weight": weight}
    each = metric(scores, t, average=None, **options)[list(labels)]
    arrays = xp.asarray(scores), xp.asarray(t)
    options = {"weight": xp.asarray(weight), "labels": labels}
    support = np.bincount(t, weights=weight)[list(labels)]
    for average, expected in [
        (None, each),
        ("macro", each.mean()),
        ("weighted", np.average(each, weights=support)),
    ]:
        found = metric(*arrays, average=average, **options)
        assert_close(found, expected, rtol=1e-12)


def test_pooled_counts_of_some_classes_agree_with_scikit_learn(rows):
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, t, weight, _ = rows
    p = scores.argmax(-1)
    options = {"average": "micro", "labels": [0, 2]}
    for ours, theirs in [
        (metrics.f1, sk.f1_score),
        (metrics.precision, sk.precision_score),
        (metrics.jaccard, sk.jaccard_score),
    ]:
        expected = theirs(t, p, sample_weight=weight, **options)
        assert_close(ours(p, t, weight=weight, **options), expected, rtol=1e-12)


def test_integer_weights_are_counted_as_integers(xp, rows):
    scores, t, _, _ = rows
    weight = np.arange(31) % 4
    arrays = xp.asarray(scores), xp.asarray(t)
    found = metrics.confusion_matrix(*arrays, weight=xp.asarray(weight))
    assert found.dtype == xp.int64
    expected = metrics.confusion_matrix(scores, t, weight=1.0 * weight)
    np.testing.assert_array_equal(to_numpy(found), expected)
    mask = metrics.confusion_matrix(*arrays, weight=xp.asarray(weight > 1))
    kept = weight > 1
    expected = metrics.confusion_matrix(scores[kept], t[kept])
    np.testing.assert_array_equal(to_numpy(mask), expected)
