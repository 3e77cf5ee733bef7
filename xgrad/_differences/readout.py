"""Readouts: what a derivative is taken of, each output of `f` or a sum of its terms.

A readout turns the values of a function at the points of some columns into the numbers
whose differences count, with the distances that belong to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from xgrad._arrays import Array, is_complex, reshaped, wide_dtype
from xgrad._differences.samples import Samples, identity
from xgrad._evaluation import Points, concat_blocks, row_of


class Readout(Protocol):
    """Reads groups of columns, and puts their derivatives in order."""

    @property
    def base(self) -> Array:
        """The result of the function at x."""

    @property
    def eps(self) -> float:
        """Precision of the coarser of x and the result."""

    @property
    def noise(self) -> Array | None:
        """Standard deviation of each output of the function, where it was measured."""

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """Return the values and coordinates of the columns ``start:stop``.

        ``relative`` says that the blocks hold differences from ``f(x)``.
        """

    def join_groups(self, xp: Any, groups: list[Array]) -> Array:
        """Join the derivatives of all groups of columns in their final order."""

    def components(self, points: Points, direction: Array) -> Array:
        """Return the components of a direction, broadcast against the derivatives."""

    def sum_columns(self, xp: Any, products: Array) -> Array:
        """Sum slopes times moves over all columns: a slope along a direction."""

    def sum_outputs(self, xp: Any, changes: Array) -> Array:
        """Reduce changes of ``f`` to the outputs that `sum_columns` distinguishes."""


@dataclass(eq=False)
class EachOutput:
    """Reads the result as it is: one derivative for each entry and each column."""

    base: Array
    eps: float
    noise: Array | None = None
    kind: ClassVar[type[Samples]] = Samples

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> Samples:
        """Return the values, and coordinates to be broadcast against the entries."""
        xp = points.xp
        origin, coordinates = points.coordinates_of(start, stop)
        sides = points.sides_of(start, stop)
        extra = (1,) * (self.base.ndim - len(points.lead))
        if extra:
            origin = reshaped(xp, origin, (*origin.shape, *extra))
            coordinates = [reshaped(xp, c, (*c.shape, *extra)) for c in coordinates]
            if sides is not None:
                sides = reshaped(xp, sides, (*sides.shape, *extra))
        return self.kind(
            xp,
            points.offsets,
            self.base,
            blocks,
            origin,
            coordinates,
            self.eps,
            identity,
            identity,
            xp.abs,
            self.noise,
            sides,
            relative,
        )

    def join_groups(self, xp: Any, groups: list[Array]) -> Array:
        """Join the groups as they come."""
        return concat_blocks(xp, groups)

    def components(self, points: Points, direction: Array) -> Array:
        """Return the components of each column, ``(columns, *lead, 1, ...)``."""
        xp = points.xp
        if points.column_of_entry is None:
            return direction[None, ...]
        direction = xp.reshape(direction, (*points.lead, points.count))
        direction = xp.moveaxis(direction, -1, 0)
        extra = (1,) * (self.base.ndim - len(points.lead))
        return xp.reshape(direction, (*direction.shape, *extra))

    def sum_columns(self, xp: Any, products: Array) -> Array:
        """Sum over the columns, for each entry of the result."""
        return xp.sum(products, axis=0)

    def sum_outputs(self, xp: Any, changes: Array) -> Array:
        """Return the changes themselves: each entry of the result counts for itself."""
        return changes


class SummedOutputs:
    """Base of readouts that are compared along a direction by the sum of outputs."""

    def sum_columns(self, xp: Any, products: Array) -> Array:
        """Sum everything."""
        return xp.sum(products)

    def sum_outputs(self, xp: Any, changes: Array) -> Array:
        """Sum everything."""
        return xp.sum(changes)


@dataclass(frozen=True, eq=False)
class SumOfTerms(SummedOutputs):
    """Reads the sum of the entries of the result, added up after the differences.

    A column changes few of the terms; those that it leaves alone cancel exactly,
    however large the sum.
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
        """Return the terms, to be summed over all of their axes."""
        xp = points.xp
        axes = tuple(range(-self.base.ndim, 0))
        dtype = blocks[0].dtype
        if not is_complex(xp, blocks[0]):
            dtype = wide_dtype(xp, blocks[0])

        def add_terms(changes: Array) -> Array:
            return xp.sum(changes, axis=axes, dtype=dtype) if axes else changes

        sides = points.sides_of(start, stop)
        coordinates = points.coordinates_of(start, stop)
        return samples_of_sums(
            self, points, blocks, coordinates, add_terms, sides, relative
        )

    def join_groups(self, xp: Any, groups: list[Array]) -> Array:
        """Join the groups as they come."""
        return concat_blocks(xp, groups)

    def components(self, points: Points, direction: Array) -> Array:
        """Return the component of each column, ``(columns,)``."""
        return points.xp.reshape(direction, (-1,))


def samples_of_sums(
    readout: Readout,
    points: Points,
    blocks: list[Array],
    coordinates: tuple[Array, list[Array]],
    add_terms: Callable[[Array], Array],
    sides: Array | None,
    relative: bool,
) -> Samples:
    """Return the samples of sums of terms; only terms that change count as rounded.

    ``coordinates`` are those of x and of the points, ``add_terms`` sums the terms of
    each column.
    """
    xp, base, noise = points.xp, readout.base, readout.noise

    def magnitudes(values: Array) -> Array:
        return add_terms(xp.where(values != base, xp.abs(values), 0.0))

    if noise is not None:
        # Those terms are uncertain that change at the largest step.
        widest = row_of(blocks, points.offsets.index(max(points.offsets)))
        changed = widest != 0 if relative else widest != base
        noise = add_terms(xp.where(changed, noise, 0.0))
    return Samples(
        xp=xp,
        offsets=points.offsets,
        base=base,
        blocks=blocks,
        origin=coordinates[0],
        coordinates=coordinates[1],
        eps=readout.eps,
        read=add_terms,
        align=identity,
        magnitudes=magnitudes,
        noise=noise,
        sides=sides,
        relative=relative,
    )
