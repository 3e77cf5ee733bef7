"""A long call that is interrupted, however, goes on where it stopped."""

import contextlib
import dataclasses
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from helpers import mutated

from xgrad import _checkpoint, color_columns, gradient, hessian, jacobian

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
@pytest.mark.parametrize("method", ["central", "forward", "auto", "ladder", "complex"])
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
import sys, time, numpy as np, xgrad
X = np.linspace(0.1, 2.0, 40)
def f(x):
    time.sleep(0.002)
    return np.sum(np.sin(x) ** 2) * x[0]
found = xgrad.gradient(f, X, vectorized=False, checkpoint=sys.argv[1])
np.save(sys.argv[2], found)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_loses_little(tmp_path, kill):
    path, result = tmp_path / "run.npz", tmp_path / "found.npy"
    command = [sys.executable, "-c", SCRIPT, str(path), str(result)]
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            size = path.stat().st_size if path.exists() else 0
            while not (path.exists() and path.stat().st_size > size + 1000):
                time.sleep(0.01)
            process.send_signal(kill)
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
    for _ in range(5):
        with ProcessPoolExecutor(2) as pool:
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


# What is refused


@pytest.fixture
def finished(tmp_path):
    path = tmp_path / "run.npz"
    gradient(f, X, vectorized=False, checkpoint=path)
    return path


