"""Losses of arrays whose values are not there yet: Dask, and what JAX traces."""

import pickle

import numpy as np
import pytest
from cases.compare import assert_close
from cases.losses import LOSSES, chosen, needed, on, sample

from xgrad import gradient, losses, special, to_numpy

EPS = 2.0**-52
SUMMABLE = [name for name, loss in LOSSES.items() if "sum" in loss.reductions]


@pytest.fixture
def da():
    return pytest.importorskip("dask.array", reason="Dask is not installed")


@pytest.fixture
def jax():
    module = pytest.importorskip("jax", reason="JAX is not installed")
    module.config.update("jax_enable_x64", True)
    return module


# Dask


class Counted:
    """Blocks of an array, and how many of them were asked for."""

    def __init__(self, da, values, chunks):
        self.loads = 0
        whole = np.asarray(values)

        def load(block):
            self.loads += 1
            return block

        source = da.from_array(whole, chunks=chunks)
        self.array = source.map_blocks(load, meta=whole[:0], dtype=whole.dtype)


def _blocks(array):
    return (2, 3)[: array.ndim]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("check", [True, False])
def test_nothing_is_computed_before_it_is_asked_for(da, rng, name, check):
    loss = LOSSES[name]
    sources = [Counted(da, a, _blocks(a)) for a in sample(loss, rng)]
    options = {
        n: da.from_array(v, chunks=2) if isinstance(v, np.ndarray) else v
        for n, v in chosen(loss).items()
    }
    value, slope = loss.value_and_grad(
        *(s.array for s in sources), check=check, **options
    )
    assert [s.loads for s in sources] == [0, 0]
    assert tuple(value.shape) == ()
    assert slope.shape == sources[0].array.shape
    expected = loss.value_and_grad(*sample(loss, _again()), **chosen(loss))
    import dask

    found = dask.compute(value, slope)
    assert all(s.loads > 0 for s in sources)
    for actual, right in zip(found, expected, strict=True):
        assert_close(actual, right, rtol=16 * EPS, atol=4 * EPS)


def _again():
    return np.random.default_rng(20261124)


@pytest.mark.parametrize("name", SUMMABLE)
def test_losses_of_rows_keep_their_chunks(da, rng, name):
    loss = LOSSES[name]
    p, t = (da.from_array(a, chunks=_blocks(a)) for a in sample(loss, rng))
    options = dict.fromkeys(needed(loss), 1.0)
    each, slope = loss.value_and_grad(p, t, reduction="none", **options)
    assert each.chunks == (p.chunks[:1] if loss.rows else p.chunks)
    assert slope.shape == p.shape
    assert each.dtype == slope.dtype == np.float64
    host = loss.value_and_grad(*sample(loss, _again()), reduction="none", **options)
    for actual, right in zip((each, slope), host, strict=True):
        assert_close(actual, right, rtol=16 * EPS, atol=4 * EPS)


def test_bad_values_are_named_by_their_place_in_the_whole_array(da, rng):
    p = da.from_array(rng.dirichlet(np.ones(4), 7), chunks=(2, 2))
    t = np.array([0, 1, 2, 3, 0, 1, 2])
    t[5] = 9
    labels = da.from_array(t, chunks=3)
    for loss in (losses.cross_entropy, losses.softmax_cross_entropy, losses.focal):
        lazy = loss(p, labels)
        with pytest.raises(ValueError, match=r"\[0, 4\), but target\[5\] is 9"):
            lazy.compute()
    good = labels % 4
    with pytest.raises(ValueError, match=r"prediction\[4\] is 0.5.*softmax"):
        losses.cross_entropy(
            da.where(da.arange(7)[:, None] == 4, p / 2, p), good
        ).compute()
    mask = (da.arange(7) == 3)[:, None] & (da.arange(4) == 1)
    lazy = losses.binary_cross_entropy(p, da.where(mask, 2.0, p))
    with pytest.raises(ValueError, match=r"target\[3, 1\] is 2.0"):
        lazy.compute()
    weights = da.from_array(np.array([1.0, -1.0, 1.0, 1.0]), chunks=1)
    with pytest.raises(ValueError, match=r"class_weight\[1\] is -1.0"):
        losses.softmax_cross_entropy(p, good, class_weight=weights).compute()


def test_what_only_values_reveal_is_an_error_when_computed(da):
    p, t = da.ones((4, 3), chunks=2), da.zeros(4, chunks=2, dtype=int)
    ignored = losses.softmax_cross_entropy(p, t, ignore_index=0)
    with pytest.raises(ValueError, match="must have a row that is not ignored"):
        ignored.compute()
    unchecked = losses.softmax_cross_entropy(p, t, ignore_index=0, check=False)
    assert np.isnan(unchecked.compute())


def test_shapes_and_kinds_are_refused_at_once(da):
    p, t = da.ones((4, 3), chunks=2), da.zeros((4, 1), chunks=2, dtype=int)
    with pytest.raises(ValueError, match=r"target.reshape\(\(4,\)\)"):
        losses.softmax_cross_entropy(p, t)
    with pytest.raises(TypeError, match="integer class labels"):
        losses.softmax_cross_entropy(p, p[:, 0])
    unknown = p[p[:, 0] > 0]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        losses.mean_squared_error(unknown, unknown)


