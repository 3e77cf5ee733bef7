"""A long call that is interrupted, however, goes on where it stopped."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from cases.differences import gradient, hessian, jacobian

from xgrad._evaluation import checkpoint_file as _checkpoint_file

X = np.linspace(0.1, 2.0, 40)


def f(x):
    return np.sum(np.sin(x) ** 2) * x[0]


def slopes(x):
    return np.sin(2 * x) * x[0]


class Stops:
    """A function that raises at some of its calls, counted over all runs."""

    def __init__(self, function, *at, error=RuntimeError):
        self.function, self.at, self.error = function, at, error
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        if self.calls in self.at:
            raise self.error(f"call {self.calls}")
        return self.function(x)


def until_done(call, function, path, errors, **options):
    """The result, after as many calls as it takes; counts the interruptions."""
    notes = []
    while len(notes) < 20:
        try:
            found = call(function, X, checkpoint=path, **options)
        except errors as error:
            notes.append(error.__notes__[-1])
        else:
            break
    assert all("evaluations are safe in" in note for note in notes)
    return found, len(notes)


@pytest.mark.parametrize("vectorized", [False, "auto"])
@pytest.mark.parametrize("method", ["central", "forward", "ladder", "complex"])
def test_the_same_bits_after_interruptions(tmp_path, method, vectorized):
    options = {"method": method, "vectorized": vectorized, "full_output": True}
    expected, known = gradient(f, X, **options)
    at = (2, 30, 45) if vectorized is False else (25, 40)
    stopping = Stops(f, *at, error=KeyboardInterrupt)
    (found, estimate), stops = until_done(
        gradient, stopping, tmp_path / "run.npz", KeyboardInterrupt, **options
    )
    assert stops >= 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(estimate.error, known.error)
    assert estimate.evaluations == known.evaluations
    if vectorized is False:  # but for f(x), and what the last chunks had in them
        assert stopping.calls <= known.evaluations + 12 * (stops + 1)


@pytest.mark.parametrize(
    ("call", "function", "options"),
    [
        (jacobian, lambda x: np.outer(x[:3], x), {"vectorized": False}),
        (hessian, f, {"vectorized": False, "accuracy": 2}),
        (hessian, f, {"grad": lambda x: slopes(x) + 0 * x}),
        (gradient, lambda x: np.sin(x) ** 2, {"terms": True, "vectorized": False}),
        (gradient, f, {"bounds": (0.1, 2.0), "vectorized": False}),
        (gradient, f, {"step": 1e-4, "vectorized": False}),
    ],
)
@pytest.mark.filterwarnings("ignore:xgrad evaluates")  # where `f` stops it
def test_of_other_derivatives_too(tmp_path, call, function, options):
    expected = call(function, X, **options)
    stopping = Stops(options.get("grad", function), 3, 20, 60)
    target = function
    if "grad" in options:
        options = options | {"grad": stopping}
    else:
        target = stopping
    found, stops = until_done(
        call, target, tmp_path / "run.npz", RuntimeError, **options
    )
    assert stops >= 1
    np.testing.assert_array_equal(found, expected)


def test_a_tree_of_arrays(tmp_path):
    tree = {"a": X[:5], "b": (X[5:9].reshape(2, 2),)}

    def g(p):
        return np.sum(p["a"] ** 3) + np.sum(p["b"][0] ** 2)

    expected = gradient(g, tree, vectorized=False)
    stopping, path = Stops(g, 10, 25), tmp_path / "run.npz"
    for _ in range(2):
        with pytest.raises(RuntimeError):
            gradient(stopping, tree, vectorized=False, checkpoint=path)
    found = gradient(stopping, tree, vectorized=False, checkpoint=path)
    np.testing.assert_array_equal(found["a"], expected["a"])
    np.testing.assert_array_equal(found["b"][0], expected["b"][0])


def test_a_call_that_is_done_costs_one_evaluation(tmp_path):
    counted, path = Stops(f), tmp_path / "run.npz"
    first = gradient(counted, X, vectorized=False, checkpoint=path)
    assert counted.calls == 161
    second = gradient(counted, X, vectorized=False, checkpoint=str(path))
    assert counted.calls == 162
    np.testing.assert_array_equal(first, second)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("workers", [2, map, "threads"])
def test_workers_may_change_between_calls(tmp_path, workers):
    expected = gradient(f, X, vectorized=False)
    with ThreadPoolExecutor(3) as pool:
        workers = pool if workers == "threads" else workers
        stopping, path = Stops(f, 50), tmp_path / "run.npz"
        with pytest.raises(RuntimeError):
            gradient(stopping, X, vectorized=False, checkpoint=path, workers=workers)
        before = stopping.calls
        found = gradient(stopping, X, vectorized=False, checkpoint=path)
        assert stopping.calls - before < 161
    np.testing.assert_array_equal(found, expected)


def test_results_that_came_early_are_kept(tmp_path):
    """Those that wait for an earlier one, when that fails."""

    first = iter([True])

    def late(x):
        if x[0] != X[0] and next(first, False):
            time.sleep(0.3)
            raise RuntimeError("the first chunk")
        return f(x)

    path = tmp_path / "run.npz"
    with pytest.raises(RuntimeError) as raised:
        gradient(late, X, vectorized=False, checkpoint=path, workers=4)
    assert int(raised.value.__notes__[-1].split()[0]) >= 5


# Killed processes

SCRIPT = """
import signal, sys, time, numpy as np, xgrad
X = np.linspace(0.1, 2.0, 40)
# A shell may have started this with interrupts ignored, which processes inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
def f(x):
    time.sleep(0.01)  # far longer than it takes to see that the file has grown
    return np.sum(np.sin(x) ** 2) * x[0]
