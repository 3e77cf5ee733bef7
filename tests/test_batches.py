"""Mini-batches: every row once, the same order everywhere, an honest error."""

import math
import pickle
from itertools import chain

import numpy as np
import pytest
from cases.compare import assert_close
from hypothesis import given
from hypothesis import strategies as st

from xgrad import batch_mean, batches, random_batch, to_numpy


def _rows(iterator):
    return [to_numpy(batch[0]).tolist() for batch in iterator]


@given(
    count=st.integers(1, 60),
    size=st.integers(1, 60),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
)
def test_every_row_comes_once(count, size, drop_last, shuffle):
    size = min(size, count)
    rows = np.arange(count)
    found = _rows(batches(rows, size=size, drop_last=drop_last, shuffle=shuffle))
    kept = count - count % size if drop_last else count
    assert len(found) == math.ceil(kept / size)
    assert all(len(batch) == size for batch in found[:-1])
    joined = list(chain.from_iterable(found))
    assert len(joined) == kept
    assert len(set(joined)) == kept
    if not shuffle:
        assert joined == list(range(kept))


def test_one_order_on_every_backend(xp):
    rows = np.arange(40)
    here = _rows(batches(xp.asarray(rows), size=7, seed=3, epoch=2))
    assert here == _rows(batches(rows, size=7, seed=3, epoch=2))
    drawn = to_numpy(random_batch(xp.asarray(rows), size=9, seed=3)[0])
    np.testing.assert_array_equal(drawn, random_batch(rows, size=9, seed=3)[0])


def test_seed_and_epoch_decide_the_order():
    rows = np.arange(100)
    orders = [
        tuple(chain(*_rows(batches(rows, size=50, seed=seed, epoch=epoch))))
        for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    assert len(set(orders)) == 4
    assert _rows(batches(rows, size=50)) != _rows(batches(rows, size=50))


def test_arrays_stay_together(xp, rng):
    x, y = rng.normal(size=(23, 2, 3)), np.arange(23)
    for x_batch, y_batch in batches(xp.asarray(x), xp.asarray(y), size=5, seed=1):
        np.testing.assert_array_equal(to_numpy(x_batch), x[to_numpy(y_batch)])
        assert x_batch.dtype == xp.float64
    picked, labels = random_batch(xp.asarray(x), xp.asarray(y), size=5, seed=1)
    np.testing.assert_array_equal(to_numpy(picked), x[to_numpy(labels)])


def test_unshuffled_batches_are_views():
    rows = np.arange(10.0)
    for (batch,) in batches(rows, size=4, shuffle=False):
        assert np.shares_memory(batch, rows)


def test_each_iteration_is_the_next_epoch(xp):
    rows = xp.asarray(np.arange(23))
    loader = batches(rows, size=5, seed=3, epoch=1)
    for epoch in (1, 2, 3):
        assert loader.epoch == epoch
        assert len(loader) == 5
        assert _rows(loader) == _rows(batches(rows, size=5, seed=3, epoch=epoch))


def test_epochs_without_a_seed_or_an_order():
    rows = np.arange(100)
    loader = batches(rows, size=50)
    assert _rows(loader) != _rows(loader)
    loader = batches(rows, size=50, shuffle=False)
    assert _rows(loader) == _rows(loader) == [rows[:50].tolist(), rows[50:].tolist()]


def test_epochs_may_be_read_side_by_side():
    rows = np.arange(20)
    loader = batches(rows, size=6, seed=0)
    pairs = list(zip(loader, loader, strict=True))
    orders = [_rows(batches(rows, size=6, seed=0, epoch=e)) for e in (0, 1)]
    assert [_rows(side) for side in zip(*pairs, strict=True)] == orders


@pytest.mark.parametrize("options", [{"seed": 4}, {"shuffle": False}])
def test_batches_can_be_pickled(xp, options):
    rows = xp.asarray(np.arange(20))
    loader = batches(rows, size=6, **options)
    first = _rows(loader)
    resumed = pickle.loads(pickle.dumps(loader))
    assert _rows(resumed) == _rows(loader)
    assert (_rows(resumed) == first) == ("seed" not in options)


def test_stratified_batches_can_be_pickled():
    labels = np.arange(20) % 3
    loader = batches(labels, size=6, seed=0, stratify=labels)
    assert _rows(pickle.loads(pickle.dumps(loader))) == _rows(loader)


def test_an_interrupted_epoch_goes_on(xp):
    rows = xp.asarray(np.arange(23))
    epochs = batches(rows, size=5, seed=3, epoch=1)
    whole, following = _rows(epochs), _rows(epochs)
    for start in range(7):
        rest = batches(rows, size=5, seed=3, epoch=1, start=start)
        assert len(rest) == 5
        assert _rows(rest) == whole[start:]
        # The epochs after the interrupted one are complete.
        assert _rows(rest) == following
    plain = batches(rows, size=5, shuffle=False, start=2)
    assert _rows(plain) == _rows(batches(rows, size=5, shuffle=False))[2:]
    assert len(_rows(plain)) == 5


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    size=st.integers(1, 50),
    seed=st.integers(0, 9),
)
def test_stratified_batches_have_every_label_at_its_share(counts, size, seed):
    labels = np.repeat(np.arange(len(counts)) * 3 - 4, counts)
    size = min(size, len(labels))
    rows = np.arange(len(labels))
    found = _rows(batches(rows, size=size, seed=seed, stratify=labels))
    assert sorted(chain.from_iterable(found)) == rows.tolist()
    for batch in found:
        for label, count in zip(np.unique(labels), counts, strict=True):
            expected = len(batch) * count / len(labels)
            # One row at each end of the batch, and half a row for each label.
            found_here = np.sum(labels[batch] == label)
            assert abs(found_here - expected) < 2 + len(counts) / 2
    other = _rows(batches(rows, size=size, seed=seed + 10, stratify=labels))
    assert len(rows) < 10 or max(counts) < 10 or found != other


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    size=st.integers(1, 200),
    replace=st.booleans(),
)
def test_stratified_draws_have_every_label_at_its_share(counts, size, replace):
    labels = np.repeat(np.arange(len(counts)), counts)
    size = size if replace else min(size, len(labels))
    rows = np.arange(len(labels))
    options = {"seed": 1, "replace": replace, "stratify": labels}
    (drawn,) = random_batch(rows, size=size, **options)
    assert len(drawn) == size
    assert replace or len(set(drawn.tolist())) == size
    shares = np.bincount(labels[drawn], minlength=len(counts))
    assert np.all(np.abs(shares - size * np.array(counts) / len(labels)) < 1)


