"""Sums of exponentials of stand-ins, as SciPy has them, which converts its arguments.

They are those of `scipy.special`, whose other functions of arrays are ufuncs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing import unrecorded


def logsumexp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the logarithm of a sum of exponentials, without overflow."""
    top = _largest(a, axis)
    total = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    if keepdims:
        return total
    return total.reshape(()) if axis is None else np.squeeze(total, axis=axis)


def softmax(x: Any, axis: Any = None) -> Any:
    """Return the shares of exponentials in their sum."""
    powers = np.exp(x - _largest(x, axis))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """Return the logarithms of the shares of exponentials in their sum."""
    return x - logsumexp(x, axis, keepdims=True)


def _largest(x: Any, axis: Any) -> Any:
    """Return the largest entries along axes, 0 in place of infinities."""
    top = np.max(x, axis=axis, keepdims=True)
    return unrecorded(np.where(np.isfinite(top), top, 0))


EXPONENTIALS = {f.__name__: f for f in (logsumexp, softmax, log_softmax)}
