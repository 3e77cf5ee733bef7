"""Plain functions on the hidden batch axis give what a loop over points gives."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from cases.calls import counted
from cases.compare import assert_close
from cases.differences import gradient, hessian, jacobian, way_name
from cases.functions import rosenbrock

import xgrad
from xgrad import losses, metrics, special

X = np.linspace(0.3, 1.7, 40)
RNG = np.random.default_rng(5)
W = RNG.normal(size=(40, 30)) / 6
LABELS = RNG.integers(0, 4, 10)


def network(x):
    return np.sum(np.tanh(x @ W) ** 2) / 2


@pytest.mark.parametrize("max_bytes", [1, 2_000, 10_000, 10**9])
def test_chunks_change_nothing(max_bytes):
    for f in (rosenbrock, network):
        found = gradient(f, X, max_bytes=max_bytes)
        assert_close(found, gradient(f, X, vectorized=False), rtol=1e-9, atol=1e-8)


def test_what_f_closes_over_is_neither_copied_nor_repeated():
    table = RNG.normal(size=(400, 2_500))  # 8 MB
    f = counted(lambda x: np.sum(np.cos(table @ x)))
    x = RNG.normal(size=2_500)
    gradient(f, x, accuracy=2, max_bytes=2**22)
    tracemalloc.start()
    gradient(f, x, accuracy=2, max_bytes=2**22)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert way_name(f) == "sparse"
    assert peak < 6 * table.nbytes


def test_one_array_of_a_nesting_has_the_axis(rng):
    seen = []

    def f(p):
        seen.append(tuple(type(leaf).__name__ for leaf in (p["w"], *p["b"])))
        hidden = np.tanh(DATA @ p["w"] + p["b"][0])
        return np.mean((hidden @ p["b"][1]) ** 2)

    tree = {"w": rng.normal(size=(4, 3)), "b": (rng.normal(size=3), rng.normal(size=3))}
    found = gradient(f, tree)
    assert {kinds.count("Batched") for kinds in seen} == {0, 1}
    expected = gradient(f, tree, vectorized=False)
    assert_close(found["w"], expected["w"], rtol=1e-8, atol=1e-9)
    for one, other in zip(found["b"], expected["b"], strict=True):
        assert_close(one, other, rtol=1e-8, atol=1e-9)


DATA = RNG.normal(size=(6, 4))


# More accurate than one by one


def test_long_sums_lose_nothing():
    x = RNG.uniform(0.5, 2.0, 10_000)
    f = counted(lambda x: np.sum(x**2))
    found = gradient(f, x, accuracy=2)
    assert way_name(f) == "sparse"
    assert np.max(np.abs(found - 2 * x)) <= 1e-10
    single = gradient(f, x.astype(np.float32))
    assert_close(single, (2 * x).astype(np.float32), rtol=2e-5)


# xgrad in functions

LOGITS = RNG.normal(size=(10, 4))
SOFT = special.softmax(RNG.normal(size=(10, 4)))
INSIDE = {
    "softmax_cross_entropy": lambda z: losses.softmax_cross_entropy(z, LABELS),
    "soft targets": lambda z: losses.softmax_cross_entropy(z, SOFT),
    "unchecked": lambda z: losses.softmax_cross_entropy(z, LABELS, check=False),
    "weighted": lambda z: losses.softmax_cross_entropy(
        z, LABELS, weight=np.arange(1.0, 11.0), reduction="sum"
    ),
    "cross_entropy": lambda z: losses.cross_entropy(special.softmax(z), LABELS),
    "half_squared_error": lambda z: losses.half_squared_error(z, SOFT),
    "mean_squared_error": lambda z: losses.mean_squared_error(z, SOFT),
    "mean_absolute_error": lambda z: losses.mean_absolute_error(z, SOFT),
    "root_mean_squared_error": lambda z: losses.root_mean_squared_error(z, SOFT),
    "binary_cross_entropy": lambda z: losses.binary_cross_entropy(
        special.sigmoid(z), SOFT
    ),
    "sigmoid_binary_cross_entropy": lambda z: losses.sigmoid_binary_cross_entropy(
        z, SOFT
    ),
    "its gradient": lambda z: np.sum(losses.softmax_cross_entropy.grad(z, LABELS) ** 2),
    "both": lambda z: sum(
        np.sum(part) for part in losses.mean_squared_error.value_and_grad(z, SOFT)
    ),
    "log_softmax": lambda z: np.sum(special.log_softmax(z) * SOFT),
    "logsumexp": lambda z: np.sum(special.logsumexp(z)),
    "accuracy": lambda z: metrics.accuracy(z, LABELS) + np.sum(z),
    "f1": lambda z: metrics.f1(z, LABELS, num_classes=4) + np.sum(z),
    "regression metric": lambda z: metrics.mean_squared_error(z, SOFT),
}


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("name", INSIDE)
def test_functions_of_xgrad_take_the_hidden_axis(name, dense, monkeypatch):
    monkeypatch.setenv("XGRAD_DENSE", str(int(dense)))
    f = INSIDE[name]
    found = gradient(f, LOGITS)
    assert way_name(f) == ("dense" if dense else "sparse")
    expected = gradient(f, LOGITS, vectorized=False)
    assert_close(found, expected, rtol=1e-8, atol=1e-9)


def test_losses_on_every_library(xp):
    z, y = xp.asarray(LOGITS), xp.asarray(LABELS)

    def f(z):
        return losses.softmax_cross_entropy(z, y)

    found = gradient(f, z)
    assert way_name(f) == ("vmap" if xp.name in ("torch", "jax") else "sparse")
    expected = xgrad.to_numpy(losses.softmax_cross_entropy.grad(z, y))
    assert_close(found, expected, rtol=1e-8, atol=1e-9)


def test_values_that_are_not_finite_inside():
    x = np.array([0.0, 1.0, 2.0, -1.0, 0.5, 3.0])

    def f(x):
        with np.errstate(divide="ignore", over="ignore"):
            logarithm = 2 * np.log(np.abs(x))
            capped = np.minimum(1.0, np.exp(900 * x))
        return np.sum(np.where(logarithm > -100, x, 5 * x) + capped)

    found = gradient(f, x)
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-7, atol=1e-7)


def test_masked_logits():
    mask = np.zeros((10, 4), bool)
    mask[:, 3] = True

    def f(z):
        z = np.where(mask, -np.inf, z)
        return losses.softmax_cross_entropy(z, LABELS % 3)

    found = gradient(f, LOGITS)
    assert way_name(f) in ("sparse", "dense")
    assert_close(found, gradient(f, LOGITS, vectorized=False), rtol=1e-8, atol=1e-10)


def test_batched_arrays_that_leave_f_are_those_at_x():
    kept = []

    def f(x):
        kept.append(x)
        return np.sum(x**2)

    gradient(f, X)
    hidden = [x for x in kept if not isinstance(x, np.ndarray)]
    assert hidden
    assert repr(hidden[0]) == repr(X)
    assert float(hidden[0][0]) == X[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(hidden[0])), X)


# What once went wrong

LAGS = {
    "lag 2": lambda x: np.sum((x[2:] - x[:-2]) ** 2),
    "lag 3": lambda x: np.sum(np.sin(x[3:] * x[:-3])),
    "three": lambda x: np.sum(np.exp(x[2:] * x[:-2] - x[1:-1])),
    "rosenbrock": rosenbrock,
    "diagonal": lambda x: np.sum(np.cos(np.outer(x[1:], x[:-1]))),
}


@pytest.mark.parametrize("name", LAGS)
def test_pairs_of_entries_that_meet(name):
    x, f = np.linspace(0.5, 1.5, 20), LAGS[name]
    found = hessian(f, x)
    assert way_name(f) == "sparse"
    scale = np.max(np.abs(found))
    assert_close(found, hessian(f, x, vectorized=False), rtol=0, atol=1e-4 * scale)


def test_differences_of_differences():
    x = np.random.default_rng(1).uniform(0.5, 1.5, 20)
    for f in (
        lambda x: np.prod(np.diff(x[2:8], n=2)) * 1e3 + np.sum(x),
        lambda x: np.sum(np.exp(4 * np.diff(x[2:8], n=2))),
    ):
        expected = gradient(f, x, vectorized=False)
        scale = np.max(np.abs(expected))
        assert_close(gradient(f, x), expected, rtol=0, atol=1e-8 * scale)


def test_constants_that_are_not_finite():
    x = np.linspace(0.5, 1.5, 8)
    c = np.array([1.0, 0.0, 2.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    with np.errstate(divide="ignore"):
        for f in (
            lambda x: np.sum(np.where(x / c > 3, 1.0, x)),
            lambda x: np.argmax(x / c) * np.sum(x),
        ):
            expected = gradient(f, x, vectorized=False)
            assert_close(gradient(f, x), expected, rtol=1e-9, atol=1e-9)


def test_whole_numbers_without_a_sign():
    x = np.array([1.0, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])

    def f(x):
        return np.sum(x**2) + 0.5 * np.sum((x >= 0).astype(np.uint8))

    assert_close(gradient(f, x), gradient(f, x, vectorized=False), rtol=1e-9)


def test_numbers_of_numpy_are_not_changed_in_place():
    def f(x):
        a = x[0]
        b = a
        a += 1
        total = np.sum(x)
        total *= 2
        return a * b * total + np.floor(x[-1])

    x = np.array([0.3, 0.4, 0.5, 0.6, 3.0])
    found = gradient(f, x)
    assert way_name(f) == "sparse"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-9)


def test_complex_numbers_and_empty_parts():
    def f(x):
        y = x.copy()
        y[8:] = y[8:] * 2
        return np.abs(np.exp(1j * x[0]) + x[1]) + np.sum(y)

    x = X[:8].copy()
    found = gradient(f, x)
    assert way_name(f) == "sparse"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-9)


def test_complex_numbers_are_the_same_in_every_chunk():
    f = counted(lambda x: np.abs(np.exp(1j * x[0]) + x[1]) + np.sum(x**2))
    gradient(f, X, max_bytes=2_000)
    f.calls = 0
    found = gradient(f, X, max_bytes=2_000)
    assert f.calls < 40  # of 160 points: f(x), one plain call, and some chunks
    assert_close(found, gradient(f, X, vectorized=False), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.median(x) + np.sum(x**2),
        lambda x: np.argmax(x) + np.sum(x**2),
        lambda x: np.max(np.abs(np.diff(x))) ** 2,
        lambda x: np.sum(np.cumsum(x) ** 2),
    ],
)
def test_memory_is_not_quadratic(f):
    x = np.random.default_rng(0).normal(size=1_500)
    gradient(np.sum, x, accuracy=2)  # what a process needs once is no points
    tracemalloc.start()
    gradient(f, x, accuracy=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # two arrays of all points would be 72e6


def test_results_that_cancel_are_no_reason_to_loop():
    table = np.random.default_rng(3).normal(size=(7, 40)) * 1e6

    def f(x):
        y = table @ np.cos(x)
        return np.stack([np.sum(y) - np.sum(y[::-1]), np.sum(y - np.mean(y)), y[0]])

    found = jacobian(f, X)
    assert way_name(f) in ("sparse", "dense")
    assert_close(found[2], -table[0] * np.sin(X), rtol=1e-6, atol=1.0)


def test_arguments_without_a_handler_are_named():
    def f(x):
        ones = np.ones(x.shape)
        return np.percentile(x, 50.0, method="inverted_cdf", weights=ones)

    with pytest.warns(RuntimeWarning, match=r"percentile.*weights.*write it without"):
        gradient(f, X)
