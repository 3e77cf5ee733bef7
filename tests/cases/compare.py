"""Comparison with known values, and slopes that owe nothing to xgrad."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad import to_numpy


def assert_close(actual: Any, desired: Any, *, rtol: float, atol: float = 0.0) -> None:
    """Values within a tolerance that the caller derives; nan equals nan."""
    np.testing.assert_allclose(to_numpy(actual), desired, rtol=rtol, atol=atol)


def central(f: Any, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Gradient of a scalar function by the plainest loop: independent of xgrad."""
    slopes = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        slopes[i] = (f(up) - f(down)) / (up[i] - down[i])
    return slopes
