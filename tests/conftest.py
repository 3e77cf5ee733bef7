"""The backends that every test runs on, and how their arrays are made."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import pytest

import xgrad


class Library:
    """An array namespace whose `asarray` also decides device and writability."""

    def __init__(self, name: str, namespace: Any, device: Any = None) -> None:
        self.name = name
        self.namespace = namespace
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self.namespace, name)

    def __repr__(self) -> str:
        return self.name

    def asarray(self, values: Any, dtype: str | None = None) -> Any:
        """Array of the library; floats are float64 unless a dtype is named."""
        values = np.array(values, dtype=dtype)
        if self.name == "numpy-readonly":
            values.flags.writeable = False
            return values
        if self.device is None:
            return self.namespace.asarray(values)
        return self.namespace.asarray(values, device=self.device)


def _numpy() -> Library:
    return Library("numpy", xgrad.namespace("numpy"))


def _readonly() -> Library:
    return Library("numpy-readonly", xgrad.namespace("numpy"))


def _strict() -> Library:
    return Library("strict", xgrad.namespace("array_api_strict"))


def _strict_device1() -> Library:
    """Stands in for a GPU: NumPy refuses its arrays, so a hidden copy raises."""
    strict = xgrad.namespace("array_api_strict")
    return Library("strict-device1", strict, strict.Device("device1"))


def _torch() -> Library:
    return Library("torch", xgrad.namespace("torch"))


def _jax() -> Library:
    import jax

    jax.config.update("jax_enable_x64", True)
    return Library("jax", xgrad.namespace("jax"))


def _cupy() -> Library:
    try:
        return Library("cupy", xgrad.namespace("cupy"))
    except xgrad.BackendUnavailable as error:
        if os.environ.get("XGRAD_REQUIRE_GPU") == "1":
            pytest.fail(f"XGRAD_REQUIRE_GPU=1, but {error}")
        pytest.skip(f"{error}")


LIBRARIES = {
    "numpy": _numpy,
    "numpy-readonly": _readonly,
    "strict": _strict,
    "strict-device1": _strict_device1,
    "cupy": _cupy,
}
# The wider matrix: whatever of it is installed.
LIBRARIES |= {
    name: make
    for name, make in {"torch": _torch, "jax": _jax}.items()
    if importlib.util.find_spec(name)
}


@pytest.fixture(params=LIBRARIES)
def xp(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


def pytest_report_header() -> str:
    backends = {backend.name: backend for backend in xgrad.backends()}
    usable = ", ".join(name for name, backend in backends.items() if backend.available)
    lines = [f"xgrad {xgrad.__version__}, usable backends: {usable}"]
    if not backends["cupy"].available:
        lines.append(f"CuPy is skipped: {backends['cupy'].reason}")
    return "\n".join(lines)
