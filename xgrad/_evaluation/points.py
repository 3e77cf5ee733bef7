"""The points at which a function is evaluated, described before they are built.

An array is divided into columns. The entries of one column move together, each by a
multiple of its own step. A gradient has one column for each entry; with ``axis=-1``, a
column holds one entry of every row; an elementwise derivative and a direction have a
single column of all entries; a coloured pattern has one column for each colour, and a
Hessian one for each pair of entries.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    copied,
    device_of,
    float_info,
    from_host,
    real_dtype,
    reshaped,
)
from xgrad._evaluation.chunk import Chunk
from xgrad._kernels import find_kernel

# glibc maps a block above its limit, at most 32 MiB, anew at every use, and clearing
# the new pages takes longer than filling them. Half of that leaves room for the
# temporaries made of a block: coordinates that would take more are stored by offsets.
LARGE_BYTES = 16 * 2**20


@dataclass(eq=False)
class Points(Portable):
    """``base`` with one column moved by ``offset * step``, for every offset and column.

    ``column_of_entry`` (broadcast against ``base``) labels each entry with its column.
    ``columns`` lists the labels that move, in one array, or in two arrays for pairs of
    entries; without labels, all entries are one column. ``lead`` is the shape of the
    rows that move together. ``sides`` sends components close to a bound to one side:
    where it is 1 or -1, the offsets in ascending order become 1, 2, 3, ... times the
    side. ``box`` holds the lower and the upper bounds; an entry that would leave them
    does not move. ``name`` is the array as the caller writes it. ``count`` is the
    number of columns, and ``total`` that of points.
    """

    xp: Any
    base: Array
    step: Array
    offsets: tuple[int, ...]
    column_of_entry: Array | None = None
    columns: tuple[Array, ...] = ()
    lead: tuple[int, ...] = ()
    sides: Array | None = None
    box: tuple[Array, Array] | None = None
    name: str = "x"
    colored: bool = False
    count: int = field(init=False)
    total: int = field(init=False)

    @property
    def anchor(self) -> Array:
        """The array from which another process determines the namespace."""
        return self.base

    def __post_init__(self) -> None:
        self.count = int(self.columns[0].shape[0]) if self.columns else 1
        is_empty = not math.prod(self.base.shape)
        self.total = 0 if is_empty else self.count * len(self.offsets)

    @property
    def point_bytes(self) -> int:
        """Bytes of one point."""
        return math.prod(self.base.shape) * float_info(self.xp, self.base.dtype).size

    @property
    def by_entries(self) -> bool:
        """Whether each column moves one entry, or a pair of them."""
        return bool(self.columns) and not self.lead and not self.colored

    def with_columns(
        self,
        column_of_entry: Array,
        columns: tuple[Array, ...],
        lead: tuple[int, ...] = (),
        colored: bool = False,
    ) -> Points:
        """Return the same points divided into other columns."""
        # `replace` takes three times as long, and every gradient passes here.
        return Points(
            self.xp,
            self.base,
            self.step,
            self.offsets,
            column_of_entry,
            columns,
            lead,
            self.sides,
            self.box,
            self.name,
            colored,
        )

    def at_labels(self, labels: Array) -> Points:
        """Return the points of the columns with these labels, a host array."""
        ids = from_host(self.xp, labels, like=self.base)
        return replace(self, columns=(ids,))

    def at_positions(self, positions: Sequence[int]) -> Points:
        """Return the points of the columns at these positions in `columns`."""
        index = self.xp.asarray(list(positions), device=device_of(self.base))
        columns = tuple(self.xp.take(ids, index) for ids in self.columns)
        return replace(self, columns=columns)

    def chunks(self, most: int) -> Iterator[Chunk]:
        """Yield chunks of at most ``most`` points, those of a column side by side."""
        # All offsets of a column together, so that its derivative is combined and its
        # values are released before the next columns are evaluated.
        count = len(self.offsets)
        width = max(1, most // count)
        depth = min(count, max(1, most))
        for start in range(0, self.count, width):
            stop = min(start + width, self.count)
            for first in range(0, count, depth):
                yield Chunk(start, stop, first, min(first + depth, count))

    def batch(self, chunk: Chunk) -> Array:
        """Build the points of a chunk, new arrays ``(offsets * columns, *shape)``."""
        xp = self.xp
        if len(self.coordinates) == 1:
            coordinates = self.coordinates[0][chunk.first : chunk.last, ...]
        else:
            coordinates = concat_blocks(xp, self.coordinates[chunk.first : chunk.last])
        kernel = find_kernel("perturbed_points", xp, self.base.dtype)
        if kernel is not None and self.column_of_entry is not None:
            ids = tuple(ids[chunk.start : chunk.stop] for ids in self.columns)
            points = kernel(
                self.base, coordinates, self.column_of_entry, ids, self.by_entries
            )
            if points is not None:
                return points
        mask = self._mask(chunk.start, chunk.stop)
        if mask is None:
            # `f` may write into it, and the coordinates are needed again.
            return xp.asarray(coordinates, copy=True)
        # `where` leaves the other columns exactly as they are; adding 0 would not.
        points = xp.where(mask, coordinates[:, None, ...], self.base)
        return xp.reshape(points, (-1, *self.base.shape))

    def each(self, chunk: Chunk) -> Iterator[Array]:
        """Yield the points of a chunk, of which none shares memory with another."""
        if not (self.by_entries and type(self.base) is np.ndarray):
            batch = self.batch(chunk)
            for i in range(chunk.size):
                yield copied(self.xp, batch[i, ...])
            return
        columns = [ids[chunk.start : chunk.stop] for ids in self.columns]
        positions = [ids.tolist() for ids in columns]
        flat = self.base.ndim == 1
        for i in range(chunk.first, chunk.last):
            row = row_of(self.coordinates, i).reshape(-1)
            values = [row[ids].tolist() for ids in columns]
            for k in range(chunk.stop - chunk.start):
                point = self.base.copy()
                entries = point if flat else point.reshape(-1)
                for ids, coordinates in zip(positions, values, strict=True):
                    entries[ids[k]] = coordinates[k]
                yield point

    def perturbed_entries(self, chunk: Chunk) -> tuple[Array, Array]:
        """Return the entries that the points of a chunk move, and their coordinates.

        Both have the shape ``(points, 1)``, or ``(points, 2)`` for pairs; an entry is a
        position in the flattened array. Only for columns of one entry or of a pair.
        """
        xp = self.xp
        depth = chunk.last - chunk.first
        if len(self.columns) == 1 and len(self.coordinates) == 1:
            # Nearly all chunks, in a third of the time of what follows.
            count = chunk.stop - chunk.start
            ids = self.columns[0][chunk.start : chunk.stop]
            values = self.coordinates[0][chunk.first : chunk.last, ...]
            values = reshaped(xp, values, (depth, -1))
            if self._has_all_columns:
                values = values[:, chunk.start : chunk.stop]
            else:
                values = xp.take(values, ids, axis=1)
            entries = xp.broadcast_to(ids[None, :], (depth, count))
            return reshaped(xp, entries, (-1, 1)), reshaped(xp, values, (-1, 1))
        ids = xp.stack([ids[chunk.start : chunk.stop] for ids in self.columns], axis=1)
        count, width = ids.shape
        flat = xp.reshape(ids, (-1,))
        values = xp.stack(
            [
                xp.take(xp.reshape(row_of(self.coordinates, i), (-1,)), flat)
                for i in range(chunk.first, chunk.last)
            ],
            axis=0,
        )
        entries = xp.broadcast_to(ids[None, ...], (depth, count, width))
        shape = (depth * count, width)
        return xp.reshape(entries, shape), xp.reshape(values, shape)

    @functools.cached_property
    def coordinates(self) -> list[Array]:
        """Coordinates of every entry at each offset, rounded to floating point.

        The arrays ``(offsets, *shape)`` hold all offsets in order: one array has them
        all, or, if that would be large, each array has one.
        """
        count = len(self.offsets)
        depth = count if count * self.point_bytes <= LARGE_BYTES else 1
        return [
            self._move(
                self.offsets[i : i + depth], self.base, self.step, self.sides, self.box
            )
            for i in range(0, count, depth)
        ]

    def coordinates_at(self, offset: int) -> Array:
        """Return the coordinates of every entry at one offset, shaped like ``base``."""
        return row_of(self.coordinates, self.offsets.index(offset))

    def coordinates_of(self, start: int, stop: int) -> tuple[Array, list[Array]]:
        """Return the coordinates of some columns at ``x``, and at each offset.

        The first array has the shape ``(columns, *lead)``, the others have the offsets
        as an additional first axis. Only for columns of one entry (in every row), and
        for the single column of all entries.
        """
        if self.column_of_entry is None:
            origin = self.base[None, ...]
            return origin, [block[:, None, ...] for block in self.coordinates]
        if not self.lead and self._has_all_columns:
            # Views of the coordinates that exist already.
            return reshaped(self.xp, self.base, (-1,))[start:stop], [
                reshaped(self.xp, block, (block.shape[0], -1))[:, start:stop]
                for block in self.coordinates
            ]
        base, step, sides, box = self._by_column
        origin = self._select_columns(base, start, stop)
        step = self._select_columns(step, start, stop)
        sides = self._select_columns(sides, start, stop)
        box = box and tuple(self._select_columns(bound, start, stop) for bound in box)
        return origin, [self._move(self.offsets, origin, step, sides, box)]

    def sides_of(self, start: int, stop: int) -> Array | None:
        """Return `sides` of some columns, ``(columns, *lead)``."""
        if self.sides is None:
            return None
        return self._select_columns(self._by_column[2], start, stop)

    def _move(
        self,
        offsets: tuple[int, ...],
        base: Array,
        step: Array,
        sides: Array | None,
        box: tuple[Array, Array] | None,
    ) -> Array:
        """Add ``offset * step`` to ``base`` where the bounds allow, for each offset."""
        xp = self.xp
        multiples = self._along_first_axis(offsets, base)
        if sides is not None:
            # All on one side, the offsets become distinct distances from x.
            ranks = [1 + sorted(self.offsets).index(offset) for offset in offsets]
            one_sided = self._along_first_axis(ranks, base) * sides
            multiples = xp.where(sides == 0, multiples, one_sided)
        coordinates = base + multiples * step
        if box is not None:
            inside = (coordinates >= box[0]) & (coordinates <= box[1])
            coordinates = xp.where(inside, coordinates, base)
        return coordinates

    def _along_first_axis(self, numbers: Sequence[int], base: Array) -> Array:
        """Return numbers along a new first axis, to be broadcast against ``base``."""
        xp = self.xp
        if type(base) is np.ndarray and base.dtype.kind == "f":
            return _as_first_axis(tuple(numbers), base.ndim, base.dtype)
        values = _as_first_axis(tuple(numbers), base.ndim, np.float64)
        return from_host(xp, values, like=base, dtype=real_dtype(xp, base))

    @functools.cached_property
    def _by_column(self) -> tuple[Any, ...]:
        """Base, step, sides and box with the columns first, ``(columns, *lead)``."""
        xp = self.xp

        def columns_first(values: Array | None) -> Array | None:
            if values is None:
                return None
            if self.column_of_entry is None:
                return values[None, ...]
            values = xp.reshape(values, (*self.lead, -1))
            if self.lead:
                # Through two axes, which makes it contiguous: reading one column of a
                # transposed view would read the whole array.
                rows = math.prod(self.lead)
                values = xp.reshape(xp.moveaxis(values, -1, 0), (-1, rows))
                values = xp.reshape(values, (-1, *self.lead))
            return values

        box = None if self.box is None else tuple(map(columns_first, self.box))
        return (
            columns_first(self.base),
            columns_first(self.step),
            columns_first(self.sides),
            box,
        )

    @property
    def _has_all_columns(self) -> bool:
        """Whether `columns` are all columns of the array, in order."""
        rows = math.prod(self.lead)
        return self.count * rows == math.prod(self.base.shape)

    def _select_columns(
        self, values: Array | None, start: int, stop: int
    ) -> Array | None:
        """Select some columns from values that have the columns first."""
        if values is None or self.column_of_entry is None:
            return values
        if self._has_all_columns:
            return values[start:stop, ...]
        return self.xp.take(values, self.columns[0][start:stop], axis=0)

    def _mask(self, start: int, stop: int) -> Array | None:
        """Mark the entries that move in each column, ``(columns, *shape)``."""
        if self.column_of_entry is None:
            return None
        # The last mask stays, since chunks of the same columns follow each other.
        columns, mask = self._last_mask.get("mask", (None, None))
        if columns != (start, stop):
            mask = self._build_mask(start, stop)
            self._last_mask["mask"] = (start, stop), mask
        return mask

    @functools.cached_property
    def _last_mask(self) -> dict[str, Any]:
        return {}

    def _build_mask(self, start: int, stop: int) -> Array:
        shape = (-1, *(1,) * self.base.ndim)
        masks = [
            self.column_of_entry == self.xp.reshape(ids[start:stop], shape)
            for ids in self.columns
        ]
        return masks[0] if len(masks) == 1 else masks[0] | masks[1]


def row_of(blocks: list[Array], i: int) -> Array:
    """Return row ``i`` of blocks that continue each other along the first axis."""
    if len(blocks) == 1:
        return blocks[0][i, ...]
    for block in blocks:
        if i < block.shape[0]:
            return block[i, ...]
        i -= block.shape[0]
    raise IndexError(i)


def concat_blocks(xp: Any, blocks: list[Array]) -> Array:
    """Concatenate blocks along the first axis; a single one is not copied."""
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


@functools.lru_cache
def _as_first_axis(numbers: tuple[int, ...], ndim: int, dtype: Any) -> np.ndarray:
    """Return numbers along the first of 1 + ``ndim`` axes, on the host."""
    values = np.asarray(numbers, dtype=dtype).reshape((-1, *(1,) * ndim))
    values.flags.writeable = False  # calls share it
    return values
