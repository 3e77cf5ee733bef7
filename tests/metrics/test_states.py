"""States of many batches: merging any split is the whole, on every backend."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
import pytest
from cases.compare import assert_close
from cases.libraries import WITH_LAZY
from cases.metrics import ERRORS, RATIOS, WHOLE
from hypothesis import given
from hypothesis import strategies as st

from xgrad import batch_mean, metrics, to_numpy
from xgrad.metrics import Classification, Mean, Probabilities, Regression


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
    seen = empty.update(np.array([0]), np.array([0]))
    assert (empty + seen).accuracy() == (seen + empty).accuracy() == 1
    assert (empty + empty).counts is None
    assert (Mean() + Mean().update(np.array([2.0]))).mean() == 2


UNSEEN = [
    (state, name, {"beta": 1.0} if name == "f_beta" else {})
    for state in (Classification(3), Regression(), Mean(), Probabilities())
    for name, method in vars(type(state)).items()
    if callable(method) and not name.startswith("_") and name != "update"
]


@pytest.mark.parametrize(("state", "name", "options"), UNSEEN)
def test_a_result_that_was_dropped_is_not_taken_for_zeros(state, name, options):
    with pytest.raises(ValueError, match=r"seen no rows.*`state = state\.update"):
        getattr(state, name)(**options)


def test_a_mean_takes_the_loss_of_each_batch(xp):
    losses, sizes = [2.0, 5.0, 3.0], [4, 2, 1]
    state = Mean()
    for loss, size in zip(losses, sizes, strict=True):
        state = state.update(xp.asarray(loss), weight=size)
    assert_close(state.mean(), np.average(losses, weights=sizes), rtol=1e-15)
    again = sum(
        Mean().update(xp.asarray(loss), weight=xp.asarray(1.0 * size))
        for loss, size in zip(losses, sizes, strict=True)
    )
    assert_close(again.mean(), to_numpy(state.mean()), rtol=1e-15)
    # A Python number joins the library of what was seen.
    assert_close(state.update(7.0).mean(), (8 + 10 + 3 + 7) / 8, rtol=1e-15)
    assert Mean().update(2.0).update(3).mean() == 2.5


def test_states_are_frozen_and_arguments_stay(rng):
    p, t = rng.integers(0, 3, (2, 10))
    state = Classification(3).update(p, t)
    before = state.counts.copy()
    state.update(p, t)
    _ = state + state
    counted = state.confusion_matrix()
    counted += 1
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


def test_reports_print_as_tables_and_are_mappings(xp):
    p, t = xp.asarray([0, 1, 1, 2]), xp.asarray([0, 1, 0, 2])
    state = Classification(3).update(p, t)
    data = state.report(names=["cat", "dog", "bird"])
    printed = str(data)
    assert list(data) == ["cat", "dog", "bird", "macro", "weighted", "accuracy"]
    assert data["accuracy"] == 0.75
    assert data["dog"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert data["weighted"]["support"] == 4
    assert data["macro"]["f1"] == to_numpy(state.f1())
    assert len(printed.splitlines()) == 7
    assert "dog     0.5000     1.0000     0.6667          1" in printed
    assert state.report()["0"] == data["cat"]
    assert repr(data) == printed
    assert dict(metrics.classification_report(p, t, num_classes=3)) == dict(
        state.report()
    )
    assert all(line == line.rstrip() for line in str(data).splitlines())
    html = state.report(names=["<a>", "b", "c"])._repr_html_()
    assert "<th>&lt;a&gt;</th><td>1.0000</td><td>0.5000</td>" in html
    assert html.count("<tr>") == 7
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
    with pytest.raises(ValueError, match="not sum to 0, but the sum of weight is 0"):
        nothing.compute()
    ignored = metrics.accuracy(labels, labels, num_classes=1, ignore_index=0)
    with pytest.raises(ValueError, match="the number of such rows is 0"):
        ignored.compute()


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
    (lambda: metrics.max_error(*np.ones((2, 0)), weight=np.ones(0)), "no rows"),
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


@pytest.mark.parametrize("state", [Mean, Regression])
def test_values_are_not_taken_for_moments(state):
    with pytest.raises(TypeError, match="positional argument"):
        state(np.arange(11.0))


def test_other_things_cannot_be_added():
    with pytest.raises(TypeError):
        Classification(2) + 1
    with pytest.raises(TypeError):
        Mean() + Regression()
    strict = pytest.importorskip("array_api_strict", reason="not installed")
    there = Mean().update(strict.asarray([1.0]))
    with pytest.raises(TypeError, match="different libraries"):
        Mean().update(np.ones(1)) + there
