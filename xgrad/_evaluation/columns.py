"""Sets of columns: the entries of an array that move together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from xgrad._arrays import Array, device_of, from_host
from xgrad._evaluation.points import Points


def entries(points: Points) -> Points:
    """One column for each entry."""
    count = math.prod(points.base.shape)
    ids = _arange(points, count)
    labels = points.xp.reshape(ids, tuple(points.base.shape))
    return points.by(labels, (ids,))


def rows(points: Points) -> Points:
    """One column for each entry of the last axis, in all rows at once."""
    ids = _arange(points, int(points.base.shape[-1]))
    lead = tuple(points.base.shape[:-1])
    return points.by(ids, (ids,), lead=lead)


def everything(points: Points) -> Points:
    """One column that is the whole array, each entry for itself."""
    return replace(points, lead=tuple(points.base.shape))


def colors(points: Points, labels: Array, count: int) -> Points:
    """One column for each colour; ``labels`` has one for each entry of ``base``."""
    labels = points.xp.reshape(labels, tuple(points.base.shape))
    return points.by(labels, (_arange(points, count),), colored=True)


def pairs(points: Points, first: np.ndarray, second: np.ndarray) -> Points:
    """One column for each pair of entries, given by their positions."""
    both = tuple(from_host(points.xp, i, like=points.base) for i in (first, second))
    return replace(entries(points), columns=both)


def _arange(points: Points, count: int) -> Array:
    return points.xp.arange(count, device=device_of(points.base))