found = xgrad.gradient(f, X, method="central", vectorized=False, checkpoint=sys.argv[1])
np.save(sys.argv[2], found)
"""


@pytest.mark.sampled(2)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("kill", ["SIGKILL", "SIGINT"])
def test_a_killed_process_loses_little(tmp_path, kill):
    path, result = tmp_path / "run.npz", tmp_path / "found.npy"
    command = [sys.executable, "-c", SCRIPT, str(path), str(result)]
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            size = path.stat().st_size if path.exists() else 0
            while not (path.exists() and path.stat().st_size > size + 1000):
                time.sleep(0.01)
            process.send_signal(signal.Signals[kill])
        assert not result.exists()
    with np.load(path) as kept:
        assert len(kept.files) > 4
    subprocess.run(command, check=True)
    np.testing.assert_array_equal(np.load(result), gradient(f, X, vectorized=False))


def _dies_once(x):
    """Ends its process at the first call with some of the points."""
    flag = Path(os.environ["XGRAD_TEST_FLAG"])
    if x[20] != X_LARGE[20] and not flag.exists():
        flag.touch()
        os._exit(1)
    return np.sum(x**2)


X_LARGE = np.linspace(0.1, 2.0, 5000)


@pytest.mark.thorough
def test_a_killed_worker_and_two_interruptions(tmp_path, monkeypatch):
    """20,000 evaluations: a pool that breaks, and a driver that is stopped twice."""
    monkeypatch.setenv("XGRAD_TEST_FLAG", str(tmp_path / "died"))
    expected = gradient(lambda x: np.sum(x**2), X_LARGE, vectorized=False)
    stops = iter([4_000, 11_000])
    stop_at = next(stops)

    def interrupt(done, total):
        nonlocal stop_at
        if done >= stop_at:
            stop_at = next(stops, np.inf)
            raise KeyboardInterrupt

    errors = []
    # Spawned: JAX, where another test has loaded it, survives no fork.
    context = multiprocessing.get_context("spawn")
    for _ in range(5):
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            try:
                found = gradient(
                    _dies_once,
                    X_LARGE,
                    vectorized=False,
                    checkpoint=tmp_path / "run.npz",
                    workers=pool,
                    progress=interrupt,
                )
            except (KeyboardInterrupt, BrokenProcessPool) as error:
                errors.append(type(error))
            else:
                break
    assert sorted(error.__name__ for error in errors) == [
        "BrokenProcessPool",
        "KeyboardInterrupt",
        "KeyboardInterrupt",
    ]
    np.testing.assert_array_equal(found, expected)


def test_results_in_another_order_give_the_same_bits(tmp_path):
    def g(x):
        return np.asfortranarray(np.sin(np.outer(np.arange(37.0), x) + x[0]))

    options = {"terms": True, "vectorized": False}
    expected = gradient(g, X, checkpoint=tmp_path / "a.npz", **options)
    found, stops = until_done(
        gradient, Stops(g, 20, 90), tmp_path / "b.npz", RuntimeError, **options
    )
    assert stops == 2
    np.testing.assert_array_equal(found, expected)


def test_workers_that_return_too_much_are_refused(tmp_path):
    def workers(function, chunks):
        chunks = list(chunks)
        return map(function, [*chunks, chunks[0]])

    for options in ({}, {"checkpoint": tmp_path / "run.npz"}):
        with pytest.raises(ValueError, match="returned 161 results for 160 chunks"):
            gradient(f, X, vectorized=False, max_bytes=1, workers=workers, **options)


def test_a_disk_that_is_full_hides_nothing(tmp_path, monkeypatch):
    def full(*arguments, **arrays):
        raise OSError(28, "No space left on device")

    expected, path = gradient(f, X, vectorized=False), tmp_path / "run.npz"
    with pytest.raises(RuntimeError):
        gradient(Stops(f, 60), X, vectorized=False, checkpoint=path)
    stopping = Stops(f, 60, error=KeyboardInterrupt)
    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint_file.np, "savez", full)
        with (
            pytest.warns(RuntimeWarning, match="could not be saved"),
            pytest.raises(KeyboardInterrupt) as raised,
        ):
            gradient(stopping, X, vectorized=False, checkpoint=path)
        assert "59 evaluations are safe" in raised.value.__notes__[-1]
        with pytest.warns(RuntimeWarning, match="could not be saved"):
            found = gradient(f, X, vectorized=False, checkpoint=path)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        gradient(f, X, vectorized=False, checkpoint=path), expected
    )


def test_a_function_may_change_the_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()

    def moving(x):
        os.chdir(tmp_path / "work")
        return f(x)

    gradient(moving, X, vectorized=False, checkpoint="run.npz")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.npz", "work"]
    assert not list((tmp_path / "work").iterdir())


# In a process of its own: JAX, where another test has loaded it, survives no fork.
FORKING = """
import os, sys, numpy as np, xgrad
path, children = sys.argv[1], []
reader, writer = os.pipe()

