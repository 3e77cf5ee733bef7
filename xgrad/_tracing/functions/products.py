"""Products of arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._tracing.arguments import axes_of, axis_of, named, tracer_of
from xgrad._tracing.functions.elements import elementwise
from xgrad._tracing.functions.joining import as_arrays, stack
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import reshape_any
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


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
    if isinstance(a, StandIn) and a_ndim < b_ndim:
        x = x[(slice(None), *(None,) * (b_ndim - a_ndim), ...)]
    if isinstance(b, StandIn) and b_ndim < a_ndim:
        y = y[(slice(None), *(None,) * (a_ndim - b_ndim), ...)]
    return x, y


@handles("matmul", "linalg.matmul")
def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices and vectors."""
    tracer = tracer_of(a, b)
    xp = tracer.xp
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        raise ValueError("matmul needs at least one axis on both sides")
    # A sum of products evaluates the entries that differ; where both differ, `product`
    # would evaluate all of them.
    if isinstance(a, StandIn) and isinstance(b, StandIn) and a.ndim == b.ndim == 1:
        return sum_(tracer.elementwise(operator.mul, a, b))
    return tracer.product(
        "matmul",
        lambda x, y: xp.matmul(xp.asarray(x), xp.asarray(y)),
        _matmul_at_points(xp, a, b, a.ndim, b.ndim),
        a,
        b,
    )


@handles("dot", out=2)
def dot(a: Any, b: Any) -> Any:
    """Multiply over the last axis of one array and the last but one of another."""
    a, b = as_arrays(a, b)
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return elementwise(operator.mul, a, b)
    # There `dot` and `matmul` pair axes in different ways.
    if a.ndim > 2 or b.ndim > 2:
        return tensordot(a, b, axes=((-1,), (-2 if b.ndim > 1 else -1,)))
    return matmul(a, b)


@handles("inner")
def inner(a: Any, b: Any) -> Any:
    """Multiply and sum over the last axes."""
    a, b = as_arrays(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return elementwise(operator.mul, a, b)
    return tensordot(a, b, axes=((-1,), (-1,)))


@handles("vdot")
def vdot(a: Any, b: Any) -> Any:
    """Multiply all entries, those of the first array conjugated, and sum."""
    a, b = as_arrays(a, b)
    return vecdot(
        reshape_any(a, (math.prod(a.shape),)), reshape_any(b, (math.prod(b.shape),))
    )


@handles("vecdot", "linalg.vecdot")
def vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    """Multiply vectors along an axis."""
    # By definition the first one is conjugated.
    if a.dtype.kind == "c":
        conj = named(tracer_of(a, b).xp, "conj")
        a = elementwise(conj, a) if isinstance(a, StandIn) else conj(a)
    return sum_(elementwise(operator.mul, a, b), axis=axis)


def matvec(a: Any, b: Any) -> Any:
    """Multiply matrices by vectors, which lie along the last axes."""
    return matmul(a, reshape_any(b, (*b.shape, 1)))[..., 0]


def vecmat(a: Any, b: Any) -> Any:
    """Multiply vectors, conjugated, by matrices, which lie along the last axes."""
    conj = named(tracer_of(a, b).xp, "conj")
    a = elementwise(conj, a) if isinstance(a, StandIn) else conj(a)
    return matmul(reshape_any(a, (*a.shape[:-1], 1, a.shape[-1])), b)[..., 0, :]


@handles("outer", "linalg.outer")
def outer(a: Any, b: Any) -> Any:
    """Multiply each entry of one array by each of another."""
    a, b = as_arrays(a, b)
    a = reshape_any(a, (math.prod(a.shape), 1))
    b = reshape_any(b, (1, math.prod(b.shape)))
    return elementwise(operator.mul, a, b)


@handles("kron")
def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product."""
    a, b = as_arrays(a, b)
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + tuple(a.shape)
    right = (1,) * (ndim - b.ndim) + tuple(b.shape)
    # Each axis of the result is an axis of `a` and one of `b`, merged.
    a = reshape_any(a, tuple(n for m in left for n in (m, 1)))
    b = reshape_any(b, tuple(n for m in right for n in (1, m)))
    products = elementwise(operator.mul, a, b)
    return reshape_any(products, tuple(m * n for m, n in zip(left, right, strict=True)))


@handles("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    """Multiply and sum over pairs of axes."""
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
    return reshape_any(matmul(a, b), shape)


def _as_matrix(x: Any, order: tuple[int, ...], shape: tuple[int, int]) -> Any:
    """Return ``x`` with its axes in another order and merged to two."""
    size = math.prod(x.shape)
    rest = size // max(1, math.prod(n for n in shape if n != -1))
    lengths = tuple(rest if n == -1 else n for n in shape)
    return reshape_any(permute_any(x, order), lengths)


def permute_any(x: Any, order: tuple[int, ...]) -> Any:
    """Return an array or a stand-in with its axes in another order."""
    if order == tuple(range(len(order))):
        return x
    return x.tracer.permuted(x, order) if isinstance(x, StandIn) else x.transpose(order)


@handles("cross", "linalg.cross")
def cross(
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Any:
    """Return the cross products of vectors of three entries."""
    a, b = as_arrays(a, b)
    if axis is not None:
        axisa = axisb = axisc = axis
    # The vectors first, so that all other axes are repeated as in a product.
    first, second = _axis_first(a, axisa), _axis_first(b, axisb)
    if first.shape[0] != 3 or second.shape[0] != 3:
        raise tracer_of(a, b).refuse(
            "cross of vectors that have not three entries", "write out the product"
        )
    rest = max(first.ndim, second.ndim) - 1
    first, second = _with_axes_behind(first, rest), _with_axes_behind(second, rest)
    components = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        components.append(first[j] * second[k] - first[k] * second[j])
    return stack(components, axis=axisc)


def _axis_first(x: Any, axis: int) -> Any:
    """Return ``x`` with an axis moved to the front."""
    place = axis_of(x, axis)
    return permute_any(x, (place, *(i for i in range(x.ndim) if i != place)))


def _with_axes_behind(x: Any, count: int) -> Any:
    """Return ``x`` with axes of length 1 behind the first, ``count`` in all behind."""
    ones = (1,) * (count - x.ndim + 1)
    return reshape_any(x, (x.shape[0], *ones, *x.shape[1:])) if ones else x
