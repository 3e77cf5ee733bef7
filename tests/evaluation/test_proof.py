"""Plain functions at many points at once: what is proved, remembered, and told."""

from __future__ import annotations

import concurrent.futures
import gc
import math
import multiprocessing
import pickle
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from cases.compare import assert_close

import xgrad
from xgrad import gradient, hessian, hvp, jacobian, losses, metrics, special
from xgrad._hidden import mode_of

X = np.linspace(0.3, 1.7, 40)
RNG = np.random.default_rng(5)
W = RNG.normal(size=(40, 30)) / 6
LABELS = RNG.integers(0, 4, 10)


def counted(f):
    """A function that counts how often it is called."""

    def call(x):
        call.calls += 1
        return f(x)

    call.calls = 0
    return call


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(x):
    return np.sum(np.tanh(x @ W) ** 2) / 2


# What it costs


def test_many_points_are_a_few_calls():
    f = counted(rosenbrock)
    slopes = gradient(f, X)
    # f(x), again to see that it is deterministic, seven plain calls, one at these
    # points, one at all.
    assert f.calls == 11
    assert mode_of(f) == "sparse"
    f.calls = 0
    np.testing.assert_array_equal(gradient(f, X), slopes)
    assert f.calls == 3  # f(x), a plain call and all points
    assert_close(slopes, gradient(f, X, vectorized=False), rtol=1e-9, atol=1e-8)


def test_the_general_way_gives_the_same_numbers():
    for options in ({"max_bytes": 2**30}, {"full_output": True}, {"workers": 1}):
        for n in (1, 2, 3, 40):
            x = X[:n].copy()
            quick, found = (
                gradient(network_of(n), x),
                gradient(network_of(n), x, **options),
            )
            found = found[0] if isinstance(found, tuple) else found
            np.testing.assert_array_equal(quick, found)


def network_of(n):
    return lambda x: np.sum(np.tanh(x @ W[:n]) ** 2)


def test_evaluations_are_points_however_they_are_evaluated():
    for f, x in ((rosenbrock, X), (network, X)):
        _, one = gradient(f, x, vectorized=False, full_output=True)
        _, many = gradient(f, x, full_output=True)
        assert one.evaluations == many.evaluations


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
    assert mode_of(f) == "sparse"
    assert peak < 6 * table.nbytes


def test_rows_too_large_to_gain_are_evaluated_one_by_one_in_silence():
    f = counted(lambda x: np.sum(np.sort(x) ** 2))
    x = RNG.normal(size=12_000)[::-1].copy()
    found = gradient(f, x[:100], accuracy=2)
    assert mode_of(f) == "sparse"
    _, estimate = jacobian(f, x[:20], method="forward", accuracy=1, full_output=True)
    assert estimate.evaluations == 1 + 2 * 20
    assert_close(found, 2 * x[:100], rtol=1e-8)
    f.calls = 0
    gradient(f, x, method="forward", accuracy=1, workers=1)
    assert mode_of(f) == "loop"
    assert f.calls >= 12_000


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
    assert mode_of(f) == "sparse"
    assert np.max(np.abs(found - 2 * x)) <= 1e-10
    single = gradient(f, x.astype(np.float32))
    assert_close(single, (2 * x).astype(np.float32), rtol=2e-5)


# Everything that differentiates


@pytest.mark.parametrize(
    "options",
    [
        {"method": "forward"},
        {"method": "backward", "accuracy": 3},
        {"accuracy": 8},
        {"method": "ladder"},
        {"method": "auto"},
        {"method": "complex"},
        {"bounds": (0.3, 1.7)},
        {"dtype": np.float32},
        {"terms": True},
        {"workers": 2},
        {"step": 1e-4},
    ],
    ids=str,
)
def test_every_option(options):
    def f(x):
        return np.sin(x[1:]) * x[:-1] if "terms" in options else np.sum(np.sin(x) ** 3)

    found, estimate = gradient(f, X, **options, full_output=True)
    assert mode_of(f) in ("sparse", "dense")
    expected, alone = gradient(f, X, vectorized=False, **options, full_output=True)
    tolerance = 2e-3 if "dtype" in options else 1e-8
    assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert np.array_equal(estimate.status, alone.status)
    assert_close(estimate.step, alone.step, rtol=1e-12)


