"""What goes wrong around a function: faults at any point, and processes that share."""

import contextlib
import gc
import multiprocessing
import pickle
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian, tangent_line
from cases.losses import LOSSES, sample

import xgrad
from xgrad import losses, metrics

X = np.linspace(0.5, 2.0, 12)
CALLS = 1 + 4 * len(X)  # f(x), and four points an entry
MIB = 2**20


def squares(x):
    return np.sum(x**2)


class Fault:
    """A function that does something else at one of its calls."""

    def __init__(self, function, at, instead):
        self.function, self.at, self.instead = function, at, instead
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return self.instead(x) if self.calls == self.at else self.function(x)


def raising(error):
    def instead(x):
        raise error

    return instead


@pytest.mark.parametrize("at", [1, 2, CALLS // 2, CALLS])
@pytest.mark.parametrize("workers", [None, 2, map])
@pytest.mark.parametrize("error", [RuntimeError("lost"), KeyboardInterrupt()])
def test_an_exception_at_any_point_arrives_as_it_is(at, workers, error):
    fault = Fault(squares, at, raising(error))
    before = threading.active_count()
    kept = X.copy()
    with pytest.raises(type(error)) as raised:
        gradient(fault, X, vectorized=False, workers=workers)
    assert raised.value is error
    assert threading.active_count() == before
    np.testing.assert_array_equal(X, kept)
    # Nothing is left of it: the next call is right.
    np.testing.assert_allclose(gradient(squares, X, workers=workers), 2 * X, rtol=1e-9)
    error.__notes__ = []


@pytest.mark.parametrize("at", [2, CALLS // 2, CALLS])
def test_the_note_names_the_point(at):
    with pytest.raises(ZeroDivisionError) as raised:
        gradient(Fault(squares, at, lambda x: 1 / 0), X, vectorized=False)
    (note,) = raised.value.__notes__
    assert note.startswith("xgrad was evaluating `f` at x[")


@pytest.mark.parametrize("name", ["MemoryError", "OutOfMemoryError"])
@pytest.mark.parametrize("most", [1, 2, 5, 20])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_memory_that_runs_out_halves_the_points(tmp_path, name, most, checkpoint):
    """CuPy's own error is a `MemoryError`, too."""
    error = type(name, (MemoryError,), {})

    def limited(x):
        if len(x) > most:
            raise error("out of memory allocating 1,024 bytes")
        return np.sum(x**2, axis=-1)

    options = {"checkpoint": tmp_path / "run.npz"} if checkpoint else {}
    found = gradient(limited, X, vectorized=True, **options)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-9)


WRONG = {
    "another shape": (lambda x: x[:2], "returned shape"),
    "more axes": (lambda x: np.ones((1, 1)), "returned shape"),
    "nothing": (lambda x: None, "`f` must return"),
    "text": (lambda x: "lost", "`f` must return"),
}


@pytest.mark.parametrize("at", [1, 2, CALLS])
@pytest.mark.parametrize("name", WRONG)
def test_results_that_are_none(name, at):
    instead, match = WRONG[name]
    with pytest.raises((TypeError, ValueError), match="`f`") as raised:
        # Not on the straight line, which leaves all that is odd to the engine.
        gradient(Fault(squares, at, instead), X, vectorized=False, max_bytes=MIB)
    assert at == 1 or match in str(raised.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_point_that_is_not_finite_is_taken_from_the_other_side(value):
    for at in (2, 20, CALLS):
        fault = Fault(squares, at, lambda x: value)
        found = gradient(fault, X, vectorized=False)
        np.testing.assert_allclose(found, 2 * X, rtol=1e-6)


def test_a_function_that_is_never_finite_is_said_to_be_so():
    found, estimate = gradient(
        lambda x: np.nan * np.sum(x), X, vectorized=False, full_output=True
    )
    assert np.isnan(found).all()
    assert (estimate.status == xgrad.Status.NONFINITE).all()


@pytest.mark.parametrize("vectorized", [False, "auto"])
def test_a_function_that_writes_into_its_argument(vectorized):
    def writing(x):
        x *= x
        return np.sum(x)

    kept = X.copy()
    found = gradient(writing, X, vectorized=vectorized)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-9)
    np.testing.assert_array_equal(X, kept)


def test_a_function_that_keeps_its_arguments():
    kept = []

    def keeping(x):
        kept.append(x)
        return np.sum(x**2)

    found = gradient(keeping, X, vectorized=False)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-9)
    copies = [np.array(x) for x in kept]
    for x in kept[: len(kept) // 2]:
        x[...] = 0  # whatever is done to them later
    np.testing.assert_allclose(gradient(squares, X), 2 * X, rtol=1e-9)
    for x, copy in zip(kept[len(kept) // 2 :], copies[len(kept) // 2 :], strict=True):
        np.testing.assert_array_equal(x, copy)


def test_a_function_that_is_not_deterministic():
    rng = np.random.default_rng(0)

    def noisy(x):
        return np.sum(x**2) + rng.normal()

    with pytest.raises(ValueError, match="two calls"):
        gradient(noisy, X)


# At the same time, and elsewhere


def test_threads_use_everything_at_the_same_time(rng):
    logits, labels = rng.normal(size=(30_000, 10)), rng.integers(0, 10, 30_000)
    many = [logits + i for i in range(4)]

    def work(x):
        value, slope = losses.softmax_cross_entropy.value_and_grad(x, labels)
        error = losses.mean_squared_error(x, logits)
        counts = metrics.confusion_matrix(x, labels)
        slopes = gradient(squares, x[0])
        return value, slope, error, counts, slopes

    expected = [work(x) for x in many]
    with ThreadPoolExecutor(4) as pool:
        for found in (list(pool.map(work, many)) for _ in range(5)):
            for one, other in zip(found, expected, strict=True):
                for left, right in zip(one, other, strict=True):
                    np.testing.assert_array_equal(left, right)


# In a process of its own: JAX, where another test has loaded it, survives no fork.
FORKING = """
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from functools import partial
import xgrad
from xgrad import losses
gradient = partial(xgrad.gradient, method='central')

def squares(x):
    return np.sum(x**2)

def work(x):
    value = losses.softmax_cross_entropy(x, np.zeros(len(x), int))
    return float(value), gradient(squares, x[0]).tolist(), os.getpid()

x = np.random.default_rng(0).normal(size=(20_000, 10))
value, slopes, own = work(x)
gradient(squares, x[0], workers=2)
context = multiprocessing.get_context("fork")
with ProcessPoolExecutor(1, mp_context=context) as pool:
    found = pool.submit(work, x).result(timeout=60)
print(found[2] != own, found[:2] == (value, slopes))
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
def test_a_process_that_forks_after_use():
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "True True\n", done.stderr


def _states():
    p, t = np.array([0, 1, 2]), np.array([0, 2, 2])
    return [
        metrics.Classification(3).update(p, t),
        metrics.Mean().update(np.arange(3.0)),
        metrics.Regression().update(p * 1.0, t * 1.0),
        gradient(squares, X, full_output=True)[1],
        xgrad.check_gradient(squares, lambda x: 2 * x, X),
        xgrad.color_columns(np.eye(3, dtype=bool)),
        xgrad.Status.KINK,
        tangent_line(np.sin, 0.3),
    ]


def test_everything_public_can_be_sent_to_another_process():
    for name in xgrad.__all__:
        value = getattr(xgrad, name)
        if not isinstance(value, type(xgrad)):  # modules go by their name
            assert pickle.loads(pickle.dumps(value)) is value or name == "__version__"
    for loss in LOSSES.values():
        assert pickle.loads(pickle.dumps(loss)) is loss
    for value in _states():
        again = pickle.loads(pickle.dumps(value))
        assert type(again) is type(value)
        assert str(again) == str(value) or callable(value)


def test_losses_travel_to_processes(rng):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for name in ("softmax_cross_entropy", "mean_squared_error"):
            p, t = sample(LOSSES[name], rng)
            found = pool.submit(LOSSES[name], p, t).result(timeout=60)
            assert found == LOSSES[name](p, t)


# Memory


# Where each point is evaluated, as many as a test has time for.
@pytest.mark.parametrize(
    ("n", "vectorized"),
    [
        *((n, way) for n in (10, 1_000) for way in (True, False, "auto")),
        *((2_000, way) for way in (True, False)),
        (100_000, "auto"),
    ],
)
def test_memory_stays_within_the_budget_and_32_mib(n, vectorized):
    x = np.linspace(0.5, 2.0, n)
    budget = 8 * MIB
    if vectorized is not True:

        def f(x):
            return np.sum(x**2)
    else:

        def f(x):
            return np.sum(x**2, axis=-1)

    tracemalloc.start()
    try:
        gradient(f, x, vectorized=vectorized, max_bytes=budget)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= budget + 32 * MIB


@pytest.mark.parametrize("call", [jacobian, hessian])
def test_interrupted_calls_free_their_memory(call):
    function = np.sin if call is jacobian else squares

    def stop(x):
        raise KeyboardInterrupt  # anew: an exception that is kept keeps its frames

    fault = Fault(function, 300, stop)
    call(function, np.ones(20), vectorized=False)  # what is made once
    tracemalloc.start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            call(fault, np.ones(200), vectorized=False)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert left < MIB
