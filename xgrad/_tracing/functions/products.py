"""Define products of arrays by name."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.contractions import product
from xgrad._batched.elementwise import elementwise
from xgrad._batched.layout import permuted, reshaped
from xgrad._batched.names import (
    array_like,
    axes_of,
    axis_of,
    handles,
    named,
    require,
    reshape,
)
from xgrad._batched.operands import trace_of


def _matmul_at_points(
    xp: Any, a: Any, b: Any, a_ndim: int, b_ndim: int
) -> Callable[..., Any]:
    """Return a function that multiplies the operands at all points."""

    def many(x: Array, y: Array) -> Array:
        # A vector becomes a matrix of one row or column, behind the hidden axis.
        if a_ndim == 1:
            x = x[..., None, :]
        if b_ndim == 1:
            y = y[..., :, None]
        x, y = align_axes(x, y, a, b, max(a_ndim, 2), max(b_ndim, 2))
        products = xp.matmul(x, y)
        if b_ndim == 1:
            products = products[..., 0]
        if a_ndim == 1:
            products = products[..., 0] if b_ndim == 1 else products[..., 0, :]
        return products

    return many


def align_axes(
    x: Array, y: Array, a: Any, b: Any, a_ndim: int, b_ndim: int
) -> tuple[Array, Array]:
    """Insert axes of length 1 after the hidden axis of the one with fewer axes.

    ``x`` and ``y`` are the operands ``a`` and ``b``, at all points if they are batched.
    """
    if isinstance(a, Batched) and a_ndim < b_ndim:
        x = x[(slice(None), *(None,) * (b_ndim - a_ndim), ...)]
    if isinstance(b, Batched) and b_ndim < a_ndim:
        y = y[(slice(None), *(None,) * (a_ndim - b_ndim), ...)]
    return x, y


@handles("matmul", "linalg.matmul")
def _matmul(a: Any, b: Any) -> Any:
    trace = trace_of((a, b))
    xp = trace.xp
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        raise ValueError("matmul needs at least one axis on both sides")
    # A sum of products evaluates the entries that differ; where both differ, `product`
    # would evaluate all of them.
    if isinstance(a, Batched) and isinstance(b, Batched) and a.ndim == b.ndim == 1:
        return HANDLERS["sum"](elementwise(operator.mul, a, b))
    return product(
        "matmul",
        lambda x, y: xp.matmul(xp.asarray(x), xp.asarray(y)),
        _matmul_at_points(xp, a, b, a.ndim, b.ndim),
        a,
        b,
    )


@handles("dot")
def _dot(a: Any, b: Any, out: None = None) -> Any:
    require(out is None, trace_of((a, b)), "dot(out=)", "make a new array")
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return elementwise(operator.mul, a, b)
    # There `dot` and `matmul` pair axes in different ways.
    if a.ndim > 2 or b.ndim > 2:
        raise trace_of((a, b)).refuse("dot of more than two axes", "use `matmul`")
    return _matmul(a, b)


@handles("inner")
def _inner(a: Any, b: Any) -> Any:
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    if a.ndim == 0 or b.ndim == 0:
        return elementwise(operator.mul, a, b)
    return _tensordot(a, b, axes=((-1,), (-1,)))


@handles("vdot")
def _vdot(a: Any, b: Any) -> Any:
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    return _vecdot(reshape(a, (math.prod(a.shape),)), reshape(b, (math.prod(b.shape),)))


@handles("vecdot", "linalg.vecdot")
def _vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    trace = trace_of((a, b))
    # By definition the first one is conjugated.
    if a.dtype.kind == "c":
        conj = named(trace.xp, "conj")
        a = elementwise(conj, a) if isinstance(a, Batched) else conj(a)
    return HANDLERS["sum"](elementwise(operator.mul, a, b), axis=axis)


@handles("outer", "linalg.outer")
def _outer(a: Any, b: Any) -> Any:
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    a = reshape(a, (math.prod(a.shape), 1))
    b = reshape(b, (1, math.prod(b.shape)))
    return elementwise(operator.mul, a, b)


@handles("kron")
def _kron(a: Any, b: Any) -> Any:
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + tuple(a.shape)
    right = (1,) * (ndim - b.ndim) + tuple(b.shape)
    # Each axis of the result is an axis of `a` and one of `b`, merged.
    a = reshape(a, tuple(n for m in left for n in (m, 1)))
    b = reshape(b, tuple(n for m in right for n in (1, m)))
    products = elementwise(operator.mul, a, b)
    return reshaped(products, tuple(m * n for m, n in zip(left, right, strict=True)))


@handles("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        left = tuple(range(a.ndim - axes, a.ndim))
        right = tuple(range(axes))
    else:
        left, right = (axes_of(x, side) for x, side in zip((a, b), axes, strict=True))
    rest_a = [i for i in range(a.ndim) if i not in left]
    rest_b = [i for i in range(b.ndim) if i not in right]
    length = math.prod(a.shape[i] for i in left)
    shape = tuple(a.shape[i] for i in rest_a) + tuple(b.shape[i] for i in rest_b)
    a = _as_matrix(a, (*rest_a, *left), (-1, length))
    b = _as_matrix(b, (*right, *rest_b), (length, -1))
    return reshaped(_matmul(a, b), shape)


def _as_matrix(x: Any, order: tuple[int, ...], shape: tuple[int, int]) -> Any:
    """Return ``x`` with its axes in another order and merged to two."""
    size = math.prod(x.shape)
    rest = size // max(1, math.prod(n for n in shape if n != -1))
    shape = tuple(rest if n == -1 else n for n in shape)  # type: ignore[assignment]
    if isinstance(x, Batched):
        return reshaped(permuted(x, order), shape)
    return permute_plain(x, order).reshape(shape)


def permute_plain(x: Any, order: tuple[int, ...]) -> Any:
    """Return a plain array with its axes in another order."""
    return x if order == tuple(range(len(order))) else x.transpose(order)


@handles("cross", "linalg.cross")
def _cross(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    if tuple(a.shape) != tuple(b.shape) or a.shape[axis_of(a, axis)] != 3:
        raise trace_of((a, b)).refuse("cross of these shapes", "give shapes (..., 3)")
    lead = (slice(None),) * axis_of(a, axis)
    components = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        components.append(a[(*lead, j)] * b[(*lead, k)] - a[(*lead, k)] * b[(*lead, j)])
    return HANDLERS["stack"](components, axis=axis)