def test_stratified_orders_are_the_same_on_every_backend(xp, rng):
    rows, labels = np.arange(40), rng.integers(0, 3, 40).astype(np.uint8)
    options = {"size": 7, "seed": 3}
    here = _rows(batches(rows, stratify=labels, **options))
    there = batches(xp.asarray(rows), stratify=xp.asarray(labels), **options)
    assert _rows(there) == here
    drawn = random_batch(xp.asarray(rows), stratify=xp.asarray(labels), **options)
    expected = random_batch(rows, stratify=labels, **options)
    np.testing.assert_array_equal(to_numpy(drawn[0]), expected[0])


def test_drawing_with_replacement_repeats_rows():
    (rows,) = random_batch(np.arange(5), size=100, seed=0, replace=True)
    assert rows.shape == (100,)
    assert set(rows.tolist()) == set(range(5))
    (rows,) = random_batch(np.arange(60_000), size=100, seed=0)
    assert len(set(rows.tolist())) == 100


def test_mean_and_standard_error(xp, rng):
    values = rng.normal(size=50)
    mean, error = batch_mean(xp.asarray(values))
    assert_close(mean, values.mean(), rtol=1e-14)
    assert_close(error, values.std(ddof=1) / math.sqrt(50), rtol=1e-14)
    _, error = batch_mean(xp.asarray(values), population=200)
    expected = values.std(ddof=1) / math.sqrt(50) * math.sqrt(1 - 50 / 200)
    assert_close(error, expected, rtol=1e-14)


def test_the_whole_population_has_no_error(xp):
    for values in ([1.0, 2.0, 5.0], [4.0]):
        _, error = batch_mean(xp.asarray(values), population=len(values))
        assert to_numpy(error) == 0


def test_one_row_of_many_has_an_unknown_error(xp):
    mean, error = batch_mean(xp.asarray([2.0]), population=10)
    assert to_numpy(mean) == 2
    assert np.isnan(to_numpy(error))


def test_the_standard_error_is_what_repeated_draws_show(rng):
    population = rng.exponential(size=1000)
    means, errors = zip(
        *(
            batch_mean(random_batch(population, size=300, seed=s)[0], population=1000)
            for s in range(800)
        ),
        strict=True,
    )
    # 800 draws know their own spread to about 1 / sqrt(2 * 800) = 2.5 %.
    assert_close(np.std(means), np.mean(errors), rtol=0.1)


