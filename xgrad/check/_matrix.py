"""The analytic Jacobian or Hessian, which the caller gives: dense or sparse."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import (
    Array,
    as_float,
    backend_name,
    cast,
    common_namespace,
    is_cupy,
    is_numpy,
    matching_leaves,
    quiet,
    require_array,
    wide_dtype,
)
from xgrad._evaluation import Function
from xgrad.check._analytic import called_at_x, precision_of_given
from xgrad.check._directions import entry_sizes


@dataclass(frozen=True, eq=False)
class AnalyticMatrix:
    """The derivatives of all outputs by one array ``x``, as a matrix of widest floats.

    ``values`` has a row for each output and a column for each entry of ``x``; it may be
    sparse. ``eps`` is the precision in which it was given.
    """

    xp: Any
    x: Array
    values: Any
    eps: float

    @property
    def dense(self) -> Array:
        """The derivatives of all outputs, ``(outputs, *x.shape)``."""
        values = self.values.toarray() if is_sparse(self.values) else self.values
        return self._like_x(values)

    def weighted(self, weights: Array) -> Array:
        """Return the derivatives of weighted sums of the outputs, ``(sums, *x.shape)``.

        The weights of each sum are a row of ``weights``.
        """
        with quiet():
            if is_sparse(self.values):
                return self._like_x((self.values.T @ weights.T).T)
            return self._like_x(self.xp.matmul(weights, self.values))

    @functools.cached_property
    def row_sizes(self) -> Array:
        """The change of each output while the entries of ``x`` move by their sizes."""
        xp = self.xp
        with quiet():
            sizes = cast(xp, xp.reshape(entry_sizes(xp, self.x), (-1,)), self._dtype)
            if is_sparse(self.values):
                return abs(self.values) @ sizes
            return xp.sum(xp.abs(self.values) * sizes, axis=-1)

    @property
    def _dtype(self) -> Any:
        return wide_dtype(self.xp, self.x)

    def _like_x(self, values: Array) -> Array:
        return self.xp.reshape(values, (values.shape[0], *self.x.shape))


def is_sparse(matrix: Any) -> bool:
    """Whether a matrix is one of SciPy's or of CuPy's sparse ones."""
    return all(hasattr(matrix, name) for name in ("tocsr", "toarray", "nnz"))


def analytic_matrices(
    function: Function,
    given: Any,
    names: Sequence[str],
    label: str,
    result: tuple[str, tuple[int, ...]],
) -> tuple[AnalyticMatrix, ...]:
    """Return the given matrix for each array of x; it is called if it can be.

    ``label`` is the argument as the caller wrote it, and ``result`` name and shape of
    what it is the derivative of.
    """
    given, label = called_at_x(function, given, label)
    if given is None:
        raise TypeError(f"`{label}` is None: is a `return` missing?")
    named = [(label, given)]
    if function.tree is not None:
        named = matching_leaves(given, label, names, f"`{label}`")
    return tuple(
        _analytic_matrix(function.xp, name, matrix, x, result)
        for (name, matrix), x in zip(named, function.leaves, strict=True)
    )


def _analytic_matrix(
    xp: Any, name: str, matrix: Any, x: Array, result: tuple[str, tuple[int, ...]]
) -> AnalyticMatrix:
    """Check a matrix against ``x`` and the result of ``f``, and promote it."""
    result_name, result_shape = result
    outputs, entries = math.prod(result_shape), math.prod(x.shape)
    shape: tuple[int, ...] = (*result_shape, *x.shape)
    if is_sparse(matrix):
        _require_own_sparse(xp, name, matrix)
        shape = (outputs, entries)
    else:
        require_array(name, matrix)
        common_namespace(**{name: matrix, "x": x})
    if tuple(matrix.shape) != shape:
        raise ValueError(
            f"`{name}` has shape {tuple(matrix.shape)}, but {result_name} has shape "
            f"{result_shape} and x has {tuple(x.shape)}: it needs shape {shape}"
        )
    dtype = wide_dtype(xp, x)
    if is_sparse(matrix):
        csr = matrix.tocsr()
        floats = as_float(xp, name, csr.data)
        eps = precision_of_given(xp, csr.data, floats)
        return AnalyticMatrix(xp, x, csr.astype(dtype), eps)
    floats = as_float(xp, name, matrix)
    values = xp.reshape(cast(xp, floats, dtype), (outputs, entries))
    return AnalyticMatrix(xp, x, values, precision_of_given(xp, matrix, floats))


def _require_own_sparse(xp: Any, name: str, matrix: Any) -> None:
    """Raise unless a sparse matrix belongs to the arrays of ``x``."""
    root = type(matrix).__module__.partition(".")[0]
    if is_numpy(xp) and root == "scipy":
        return
    if is_cupy(xp) and root == "cupyx":
        return
    raise TypeError(
        f"`{name}` is a sparse matrix of {root}, which does not go with arrays of "
        f"{backend_name(xp)}: pass a dense array"
    )