CHANGES = {
    "x": (f, X + 1e-12, {}),
    "its x": (f, X[:30], {}),
    "method": (f, X, {"method": "forward"}),
    "accuracy": (f, X, {"accuracy": 2}),
    "steps": (f, X, {"step": 1e-3}),
    "bounds": (f, X, {"bounds": (0.1, 5.0)}),
    "full_output": (f, X, {"full_output": True}),
    "vectorized": (f, X, {"vectorized": "auto"}),
    "returns something else": (lambda x: f(x) + 1e-3, X, {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_call_is_refused(finished, name):
    function, x, options = CHANGES[name]
    before = finished.read_bytes()
    with pytest.raises(ValueError, match=f"belongs to another call.*{name}"):
        gradient(function, x, checkpoint=finished, **{"vectorized": False, **options})
    assert finished.read_bytes() == before


def test_another_function_of_xgrad_is_refused(finished):
    with pytest.raises(ValueError, match="its function and ") as raised:
        hessian(f, X, vectorized=False, checkpoint=finished)
    assert not hasattr(raised.value, "__notes__")  # nothing goes on from there


def test_another_colouring_is_refused(tmp_path):
    pattern = np.eye(6, dtype=bool) | np.eye(6, k=1, dtype=bool)
    coloring = color_columns(pattern)
    exchanged = dataclasses.replace(coloring, colors=1 - coloring.colors)
    options = {"vectorized": False, "checkpoint": tmp_path / "run.npz"}

    def g(x):
        return x**2 + np.append(x[1:], 0.0)

    jacobian(g, X[:6], sparsity=coloring, **options)
    with pytest.raises(ValueError, match="its columns differ"):
        jacobian(g, X[:6], sparsity=exchanged, **options)
    with pytest.raises(ValueError, match="belongs to another call"):
        jacobian(g, X[:6], **options)


def test_other_names_are_refused(tmp_path):
    zero, path = np.zeros(2), tmp_path / "run.npz"

    def g(p):
        return np.sum(3 * p["a"] + 5 * p["b"])

    options = {"vectorized": False, "checkpoint": path}
    gradient(g, {"a": zero, "b": zero}, **options)
    with pytest.raises(ValueError, match="its x differ"):
        gradient(g, {"b": zero, "a": zero}, **options)


def test_small_changes_of_f_are_seen(tmp_path):
    options = {"vectorized": False, "checkpoint": tmp_path / "run.npz"}
    jacobian(lambda x: np.stack([1e10 * x[0], x[1]]), np.array([1.0, 0.8]), **options)
    with pytest.raises(ValueError, match="returns something else"):
        jacobian(
            lambda x: np.stack([1e10 * x[0], 50 * x[1]]),
            np.array([1.0, 0.8]),
            **options,
        )
    path = tmp_path / "other.npz"
    gradient(f, X, vectorized=False, checkpoint=path)
    with pytest.raises(ValueError, match="returns something else"):
        gradient(lambda x: f(x) + 1e-9, X, vectorized=False, checkpoint=path)


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
        patch.setattr(_checkpoint.np, "savez", full)
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    path = tmp_path / "run.npz"
    reader, writer = os.pipe()
    children = []

    def forking(x):
        if not children:
            children.append(os.fork())
            if children[0] == 0:  # as an orphan of a pool, that outlives its parent
                os.read(reader, 1)
                os._exit(0)
        return f(x)

    gradient(forking, X, vectorized=False, checkpoint=path)
    try:
        gradient(f, X, vectorized=False, checkpoint=path)
    finally:
        os.write(writer, b"x")
        os.waitpid(children[0], 0)
        os.close(reader)
        os.close(writer)


def test_folders_that_cannot_lock_are_told(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="locks of POSIX")

    def unsupported(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(ValueError, match="folder in which files can be locked"):
        gradient(f, X, vectorized=False, checkpoint=tmp_path / "run.npz")


def test_a_hessian_goes_on_in_the_way_it_began(tmp_path):
    expected = hessian(f, X[:8], accuracy=2)
    stopping, path = Stops(f, 40), tmp_path / "run.npz"
    with contextlib.suppress(RuntimeError):
        hessian(stopping, X[:8], accuracy=2, checkpoint=path)
    found = hessian(stopping, X[:8], accuracy=2, checkpoint=path)
    np.testing.assert_array_equal(found, expected)


def test_damaged_and_foreign_files_are_refused(finished, tmp_path):
    whole = finished.read_bytes()
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, about=np.arange(3))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, about=np.array([{"a": 1}], dtype=object))
    packed = tmp_path / "packed.npz"
    np.savez_compressed(packed, about=np.zeros(10**6))
    for data in (
        whole[: len(whole) // 2],
        whole[:-10],
        b"",
        b"PK\x03\x04",
        whole.replace(b'"format": 1', b'"format": 9'),
        foreign.read_bytes(),
        pickled.read_bytes(),
        packed.read_bytes(),
    ):
        finished.write_bytes(data)
        with pytest.raises(
            ValueError, match="not a checkpoint of xgrad, or is damaged"
        ):
            gradient(f, X, vectorized=False, checkpoint=finished)
        assert finished.read_bytes() == data


def test_what_an_array_claims_is_compared_with_the_file(tmp_path):
    path = tmp_path / "large.npz"
    np.savez(path, a=np.zeros(4))
    data = path.read_bytes().replace(b"'shape': (4,), }   ", b"'shape': (4000000,), }")
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises((ValueError, zipfile.BadZipFile)):
        _checkpoint.read_arrays(file)


def _fuzz(path, count):
    """Read mutations of a checkpoint; how many were refused."""
    data, refused = path.read_bytes(), []
    about = _checkpoint.read_arrays(io.BytesIO(data))["about"]
    call = json.loads(about.tobytes())["call"]
    rng = random.Random(20261126)
    for _ in range(count):
        path.write_bytes(mutated(rng, data))
        try:
            _checkpoint.Checkpoint(path, call)
        except ValueError as error:
            refused.append(str(error))
    assert all("`checkpoint`" in message for message in refused)
    return len(refused)


INSIDE = {
    "call": ("call", []),
    "passes": ("passes", [{}]),
    "about": ("passes", [{"about": {}, "fitting": 1}]),
    "format": ("format", "1"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_files_with_another_inside_are_refused(small, name):
    arrays = _checkpoint.read_arrays(io.BytesIO(small.read_bytes()))
    about = json.loads(arrays["about"].tobytes())
    key, value = INSIDE[name]
    about[key] = value
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with small.open("wb") as file:
        np.savez(file, **arrays | {"about": text})
    with pytest.raises(ValueError, match="`checkpoint`"):
        gradient(f, X[:3], vectorized=False, accuracy=2, checkpoint=small)


@pytest.mark.parametrize("change", ["dtype", "shape", "number", "fitting"])
def test_values_that_do_not_fit_are_refused(small, change):
    arrays = _checkpoint.read_arrays(io.BytesIO(small.read_bytes()))
    about = json.loads(arrays["about"].tobytes())
    if change == "dtype":
        arrays["0/0"] = arrays["0/0"].astype(np.float32)
    elif change == "shape":
        arrays["0/0"] = arrays["0/0"][None]
    elif change == "number":
        arrays["0/99"] = arrays["0/0"]
    else:
        about["passes"][0]["fitting"] = 1000
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with small.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(ValueError, match="not a checkpoint of xgrad"):
        gradient(f, X[:3], vectorized=False, accuracy=2, checkpoint=small)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "run.npz"
    gradient(f, X[:3], vectorized=False, accuracy=2, checkpoint=path)
    return path


def test_mutated_files_do_no_harm(small):
    assert _fuzz(small, 2_000) > 1_500


@pytest.mark.slow
def test_many_mutated_files_do_no_harm(small):
    assert _fuzz(small, 100_000) > 75_000


def test_two_calls_cannot_share_a_file(tmp_path):
    path = tmp_path / "run.npz"

    def nested(x):
        gradient(f, X, vectorized=False, checkpoint=path)
        return f(x)

    with pytest.raises(ValueError, match="in use by another process or call"):
        gradient(nested, X, vectorized=False, checkpoint=path)
    gradient(f, X, vectorized=False, checkpoint=path)  # and the lock is gone


def test_names_that_are_none(tmp_path):
    with pytest.raises(TypeError, match="`checkpoint` must be the name of a file"):
        gradient(f, X, checkpoint=3)
    with pytest.raises(ValueError, match="`checkpoint` must lie in a folder"):
        gradient(f, X, checkpoint=tmp_path / "none" / "run.npz")


def test_lazy_arrays_have_nothing_to_keep(tmp_path):
    da = pytest.importorskip("dask.array", reason="Dask is missing")
    with pytest.raises(TypeError, match="`checkpoint` keeps values"):
        gradient(lambda x: (x**2).sum(), da.ones(3), checkpoint=tmp_path / "run.npz")


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