def test_hessians_and_their_products():
    x = X[:8].copy()
    for f in (rosenbrock, lambda x: np.prod(np.cos(x))):
        found, expected = hessian(f, x), hessian(f, x, vectorized=False)
        assert_close(found, expected, rtol=1e-5, atol=1e-4)
        v = np.cos(x)
        assert_close(hvp(f, x, v), hvp(f, x, v, vectorized=False), rtol=1e-6, atol=1e-5)


def test_rows_and_their_coupling():
    x = RNG.normal(size=(20, 5))
    f = counted(lambda x: np.sum(np.sin(x), axis=-1))
    found = gradient(f, x, axis=-1)
    assert f.calls < 20
    assert_close(found, np.cos(x), rtol=1e-9, atol=1e-10)
    with pytest.raises(ValueError, match="independent"):
        gradient(lambda x: np.sum(x, axis=-1) * np.mean(x), x, axis=-1)


def test_other_processes_get_the_hidden_axis():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        found = gradient(rosenbrock, X, workers=pool)
    assert_close(found, gradient(rosenbrock, X), rtol=1e-9, atol=1e-9)


def test_threads_share_what_is_the_same_everywhere():
    for _ in range(3):
        found = gradient(network, X, workers=4, max_bytes=20_000)
        assert_close(found, gradient(network, X, vectorized=False), rtol=1e-8)


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
    assert mode_of(f) == ("dense" if dense else "sparse")
    expected = gradient(f, LOGITS, vectorized=False)
    assert_close(found, expected, rtol=1e-8, atol=1e-9)


def test_losses_on_every_library(xp):
    z, y = xp.asarray(LOGITS), xp.asarray(LABELS)

    def f(z):
        return losses.softmax_cross_entropy(z, y)

    found = gradient(f, z)
    assert mode_of(f) == ("vmap" if xp.name in ("torch", "jax") else "sparse")
    expected = xgrad.to_numpy(losses.softmax_cross_entropy.grad(z, y))
    assert_close(found, expected, rtol=1e-8, atol=1e-9)


# Proof


def test_a_function_that_changes_its_ways_is_caught():
    mode = ["square"]

    def f(x):
        if mode[0] == "type" and type(x) is not np.ndarray:
            return np.sum(x**2) * 1.5
        return np.sum(x**2)

    assert_close(gradient(f, X), 2 * X, rtol=1e-9)
    assert mode_of(f) == "sparse"
    mode[0] = "type"
    with pytest.warns(RuntimeWarning, match=r"test_proof\.py"):
        assert_close(gradient(f, X), 2 * X, rtol=1e-9)
    assert mode_of(f) == "loop"


def test_the_first_the_middle_and_the_last_are_tried():
    for i in (0, 20, 39):

        def f(x, i=i):
            wrong = type(x) is not np.ndarray
            return np.sum(x**2) + (x[i] if wrong else 0.0) - (X[i] if wrong else 0.0)

        with pytest.warns(RuntimeWarning, match="differ"):
            assert_close(gradient(f, X), 2 * X, rtol=1e-9)


def test_there_is_one_warning_and_it_is_remembered():
    def f(x):
        return float(x[0]) * np.sum(x)

    with pytest.warns(RuntimeWarning, match="float") as told:
        gradient(f, X)
    assert len(told) == 1
    assert str(told[0].filename) == __file__
    text = str(told[0].message)
    assert "one point at a time" in text
    assert "test_proof.py:" in text
    assert "return float(x[0]) * np.sum(x)" in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradient(f, X)  # once is enough
        gradient(f, X, vectorized=False)


def test_exceptions_of_f_are_the_callers():
    def f(x):
        if np.any(x > 1.7):
            raise ZeroDivisionError("out of reach")
        return np.sum(x)

    with (
        pytest.warns(RuntimeWarning, match="branch"),
        pytest.raises(ZeroDivisionError, match="out of reach") as caught,
    ):
        gradient(f, X)
    assert "x[39] moved by" in caught.value.__notes__[0]


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
    assert mode_of(f) in ("sparse", "dense")
    assert_close(found, gradient(f, LOGITS, vectorized=False), rtol=1e-8, atol=1e-10)


