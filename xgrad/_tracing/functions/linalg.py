"""Define norms, linear algebra and Fourier transforms by name."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.everywhere import everywhere
from xgrad._batched.layout import reshaped
from xgrad._batched.names import any_batched, axes_of, axis_of, handles, named, require
from xgrad._batched.operands import trace_of
from xgrad._batched.products import align_axes


def _norm_of_vectors(
    x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the norms of vectors that lie along axes."""
    absolute = named(x.tracer.xp, "abs")
    if order in (None, 2, "fro"):
        root = named(x.tracer.xp, "sqrt")
        # Real numbers need no absolute value, as their squares have no sign.
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
        nonzero = HANDLERS["astype"](elementwise(operator.ne, x, 0), size.dtype)
        return HANDLERS["sum"](nonzero, axes, keepdims=keepdims)
    if order == 1:
        return HANDLERS["sum"](size, axes, keepdims=keepdims)
    return HANDLERS["sum"](size**order, axes, keepdims=keepdims) ** (1 / order)


def _norm_of_matrices(
    x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the norms of matrices that lie along two axes."""
    rows, columns = axes
    if order in (None, "fro"):
        return _norm_of_vectors(x, None, axes, keepdims)
    size = elementwise(named(x.tracer.xp, "abs"), x)
    # The largest or smallest sum of a column (order 1, -1) or a row (inf, -inf).
    name = {1: "max", math.inf: "max", -1: "min", -math.inf: "min"}.get(order)
    if name is not None:
        summed, compared = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = HANDLERS["sum"](size, summed, keepdims=True)
        norms = HANDLERS[name](sums, compared, keepdims=True)
        return norms if keepdims else HANDLERS["squeeze"](norms, axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(f"invalid norm order {order!r} for matrices")
    # By singular values, for which NumPy takes stacks along any two axes.
    require(is_numpy(x.tracer.xp), x, f"a matrix norm of order {order!r}")
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
            # Without `axis`, NumPy's norm is that of all entries.
            if x.ndim != 1 and not keepdims:
                x = reshaped(x, (x.size,))
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
def _vector_norm(
    x: Batched, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> Any:
    return _norm_of_vectors(x, ord, axes_of(x, axis), keepdims)


@handles("linalg.matrix_norm")
def _matrix_norm(x: Batched, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _norm_of_matrices(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _register_stacked(name: str) -> None:
    """Register a function of stacks of matrices: the hidden axis is one more."""

    def handler(x: Batched, *args: Any) -> Any:
        xp = x.tracer.xp
        # (`matrix_power` has an exponent; what else is given may depend on points.)
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
    _register_stacked(_name)


@handles("linalg.solve")
def _solve(a: Any, b: Any) -> Any:
    trace = trace_of((a, b))
    xp = trace.xp
    vector = b.ndim == 1

    def many(x: Array, y: Array) -> Array:
        # Behind the hidden axis a vector looks like a matrix.
        if vector:
            y = y[..., None]
        x, y = align_axes(x, y, a, b, a.ndim, max(b.ndim, 2))
        solution = xp.linalg.solve(x, y)
        return solution[..., 0] if vector else solution

    return everywhere("solve", lambda x, y: xp.linalg.solve(x, y), many, a, b)


@handles("select")
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    trace = any_batched((condlist, choicelist, default)).tracer  # type: ignore[union-attr]
    result = default
    # From the last to the first, since of several conditions the first one counts.
    pairs = list(zip(condlist, choicelist, strict=True))
    for condition, choice in reversed(pairs):
        operands = (condition, choice, result)
        if any_batched(operands) is None:
            result = np.where(*operands)
        else:
            result = elementwise(trace.xp.where, *operands)
    return result


def _register_transform(name: str) -> None:
    """Register a Fourier transform along one axis."""

    def handler(x: Batched, n: int | None = None, axis: int = -1) -> Any:
        require(n is None or n == x.shape[axis], x, f"fft.{name}(n=)")
        place = axis_of(x, axis)
        function = getattr(x.tracer.xp.fft, name)
        return everywhere(
            (name, place),
            lambda a: function(a, axis=place),
            lambda a: function(a, axis=place + 1),
            x,
        )

    handles(f"fft.{name}")(handler)


for _name in "fft ifft rfft".split():
    _register_transform(_name)


@handles("linalg.svd")
def _svd(x: Batched, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    require(not compute_uv, x, "svd with its vectors, whose signs are arbitrary")
    return HANDLERS["linalg.svdvals"](x)


@handles("linalg.multi_dot")
def _multi_dot(arrays: Any) -> Any:
    result = arrays[0]
    for array in arrays[1:]:
        batched = isinstance(result, Batched) or isinstance(array, Batched)
        result = HANDLERS["matmul"](result, array) if batched else result @ array
    return result
