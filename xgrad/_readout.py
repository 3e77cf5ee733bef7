"""What a derivative is taken of: the result of a function, or sums of its terms.

A readout turns what the function gave at the points of some columns into the numbers
whose differences count, beside the places where they were taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from xgrad._array import Array, from_host, is_complex, wide_dtype
from xgrad._coloring import Coloring, Group
from xgrad._points import Points
from xgrad._schemes import Samples


class Readout(Protocol):
    """Reads groups of columns, and puts their derivatives in order."""

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        values: dict[int, Array],
        estimate: bool,
    ) -> Samples:
        """What the columns ``start:stop`` say."""

    def ordered(self, xp: Any, joined: Array) -> Array:
        """The results of all columns, joined, in their final order."""

    def aligned(self, points: Points, ray: Array) -> Array:
        """A direction like x beside the ordered results: what each is the slope of."""


@dataclass(frozen=True)
class Whole:
    """The result as it is: one derivative for each of its entries and each column."""

    base: Array
    eps: float
    noise: Array | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        values: dict[int, Array],
        estimate: bool,
    ) -> Samples:
        """Places broadcast against the entries of the result."""
        xp = points.xp
        extra = (1,) * (self.base.ndim - len(points.lead))

        def aligned(place: Array) -> Array:
            return xp.reshape(place, (*place.shape, *extra)) if extra else place

        places = {o: aligned(p) for o, p in points.places(start, stop).items()}
        sides = points.sides_of(start, stop)
        sides = None if sides is None else aligned(sides)
        return Samples(xp, self.base, values, places, self.eps, self.noise, sides=sides)

    def ordered(self, xp: Any, joined: Array) -> Array:
        """As they come."""
        return joined

    def aligned(self, points: Points, ray: Array) -> Array:
        """The entries of each column."""
        xp = points.xp
        if points.labels is None:
            return ray[None, ...]
        ray = xp.moveaxis(xp.reshape(ray, (*points.lead, points.count)), -1, 0)
        extra = (1,) * (self.base.ndim - len(points.lead))
        return xp.reshape(ray, (*ray.shape, *extra))


@dataclass(frozen=True)
class Terms:
    """The sum of the entries of the result, added up after the differences.

    A column changes few of the terms; what it leaves alone cancels exactly, however
    large the sum.
    """

    base: Array
    eps: float
    noise: Array | None = None
    coloring: Coloring | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        values: dict[int, Array],
        estimate: bool,
    ) -> Samples:
        """Sums of the changes since ``f(x)``, so that the base is 0."""
        xp = points.xp
        example = values[max(values)]
        wide = example.dtype if is_complex(xp, example) else wide_dtype(xp, example)
        if self.coloring is None:
            group = None
            axes = tuple(range(1, self.base.ndim + 1))
            places = points.places(start, stop)
            sides = points.sides_of(start, stop)
        else:
            group = self.coloring.group(xp, self.base, start, stop)
            places = _taken(xp, points.positions, group.order)
            sides = _maybe_taken(xp, points.sides, group.order)

        def added(terms: Array) -> Array:
            if group is None:
                return xp.sum(terms, axis=axes, dtype=wide) if axes else terms
            return group.add(xp, xp.take(_flat(xp, terms), group.flat))

        sums = {offset: added(value - self.base) for offset, value in values.items()}
        sizes, noise = None, None
        if estimate:
            moved = {o: value != self.base for o, value in values.items()}
            sizes = {
                o: added(xp.where(moved[o], xp.abs(value), 0.0))
                for o, value in values.items()
            }
            if self.noise is not None:
                # As much as all terms that move at the largest step are uncertain by.
                widest = moved[max(moved)]
                noise = added(xp.where(widest, self.noise, 0.0))
        base = xp.zeros_like(sums[max(sums)][:1, ...])
        return Samples(xp, base, sums, places, self.eps, noise, sizes, sides)

    def ordered(self, xp: Any, joined: Array) -> Array:
        """Columns in their own order again."""
        if self.coloring is None:
            return joined
        return xp.take(joined, self.coloring.unsort_columns(xp, self.base), axis=0)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The entries of each column."""
        return _flat(points.xp, ray)


@dataclass(frozen=True)
class Entries:
    """The entries of a sparse Jacobian: each of the pattern, with its own step."""

    base: Array
    eps: float
    coloring: Coloring
    noise: Array | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        values: dict[int, Array],
        estimate: bool,
    ) -> Samples:
        """One number for each entry of the colours."""
        xp = points.xp
        group: Group = self.coloring.group(xp, self.base, start, stop)
        sides = _maybe_taken(xp, points.sides, group.columns)
        noise = _maybe_taken(xp, self.noise, group.rows)
        return Samples(
            xp,
            xp.take(_flat(xp, self.base), group.rows),
            _taken(xp, values, group.flat),
            _taken(xp, points.positions, group.columns),
            self.eps,
            noise,
            sides=sides,
        )

    def ordered(self, xp: Any, joined: Array) -> Array:
        """Entries by rows, as a sparse matrix stores them."""
        return xp.take(joined, self.coloring.unsort_entries(xp, self.base), axis=0)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The column of each entry."""
        columns, _ = self.coloring.compressed_rows
        index = from_host(points.xp, columns, like=self.base)
        return points.xp.take(_flat(points.xp, ray), index)


def _maybe_taken(xp: Any, array: Array | None, index: Array) -> Array | None:
    return None if array is None else xp.take(_flat(xp, array), index)


def _taken(xp: Any, arrays: dict[int, Array], index: Array) -> dict[int, Array]:
    return {o: xp.take(_flat(xp, array), index) for o, array in arrays.items()}


def _flat(xp: Any, x: Array) -> Array:
    return xp.reshape(x, (math.prod(x.shape),))
