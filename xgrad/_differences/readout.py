"""What a derivative is taken of: the result of a function, or sums of its terms.

A readout turns what the function gave at the points of some columns into the numbers
whose differences count, beside the places where they were taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from xgrad._arrays import Array, from_host, is_complex, wide_dtype
from xgrad._differences.coloring import Coloring
from xgrad._differences.scheme import Samples, identity
from xgrad._evaluation import Points, joined, picked


class Readout(Protocol):
    """Reads groups of columns, and puts their derivatives in order."""

    @property
    def noise(self) -> Array | None:
        """What the entries of the result are uncertain by, where it was measured."""

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """What the columns ``start:stop`` say.

        ``relative`` says that the blocks hold differences from ``f(x)``.
        """

    def ordered(self, xp: Any, groups: list[Array]) -> Array:
        """The results of all groups of columns, joined in their final order."""

    def aligned(self, points: Points, ray: Array) -> Array:
        """A direction like x beside the ordered results: what each is the slope of."""

    def gathered_columns(self, xp: Any, products: Array) -> Array:
        """Slopes times moves of all columns, added up: a slope along a direction."""

    def gathered(self, xp: Any, changes: Array) -> Array:
        """Changes of the result, as far as `gathered_columns` tells them apart."""


@dataclass(frozen=True)
class EachOutput:
    """The result as it is: one derivative for each of its entries and each column."""

    base: Array
    eps: float
    noise: Array | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """Distances broadcast against the entries of the result."""
        xp = points.xp
        extra = (1,) * (self.base.ndim - len(points.lead))

        def aligned(distances: Array) -> Array:
            if not extra:
                return distances
            return xp.reshape(distances, (*distances.shape, *extra))

        origin, places = points.places(start, stop)
        sides = points.sides_of(start, stop)
        return Samples(
            xp=xp,
            offsets=points.offsets,
            base=self.base,
            blocks=blocks,
            origin=origin,
            places=places,
            eps=self.eps,
            read=identity,
            spread=aligned,
            size=xp.abs,
            noise=self.noise,
            sides=None if sides is None else aligned(sides),
            relative=relative,
        )

    def ordered(self, xp: Any, groups: list[Array]) -> Array:
        """As they come."""
        return joined(xp, groups)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The entries of each column."""
        xp = points.xp
        if points.labels is None:
            return ray[None, ...]
        ray = xp.moveaxis(xp.reshape(ray, (*points.lead, points.count)), -1, 0)
        extra = (1,) * (self.base.ndim - len(points.lead))
        return xp.reshape(ray, (*ray.shape, *extra))

    def gathered_columns(self, xp: Any, products: Array) -> Array:
        """The sum over the columns, for each entry of the result."""
        return xp.sum(products, axis=0)

    def gathered(self, xp: Any, changes: Array) -> Array:
        """Each entry of the result by itself."""
        return changes


class _InAll:
    """Readouts that tell of the sum of the result alone."""

    def gathered_columns(self, xp: Any, products: Array) -> Array:
        """The sum of all."""
        return xp.sum(products)

    def gathered(self, xp: Any, changes: Array) -> Array:
        """The sum of all."""
        return xp.sum(changes)


