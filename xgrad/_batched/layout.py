"""Give arrays another shape, another order of axes, or more axes."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.alignment import lift
from xgrad._batched.array import Batched
from xgrad._batched.everywhere import all_values, from_all_values
from xgrad._batched.operands import base_ids, batched_result, broadcast_on
from xgrad._batched.region import MAX_SCATTERED, Region


def reshaped(x: Batched, shape: tuple[int, ...]) -> Batched:
    """Return ``x`` in another shape, in C order."""
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        "reshape", (base_ids((x,)), shape), lambda: xp.reshape(x.base, shape)
    )
    region = x.region
    if region is None:
        return Batched(trace, base)
    # Derived from the old region, so that arrays that are reshaped alike share the new
    # one, and are combined without a union.
    shape = tuple(base.shape)
    if region.is_full:
        new = region.derive(
            ("reshape", shape), lambda: Region.full(xp, shape, trace.cache)
        )
        return batched_result(trace, base, new, **_in_layout(x, new))
    old_axes = [axis for axis, n in enumerate(x.shape) if n > 1]
    new_axes = [axis for axis, n in enumerate(shape) if n > 1]
    if [x.shape[axis] for axis in old_axes] == [shape[axis] for axis in new_axes]:
        # Only axes of length 1 come or go.
        new = region.derive(
            ("reshape", shape),
            lambda: _with_axes_moved(region, old_axes, new_axes, shape),
        )
        return batched_result(trace, base, new, **_in_layout(x, new))
    # A row of a matrix need not be a row in another shape, but an entry is an entry.
    entries = as_entries(x)
    if entries is None:
        values = xp.reshape(all_values(trace, x), (trace.points, *shape))
        return from_all_values(trace, base, values)
    old = entries.region
    new = old.derive(
        ("reshape", shape),
        lambda: Region.at_positions(
            xp, shape, old.position(old.fixed), old.valid, trace.cache
        ),
    )
    return batched_result(trace, base, new, **_in_layout(entries, new))


def _in_layout(x: Batched, region: Region) -> dict[str, Any]:
    """Reshape the data of ``x`` to the layout of a region of the same entries."""
    xp = x.tracer.xp
    shape = (-1, region.slots, *region.inner)
    return x.map_stored(lambda data: xp.reshape(data, shape))


def _with_axes_moved(
    region: Region, old_axes: list[int], new_axes: list[int], shape: tuple[int, ...]
) -> Region:
    """Return the region with its long axes at other places of a shape."""
    index: list[Any] = [None] * len(shape)
    origins: list[Any] = [None] * len(shape)
    for old, new in zip(old_axes, new_axes, strict=True):
        index[new], origins[new] = region.index[old], region.origins[old]
    return region.with_axes(shape, index, origins, region.valid)


def as_entries(x: Batched) -> Batched | None:
    """Return ``x`` on a region of single entries; None if there would be too many."""
    region = x.region
    inner_size = math.prod(region.inner)
    if inner_size == 1:  # they are single already
        return x
    if inner_size * region.slots > MAX_SCATTERED:
        return None
    entries = region.derive("entries", lambda: _split_into_entries(x))
    return Batched(x.tracer, x.base, entries, **_in_layout(x, entries))


def _split_into_entries(x: Batched) -> Region:
    """Return a region with a slot for each entry of the region of ``x``."""
    xp, trace, region = x.tracer.xp, x.tracer, x.region
    inner = region.inner
    points = region.index[region.fixed[0]].shape[0]
    slots = region.slots * math.prod(inner)
    tail = (None,) * len(inner)
    # Horner's rule in the lengths of the axes: the flat position in C order.
    position = None
    for axis, length in enumerate(region.shape):
        if region.index[axis] is not None:
            index = region.index[axis][(..., *tail)]
        else:
            lengths = [1] * len(inner)
            lengths[region.free.index(axis)] = length
            index = xp.reshape(xp.arange(length, device=x.device), (1, 1, *lengths))
        position = index if position is None else position * length + index

    def in_slots(data: Array) -> Array:
        data = xp.broadcast_to(data, (points, region.slots, *inner))
        return xp.reshape(data, (points, slots))

    valid = region.valid
    if valid is not None:
        valid = in_slots(valid[(..., *tail)])
    return Region.at_positions(xp, x.shape, in_slots(position), valid, trace.cache)


def permuted(x: Batched, axes: tuple[int, ...]) -> Batched:
    """Return ``x`` with its axes in another order."""
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        "permute", (base_ids((x,)), axes), lambda: xp.permute_dims(x.base, axes)
    )
    region = x.region
    if region is None:
        return Batched(trace, base)

    def make() -> Region:
        index = [region.index[axis] for axis in axes]
        origins = [region.origins[axis] for axis in axes]
        return region.with_axes(tuple(base.shape), index, origins, region.valid)

    new = region.derive(("permute", axes), make)
    # Data have the free axes alone: a new order of fixed ones leaves them as they are.
    order = [region.free.index(axis) for axis in axes if axis in region.free]
    data_axes = (0, 1, *(2 + i for i in order))

    def permute_data(data: Array) -> Array:
        return data if order == sorted(order) else xp.permute_dims(data, data_axes)

    return batched_result(trace, base, new, **x.map_stored(permute_data))


def broadcast(x: Batched, shape: tuple[int, ...]) -> Batched:
    """Return ``x`` repeated along new axes and along those of length 1."""
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        "broadcast",
        (base_ids((x,)), shape),
        lambda: xp.broadcast_to(xp.asarray(x.base), shape),
    )
    if x.region is None:
        return Batched(trace, base)
    region, lengthen = lift(x.region, shape)
    stored = x.map_stored(lambda data: broadcast_on(trace, lengthen(data), region))
    return batched_result(trace, base, region, **stored)
