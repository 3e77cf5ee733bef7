"""Which backend is picked, and why another is not."""

import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import xgrad
from xgrad import Backend, BackendUnavailable, backends, namespace, to_numpy
from xgrad.__main__ import main


class CUDARuntimeError(RuntimeError):
    """Stands in for the error of that name in CuPy."""


def _fake_cupy(*, available=False, error=None, kernel_error=None, count=0):
    def get_device_count():
        if error is not None:
            raise error
        return count

    def add(x, y):
        if kernel_error is not None:
            raise kernel_error
        return x + y

    runtime = SimpleNamespace(
        getDeviceCount=get_device_count,
        getDeviceProperties=lambda i: {"name": b"Test GPU"},
    )
    return SimpleNamespace(
        __version__="14.2.0",
        is_available=lambda: available,
        cuda=SimpleNamespace(runtime=runtime),
        ones=np.ones,
        add=add,
    )


@pytest.fixture
def fake(monkeypatch):
    def install(cupy):
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.delenv("XGRAD_BACKEND", raising=False)
        return next(b for b in backends() if b.name == "cupy")

    return install


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, r"not installed.*xgrad\[cuda13x\]"),
        (
            _fake_cupy(error=CUDARuntimeError("cudaErrorInsufficientDriver: old")),
            r"driver is missing or too old.*nvidia-smi",
        ),
        (
            _fake_cupy(error=CUDARuntimeError("cudaErrorNoDevice: no device")),
            "there is no GPU.*CUDA_VISIBLE_DEVICES",
        ),
        (
            _fake_cupy(error=type("DynamicLibNotFoundError", (RuntimeError,), {})("x")),
            r"CUDA libraries are missing.*xgrad\[cuda13x\]",
        ),
        (_fake_cupy(count=0), "no GPU is visible.*CUDA_VISIBLE_DEVICES"),
        (_fake_cupy(error=CUDARuntimeError("odd")), "CUDA does not start.*odd"),
        (
            _fake_cupy(available=True, count=1, kernel_error=RuntimeError("no nvrtc")),
            r"cannot run a kernel.*no nvrtc.*xgrad\[cuda13x\]",
        ),
    ],
)
def test_a_gpu_that_cannot_be_used_is_explained(fake, cupy, reason):
    backend = fake(cupy)
    assert not backend.available
    assert backend.devices == ()
    assert __import__("re").search(reason, backend.reason)
    with pytest.raises(BackendUnavailable, match=reason):
        namespace("cupy")
    assert namespace().__name__ == "array_api_compat.numpy"


def test_a_gpu_that_works_lists_its_devices(fake):
    backend = fake(_fake_cupy(available=True, count=2))
    assert backend.available
    assert backend.devices == ("cuda:0 Test GPU", "cuda:1 Test GPU")
    assert backend.reason == ""


def test_the_variable_overrides_auto_alone(monkeypatch):
    monkeypatch.setenv("XGRAD_BACKEND", "array_api_strict")
    assert namespace().__name__ == "array_api_strict"
    assert namespace("numpy").__name__ == "array_api_compat.numpy"


def test_the_variable_is_named_when_it_asks_for_too_much(fake, monkeypatch):
    fake(None)
    monkeypatch.setenv("XGRAD_BACKEND", "cupy")
    with pytest.raises(BackendUnavailable, match=r"variable XGRAD_BACKEND.*installed"):
        namespace()
    monkeypatch.setenv("XGRAD_BACKEND", "fortran")
    with pytest.raises(ValueError, match="`XGRAD_BACKEND` must be one of 'auto'"):
        namespace()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"`name` must be one of .*'numpy', 'cupy'"):
        namespace("cuda")


def test_backends_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        backends()[0].name = "other"


def test_the_command_prints_the_table_and_the_reason(fake, monkeypatch, capsys):
    fake(None)
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert '"auto" picks: numpy' in printed
    assert "The GPU is not used: cupy is not installed" in printed
    monkeypatch.setenv("XGRAD_BACKEND", "cupy")
    assert main([]) == 1
    assert "XGRAD_BACKEND" in capsys.readouterr().out


def test_the_command_runs():
    done = subprocess.run(
        [sys.executable, "-m", "xgrad"], capture_output=True, text=True, check=True
    )
    assert f"xgrad {xgrad.__version__}" in done.stdout


def test_to_numpy_copies_every_backend_and_keeps_the_nesting(xp):
    tree = {"a": xp.asarray([1.0, 2.0]), "b": [(xp.asarray([3, 4]),)]}
    host = to_numpy(tree)
    assert type(host["a"]) is np.ndarray
    assert type(host["b"][0]) is tuple
    np.testing.assert_array_equal(host["a"], [1.0, 2.0])
    np.testing.assert_array_equal(host["b"][0][0], [3, 4])


def test_to_numpy_names_the_leaf_that_is_no_array():
    with pytest.raises(TypeError, match=r"`x\['a'\]\[1\]` is a str"):
        to_numpy({"a": [np.ones(1), "text"]})


def test_to_numpy_keeps_the_fields_of_a_namedtuple():
    from collections import namedtuple

    Pair = namedtuple("Pair", "left right")
    assert to_numpy(Pair(np.ones(1), np.zeros(1))).right == [0.0]


def test_backends_are_shown_in_short_lines():
    for backend in backends():
        assert len(repr(backend)) <= 110
        assert repr(backend).startswith(f"Backend({backend.name}")
    usable = Backend("numpy", "2.4.6", True, ("cpu",), "")
    assert repr(usable) == "Backend(numpy 2.4.6, cpu)"
    missing = Backend("cupy", None, False, (), "cupy is not installed. Install it")
    assert repr(missing) == "Backend(cupy, not usable: cupy is not installed)"
    broken = Backend("jax", "1.0", False, (), "the driver is too old " * 9)
    assert repr(broken).startswith("Backend(jax 1.0, not usable: the driver is")
    assert repr(broken).endswith("[...])")
