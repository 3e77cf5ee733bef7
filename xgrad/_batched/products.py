"""Products of arrays."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.folding import product
from xgrad._batched.moving import permuted, reshaped
from xgrad._batched.names import (
    array_like,
    axes_of,
    axis_of,
    handles,
    named,
    require,
    reshape,
)
from xgrad._batched.rules import elementwise, everywhere, trace_of
from xgrad._batched.trace import Trace


def _many_matmul(
    xp: Any, a: Any, b: Any, a_ndim: int, b_ndim: int
) -> Callable[..., Any]:
    def many(x: Array, y: Array) -> Array:
        # A vector becomes a matrix of one row or column, behind the hidden axis.
        if a_ndim == 1:
            x = x[..., None, :]
        if b_ndim == 1:
            y = y[..., :, None]
        x, y = same_lead(x, y, a, b, max(a_ndim, 2), max(b_ndim, 2))
        found = xp.matmul(x, y)
        if b_ndim == 1:
            found = found[..., 0]
        if a_ndim == 1:
            found = found[..., 0] if b_ndim == 1 else found[..., 0, :]
        return found

    return many


def same_lead(
    x: Array, y: Array, a: Any, b: Any, a_ndim: int, b_ndim: int
) -> tuple[Array, Array]:
    """Axes of length 1 after the hidden axis of the one with fewer axes."""
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
    if isinstance(a, Batched) and isinstance(b, Batched) and a.ndim == b.ndim == 1:
        return HANDLERS["sum"](elementwise(operator.mul, a, b))
    return product(
        "matmul",
        lambda x, y: xp.matmul(xp.asarray(x), xp.asarray(y)),
        _many_matmul(xp, a, b, a.ndim, b.ndim),
        a,
        b,
    )


@handles("dot")
def _dot(a: Any, b: Any, out: None = None) -> Any:
    require(out is None, trace_of((a, b)), "dot(out=)", "make a new array")
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return elementwise(operator.mul, a, b)
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
    wide = tuple(n for m in left for n in (m, 1))
    deep = tuple(n for m in right for n in (1, m))
    found = elementwise(operator.mul, reshape(a, wide), reshape(b, deep))
    return reshaped(found, tuple(m * n for m, n in zip(left, right, strict=True)))


@handles("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        left = tuple(range(a.ndim - axes, a.ndim))
        right = tuple(range(axes))
    else:
        left, right = (axes_of(x, side) for x, side in zip((a, b), axes, strict=True))
    keep_a = [i for i in range(a.ndim) if i not in left]
    keep_b = [i for i in range(b.ndim) if i not in right]
    length = math.prod(a.shape[i] for i in left)
    shape = tuple(a.shape[i] for i in keep_a) + tuple(b.shape[i] for i in keep_b)
    a = _arranged(a, (*keep_a, *left), (-1, length))
    b = _arranged(b, (*right, *keep_b), (length, -1))
    return reshaped(_matmul(a, b), shape)


def _arranged(x: Any, order: tuple[int, ...], shape: tuple[int, int]) -> Any:
    size = math.prod(x.shape)
    rest = size // max(1, math.prod(n for n in shape if n != -1))
    shape = tuple(rest if n == -1 else n for n in shape)  # type: ignore[assignment]
    if isinstance(x, Batched):
        return reshaped(permuted(x, order), shape)
    return _turned(x, order).reshape(shape)


def _turned(x: Any, order: tuple[int, ...]) -> Any:
    """A plain array with its axes in another order."""
    return x if order == tuple(range(len(order))) else x.transpose(order)


@handles("cross", "linalg.cross")
def _cross(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    if tuple(a.shape) != tuple(b.shape) or a.shape[axis_of(a, axis)] != 3:
        raise trace_of((a, b)).refuse("cross of these shapes", "give shapes (..., 3)")
    lead = (slice(None),) * axis_of(a, axis)
    parts = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        parts.append(a[(*lead, j)] * b[(*lead, k)] - a[(*lead, k)] * b[(*lead, j)])
    return HANDLERS["stack"](parts, axis=axis)


# Above this size of the product of all letters, einsum is done everywhere at once.
EINSUM_SIZE = 2**18


@handles("einsum")
def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    trace = trace_of(operands)
    del optimize  # how, not what
    if not isinstance(subscripts, str) or "." in subscripts:
        raise trace.refuse("einsum with an ellipsis or with lists", "name all axes")
    left, _, right = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if "->" not in subscripts:
        letters = "".join(inputs)
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(inputs) != len(operands):
        raise ValueError("einsum needs as many subscripts as operands")
    for i, (letters, operand) in enumerate(zip(inputs, operands, strict=True)):
        if len(letters) != operand.ndim:
            raise ValueError(f"operand {i} of einsum has other axes than {letters!r}")
    if any(len(set(letters)) != len(letters) for letters in (*inputs, right)):
        return _einsum_everywhere(trace, inputs, right, operands)
    if len(operands) == 2:
        found = _einsum_pair(inputs, right, operands)
        if found is not None:
            return found
    lengths = {
        letter: n
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, n in zip(letters, operand.shape, strict=True)
    }
    if math.prod(lengths.values()) > EINSUM_SIZE:
        return _einsum_everywhere(trace, inputs, right, operands)
    order = right + "".join(c for c in lengths if c not in right)
    parts = []
    for letters, operand in zip(inputs, operands, strict=True):
        places = tuple(letters.index(c) for c in order if c in letters)
        if isinstance(operand, Batched):
            operand = permuted(operand, places)
        else:
            operand = _turned(operand, places)
        shape = tuple(lengths[c] if c in letters else 1 for c in order)
        parts.append(reshape(operand, shape))
    found = functools.reduce(operator.mul, parts)
    axes = tuple(range(len(right), len(order)))
    return HANDLERS["sum"](found, axis=axes) if axes else found


def _einsum_pair(inputs: list[str], right: str, operands: tuple[Any, ...]) -> Any:
    """A product of two that `tensordot` can do; None if it is another one."""
    a, b = inputs
    shared = [c for c in a if c in b]
    if not shared or any(c in right for c in shared):
        return None
    rest = [c for c in a if c not in shared] + [c for c in b if c not in shared]
    if sorted(rest) != sorted(right):
        return None
    axes = tuple(a.index(c) for c in shared), tuple(b.index(c) for c in shared)
    found = _tensordot(*operands, axes=axes)
    order = tuple(rest.index(c) for c in right)
    return found if order == tuple(range(len(order))) else permuted(found, order)


def _einsum_everywhere(
    trace: Trace, inputs: list[str], right: str, operands: tuple[Any, ...]
) -> Any:
    if not is_numpy(trace.xp):
        raise trace.refuse("this einsum", "use `tensordot` or `matmul`")
    hidden = next(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in "".join(inputs))
    plain = f"{','.join(inputs)}->{right}"
    marked = [
        (hidden if isinstance(o, Batched) else "") + letters
        for letters, o in zip(inputs, operands, strict=True)
    ]
    many = f"{','.join(marked)}->{hidden}{right}"
    return everywhere(
        ("einsum", plain),
        lambda *parts: np.einsum(plain, *parts),
        lambda *parts: np.einsum(many, *parts),
        *operands,
    )
