"""Divisions of an array into columns: entries that move together."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import Array, device_of, from_host, is_numpy, reshaped

# Numbers of the entries of a shape are remembered, 128 KiB for each of 128 shapes.
MOST_REMEMBERED = 2**14


class Columns(NamedTuple):
    """A division of an array into columns, by the fields of `Points`."""

    column_of_entry: Array | None = None
    columns: tuple[Array, ...] = ()
    lead: tuple[int, ...] = ()
    colored: bool = False


def entry_columns(xp: Any, x: Array) -> Columns:
    """Return one column for each entry."""
    shape = tuple(x.shape)
    count = math.prod(shape)
    if is_numpy(xp) and count <= MOST_REMEMBERED:
        return _numpy_entries(shape)
    ids = _arange(xp, x, count)
    return Columns(reshaped(xp, ids, shape), (ids,))


@functools.lru_cache
def _numpy_entries(shape: tuple[int, ...]) -> Columns:
    """Return the entries of all arrays of a shape, which calls share."""
    ids = np.arange(math.prod(shape))
    ids.flags.writeable = False
    return Columns(ids.reshape(shape), (ids,))


def row_columns(xp: Any, x: Array) -> Columns:
    """Return one column for each position on the last axis."""
    ids = _arange(xp, x, int(x.shape[-1]))
    return Columns(ids, (ids,), tuple(x.shape[:-1]))


def single_column(xp: Any, x: Array) -> Columns:
    """Return one column of all entries, whose results stay apart."""
    return Columns(lead=tuple(x.shape))


def columns_of_colors(xp: Any, x: Array, colors: Array, count: int) -> Columns:
    """Return one column for each of ``count`` colours.

    ``colors`` holds the colour of each entry, in the order of the flattened array.
    """
    labels = xp.reshape(colors, tuple(x.shape))
    return Columns(labels, (_arange(xp, x, count),), colored=True)


def pair_columns(xp: Any, x: Array, first: np.ndarray, second: np.ndarray) -> Columns:
    """Return one column for each pair of entries.

    The entries are host arrays of positions in the flattened array.
    """
    pairs = tuple(from_host(xp, i, like=x) for i in (first, second))
    return entry_columns(xp, x)._replace(columns=pairs)


def _arange(xp: Any, x: Array, count: int) -> Array:
    return xp.arange(count, device=device_of(x))
