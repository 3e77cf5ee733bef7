"""The pulls of a product of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np


def adjoint(x: Any) -> Any:
    """Return conjugate transposes of matrices, which lie along the last two axes."""
    x = np.swapaxes(x, -1, -2)
    return np.conj(x) if x.dtype.kind == "c" else x


def pull_left(g: Any, b: Any, shapes: Any) -> Any:
    """Return the cotangent of ``a`` in ``a @ b``, before axes are summed away."""
    a_ndim, b_ndim = map(len, shapes)
    if a_ndim > 1 and b_ndim > 1:
        return g @ adjoint(b)
    if b_ndim == 1:
        # Each row of `a` met the same vector.
        return g[..., None] * (np.conj(b) if b.dtype.kind == "c" else b)
    return (g[..., None, :] @ adjoint(b))[..., 0, :]


def pull_right(g: Any, a: Any, shapes: Any) -> Any:
    """Return the cotangent of ``b`` in ``a @ b``, before axes are summed away."""
    a_ndim, b_ndim = map(len, shapes)
    if a_ndim > 1 and b_ndim > 1:
        return adjoint(a) @ g
    if a_ndim == 1 and b_ndim == 1:
        return g * (np.conj(a) if a.dtype.kind == "c" else a)
    if a_ndim == 1:
        return (np.conj(a) if a.dtype.kind == "c" else a)[:, None] * g[..., None, :]
    return (adjoint(a) @ g[..., None])[..., 0]


def mirrored(a: Any, lower: bool, is_hermitian: bool) -> Any:
    """Return the matrix of which one triangle is read."""
    own, strict = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
    return own + (adjoint(strict) if is_hermitian else np.swapaxes(strict, -1, -2))
