"""Curves over all thresholds and areas under them, against scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import metrics, to_numpy
from xgrad.metrics import _ranking

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
AREAS = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
}
CURVES = {
    "roc_curve": lambda *args, **options: sk.roc_curve(
        *args, drop_intermediate=False, **options
    ),
    "precision_recall_curve": sk.precision_recall_curve,
}


def _case(seed, classes=2):
    """Labels of all classes, scores with and without ties, weights or none."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(classes + 3, 60))
    shape = count if classes == 2 else (count, classes)
    scores = rng.normal(size=shape).round(1 if seed % 2 else 6)
    t = rng.integers(0, classes, count)
    t[:classes] = range(classes)
    weight = rng.uniform(0.1, 2, count) if seed % 3 == 0 else None
    return scores, t, weight


def _options(xp, weight):
    return {} if weight is None else {"weight": xp.asarray(weight)}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", AREAS)
def test_areas_of_two_classes(xp, name, seed):
    scores, t, weight = _case(seed)
    metric, options = getattr(metrics, name), _options(xp, weight)
    expected = AREAS[name](t, scores, sample_weight=weight)
    p, labels = xp.asarray(scores), xp.asarray(t)
    assert_close(metric(p, labels, **options), expected, rtol=1e-12)
    both = xp.asarray(np.stack([-scores, scores], axis=1))
    assert_close(metric(both, labels, **options), expected, rtol=1e-12)
    other = AREAS[name](1 - t, scores, sample_weight=weight)
    assert_close(metric(p, labels, positive=0, **options), other, rtol=1e-12)
    assert_close(metric(p, xp.asarray(t == 1), **options), expected, rtol=1e-12)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("seed", range(14))
@pytest.mark.parametrize("average", ["macro", "weighted", None])
@pytest.mark.parametrize("name", AREAS)
def test_areas_of_several_classes_are_those_against_the_rest(xp, name, average, seed):
    scores, t, weight = _case(seed, classes=4)
    metric, options = getattr(metrics, name), _options(xp, weight)
    each = [AREAS[name](t == k, scores[:, k], sample_weight=weight) for k in range(4)]
    expected = each
    if average is not None:
        support = np.bincount(t, weights=weight) if average == "weighted" else None
        expected = np.average(each, weights=support)
    arrays = xp.asarray(scores), xp.asarray(t)
    assert_close(metric(*arrays, average=average, **options), expected, rtol=1e-12)
    one_hot = xp.asarray(np.eye(4)[t])
    found = metric(arrays[0], one_hot, average=average, **options)
    assert_close(found, expected, rtol=1e-12)
    some = metric(*arrays, average=None, labels=[2, 0], **options)
    assert_close(some, [each[2], each[0]], rtol=1e-12)


def test_areas_of_probabilities_agree_with_scikit_learn_on_several_classes(rng):
    p, t = rng.dirichlet(np.ones(4), 90), rng.integers(0, 4, 90)
    for average in ("macro", "weighted", None):
        expected = sk.roc_auc_score(t, p, multi_class="ovr", average=average)
        assert_close(metrics.roc_auc(p, t, average=average), expected, rtol=1e-12)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", CURVES)
def test_curves(xp, name, seed):
    scores, t, weight = _case(seed)
    options = _options(xp, weight)
    expected = CURVES[name](t, scores, sample_weight=weight)
    found = getattr(metrics, name)(xp.asarray(scores), xp.asarray(t), **options)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", AREAS)
