"""Slopes of a function: measured by ladders, and analytic from the caller.

All work is done on the device of the arrays; the results of a group of slopes reach the
host in one copy.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    float_info,
    from_host,
    quiet,
    to_numpy,
)
from xgrad._differences import (
    EachOutput,
    Ladder,
    Line,
    Plan,
    Problem,
    Result,
    Samples,
    noise_level,
    rungs_for,
)
from xgrad._evaluation import Function, Points, entry_columns
from xgrad.check._directions import entry_sizes, random_direction
from xgrad.check._lines import Lines

PLAN = Plan(method="ladder", full_output=True)
# Directions are measured together while they have at most so many numbers, times the
# outputs of the function: a product with all of them is then no larger than a cache.
MOST_NUMBERS = 2**14


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes of outputs along some directions or entries, as flat host arrays.

    The outputs of the function vary fastest. ``analytic`` and ``measured`` are the
    slopes; ``error`` is the error bound and ``status`` the status of the measured ones.
    ``size`` is how far an entry moves for its own size (1 for directions), and
    ``typical`` the usual size of slope times move in the array. ``base`` and ``noise``
    are the output at ``x`` and its uncertainty. ``rises`` and ``moves`` are those of
    `RecordedResult`.
    """

    analytic: np.ndarray
    measured: np.ndarray
    error: np.ndarray
    status: np.ndarray
    size: np.ndarray
    typical: np.ndarray
    base: np.ndarray
    noise: np.ndarray
    rises: np.ndarray
    moves: np.ndarray

    def select(self, index: Any) -> Slopes:
        """Return the slopes that a slice, a mask or an array of indices selects."""
        return Slopes(*(values[index] for values in vars(self).values()))


