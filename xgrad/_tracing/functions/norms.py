"""Norms of vectors and matrices."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from xgrad._tracing.arguments import answers_numpy, axes_of, require
from xgrad._tracing.functions.elements import absolute, sqrt
from xgrad._tracing.functions.reductions import count_of, max_, min_, sum_
from xgrad._tracing.functions.shapes import squeeze
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


@overridable
def norm_of_vectors(
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
        return count_of(nonzero, size, axes, keepdims)
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
        return norm_of_vectors(x, None, axes, keepdims)
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
    require(answers_numpy(x.tracer.xp), x, f"a matrix norm of order {order!r}")
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
            return norm_of_vectors(x, ord, axes_of(x, None), keepdims)
        axis = (0, 1)
        if x.ndim != 2:
            raise ValueError("improper number of dimensions to norm")
    axes = axes_of(x, axis)
    if len(axes) == 2:
        return _norm_of_matrices(x, ord, axes, keepdims)
    if ord == "fro":
        raise ValueError("invalid norm order 'fro' for vectors")
    return norm_of_vectors(x, ord, axes, keepdims)


@handles("linalg.vector_norm")
def vector_norm(
    x: StandIn, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> Any:
    """Return the norms of vectors, along one axis or several."""
    return norm_of_vectors(x, ord, axes_of(x, axis), keepdims)


@handles("linalg.matrix_norm")
def matrix_norm(x: StandIn, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norms of matrices, which lie along the last two axes."""
    return _norm_of_matrices(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)
