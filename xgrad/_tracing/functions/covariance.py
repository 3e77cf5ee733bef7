"""Covariances and correlations of variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing.arguments import first_standin, named, require, tracer_of
from xgrad._tracing.functions.elements import cast, clip, conjugate
from xgrad._tracing.functions.joining import array_like, concat
from xgrad._tracing.functions.products import matmul, permute_any
from xgrad._tracing.functions.rearranging import diagonal
from xgrad._tracing.functions.reductions import mean, sum_
from xgrad._tracing.functions.shapes import matrix_transpose, reshape_any, squeeze
from xgrad._tracing.registry import handles


@handles("cov")
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Return the covariances of variables, which are rows unless ``rowvar`` is false.

    ``fweights`` are counts of observations, and ``aweights`` their importance.
    """
    if first_standin((m, y)) is None:
        idiom = "cov of plain arrays with weights computed from x"
        raise tracer_of(fweights, aweights).refuse(idiom)
    x = _variables(m, y, rowvar)
    # In float64 at least, as NumPy has it.
    x = cast(x, np.result_type(x.dtype, np.float64) if dtype is None else dtype)
    weights, rest = _weights_and_freedom(x.shape[1], bias, ddof, fweights, aweights)
    if weights is None:
        centered = x - mean(x, 1, keepdims=True)
        other = centered
    else:
        centered = x - sum_(x * weights, 1, keepdims=True) / weights.sum()
        other = centered * weights
    other = conjugate(other) if x.dtype.kind == "c" else other
    product = matmul(centered, matrix_transpose(other)) / rest
    return squeeze(product)


def _variables(m: Any, y: Any, rowvar: bool) -> Any:
    """Return all variables as rows of one array."""
    arrays = [array_like(a, (m, y)) for a in (m, y) if a is not None]
    tracer = tracer_of(arrays)
    require(all(a.ndim <= 2 for a in arrays), tracer, "cov of more than two axes")
    rows = []
    for i, array in enumerate(arrays):
        row = array if array.ndim == 2 else reshape_any(array, (1, array.size))
        # NumPy turns a single row only in the first array, if it has two axes.
        is_matrix = array.ndim == 2 if i == 0 else row.shape[0] != 1
        rows.append(permute_any(row, (1, 0)) if is_matrix and not rowvar else row)
    return rows[0] if len(rows) == 1 else concat(rows, axis=0)


def _weights_and_freedom(
    count: int, bias: bool, ddof: int | None, fweights: Any, aweights: Any
) -> tuple[Any, Any]:
    """Return the weight of each observation, None for 1, and what to divide by."""
    lost = (0 if bias else 1) if ddof is None else ddof
    if fweights is None and aweights is None:
        return None, max(count - lost, 0)
    counts = np.ones(count) if fweights is None else _floats(fweights)
    shares = np.ones(count) if aweights is None else _floats(aweights)
    weights = counts * shares
    total = weights.sum()
    # One degree of freedom weighs as much as an observation does, on the average.
    each = 1.0 if aweights is None else (weights * shares).sum() / total
    return weights, np.maximum(total - lost * each, 0)


def _floats(weights: Any) -> Any:
    """Return weights as an array of floats, or as a stand-in for one."""
    if first_standin((weights,)) is None:
        return np.asarray(weights, float)
    return array_like(weights, (weights,))


@handles("corrcoef")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Return the correlations of variables, which are rows unless told otherwise."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    require(c.dtype.kind != "c", c, "corrcoef of complex numbers")
    scale = c.tracer.elementwise(named(c.tracer.xp, "sqrt"), diagonal(c))
    # Rounding leaves the range of correlations.
    return clip(c / scale[:, None] / scale[None, :], -1, 1)