def test_rows_that_are_ignored_are_left_out(xp, name, rng):
    scores, t = rng.normal(size=40), rng.integers(0, 2, 40)
    weight, marked = rng.random(40), np.arange(40) % 5 == 0
    hidden = np.where(marked, -100, t)
    scores[0] = math.nan  # in an ignored row
    metric, kept = getattr(metrics, name), ~marked
    for weights in (None, weight):
        expected = metric(
            scores[kept],
            t[kept],
            **_options(np, weights) if weights is None else {"weight": weight[kept]},
        )
        found = metric(
            xp.asarray(scores),
            xp.asarray(hidden),
            ignore_index=-100,
            **_options(xp, weights),
        )
        assert_close(found, to_numpy(expected), rtol=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_kernels_change_nothing_but_the_speed(monkeypatch, seed):
    scores, t, _ = _case(seed)
    scores = np.concatenate([scores, scores[:9]]).astype("f4" if seed % 3 else "f8")
    t = np.concatenate([t, 1 - t[:9]])  # with ties between the classes
    weight = np.linspace(0, 1, len(t))  # of which one is 0
    for name, weights in itertools.product((*AREAS, *CURVES), (None, weight)):
        fast = getattr(metrics, name)(scores, t, weight=weights)
        with monkeypatch.context() as patch:
            patch.setattr(_ranking, "find_kernel", lambda *arguments: None)
            slow = getattr(metrics, name)(scores, t, weight=weights)
        pairs = [(fast, slow)] if name in AREAS else zip(fast, slow, strict=True)
        for left, right in pairs:
            assert_close(left, right, rtol=1e-6 if seed % 3 else 1e-15)


HARD_SCORES = {
    "zeros of both signs": [0.0, -0.0, 0.0, -0.0, 1.0],
    "far apart": [1e300, -1e300, 1e-300, -1e-300, 0.0],
    "tiny beside huge": [5e-324, 1e308, 0.0, -5e-324, 1e308],
    "around 2": [2.0, -2.0, np.nextafter(2, 0), -np.nextafter(2, 0), 1.0],
    "neighbours": [1.0, np.nextafter(1, 2), -1.0, -np.nextafter(1, 2), 1.0],
    "infinite": [np.inf, -np.inf, 1.0, np.inf, -1.0],
    "smallest": [-1.7976931348623157e308, 0.0, 1.0, -1.0, 2.0],
    "integers": [3, -4, 3, 0, -4],
    "small integers": [*np.array([100, 127, -128, 0, 5], dtype="i1")],
    "a range of 299": [-100, 199, 0, 3, 7],
    "a range of 300": [-100, 200, 0, 3, 7],
    "large integers": [2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**62],
}


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("name", [*AREAS, *CURVES])
@pytest.mark.parametrize("case", HARD_SCORES)
def test_hard_scores_are_in_order(monkeypatch, rng, case, name, is_weighted):
    values = np.array(HARD_SCORES[case])
    scores = values[rng.integers(0, 5, 300)]
    t = rng.integers(0, 2, 300)
    options = {"weight": rng.random(300)} if is_weighted else {}
    fast = getattr(metrics, name)(scores, t, **options)
    # In place of the scores their ranks, which are easy.
    order = np.unique(scores, return_inverse=True)[1]
    monkeypatch.setattr(_ranking, "find_kernel", lambda *arguments: None)
    slow = getattr(metrics, name)(order.astype(float), t, **options)
    # Sums of 300 weights may be rounded in another order.
    rtol = 1e-13 if is_weighted else 1e-15
    if name in AREAS:
        assert_close(fast, slow, rtol=rtol)
        return
    assert_close(fast[0], slow[0], rtol=rtol)
    assert_close(fast[1], slow[1], rtol=rtol)
    thresholds = fast[2][np.isfinite(slow[2])]
    expected = np.unique(scores).astype(float)
    np.testing.assert_array_equal(np.sort(thresholds), expected)


def test_areas_of_one_class_are_undefined(xp):
    p, t = xp.asarray([0.1, 0.2]), xp.asarray([1, 1])
    assert np.isnan(to_numpy(metrics.roc_auc(p, t)))
    assert to_numpy(metrics.roc_auc(p, t, zero_division=0.0)) == 0
    assert to_numpy(metrics.average_precision(p, t)) == 1
    assert np.isnan(to_numpy(metrics.average_precision(p, t, positive=0)))
    scores = xp.asarray([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    # Of the third class there is no row: the mean is over the other two.
    assert to_numpy(metrics.roc_auc(scores, xp.asarray([1, 0]))) == 1
    each = to_numpy(metrics.roc_auc(scores, xp.asarray([1, 0]), average=None))
    np.testing.assert_array_equal(each, [1, 1, math.nan])


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int64", [2**53, 2**53 + 1, -5, 2**53 - 1]),
        ("uint64", [2**64 - 2, 2**64 - 1, 3, 2**63]),
        ("uint8", [200, 255, 0, 127]),
        ("int8", [100, 127, -128, 0]),
    ],
)
def test_integer_scores_are_ordered_as_integers(xp, dtype, values):
    scores = xp.asarray(np.array(values, dtype))
    for label in ([0, 1, 0, 0], [1, 1, 0, 0]):
        assert to_numpy(metrics.roc_auc(scores, xp.asarray(label))) == 1
    if not (xp.name == "torch" and dtype == "uint64"):  # has no such thresholds
        curve = metrics.roc_curve(scores, xp.asarray([0, 1, 0, 0]))
        assert to_numpy(curve.true_positive_rate)[1] == 1


def test_booleans_are_scores(xp):
    scores, t = xp.asarray([True, False, True, False]), xp.asarray([1, 0, 0, 0])
    area = metrics.roc_auc(scores, t)
    assert float(area) == pytest.approx(5 / 6, rel=1e-6)
    assert to_numpy(metrics.roc_curve(scores, t).thresholds).tolist() == [np.inf, 1, 0]


def test_curves_without_rows_of_a_class_have_undefined_rates(xp):
    p, t = xp.asarray([0.1, 0.2]), xp.asarray([0, 0])
    curve = metrics.roc_curve(p, t)
    assert np.isnan(to_numpy(curve.true_positive_rate)).all()
    assert_close(curve.false_positive_rate, [0, 0.5, 1], rtol=1e-15)
    assert np.isnan(to_numpy(metrics.precision_recall_curve(p, t).recall)).all()


def test_results_have_the_dtype_of_the_scores(xp, rng):
    p = xp.asarray(rng.normal(size=9).astype(np.float32))
    t = xp.asarray(np.arange(9) % 2)
    for metric in (metrics.roc_auc, metrics.average_precision):
        assert metric(p, t).dtype == xp.float32
    for array in (*metrics.roc_curve(p, t), *metrics.precision_recall_curve(p, t)):
        assert array.dtype == xp.float32


@pytest.mark.parametrize("name", CURVES)
def test_rows_without_weight_are_no_points_of_a_curve(xp, name, rng):
    scores, t, kept = rng.normal(size=20), np.arange(20) % 2, np.arange(20) % 3 > 0
    weight = xp.asarray(1.0 * kept)
    found = getattr(metrics, name)(xp.asarray(scores), xp.asarray(t), weight=weight)
    expected = getattr(metrics, name)(scores[kept], t[kept])
    for left, right in zip(found, expected, strict=True):
        assert_close(left, right, rtol=1e-14)


def test_sums_that_are_rounded_apart_keep_the_range(monkeypatch, rng):
    """Those that a device takes in parallel need not rise from row to row."""
    exact = _ranking._sums_from

    def rounded(xp, weights, first):
        sums = exact(xp, weights, first)
        return sums * (1 + 1e-15 * rng.choice([-1, 0, 1], sums.shape))

    monkeypatch.setattr(_ranking, "_sums_from", rounded)
    monkeypatch.setattr(_ranking, "find_kernel", lambda *arguments: None)
    for _ in range(50):
        t, weight = np.arange(20) % 2, rng.random(20)
        for scores in (1.0 * t, 1.0 - t, rng.random(20)):
            for name in AREAS:
                assert 0 <= getattr(metrics, name)(scores, t, weight=weight) <= 1
            curve = metrics.roc_curve(scores, t, weight=weight)
            for rates in (curve[:2], metrics.precision_recall_curve(scores, t)[:2]):
                assert 0 <= np.min(rates) <= np.max(rates) <= 1