@dataclass(frozen=True)
class SumOfTerms(_InAll):
    """The sum of the entries of the result, added up after the differences.

    A column changes few of the terms; what it leaves alone cancels exactly, however
    large the sum.
    """

    base: Array
    eps: float
    noise: Array | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """Sums of the changes of all terms."""
        xp = points.xp
        axes = tuple(range(-self.base.ndim, 0))
        wide = blocks[0].dtype
        if not is_complex(xp, blocks[0]):
            wide = wide_dtype(xp, blocks[0])

        def added(changes: Array) -> Array:
            return xp.sum(changes, axis=axes, dtype=wide) if axes else changes

        sides = points.sides_of(start, stop)
        places = points.places(start, stop)
        return _of_changes(self, points, blocks, places, added, sides, relative)

    def ordered(self, xp: Any, groups: list[Array]) -> Array:
        """As they come."""
        return joined(xp, groups)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The entries of each column."""
        return points.xp.reshape(ray, (-1,))


@dataclass(frozen=True)
class SparseSumOfTerms(_InAll):
    """`SumOfTerms` of which each column is known to change a few."""

    base: Array
    eps: float
    coloring: Coloring
    noise: Array | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """Sums of the changes of the terms that belong to each column."""
        xp = points.xp
        group = self.coloring.sums(xp, self.base, start, stop)

        def added(changes: Array) -> Array:
            return group.add(xp, _flat(xp, changes, 1 + self.base.ndim))

        def here(x: Array) -> Array:
            x = _flat(xp, x, points.base.ndim)
            return x if group.order is None else xp.take(x, group.order, axis=-1)

        sides = None if points.sides is None else here(points.sides)
        places = here(points.base), [here(block) for block in points.positions]
        return _of_changes(self, points, blocks, places, added, sides, relative)

    def ordered(self, xp: Any, groups: list[Array]) -> Array:
        """Columns in their own order again."""
        if len(groups) == 1:
            return groups[0]
        order = self.coloring.columns_in_order(xp, self.base)
        return xp.take(joined(xp, groups), order)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The entries of each column."""
        return points.xp.reshape(ray, (-1,))


def _of_changes(
    readout: SumOfTerms | SparseSumOfTerms,
    points: Points,
    blocks: list[Array],
    places: tuple[Array, list[Array]],
    added: Callable[[Array], Array],
    sides: Array | None,
    relative: bool,
) -> Samples:
    """Samples of sums; rounding is that of the terms that change."""
    xp, base, noise = points.xp, readout.base, readout.noise

    def size(value: Array) -> Array:
        return added(xp.where(value != base, xp.abs(value), 0.0))

    if noise is not None:
        # As much as all terms that change at the largest step are uncertain by.
        widest = picked(blocks, points.offsets.index(max(points.offsets)))
        changed = widest != 0 if relative else widest != base
        noise = added(xp.where(changed, noise, 0.0))
    return Samples(
        xp=xp,
        offsets=points.offsets,
        base=base,
        blocks=blocks,
        origin=places[0],
        places=places[1],
        eps=readout.eps,
        read=added,
        spread=identity,
        size=size,
        noise=noise,
        sides=sides,
        relative=relative,
    )


@dataclass(frozen=True)
class SparseJacobian(_InAll):
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
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """One number for each entry of the colours."""
        xp = points.xp
        group = self.coloring.entries(xp, self.base, start, stop)

        def read(changes: Array) -> Array:
            changes = _flat(xp, changes, 1 + self.base.ndim)
            return xp.take(changes, group.flat, axis=-1)

        def here(x: Array) -> Array:
            return xp.take(_flat(xp, x, points.base.ndim), group.columns, axis=-1)

        def size(value: Array) -> Array:
            return read(xp.abs(value))

        # Of all entries at once the distances are taken, which are few arrays; of some
        # the places, so that no colour costs more than its own entries.
        places, spread = (points.base, points.positions), here
        if len(group.rows) < len(self.coloring.rows):
            places = here(points.base), [here(block) for block in points.positions]
            spread = identity
        noise, sides = self.noise, points.sides
        if noise is not None:
            noise = xp.take(xp.reshape(noise, (-1,)), group.rows)
        return Samples(
            xp=xp,
            offsets=points.offsets,
            base=self.base,
            blocks=blocks,
            origin=places[0],
            places=places[1],
            eps=self.eps,
            read=read,
            spread=spread,
            size=size,
            noise=noise,
            sides=None if sides is None else here(sides),
            relative=relative,
        )

    def ordered(self, xp: Any, groups: list[Array]) -> Array:
        """Entries row by row, as a sparse matrix stores them."""
        if len(groups) == 1:
            return groups[0]
        order = self.coloring.entries_in_order(xp, self.base)
        return xp.take(joined(xp, groups), order)

    def aligned(self, points: Points, ray: Array) -> Array:
        """The column of each entry."""
        index = from_host(points.xp, self.coloring.columns, like=self.base)
        return points.xp.take(points.xp.reshape(ray, (-1,)), index)


def _flat(xp: Any, x: Array, axes: int) -> Array:
    """The last axes as one."""
    return x if axes == 1 else xp.reshape(x, (*x.shape[: x.ndim - axes], -1))