def test_warnings_at_the_points_are_silenced_and_those_at_x_are_not():
    def f(x):
        return np.sum(np.log(x))

    x = X.copy()
    x[3] = 1e-9
    gradient(f, x, bounds=(-1, 2))
    x[3] = -1.0
    with pytest.warns(RuntimeWarning, match="invalid value"):
        found = gradient(f, x)
    assert math.isnan(found[3])


def test_batched_arrays_do_not_leave_f():
    kept = []

    def f(x):
        kept.append(x)
        return np.sum(x**2)

    gradient(f, X)
    hidden = [x for x in kept if not isinstance(x, np.ndarray)]
    assert hidden
    assert "points" in repr(hidden[0])
    with pytest.raises(TypeError, match="float"):
        float(hidden[0][0])
    with pytest.raises(TypeError):
        pickle.dumps(hidden[0])


def test_libraries_map_by_themselves(xp):
    if xp.name not in ("torch", "jax"):
        pytest.skip("the library has no map over points of its own")

    def f(x):
        return xp.sum(xp.exp(-x) * xp.sin(x))

    x = xp.asarray(X)
    found = gradient(f, x)
    assert mode_of(f) == "vmap"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-9, atol=1e-10)

    def g(x):
        return xp.sum(x**2) * float(x[0])

    with pytest.warns(RuntimeWarning, match=r"test_proof\.py"):
        found = gradient(g, x)
    assert mode_of(g) == "loop"
    assert_close(found, gradient(g, x, vectorized=False), rtol=1e-12)


def test_lazy_arrays_are_evaluated_one_by_one():
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    x = dask.from_array(X, chunks=10)

    def f(x):
        return (x**2).sum()

    assert_close(xgrad.to_numpy(gradient(f, x)), 2 * X, rtol=1e-9)
    assert mode_of(f) is None


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
    assert mode_of(f) == "sparse"
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
    assert mode_of(f) == "sparse"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-9)


