"""The points at which a function is evaluated, described before they are built.

An array is seen as columns: shape ``(*lead, n)``. One column moves at a time, in all
rows at once. A plain gradient has ``lead = ()``, so that a column is an entry; the rows
of ``axis=-1`` have the shape of the rows as ``lead``; an elementwise derivative has one
column that is everything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xgrad._array import Array, device_of


@dataclass(frozen=True)
class Chunk:
    """Offsets ``first:last`` in the columns ``start:stop``."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Points:
    """``base`` with one column moved by ``offset * step``, for every offset and column.

    ``base`` and ``step`` have the shape ``(*lead, n)``, a point has the shape
    ``shape``. ``name`` is how the caller writes the array.
    """

    xp: Any
    base: Array
    step: Array
    offsets: tuple[int, ...]
    shape: tuple[int, ...]
    name: str = "x"

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.base.shape[-1])

    @property
    def point_bytes(self) -> int:
        """Memory of one point."""
        return math.prod(self.shape) * int(self.xp.finfo(self.base.dtype).bits) // 8

    @functools.cached_property
    def _rows(self) -> tuple[Array, Array]:
        """``base`` and ``step`` with the columns first, ``(n, rows)``.

        Contiguous, so that reading a column does not read the whole array.
        """
        count = self.columns
        rows = (count, math.prod(self.base.shape[:-1]))
        base, step = (
            self.xp.reshape(self.xp.moveaxis(values, -1, 0), rows)
            for values in (self.base, self.step)
        )
        return base, step

    def moved(self, start: int, stop: int) -> dict[int, Array]:
        """What the columns become at each offset, as it is in floating point.

        Arrays ``(columns, *lead)``; at offset 0 the columns as they are.
        """
        base, step = (values[start:stop, ...] for values in self._rows)
        shape = (stop - start, *self.base.shape[:-1])
        return {
            offset: self.xp.reshape(base + offset * step if offset else base, shape)
            for offset in (0, *self.offsets)
        }

    def batch(self, chunk: Chunk, moved: dict[int, Array]) -> Array:
        """The points of a chunk, ``(offsets * columns, *shape)``, in new memory."""
        xp, device = self.xp, device_of(self.base)
        lead = (1,) * (self.base.ndim - 1)
        columns = xp.arange(chunk.start, chunk.stop, device=device)
        columns = xp.reshape(columns, (-1, *lead, 1))
        moves = columns == xp.arange(self.columns, device=device)
        # `where` leaves the other columns exactly as they are; adding 0 would not.
        parts = [
            xp.where(moves, moved[offset][..., None], self.base)
            for offset in self.offsets[chunk.first : chunk.last]
        ]
        points = parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)
        return xp.reshape(points, (-1, *self.shape))

    def chunks(self, max_bytes: int) -> Iterator[Chunk]:
        """Chunks whose points fit the budget, or of one point where one exceeds it."""
        fitting = max(1, max_bytes // max(1, self.point_bytes))
        count = len(self.offsets)
        width = max(1, fitting // count)
        depth = min(count, fitting)
        for start in range(0, self.columns, width):
            stop = min(start + width, self.columns)
            for first in range(0, count, depth):
                yield Chunk(start, stop, first, min(first + depth, count))

    def describe(self, column: int, offset: int) -> str:
        """Which coordinate a point moves and by how much, for messages."""
        if self.base.ndim == 1:
            index = _unravel(column, self.shape)
            moved = self.moved(column, column + 1)
            move = float((moved[offset] - moved[0])[0])
            where = f"{self.name}[{', '.join(map(str, index))}]" if index else self.name
            return f"{where} moved by {move:.3g}"
        what = f"{self.name}[..., {column}]" if self.columns > 1 else "every entry of x"
        return f"{what} moved by {offset} steps"


def _unravel(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        position, remainder = divmod(position, size)
        index.append(remainder)
    return tuple(reversed(index))
