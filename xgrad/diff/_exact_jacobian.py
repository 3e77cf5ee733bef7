"""Exact Jacobians and Hessians: slopes that are proved, repaired, and bounded."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    common_namespace,
    from_host,
    is_lazy,
    quiet,
    sparse_matrix,
    to_numpy,
    unwrap,
    wrap_like,
)
from xgrad._differences import Coloring, Plan, Result
from xgrad._evaluation import Execution
from xgrad.diff._attempts import Inexact, is_inside
from xgrad.diff._colored import colored_jacobian
from xgrad.diff._exact_directions import UNCONFIRMED, kinks_by_entry
from xgrad.diff._forward import Derived, random_cotangent
from xgrad.diff._proof import Proof
from xgrad.diff._rounding import (
    SIGNS,
    add_bounds,
    add_status,
    are_finite,
    has_nan,
    mark_nan,
)
from xgrad.diff._runs import Runs, dense_jacobian, sparse_jacobian
from xgrad.diff._ties import has_ties, joined, jumps_of_entries


class Matrix(NamedTuple):
    """Exact slopes of one leaf, with bounds and statuses where these are wanted.

    ``sparse`` is the matrix whose stored entries the ``result`` has, or the `Coloring`
    of them, and None if it is dense. ``value`` is what the function returned.
    """

    result: Result
    sparse: Any
    value: Array
    evaluations: int

    @property
    def pattern(self) -> tuple[Any, Any]:
        """The rows and columns of the entries, on the host."""
        return _pattern(self.sparse)

    def sparse_with(self, data: Array) -> Any:
        """Return the sparse matrix with its entries in another dtype."""
        if isinstance(self.sparse, Coloring):
            xp, coloring = common_namespace(data=data), self.sparse
            return sparse_matrix(xp, data, *coloring.by_rows, coloring.shape)
        self.sparse.data = data
        return self.sparse


def _pattern(sparse: Any) -> tuple[Any, Any]:
    if isinstance(sparse, Coloring):
        return sparse.rows, sparse.columns
    entries = sparse.tocoo()
    return to_numpy(entries.row), to_numpy(entries.col)


def exact_matrix(
    derived: Derived,
    leaf: int,
    plan: Plan,
    execution: Execution,
    sparsity: Any = None,
    symmetric: bool = False,
) -> Matrix:
    """Return all slopes of a function by one leaf; raise `Inexact` if there are none.

    ``sparsity`` is "auto" for a sparse result, or a `Coloring`; a Hessian is made
    ``symmetric`` to the last bit.
    """
    runs = Runs(derived, leaf, execution.max_bytes)
    xp = runs.xp
    compute = functools.partial(_compute, sparsity=sparsity, symmetric=symmetric)
    with quiet():
        data, matrix = compute(runs)
        result = Result(data)
        hidden = is_inside() or is_lazy(xp, data)
        is_finite = hidden or are_finite(xp, [data, runs.value])
        if not is_finite:
            data, matrix = _without_branches(runs, data, matrix, compute)
            result = add_status(xp, Result(data))
        evaluations = runs.evaluations
        if plan.full_output:

            def slopes_at(leaves: list[Array]) -> list[Array]:
                there = replace(derived, function=derived.function.at_leaves(leaves))
                other, others = compute(runs.of(there))
                return [_in_pattern(xp, other, others, matrix)]

            kinks = _kinks(runs, matrix, sparsity, symmetric)
            recording = derived.record(runs.attempt)
            ties = not is_finite or has_ties(recording, runs.attempt, derived.function)
            if ties and derived.attempt_of is None:
                kinks = joined(kinks, _jumps(runs, matrix, sparsity))
            (result,) = add_bounds(
                xp, derived.function, [result], slopes_at, [kinks], ties
            )
            evaluations += len(SIGNS) * runs.evaluations
        is_of_f = matrix is None and derived.attempt_of is None
        if is_of_f and not is_finite and has_nan(xp, runs.value):
            result = mark_nan(xp, result, runs.value)
    if runs.takes_many:
        result = result.map(lambda a: wrap_like(a, derived.function.leaves[leaf]))
    return Matrix(result, matrix, runs.value, evaluations)


def _compute(runs: Runs, sparsity: Any, symmetric: bool) -> tuple[Array, Any]:
    """Return the slopes, those of a sparse matrix as its data, and that matrix."""
    if sparsity is None:
        dense = dense_jacobian(runs, may_reverse=not symmetric)
        if symmetric:
            require_gradient(runs.value, runs.x)
        return (_symmetric(runs, dense) if symmetric else dense), None
    if isinstance(sparsity, Coloring):
        data = colored_jacobian(runs, sparsity)
        return data, sparsity
    matrix = sparse_jacobian(runs)
    if symmetric:
        require_gradient(runs.value, runs.x)
        matrix = _symmetric_sparse(runs, matrix)
    return matrix.data, matrix


def require_gradient(value: Array, x: Any) -> None:
    """Raise unless the result of ``grad`` has the shape of x."""
    if tuple(value.shape) != tuple(x.shape):
        raise ValueError(
            f"`grad` returned shape {tuple(value.shape)} for x of shape "
            f"{tuple(x.shape)}: a gradient is shaped like x"
        )


def _symmetric(runs: Runs, dense: Array) -> Array:
    xp, count = runs.xp, runs.count
    flat = xp.reshape(dense, (count, count))
    return xp.reshape((flat + xp.matrix_transpose(flat)) / 2, dense.shape)


def _symmetric_sparse(runs: Runs, matrix: Any) -> Any:
    """Return the mean of a matrix and its transpose, in its dtype."""
    dtype = runs.value.dtype
    # (SciPy does not add matrices in half precision.)
    is_half = dtype.itemsize == 2
    matrix = matrix.astype(runs.xp.float32) if is_half else matrix
    # An entry that is missing on one side is 0 there.
    matrix = (matrix + matrix.T) / 2
    matrix.data = cast(runs.xp, matrix.data, dtype)
    return matrix


def _without_branches(
    runs: Runs, data: Array, matrix: Any, compute: Any
) -> tuple[Array, Any]:
    """Return slopes in which a branch that was not taken does not make nan.

    ``data`` are those of a sparse matrix, or of a dense one. Where differences do not
    confirm the others, `Inexact` is raised.
    """
    xp, again = runs.xp, runs.derived.ignoring_zeros()
    value = unwrap(again.at(runs.attempt).at_base())
    rows, columns, old = _entries(runs, data, matrix)
    missing = np.isnan(old) & np.isfinite(to_numpy(value)).reshape(-1)[rows]
    if not missing.any():
        return data, matrix
    moved = np.zeros(runs.count, dtype=bool)
    weights = np.zeros(math.prod(value.shape))
    signs = np.asarray(to_numpy(random_cotangent(value)), np.float64).reshape(-1)
    moved[columns[missing]] = True
    weights[rows[missing]] = signs[rows[missing]]
    others = compute(runs.of(again))
    if matrix is None:
        mask = from_host(xp, missing.reshape(data.shape), like=data, dtype=xp.bool)
        others = xp.where(mask, others[0], data), None
    rows, columns, slopes = _entries(runs, *others)
    takes_part = (weights[rows] != 0) & moved[columns] & np.isfinite(slopes)
    rows, columns, slopes = (a[takes_part] for a in (rows, columns, slopes))

    def product(direction: list[Any]) -> float:
        vector = direction[runs.leaf].reshape(-1)
        return float(np.sum(weights[rows] * slopes * vector[columns]))

    moves = [np.zeros(tuple(x.shape), dtype=bool) for x in runs.function.leaves]
    moves[runs.leaf] = moved.reshape(tuple(runs.x.shape))
    cotangent = weights.reshape(tuple(value.shape))
    proof = Proof(
        again.at(runs.attempt), from_host(xp, cotangent, like=value, dtype=value.dtype)
    )
    if proof.confirms_products(product, moves):
        return others
    raise Inexact(UNCONFIRMED)


def _in_pattern(xp: Any, data: Array, others: Any, matrix: Any) -> Array:
    """Return the entries of a sparse matrix that are stored in another one.

    In another branch there may be others.
    """
    if matrix is None or isinstance(matrix, Coloring):
        return data
    rows, columns = _pattern(matrix)
    size = matrix.shape[1]
    places, own = rows * size + columns, _pattern(others)
    theirs = own[0] * size + own[1]
    if np.array_equal(places, theirs):
        return data
    order, values = np.argsort(theirs), np.zeros(places.shape)
    are_stored = np.isin(places, theirs)
    at = np.searchsorted(theirs, places[are_stored], sorter=order)
    values[are_stored] = to_numpy(data)[order[at]]
    return from_host(xp, values, like=data, dtype=data.dtype)


def _entries(runs: Runs, data: Array, matrix: Any) -> tuple[Any, Any, Any]:
    """Return the rows, the columns and the values of slopes, on the host."""
    values = np.asarray(to_numpy(data), np.float64).reshape(-1)
    if matrix is not None:
        return *_pattern(matrix), values
    return *np.divmod(np.arange(values.size), max(runs.count, 1)), values


def _kinks(runs: Runs, matrix: Any, sparsity: Any, symmetric: bool) -> Any:
    """Mark the slopes that belong to corners, like the data; None: not one."""
    marks = kinks_by_entry(runs.derived, runs.attempt, runs.value)
    if marks is None:
        return None
    count = math.prod(runs.value.shape)
    places = None if sparsity is None else _pattern(matrix)
    table: Any = False
    for leaves in marks:
        mark = leaves[runs.leaf]
        own = mark.dense(count) if places is None else mark.at(*places)
        if symmetric:
            own = own | (own.T if places is None else mark.at(*places[::-1]))
        table = table | own
    if places is None:
        table = table.reshape((*runs.value.shape, *runs.x.shape))
    return from_host(runs.xp, table, like=runs.x, dtype=runs.xp.bool)


def _jumps(runs: Runs, matrix: Any, sparsity: Any) -> Any:
    """Mark the slopes of entries of f(x) that jump there, like the data."""
    jumps = jumps_of_entries(runs.function, runs.value)
    if jumps is None:
        return None
    table = jumps[runs.leaf]
    if sparsity is not None:
        table = table.reshape(-1, runs.count)[_pattern(matrix)]
    return from_host(runs.xp, table, like=runs.x, dtype=runs.xp.bool)
