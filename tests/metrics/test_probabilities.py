"""Metrics of probabilities, against scikit-learn and over any split of the rows."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY

from xgrad import metrics, to_numpy
from xgrad.metrics import Probabilities

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
NAMES = ("log_loss", "brier_score", "expected_calibration_error")
BINS = 8


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def _calibration(t, p, sample_weight=None):
    """The definition, in a loop over bins."""
    weight = np.ones(len(t)) if sample_weight is None else sample_weight
    confidence, right = (p, t == 1) if p.ndim == 1 else (p.max(-1), p.argmax(-1) == t)
    error = 0.0
    for k in range(BINS):
        low, high = k / BINS, (k + 1) / BINS
        inside = (confidence > low) & (confidence <= high)
        error += abs(np.sum((weight * (right - confidence))[inside]))
    return error / weight.sum()


def _brier(t, p, sample_weight=None):
    labels = range(2 if p.ndim == 1 else p.shape[1])
    return sk.brier_score_loss(t, p, labels=labels, sample_weight=sample_weight)


PEERS = {
    "log_loss": sk.log_loss,
    "brier_score": _brier,
    "expected_calibration_error": _calibration,
}


def _metric(name):
    function = getattr(metrics, name)
    options = {"bins": BINS} if "calibration" in name else {}
    return lambda *args, **more: function(*args, **options, **more)


def _case(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(9, 50))
    classes = (1, 2, 4)[seed % 3]
    t = rng.integers(0, max(classes, 2), count)
    t[: max(classes, 2)] = range(max(classes, 2))
    p = rng.random(count)
    if classes > 1:
        p = rng.dirichlet(np.ones(classes), count)
    return p, t, rng.uniform(0.1, 2, count) if seed % 2 else None


@pytest.mark.sampled(5)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", NAMES)
def test_agreement_with_scikit_learn(xp, name, seed):
    p, t, weight = _case(seed)
    expected = PEERS[name](t, p, sample_weight=weight)
    options = {} if weight is None else {"weight": xp.asarray(weight)}
    found = _metric(name)(xp.asarray(p), xp.asarray(t), **options)
    assert_close(found, expected, rtol=1e-12)
    target = np.eye(p.shape[1])[t] if p.ndim == 2 else t == 1
    found = _metric(name)(xp.asarray(p), xp.asarray(target), **options)
    assert_close(found, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_any_split_merges_to_the_whole(xp, seed):
    p, t, _ = _case(seed)
    state = Probabilities(BINS)
    for part in (slice(0, 4), slice(4, 5), slice(5, None)):
        state += Probabilities(BINS).update(xp.asarray(p[part]), xp.asarray(t[part]))
    for name in NAMES:
        assert_close(getattr(state, name)(), _metric(name)(p, t), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_ignored_are_left_out(xp, name):
    p, t, _ = _case(2)
    marked = np.arange(len(t)) % 3 == 0
    broken = np.where(marked[:, None], math.nan, p)
    hidden = xp.asarray(np.where(marked, -1, t))
    found = _metric(name)(xp.asarray(broken), hidden, ignore_index=-1)
    assert_close(found, _metric(name)(p[~marked], t[~marked]), rtol=1e-13)


def test_nothing_is_clipped(xp):
    p, t = xp.asarray([[1.0, 0.0], [0.25, 0.75]]), xp.asarray([1, 1])
    assert to_numpy(metrics.log_loss(p, t)) == math.inf
    none = xp.asarray([0.0, 1.0])
    assert_close(metrics.log_loss(p, t, weight=none), -math.log(0.75), rtol=1e-15)
    tiny = metrics.log_loss(xp.asarray([1e-20]), xp.asarray([0]))
    assert_close(tiny, 1e-20, rtol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_results_have_the_dtype_of_the_probabilities(xp, name):
    p, t, _ = _case(0)
    found = _metric(name)(xp.asarray(p.astype(np.float32)), xp.asarray(t))
    assert found.dtype == xp.float32
    assert_close(found, _metric(name)(p, t), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        ([0.5, 1.5], [0, 1], r"lie in \[0, 1\], but prediction\[1\] is 1.5"),
        ([[0.5, 0.5], [0.5, 0.6]], [0, 1], "rows that sum to 1"),
        ([0.5, 0.5], [0, 2], r"\[0, 2\), but target\[1\] is 2"),
        ([0.5, math.nan], [0, 1], "no nan"),
    ],
)
def test_bad_values_are_named(xp, name, prediction, target, message):
    with pytest.raises(ValueError, match=message):
        to_numpy(_metric(name)(xp.asarray(prediction), xp.asarray(target)))


def test_states_of_other_bins_are_not_added():
    with pytest.raises(ValueError, match="2 and 3 bins"):
        Probabilities(2) + Probabilities(3)


@pytest.mark.parametrize("name", NAMES)
def test_no_row_that_counts_is_told_by_what_is_missing(xp, name):
    p, t = xp.asarray([0.2, 0.3]), xp.asarray([0, 0])
    cases = [
        ((p[:0], t[:0]), {}, "of no rows is undefined"),
        ((p, t), {"ignore_index": 0}, "`target` must have a row that is not ignored"),
        ((p, t), {"weight": 0 * p}, "`weight` must not sum to 0, but the sum of"),
    ]
    for rows, options, message in cases:
        with pytest.raises(ValueError, match=message):
            to_numpy(_metric(name)(*rows, **options))