def test_overflow_in_a_task_is_silent(da):
    """The suite turns every warning into an error, in the threads of Dask too."""
    p = da.from_array(np.array([[0.0, 1.0], [1.0, 0.0]]), chunks=1)
    t = da.from_array(np.array([0, 0]), chunks=1)
    value, slope = losses.cross_entropy.value_and_grad(p, t)
    assert value.compute() == np.inf
    assert np.isneginf(slope.compute()[0, 0])
    x = da.from_array(np.array([np.inf, -np.inf]), chunks=1)
    each = losses.sigmoid_binary_cross_entropy(x, 1.0 * (x > 0), reduction="none")
    np.testing.assert_array_equal(each.compute(), [0, 0])


def test_last_steps_are_silent_too(da):
    half = da.from_array(np.array([6e4, 6e4], np.float16), chunks=1)
    slope = losses.mean_squared_error.grad(half, -half, reduction="sum")
    assert np.isposinf(slope.compute()).all()
    single = da.from_array(np.array([1e19, 1e19], np.float32), chunks=1)
    value = losses.mean_squared_error(single, -single, reduction="sum")
    assert value.compute() == np.inf
    p = da.from_array(np.array([np.inf, 1.0]), chunks=1)
    weight = da.from_array(np.array([1.0, np.inf]), chunks=1)
    ones = da.ones(2, chunks=1)
    slope = losses.mean_squared_error.grad(p, ones, weight=weight)
    assert np.isnan(slope.compute()).all()


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sigmoid"])
def test_special_functions_of_blocks(da, name):
    function = getattr(special, name)
    x = np.array([[-np.inf, -np.inf, -np.inf], [1e4, 0.0, -np.inf]])
    lazy = da.from_array(x, chunks=(1, 2))
    np.testing.assert_allclose(function(lazy).compute(), function(x), rtol=1e-15)
    half = function(lazy.astype(np.float16))
    assert half.dtype == half.compute().dtype == np.float16
    if name != "sigmoid":
        for axis in (0, -1):
            along = function(lazy, axis=axis)
            expected = function(x, axis=axis)
            assert along.shape == expected.shape
            np.testing.assert_allclose(along.compute(), expected, rtol=1e-15)


def test_a_derivative_moves_probabilities_off_the_simplex(da, rng):
    """Checks of the prediction are off there, also in the tasks of Dask."""
    p, t = sample(losses.cross_entropy, rng)
    lazy, labels = da.from_array(p, chunks=(2, 4)), da.from_array(t, chunks=2)

    def loss(q):
        return losses.cross_entropy(q, labels, reduction="sum")

    slopes = gradient(loss, lazy, vectorized=False)
    expected = losses.cross_entropy.grad(p, t, reduction="sum")
    assert_close(slopes, expected, rtol=1e-8, atol=1e-8)


def test_one_hot_rows_are_checked_when_they_are_computed(da):
    labels = da.from_array(np.array([0, 2, 5]), chunks=2)
    rows = special.one_hot(labels, 3)
    with pytest.raises(ValueError, match=r"labels\[2\] is 5"):
        rows.compute()
    assert np.isnan(special.one_hot(labels, 3, check=False).compute()[2]).all()


def test_tasks_can_be_sent_to_other_processes(da, rng):
    p, t = sample(losses.huber, rng)
    value = losses.huber(da.from_array(p, chunks=2), da.from_array(t, chunks=2))
    again = pickle.loads(pickle.dumps(value))
    assert_close(again, losses.huber(p, t), rtol=4 * EPS)


# JAX


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("options", [needed, chosen])
def test_losses_run_under_jit_without_checks(jax, rng, name, options):
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    settings = on(jax.numpy, options(loss))

    @jax.jit
    def both(p, t):
        return loss.value_and_grad(p, t, check=False, **settings)

    found = both(jax.numpy.asarray(p), jax.numpy.asarray(t))
    expected = loss.value_and_grad(p, t, **options(loss))
    for actual, right in zip(found, expected, strict=True):
        assert_close(actual, right, rtol=16 * EPS, atol=4 * EPS)


def test_checks_under_jit_ask_for_none(jax, rng):
    p, t = (jax.numpy.asarray(a) for a in sample(losses.softmax_cross_entropy, rng))
    with pytest.raises(TypeError, match=r"under `jax.jit` pass check=False"):
        jax.jit(losses.softmax_cross_entropy)(p, t)


@pytest.mark.parametrize("name", SUMMABLE)
def test_slopes_are_those_that_jax_derives(jax, rng, name):
    loss = LOSSES[name]
    p, t = (jax.numpy.asarray(a) for a in sample(loss, rng))
    options = on(jax.numpy, needed(loss))
    derived = jax.grad(lambda q: loss(q, t, check=False, **options))(p)
    given = to_numpy(loss.grad(p, t, **options))
    assert_close(derived, given, rtol=16 * EPS, atol=4 * EPS)


# PyTorch


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors_that_record_are_differentiated_by_torch(rng, name, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    loss = LOSSES[name]
    p, t = sample(loss, rng)
    x = torch.tensor(p, dtype=getattr(torch, dtype), requires_grad=True)
    settings = on(torch, needed(loss))
    loss(x, torch.asarray(t), **settings).backward()
    given = loss.grad(p, t, **needed(loss))
    tolerance = 1e-5 if dtype == "float32" else 16 * EPS
    assert_close(x.grad, given, rtol=tolerance, atol=tolerance)
    with pytest.raises(ValueError, match=r"prediction\[0\]|prediction\[0, 0\]"):
        losses.cross_entropy(3 + x, torch.zeros(5, dtype=torch.int64))
