"""Say which entries of an array differ from point to point: slots and whole axes.

For each axis of an array a region has either all of it or, for each point and slot, one
index. An entry fixes every axis, a column of a matrix the last one, a row the first.
Slots of one point never overlap where they are valid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xgrad._arrays import Array

Index = Any  # an array (points, slots), or None for a whole axis

# Above so many entries at each point that lie scattered, all entries are evaluated: a
# union of two regions compares each slot of one with each slot of the other, so that
# the cost of slots grows with their square. Chosen by hand; only speed depends on it.
MAX_SCATTERED = 24


class Region:
    """``slots`` pieces at each point, of an array of shape ``shape``.

    ``index`` has for each axis an array ``(points, slots)``, or None for all of it;
    axes of length 1 always have None. ``valid``, ``(points, slots)``, says which slots
    exist (None: all). ``origins`` tells for each index of which array it was made and
    by how much it was shifted: equal origins with different shifts never meet.

    From these follow the axes that are ``fixed`` and ``free``; the lengths of the
    latter, ``inner``, so that data on the region have the shape ``(points, slots,
    *inner)``; and the number of entries at each point, ``width``. ``members`` are the
    regions that this one was concatenated from, each with its first slot.
    """

    # Every operation may make regions: slots keep them small, and fast to read.
    __slots__ = (
        "cache",
        "extent",
        "fixed",
        "flat_positions",
        "free",
        "index",
        "inner",
        "is_full",
        "members",
        "origins",
        "shape",
        "slots",
        "valid",
        "width",
        "xp",
    )

    def __init__(
        self,
        xp: Any,
        shape: tuple[int, ...],
        index: tuple[Index, ...],
        valid: Array | None,
        slots: int,
        cache: dict[Any, Any],
        origins: tuple[Any, ...] | None = None,
    ) -> None:
        self.xp = xp
        self.shape = shape
        self.index = index
        self.valid = valid
        self.slots = slots
        self.cache = cache
        self.flat_positions: dict[Any, Array] = {}
        self.members: list[tuple[Region, int]] = []
        # All that operations ask again and again is computed here once.
        fixed, free, inner, width = [], [], [], slots
        for axis, length in enumerate(shape):
            if index[axis] is None:
                free.append(axis)
                inner.append(length)
                width *= length
            else:
                fixed.append(axis)
        self.fixed = tuple(fixed)
        self.free = tuple(free)
        self.inner = tuple(inner)
        self.extent = (slots, *inner)
        self.width = width
        self.is_full = not fixed
        if origins is None:
            # The identity names the array, which lives in the cache of the evaluation.
            origins = tuple([i if i is None else (id(i), 0) for i in index])
        self.origins = origins

    @classmethod
    def full(cls, xp: Any, shape: tuple[int, ...], cache: dict[Any, Any]) -> Region:
        """Return the region of all entries, in one slot."""
        # One for each shape, so that full regions are compared by identity, too.
        region = cache.get(shape)
        if region is None:
            region = cls(xp, shape, (None,) * len(shape), None, 1, cache)
            cache[shape] = region
        return region

    @classmethod
    def at_positions(
        cls,
        xp: Any,
        shape: tuple[int, ...],
        positions: Array,
        valid: Array | None,
        cache: dict[Any, Any],
    ) -> Region:
        """Return the region of entries at flat positions, ``(points, slots)``."""
        slots = positions.shape[1]
        if len(shape) == 1:
            return cls(xp, shape, (positions,), valid, slots, cache)
        index: list[Index] = []
        rest = positions
        long_axes = [axis for axis, length in enumerate(shape) if length > 1]
        stride = math.prod(shape)
        for axis, length in enumerate(shape):
            if length == 1:
                index.append(None)
                continue
            stride //= length
            if axis == long_axes[-1]:
                index.append(rest)
            else:
                # One division for an axis: a remainder would take another one.
                index.append(rest // stride)
                rest = rest - index[-1] * stride
        region = cls(xp, shape, tuple(index), valid, slots, cache)
        # Most lookups ask for the position along all axes, which is at hand.
        region.flat_positions[tuple(long_axes)] = positions
        return region

    def with_axes(
        self,
        shape: tuple[int, ...],
        index: Sequence[Index],
        origins: Sequence[Any],
        valid: Array | None,
    ) -> Region:
        """Return the region with other axes, in one slot if none of them is fixed."""
        # Without a fixed axis all slots would hold the same entries: one is left, into
        # which the caller merges the data of the others.
        fixed = any(i is not None for i in index)
        return Region(
            self.xp,
            shape,
            tuple(index),
            valid if fixed else None,
            self.slots if fixed else 1,
            self.cache,
            tuple(origins),
        )

    def derive(self, key: Any, make: Callable[[], Any]) -> Any:
        """Make something of this region once, so that equal regions are one object.

        It lies in the cache that all regions of one evaluation share, beside this
        region, whose identity is part of the key and must not be given to another.
        """
        key = id(self), key
        stored = self.cache.get(key)
        if stored is None:
            stored = self.cache[key] = (make(), self)
        return stored[0]

    def position(self, axes: tuple[int, ...]) -> Array:
        """Return flat positions along some fixed axes, ``(points, slots)``."""
        if len(axes) == 1:
            return self.index[axes[0]]
        position = self.flat_positions.get(axes)
        if position is None:
            position = self.index[axes[0]]
            for axis in axes[1:]:
                position = position * self.shape[axis] + self.index[axis]
            self.flat_positions[axes] = position
        return position

    def mask(self, data: Array) -> Array:
        """Return ``data`` ``(points, slots, *inner)`` with 0 in invalid slots.

        (What is not finite there becomes nan, which the end of an evaluation notices.)
        """
        if self.valid is None:
            return data
        return data * append_axes(self.valid, data.ndim)

    def gather(self, array: Array, axes_first: Callable[[Array, Any], Array]) -> Array:
        """Look up ``array``, which broadcasts to the shape, on the region.

        Returns ``(points, slots, *inner)``; axes along which it does not vary have
        length 1. ``axes_first(array, axes)`` gives the array with those axes first and
        merged.
        """
        if array.shape == self.shape and self.fixed:
            position = self.position(self.fixed)
            # Single entries need no table of rows, which may have to be copied.
            if self.width == self.slots:
                data = array.reshape(-1).take(position)
                return data.reshape(data.shape + self.inner) if self.inner else data
            data = axes_first(array, self.fixed).take(position, axis=0)
            return data.reshape(position.shape + self.inner)
        # Broadcasting aligns axes at the end, and repeats those of length 1: nothing is
        # looked up along these.
        lead = len(self.shape) - array.ndim
        lengths = array.shape
        axes = tuple(
            axis - lead
            for axis in self.fixed
            if axis >= lead and lengths[axis - lead] > 1
        )
        inner = tuple(lengths[axis - lead] if axis >= lead else 1 for axis in self.free)
        if not axes:
            return array.reshape((1, 1, *inner))
        position = self.position(tuple(axis + lead for axis in axes))
        data = axes_first(array, axes).take(position, axis=0)
        return data.reshape((*position.shape, *inner))


def axes_first(array: Array, axes: tuple[int, ...]) -> Array:
    """Return ``array`` with some axes first and merged into one, the others behind."""
    others = tuple(axis for axis in range(array.ndim) if axis not in axes)
    if axes != tuple(range(len(axes))):
        array = array.transpose((*axes, *others))
    first, rest = array.shape[: len(axes)], array.shape[len(axes) :]
    return array.reshape((math.prod(first), *rest))  # (-1 would not do for no entries)


def append_axes(flags: Array, ndim: int) -> Array:
    """Append axes of length 1 to flags ``(points, slots)``, up to ``ndim`` in all."""
    return flags[(..., *(None,) * (ndim - 2))] if ndim > 2 else flags