def test_a_large_mean_does_not_swallow_the_spread(xp):
    values = np.array([1e4, 1e4 + 1, 1e4 + 2], np.float32)
    mean, error = batch_mean(xp.asarray(values))
    assert mean.dtype == xp.float32
    assert_close(error, 1 / math.sqrt(3), rtol=1e-6)


def test_rows_that_dask_has_not_counted_are_asked_for():
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    values = da.arange(9, chunks=2)
    unknown = values[values > 3]
    for call in (
        lambda: batch_mean(1.0 * unknown),
        lambda: batches(unknown, size=2, seed=0),
        lambda: random_batch(unknown, size=2),
    ):
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            call()


ROWS = np.arange(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batches(ROWS, size=5), "`size` is 5, but there are only 4 rows"),
        (lambda: random_batch(ROWS, size=5), "`size` is 5, but there are only 4"),
        (
            lambda: random_batch(ROWS[:0], size=1, replace=True),
            "no rows to make batches of",
        ),
        (lambda: batches(ROWS, size=0), "`size` must be at least 1"),
        (lambda: batches(ROWS, size=2, epoch=1), "`seed` is not given"),
        (lambda: batches(ROWS, size=2, seed=-1), "`seed` must be at least 0"),
        (lambda: batches(ROWS, size=2, seed=0, epoch=-1), "`epoch` must be at least"),
        (lambda: batches(ROWS, size=2, start=1), "`seed` is not given"),
        (lambda: batches(ROWS, size=2, seed=0, start=-1), "`start` must be at least 0"),
        (lambda: batches(ROWS, size=2, stratify=ROWS[:3]), r"`stratify` has shape"),
        (lambda: batches(ROWS, size=2, stratify=ROWS, shuffle=False), "decides the"),
        (lambda: random_batch(ROWS, size=2, stratify=ROWS[:3]), r"one label for each"),
        (lambda: batches(ROWS, ROWS[:3], size=2), r"have \[4, 3\] rows"),
        (lambda: batches(np.array(1.0), size=1), r"`arrays\[0\]` is 0-d"),
        (lambda: batch_mean(np.ones((2, 2))), "must be 1-d and not empty"),
        (lambda: batch_mean(np.ones(0)), "must be 1-d and not empty"),
        (lambda: batch_mean(np.ones(3), population=2), "`population` is 2"),
    ],
)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batches(size=1), "give at least one array"),
        (lambda: batches([1, 2], size=1), r"`arrays\[0\]` must be an array"),
        (lambda: batches(ROWS, size=2.0), "`size` must be an integer"),
        (lambda: batches(ROWS, size=True), "`size` must be an integer"),
        (lambda: batches(ROWS, size=2, seed="a"), "`seed` must be an integer"),
        (
            lambda: batches(ROWS, size=2, seed=np.random.default_rng(0)),
            r"pass for example `int\(rng.integers\(",
        ),
        (lambda: batches((ROWS, ROWS), size=2), r"one by one, `\*arrays\[0\]`"),
        (lambda: batches(ROWS, size=2, stratify=ROWS / 2), "`stratify` must hold int"),
        (lambda: batch_mean([1.0]), "`values` must be an array"),
    ],
)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_batches_are_shown_in_a_line():
    x = np.arange(10)
    loader = batches(x, x, size=4, seed=1)
    assert repr(loader) == (
        "Batches(3 batches of size 4; 2 arrays of 10 rows; next epoch 0)"
    )
    next(iter(loader))
    assert "; next epoch 1)" in repr(loader)
    assert repr(batches(x, size=10)).startswith("Batches(1 batch of size 10; 1 array")


def test_the_size_has_one_name():
    with pytest.raises(TypeError, match="`batch_size` is called `size` by xgrad"):
        batches(ROWS, batch_size=2)


def test_batches_of_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1, 2, 3]})
    labels = pd.Series([1, 0, 1])
    for x, y in batches(frame, labels, size=2, seed=0, stratify=labels):
        assert type(x) is type(y) is np.ndarray
        assert x.shape[1] == 2
    with pytest.raises(TypeError, match=r"`arrays\[1\]` is a pandas\.Series of dtype"):
        batches(frame, pd.Series(["a", "b", "c"]), size=2)
