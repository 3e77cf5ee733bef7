"""The points at which a function is evaluated, described before they are built.

An array is seen as columns; the entries of one column move together, each by a multiple
of its own step. A plain gradient has a column for each entry; with ``axis=-1`` a column
is an entry of every row; an elementwise derivative and a direction are one column that
is everything; a coloured pattern has a column for each colour; a Hessian one for each
pair of entries.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array, Portable, device_of, float_info, from_host, real_dtype
from xgrad._kernels import find_kernel

# Above this size arrays are mapped by glibc at every use, which costs more than to fill
# them: what need not be in one piece is kept in several.
LARGE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Chunk:
    """Offsets ``first:last`` in the columns ``start:stop``."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of points."""
        return (self.stop - self.start) * (self.last - self.first)

    def halves(self) -> tuple[Chunk, Chunk]:
        """The chunk in two, by columns while there are several."""
        if self.stop - self.start > 1:
            middle = (self.start + self.stop) // 2
            return replace(self, stop=middle), replace(self, start=middle)
        middle = (self.first + self.last) // 2
        return replace(self, last=middle), replace(self, first=middle)


@dataclass(frozen=True)
class Points(Portable):
    """``base`` with one column moved by ``offset * step``, for every offset and column.

    ``labels`` (broadcast against ``base``) says to which column an entry belongs, and
    ``columns`` lists the labels that move, in one or (pairs) two arrays; without labels
    everything is one column. ``lead`` is the shape of the rows that move together.
    ``sides`` sends components close to a bound to one side: where it is 1 or -1, the
    offsets in ascending order become 1, 2, 3, ... times the side. ``box`` holds the
    bounds; a point outside them is not moved at all. ``name`` is how the caller writes
    the array.
    """

    xp: Any
    base: Array
    step: Array
    offsets: tuple[int, ...]
    labels: Array | None = None
    columns: tuple[Array, ...] = ()
    lead: tuple[int, ...] = ()
    sides: Array | None = None
    box: tuple[Array, Array] | None = None
    name: str = "x"
    colored: bool = False

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.base

    @property
    def count(self) -> int:
        """Number of columns."""
        return int(self.columns[0].shape[0]) if self.columns else 1

    @property
    def total(self) -> int:
        """Number of points."""
        return self.count * len(self.offsets) if math.prod(self.base.shape) else 0

    @property
    def point_bytes(self) -> int:
        """Memory of one point."""
        return math.prod(self.base.shape) * float_info(self.xp, self.base.dtype).size

    def by(
        self,
        labels: Array,
        columns: tuple[Array, ...],
        lead: tuple[int, ...] = (),
        colored: bool = False,
    ) -> Points:
        """The same points by other columns (`replace` takes three times as long)."""
        return Points(
            self.xp,
            self.base,
            self.step,
            self.offsets,
            labels,
            columns,
            lead,
            self.sides,
            self.box,
            self.name,
            colored,
        )

    def only(self, columns: Array) -> Points:
        """The same points for some of the columns, given as a host array of labels."""
        ids = from_host(self.xp, columns, like=self.base)
        return replace(self, columns=(ids,))

    @functools.cached_property
    def positions(self) -> list[Array]:
        """What the entries become at each offset, in floating point.

        Arrays ``(offsets, *shape)``: one for all offsets, or one for each where that
        would be large.
        """
        count = len(self.offsets)
        depth = count if count * self.point_bytes <= LARGE_BYTES else 1
        return [
            self._moved(
                self.offsets[i : i + depth], self.base, self.step, self.sides, self.box
            )
            for i in range(0, count, depth)
        ]

    def position(self, offset: int) -> Array:
        """What the entries become at one offset."""
        return picked(self.positions, self.offsets.index(offset))

    def _moved(
        self,
        offsets: tuple[int, ...],
        base: Array,
        step: Array,
        sides: Array | None,
        box: tuple[Array, Array] | None,
    ) -> Array:
        xp = self.xp
        moves = self._beside(offsets, base)
        if sides is not None:
            ranks = [1 + sorted(self.offsets).index(offset) for offset in offsets]
            moves = xp.where(sides == 0, moves, self._beside(ranks, base) * sides)
        moved = base + moves * step
        if box is not None:
            moved = xp.where((moved >= box[0]) & (moved <= box[1]), moved, base)
        return moved

    def _beside(self, numbers: Sequence[int], base: Array) -> Array:
        """Numbers along a new first axis."""
        xp = self.xp
        dtype = real_dtype(xp, base)
        values = _column(tuple(numbers), base.ndim)
        return from_host(xp, values, like=base, dtype=dtype)

    @functools.cached_property
    def _rows(self) -> tuple[Any, ...]:
        """Base, step, sides and box with the columns first, ``(columns, *lead)``.

        Contiguous, so that reading a column does not read the whole array.
        """
        xp = self.xp

        def rows(values: Array | None) -> Array | None:
            if values is None:
                return None
            if self.labels is None:
                return values[None, ...]
            values = xp.reshape(values, (*self.lead, -1))
            if self.lead:
                count = math.prod(self.lead)
                values = xp.reshape(xp.moveaxis(values, -1, 0), (-1, count))
                values = xp.reshape(values, (-1, *self.lead))
            return values

        box = None if self.box is None else tuple(map(rows, self.box))
        return rows(self.base), rows(self.step), rows(self.sides), box

    def places(self, start: int, stop: int) -> tuple[Array, list[Array]]:
        """Where some columns are, ``(columns, *lead)``, and to where they move.

        The latter has the offsets as first axis. For columns of one entry (in every
        row) and for everything.
        """
        base, step, sides, box = self._rows
        origin = self._part(base, start, stop)
        if self.labels is None:
            return origin, [block[:, None, ...] for block in self.positions]
        if not self.lead and self._complete:
            return origin, [
                self.xp.reshape(block, (block.shape[0], -1))[:, start:stop]
                for block in self.positions
            ]
        step, sides = self._part(step, start, stop), self._part(sides, start, stop)
        box = box and tuple(self._part(bound, start, stop) for bound in box)
        return origin, [self._moved(self.offsets, origin, step, sides, box)]

    def sides_of(self, start: int, stop: int) -> Array | None:
        """`sides` of some columns, ``(columns, *lead)``."""
        if self.sides is None:
            return None
        return self._part(self._rows[2], start, stop)

    @property
    def _complete(self) -> bool:
        """Whether the columns are all there are, in order."""
        rows = math.prod(self.lead)
        return self.count * rows == math.prod(self.base.shape)

    def _part(self, values: Array | None, start: int, stop: int) -> Array | None:
        if values is None or self.labels is None:
            return values
        if self._complete:
            return values[start:stop, ...]
        return self.xp.take(values, self.columns[0][start:stop], axis=0)

    def batch(self, chunk: Chunk) -> Array:
        """The points of a chunk in new memory, ``(offsets * columns, *shape)``."""
        xp = self.xp
        if len(self.positions) == 1:
            positions = self.positions[0][chunk.first : chunk.last, ...]
        else:
            positions = joined(xp, self.positions[chunk.first : chunk.last])
        kernel = find_kernel("perturbed_points", xp, self.base.dtype)
        if kernel is not None and self.labels is not None:
            ids = tuple(ids[chunk.start : chunk.stop] for ids in self.columns)
            found = kernel(self.base, positions, self.labels, ids, self.by_entries)
            if found is not None:
                return found
        moves = self._mask(chunk.start, chunk.stop)
        if moves is None:
            return xp.asarray(positions, copy=True)
        # `where` leaves the other columns exactly as they are; adding 0 would not.
        points = xp.where(moves, positions[:, None, ...], self.base)
        return xp.reshape(points, (-1, *self.base.shape))

    @functools.cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    def _mask(self, start: int, stop: int) -> Array | None:
        """Which entries move in each column, ``(columns, *shape)``."""
        if self.labels is None:
            return None
        # One is kept, since chunks of the same columns follow each other.
        columns, mask = self._kept.get("mask", (None, None))
        if columns != (start, stop):
            mask = self._new_mask(start, stop)
            self._kept["mask"] = (start, stop), mask
        return mask

    def _new_mask(self, start: int, stop: int) -> Array:
        shape = (-1, *(1,) * self.base.ndim)
        moves = [
            self.labels == self.xp.reshape(ids[start:stop], shape)
            for ids in self.columns
        ]
        return moves[0] if len(moves) == 1 else moves[0] | moves[1]

    @property
    def by_entries(self) -> bool:
        """Whether each column moves one entry, or a pair of them."""
        return bool(self.columns) and not self.lead and not self.colored

    def moved_entries(self, chunk: Chunk) -> tuple[Array, Array]:
        """Which entries the points of a chunk move, and to where: ``(points, moved)``.

        For columns of an entry or a pair; positions in the flattened array.
        """
        xp = self.xp
        ids = xp.stack([ids[chunk.start : chunk.stop] for ids in self.columns], axis=1)
        count, width = ids.shape
        depth = chunk.last - chunk.first
        flat = xp.reshape(ids, (-1,))
        values = xp.stack(
            [
                xp.take(xp.reshape(picked(self.positions, i), (-1,)), flat)
                for i in range(chunk.first, chunk.last)
            ],
            axis=0,
        )
        where = xp.broadcast_to(ids[None, ...], (depth, count, width))
        shape = (depth * count, width)
        return xp.reshape(where, shape), xp.reshape(values, shape)

    def some(self, indices: Sequence[int]) -> Points:
        """The same points for a few of the columns."""
        index = self.xp.asarray(list(indices), device=device_of(self.base))
        columns = tuple(self.xp.take(ids, index) for ids in self.columns)
        return replace(self, columns=columns)

    def chunks(self, fitting: int) -> Iterator[Chunk]:
        """Chunks of at most ``fitting`` points, those of a column together."""
        count = len(self.offsets)
        width = max(1, fitting // count)
        depth = min(count, max(1, fitting))
        for start in range(0, self.count, width):
            stop = min(start + width, self.count)
            for first in range(0, count, depth):
                yield Chunk(start, stop, first, min(first + depth, count))

    def describe(self, column: int, offset: int) -> str:
        """Which coordinates a point moves and by how much, for messages."""
        label = [int(ids[column]) for ids in self.columns]
        if self.labels is None or self.lead or self.colored:
            moves = self.xp.abs(self.position(offset) - self.base)
            at_most = f"moved by up to {float(self.xp.max(moves)):.3g}"
            if self.labels is None:
                return f"{self.name} {at_most} in every entry"
            if self.lead:
                return f"{self.name}[..., {label[0]}] {at_most}"
            return f"{self.name} {at_most} in the entries of colour {label[0]}"
        moves = self.xp.reshape(self.position(offset) - self.base, (-1,))
        return " and ".join(
            f"{self._name_of(i)} moved by {_number(moves[i])}"
            for i in dict.fromkeys(label)
        )

    def _name_of(self, position: int) -> str:
        index = np.unravel_index(position, tuple(self.base.shape))
        return f"{self.name}[{', '.join(map(str, index))}]" if index else self.name


def picked(blocks: list[Array], i: int) -> Array:
    """Row ``i`` of arrays that stand one below the other."""
    if len(blocks) == 1:
        return blocks[0][i, ...]
    for block in blocks:
        if i < block.shape[0]:
            return block[i, ...]
        i -= block.shape[0]
    raise IndexError(i)


def joined(xp: Any, blocks: list[Array]) -> Array:
    """Arrays one below the other, as one."""
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


@functools.lru_cache
def _column(numbers: tuple[int, ...], ndim: int) -> np.ndarray:
    """Numbers along the first of 1 + ``ndim`` axes."""
    return np.asarray(numbers, dtype=np.float64).reshape((-1, *(1,) * ndim))


def _number(value: Array) -> str:
    number = complex(value)
    return f"{number.imag:.3g}j" if number.imag else f"{number.real:.3g}"
