"""Slopes of a function, measured by ladders, beside those that are given for it.

On the device of the arrays; what is read goes to the host in one piece.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    device_of,
    float_info,
    from_host,
    quiet,
    to_numpy,
    wide_dtype,
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
    own_size,
    rungs_for,
)
from xgrad._evaluation import Function, Mode, entries, everything

PLAN = Plan(method="ladder", full_output=True)
# Signs and halves of them: exact in every dtype, so that `x` moves by what was meant;
# and two errors that are equal do not cancel as easily as with signs alone.
FACTORS = np.array([-1.0, -0.5, 0.5, 1.0])
# How many times their own size small entries may move along with larger ones: the
# ladder goes 3e-11 (single precision: 1e-6) deep, and must reach their size.
LIFT = {"float64": 2.0**10, "float32": 2.0**4}


@dataclass(frozen=True)
class Probed(Result):
    """A derivative, and what ``f`` did on all rungs, ``(columns, 2 * rungs)``.

    ``rises`` are differences from ``f(x)``, ``moves`` those from ``x``, to the right
    and then to the left.
    """

    rises: Any = None
    moves: Any = None


@dataclass(frozen=True)
class Probe(Ladder):
    """A `Ladder` for a scalar that also tells what it has seen."""

    def combine(self, samples: Samples, estimate: bool) -> Probed:
        """The derivative of each column, and the differences it comes from."""
        xp, found = samples.xp, super().combine(samples, True)

        def collected(read: Any) -> Array:
            seen = [xp.reshape(read(o), (-1,)) for o in self.rungs.offsets]
            return cast(xp, xp.stack(seen, axis=-1), found.value.dtype)

        flat = found.map(lambda part: xp.reshape(part, (-1,)))
        return Probed(
            **flat.fields,
            rises=collected(samples.difference),
            moves=collected(samples.spacing),
        )


@dataclass(frozen=True)
class Readings:
    """Slopes of some directions or entries, on the host, one each.

    ``given`` and ``measured`` slopes, the bound ``error`` and the ``status`` of the
    latter; ``size`` is how far an entry moves for its own size (1 for directions),
    ``typical`` the size of slope times move that is usual in the array; ``rises`` and
    ``moves`` as in `Probed`.
    """

    given: np.ndarray
    measured: np.ndarray
    error: np.ndarray
    status: np.ndarray
    size: np.ndarray
    typical: np.ndarray
    rises: np.ndarray
    moves: np.ndarray

    @classmethod
    def joined(cls, several: Sequence[Readings]) -> Readings:
        """All of them, one below the other."""
        return cls(
            *(
                np.concatenate([vars(one)[field.name] for one in several])
                for field in fields(cls)
            )
        )

    def only(self, chosen: Any) -> Readings:
        """Some of them."""
        return Readings(*(value[chosen] for value in vars(self).values()))


@dataclass(frozen=True)
class Subject:
    """A scalar function at ``x``, and a gradient that is given for it.

    ``base`` is ``f(x)``, ``noise`` what is known of its uncertainty, ``eps`` the
    precision of the arithmetic and ``rounding`` that in which the result is rounded;
    ``given`` has an array for each of ``x``.
    """

    run: Problem
    base: Array
    given: tuple[Array, ...]
    eps: float
    rounding: float
    noise: Array

    @property
    def xp(self) -> Any:
        """Namespace of the arrays."""
        return self.run.xp

    @property
    def function(self) -> Function:
        """The function and the arrays of ``x``."""
        return self.run.function

    @property
    def ladder(self) -> Probe:
        """The ladder that measures."""
        return Probe(rungs_for(self.eps))

    def with_noise(self, seed: int) -> Subject:
        """The same, with the noise of the function along one direction measured."""
        live = [i for i, x in enumerate(self.function.leaves) if math.prod(x.shape)]
        moves = {i: self.direction(i, (seed, i), lifted=False) for i in live}
        run = self._along(moves)
        points = run.placements[0].noise_line(self.eps)
        values = run.column_values(run.function, 0, self.base, points)
        with quiet():
            level = noise_level(self.xp, self.base, values, self.eps)
            noise = self.xp.maximum(self.noise, cast(self.xp, level, self.noise.dtype))
        return replace(self, noise=noise)

    def direction(self, leaf: int, seed: tuple[int, ...], lifted: bool) -> Array:
        """A random direction in one of the arrays, each entry in its own size.

        With ``lifted``, entries that are small in the array move as if they were not.
        """
        xp, x = self.xp, self.function.leaves[leaf]
        draws = np.random.default_rng(seed).integers(0, 4, tuple(x.shape))
        factors = from_host(xp, FACTORS[draws], like=x, dtype=x.dtype)
        with quiet():
            return factors * (self._lifted(x) if lifted else self._own(x)[0])

    def _own(self, x: Array) -> tuple[Array, Array]:
        """Size of each entry, of those that are 0 the mean; and that mean."""
        xp, wide = self.xp, wide_dtype(self.xp, x)
        held = xp.sum(xp.astype(x != 0, wide))
        mean = wide_sum(xp, xp.abs(x)) / xp.where(held == 0, 1.0, held)
        known = xp.isfinite(mean) & (mean > 0)
        mean = cast(xp, xp.where(known, mean, 1.0), x.dtype)
        return own_size(xp, xp.where(x == 0, mean, x)), own_size(xp, mean)

    def _lifted(self, x: Array) -> Array:
        own, mean = self._own(x)
        limit = LIFT["float64" if self.eps < 1e-10 else "float32"]
        return self.xp.minimum(self.xp.maximum(own, mean), own * limit)

    # Measured along directions

    def _along(self, moves: dict[int, Array]) -> Problem:
        """The function of a number: how far to go along a direction."""
        f, xp = self.function, self.xp
        directions = tuple(moves.get(i) for i in range(len(f.leaves)))
        call = Line(f.call, xp, f.tree, f.leaves, directions, f.batched)
        widest = max(f.leaves, key=lambda x: float_info(xp, x.dtype).size)
        start = from_host(xp, 0.0, like=widest, dtype=widest.dtype)
        width = sum(math.prod(x.shape) for x in f.leaves) if f.batched else 0
        mode: Mode = "batch" if f.batched else "loop"
        path = Function(call, xp, None, (start,), mode, width)
        name = "the distance along a random direction"
        return Problem(path, (name,), PLAN, self.run.runner)

    def along(self, directions: Iterable[tuple[int, Array]]) -> Readings:
        """Slopes along directions, each in one of the arrays."""
        return self._read([self._slope(leaf, v) for leaf, v in directions])

    def _slope(self, leaf: int, direction: Array) -> list[Array]:
        xp, given, x = self.xp, self.given[leaf], self.function.leaves[leaf]
        wide = self.noise.dtype
        with quiet():
            move = cast(xp, direction, wide)
            products = given * move
            typical = _norm(xp, products)
            # What is lost where `x` plus a step is rounded, each entry in its own way.
            moved = xp.where(move == 0, 0.0, given * cast(xp, x, wide))
            lost = _norm(xp, moved) * (self.eps / 4)
            lost = xp.where(xp.isfinite(lost), lost, 0.0)
            noise = xp.maximum(self.noise, lost)
            slope, one = xp.sum(products), xp.ones_like(typical)
        run = self._along({leaf: direction})
        points = everything(run.placements[0].points(self.ladder, self.eps, True))
        parts = self._measured(run.function, 0, points, noise)
        return [xp.reshape(part, (1,)) for part in (slope, one, typical)] + parts

    # Measured entry by entry

    def entries(self, leaf: int, positions: np.ndarray | None = None) -> Readings:
        """Slopes by some entries of one of the arrays, by default all of them."""
        xp, x = self.xp, self.function.leaves[leaf]
        points = entries(self.run.placements[leaf].points(self.ladder, self.eps, True))
        with quiet():
            given = xp.reshape(self.given[leaf], (-1,))
            size = cast(xp, xp.reshape(self._own(x)[0], (-1,)), given.dtype)
            typical = _norm(xp, given * size) / math.prod(x.shape) ** 0.5
        if positions is not None:
            points = points.only(positions)
            index = from_host(xp, positions, like=x)
            given, size = xp.take(given, index), xp.take(size, index)
        typical = xp.broadcast_to(typical, tuple(given.shape))
        parts = self._measured(self.function, leaf, points, self.noise)
        return self._read([[given, size, typical, *parts]])

    # What both need

    def _measured(
        self, function: Function, leaf: int, points: Any, noise: Array
    ) -> list[Array]:
        noise = self.xp.reshape(noise, tuple(self.base.shape))
        read = EachOutput(self.base, self.rounding, noise)
        probe = self.ladder
        found = self.run.one_pass(function, leaf, self.base, probe, points, read, True)
        names = ("value", "error", "status", "rises", "moves")
        return [vars(found)[name] for name in names]

    def _read(self, groups: list[list[Array]]) -> Readings:
        """Everything in one copy to the host."""
        xp, wide = self.xp, self.noise.dtype
        rows = []
        for group in groups:
            columns = [cast(xp, part, wide) for part in group]
            columns = [c if c.ndim == 2 else c[:, None] for c in columns]
            rows.append(xp.concat(columns, axis=1))
        table = to_numpy(xp.concat(rows, axis=0)).astype(np.float64)
        given, size, typical, measured, error, status = table[:, :6].T
        rises, moves = np.split(table[:, 6:], 2, axis=1)
        return Readings(given, measured, error, status, size, typical, rises, moves)

    @functools.cached_property
    def value(self) -> tuple[float, float]:
        """``f(x)`` and its noise, on the host."""
        xp, wide = self.xp, self.noise.dtype
        pair = [xp.reshape(cast(xp, p, wide), ()) for p in (self.base, self.noise)]
        base, noise = to_numpy(xp.stack(pair))
        return float(base), float(noise)

    # Parts of a direction

    def within(self, leaf: int, direction: Array, start: int, stop: int) -> Array:
        """A direction with the entries ``start:stop`` alone, in C order."""
        xp = self.xp
        place = self._positions(leaf)
        return xp.where((place >= start) & (place < stop), direction, 0.0)

    def without(self, leaf: int, direction: Array, axis: int | None, at: int) -> Array:
        """A direction without index ``at`` of an axis; of no axis, in C order."""
        xp, x = self.xp, self.function.leaves[leaf]
        place = self._positions(leaf)
        if axis is not None:
            numbers = xp.arange(x.shape[axis], device=device_of(x))
            shape = [1] * x.ndim
            shape[axis] = -1
            place = xp.reshape(numbers, tuple(shape))
        return xp.where(place == at, 0.0, direction)

    def _positions(self, leaf: int) -> Array:
        x = self.function.leaves[leaf]
        count = self.xp.arange(math.prod(x.shape), device=device_of(x))
        return self.xp.reshape(count, tuple(x.shape))


def _norm(xp: Any, x: Array) -> Array:
    """Root of the sum of squares, of which none overflows."""
    largest = xp.max(xp.abs(x))
    scaled = x / xp.where(largest == 0, 1.0, largest)
    return largest * xp.sqrt(wide_sum(xp, scaled**2))
