"""Cosine and sine transforms of `scipy.fft` for stand-ins, by Fourier transforms.

J. Makhoul, A fast cosine transform in one and two dimensions, IEEE Transactions on
Acoustics, Speech, and Signal Processing 28 (1980) 27-34. The formulas of SciPy are sums
over all entries ``x[n]``, times cosines or sines of multiples of ``pi / (2 * N)``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff.fourier import resize

# By its type, the transform that is the inverse up to a factor.
INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def _cosine(x: Any, type: int) -> Any:
    """Return twice the sums of entries and cosines along the last axis."""
    n = x.shape[-1]
    k = np.arange(n)
    if type == 1:
        return np.real(np.fft.rfft(np.concatenate([x, x[..., -2:0:-1]], axis=-1)))
    if type == 2:
        spectrum = np.fft.rfft(np.concatenate([x, x[..., ::-1]], axis=-1))[..., :n]
        return np.real(spectrum * np.exp(-0.5j * math.pi / n * k))
    x = x * np.where((k == 0) & (type == 3), 1.0, 2.0)
    turned = x * np.exp(0.5j * math.pi / n * k)
    sums = np.fft.ifft(turned, 2 * n, norm="forward")[..., :n]
    if type == 4:
        sums = sums * np.exp(0.25j * math.pi / n * (2 * k + 1))
    return np.real(sums)


def _sine(x: Any, type: int) -> Any:
    """Return twice the sums of entries and sines along the last axis."""
    n = x.shape[-1]
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    if type == 1:
        zero = np.zeros_like(x[..., :1])
        odd = np.concatenate([zero, x, zero, -x[..., ::-1]], axis=-1)
        return -np.imag(np.fft.rfft(odd))[..., 1:-1]
    if type == 2:
        return _cosine(signs * x, 2)[..., ::-1]
    return signs * _cosine(x[..., ::-1], type)


def _transform(
    sums: Callable[[Any, int], Any],
    is_back: bool,
    x: Any,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Any:
    """Return the transform along an axis, cut or padded to ``n``, or its inverse."""
    if np.iscomplexobj(x):
        raise ValueError("cosine transforms of complex numbers have no substitute")
    x = np.moveaxis(x, axis, -1)
    x = x if n is None else resize(x, x.ndim - 1, n)
    is_sine, kind = sums is _sine, INVERSE[type] if is_back else type
    period = 2 * (x.shape[-1] + (0 if kind > 1 else 1 if is_sine else -1))
    orthogonalize = norm == "ortho" if orthogonalize is None else orthogonalize
    ends = _ends(is_sine, kind, x.shape[-1]) if orthogonalize else 1.0
    y = sums(x if kind == 2 else x * ends, kind)
    y = y if kind in (3, 4) else y / ends
    if norm == "ortho":
        y = y / math.sqrt(period)
    elif is_back == (norm in (None, "backward")):
        y = y / period
    return np.moveaxis(y.astype(x.dtype), -1, axis)


def _ends(is_sine: bool, kind: int, n: int) -> Any:
    """Return the factors of entries by which a matrix of cosines is orthogonal."""
    k = np.arange(n)
    first, last = k == 0, k == n - 1
    marked = {
        1: np.zeros(n, bool) if is_sine else first | last,
        2: last if is_sine else first,
        3: last if is_sine else first,
        4: np.zeros(n, bool),
    }
    return np.where(marked[kind], math.sqrt(2), 1.0)


def _transform_axes(
    one: Callable[..., Any],
    x: Any,
    type: int = 2,
    s: Any = None,
    axes: Any = None,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Any:
    """Return the transform along several axes."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(np.atleast_1d(s)), 0)
    axes = np.atleast_1d(axes)
    lengths = [None] * len(axes) if s is None else np.atleast_1d(s)
    for n, axis in zip(lengths, axes, strict=True):
        x = one(x, type, n, axis, norm, orthogonalize=orthogonalize)
    return x


_ONE_AXIS = {
    "dct": functools.partial(_transform, _cosine, False),
    "idct": functools.partial(_transform, _cosine, True),
    "dst": functools.partial(_transform, _sine, False),
    "idst": functools.partial(_transform, _sine, True),
}
COSINES = _ONE_AXIS | {
    f"{name}n": functools.partial(_transform_axes, function)
    for name, function in _ONE_AXIS.items()
}
