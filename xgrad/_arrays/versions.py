"""All that a report of a fault has to say about a machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator

from xgrad._arrays.backends import backends

# Libraries that xgrad works with, beside the backends, by the names of their packages.
PACKAGES = ("array-api-compat", "scipy", "matplotlib", "tqdm", "pandas", "pytest")
VARIABLES = ("XGRAD_", "CUDA_", "JAX_", "OMP_NUM_THREADS")


def show_versions() -> None:
    """Print the versions of xgrad and of all it uses, for the report of a fault.

    These are Python, the operating system, the array libraries with their devices (or
    the reason why one cannot be used), the driver of CUDA, other libraries that are
    installed, and environment variables that change how they run.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    xgrad ...
    """
    sections = [_system(), _backends(), _packages(), _variables()]
    print("\n\n".join(filter(None, map(_table, map(dict, sections)))))


def _system() -> Iterator[tuple[str, str]]:
    yield "xgrad", sys.modules["xgrad"].__version__
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", platform.platform()
    yield "processors", f"{os.cpu_count()} {platform.machine()}"


def _backends() -> Iterator[tuple[str, str]]:
    for backend in backends():
        if backend.version is None:
            yield backend.name, "not installed"
            continue
        state = ", ".join(backend.devices) or f"not usable: {backend.reason}"
        yield backend.name, f"{backend.version}, {state}"
        if backend.name == "cupy" and backend.available:
            yield "cuda", _cuda()


def _cuda() -> str:
    """Return the versions of CUDA of the driver and of CuPy."""
    from cupy.cuda import runtime

    versions = (runtime.driverGetVersion(), runtime.runtimeGetVersion())
    # CUDA writes 13.1 as 13010.
    driver, built = (f"{v // 1000}.{v % 1000 // 10}" for v in versions)
    return f"driver {driver}, CuPy {built}"


def _packages() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue


def _variables() -> Iterator[tuple[str, str]]:
    return ((n, v) for n, v in sorted(os.environ.items()) if n.startswith(VARIABLES))


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows.items())
