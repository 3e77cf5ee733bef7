"""Divisions of an array into columns: entries that move together."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from xgrad._arrays import Array, device_of, from_host, is_numpy
from xgrad._evaluation.points import Points

# Numbers of the entries of a shape are remembered, 128 KiB for each of 128 shapes.
MOST_REMEMBERED = 2**14


def entry_columns(points: Points) -> Points:
    """Return the points with one column for each entry."""
    shape = tuple(points.base.shape)
    count = math.prod(shape)
    if is_numpy(points.xp) and count <= MOST_REMEMBERED:
        ids, labels = _numpy_entries(shape)
    else:
        ids = _arange(points, count)
        labels = points.xp.reshape(ids, shape)
    return points.with_columns(labels, (ids,))


@functools.lru_cache
def _numpy_entries(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of all entries, flat and in their shape."""
    ids = np.arange(math.prod(shape))
    # Calls share them.
    ids.flags.writeable = False
    return ids, ids.reshape(shape)


def row_columns(points: Points) -> Points:
    """Return the points with one column for each position on the last axis."""
    ids = _arange(points, int(points.base.shape[-1]))
    lead = tuple(points.base.shape[:-1])
    return points.with_columns(ids, (ids,), lead=lead)


def single_column(points: Points) -> Points:
    """Return the points with one column of all entries, whose results stay apart."""
    return replace(points, lead=tuple(points.base.shape))


def columns_of_colors(points: Points, colors: Array, count: int) -> Points:
    """Return the points with one column for each of ``count`` colours.

    ``colors`` holds the colour of each entry, in the order of the flattened array.
    """
    labels = points.xp.reshape(colors, tuple(points.base.shape))
    return points.with_columns(labels, (_arange(points, count),), colored=True)


def pair_columns(points: Points, first: np.ndarray, second: np.ndarray) -> Points:
    """Return the points with one column for each pair of entries.

    The entries are host arrays of positions in the flattened array.
    """
    ids = tuple(from_host(points.xp, i, like=points.base) for i in (first, second))
    return replace(entry_columns(points), columns=ids)


def _arange(points: Points, count: int) -> Array:
    return points.xp.arange(count, device=device_of(points.base))
