"""Kernels of NumPy watched, switched off, and compared with the formulas."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xgrad import special
from xgrad._arrays import is_numpy
from xgrad._evaluation import points
from xgrad._kernels import lookup
from xgrad.losses import _loss
from xgrad.metrics import _labelled_rows, _regression_state

# Modules that look for kernels by this name.
CALLERS = (_loss, points, _labelled_rows, _regression_state, special)
# Modules of kernels for NumPy that can be used here.
MODULES = ("numpy", "numba") if lookup.is_numba_installed() else ("numpy",)


def find_in(module: str) -> Callable[..., Any]:
    """Return a `find_kernel` that knows one of these modules alone."""
    kernels = importlib.import_module(f"xgrad._kernels.{module}")

    def find(name: str, xp: Any, dtype: Any) -> Any:
        return kernels.find(name, dtype) if is_numpy(xp) else None

    return find


class Spy:
    """A `find_kernel` that counts how often a kernel has an answer."""

    def __init__(self, find: Callable[..., Any]) -> None:
        self.find = find
        self.asked = self.answered = 0

    def __call__(self, name: str, xp: Any, dtype: Any) -> Any:
        kernel = self.find(name, xp, dtype)

        def watched(*arguments: Any, **settings: Any) -> Any:
            answer = kernel(*arguments, **settings)
            self.asked += 1
            self.answered += answer is not None
            return answer

        return kernel and watched


def replace_lookup(patch: pytest.MonkeyPatch, lookup: Callable[..., Any]) -> None:
    """Let every module look for kernels by another function."""
    for module in CALLERS:
        patch.setattr(module, "find_kernel", lookup)


def formulas(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a call returns without kernels."""
    with pytest.MonkeyPatch.context() as patch:
        replace_lookup(patch, lambda *names: None)
        return call(*arguments, **options)


def assert_same(actual: Any, desired: Any, units: float = 8) -> None:
    """Compare to some units in the last place of the largest, nan and inf in place."""
    actual = actual if isinstance(actual, tuple) else (actual,)
    desired = desired if isinstance(desired, tuple) else (desired,)
    for one, other in zip(actual, desired, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        one, other = np.asarray(one), np.asarray(other)
        finite = np.abs(other[np.isfinite(other)])
        size = max(1.0, finite.max(initial=0.0))
        eps = float(np.finfo(one.dtype).eps)
        np.testing.assert_allclose(one, other, rtol=0, atol=units * eps * size)
