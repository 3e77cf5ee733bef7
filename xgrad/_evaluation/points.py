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
    is_numpy,
    laid_out_like,
    real_dtype,
    reshaped,
)
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.columns import Columns
from xgrad._kernels import find_kernel

# glibc maps a block above its limit, at most 32 MiB, anew at every use, and clearing
# the new pages takes longer than filling them. Half of that leaves room for the
# temporaries made of a block: coordinates that would take more are stored by offsets.
LARGE_BYTES = 16 * 2**20
# The entries of all points of a chunk are remembered, 1 MiB for each of 8 chunks.
MOST_REMEMBERED = 2**17


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
    number of columns, and ``total`` that of points. ``by_entries`` is whether each
    column moves one entry, or a pair of them, and ``has_all_columns`` whether `columns`
    are all columns of the array, in order.
    """

    xp: Any
    base: Array
    step: Array
    offsets: tuple[int, ...]
    column_of_entry: Array | None = None
    columns: tuple[Array, ...] = ()
    lead: tuple[int, ...] = ()
    colored: bool = False
    sides: Array | None = None
    box: tuple[Array, Array] | None = None
    name: str = "x"
    count: int = field(init=False)
    total: int = field(init=False)
    by_entries: bool = field(init=False)
    has_all_columns: bool = field(init=False)
    _coordinates: list[Array] | None = field(init=False)

    @property
    def anchor(self) -> Array:
        """The array from which another process determines the namespace."""
        return self.base

    def __post_init__(self) -> None:
        self._coordinates = None
        self.count = int(self.columns[0].shape[0]) if self.columns else 1
        is_empty = not math.prod(self.base.shape)
        self.total = 0 if is_empty else self.count * len(self.offsets)
        self.has_all_columns = len(self.columns) == 1 and self.count * math.prod(
            self.lead
        ) == math.prod(self.base.shape)
        self.by_entries = bool(self.columns) and not (self.lead or self.colored)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields but the coordinates, which another process computes."""
        return {**super().__getstate__(), "_coordinates": None}

    @property
    def point_bytes(self) -> int:
        """Bytes of one point."""
        if type(self.base) is np.ndarray:
            return self.base.nbytes
        return math.prod(self.base.shape) * float_info(self.xp, self.base.dtype).size

    def divided(self, columns: Columns) -> Points:
        """Return the same points divided into other columns."""
        points = replace(self, **columns._asdict())
        points._coordinates = self._coordinates
        return points

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

    def first_chunk(self, most: int) -> Chunk:
        """Return the first of the chunks of at most ``most`` points."""
        if self.total <= most:
            return Chunk(0, self.count, 0, len(self.offsets))
        return next(self.chunks(most))

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
        """Iterate over the points of a chunk, of which none shares memory with another.

        They have the layout of the base.
        """
        points, base = self._each(chunk), self.base
        if type(base) is not np.ndarray or base.flags.c_contiguous:
            return points
        return (laid_out_like(point, base) for point in points)

    def _each(self, chunk: Chunk) -> Iterator[Array]:
        if not (self.by_entries and type(self.base) is np.ndarray):
            batch = self.batch(chunk)
            for i in range(chunk.size):
                yield copied(self.xp, batch[i, ...])
            return
        base, is_flat = self.base, self.base.ndim == 1
        if self.has_all_columns and len(self.coordinates) == 1:
            rows = self.coordinates[0]
            rows = rows if is_flat else rows.reshape(rows.shape[0], -1)
            start, stop, first, last = chunk
            for row in rows[first:last, start:stop].tolist():
                for i, coordinate in enumerate(row, start):
                    point = base.copy()
                    (point if is_flat else point.reshape(-1))[i] = coordinate
                    yield point
            return
        entries, coordinates, _ = self.moved_entries(chunk)
        for ids, values in zip(entries.tolist(), coordinates.tolist(), strict=True):
            point = base.copy()
            flat = point if is_flat else point.reshape(-1)
            flat[ids[0]] = values[0]
            if len(ids) > 1:
                flat[ids[1]] = values[1]
            yield point

    def point(self, column: int, row: int) -> Array:
        """Return one point, a new array: of a column, at the offset of a number."""
        if not (self.by_entries and type(self.base) is np.ndarray):
            batch = self.batch(Chunk(column, column + 1, row, row + 1))
            return laid_out_like(batch[0, ...], self.base)
        point = self.base.copy()
        flat, coordinates = point.reshape(-1), row_of(self.coordinates, row).reshape(-1)
        for ids in self.columns:
            flat[ids[column]] = coordinates[ids[column]]
        return laid_out_like(point, self.base)

    def moved_entries(self, chunk: Chunk) -> tuple[Array, Array, Array]:
        """Return the entries that the points of a chunk move, where to, and how far.

        All have the shape ``(points, 1)``, or ``(points, 2)`` for pairs; an entry is a
        position in the flattened array, and a move the difference of its coordinates.
        Only for columns of one entry or of a pair.
        """
        xp, (depth, count), width = self.xp, chunk.counts, len(self.columns)
        flat, shape = reshaped(xp, self.base, (-1,)), (-1, width)
        if is_numpy(xp) and len(self.coordinates) == 1:
            # Nearly all chunks, in a third of the time of what follows.
            rows = self.coordinates[0].reshape(len(self.offsets), -1)
            if chunk.size == self.total <= MOST_REMEMBERED and self.has_all_columns:
                moves = rows - flat
                entries = _all_entries(count, depth)
                return entries, rows.reshape(shape), moves.reshape(shape)
            ids = np.array([ids[chunk.start : chunk.stop] for ids in self.columns]).T
            values = rows[chunk.first : chunk.last].take(ids, axis=1)
            moves = values - flat.take(ids)
            entries = ids[None].repeat(depth, axis=0)
        else:
            columns = [ids[chunk.start : chunk.stop] for ids in self.columns]
            ids = xp.stack(columns, axis=1)
            index = xp.reshape(ids, (-1,))
            rows = [
                xp.take(xp.reshape(row_of(self.coordinates, i), (-1,)), index)
                for i in range(chunk.first, chunk.last)
            ]
            values = xp.stack(rows, axis=0)
            moves = values - xp.take(flat, index)
            entries = xp.broadcast_to(ids[None, ...], (depth, count, width))
        entries, values, moves = (
            reshaped(xp, array, shape) for array in (entries, values, moves)
        )
        return entries, values, moves

    @property
    def coordinates(self) -> list[Array]:
        """Coordinates of every entry at each offset, rounded to floating point.

        The arrays ``(offsets, *shape)`` hold all offsets in order: one array has them
        all, or, if that would be large, each array has one.
        """
        # (A cached property takes a lock, ten times as long.)
        if self._coordinates is None:
            offsets, place = self.offsets, (self.base, self.step, self.sides, self.box)
            if len(offsets) * self.point_bytes <= LARGE_BYTES:
                self._coordinates = [self._move(offsets, *place)]
            else:
                self._coordinates = [self._move((o,), *place) for o in offsets]
        return self._coordinates

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
        if not self.lead and self.has_all_columns:
            # Views of the coordinates that exist already.
            origin, blocks = reshaped(self.xp, self.base, (-1,)), self.coordinates
            if self.base.ndim != 1:
                blocks = [reshaped(self.xp, b, (b.shape[0], -1)) for b in blocks]
            if stop - start == self.count:
                return origin, blocks
            return origin[start:stop], [block[:, start:stop] for block in blocks]
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

    def _select_columns(
        self, values: Array | None, start: int, stop: int
    ) -> Array | None:
        """Select some columns from values that have the columns first."""
        if values is None or self.column_of_entry is None:
            return values
        if self.has_all_columns:
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


@functools.lru_cache(maxsize=8)
def _all_entries(count: int, depth: int) -> np.ndarray:
    """Return the numbers of all entries, so many times, ``(depth * count, 1)``."""
    ids = np.tile(np.arange(count), depth)[:, None]
    ids.flags.writeable = False  # calls share it
    return ids


@functools.lru_cache
def _as_first_axis(numbers: tuple[int, ...], ndim: int, dtype: Any) -> np.ndarray:
    """Return numbers along the first of 1 + ``ndim`` axes, on the host."""
    values = np.asarray(numbers, dtype=dtype).reshape((-1, *(1,) * ndim))
    values.flags.writeable = False  # calls share it
    return values
