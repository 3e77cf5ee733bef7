"""Exact Jacobians, dense or sparse: all directions in one run of `f`, or of a gradient.

The tangents are unit vectors, each at a point of its own, of arrays at many points: an
entry of a result keeps the directions that it depends on, and no others. So the pattern
of a sparse matrix is found while its values are computed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    common_namespace,
    coordinate_matrix,
    device_of,
    free_gpu_bytes,
    from_host,
    has_hidden_axis,
    is_lazy,
    quiet,
    sparse_matrix,
    to_numpy,
    unwrap,
    wrap_like,
)
from xgrad._autodiff import is_nested
from xgrad._batched import (
    Batched,
    all_differences,
    directions,
    entries_at_points,
    unit_directions,
)
from xgrad._differences import Coloring, Plan, Result, fitting_coloring
from xgrad._evaluation import Execution, ways_of_function
from xgrad.diff._exact import Attempt, Inexact, pull_exactly, record_exactly
from xgrad.diff._exact_directions import UNCONFIRMED, kinks_by_entry
from xgrad.diff._forward import Derived, push_exactly, random_cotangent
from xgrad.diff._proof import Proof
from xgrad.diff._rounding import SIGNS, add_bounds, add_status, are_finite

# Memory for the largest array of one run, of a few that are alive at once. Beyond it,
# directions are taken in several runs, each of which costs the time of Python once.
# Chosen by hand; only speed and memory depend on it.
RUN_BYTES = 64 * 2**20
ALIVE = 4
# So few directions are taken at once without a look at what they cost; of more, first
# a few that lie apart show it.
FEW = 128
PROBED = 16
# A rule on the way back takes as long as so many entries of an array: five microseconds
# of Python, at half a nanosecond an entry. Measured by hand; speed alone depends on it.
ENTRIES_A_RULE = 10_000


@dataclass(frozen=True)
class Cost:
    """The cost of one direction, and of one entry of the result on the way back.

    ``width`` is the number of entries at each direction of the largest array,
    ``forward`` those of all arrays, and ``reverse`` the entries that take as long as
    one way back, of which there are as many as ``rows``.
    """

    width: int
    forward: int
    reverse: int
    rows: int
    name = "cost"
    is_inherited = True


class Runs:
    """Runs of a function with tangents of one leaf, the first of which is proved.

    ``value`` is the result of the function, ``evaluations`` counts its runs and calls.
    """

    def __init__(self, derived: Derived, leaf: int, max_bytes: int | None) -> None:
        self.derived = derived
        self.function = derived.function
        self.leaf = leaf
        x = self.function.leaves[leaf]
        self.x = unwrap(x) if self.takes_many else x
        self.xp = common_namespace(x=self.x)
        self.count = math.prod(self.x.shape)
        self.max_bytes = max_bytes
        self.attempt = Attempt()
        self.value: Any = None
        self.evaluations = 0

    def of(self, derived: Derived) -> Runs:
        """Return runs of a function that need no proof, because these had theirs."""
        runs = Runs(derived, self.leaf, self.max_bytes)
        runs.attempt, runs.value = self.attempt, self.value
        return runs

    @property
    def takes_many(self) -> bool:
        """Whether one run can take many directions, as arrays at many points."""
        return has_hidden_axis(self.function.xp) and not is_nested()

    def push(self, tangent: Any) -> Any:
        """Run the function with a tangent of the leaf; return that of the result.

        None stands for zeros.
        """
        tangents: list[Any] = [None] * len(self.function.leaves)
        tangents[self.leaf] = tangent
        with quiet():
            if self.value is None:
                exact = push_exactly(self.derived, tangents)
                self.attempt = exact.attempt
                self.value = unwrap(exact.value) if self.takes_many else exact.value
                pushed = exact.recording
                self.evaluations += exact.evaluations
            else:
                pushed = self.derived.push(self.attempt, tangents)
                self.evaluations += 1
        pushed_tangent = pushed.tangent
        # What is no array at many points has come from none: it is 0 everywhere.
        is_zero = self.takes_many and not isinstance(pushed_tangent, Batched)
        return None if is_zero else pushed_tangent

    def push_units(self, width: int) -> Iterator[tuple[int, int, Any]]:
        """Yield ranges of entries of the leaf, and the tangents of the result."""
        for start, stop in self._chunks(width):
            tangent = None
            if start < stop:
                numbers = self.xp.arange(start, stop, device=device_of(self.x))
                tangent = unit_directions(self.xp, self.x, numbers)
            yield start, stop, self.push(tangent)

    def _chunks(self, width: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of directions whose arrays fit into the memory."""
        budget = self.max_bytes
        if budget is None:
            free = free_gpu_bytes(self.x)
            budget = RUN_BYTES if free is None else free // 4
        step = max(1, budget // (ALIVE * max(width, 1) * self.x.dtype.itemsize))
        # Of an empty array there is a run as well, for the shape of its result.
        for start in range(0, max(self.count, 1), step):
            yield start, min(start + step, self.count)

    def cost(self) -> Cost:
        """Return what a direction costs, which a few of them show at first use."""
        if self.count <= FEW:
            return Cost(self.count, 0, 1, 1)
        memory = ways_of_function(self.function.call)
        key = (self.derived.kind, "cost", self.x.shape, self.leaf)
        cost: Cost | None = memory.find(key)
        if cost is None:
            apart = range(0, self.count, math.ceil(self.count / PROBED))
            xp, like = self.xp, self.x
            numbers = xp.asarray(list(apart), device=device_of(like))
            units = unit_directions(xp, like, numbers)
            self.push(units)
            trace = units.tracer
            reverse = trace.base_work + ENTRIES_A_RULE * trace.operations
            rows = math.prod(self.value.shape)
            cost = Cost(trace.width, trace.work, reverse, rows)
            memory.remember(key, cost)
        return cost


def dense_jacobian(runs: Runs, may_reverse: bool = True) -> Array:
    """Return all slopes of a function by one leaf, ``(*f(x).shape, *leaf.shape)``."""
    xp = runs.xp
    if not runs.takes_many:
        return _one_by_one(runs, may_reverse)
    cost = runs.cost()
    if may_reverse and cost.rows * cost.reverse < runs.count * cost.forward:
        return _by_rows(runs)
    columns = []
    for start, stop, tangent in runs.push_units(cost.width):
        shape = (stop - start, *runs.value.shape)
        if tangent is None:
            zero = xp.zeros((), dtype=runs.value.dtype, device=device_of(runs.x))
            columns.append(xp.broadcast_to(zero, shape))
        else:
            columns.append(all_differences(tangent.tracer, tangent, runs.value.dtype))
    stacked = columns[0] if len(columns) == 1 else xp.concat(columns)
    return _columns_last(runs, stacked)


def _columns_last(runs: Runs, stacked: Array) -> Array:
    """Return slopes of which those by one entry of x stand together, in order."""
    xp, shape = runs.xp, tuple(runs.value.shape)
    flat = xp.reshape(stacked, (runs.count, math.prod(shape)))
    return xp.reshape(xp.matrix_transpose(flat), (*shape, *runs.x.shape))


def _one_by_one(runs: Runs, may_reverse: bool) -> Array:
    """Return the slopes by one direction after the other, or one entry of f(x)."""
    xp = runs.xp
    if may_reverse and runs.derived.attempt_of is None:
        exact = record_exactly(runs.function, random_cotangent)
        if math.prod(exact.value.shape) <= runs.count:
            return _by_rows(runs)
    columns = []
    for i in range(runs.count):
        unit = xp.reshape(
            xp.astype(
                xp.arange(runs.count, device=device_of(runs.x)) == i, runs.x.dtype
            ),
            runs.x.shape,
        )
        tangent = runs.push(unit)
        columns.append(xp.zeros_like(runs.value) if tangent is None else tangent)
    return _columns_last(runs, xp.stack(columns))


def _by_rows(runs: Runs) -> Array:
    """Return the slopes by one way back for each entry of the result."""
    xp = runs.xp
    exact = record_exactly(runs.function, random_cotangent)
    value = unwrap(exact.value) if runs.takes_many else exact.value
    runs.value, runs.attempt = value, exact.attempt
    runs.evaluations += exact.evaluations
    size = math.prod(value.shape)
    rows = []
    with quiet():
        numbers = xp.arange(size, device=device_of(value))
        for i in range(size):
            unit = xp.reshape(xp.astype(numbers == i, value.dtype), value.shape)
            slope = pull_exactly(exact.recording, unit)[runs.leaf]
            rows.append(unwrap(slope) if runs.takes_many else slope)
    stacked = (
        xp.stack(rows) if rows else xp.zeros((0, *runs.x.shape), dtype=runs.x.dtype)
    )
    return xp.reshape(stacked, (*value.shape, *runs.x.shape))


def sparse_jacobian(runs: Runs) -> Any:
    """Return the slopes as a sparse matrix, ``(f(x) entries, leaf entries)``.

    It stores the entries that the result was found to depend on.
    """
    xp = runs.xp
    rows, columns, values = [], [], []
    for start, _, tangent in runs.push_units(runs.cost().width):
        if tangent is None:
            continue
        entries = entries_at_points(tangent)
        points, positions, data = entries.points, entries.positions, entries.values
        if entries.is_full:
            # All entries are listed, because nobody knew which are 0.
            nonzero = data != 0
            points, positions, data = points[nonzero], positions[nonzero], data[nonzero]
        rows.append(positions)
        columns.append(points + start if start else points)
        values.append(data)
    shape = math.prod(runs.value.shape), runs.count
    if not rows:
        rows = columns = [xp.zeros(0, dtype=xp.int64, device=device_of(runs.x))]
        values = [xp.zeros(0, dtype=runs.value.dtype, device=device_of(runs.x))]
    data, row, column = (
        parts[0] if len(parts) == 1 else xp.concat(parts)
        for parts in (values, rows, columns)
    )
    return coordinate_matrix(xp, data, row, column, shape)


def colored_jacobian(runs: Runs, coloring: Coloring) -> Array:
    """Return the slopes at the entries of a pattern, one number for each.

    Directions of one colour are taken together.
    """
    xp, x = runs.xp, runs.x
    colors = from_host(xp, coloring.colors, like=x)
    numbers = xp.arange(coloring.num_colors, device=device_of(x))[:, None]
    seeds = xp.astype(colors[None, :] == numbers, x.dtype)
    seeds = xp.reshape(seeds, (coloring.num_colors, *x.shape))
    rows = from_host(xp, coloring.rows, like=x)
    color = from_host(xp, coloring.colors[coloring.columns], like=x)
    tangent = runs.push(directions(xp, seeds))
    fitting_coloring(coloring, x, runs.value)
    if tangent is None:
        return xp.zeros(len(coloring.rows), dtype=runs.value.dtype, device=device_of(x))
    slopes = all_differences(tangent.tracer, tangent, runs.value.dtype)
    return xp.reshape(slopes, (coloring.num_colors, -1))[color, rows]


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
        hidden = is_nested() or is_lazy(xp, data)
        if not hidden and not are_finite(xp, [data]):
            data, matrix = _without_branches(runs, data, matrix, compute)
            result = add_status(xp, Result(data))
        evaluations = runs.evaluations
        if plan.full_output:

            def slopes_at(leaves: list[Array]) -> list[Array]:
                there = replace(derived, function=derived.function.at_leaves(leaves))
                other, _ = compute(runs.of(there))
                # In another branch there may be other entries.
                return [other] if other.shape == data.shape else []

            kinks = _kinks(runs, matrix, sparsity, symmetric)
            (result,) = add_bounds(xp, derived.function, [result], slopes_at, [kinks])
            evaluations += len(SIGNS) * runs.evaluations
    if runs.takes_many:
        result = result.map(lambda a: wrap_like(a, derived.function.leaves[leaf]))
    return Matrix(result, matrix, runs.value, evaluations)


def _compute(runs: Runs, sparsity: Any, symmetric: bool) -> tuple[Array, Any]:
    """Return the slopes, those of a sparse matrix as its data, and that matrix."""
    if sparsity is None:
        dense = dense_jacobian(runs, may_reverse=not symmetric)
        return (_symmetric(runs, dense) if symmetric else dense), None
    if isinstance(sparsity, Coloring):
        data = colored_jacobian(runs, sparsity)
        return data, sparsity
    matrix = sparse_jacobian(runs)
    if symmetric:
        matrix = _symmetric_sparse(runs, matrix)
    return matrix.data, matrix


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
    table = marks[runs.leaf]
    table = table | table.T if symmetric else table
    if sparsity is None:
        table = table.reshape((*runs.value.shape, *runs.x.shape))
    else:
        table = table[_pattern(matrix)]
    return from_host(runs.xp, table, like=runs.value, dtype=runs.xp.bool)
