"""Slopes of a scalar function: measured by ladders, and analytic from the caller.

All work is done on the device of the arrays; the results of a group of slopes reach the
host in one copy.
"""

from __future__ import annotations

import functools
import math
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
    wide_sum,
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
from xgrad._evaluation import Function, Points, entry_columns, single_column
from xgrad.check._directions import entry_sizes, random_direction

PLAN = Plan(method="ladder", full_output=True)


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes along some directions or entries, as host arrays with one element each.

    ``analytic`` and ``measured`` are the slopes; ``error`` is the error bound and
    ``status`` the status of the measured ones. ``size`` is how far an entry moves for
    its own size (1 for directions), and ``typical`` the usual size of slope times move
    in the array. ``rises`` and ``moves`` are those of `RecordedResult`.
    """

    analytic: np.ndarray
    measured: np.ndarray
    error: np.ndarray
    status: np.ndarray
    size: np.ndarray
    typical: np.ndarray
    rises: np.ndarray
    moves: np.ndarray

    def select(self, index: Any) -> Slopes:
        """Return the slopes that a slice, a mask or an array of indices selects."""
        return Slopes(*(values[index] for values in vars(self).values()))


@dataclass(frozen=True, eq=False)
class CheckedFunction:
    """A scalar function at ``x``, and its analytic gradient from the caller.

    ``base`` is ``f(x)`` and ``noise`` a lower limit of its uncertainty. ``eps`` is the
    precision of the arithmetic, and ``rounding`` that to which the result is rounded.
    ``analytic`` holds one array for each array of ``x``.
    """

    problem: Problem
    base: Array
    analytic: tuple[Array, ...]
    eps: float
    rounding: float
    noise: Array

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

    @functools.cached_property
    def value_and_noise(self) -> tuple[float, float]:
        """``f(x)`` and its noise, on the host."""
        value, noise = scalars_on_host(
            self.xp, [self.base, self.noise], self.noise.dtype
        )
        return value, noise

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
        return self._on_host([self._slope_along(leaf, v) for leaf, v in directions])

    def slopes_of_entries(
        self, leaf: int, positions: np.ndarray | None = None
    ) -> Slopes:
        """Measure slopes along entries of an array, by default along all of them."""
        xp, x = self.xp, self.leaves[leaf]
        placement = self.problem.placements[leaf]
        points = entry_columns(placement.points(self._ladder, self.eps, True))
        with quiet():
            analytic = xp.reshape(self.analytic[leaf], (-1,))
            size = cast(xp, xp.reshape(entry_sizes(xp, x), (-1,)), analytic.dtype)
            # The root mean square: a slope along a random direction has this size times
            # the root of the number of entries.
            typical = _norm(xp, analytic * size) / math.prod(x.shape) ** 0.5
        if positions is not None:
            points = points.at_labels(positions)
            index = from_host(xp, positions, like=x)
            analytic, size = xp.take(analytic, index), xp.take(size, index)
        typical = xp.broadcast_to(typical, tuple(analytic.shape))
        measured = self._measure(self.function, leaf, points, self.noise)
        return self._on_host([[analytic, size, typical, *measured]])

    def _slope_along(self, leaf: int, direction: Array) -> list[Array]:
        """Return the columns of `_on_host` for a slope along one direction."""
        xp, analytic, x = self.xp, self.analytic[leaf], self.leaves[leaf]
        wide = self.noise.dtype
        with quiet():
            move = cast(xp, direction, wide)
            products = analytic * move
            typical = _norm(xp, products)
            # x plus a step is rounded to half a unit in the last place, eps / 2 of x;
            # such errors are spread evenly and measure about half of that. They are
            # independent from entry to entry, so that their squares add up.
            rounded = xp.where(move == 0, 0.0, analytic * cast(xp, x, wide))
            lost = _norm(xp, rounded) * (self.eps / 4)
            lost = xp.where(xp.isfinite(lost), lost, 0.0)
            noise = xp.maximum(self.noise, lost)
            slope, size = xp.sum(products), xp.ones_like(typical)
        line = self._along({leaf: direction})
        points = single_column(line.placements[0].points(self._ladder, self.eps, True))
        measured = self._measure(line.function, 0, points, noise)
        return [xp.reshape(a, (1,)) for a in (slope, size, typical)] + measured

    def _along(self, directions: dict[int, Array]) -> Problem:
        """Return ``t -> f(x + t * direction)``; arrays without a direction stay."""
        f, xp = self.function, self.xp
        vectors = tuple(directions.get(leaf) for leaf in range(len(f.leaves)))
        call = Line(f.call, xp, f.tree, f.leaves, vectors, f.batched)
        # A distance in a narrower dtype would round the moves of the wider arrays.
        widest = max(f.leaves, key=lambda x: float_info(xp, x.dtype).size)
        start = from_host(xp, 0.0, like=widest, dtype=widest.dtype)
        width = sum(math.prod(x.shape) for x in f.leaves) if f.batched else 0
        line = Function(call, xp, None, (start,), f.batched, width)
        name = "the distance along a random direction"
        return Problem(line, (name,), PLAN, self.problem.evaluator)

    @property
    def _ladder(self) -> RecordingLadder:
        return RecordingLadder(rungs_for(self.eps))

    def _measure(
        self, function: Function, leaf: int, points: Points, noise: Array
    ) -> list[Array]:
        """Return value, error, status, rises and moves, with a row for each column."""
        noise = self.xp.reshape(noise, tuple(self.base.shape))
        readout = EachOutput(self.base, self.rounding, noise)
        result = self.problem.one_pass(
            function, leaf, self.base, self._ladder, points, readout, True
        )
        names = ("value", "error", "status", "rises", "moves")
        return [vars(result)[name] for name in names]

    def _on_host(self, groups: list[list[Array]]) -> Slopes:
        """Copy groups of columns to the host at once, as one table.

        The columns of a group are analytic, size, typical, and those of `_measure`.
        """
        # On a GPU every copy waits for all work before it, whatever its size.
        xp, wide = self.xp, self.noise.dtype
        rows = []
        for group in groups:
            columns = [cast(xp, column, wide) for column in group]
            columns = [c if c.ndim == 2 else c[:, None] for c in columns]
            rows.append(xp.concat(columns, axis=1))
        table = to_numpy(xp.concat(rows, axis=0)).astype(np.float64)
        analytic, size, typical, measured, error, status = table[:, :6].T
        rises, moves = np.split(table[:, 6:], 2, axis=1)
        return Slopes(analytic, measured, error, status, size, typical, rises, moves)


@dataclass(eq=False)
class RecordedResult(Result):
    """A derivative, and what ``f`` did on every rung, ``(columns, 2 * rungs)``.

    ``rises`` are differences from ``f(x)`` and ``moves`` those from ``x``: first all
    steps to the right, then all steps to the left, from large to small.
    """

    rises: Any = None
    moves: Any = None


@dataclass(frozen=True)
class RecordingLadder(Ladder):
    """A `Ladder` for a scalar function that also records the differences it used."""

    def combine(self, samples: Samples, estimate: bool) -> RecordedResult:
        """Return the derivative of each column, and the differences it comes from."""
        xp, result = samples.xp, super().combine(samples, True)

        def recorded(difference: Any) -> Array:
            rungs = [xp.reshape(difference(o), (-1,)) for o in self.rungs.offsets]
            return cast(xp, xp.stack(rungs, axis=-1), result.value.dtype)

        # A scalar function has one component for each column.
        flat = result.map(lambda values: xp.reshape(values, (-1,)))
        return RecordedResult(
            **flat.fields,
            rises=recorded(samples.difference),
            moves=recorded(samples.spacing),
        )


def scalars_on_host(xp: Any, scalars: Sequence[Array], dtype: Any) -> list[float]:
    """Copy several arrays of one element to the host at once."""
    stacked = xp.stack([xp.reshape(cast(xp, scalar, dtype), ()) for scalar in scalars])
    return [float(value) for value in to_numpy(stacked)]


def _norm(xp: Any, x: Array) -> Array:
    """Return the root of the sum of squares, without overflow of a square."""
    largest = xp.max(xp.abs(x))
    scaled = x / xp.where(largest == 0, 1.0, largest)
    return largest * xp.sqrt(wide_sum(xp, scaled**2))
