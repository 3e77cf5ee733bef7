"""States of many batches: merging any split is the whole, on every backend."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from hypothesis import given
from hypothesis import strategies as st

from xgrad import batch_mean, metrics, to_numpy
from xgrad.metrics import Classification, Mean, Regression

SKLEARN = "sklearn.metrics"
RATIOS = ["precision", "recall", "f1", "specificity"]
WHOLE = ["accuracy", "balanced_accuracy", "matthews", "cohen_kappa", "confusion_matrix"]
LOSSES = ["mean_absolute_error", "mean_squared_error", "root_mean_squared_error"]
ERRORS = [
    "r2_score",
    "explained_variance",
    "mean_absolute_percentage_error",
    "mean_absolute_error",
    "mean_squared_error",
    "root_mean_squared_error",
    "max_error",
]


@pytest.fixture(params=WITH_LAZY)
def xp(request):
    return WITH_LAZY[request.param]()


def _split(rows, cuts):
    edges = [0, *sorted(c % (rows + 1) for c in cuts), rows]
    return [slice(a, b) for a, b in pairwise(edges)]


SPLITS = st.lists(st.integers(0, 1000), max_size=5)


@given(cuts=SPLITS, seed=st.integers(0, 99), weighted=st.booleans())
def test_any_split_of_labels_counts_like_the_whole(cuts, seed, weighted):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 40))
    p, t = rng.integers(0, 4, (2, rows))
    weight = rng.uniform(0.1, 2, rows) if weighted else None
    parts = [
        Classification(4).update(
            p[s], t[s], weight=None if weight is None else weight[s]
        )
        for s in _split(rows, cuts)
    ]
    state = sum(parts)
    for name in (*RATIOS, *WHOLE):
        whole = getattr(metrics, name)(p, t, num_classes=4, weight=weight)
        assert_close(getattr(state, name)(), whole, rtol=1e-12, atol=1e-14)
    turned = sum(reversed(parts))
    assert_close(turned.counts, state.counts, rtol=1e-14)


@given(
    cuts=SPLITS,
    seed=st.integers(0, 99),
    weighted=st.booleans(),
    outputs=st.sampled_from([None, 1, 3]),
    offset=st.sampled_from([0.0, 1e4, 1e8]),
)
def test_any_split_of_numbers_merges_to_the_whole(
    cuts, seed, weighted, outputs, offset
):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 40))
    shape = (rows,) if outputs is None else (rows, outputs)
    t = offset + rng.normal(size=shape)
    p = t + rng.normal(size=shape) / 3
    weight = rng.uniform(0.1, 2, rows) if weighted else None
    whole = Regression().update(p, t, weight=weight)
    parts = [
        Regression().update(p[s], t[s], weight=None if weight is None else weight[s])
        for s in _split(rows, cuts)
    ]
    state = sum(parts)
    for name in ERRORS:
        expected = getattr(whole, name)()
        assert_close(getattr(state, name)(), expected, rtol=1e-12, atol=1e-12)


@given(cuts=SPLITS, seed=st.integers(0, 99))
def test_any_split_of_a_mean_is_the_mean_of_all(cuts, seed):
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.integers(0, 9) + rng.normal(size=int(rng.integers(2, 50)))
    state = Mean()
    for part in _split(len(values), cuts):
        state = state.update(values[part])
    assert_close(state.mean(), values.mean(), rtol=1e-14)
    exact = np.var(values - values[0], ddof=1)
    assert_close(state.variance(), exact, rtol=1e-12)
    for population in (None, len(values), 10 * len(values)):
        expected = batch_mean(values, population=population)[1]
        found = state.standard_error(population=population)
        assert_close(found, expected, rtol=1e-10, atol=1e-16)


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


def test_states_stay_where_their_arrays_are(xp, rng):
    p, t = rng.integers(0, 3, (2, 10))
    state = Classification(3).update(xp.asarray(p), xp.asarray(t))
    numbers = Regression().update(xp.asarray(1.0 * p), xp.asarray(1.0 * t))
    for held in (state.counts, numbers.moments):
        assert type(held) is type(xp.asarray(p))
    assert state.counts.dtype == xp.int64
    assert numbers.moments.dtype == xp.float64
    if xp.name != "dask":
        assert state.counts.device == xp.asarray(p).device
    assert_close(state.f1(), metrics.f1(p, t), rtol=1e-12)


def test_scores_update_a_state_too(rng):
    scores, t = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    state = Classification(4).update(scores, t)
    assert_close(state.accuracy(), metrics.accuracy(scores, t), rtol=1e-14)
    with pytest.raises(ValueError, match="4 columns of scores"):
        Classification(5).update(scores, t)


def test_weights_and_counts_can_be_added(xp, rng):
    p, t = rng.integers(0, 3, (2, 10))
    arrays = xp.asarray(p), xp.asarray(t)
    weighted = Classification(3).update(*arrays, weight=xp.asarray(np.full(10, 0.5)))
    both = weighted + Classification(3).update(*arrays)
    expected = 1.5 * metrics.confusion_matrix(p, t, num_classes=3)
    assert_close(both.confusion_matrix(), expected, rtol=1e-14)


def test_nothing_seen_is_a_state_too():
    empty = Classification(3)
    assert empty.confusion_matrix().sum() == 0
    assert empty.f1() == 0
    assert np.isnan(empty.accuracy())
    seen = empty.update(np.array([0]), np.array([0]))
    assert (empty + seen).accuracy() == (seen + empty).accuracy() == 1
    assert (empty + empty).counts is None
    assert (Mean() + Mean().update(np.array([2.0]))).mean() == 2
    for unknown in (Mean().mean, Mean().variance, Regression().r2_score):
        with pytest.raises(ValueError, match="seen no rows"):
            unknown()


def test_states_are_frozen_and_arguments_stay(rng):
    p, t = rng.integers(0, 3, (2, 10))
    state = Classification(3).update(p, t)
    before = state.counts.copy()
    state.update(p, t)
    _ = state + state
    np.testing.assert_array_equal(state.counts, before)
    with pytest.raises(AttributeError, match="counts"):
        state.counts = before


def _counted(seed):
    rng = np.random.default_rng(seed)
    p, t = rng.integers(0, 3, (2, 100))
    values = rng.normal(size=(2, 100)) + 1e4
    return (
        Classification(3).update(p, t),
        Regression().update(*values),
        Mean().update(values[0]),
    )


def test_states_come_back_from_other_processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_counted, range(3)))
    for i, name in enumerate(["f1", "r2_score", "variance"]):
        merged = sum(part[i] for part in parts)
        here = sum(_counted(seed)[i] for seed in range(3))
        assert_close(getattr(merged, name)(), getattr(here, name)(), rtol=1e-14)
        again = pickle.loads(pickle.dumps(merged))
        assert getattr(again, name)() == getattr(merged, name)()


def test_reports_are_printed_and_returned(capsys, xp):
    p, t = xp.asarray([0, 1, 1, 2]), xp.asarray([0, 1, 0, 2])
    state = Classification(3).update(p, t)
    data = state.report(names=["cat", "dog", "bird"])
    printed = capsys.readouterr().out
    assert list(data) == ["cat", "dog", "bird", "macro", "weighted", "accuracy"]
    assert data["accuracy"] == 0.75
    assert data["dog"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert data["weighted"]["support"] == 4
    assert data["macro"]["f1"] == to_numpy(state.f1())
    assert len(printed.splitlines()) == 7
    assert "dog     0.5000     1.0000     0.6667          1" in printed
    assert state.report()["0"] == data["cat"]
    for names in (["a", "a", "b"], ["a", "b", "macro"], ["a", "b"]):
        with pytest.raises(ValueError, match="3 different names"):
            state.report(names=names)


# Dask


def test_sums_of_states_through_delayed_and_bags(rng):
    dask = pytest.importorskip("dask", reason="Dask is not installed")
    bag = pytest.importorskip("dask.bag", reason="Dask is not installed")
    p, t = rng.integers(0, 4, (2, 90))
    parts = [(p[i : i + 20], t[i : i + 20]) for i in range(0, 90, 20)]
    expected = metrics.f1(p, t, num_classes=4)
    start = Classification(4)
    delayed = sum(dask.delayed(start.update)(*part) for part in parts)
    assert_close(delayed.compute(scheduler="threads").f1(), expected, rtol=1e-14)
    states = bag.from_sequence(parts).map(lambda part: start.update(*part))
    found = states.fold(lambda a, b: a + b).compute(scheduler="threads")
    assert_close(found.f1(), expected, rtol=1e-14)


def test_metrics_of_dask_arrays_are_lazy():
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    loads = []

    def load(block):
        loads.append(1)
        return block

    t = da.from_array(np.arange(10) % 3, chunks=4).map_blocks(
        load, dtype=int, meta=np.empty(0, int)
    )
    scores = da.from_array(np.eye(3)[np.arange(10) % 3], chunks=(3, 2))
    lazy = {name: getattr(metrics, name)(scores, t) for name in (*RATIOS, *WHOLE)} | {
        "top_k_accuracy": metrics.top_k_accuracy(scores, t, k=2)
    }
    numbers = 1.0 * t
    lazy |= {n: getattr(metrics, n)(numbers, numbers + 1) for n in ERRORS}
    assert not loads
    assert lazy["accuracy"].compute() == lazy["f1"].compute() == 1
    assert lazy["top_k_accuracy"].compute() == 1
    assert_close(
        lazy["r2_score"],
        metrics.r2_score(np.arange(10) % 3 * 1.0, np.arange(10) % 3 + 1.0),
        rtol=1e-12,
    )
    assert len(loads) > 1


def test_what_dask_cannot_do_is_said():
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    labels = da.zeros(4, chunks=2, dtype=int)
    with pytest.raises(ValueError, match="give `num_classes`"):
        metrics.f1(labels, labels)
    with pytest.raises(TypeError, match="`roc_auc` sorts all rows"):
        metrics.roc_auc(1.0 * labels, labels)
    with pytest.raises(TypeError, match="`median_absolute_error` sorts all rows"):
        metrics.median_absolute_error(1.0 * labels, labels)
    bad = da.from_array(np.array([0, 1, 0, 7]), chunks=2)
    for metric in (metrics.f1, metrics.accuracy, metrics.confusion_matrix):
        lazy = metric(labels, bad, num_classes=2)
        with pytest.raises(ValueError, match=r"target\[3\] is 7"):
            lazy.compute()
    scores = da.from_array(np.array([[0.0, 1], [1, 0], [np.nan, 1], [1, 0]]), chunks=1)
    for metric in (metrics.f1, metrics.accuracy):
        lazy = metric(scores, labels)
        with pytest.raises(ValueError, match=r"prediction\[2, 0\] is nan"):
            lazy.compute()
    nothing = metrics.accuracy(labels, labels, num_classes=1, weight=0 * labels)
    with pytest.raises(ValueError, match="not sum to 0"):
        nothing.compute()


BAD = [
    (lambda: Classification(0), "`num_classes` must be at least 1"),
    (lambda: Classification(2) + Classification(3), "2 and 3 classes"),
    (lambda: Classification(2).f_beta(beta=-1), "`beta` must be at least 0"),
    (lambda: metrics.r2_score(np.ones((3, 0)), np.ones((3, 0))), "at least one column"),
    (lambda: Classification(3).f1(average="binary"), "two classes"),
    (lambda: Mean().update(np.ones((2, 2))), "must be 1-d"),
    (lambda: Mean().update(np.ones(2), weight=np.ones(3)), "one entry for each row"),
    (lambda: Regression().update(np.ones(2), np.ones((2, 1))), "never broadcasts"),
    (lambda: Regression().update(np.ones((1, 1, 1)), np.ones((1, 1, 1))), r"\(N, K\)"),
    (lambda: metrics.r2_score(np.ones(0), np.ones(0)), "no rows to compare"),
    (lambda: metrics.r2_score(np.ones(2), np.ones(2), average="mean"), "'uniform'"),
    (
        lambda: (
            Regression().update(np.ones(2), np.ones(2))
            + Regression().update(np.ones((2, 2)), np.ones((2, 2)))
        ),
        "different numbers of outputs",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_things_cannot_be_added():
    with pytest.raises(TypeError):
        Classification(2) + 1
    with pytest.raises(TypeError):
        Mean() + Regression()
    strict = pytest.importorskip("array_api_strict", reason="not installed")
    there = Mean().update(strict.asarray([1.0]))
    with pytest.raises(TypeError, match="different libraries"):
        Mean().update(np.ones(1)) + there
