"""Unite two regions of one shape, and carry data from each onto the union."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, device_of
from xgrad._batched.region import MAX_SCATTERED, Region, append_axes

# Data on a region, (points, slots, *inner), and what stands elsewhere on another one.
Fill = Callable[[Region], Array]
Carrier = Callable[[Array, Fill], Array]


class Union:
    """A region that contains two others, and the functions that carry data onto it.

    ``from_first`` and ``from_second`` take data of one region, ``(points, slots,
    *inner)``, and a function that gives the data elsewhere. ``starts`` are the slots at
    which the two begin, if both lie in slots of their own or in those of the other.
    """

    def __init__(
        self,
        region: Region,
        from_first: Carrier,
        from_second: Carrier,
        starts: tuple[int, int] | None = None,
    ) -> None:
        self.region = region
        self.from_first = from_first
        self.from_second = from_second
        self.starts = starts


def unite(a: Region, b: Region) -> Union:
    """Return the smallest region at hand that contains both."""
    if a is b:
        return Union(a, _keep, _keep, (0, 0))
    # `b` is stored, too: its identity is in the key.
    union, _ = a.derive(("union", id(b)), lambda: (_make_union(a, b), b))
    return union


def _keep(data: Array, fill: Fill) -> Array:
    return data


def _make_union(a: Region, b: Region) -> Union:
    # From the cheapest to the dearest: one contains the other; one is a member of the
    # other; a few entries of both; everything.
    if _contains(a, b):
        return Union(a, _keep, functools.partial(_put_inside, b, a))
    if _contains(b, a):
        return Union(b, functools.partial(_put_inside, a, b), _keep)
    for outer, inner in ((a, b), (b, a)):
        for member, start in outer.members:
            if member is inner:
                carry = functools.partial(_put_in_slots, outer, inner, start)
                if outer is a:
                    return Union(a, _keep, carry, (0, start))
                return Union(b, carry, _keep, (start, 0))
    entries = a.fixed == b.fixed and a.width == a.slots
    if entries and a.slots + b.slots <= MAX_SCATTERED:
        return _concat_entries(a, b)
    full = Region.full(a.xp, a.shape, a.cache)
    return Union(
        full,
        functools.partial(_put_inside, a, full),
        functools.partial(_put_inside, b, full),
    )


def _contains(outer: Region, inner: Region) -> bool:
    """Whether each slot of the inner region lies in the same slot of the outer one."""
    # By identity, not by values: a comparison of values would take a pass over all
    # points, and on a GPU wait for it. What is equal by its making is one object.
    if outer.is_full:
        return True
    same_slots = outer.valid is inner.valid and outer.slots == inner.slots
    return same_slots and all(
        i is None or i is j for i, j in zip(outer.index, inner.index, strict=True)
    )


def _put_inside(inner: Region, outer: Region, data: Array, fill: Fill) -> Array:
    """Carry data of an inner region onto the outer one."""
    return put(outer, fill(outer), inner, data)


def put(outer: Region, target: Array, inner: Region, data: Array) -> Array:
    """Return ``target``, on the outer region, with the data of the inner one put in."""
    xp = outer.xp
    freed = [axis for axis in inner.fixed if outer.index[axis] is None]
    points = max(data.shape[0], target.shape[0])
    if freed:
        points = max(points, inner.index[freed[0]].shape[0])
    shape = (points, outer.slots, *outer.inner)
    # With no axis to widen, the inner region has all entries of the outer one.
    if not freed and inner.slots == outer.slots:
        return xp.broadcast_to(data, shape)
    target = xp.broadcast_to(target, shape)
    # Slots go one by one into a full region, else all at once each into its own.
    collapse = outer.is_full and inner.slots != 1
    for slot in range(inner.slots):
        piece = slice(slot, slot + 1) if collapse else slice(None)
        here = _mask_of_slots(outer, inner, freed, piece)
        value = _insert_free_axes(data[:, piece, ...], inner, outer)
        target = value if here is None else xp.where(here, value, target)
        if not collapse:
            break
    return target


def _mask_of_slots(
    outer: Region, inner: Region, freed: list[int], slots: slice
) -> Array | None:
    """Return where on the outer region some slots of the inner one lie (None: all)."""
    xp, here = outer.xp, None
    for axis in freed:
        index = inner.index[axis][:, slots]
        # Compared with all numbers of the axis: an assignment by indices would write
        # invalid slots, too.
        length = outer.shape[axis]
        numbers = xp.arange(length, dtype=index.dtype, device=device_of(index))
        shape = [1] * len(outer.free)
        shape[outer.free.index(axis)] = length
        equal = index[(..., *(None,) * len(shape))] == xp.reshape(
            numbers, (1, 1, *shape)
        )
        here = equal if here is None else here & equal
    if inner.valid is not None:
        valid = append_axes(inner.valid[:, slots], 2 + len(outer.free))
        here = valid if here is None else here & valid
    return here


def _insert_free_axes(data: Array, inner: Region, outer: Region) -> Array:
    """Return data with axes of length 1 for those that are free in the outer region."""
    if inner.free == outer.free:
        return data
    axes = [slice(None) if axis in inner.free else None for axis in outer.free]
    return data[(slice(None), slice(None), *axes)]


def _put_in_slots(
    outer: Region, inner: Region, start: int, data: Array, fill: Fill
) -> Array:
    """Carry data of a member onto the region that has it from slot ``start`` on."""
    # A new array, since what fills it may be broadcast and shared.
    target = outer.xp.empty(
        (data.shape[0], *outer.extent), dtype=data.dtype, device=device_of(data)
    )
    target[...] = fill(outer)
    target[:, start : start + inner.slots] = data
    return target


def _concat_entries(a: Region, b: Region) -> Union:
    """Unite two sets of entries; those of ``b`` that are in ``a`` become invalid."""
    xp = a.xp
    index = tuple(
        None if i is None else _concat(xp, i, j)
        for i, j in zip(a.index, b.index, strict=True)
    )
    if _never_meet(a, b):
        valid = None
        if a.valid is not None or b.valid is not None:
            valid = _concat(xp, _valid_flags(a), _valid_flags(b))
        region = Region(xp, a.shape, index, valid, a.slots + b.slots, a.cache)
        # With the members of these, so that another sum with one of them needs no new
        # slots, as in `x[1:] * x[:-1] + x[1:]`.
        region.members = [(a, 0), (b, a.slots), *a.members]
        region.members += [(member, a.slots + start) for member, start in b.members]
        return Union(
            region,
            functools.partial(_append_fill, b),
            functools.partial(_prepend_fill, a, None),
            (0, a.slots),
        )
    equal = _equal_slots(a, b)
    repeated = xp.any(equal, axis=1)
    fresh = ~repeated if b.valid is None else b.valid & ~repeated
    valid = _concat(xp, _valid_flags(a), fresh)
    region = Region(xp, a.shape, index, valid, a.slots + b.slots, a.cache)
    return Union(
        region,
        functools.partial(_append_fill, b),
        functools.partial(_prepend_fill, a, equal),
    )


def _never_meet(a: Region, b: Region) -> bool:
    """Whether shifts of one index prove that the regions share no entry.

    Of several slots one may lie where a different slot of the other region does.
    """
    return a.slots == b.slots == 1 and any(
        i is not None and j is not None and i[0] == j[0] and i[1] != j[1]
        for i, j in zip(a.origins, b.origins, strict=True)
    )


def _equal_slots(a: Region, b: Region) -> Array:
    """Return which valid slots are one entry, ``(points, slots of a, slots of b)``."""
    p, q = a.position(a.fixed), b.position(a.fixed)
    equal = p[:, :, None] == q[:, None, :]
    if a.valid is not None:
        equal = equal & a.valid[:, :, None]
    if b.valid is not None:
        equal = equal & b.valid[:, None, :]
    return equal


def _valid_flags(region: Region) -> Array:
    """Return the flags of valid slots, ``(points, slots)``, also if all are valid."""
    if region.valid is not None:
        return region.valid
    index = region.index[region.fixed[0]]
    return index == index  # True everywhere, in the shape and on the device of an index


def _append_fill(b: Region, data: Array, fill: Fill) -> Array:
    """Carry data of the first region: the slots of the second one are filled."""
    return _concat_slots(b.xp, data, fill(b))


def _prepend_fill(a: Region, equal: Array | None, data: Array, fill: Fill) -> Array:
    """Carry data of the second region: the slots of the first one are filled.

    ``equal`` says in which of them the same entries stand, and there the data go.
    """
    xp = a.xp
    first = fill(a)
    if equal is None:
        return _concat_slots(xp, first, data)
    # At most one slot of the other region lies where a slot of this one does: a sum
    # over the slots picks its value.
    tail = (1,) * (data.ndim - 2)
    flat = xp.reshape(data, data.shape[:2])
    zero = xp.zeros((), dtype=flat.dtype, device=device_of(flat))
    # (0 elsewhere, not a product with 0: a value may be infinite.)
    candidates = xp.where(equal, flat[:, None, :], zero)
    if flat.dtype.kind == "b":
        picked = xp.any(candidates, axis=2)
    else:
        picked = xp.sum(candidates, axis=2, dtype=flat.dtype)
    first = xp.where(
        append_axes(xp.any(equal, axis=2), data.ndim),
        xp.reshape(picked, (*picked.shape, *tail)),
        xp.reshape(first, (*first.shape[:2], *tail)),
    )
    return _concat_slots(xp, first, data)


def _concat_slots(xp: Any, first: Array, second: Array) -> Array:
    """Concatenate data along the slots; one point stands for all."""
    # Data that are equal at all points, such as a base or zeros, have length 1.
    points = max(first.shape[0], second.shape[0])
    if first.shape[0] != points:
        first = xp.broadcast_to(first, (points, *first.shape[1:]))
    if second.shape[0] != points:
        second = xp.broadcast_to(second, (points, *second.shape[1:]))
    return _concat(xp, first, second)


def _concat(xp: Any, first: Array, second: Array) -> Array:
    return xp.concat([first, second], axis=1)