@dataclass(frozen=True, eq=False)
class CheckedFunction:
    """A function at ``x``, and its analytic derivatives from the caller.

    ``base`` is ``f(x)``, one output or several, and ``noise`` a lower limit of its
    uncertainty. ``eps`` is the precision of the arithmetic, and ``rounding`` that to
    which the result is rounded. ``analytic`` holds one array for each array of ``x``,
    with the outputs along its first axis. Each output is a sum of ``summed`` ones, and
    an evaluation is that many ``calls`` of the caller's function.
    """

    problem: Problem
    base: Array
    analytic: tuple[Array, ...]
    eps: float
    rounding: float
    noise: Array
    summed: int = 1
    calls: int = 1

    @property
    def xp(self) -> Any:
        """Namespace of the arrays."""
        return self.problem.xp

    @property
    def function(self) -> Function:
        """The function and the arrays of ``x``."""
        return self.problem.function

    @property
    def leaves(self) -> tuple[Array, ...]:
        """The arrays of ``x``."""
        return self.function.leaves

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return math.prod(self.base.shape)

    def matrix(self, leaf: int) -> Array:
        """Return the analytic derivatives by an array, ``(outputs, entries)``."""
        return self.xp.reshape(self.analytic[leaf], (self.outputs, -1))

    def with_measured_noise(self, seed: int) -> CheckedFunction:
        """Return the function with its noise along one random direction measured."""
        directions = {
            leaf: self.direction(leaf, (seed, leaf), lifted=False)
            for leaf, x in enumerate(self.leaves)
            if math.prod(x.shape)
        }
        line = self._along(directions)
        points = line.placements[0].noise_line(self.eps)
        values = line.column_values(line.function, 0, self.base, points)
        with quiet():
            level = noise_level(self.xp, self.base, values, self.eps)
            noise = self.xp.maximum(self.noise, cast(self.xp, level, self.noise.dtype))
        return replace(self, noise=noise)

    def direction(self, leaf: int, seed: tuple[int, ...], lifted: bool) -> Array:
        """Draw a random direction in one of the arrays."""
        return random_direction(self.xp, self.leaves[leaf], self.eps, seed, lifted)

    def slopes_along(self, directions: Iterable[tuple[int, Array]]) -> Slopes:
        """Measure slopes along directions, each of which moves one of the arrays."""
        groups = []
        for leaf, group in itertools.groupby(directions, key=operator.itemgetter(0)):
            vectors = (vector for _, vector in group)
            width = math.prod(self.leaves[leaf].shape) * self.outputs
            most = max(1, MOST_NUMBERS // max(width, 1))
            while batch := list(itertools.islice(vectors, most)):
                groups.append(self._slopes_along(leaf, batch))
        return self._on_host(groups)

    def slopes_of_entries(
        self, leaf: int, positions: np.ndarray | None = None
    ) -> Slopes:
        """Measure slopes along entries of an array, by default along all of them."""
        xp, x = self.xp, self.leaves[leaf]
        placement = self.problem.placements[leaf]
        columns = entry_columns(xp, x)
        points = placement.points(self._ladder, self.eps, True, columns)
        with quiet():
            analytic = self.matrix(leaf).T
            size = cast(xp, xp.reshape(entry_sizes(xp, x), (-1,)), analytic.dtype)
            # The root mean square: a slope along a random direction has this size times
            # the root of the number of entries.
            products = analytic.T * size
            typical = _norms(xp, products) / math.prod(x.shape) ** 0.5
        if positions is not None:
            points = points.at_labels(positions)
            index = from_host(xp, positions, like=x)
            analytic = xp.take(analytic, index, axis=0)
            size = xp.take(size, index)
        measured = self._measure(self.function, leaf, points, self.noise)
        return self._on_host([[analytic, size[:, None], typical[None, :], *measured]])

    def _slopes_along(self, leaf: int, directions: Sequence[Array]) -> list[Array]:
        """Return the columns of `_on_host` for slopes along directions in one array."""
        xp, x, analytic = self.xp, self.leaves[leaf], self.matrix(leaf)
        wide = self.noise.dtype
        vectors = xp.stack([xp.reshape(vector, (-1,)) for vector in directions])
        with quiet():
            moves = cast(xp, vectors, wide)
            products = analytic[None, ...] * moves[:, None, :]
            # x plus a step is rounded to half a unit in the last place, eps / 2 of x;
            # such errors are spread evenly and measure about half of that. They are
            # independent from entry to entry, so that their squares add up.
            still = xp.all(moves == 0, axis=0)
            entries = xp.reshape(cast(xp, x, wide), (-1,))
            rounded = xp.where(still, 0.0, analytic * entries)
            lost = _norms(xp, rounded) * (self.eps / 4)
            lost = xp.where(xp.isfinite(lost), lost, 0.0)
            noise = xp.maximum(xp.reshape(self.noise, (-1,)), lost)
            slopes, typical = xp.sum(products, axis=-1), _norms(xp, products)
        lines = self._lines(leaf, vectors)
        placement = lines.placements[0]
        columns = entry_columns(xp, placement.x)
        points = placement.points(self._ladder, self.eps, True, columns)
        measured = self._measure(lines.function, 0, points, noise)
        return [slopes, xp.ones_like(slopes), typical, *measured]

    def _lines(self, leaf: int, vectors: Array) -> Problem:
        """Return the function of distances along vectors, the rows of a matrix."""
        f, xp, x = self.function, self.xp, self.leaves[leaf]
        call = Lines(f.call, xp, f.tree, f.leaves, leaf, vectors, f.batched)
        start = from_host(xp, np.zeros(vectors.shape[0]), like=x, dtype=x.dtype)
        return self._problem_of(call, start, "the distances along random directions")

    def _along(self, directions: dict[int, Array]) -> Problem:
        """Return ``t -> f(x + t * direction)``; arrays without a direction stay."""
        f, xp = self.function, self.xp
        vectors = tuple(directions.get(leaf) for leaf in range(len(f.leaves)))
        call = Line(f.call, xp, f.tree, f.leaves, vectors, f.batched)
        # A distance in a narrower dtype would round the moves of the wider arrays.
        widest = max(f.leaves, key=lambda x: float_info(xp, x.dtype).size)
        start = from_host(xp, 0.0, like=widest, dtype=widest.dtype)
        return self._problem_of(call, start, "the distance along a random direction")

    def _problem_of(self, call: Any, start: Array, name: str) -> Problem:
        f = self.function
        width = sum(math.prod(x.shape) for x in f.leaves) if f.batched else 0
        function = Function(call, self.xp, None, (start,), f.batched, width)
        return Problem(function, (name,), PLAN, self.problem.evaluator)

    @property
    def _ladder(self) -> RecordingLadder:
        return RecordingLadder(rungs_for(self.eps))

    def _measure(
        self, function: Function, leaf: int, points: Points, noise: Array
    ) -> list[Array]:
        """Return value, error, status, rises and moves, ``(columns, outputs)``.

        The last two have a further axis, of the rungs.
        """
        noise = self.xp.reshape(noise, tuple(self.base.shape))
        readout = EachOutput(self.base, self.rounding, noise)
        result = self.problem.one_pass(
            function, leaf, self.base, self._ladder, points, readout, True
        )
        names = ("value", "error", "status", "rises", "moves")
        return [vars(result)[name] for name in names]

    def _on_host(self, groups: list[list[Array]]) -> Slopes:
        """Copy groups of columns to the host at once, as one table.

        The columns of a group are analytic, size, typical, and those of `_measure`,
        broadcast against ``(columns, outputs)``.
        """
        # On a GPU every copy waits for all work before it, whatever its size.
        xp, wide = self.xp, self.noise.dtype
        outputs = [xp.reshape(array, (1, -1)) for array in (self.base, self.noise)]
        rows = []
        for group in groups:
            shape = tuple(group[-1].shape[:2])
            columns = [*group[:-2], *outputs]
            columns = [
                xp.broadcast_to(cast(xp, column, wide), shape)[..., None]
                for column in columns
            ]
            columns += [cast(xp, column, wide) for column in group[-2:]]
            table = xp.concat(columns, axis=-1)
            rows.append(xp.reshape(table, (-1, table.shape[-1])))
        table = to_numpy(xp.concat(rows, axis=0)).astype(np.float64)
        analytic, size, typical, measured, error, status, base, noise = table[:, :8].T
        rises, moves = np.split(table[:, 8:], 2, axis=1)
        return Slopes(
            analytic, measured, error, status, size, typical, base, noise, rises, moves
        )


@dataclass(eq=False)
class RecordedResult(Result):
    """A derivative, and what ``f`` did on every rung.

    Arrays are ``(columns, outputs, 2 * rungs)``: ``rises`` are differences from
    ``f(x)`` and ``moves`` those from ``x``, first of all steps to the right, then of
    all steps to the left, from large to small.
    """

    rises: Any = None
    moves: Any = None


@dataclass(frozen=True)
class RecordingLadder(Ladder):
    """A `Ladder` that also records the differences it used."""

    def combine(self, samples: Samples, estimate: bool) -> RecordedResult:
        """Return the derivatives of each column, and the differences they come from."""
        xp, result = samples.xp, super().combine(samples, True)
        columns = result.value.shape[0]

        def recorded(difference: Any) -> Array:
            rungs = [difference(o) for o in self.rungs.offsets]
            stacked = xp.stack(rungs, axis=-1)
            stacked = xp.reshape(stacked, (columns, -1, len(rungs)))
            return cast(xp, stacked, result.value.dtype)

        flat = result.map(lambda values: xp.reshape(values, (columns, -1)))
        rises = recorded(samples.difference)
        moves = xp.broadcast_to(recorded(samples.spacing), tuple(rises.shape))
        return RecordedResult(**flat.fields, rises=rises, moves=moves)


def outputs_on_host(xp: Any, arrays: Sequence[Array], dtype: Any) -> np.ndarray:
    """Copy several arrays of all outputs to the host at once, one in each row."""
    rows = [xp.reshape(cast(xp, array, dtype), (-1,)) for array in arrays]
    return to_numpy(xp.stack(rows)).astype(np.float64)


def _norms(xp: Any, x: Array) -> Array:
    """Return the root of the sum of squares over the last axis, without overflow."""
    largest = xp.max(xp.abs(x), axis=-1)
    divisor = xp.where(largest == 0, 1.0, largest)
    return largest * xp.sqrt(xp.sum((x / divisor[..., None]) ** 2, axis=-1))
