"""Move, repeat and leave out entries.

A table of sources says for each entry of the result which entry of the array it is. Few
entries that differ are looked up in the reverse of that table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._batched.alignment import collapse_slots
from xgrad._batched.array import Batched
from xgrad._batched.everywhere import all_values, from_all_values
from xgrad._batched.layout import as_entries
from xgrad._batched.operands import base_ids, batched_result
from xgrad._batched.recording import Recording
from xgrad._batched.region import MAX_SCATTERED, Region

# A table of destinations is at most so many times as large as both arrays: beyond that
# most of it is empty, because one entry has many more copies than the others. Chosen by
# hand; only speed and memory depend on it.
TABLE_FACTOR = 8


def gathered(operation: Any, function: Callable[[Array], Array], x: Batched) -> Batched:
    """Apply a function that only moves, repeats or leaves out entries."""
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        operation, base_ids((x,)), lambda: function(xp.asarray(x.base))
    )
    if x.region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)

    def sources() -> Array:
        # The function itself tells where entries go, if it moves their numbers.
        numbers = xp.arange(math.prod(x.shape), device=x.device)
        return xp.reshape(function(xp.reshape(numbers, x.shape)), (-1,))

    flat_sources = trace.cached_for_operation("sources", sources)
    return _gather(x, base, flat_sources, holes=False)


def placed(operation: Any, x: Batched, sources: Callable[[], Array]) -> Batched:
    """Put the entries of ``x`` into an array of zeros.

    ``sources`` gives, for each entry of the result, which one of ``x`` it is, or -1.
    """
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    # This comes before the operation itself, and so belongs to the one before it: the
    # name must differ from that of `gathered`.
    table = trace.cached_for_operation("sources of the next", sources)
    shape = tuple(table.shape)
    flat_sources = xp.reshape(table, (-1,))

    def compute_base() -> Array:
        if not x.size:
            return xp.zeros(shape, dtype=x.dtype, device=x.device)
        flat = xp.reshape(xp.asarray(x.base), (1, -1))
        return xp.reshape(_take_columns(xp, flat, flat_sources, holes=True), shape)

    base = trace.compute_once(operation, base_ids((x,)), compute_base)
    if x.region is None or not x.size or not math.prod(shape):
        return Batched(trace, base)
    return _gather(x, base, flat_sources, holes=True)


def _take_columns(xp: Any, flat: Array, sources: Array, holes: bool) -> Array:
    """Return ``flat[:, sources]``, with 0 where the source is -1."""
    if not holes:
        return xp.take(flat, sources, axis=1)
    # -1 would take the last entry in NumPy, and is out of bounds in other libraries.
    taken = xp.take(flat, xp.clip(sources, 0, None), axis=1)
    return xp.where(sources >= 0, taken, xp.zeros_like(taken))


def _gather(x: Batched, base: Array, sources: Array, holes: bool) -> Batched:
    """Gather entries by a table of flat sources; ``holes``: some of them are -1."""
    trace, xp, region = x.tracer, x.tracer.xp, x.region
    shape = tuple(base.shape)
    # (On a GPU, to look whether it is a block would wait for the device.)
    if trace.is_numpy and not trace.dense and x.ndim and region.index[0] is not None:
        start = trace.cached_for_operation(
            "block", lambda: _start_of_block(x.shape, shape, sources)
        )
        if start is not None:
            return _shift(x, base, start)
    # The table costs a sort of all entries, once for all chunks; then a chunk looks up
    # only the entries that differ.
    if not region.is_full and not trace.dense:
        entries = as_entries(x)
        table = trace.cached_for_operation(
            "destinations", lambda: _destinations(xp, x, sources)
        )
        if entries is not None and table is not None:
            copies = int(table.shape[1])
            if entries.region.slots * copies <= MAX_SCATTERED:
                return _look_up_entries(trace, base, entries, table)
    # Differences are moved as they are, if they are there: values would cancel later.
    if x.has_diff and region.is_full:
        diffs = xp.reshape(x.diff, (x.diff.shape[0], -1))
        diffs = _take_columns(xp, diffs, sources, holes)
        full = Region.full(xp, shape, trace.cache)
        diff = xp.reshape(diffs, (-1, 1, *shape))
        return batched_result(trace, base, full, diff=diff)
    values = xp.reshape(all_values(trace, x), (trace.points, -1))
    values = xp.reshape(_take_columns(xp, values, sources, holes), (-1, *shape))
    return from_all_values(trace, base, values)


def _start_of_block(
    shape: tuple[int, ...], wide: tuple[int, ...], sources: Any
) -> int | None:
    """Return where an array stands in one that is longer along the first axis alone.

    None unless it stands there as a whole, and nothing else does.
    """
    size = math.prod(shape)
    if len(wide) != len(shape) or wide[1:] != shape[1:] or sources.size < size:
        return None
    start = int((sources == 0).argmax())
    block = sources[start : start + size]
    if block.size < size or not (block == np.arange(size)).all():
        return None
    if (sources[:start] >= 0).any() or (sources[start + size :] >= 0).any():
        return None
    return start // math.prod(shape[1:])


def _shift(x: Batched, base: Array, start: int) -> Batched:
    """Return an array that is longer along the first axis, with ``x`` as a block."""
    region, shape = x.region, tuple(base.shape)

    def make() -> Region:
        source, shift = region.origins[0]
        index = (region.index[0] + start, *region.index[1:])
        origins = ((source, shift + start), *region.origins[1:])
        return region.with_axes(shape, index, origins, region.valid)

    new = region.derive(("block", start, shape), make)
    return batched_result(x.tracer, base, new, **x.map_stored(lambda data: data))


def _destinations(xp: Any, x: Batched, sources: Array) -> Array | None:
    """Return for each entry its places in the result, ``(entries, copies)``.

    Entries with fewer copies have -1 at the end; None if there are too many copies.
    """
    size, count = math.prod(x.shape), int(sources.shape[0])
    # Sorted by source, the copies of an entry stand side by side, and two searches find
    # where they begin and end.
    order = xp.argsort(sources, stable=True)
    ordered = xp.take(sources, order)
    numbers = xp.arange(size, dtype=sources.dtype, device=device_of(sources))
    start = xp.searchsorted(ordered, numbers)
    stop = xp.searchsorted(ordered, numbers, side="right")
    copies = max(1, int(xp.max(stop - start)))
    if copies > MAX_SCATTERED or copies * size > TABLE_FACTOR * (size + count):
        return None
    ranks = xp.arange(copies, dtype=start.dtype, device=device_of(start))
    places = start[:, None] + ranks[None, :]
    inside = places < stop[:, None]
    places = xp.where(inside, places, xp.zeros_like(places))
    table = xp.reshape(xp.take(order, xp.reshape(places, (-1,))), places.shape)
    return xp.where(inside, table, -xp.ones_like(table))


def _look_up_entries(
    trace: Recording, base: Array, x: Batched, table: Array
) -> Batched:
    """Move entries through a table of their new positions, ``(entries, copies)``."""
    xp, region = trace.xp, x.region
    copies = int(table.shape[1])
    slots = region.slots * copies
    old_position = region.position(region.fixed)
    position = xp.take(table, xp.reshape(old_position, (-1,)), axis=0)
    position = xp.reshape(position, (old_position.shape[0], slots))
    valid = position >= 0

    def repeat_slots(data: Array) -> Array:
        data = xp.reshape(data, (data.shape[0], region.slots, 1))
        data = xp.broadcast_to(data, (data.shape[0], region.slots, copies))
        return xp.reshape(data, (data.shape[0], slots))

    if region.valid is not None:
        valid = valid & repeat_slots(region.valid)
    stored = x.map_stored(repeat_slots)
    if trace.is_numpy:  # to look at flags on a GPU would wait for it
        if valid.all():
            valid = None
        elif slots > 1:
            position, valid, stored = _use_one_slot(position, valid, stored)
    # An array of one entry has no long axis that an index could fix.
    if math.prod(base.shape) == 1:
        full = Region.full(xp, tuple(base.shape), trace.cache)
        tail = (1,) * len(base.shape)
        data = {n: xp.reshape(d, (*d.shape, *tail)) for n, d in stored.items()}
        return collapse_slots(trace, base, full, data, valid)
    if valid is not None:
        # 0 instead of -1, so that lookups of invalid slots stay in bounds.
        position = xp.where(valid, position, xp.zeros_like(position))
        if "diff" in stored:
            stored["diff"] = xp.where(valid, stored["diff"], 0)
    return _on_entries(trace, base, position, valid, stored)


def _use_one_slot(
    position: Any, valid: Any, stored: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Keep one slot instead of several if no point uses more (arrays of NumPy)."""
    # A table is as wide as its most frequent entry needs it; most need less.
    if valid.sum(axis=1).max() > 1:
        return position, valid, stored
    slot = valid.argmax(axis=1)
    numbers = np.arange(slot.shape[0])

    def pick(data: Any) -> Any:
        return data[numbers, slot][:, None]

    picked = {name: pick(data) for name, data in stored.items()}
    return pick(position), pick(valid), picked


def _on_entries(
    trace: Recording, base: Array, position: Array, valid: Any, stored: dict[str, Array]
) -> Batched:
    """Return an array that differs at some flat positions, ``(points, slots)``."""
    xp = trace.xp
    region = Region.at_positions(xp, tuple(base.shape), position, valid, trace.cache)
    tail = (1,) * len(region.inner)
    data = {
        name: xp.reshape(data, (*data.shape, *tail)) for name, data in stored.items()
    }
    return batched_result(trace, base, region, **data)
