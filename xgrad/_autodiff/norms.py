"""The rules of norms, which are 0 at 0 as the mean of all directions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._autodiff.fibres import with_axes
from xgrad._autodiff.functions import keep, rule


def norm_with_edge(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Return norms of vectors as one operation; None for sums and extrema."""
    tape = x.tracer
    if order in (0, 1, math.inf, -math.inf) or not tape.depends(x):
        return None
    value = tape.value_of(x)
    p = 2 if order in (None, 2, "fro") else order
    size = np.abs(value) if p != 2 or value.dtype.kind == "c" else value
    powers = size * size if p == 2 else size**p
    total = np.sum(powers, axis=axes, keepdims=keepdims)
    y = np.sqrt(total) if p == 2 else total ** (1 / p)
    held = tape.hold(x, value)
    new = tape.result(y, tape.edge(x, pull_norm, held, y, p, axes, keepdims))
    new.kept = True
    return new


def pull_norm(
    g: Any, x: Any, y: Any, p: float, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the cotangent of vectors from that of their norms ``y``; 0 at 0."""
    if p == 2 and isinstance(y, np.generic) and y:
        return (g / y) * x  # one number that is not 0, which the host knows
    is_zero = y == 0
    y, g = np.where(is_zero, 1, y), np.where(is_zero, 0, g)
    if p == 2:
        factor = g / y
        # (One number is repeated along all axes as it is, which takes no time.)
        return (with_axes(factor, axes, keepdims) if factor.ndim else factor) * x
    y, g = with_axes(y, axes, keepdims), with_axes(g, axes, keepdims)
    size = np.abs(x)
    # Of p below 1, the slope at an entry of 0 is infinite, and nan as its sign is 0.
    is_still = (size == 0) & (p > 1)
    shares = (np.where(is_still, y, size) / y) ** (p - 1)
    sign = x / np.where(size == 0, 1, size)
    return np.where(is_still, 0, g * shares * sign)


@rule("norm")
def _norm_of_matrices(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    _, order, axes, keepdims = operation
    value = tape.value_of(x)
    if not tape.depends(x):
        return tape.result(plain(value))
    u, s, v = np.linalg.svd(np.moveaxis(value, axes, (-2, -1)), full_matrices=False)
    if order == "nuc":
        y = np.sum(s, axis=-1)
    else:
        y = s[..., 0] if order == 2 else s[..., -1]
    y = np.expand_dims(y, axes) if keepdims else y
    return keep(tape, y, tape.edge(x, pull_norm_of_matrices, u, s, v, order, axes))


def pull_norm_of_matrices(
    g: Any, u: Any, s: Any, v: Any, order: Any, axes: tuple[int, ...]
) -> Any:
    """Return the cotangent of matrices from that of a norm of singular values."""
    # Values are equal, or 0, if they are so to rounding of the largest one.
    noise = 8 * np.finfo(s.dtype).eps * s.shape[-1] * s[..., :1]
    takes_part = s > noise
    if order != "nuc":
        extreme = s[..., :1] if order == 2 else s[..., -1:]
        takes_part = takes_part & (np.abs(s - extreme) <= noise)
    shares = np.where(takes_part, 1.0, 0.0).astype(s.dtype)
    if order != "nuc":
        # All that are extreme at once have equal shares.
        shares = shares / np.maximum(np.sum(shares, axis=-1, keepdims=True), 1)
    g = g.reshape((*s.shape[:-1], 1, 1))
    return np.moveaxis(g * ((u * shares[..., None, :]) @ v), (-2, -1), axes)
