"""Metrics of numbers: right, of any scale, and sure of what is undefined."""

import math

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from cases.metrics import ERRORS, LOSSES

from xgrad import metrics, to_numpy
from xgrad.metrics import Mean, Regression

SKLEARN = "sklearn.metrics"


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def test_regression_agrees_with_scikit_learn(xp):
    sk = pytest.importorskip(SKLEARN, reason="scikit-learn is not installed")
    peers = {
        "r2_score": sk.r2_score,
        "explained_variance": sk.explained_variance_score,
        "mean_absolute_percentage_error": sk.mean_absolute_percentage_error,
        "median_absolute_error": sk.median_absolute_error,
        "mean_absolute_error": sk.mean_absolute_error,
        "mean_squared_error": sk.mean_squared_error,
        "root_mean_squared_error": sk.root_mean_squared_error,
    }
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shape = [(30,), (31,), (20, 3)][seed % 3]
        t = rng.normal(size=shape) + 3
        p = t + rng.normal(size=shape)
        weight = rng.integers(1, 4, shape[0]).astype(float) if seed > 2 else None
        options = {} if weight is None else {"weight": xp.asarray(weight)}
        for name, peer in peers.items():
            if weight is not None and name in LOSSES:
                continue  # losses take a weight for each element
            if "root" in name and len(shape) > 1:
                continue  # the root of the mean, not the mean of the roots
            if xp.name == "dask" and name == "median_absolute_error":
                continue  # refused, see below
            found = getattr(metrics, name)(xp.asarray(p), xp.asarray(t), **options)
            expected = peer(t, p, sample_weight=weight)
            assert_close(found, expected, rtol=1e-12)
        assert_close(metrics.max_error(p, t), np.abs(p - t).max(), rtol=0)
        for name in ("r2_score", "explained_variance"):
            each = getattr(metrics, name)(xp.asarray(p), xp.asarray(t), average=None)
            expected = peers[name](t, p, multioutput="raw_values")
            assert_close(each, expected if len(shape) > 1 else expected[0], rtol=1e-12)


@pytest.mark.parametrize("first", [1e20, -9999.0, math.nan, math.inf])
def test_a_first_row_without_weight_decides_nothing(xp, first):
    weight = xp.asarray([0.0, 1.0, 1.0, 1.0])
    p, t = xp.asarray([0.0, 1.1, 2.0, 3.0]), xp.asarray([first, 1.0, 2.0, 3.0])
    assert_close(metrics.r2_score(p, t, weight=weight), 0.995, rtol=1e-12)
    assert_close(Mean().update(t, weight=weight).mean(), 2.0, rtol=1e-14)
    alone = Mean().update(t[:1], weight=weight[:1])
    assert_close((alone + Mean().update(t[1:])).mean(), 2.0, rtol=1e-14)
    if math.isfinite(first):
        assert_close(metrics.max_error(p, t, weight=weight), 0.1, rtol=1e-12)


def test_infinite_values_are_infinite_in_any_order(xp):
    for values in ([math.inf, 1.0], [1.0, math.inf]):
        p, t = xp.asarray(values), xp.asarray([0.0, 1.0])
        assert to_numpy(Mean().update(p).mean()) == math.inf
        state = Regression().update(p, t)
        assert to_numpy(state.mean_squared_error()) == math.inf
        parts = Mean().update(p[:1]) + Mean().update(p[1:])
        assert to_numpy(parts.mean()) == math.inf


def test_no_weight_at_all_is_refused_or_unknown(xp):
    p, t, none = (xp.asarray(a) for a in ([1.0, 2, 4], [1.5, 3, 9], [0.0, 0, 0]))
    state = Regression().update(p, t, weight=none)
    for name in ERRORS:
        assert np.isnan(to_numpy(getattr(state, name)())), name
        if name not in LOSSES:
            with pytest.raises(ValueError, match="`weight` must not sum to 0"):
                to_numpy(getattr(metrics, name)(p, t, weight=none))
    empty = Regression().update(p[:0], t[:0])
    for name in ERRORS:
        assert np.isnan(to_numpy(getattr(empty, name)())), name
    assert_close((empty + Regression().update(p, t)).max_error(), 5.0, rtol=0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1.0, -1.0, 1.0], r"not be negative or nan, but weight\[1\] is -1"),
        ([1.0, 1.0, math.nan], r"not be negative or nan, but weight\[2\] is nan"),
        ([1e308, 1e308, 0.0], "have a finite sum"),
    ],
)
def test_bad_weights_of_numbers_are_refused(xp, bad, message):
    p, t, weight = (xp.asarray(a) for a in ([1.0, 2, 4], [1.5, 3, 9], bad))
    calls = [Regression().update, lambda p, t, weight: Mean().update(p, weight=weight)]
    calls += [getattr(metrics, name) for name in ERRORS if name not in LOSSES]
    assert metrics.r2_score in calls
    assert metrics.max_error in calls

    def compute(call):
        found = call(p, t, weight=weight)
        return to_numpy(getattr(found, "moments", found))

    for call in calls:
        if xp.name == "dask" and call is metrics.median_absolute_error:
            continue  # refused, see below
        with pytest.raises(ValueError, match=f"`weight` must {message}"):
            compute(call)


