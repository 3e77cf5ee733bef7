"""Groups of colours: the entries and the columns that their evaluations tell of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of

# Entries that are summed in one step where a column has many. It concerns speed alone:
# a larger one pads short columns to more entries, a smaller one takes more passes. Not
# tuned.
FAN = 8


@dataclass(frozen=True, eq=False)
class EntryGroup:
    """Entries of some colours; of all colours row by row, else colour by colour.

    ``flat`` holds the index of each entry in a flattened array ``(colours, rows)``,
    ``rows`` and ``columns`` its position in the pattern.
    """

    flat: Array
    rows: Array
    columns: Array


@dataclass(frozen=True, eq=False)
class ColumnGroup:
    """Columns of some colours, and the indices that sum the entries of each.

    ``order`` lists the columns, None where all are there in their own order.
    """

    order: Array | None
    levels: tuple[tuple[Array, ...], ...]

    def add(self, xp: Any, values: Array) -> Array:
        """Sum the entries of each column, along the last axis.

        ``values`` has the colours and their rows there, one after the other.
        """
        if not values.shape[-1]:
            shape = (*values.shape[:-1], self.levels[-1][0].shape[-1])
            return xp.zeros(shape, dtype=values.dtype, device=device_of(values))
        for index, *valid in self.levels:
            taken = xp.take(values, xp.reshape(index, (-1,)), axis=-1)
            taken = xp.reshape(taken, (*values.shape[:-1], *index.shape))
            if valid:
                taken = xp.where(valid[0], taken, 0.0)
            values = xp.sum(taken, axis=-2)
        return values


def tree_of_sums(flat: np.ndarray, counts: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Return indices that sum runs of numbers lying at ``flat``, at most `FAN` a time.

    ``counts`` are the lengths of the runs. Each level is an index ``(numbers, sums)``
    into the results of the level before, with a mask where some sums have fewer
    numbers. `ColumnGroup.add` needs nothing but `take` and `sum` for them.
    """
    levels: list[tuple[np.ndarray, ...]] = []
    while True:
        pieces = np.maximum(1, -(-counts // FAN))  # sums that each run is split into
        run = np.repeat(np.arange(len(counts)), pieces)
        place = np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = (np.cumsum(counts) - counts)[run] + place * FAN
        sizes = np.minimum(FAN, counts[run] - place * FAN)
        width = max(1, int(sizes.max(initial=1)))
        numbers = np.arange(width)[:, None]
        valid = numbers < sizes
        index = np.where(valid, starts + numbers, 0)
        if not levels:
            index = flat[index] if len(flat) else index
        levels.append((index,) if valid.all() else (index, valid))
        if (pieces == 1).all():
            return levels
        counts = pieces
