"""Index arrays with integers, slices and None."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.alignment import collapse_slots
from xgrad._batched.array import Batched
from xgrad._batched.operands import base_ids, batched_result
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region

# From so many points on it pays to look whether all slots are inside of a slice: that
# takes one pass over the flags, and if they are, each later operation is spared the
# mask. Chosen by hand; only speed depends on it.
MANY_POINTS = 1024


def sliced(x: Batched, key: tuple[Any, ...]) -> Batched:
    """Return ``x[key]`` for integers and slices, one for each axis, and None."""
    if x.owner is not None or x.stale is not None:
        x.ensure_current()
    region, trace, part = x.region, x.tracer, key[0] if len(key) == 1 else None
    if region is None or region.is_full or type(part) is not slice:
        return _sliced_array(x, key)
    # A part of an array of one axis takes a shorter path.
    length = x.base.shape[0]
    start, stop, step = part.indices(length)
    count = stop - start
    # (A slice of one entry has no long axis that an index could fix.)
    if step != 1 or count < 2:
        return _sliced_array(x, key)
    base = trace.compute_once("slice", [id(x.base), start, stop], lambda: x.base[part])
    new = region.derive(
        ("vector", start, stop), lambda: _slice_vector(region, start, count, length)
    )
    diff, value = x.stored_diff, x.stored_value
    # Slots that are outside now have differences still, which no sum may include.
    if new.valid is not region.valid and diff is not None:
        diff, value = new.mask(diff), None
    trace.count_work(new.width, count)
    return Batched(trace, base, new, diff, value)


def _slice_vector(region: Region, start: int, count: int, length: int) -> Region:
    """Return the region of ``x[start : start + count]``; slots outside are invalid."""
    xp, valid, index = region.xp, region.valid, region.index[0]
    if start:
        index = index - start
        inside = index >= 0
        valid = inside if valid is None else valid & inside
        index = xp.maximum(index, 0)  # lookups of invalid slots stay in bounds
    if start + count < length:
        inside = index < count
        valid = inside if valid is None else valid & inside
        index = xp.minimum(index, count - 1)
    source, shift = region.origins[0]
    origins = ((source, shift - start),)
    return Region(xp, (count,), (index,), valid, region.slots, region.cache, origins)


def _sliced_array(x: Batched, key: tuple[Any, ...]) -> Batched:
    trace = x.tracer
    # Slices cannot be hashed before Python 3.12.
    frozen = tuple(
        (k.start, k.stop, k.step) if isinstance(k, slice) else k for k in key
    )
    base = trace.compute_once("slice", (base_ids((x,)), frozen), lambda: x.base[key])
    region = x.region
    if region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)
    new, data_key, valid = region.derive(
        ("slice", frozen), lambda: _slice_region(region, key, tuple(base.shape), trace)
    )
    stored = x.map_stored(lambda data: data[data_key])
    if new.is_full and region.fixed:
        if region.slots > 1 or valid is not None:
            return collapse_slots(trace, base, new, stored, valid)
        return batched_result(trace, base, new, **stored)
    if new.valid is not None and "diff" in stored and new.valid is not region.valid:
        stored["diff"] = new.mask(stored["diff"])
    return batched_result(trace, base, new, **stored)


def _slice_region(
    region: Region, key: tuple[Any, ...], shape: tuple[int, ...], trace: Recording
) -> tuple[Region, tuple[Any, ...], Any]:
    """Return the region of a slice, the key into data on the old one, and valid slots.

    (If no axis of the new region is fixed, it has one slot, and its own flags are
    lost.)
    """
    builder = _SliceBuilder(region, trace)
    axis = 0
    for k in key:
        if k is None:
            builder.insert_axis()
            continue
        if isinstance(k, slice):
            builder.slice_axis(axis, k)
        else:
            builder.drop_axis(axis, k)
        axis += 1
    return builder.region_of(shape), tuple(builder.data_key), builder.valid


class _SliceBuilder:
    """Put the region of a slice together, axis by axis.

    ``data_key`` becomes the index into data ``(points, slots, *inner)`` of the old
    region, and ``valid`` the flags of the slots that are inside.
    """

    def __init__(self, region: Region, trace: Recording) -> None:
        self.old = region
        self.index: list[Any] = []
        self.origins: list[Any] = []
        self.data_key: list[Any] = [slice(None), slice(None)]
        self.valid = region.valid
        self.looks_first = trace.is_numpy and trace.points >= MANY_POINTS

    def insert_axis(self) -> None:
        """Add an axis of length 1."""
        self._add(None, None)
        self.data_key.append(None)

    def drop_axis(self, axis: int, number: int) -> None:
        """Take one index of an axis: slots at others become invalid."""
        index, length = self.old.index[axis], self.old.shape[axis]
        number = number + length if number < 0 else number
        if index is None:
            self.data_key.append(number)
        else:
            self._restrict(index == number)

    def slice_axis(self, axis: int, key: slice) -> None:
        """Take a range of an axis: slots outside become invalid."""
        index, length = self.old.index[axis], self.old.shape[axis]
        start, stop, step = key.indices(length)
        count = len(range(start, stop, step))
        if index is None:
            self._add(None, None)
            self.data_key.append(key)
            return
        if (start, count, step) == (0, length, 1):
            self._add(index, self.old.origins[axis])
            return
        index = self._shift(index, start, step, count, length)
        if count == 1:
            self.insert_axis()
            return
        source, shift = self.old.origins[axis]
        # A clipped index is invalid, so that the shift of the others stays a constant;
        # a stride makes an index of its own.
        origin = (source, shift - start) if step == 1 else (id(index), 0)
        self._add(index, origin)

    def _add(self, index: Any, origin: Any) -> None:
        self.index.append(index)
        self.origins.append(origin)

    def _shift(
        self, index: Array, start: int, step: int, count: int, length: int
    ) -> Array:
        """Return indices into the range, clipped to it; flag those that were inside."""
        xp = self.old.xp
        index = index - start if start else index
        if step != 1:
            self._restrict(index % step == 0)
            index = index // step
        if not (start == 0 and step == 1):
            inside = index >= 0
            if not (self.looks_first and inside.all()):
                self._restrict(inside)
                index = xp.maximum(index, 0)
        if not (start + count == length and step == 1):
            inside = index < count
            if not (self.looks_first and inside.all()):
                self._restrict(inside)
                index = xp.minimum(index, count - 1)
        return index

    def _restrict(self, inside: Array) -> None:
        self.valid = inside if self.valid is None else self.valid & inside

    def region_of(self, shape: tuple[int, ...]) -> Region:
        """Return the region, in an array of this shape."""
        return self.old.with_axes(shape, self.index, self.origins, self.valid)