def test_complex_numbers_and_empty_parts():
    def f(x):
        y = x.copy()
        y[8:] = y[8:] * 2
        return np.abs(np.exp(1j * x[0]) + x[1]) + np.sum(y)

    x = X[:8].copy()
    found = gradient(f, x)
    assert mode_of(f) == "sparse"
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
    tracemalloc.start()
    gradient(f, x, accuracy=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # two arrays of all points would be 72e6


def test_there_is_one_warning_a_call():
    tree = {"a": X[:3], "b": (X[:4], X[:5])}

    def f(tree):
        return float(tree["a"][0]) * np.sum(tree["b"][0]) * float(tree["b"][1][0])

    def g(x):
        return math.exp(x[0]) * np.sum(x**2)

    for call in (
        lambda: gradient(f, tree, method="auto"),
        lambda: hessian(g, X[:4]),
    ):
        with pytest.warns(RuntimeWarning, match="float") as told:
            call()
        assert len(told) == 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_small_result_does_not_hide_behind_a_large_one(dtype):
    def f(x):
        c = 1.0 if type(x) is np.ndarray else 2.0
        return np.stack([1e6 * np.sum(x), c * x[0] ** 2, x[1] - x[1]])

    x = X[:5].astype(dtype)
    with pytest.warns(RuntimeWarning, match="differ"):
        found = jacobian(f, x)
    assert_close(found[1, 0], 2 * x[0], rtol=1e-3)


def test_results_that_cancel_are_no_reason_to_loop():
    table = np.random.default_rng(3).normal(size=(7, 40)) * 1e6

    def f(x):
        y = table @ np.cos(x)
        return np.stack([np.sum(y) - np.sum(y[::-1]), np.sum(y - np.mean(y)), y[0]])

    found = jacobian(f, X)
    assert mode_of(f) in ("sparse", "dense")
    assert_close(found[2], -table[0] * np.sin(X), rtol=1e-6, atol=1.0)


class Model:
    def __init__(self):
        self.calls = 0

    def loss(self, x):
        self.calls += 1
        return np.sum(x**3)


def test_bound_methods_are_remembered():
    model = Model()
    gradient(model.loss, X)
    model.calls = 0
    gradient(model.loss, X)
    assert model.calls == 3


def test_nothing_keeps_the_arrays_of_f():
    big = []

    class Big(np.ndarray):
        pass

    def f(x):
        big.append(weakref.ref(np.zeros(3).view(Big)))
        local = np.zeros(3).view(Big)
        big.append(weakref.ref(local))
        return np.sum(x) * float(np.sum(x[0]) + local[0])

    gc.collect()
    gc.disable()
    try:
        with pytest.warns(RuntimeWarning):
            gradient(f, X)
        assert not any(ref() is not None for ref in big)
    finally:
        gc.enable()


def test_few_columns_are_looped_over_in_silence():
    def f(x):
        return math.sin(x[0]) * float(x[1])

    found = gradient(f, np.array([0.5, 2.0]))
    assert_close(found, [2 * math.cos(0.5), math.sin(0.5)], rtol=1e-9)
    calls = []
    with pytest.raises(ValueError, match="not deterministic"):
        gradient(lambda x: calls.append(x) or np.sum(x) * len(calls), X[:2])


def test_memory_that_runs_out_once_is_no_verdict():
    left = [0]

    def f(x):
        if type(x) is not np.ndarray and left[0]:
            left[0] -= 1
            raise MemoryError
        return np.sum(x**2)

    left[0] = 2
    for mode in (None, None, "sparse"):
        assert_close(gradient(f, X), 2 * X, rtol=1e-9)
        assert mode_of(f) == mode


def test_arguments_without_a_handler_are_named():
    def f(x):
        return np.percentile(x, 50.0, method="lower")

    with pytest.warns(RuntimeWarning, match=r"percentile.*method.*write it without"):
        gradient(f, X)


def test_a_function_that_takes_another_branch_later():
    late = [False]

    def f(x):
        if late[0]:
            return np.percentile(x, 50.0, method="lower") + np.sum(x)
        return np.sum(x)

    assert_close(gradient(f, X), np.ones(40), rtol=1e-9)
    late[0] = True
    with pytest.warns(RuntimeWarning, match="percentile"):
        found = gradient(f, X)
    assert_close(found, gradient(f, X, vectorized=False), rtol=1e-9, atol=1e-9)


def test_warnings_of_f_at_x_come_once():
    def f(x):
        return float(np.sum(np.log(x - 0.3) * 0 + x))

    with pytest.warns(RuntimeWarning, match="divide|invalid") as told:
        gradient(f, X, vectorized=False)
    assert len(told) <= 2


# The hooks of CuPy, with NumPy underneath


class Kernel:
    """Asks its arguments as CuPy's kernels do, and else computes with NumPy."""

    def __init__(self, name, function):
        self.name = name
        self.function = function

    def __call__(self, *args, **kwargs):
        for argument in args:
            hook = getattr(argument, self.hook, None)
            if hook is not None:
                return hook(self, *args, **kwargs)
        return self.function(*args, **kwargs)


class Elementwise(Kernel):
    hook = "__cupy_override_elementwise_kernel__"


class Reduction(Kernel):
    hook = "__cupy_override_reduction_kernel__"

    def __call__(self, x, axis=None, dtype=None, out=None, keepdims=False):
        hook = getattr(x, self.hook, None)
        if hook is not None:
            return hook(self, axis, dtype, out, keepdims)
        return self.function(x, axis=axis, dtype=dtype, out=out, keepdims=keepdims)


def test_kernels_of_cupy_reach_the_hidden_axis():
    swish = Elementwise("swish", lambda x, slope: x / (1 + np.exp(-slope * x)))
    total = Reduction("cupy_sum", np.sum)
    x = X.reshape(5, 8)

    def f(x):
        return total(swish(x, 2.0) * total(x, axis=1, keepdims=True))

    found = gradient(f, x)
    assert mode_of(f) == "sparse"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-8)

    def g(x):
        return total(x, out=np.empty(()))

    with pytest.warns(RuntimeWarning, match="cupy_sum"):
        gradient(g, x)

    def h(x):
        return np.sum(swish(x, slope=2.0))

    with pytest.warns(RuntimeWarning, match="swish"):
        gradient(h, x)