def test_weighted_constants_have_no_spread(rng):
    for _ in range(1000):
        t, weight = np.full(10, rng.normal()), rng.random(10)
        assert metrics.r2_score(t + rng.normal(size=10), t, weight=weight) == 0
        assert Mean().update(t, weight=9 * weight).variance() == 0
        parts = [Mean().update(t[s], weight=weight[s]) for s in (slice(4), slice(4, 8))]
        assert sum(parts).moments[4] == 0


def test_targets_and_weights_stay_wide_beside_narrow_predictions(xp):
    p = xp.asarray(np.array([16777216.0, 1.0], np.float32))
    assert to_numpy(metrics.max_error(p, xp.asarray([16777217.0, 1.0]))) == 1
    state = Mean().update(p, weight=xp.asarray([2.0**24, 2.0**24 + 1]))
    assert to_numpy(state.moments)[1] == 2.0**25 + 1


def test_large_errors_raise_no_warning(xp):
    huge = xp.asarray(np.array([3e38, 1.0], np.float32))
    assert to_numpy(metrics.max_error(huge, -huge)) == math.inf
    tiny = xp.asarray(np.array([1e-38, 1.0], np.float32))
    assert to_numpy(metrics.mean_absolute_percentage_error(huge, tiny)) == math.inf
    state = Regression().update(xp.asarray([1e200, 1.0]), xp.asarray([0.0, 1.0]))
    assert to_numpy(state.mean_squared_error()) == math.inf


def test_the_scale_of_weights_is_none_of_a_median(rng):
    p = np.array([1.0, 2, 3, 4, 5, 6])
    for weight in (0.1, 1 / 3, 7.7):
        found = metrics.median_absolute_error(p, 0 * p, weight=np.full(6, weight))
        assert found == 3.5
    unknown = np.array([math.nan, 1.0, 2.0])
    weight = np.array([0.0, 1.0, 1.0])
    assert metrics.median_absolute_error(unknown, 0 * p[:3], weight=weight) == 1.5


def test_medians_count_rows_by_weight(rng):
    p, weight = rng.normal(size=20), rng.integers(0, 4, 20)
    t = np.zeros(20)
    found = metrics.median_absolute_error(p, t, weight=weight)
    assert_close(found, np.median(np.repeat(np.abs(p), weight)), rtol=1e-14)
    each = metrics.median_absolute_error(
        np.stack([p, 2 * p], 1), np.zeros((20, 2)), average=None
    )
    assert_close(each, np.median(np.abs(p)) * np.array([1, 2]), rtol=1e-14)
    p[3] = math.nan
    assert np.isnan(metrics.median_absolute_error(p, t))


def test_rules_of_r2(xp):
    one, same = xp.asarray([2.0]), xp.asarray([0.1, 0.1, 0.1])
    assert np.isnan(to_numpy(metrics.r2_score(one, one)))
    assert to_numpy(metrics.r2_score(same, same)) == 1
    assert to_numpy(metrics.r2_score(2 * same, same)) == 0
    assert to_numpy(metrics.explained_variance(2 * same, same)) == 1
    state = Regression().update(same[:1], same[:1]).update(same[1:], same[1:])
    assert to_numpy(state.r2_score()) == 1


def test_a_relative_error_of_zero_targets_is_infinite_or_none(xp):
    """scikit-learn divides by eps, which gives an arbitrary large number."""
    p, t = xp.asarray([0.0, 1.0]), xp.asarray([0.0, 1.0])
    assert to_numpy(metrics.mean_absolute_percentage_error(p, t)) == 0
    assert to_numpy(metrics.mean_absolute_percentage_error(p, 0 * t)) == math.inf


def test_a_large_mean_does_not_swallow_r2(xp):
    rng = np.random.default_rng(1)
    t = (1e4 + rng.normal(size=4000)).astype(np.float32)
    p = (t + rng.normal(size=4000) / 2).astype(np.float32)
    wide_p, wide_t = p.astype(float), t.astype(float)
    spread = np.sum((wide_t - wide_t.mean()) ** 2)
    exact = 1 - np.sum((wide_p - wide_t) ** 2) / spread
    assert_close(metrics.r2_score(xp.asarray(p), xp.asarray(t)), exact, rtol=1e-4)
    state = Regression()
    for i in range(0, 4000, 500):
        rows = slice(i, i + 500)
        state = state.update(xp.asarray(p[rows]), xp.asarray(t[rows]))
    assert_close(state.r2_score(), exact, rtol=1e-6)
    small = (wide_p * 1e-6).astype(np.float32), (-wide_t * 1e-6).astype(np.float32)
    assert to_numpy(metrics.r2_score(*map(xp.asarray, small))) < -100
