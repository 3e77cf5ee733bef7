"""Runs of a function with many tangents: all its slopes, dense or sparse.

The tangents are unit vectors, each at a point of its own, of arrays at many points: an
entry of a result keeps the directions that it depends on, and no others. So the pattern
of a sparse matrix is found while its values are computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import (
    Array,
    common_namespace,
    coordinate_matrix,
    device_of,
    free_gpu_bytes,
    has_hidden_axis,
    quiet,
    unwrap,
)
from xgrad._autodiff import is_nested
from xgrad._batched import (
    Batched,
    all_differences,
    entries_at_points,
    unit_directions,
)
from xgrad._evaluation import ways_of_function
from xgrad.diff._attempts import PLAIN
from xgrad.diff._exact import (
    pull_exactly,
    record_exactly,
)
from xgrad.diff._forward import Derived, push_exactly, random_cotangent

# Memory for the largest array of one run, of a few that are alive at once. Beyond it,
# directions are taken in several runs, each of which costs the time of Python once.
# Chosen by hand; only speed and memory depend on it.
RUN_BYTES = 64 * 2**20
ALIVE = 4
# So few directions fit into one run, whatever they cost.
FEW = 128
# A few directions, which lie apart, show what one costs.
PROBED = 16
# A rule on the way back takes as long as so many entries of an array: five microseconds
# of Python, at half a nanosecond an entry. An operation on arrays at many points takes
# eight times as long. Measured by hand; speed alone depends on them.
ENTRIES_A_RULE = 10_000
ENTRIES_AN_OPERATION = 80_000


@dataclass(frozen=True)
class Cost:
    """The work of a function on the way forward, and on the way back.

    ``width`` is the number of entries at each direction of the largest array, and
    ``work`` those of all arrays; ``base_work`` are the entries of all arrays of a plain
    call, and ``rows`` those of its result.
    """

    width: int
    work: int
    base_work: int
    operations: int
    rows: int
    name = "cost"
    # Functions of one code may use global arrays of other shapes.
    is_inherited = False

    def is_less_in_reverse(self, count: int) -> bool:
        """Whether a way back for each row takes less than so many directions."""
        row = self.base_work + ENTRIES_A_RULE * self.operations
        forward = count * self.work + ENTRIES_AN_OPERATION * self.operations
        return self.rows * row < forward


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
        self.attempt = PLAIN
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

    def push_units(self) -> Iterator[tuple[int, int, Any]]:
        """Yield ranges of entries of the leaf, and the tangents of the result."""
        width = self.count if self.count <= FEW else self.cost().width
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
        memory = ways_of_function(self.function.call)
        key = (self.derived.kind, "cost", self.x.shape, self.leaf)
        cost: Cost | None = memory.find(key)
        if cost is None:
            apart = range(0, self.count, max(1, math.ceil(self.count / PROBED)))
            xp, like = self.xp, self.x
            numbers = xp.asarray(list(apart), device=device_of(like))
            units = unit_directions(xp, like, numbers)
            self.push(units)
            trace = units.tracer
            rows = math.prod(self.value.shape)
            cost = Cost(
                trace.width, trace.work, trace.base_work, trace.operations, rows
            )
            memory.remember(key, cost)
        return cost


def dense_jacobian(runs: Runs, may_reverse: bool = True) -> Array:
    """Return all slopes of a function by one leaf, ``(*f(x).shape, *leaf.shape)``."""
    xp = runs.xp
    if not runs.takes_many:
        return _one_by_one(runs, may_reverse)
    if may_reverse and runs.count and runs.cost().is_less_in_reverse(runs.count):
        by_rows = _by_rows(runs)
        # A way back takes 0 for other entries of f(x), and 0 times an infinite slope is
        # nan. Directions leave out what they do not reach.
        if not bool(xp.any(xp.isnan(by_rows))):
            return by_rows
        runs.value = None  # nothing is proved of directions
    columns = []
    for start, stop, tangent in runs.push_units():
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
    rows, ignores_zeros = [], runs.derived.ignores_zeros
    with quiet():
        numbers = xp.arange(size, device=device_of(value))
        for i in range(size):
            unit = xp.reshape(xp.astype(numbers == i, value.dtype), value.shape)
            slope = pull_exactly(exact.recording, unit, ignores_zeros)[runs.leaf]
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
    for start, _, tangent in runs.push_units():
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
