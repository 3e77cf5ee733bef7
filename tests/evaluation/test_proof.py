"""Plain functions at many points at once: what is proved, remembered, and told."""

from __future__ import annotations

import concurrent.futures
import gc
import math
import multiprocessing
import warnings
import weakref

import numpy as np
import pytest
from cases.calls import counted
from cases.compare import assert_close
from cases.differences import AUTO, gradient, hessian, hvp, jacobian, way_name
from cases.functions import rosenbrock
from cases.statuses import warns_of

import xgrad

X = np.linspace(0.3, 1.7, 40)
RNG = np.random.default_rng(5)
W = RNG.normal(size=(40, 30)) / 6


def network(x):
    return np.sum(np.tanh(x @ W) ** 2) / 2


# What it costs


def test_many_points_are_a_few_calls():
    f = counted(rosenbrock)
    slopes = gradient(f, X)
    # f(x), again to see that it is deterministic, seven plain calls, one at these
    # points, one at all.
    assert f.calls == 11
    assert way_name(f) == "sparse"
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


def test_rows_too_large_to_gain_are_evaluated_one_by_one_in_silence():
    f = counted(lambda x: np.sum(np.sort(x) ** 2))
    x = RNG.normal(size=12_000)[::-1].copy()
    found = gradient(f, x[:100], accuracy=2)
    assert way_name(f) == "sparse"
    _, estimate = jacobian(f, x[:20], method="forward", accuracy=1, full_output=True)
    # (Two further points, close to x, tell whether differences can be believed.)
    assert estimate.evaluations == 1 + 2 * 20 + 2
    assert_close(found, 2 * x[:100], rtol=1e-8)
    f.calls = 0
    gradient(f, x, method="forward", accuracy=1, workers=1)
    assert way_name(f) == "loop"
    assert f.calls >= 12_000


# Everything that differentiates


@pytest.mark.parametrize(
    "options",
    [
        {"method": "forward"},
        {"method": "backward", "accuracy": 3},
        {"accuracy": 8},
        {"method": "ladder"},
        AUTO,
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
    assert way_name(f) in ("sparse", "dense")
    expected, alone = gradient(f, X, vectorized=False, **options, full_output=True)
    tolerance = 2e-3 if "dtype" in options else 1e-8
    assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert np.array_equal(estimate.status, alone.status)
    if options.get("method") != "ladder":  # which chooses by errors of rounding
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


# Proof


def test_a_function_that_changes_its_ways_is_caught():
    mode = ["square"]

    def f(x):
        if mode[0] == "type" and type(x) is not np.ndarray:
            return np.sum(x**2) * 1.5
        return np.sum(x**2)

    assert_close(gradient(f, X), 2 * X, rtol=1e-9)
    assert way_name(f) == "sparse"
    mode[0] = "type"
    with pytest.warns(RuntimeWarning, match=r"test_proof\.py"):
        assert_close(gradient(f, X), 2 * X, rtol=1e-9)
    assert way_name(f) == "loop"


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


def test_warnings_at_the_points_are_silenced_and_those_at_x_are_not():
    def f(x):
        return np.sum(np.log(x))

    x = X.copy()
    x[3] = 1e-9
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gradient(f, x, bounds=(-1, 2))
    assert [str(w.message) for w in told if "invalid value" in str(w.message)] == []
    loops = [w for w in told if "not finite at some of the points" in str(w.message)]
    assert len(loops) == 1
    x[3] = -1.0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = gradient(f, x)
    assert sum("invalid value" in str(w.message) for w in told) == 1
    assert math.isnan(found[3])


def test_libraries_map_by_themselves(xp):
    if xp.name not in ("torch", "jax"):
        pytest.skip("the library has no map over points of its own")

    def f(x):
        return xp.sum(xp.exp(-x) * xp.sin(x))

    x = xp.asarray(X)
    found = gradient(f, x)
    assert way_name(f) == "vmap"
    assert_close(found, gradient(f, x, vectorized=False), rtol=1e-9, atol=1e-10)

    def g(x):
        return xp.sum(x**2) * float(x[0])

    with pytest.warns(RuntimeWarning, match=r"test_proof\.py"):
        found = gradient(g, x)
    assert way_name(g) == "loop"
    assert_close(found, gradient(g, x, vectorized=False), rtol=1e-12)


def test_lazy_arrays_are_evaluated_one_by_one():
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    x = dask.from_array(X, chunks=10)

    def f(x):
        return (x**2).sum()

    assert_close(xgrad.to_numpy(gradient(f, x)), 2 * X, rtol=1e-9)
    assert way_name(f) is None


def test_there_is_one_warning_a_call():
    tree = {"a": X[:3], "b": (X[:4], X[:5])}

    def f(tree):
        first = complex(tree["a"][0]).real * complex(tree["b"][1][0]).real
        return first * np.sum(tree["b"][0])

    def g(x):
        return math.exp(x[0]) * np.sum(x**2)

    for call, idiom in (
        (lambda: gradient(f, tree, method="auto"), "complex"),
        (lambda: hessian(g, X[:4]), "float"),
    ):
        with pytest.warns(RuntimeWarning, match=idiom) as told:
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
        assert way_name(f) == mode


def test_a_function_that_takes_another_branch_later():
    late = [False]

    def f(x):
        if late[0]:
            return math.fsum(x) * 2.0
        return np.sum(x)

    assert_close(gradient(f, X), np.ones(40), rtol=1e-9)
    late[0] = True
    with pytest.warns(RuntimeWarning, match="float"):
        found = gradient(f, X)
    assert_close(found, gradient(f, X, vectorized=False), rtol=1e-9, atol=1e-9)


def test_warnings_of_f_at_x_come_once():
    def f(x):
        return float(np.sum(np.log(x - 0.3) * 0 + x))

    with (
        warns_of("NONFINITE"),
        pytest.warns(RuntimeWarning, match="divide|invalid") as told,
    ):
        gradient(f, X, vectorized=False)
    assert sum("not OK" not in str(warning.message) for warning in told) <= 2
