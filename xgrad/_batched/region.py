"""Which entries of an array differ from point to point: slots of indices, whole axes.

A region of an array of some shape says for each axis either "all of it" or, for each
point and slot, one index. An entry fixes every axis, a column of a matrix the last one,
a row the first. Slots of one point never overlap where they are valid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, device_of

Index = Any  # an array (points, slots), or None for a whole axis


class Region:
    """``count`` slots at each point, in an array of shape ``shape``.

    ``index`` has for each axis an array ``(points, slots)``, or None for all of it;
    axes of length 1 are always whole. ``valid`` (None: all) says which slots exist.
    ``origins`` tells for each index where it comes from and by how much it was
    shifted: equal origins with different shifts never meet. From these follow the axes
    that are ``fixed`` and ``free``, the lengths of the latter, ``inner``, and the
    number of entries at each point, ``width``. ``parts`` are regions that it was put
    together from, and at which slots they begin.
    """

    __slots__ = (
        "cache",
        "count",
        "extent",
        "fixed",
        "flat",
        "free",
        "index",
        "inner",
        "is_whole",
        "origins",
        "parts",
        "shape",
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
        count: int,
        cache: dict[Any, Any],
        origins: tuple[Any, ...] | None = None,
    ) -> None:
        self.xp = xp
        self.shape = shape
        self.index = index
        self.valid = valid
        self.count = count
        self.cache = cache
        self.flat: dict[Any, Array] = {}
        self.parts: list[tuple[Region, int]] = []
        fixed, free, inner, width = [], [], [], count
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
        self.extent = (count, *inner)
        self.width = width
        self.is_whole = not fixed
        if origins is None:
            origins = tuple([i if i is None else (id(i), 0) for i in index])
        self.origins = origins

    @classmethod
    def whole(cls, xp: Any, shape: tuple[int, ...], cache: dict[Any, Any]) -> Region:
        """Every entry, in one slot."""
        region = cache.get(shape)
        if region is None:
            region = cls(xp, shape, (None,) * len(shape), None, 1, cache)
            cache[shape] = region
        return region

    @classmethod
    def at(
        cls,
        xp: Any,
        shape: tuple[int, ...],
        positions: Array,
        valid: Array | None,
        cache: dict[Any, Any],
    ) -> Region:
        """Entries at positions ``(points, slots)`` of the flattened array."""
        count = positions.shape[1]
        if len(shape) == 1:
            return cls(xp, shape, (positions,), valid, count, cache)
        index: list[Index] = []
        rest = positions
        moving = [axis for axis, length in enumerate(shape) if length > 1]
        stride = math.prod(shape)
        for axis, length in enumerate(shape):
            if length == 1:
                index.append(None)
                continue
            stride //= length
            if axis == moving[-1]:
                index.append(rest)
            else:
                index.append(rest // stride)
                rest = rest - index[-1] * stride
        region = cls(xp, shape, tuple(index), valid, count, cache)
        region.flat[tuple(moving)] = positions
        return region

    def child(self, key: Any, make: Callable[[], Any]) -> Any:
        """What follows from this region, made once, so that equal regions are one.

        Kept in the cache that all regions of one evaluation share, with this region,
        whose identity is part of the key.
        """
        key = id(self), key
        found = self.cache.get(key)
        if found is None:
            found = self.cache[key] = (make(), self)
        return found[0]

    def position(self, axes: tuple[int, ...]) -> Array:
        """Flat positions along some fixed axes, ``(points, slots)``."""
        if len(axes) == 1:
            return self.index[axes[0]]
        found = self.flat.get(axes)
        if found is None:
            found = self.index[axes[0]]
            for axis in axes[1:]:
                found = found * self.shape[axis] + self.index[axis]
            self.flat[axes] = found
        return found

    def masked(self, values: Array) -> Array:
        """``values`` ``(points, slots, *inner)``, 0 in slots that do not exist.

        (What is not finite there becomes nan, which the end of an evaluation notices.)
        """
        if self.valid is None:
            return values
        return values * _beside(self.valid, values.ndim)

    def gather(self, array: Array, rows: Callable[[Array, Any], Array]) -> Array:
        """``array``, which broadcasts against the shape: ``(points, slots, *inner)``.

        Where it does not vary, axes have length 1. ``rows(array, axes)`` gives the
        array with those axes first.
        """
        if array.shape == self.shape and self.fixed:
            position = self.position(self.fixed)
            if self.width == self.count:  # entries
                taken = array.reshape(-1).take(position)
                return taken.reshape(taken.shape + self.inner) if self.inner else taken
            taken = rows(array, self.fixed).take(position, axis=0)
            return taken.reshape(position.shape + self.inner)
        lead = len(self.shape) - array.ndim
        lengths = array.shape
        axes = tuple(
            axis - lead
            for axis in self.fixed
            if axis >= lead and lengths[axis - lead] > 1
        )
        rest = tuple(lengths[axis - lead] if axis >= lead else 1 for axis in self.free)
        if not axes:
            return array.reshape((1, 1, *rest))
        position = self.position(tuple(axis + lead for axis in axes))
        taken = rows(array, axes).take(position, axis=0)
        return taken.reshape((*position.shape, *rest))


def rows(array: Array, axes: tuple[int, ...]) -> Array:
    """``array`` with some axes first and as one, the others after it."""
    others = tuple(axis for axis in range(array.ndim) if axis not in axes)
    if axes != tuple(range(len(axes))):
        array = array.transpose((*axes, *others))
    return array.reshape((-1, *array.shape[len(axes) :]))


def _beside(flags: Array, ndim: int) -> Array:
    """Flags ``(points, slots)`` beside an array of more axes."""
    return flags[(..., *(None,) * (ndim - 2))] if ndim > 2 else flags


# Two regions of one shape


class Join:
    """A region that holds two, and how what is known on each is carried there.

    `first` and `second` take what is known (``(points, slots, *inner)``) and a function
    that tells what stands elsewhere on a region. ``starts`` are the slots at which they
    begin, where both lie in slots of their own or in those of the other one.
    """

    def __init__(
        self,
        region: Region,
        first: Callable[[Array, Callable[[Region], Array]], Array],
        second: Callable[[Array, Callable[[Region], Array]], Array],
        starts: tuple[int, int] | None = None,
    ) -> None:
        self.region = region
        self.first = first
        self.second = second
        self.starts = starts


def _as_it_is(known: Array, elsewhere: Callable[[Region], Array]) -> Array:
    return known


# Above so many entries a point that lie scattered, everything is evaluated.
SCATTERED = 24


def join(a: Region, b: Region) -> Join:
    """The smallest region at hand that holds both."""
    if a is b:
        return Join(a, _as_it_is, _as_it_is, (0, 0))
    found, _ = a.child(("join", id(b)), lambda: (_join(a, b), b))
    return found


def _join(a: Region, b: Region) -> Join:
    if _holds(a, b):
        return Join(a, _as_it_is, functools.partial(_inside, b, a))
    if _holds(b, a):
        return Join(b, functools.partial(_inside, a, b), _as_it_is)
    for whole, part in ((a, b), (b, a)):
        for known, start in whole.parts:
            if known is part:
                inside = functools.partial(_in_slots, whole, part, start)
                if whole is a:
                    return Join(a, _as_it_is, inside, (0, start))
                return Join(b, inside, _as_it_is, (start, 0))
    if a.fixed == b.fixed and a.width == a.count and a.count + b.count <= SCATTERED:
        return _side_by_side(a, b)
    whole = Region.whole(a.xp, a.shape, a.cache)
    return Join(
        whole,
        functools.partial(_inside, a, whole),
        functools.partial(_inside, b, whole),
    )


def _holds(outer: Region, inner: Region) -> bool:
    """Whether each slot of the inner region lies in the same slot of the outer one."""
    if outer.is_whole:
        return True
    same = outer.valid is inner.valid and outer.count == inner.count
    return same and all(
        i is None or i is j for i, j in zip(outer.index, inner.index, strict=True)
    )


def _inside(
    inner: Region,
    outer: Region,
    known: Array,
    elsewhere: Callable[[Region], Array],
) -> Array:
    """What is known on an inner region, in the outer one."""
    return put(outer, elsewhere(outer), inner, known)


def put(outer: Region, target: Array, inner: Region, known: Array) -> Array:
    """``target`` on the outer region with what is known on the inner one."""
    xp = outer.xp
    freed = [axis for axis in inner.fixed if outer.index[axis] is None]
    points = max(known.shape[0], target.shape[0])
    if freed:
        points = max(points, inner.index[freed[0]].shape[0])
    full = (points, outer.count, *outer.inner)
    if not freed and inner.count == outer.count:
        return xp.broadcast_to(known, full)
    target = xp.broadcast_to(target, full)
    collapse = outer.is_whole and inner.count != 1
    for slot in range(inner.count):
        here = None
        for axis in freed:
            index = inner.index[axis]
            index = index[:, slot : slot + 1] if collapse else index
            length = outer.shape[axis]
            numbers = xp.arange(length, dtype=index.dtype, device=device_of(index))
            position = outer.free.index(axis)
            shape = [1] * len(outer.free)
            shape[position] = length
            equal = index[(..., *(None,) * len(shape))] == xp.reshape(
                numbers, (1, 1, *shape)
            )
            here = equal if here is None else here & equal
        valid = inner.valid
        if valid is not None:
            valid = valid[:, slot : slot + 1] if collapse else valid
            valid = _beside(valid, 2 + len(outer.free))
            here = valid if here is None else here & valid
        value = known[:, slot : slot + 1, ...] if collapse else known
        value = _spread(value, inner, outer)
        target = value if here is None else xp.where(here, value, target)
        if not collapse:
            break
    return target


def _spread(known: Array, inner: Region, outer: Region) -> Array:
    """``(points, slots, *inner)`` with axes of length 1 for those that get free."""
    if inner.free == outer.free:
        return known
    axes = [slice(None) if axis in inner.free else None for axis in outer.free]
    return known[(slice(None), slice(None), *axes)]


def _side_by_side(a: Region, b: Region) -> Join:
    """Entries of both, those of ``b`` that are also among ``a`` only once."""
    xp = a.xp
    index = tuple(
        None if i is None else _concat(xp, i, j)
        for i, j in zip(a.index, b.index, strict=True)
    )
    if _disjoint(a, b):
        valid = None
        if a.valid is not None or b.valid is not None:
            valid = _concat(xp, _valid(a), _valid(b))
        region = Region(xp, a.shape, index, valid, a.count + b.count, a.cache)
        region.parts = [(a, 0), (b, a.count), *a.parts]
        region.parts += [(part, a.count + start) for part, start in b.parts]
        return Join(
            region,
            functools.partial(_first, b),
            functools.partial(_second, a, None),
            (0, a.count),
        )
    axes = a.fixed
    p, q = a.position(axes), b.position(axes)
    equal = p[:, :, None] == q[:, None, :]
    if a.valid is not None:
        equal = equal & a.valid[:, :, None]
    if b.valid is not None:
        equal = equal & b.valid[:, None, :]
    again = xp.any(equal, axis=1)
    fresh = ~again if b.valid is None else b.valid & ~again
    valid = _concat(xp, _valid(a), fresh)
    region = Region(xp, a.shape, index, valid, a.count + b.count, a.cache)
    return Join(
        region, functools.partial(_first, b), functools.partial(_second, a, equal)
    )


def _concat(xp: Any, first: Array, second: Array) -> Array:
    return xp.concat([first, second], axis=1)


def _valid(region: Region) -> Array:
    if region.valid is not None:
        return region.valid
    index = region.index[region.fixed[0]]
    return index == index


def _disjoint(a: Region, b: Region) -> bool:
    """Whether it is known that they never meet.

    Of several slots one may lie where another one of the other region does.
    """
    return a.count == b.count == 1 and any(
        i is not None and j is not None and i[0] == j[0] and i[1] != j[1]
        for i, j in zip(a.origins, b.origins, strict=True)
    )


def _in_slots(
    whole: Region,
    part: Region,
    start: int,
    known: Array,
    elsewhere: Callable[[Region], Array],
) -> Array:
    """What is known on a part, in the slots where the whole has it."""
    target = whole.xp.empty(
        (known.shape[0], *whole.extent), dtype=known.dtype, device=device_of(known)
    )
    target[...] = elsewhere(whole)
    target[:, start : start + part.count] = known
    return target


def _first(b: Region, known: Array, elsewhere: Callable[[Region], Array]) -> Array:
    return _aligned(b.xp, known, elsewhere(b))


def _second(
    a: Region,
    equal: Array | None,
    known: Array,
    elsewhere: Callable[[Region], Array],
) -> Array:
    xp = a.xp
    there = elsewhere(a)
    if equal is None:
        return _aligned(xp, there, known)
    # At most one slot of the other region lies where a slot of this one does.
    tail = (1,) * (known.ndim - 2)
    flat = xp.reshape(known, known.shape[:2])
    zero = xp.zeros((), dtype=flat.dtype, device=device_of(flat))
    moved = xp.where(equal, flat[:, None, :], zero)
    if flat.dtype.kind == "b":
        found = xp.any(moved, axis=2)
    else:
        found = xp.sum(moved, axis=2, dtype=flat.dtype)
    there = xp.reshape(there, (*there.shape[:2], *tail))
    found = xp.where(
        _beside(xp.any(equal, axis=2), known.ndim),
        xp.reshape(found, (*found.shape, *tail)),
        there,
    )
    return _aligned(xp, found, known)


def _aligned(xp: Any, first: Array, second: Array) -> Array:
    points = max(first.shape[0], second.shape[0])
    if first.shape[0] != points:
        first = xp.broadcast_to(first, (points, *first.shape[1:]))
    if second.shape[0] != points:
        second = xp.broadcast_to(second, (points, *second.shape[1:]))
    return xp.concat([first, second], axis=1)
