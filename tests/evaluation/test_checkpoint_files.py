"""Which files a call takes for its checkpoint, and which it refuses."""

import dataclasses
import io
import json
import random
import zipfile

import numpy as np
import pytest
from cases.damage import mutated
from cases.differences import gradient, hessian, jacobian

from xgrad import color_columns
from xgrad._evaluation.checkpoint import Checkpoint
from xgrad._evaluation.checkpoint_file import read_arrays

X = np.linspace(0.1, 2.0, 40)


def f(x):
    return np.sum(np.sin(x) ** 2) * x[0]


# That of another call


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
    # An infinite value has no size that a difference could be small for.
    with pytest.raises(ValueError, match="returns something else at x"):
        gradient(lambda x: f(x) + np.inf, X, vectorized=False, checkpoint=path)


# Damaged


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
        read_arrays(file)


def _fuzz(path, count):
    """Read mutations of a checkpoint; how many were refused."""
    data, refused = path.read_bytes(), []
    about = read_arrays(io.BytesIO(data))["about"]
    call = json.loads(about.tobytes())["call"]
    rng = random.Random(20261126)
    for _ in range(count):
        path.write_bytes(mutated(rng, data))
        try:
            Checkpoint(path, call)
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
    arrays = read_arrays(io.BytesIO(small.read_bytes()))
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
    arrays = read_arrays(io.BytesIO(small.read_bytes()))
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


# In use, or no file


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


def test_folders_that_cannot_lock_are_told(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="locks of POSIX")

    def unsupported(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(ValueError, match="folder in which files can be locked"):
        gradient(f, X, vectorized=False, checkpoint=tmp_path / "run.npz")
