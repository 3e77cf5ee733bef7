"""Many directions at once: arrays whose differences are unit vectors, and back."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xgrad._arrays import Array, device_of
from xgrad._batched.array import Batched
from xgrad._batched.recording import Memo
from xgrad._batched.region import Region, append_axes
from xgrad._batched.trace import Trace


def unit_directions(xp: Any, x: Array, positions: Array) -> Batched:
    """Return the unit vectors of entries of ``x``, one at each point.

    ``positions`` names the entries in C order. The vectors are differences from 0: what
    is linear carries them on exactly.
    """
    count, shape = int(positions.shape[0]), tuple(x.shape)
    trace = Trace(xp, count, Memo())
    if math.prod(shape) == 1:
        region = Region.full(xp, shape, trace.cache)
    else:
        region = Region.at_positions(xp, shape, positions[:, None], None, trace.cache)
    ones = xp.ones((count, *region.extent), dtype=x.dtype, device=device_of(x))
    return Batched(trace, xp.zeros_like(x), region, ones)


def directions(xp: Any, vectors: Array) -> Batched:
    """Return given vectors, stacked along the first axis, one at each point."""
    shape = tuple(vectors.shape[1:])
    trace = Trace(xp, int(vectors.shape[0]), Memo())
    region = Region.full(xp, shape, trace.cache)
    zeros = xp.zeros(shape, dtype=vectors.dtype, device=device_of(vectors))
    return Batched(trace, zeros, region, vectors[:, None, ...])


class Entries(NamedTuple):
    """The entries of an array that may differ from 0 at some point, one by one.

    ``points`` and ``positions`` say at which point and at which place in C order;
    ``values`` are the differences. ``is_full`` tells that all entries are listed,
    because it was not known which ones are 0.
    """

    points: Array
    positions: Array
    values: Array
    is_full: bool


def entries_at_points(x: Batched) -> Entries:
    """Return the entries of an array at many points that may differ from 0."""
    trace, xp, region = x.tracer, x.tracer.xp, x.region
    numbers = xp.arange(x.size, device=x.device)
    if region is None:
        none = xp.zeros(0, dtype=x.dtype, device=x.device)
        return Entries(numbers[:0], numbers[:0], none, False)
    places = region.gather(xp.reshape(numbers, x.shape), trace.axes_first)
    points = xp.reshape(
        xp.arange(trace.points, device=x.device), (-1, *(1,) * (places.ndim - 1))
    )
    shape = (trace.points, *region.extent)
    valid = region.valid
    if valid is not None:
        valid = xp.broadcast_to(append_axes(valid, len(shape)), shape)

    def flat(data: Array) -> Array:
        data = xp.broadcast_to(data, shape)
        return xp.reshape(data, (-1,)) if valid is None else data[valid]

    is_full = region.is_full and x.size > 1
    return Entries(flat(points), flat(places), flat(x.diff), is_full)
