"""Which backend is picked, and why another is not."""

import dataclasses
import importlib.abc
import importlib.util
import platform
import subprocess
import sys
from types import SimpleNamespace

import array_api_compat
import numpy as np
import pytest

import xgrad
from xgrad import (
    Backend,
    BackendUnavailable,
    backend_name,
    backends,
    namespace,
    to_numpy,
)
from xgrad.__main__ import main
from xgrad._arrays.backends import _warn_once


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
    if cupy is None:
        assert namespace().__name__ == "array_api_compat.numpy"
        return
    _warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match=reason):
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


@pytest.mark.parametrize("text", ["NumPy", " numpy ", "NUMPY\n"])
def test_capitals_and_blanks_of_the_variable_do_not_matter(monkeypatch, text):
    monkeypatch.setenv("XGRAD_BACKEND", text)
    assert namespace().__name__ == "array_api_compat.numpy"


def test_a_blank_variable_is_none(fake, monkeypatch):
    fake(None)
    monkeypatch.setenv("XGRAD_BACKEND", "  ")
    assert namespace().__name__ == "array_api_compat.numpy"


@pytest.fixture
def unwarned():
    """Forget which warnings have been given."""
    _warn_once.cache_clear()
    yield
    _warn_once.cache_clear()


@pytest.mark.usefixtures("unwarned")
def test_a_cupy_that_cannot_be_used_warns_once(fake, caplog):
    fake(_fake_cupy(error=CUDARuntimeError("cudaErrorNoDevice: no device")))
    caplog.set_level("INFO", "xgrad")
    with pytest.warns(RuntimeWarning, match="uses NumPy, .* there is no GPU") as record:
        assert namespace() is namespace()
    assert len(record) == 1
    assert record[0].filename == __file__
    assert [r.name for r in caplog.records] == ["xgrad", "xgrad"]
    assert "there is no GPU" in caplog.text


@pytest.mark.usefixtures("unwarned")
def test_a_cupy_that_is_not_installed_or_not_asked_for_is_silent(fake, monkeypatch):
    fake(None)
    namespace()  # warnings are errors here
    fake(_fake_cupy(count=0))
    namespace("numpy")
    monkeypatch.setenv("XGRAD_BACKEND", "numpy")
    namespace()


class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a CuPy that cannot be imported, with a text in several lines."""

    text = """
    =====================
    CuPy is not correctly installed.

    If you use a wheel, match it with your version of CUDA.

    Original error:
      ImportError: libcuda.so.1: cannot open shared object file
    =====================
    """

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "cupy" else None

    def create_module(self, spec):
        raise ImportError(self.text)

    def exec_module(self, module):
        pass


@pytest.mark.usefixtures("unwarned")
def test_the_reason_may_stand_in_a_later_line(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    monkeypatch.delenv("XGRAD_BACKEND", raising=False)
    broken = next(b for b in backends() if b.name == "cupy")
    assert "CuPy is not correctly installed" in broken.reason
    assert "libcuda.so.1: cannot open shared object file" in broken.reason
    assert "\n" not in broken.reason
    assert broken.version == "unknown"
    with pytest.warns(RuntimeWarning, match="libcuda"):
        namespace()


def test_every_library_has_a_version():
    assert all(b.version != "unknown" for b in backends() if b.available)


def test_a_namespace_has_a_short_name():
    for backend in backends():
        if backend.available:
            assert backend_name(namespace(backend.name)) == backend.name
    assert backend_name(np) == "numpy"
    with pytest.raises(TypeError, match=r"`xp` must be a namespace.*numpy\.ndarray"):
        backend_name(np.ones(2))


def test_a_function_that_is_differentiated_may_ask_for_the_name():
    def f(x):
        assert backend_name(array_api_compat.array_namespace(x)) == "numpy"
        return (x**2).sum()

    np.testing.assert_allclose(xgrad.gradient(f, np.ones(3)), 2.0)


def test_versions_tell_what_a_report_needs(monkeypatch, capsys):
    monkeypatch.setenv("XGRAD_BACKEND", "numpy")
    xgrad.show_versions()
    lines = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.split("\n") if line
    )
    assert lines["xgrad"] == xgrad.__version__
    assert lines["python"].startswith(platform.python_version())
    assert lines["numpy"] == f"{np.__version__}, cpu"
    assert lines["pytest"] == pytest.__version__
    assert lines["XGRAD_BACKEND"] == "numpy"
    assert {"system", "array-api-compat", *(b.name for b in backends())} <= lines.keys()


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


def test_no_line_of_the_table_is_wider_than_the_terminal(fake, monkeypatch, capsys):
    fake(_fake_cupy(error=CUDARuntimeError("cudaErrorInsufficientDriver: old")))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XGRAD_BACKEND", "numpy")
    assert main([]) == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80
    (start,) = {line.index("CuPy") for line in table if "CuPy" in line}
    assert table[table.index(next(t for t in table if "CuPy" in t)) + 1].startswith(
        " " * start
    )


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
    repeated = to_numpy(xp.broadcast_to(tree["a"], (3, 2)))
    np.testing.assert_array_equal(repeated, [[1.0, 2.0]] * 3)


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
