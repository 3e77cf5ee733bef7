"""Norms, linear algebra and Fourier transforms."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._tracing.arguments import axes_of, axis_of, first_standin, require, tracer_of
from xgrad._tracing.functions.elements import absolute, sqrt
from xgrad._tracing.functions.joining import array_like
from xgrad._tracing.functions.products import align_axes, matmul
from xgrad._tracing.functions.reductions import max_, min_, sum_
from xgrad._tracing.functions.shapes import squeeze
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


def _norm_of_vectors(
    x: StandIn, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the norms of vectors that lie along axes."""
    if order in (None, 2, "fro"):
        # Real numbers need no absolute value, as their squares have no sign.
        size = absolute(x) if x.dtype.kind == "c" else x
        squares = size.tracer.elementwise(operator.mul, size, size)
        return sqrt(sum_(squares, axes, keepdims=keepdims))
    size = absolute(x)
    if order == math.inf:
        return max_(size, axes, keepdims)
    if order == -math.inf:
        return min_(size, axes, keepdims)
    if order == 0:
        nonzero = x.tracer.elementwise(operator.ne, x, 0)
        return sum_(nonzero, axes, size.dtype, keepdims)
    if order == 1:
        return sum_(size, axes, keepdims=keepdims)
    powers = x.tracer.elementwise(operator.pow, size, order)
    total = sum_(powers, axes, keepdims=keepdims)
    return x.tracer.elementwise(operator.pow, total, 1 / order)


def _norm_of_matrices(
    x: StandIn, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the norms of matrices that lie along two axes."""
    rows, columns = axes
    if order in (None, "fro"):
        return _norm_of_vectors(x, None, axes, keepdims)
    size = absolute(x)
    # The largest or smallest sum of a column (order 1, -1) or a row (inf, -inf).
    if order in (1, -1, math.inf, -math.inf):
        summed, compared = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = sum_(size, summed, keepdims=True)
        norms = (max_ if order > 0 else min_)(sums, compared, keepdims=True)
        return norms if keepdims else squeeze(norms, axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(f"invalid norm order {order!r} for matrices")
    # By singular values, for which NumPy takes stacks along any two axes.
    require(is_numpy(x.tracer.xp), x, f"a matrix norm of order {order!r}")
    return x.tracer.everywhere(
        ("norm", order, axes, keepdims),
        lambda a: np.linalg.norm(a, order, (rows, columns), keepdims),
        lambda a: np.linalg.norm(a, order, (rows + 1, columns + 1), keepdims),
        x,
    )


@handles("linalg.norm")
def norm(x: StandIn, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the norms of vectors or matrices, as NumPy does."""
    if axis is None:
        if ord is None or x.ndim == 1:
            # Without `axis`, NumPy's norm is that of all entries.
            if x.ndim != 1 and not keepdims:
                x = x.tracer.reshaped(x, (x.size,))
            return _norm_of_vectors(x, ord, axes_of(x, None), keepdims)
        axis = (0, 1)
        if x.ndim != 2:
            raise ValueError("improper number of dimensions to norm")
    axes = axes_of(x, axis)
    if len(axes) == 2:
        return _norm_of_matrices(x, ord, axes, keepdims)
    if ord == "fro":
        raise ValueError("invalid norm order 'fro' for vectors")
    return _norm_of_vectors(x, ord, axes, keepdims)


@handles("linalg.vector_norm")
def vector_norm(
    x: StandIn, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> Any:
    """Return the norms of vectors, along one axis or several."""
    return _norm_of_vectors(x, ord, axes_of(x, axis), keepdims)


@handles("linalg.matrix_norm")
def matrix_norm(x: StandIn, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norms of matrices, which lie along the last two axes."""
    return _norm_of_matrices(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _stacked(name: str, x: StandIn, *args: Any) -> Any:
    """Apply a function of matrices, which takes stacks of them."""
    # (`matrix_power` has an exponent; what else is given may depend on points.)
    require(all(isinstance(a, int) for a in args), x, f"these arguments of {name}")
    if x.ndim < 2:
        raise ValueError(f"{name} needs matrices")
    function = getattr(x.tracer.xp.linalg, name)
    apply = functools.partial(_with_arguments, function, args)
    return x.tracer.everywhere((name, args), apply, apply, x)


def _with_arguments(function: Any, args: tuple[Any, ...], x: Array) -> Any:
    return function(x, *args)


for _name in "det inv pinv slogdet eigvalsh svdvals cholesky matrix_power eigh".split():
    handles(f"linalg.{_name}")(functools.partial(_stacked, _name))


@handles("linalg.solve")
def solve(a: Any, b: Any) -> StandIn:
    """Solve systems of linear equations."""
    a, b = array_like(a, (a, b)), array_like(b, (a, b))
    tracer = tracer_of(a, b)
    xp = tracer.xp
    vector = b.ndim == 1

    def many(x: Array, y: Array) -> Array:
        # Behind the hidden axis a vector looks like a matrix.
        if vector:
            y = y[..., None]
        x, y = align_axes(x, y, a, b, a.ndim, max(b.ndim, 2))
        solution = xp.linalg.solve(x, y)
        return solution[..., 0] if vector else solution

    return tracer.everywhere("solve", lambda x, y: xp.linalg.solve(x, y), many, a, b)


def _transform(name: str, x: StandIn, n: int | None = None, axis: int = -1) -> StandIn:
    """Apply a Fourier transform along one axis."""
    require(n is None or n == x.shape[axis], x, f"fft.{name}(n=)")
    place, function = axis_of(x, axis), getattr(x.tracer.xp.fft, name)
    return x.tracer.everywhere(
        (name, place),
        lambda a: function(a, axis=place),
        lambda a: function(a, axis=place + 1),
        x,
    )


for _name in "fft ifft rfft".split():
    handles(f"fft.{_name}")(functools.partial(_transform, _name))


@handles("linalg.svd")
def svd(x: StandIn, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return singular values."""
    require(not compute_uv, x, "svd with its vectors, whose signs are arbitrary")
    return _stacked("svdvals", x)


@handles("linalg.multi_dot")
def multi_dot(arrays: Any) -> Any:
    """Multiply several matrices, from the left to the right."""
    result = arrays[0]
    for array in arrays[1:]:
        traced = first_standin((result, array)) is not None
        result = matmul(result, array) if traced else result @ array
    return result
