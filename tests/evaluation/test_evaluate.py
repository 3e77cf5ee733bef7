"""How a function is run: chunks, memory, workers, progress, and what it may do."""

import gc
import multiprocessing
import threading
import tracemalloc
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import gradient, hessian, hvp, jacobian, jvp

from xgrad import losses
from xgrad._arrays.trees import rebuild

X = np.linspace(0.5, 2.0, 7)


def cubes(v):
    """A function that other processes can find."""
    return np.sum(v**3)


def cubes_of_tree(tree):
    return np.sum(tree["a"] ** 3) + np.sum(tree["b"][0])


# Workers


def _by_pool(kind):
    def run(function, chunks):
        with kind(2) as pool:
            return list(pool.map(function, chunks))

    return run


WORKERS = {
    "one thread": 1,
    "two threads": 2,
    "map": map,
    "thread map": _by_pool(ThreadPoolExecutor),
}


@pytest.mark.parametrize("max_bytes", [None, 1, 200])
@pytest.mark.parametrize("name", WORKERS)
def test_workers_change_nothing(name, max_bytes):
    options = {"workers": WORKERS[name], "max_bytes": max_bytes, "full_output": True}
    for method in ("central", "ladder"):
        value, estimate = gradient(cubes, X, method=method, **options)
        plain, expected = gradient(cubes, X, method=method, full_output=True)
        np.testing.assert_array_equal(value, plain)
        np.testing.assert_array_equal(estimate.error, expected.error)
        assert estimate.evaluations == expected.evaluations
    np.testing.assert_array_equal(
        jacobian(np.sin, X, **options)[0], jacobian(np.sin, X)
    )
    np.testing.assert_array_equal(hessian(cubes, X, **options)[0], hessian(cubes, X))


@pytest.fixture(scope="module")
def processes():
    # Spawned: JAX, where another test has loaded it, does not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        yield pool


def test_other_processes_evaluate_chunks(processes):
    np.testing.assert_array_equal(
        gradient(cubes, X, workers=processes), gradient(cubes, X)
    )
    tree = {"a": X, "b": (np.ones(2),)}
    found = gradient(cubes_of_tree, tree, workers=processes, method="ladder")
    assert_close(found["a"], 3 * X**2, rtol=1e-9)
    assert_close(found["b"][0], [1.0, 1.0], rtol=1e-9)
    v = np.ones(7)
    assert_close(jvp(cubes, X, v, workers=processes), np.sum(3 * X**2), rtol=1e-10)
    assert_close(hvp(cubes, X, v, workers=processes), 6 * X, rtol=1e-8)
    assert_close(
        gradient(cubes, X, workers=processes, method="complex"), 3 * X**2, rtol=1e-14
    )


def test_chunks_are_spread_over_the_workers():
    threads = set()
    barrier = threading.Barrier(2, timeout=20)

    def f(v):
        here = threading.get_ident()
        elsewhere = here != threading.main_thread().ident
        if elsewhere and len(threads) < 2 and here not in threads:
            threads.add(here)
            barrier.wait()  # passes only if two threads are at work at once
        return cubes(v)

    gradient(f, X, workers=2)
    assert len(threads) == 2


def test_checks_of_predictions_are_off_in_workers_too(rng):
    p, y = rng.dirichlet(np.ones(3), 4), np.array([0, 1, 2, 0])

    def f(q):
        return losses.cross_entropy(q, y, delta=0.1)

    expected = losses.cross_entropy.grad(p, y, delta=0.1)
    assert_close(gradient(f, p, workers=2), expected, rtol=1e-8, atol=1e-11)


def test_an_exception_in_a_worker_arrives_with_its_note():
    def f(v):
        if v[3] != X[3]:
            raise RuntimeError("broken")
        return cubes(v)

    for workers in (2, map):
        with pytest.raises(RuntimeError, match="broken") as caught:
            gradient(f, X, workers=workers)
        assert "x[3] moved by" in caught.value.__notes__[0]


def test_threads_may_call_at_the_same_time():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: gradient(cubes, X * n), range(1, 21)))
    for n, slopes in enumerate(found, start=1):
        np.testing.assert_array_equal(slopes, gradient(cubes, X * n))


# Memory


@pytest.mark.parametrize("limit", [1, 2, 5, 11])
@pytest.mark.parametrize("method", ["central", "ladder"])
def test_chunks_are_halved_where_memory_runs_out(limit, method):
    sizes = []

    def f(v):
        if len(v) > limit:
            raise MemoryError(f"{len(v)} points")
        sizes.append(len(v))
        return np.sum(v**3, axis=-1)

    found = gradient(f, X, vectorized=True, method=method)
    expected = gradient(
        lambda v: np.sum(v**3, axis=-1), X, vectorized=True, method=method
    )
    np.testing.assert_array_equal(found, expected)
    assert max(sizes) <= limit
    assert 4 * max(sizes) > limit  # halved as often as need be, and not to the last


@pytest.mark.parametrize(
    "text", ["CUDA OutOfMemoryError", "RESOURCE_EXHAUSTED: out of memory"]
)
def test_memory_of_a_device_runs_out_in_other_words(text):
    def f(v):
        if len(v) > 3:
            raise RuntimeError(text)
        return np.sum(v**3, axis=-1)

    assert_close(gradient(f, X, vectorized=True), 3 * X**2, rtol=1e-9)


def test_memory_that_one_point_exceeds_is_an_error():
    def f(v):
        if v[0] != X[0]:
            raise MemoryError("too large")
        return np.sum(v)

    with pytest.raises(MemoryError, match="too large") as caught:
        gradient(f, X)
    assert "x[0] moved by" in caught.value.__notes__[0]


def test_halving_works_in_workers():
    def f(v):
        if len(v) > 2:
            raise MemoryError
        return np.sum(v**3, axis=-1)

    found = gradient(f, X, vectorized=True, workers=2)
    assert_close(found, 3 * X**2, rtol=1e-9)


def test_arguments_are_freed_at_once():
    # Not at the next garbage collection: until then the points of all calls pile up.
    class Leaf:
        pass

    leaf = Leaf()
    kept = weakref.ref(leaf)
    gc.disable()
    try:
        tree = rebuild({"a": [None]}, [leaf])
        del tree, leaf
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("n", [10, 300, 3_000])
def test_memory_stays_near_the_budget(n):
    x = np.random.default_rng(0).normal(size=n)

    def f(v):
        return np.sum(v**2, axis=-1)

    options = {"vectorized": True, "max_bytes": 2**21, "accuracy": 2}
    gradient(f, x, **options)  # what is made once for the process
    tracemalloc.start()
    gradient(f, x, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The points, their squares, a mask, and the positions of a small array.
    assert peak <= 2.5 * 2**21 + 2**19


# Progress


@pytest.mark.parametrize("workers", [None, 2])
def test_progress_is_told_after_each_chunk(workers):
    seen = []
    _, estimate = gradient(
        cubes,
        X,
        progress=lambda done, total: seen.append((done, total)),
        max_bytes=300,
        workers=workers,
        full_output=True,
    )
    assert len(seen) > 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (estimate.evaluations, estimate.evaluations)


def test_progress_counts_the_calls_of_f():
    calls = 0

    def f(v):
        nonlocal calls
        calls += 1
        return cubes(v)

    seen = []
    hvp(f, X, X, vectorized=False, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (calls, calls)


def test_a_bar_is_drawn_on_request(capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    gradient(cubes, X, progress=True)
    assert "29/29" in capsys.readouterr().err.replace(".0", "")
