"""The backends that tests run on, and how their arrays are made."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import pytest

import xgrad

# Functions that NumPy has from version 2.1 or 2.2 on, while xgrad takes 2.0.
NEW_IN_NUMPY = ("cumulative_prod", "cumulative_sum", "matvec", "unstack", "vecmat")
MISSING_IN_NUMPY = tuple(name for name in NEW_IN_NUMPY if not hasattr(np, name))


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

    def asarray(self, values: Any, dtype: Any = None) -> Any:
        """Array of the library; floats are float64 unless a dtype is named."""
        values = np.array(values, dtype=dtype)
        if self.name == "numpy-readonly":
            values.flags.writeable = False
            return values
        if self.name == "dask":
            # Chunks of two: most arrays of a test have several, the last one shorter.
            chunks = tuple(max(2, size // 8) for size in values.shape)
            return self.namespace.from_array(values, chunks=chunks)
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


def _dask() -> Library:
    return Library("dask", xgrad.namespace("dask"))


def _cupy() -> Library:
    try:
        return Library("cupy", xgrad.namespace("cupy"))
    except xgrad.BackendUnavailable as error:
        if os.environ.get("XGRAD_REQUIRE_GPU") == "1":
            pytest.fail(f"XGRAD_REQUIRE_GPU=1, but {error}")
        pytest.skip(f"{error}")


def _installed(**makers: Any) -> dict[str, Any]:
    return {n: make for n, make in makers.items() if importlib.util.find_spec(n)}


LIBRARIES = {
    "numpy": _numpy,
    "numpy-readonly": _readonly,
    "strict": _strict,
    "strict-device1": _strict_device1,
    "cupy": _cupy,
    # The wider matrix: whatever of it is installed.
    **_installed(torch=_torch, jax=_jax),
}
# Dask computes nothing until it is asked to: for losses, which can wait.
WITH_LAZY = LIBRARIES | _installed(dask=_dask)
