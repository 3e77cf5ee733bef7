"""Readouts of functions whose outputs depend on few entries each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, from_host
from xgrad._differences.coloring import Coloring
from xgrad._differences.readout import SummedOutputs, samples_of_sums
from xgrad._differences.samples import Samples, identity
from xgrad._evaluation import Points, concat_blocks


@dataclass(frozen=True, eq=False)
class SparseSumOfTerms(SummedOutputs):
    """Reads a sum of terms as `SumOfTerms` does, of which each column changes few."""

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
        """Return the terms of the colours ``start:stop``, to be summed by column."""
        xp = points.xp
        group = self.coloring.column_group(xp, self.base, start, stop)

        def add_terms(changes: Array) -> Array:
            return group.add(xp, _merge_axes(xp, changes, 1 + self.base.ndim))

        def of_columns(x: Array) -> Array:
            x = _merge_axes(xp, x, points.base.ndim)
            return x if group.order is None else xp.take(x, group.order, axis=-1)

        sides = None if points.sides is None else of_columns(points.sides)
        points_of_columns = [of_columns(block) for block in points.coordinates]
        coordinates = of_columns(points.base), points_of_columns
        return samples_of_sums(
            self, points, blocks, coordinates, add_terms, sides, relative
        )

    def join_groups(self, xp: Any, groups: list[Array]) -> Array:
        """Join the groups, and put the columns in their own order again."""
        if len(groups) == 1:
            return groups[0]
        order = self.coloring.column_positions(xp, self.base)
        return xp.take(concat_blocks(xp, groups), order)

    def components(self, points: Points, direction: Array) -> Array:
        """Return the component of each column, ``(columns,)``."""
        return points.xp.reshape(direction, (-1,))


@dataclass(frozen=True, eq=False)
class SparseJacobian(SummedOutputs):
    """Reads the entries of a sparse Jacobian: those of the pattern, ``(entries,)``."""

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
        """Return a number, and a step, for each entry of the colours ``start:stop``."""
        xp = points.xp
        group = self.coloring.entry_group(xp, self.base, start, stop)

        def read(changes: Array) -> Array:
            changes = _merge_axes(xp, changes, 1 + self.base.ndim)
            return xp.take(changes, group.flat, axis=-1)

        def of_entries(x: Array) -> Array:
            x = _merge_axes(xp, x, points.base.ndim)
            return xp.take(x, group.columns, axis=-1)

        def magnitudes(values: Array) -> Array:
            return read(xp.abs(values))

        # Of all entries at once the distances are taken, which are few arrays; of some
        # the coordinates, so that no colour costs more than its own entries.
        origin, coordinates, align = points.base, points.coordinates, of_entries
        if len(group.rows) < len(self.coloring.rows):
            origin = of_entries(points.base)
            coordinates = [of_entries(block) for block in points.coordinates]
            align = identity
        noise = self.noise
        if noise is not None:
            noise = xp.take(xp.reshape(noise, (-1,)), group.rows)
        return Samples(
            xp=xp,
            offsets=points.offsets,
            base=self.base,
            blocks=blocks,
            origin=origin,
            coordinates=coordinates,
            eps=self.eps,
            read=read,
            align=align,
            magnitudes=magnitudes,
            noise=noise,
            sides=None if points.sides is None else of_entries(points.sides),
            relative=relative,
        )

    def join_groups(self, xp: Any, groups: list[Array]) -> Array:
        """Join the groups, and put the entries row by row, as a CSR matrix has them."""
        if len(groups) == 1:
            return groups[0]
        order = self.coloring.entry_positions(xp, self.base)
        return xp.take(concat_blocks(xp, groups), order)

    def components(self, points: Points, direction: Array) -> Array:
        """Return the component of the column of each entry, ``(entries,)``."""
        xp = points.xp
        index = from_host(xp, self.coloring.columns, like=self.base)
        return xp.take(xp.reshape(direction, (-1,)), index)


def _merge_axes(xp: Any, x: Array, axes: int) -> Array:
    """Reshape the last ``axes`` axes into one."""
    return x if axes == 1 else xp.reshape(x, (*x.shape[: x.ndim - axes], -1))
