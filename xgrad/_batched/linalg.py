"""Norms and linear algebra."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.moving import reshaped
from xgrad._batched.names import any_batched, axes_of, axis_of, handles, named, require
from xgrad._batched.products import same_lead
from xgrad._batched.rules import elementwise, everywhere, trace_of


def _power_sum(x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Norm of vectors along axes."""
    absolute = named(x.run.xp, "abs")
    if order in (None, 2, "fro"):
        root = named(x.run.xp, "sqrt")
        if x.dtype.kind == "c":
            x = elementwise(absolute, x)
        squares = elementwise(operator.mul, x, x)
        return elementwise(root, HANDLERS["sum"](squares, axes, keepdims=keepdims))
    size = elementwise(absolute, x)
    if order == math.inf:
        return HANDLERS["max"](size, axes, keepdims=keepdims)
    if order == -math.inf:
        return HANDLERS["min"](size, axes, keepdims=keepdims)
    if order == 0:
        counted = HANDLERS["astype"](elementwise(operator.ne, x, 0), size.dtype)
        return HANDLERS["sum"](counted, axes, keepdims=keepdims)
    if order == 1:
        return HANDLERS["sum"](size, axes, keepdims=keepdims)
    return HANDLERS["sum"](size**order, axes, keepdims=keepdims) ** (1 / order)


def _matrix_power_sum(
    x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Norm of matrices along two axes."""
    rows, columns = axes
    if order in (None, "fro"):
        return _power_sum(x, None, axes, keepdims)
    size = elementwise(named(x.run.xp, "abs"), x)
    name = {1: "max", math.inf: "max", -1: "min", -math.inf: "min"}.get(order)
    if name is not None:
        along_axis = rows if abs(order) == 1 else columns
        other = columns if abs(order) == 1 else rows
        sums = HANDLERS["sum"](size, along_axis, keepdims=True)
        found = HANDLERS[name](sums, other, keepdims=True)
        return found if keepdims else HANDLERS["squeeze"](found, axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(f"invalid norm order {order!r} for matrices")
    require(is_numpy(x.run.xp), x, f"a matrix norm of order {order!r}")
    norm = np.linalg.norm
    return everywhere(
        ("norm", order, axes, keepdims),
        lambda a: norm(a, order, (rows, columns), keepdims),
        lambda a: norm(a, order, (rows + 1, columns + 1), keepdims),
        x,
    )


@handles("linalg.norm")
def _norm(x: Batched, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None:
        if ord is None or x.ndim == 1:
            if x.ndim != 1 and not keepdims:
                x = reshaped(x, (x.size,))
            return _power_sum(x, ord, axes_of(x, None), keepdims)
        axis = (0, 1)
        if x.ndim != 2:
            raise ValueError("improper number of dimensions to norm")
    axes = axes_of(x, axis)
    if len(axes) == 2:
        return _matrix_power_sum(x, ord, axes, keepdims)
    if ord == "fro":
        raise ValueError("invalid norm order 'fro' for vectors")
    return _power_sum(x, ord, axes, keepdims)


@handles("linalg.vector_norm")
def _vector_norm(
    x: Batched, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> Any:
    return _power_sum(x, ord, axes_of(x, axis), keepdims)


@handles("linalg.matrix_norm")
def _matrix_norm(x: Batched, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _matrix_power_sum(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _stacked(name: str) -> None:
    """Functions of matrices that take stacks of them: the hidden axis is one more."""

    def handler(x: Batched, *args: Any) -> Any:
        xp = x.run.xp
        require(all(isinstance(a, int) for a in args), x, f"these arguments of {name}")
        function = getattr(xp.linalg, name)
        if x.ndim < 2:
            raise ValueError(f"{name} needs matrices")
        return everywhere(
            (name, args),
            lambda a: function(a, *args),
            lambda a: function(a, *args),
            x,
        )

    handles(f"linalg.{name}")(handler)


for _name in "det inv pinv slogdet eigvalsh svdvals cholesky matrix_power eigh".split():
    _stacked(_name)


@handles("linalg.solve")
def _solve(a: Any, b: Any) -> Any:
    trace = trace_of((a, b))
    xp = trace.xp
    vector = b.ndim == 1

    def many(x: Array, y: Array) -> Array:
        if vector:
            y = y[..., None]
        x, y = same_lead(x, y, a, b, a.ndim, max(b.ndim, 2))
        found = xp.linalg.solve(x, y)
        return found[..., 0] if vector else found

    return everywhere("solve", lambda x, y: xp.linalg.solve(x, y), many, a, b)


@handles("select")
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    trace = any_batched((condlist, choicelist, default)).run  # type: ignore[union-attr]
    found = default
    pairs = list(zip(condlist, choicelist, strict=True))
    for condition, choice in reversed(pairs):
        operands = (condition, choice, found)
        if any_batched(operands) is None:
            found = np.where(*operands)
        else:
            found = elementwise(trace.xp.where, *operands)
    return found


def _transforms(name: str) -> None:
    """Fourier transforms along one axis."""

    def handler(x: Batched, n: int | None = None, axis: int = -1) -> Any:
        require(n is None or n == x.shape[axis], x, f"fft.{name}(n=)")
        place = axis_of(x, axis)
        function = getattr(x.run.xp.fft, name)
        return everywhere(
            (name, place),
            lambda a: function(a, axis=place),
            lambda a: function(a, axis=place + 1),
            x,
        )

    handles(f"fft.{name}")(handler)


for _name in "fft ifft rfft".split():
    _transforms(_name)


@handles("linalg.svd")
def _svd(x: Batched, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    require(not compute_uv, x, "svd with its vectors, whose signs are arbitrary")
    return HANDLERS["linalg.svdvals"](x)


@handles("linalg.multi_dot")
def _multi_dot(arrays: Any) -> Any:
    found = arrays[0]
    for array in arrays[1:]:
        both = (found, array)
        plain = not any(isinstance(part, Batched) for part in both)
        found = found @ array if plain else HANDLERS["matmul"](*both)
    return found