def f(x):
    return np.sum(np.sin(x) ** 2) * x[0]

def forking(x):
    if not children:
        children.append(os.fork())
        if children[0] == 0:  # as an orphan of a pool, that outlives its parent
            os.read(reader, 1)
            os._exit(0)
    return f(x)

x = np.linspace(0.1, 2.0, 40)
xgrad.gradient(forking, x, method="central", vectorized=False, checkpoint=path)
try:
    xgrad.gradient(f, x, method="central", vectorized=False, checkpoint=path)
finally:
    os.write(writer, b"x")
    os.waitpid(children[0], 0)
print("went on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path / "run.npz")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "went on\n", done.stderr


def test_a_hessian_goes_on_in_the_way_it_began(tmp_path):
    expected = hessian(f, X[:8], accuracy=2)
    stopping = Stops(f, 40, error=KeyboardInterrupt)
    path = tmp_path / "run.npz"
    with contextlib.suppress(KeyboardInterrupt):
        hessian(stopping, X[:8], accuracy=2, checkpoint=path)
    found = hessian(stopping, X[:8], accuracy=2, checkpoint=path)
    np.testing.assert_array_equal(found, expected)


def test_other_libraries(tmp_path, xp):
    x = xp.asarray(X[:5])

    def g(v):
        return xp.sum(v**3)

    expected = gradient(g, x, vectorized=False)
    stopping, path = Stops(g, 9), tmp_path / "run.npz"
    with pytest.raises(RuntimeError):
        gradient(stopping, x, vectorized=False, checkpoint=path)
    found = gradient(stopping, x, vectorized=False, checkpoint=path)
    assert bool(xp.all(found == expected))
