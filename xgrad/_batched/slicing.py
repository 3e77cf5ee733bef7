"""Indexing with integers, slices and None."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.region import Region
from xgrad._batched.rules import MANY, full, identities, result
from xgrad._batched.trace import Trace


def sliced_vector(x: Batched, key: slice) -> Batched:
    """``x[key]`` of an array of one axis: the commonest case, in fewer words."""
    region, trace = x.region, x.run
    length = x.base.shape[0]
    start, stop, step = key.indices(length)
    count = stop - start
    if region is None or step != 1 or count < 2 or region.is_whole:
        return sliced(x, (key,))
    base = trace.once("slice", [id(x.base), start, stop], lambda: x.base[key])
    new = region.child(
        ("vector", start, stop), lambda: _part_of_vector(region, start, count, length)
    )
    diff, value = x.known_diff, x.known_value
    if new.valid is not region.valid and diff is not None:
        diff, value = new.masked(diff), None
    trace.note(new.width, count)
    return Batched(trace, base, new, diff, value)


def _part_of_vector(region: Region, start: int, count: int, length: int) -> Region:
    xp, valid, place = region.xp, region.valid, region.index[0]
    if start:
        place = place - start
        inside = place >= 0
        valid = inside if valid is None else valid & inside
        place = xp.maximum(place, 0)
    if start + count < length:
        inside = place < count
        valid = inside if valid is None else valid & inside
        place = xp.minimum(place, count - 1)
    source, shift = region.origins[0]
    origins = ((source, shift - start),)
    return Region(xp, (count,), (place,), valid, region.count, region.cache, origins)


def sliced(x: Batched, key: tuple[Any, ...]) -> Batched:
    """``x[key]`` for integers, slices and None, one for each axis."""
    trace = x.run
    frozen = tuple(
        (k.start, k.stop, k.step) if isinstance(k, slice) else k for k in key
    )
    base = trace.once("slice", (identities((x,)), frozen), lambda: x.base[key])
    region = x.region
    if region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)
    new, inner, valid = region.child(
        ("slice", frozen), lambda: _sliced(region, key, tuple(base.shape), trace)
    )
    known = {
        name: part[inner]
        for name, part in (("diff", x.known_diff), ("value", x.known_value))
        if part is not None
    }
    if new.is_whole and region.fixed:
        if region.count > 1 or valid is not None:
            return _collapsed(trace, base, new, known, valid)
        return result(trace, base, new, **known)
    if new.valid is not None and "diff" in known and new.valid is not region.valid:
        known["diff"] = new.masked(known["diff"])
    return result(trace, base, new, **known)


def _sliced(
    region: Region, key: tuple[Any, ...], shape: tuple[int, ...], trace: Trace
) -> tuple[Region, tuple[Any, ...], Any]:
    """The region of a slice, the key of what is known there, and what is valid."""
    xp = region.xp
    index: list[Any] = []
    origins: list[Any] = []
    inner: list[Any] = [slice(None), slice(None)]
    valid = region.valid
    axis = 0
    # To look whether all are inside pays where that saves work on many points.
    many = trace.numpy and trace.points >= MANY

    def restrict(here: Array) -> None:
        nonlocal valid
        valid = here if valid is None else valid & here

    for k in key:
        if k is None:
            index.append(None)
            origins.append(None)
            inner.append(None)
            continue
        old, length = region.index[axis], region.shape[axis]
        origin = region.origins[axis]
        axis += 1
        if not isinstance(k, slice):
            number = k + length if k < 0 else k
            if old is None:
                inner.append(number)
            else:
                restrict(old == number)
            continue
        start, stop, step = k.indices(length)
        count = len(range(start, stop, step))
        if old is None:
            index.append(None)
            origins.append(None)
            inner.append(k)
            continue
        if (start, count, step) == (0, length, 1):
            index.append(old)
            origins.append(origin)
            continue
        place = old - start if start else old
        if step != 1:
            restrict(place % step == 0)
            place = place // step
        if not (start == 0 and step == 1):
            inside = place >= 0
            if not (many and inside.all()):
                restrict(inside)
                place = xp.maximum(place, 0)
        if not (start + count == length and step == 1):
            inside = place < count
            if not (many and inside.all()):
                restrict(inside)
                place = xp.minimum(place, count - 1)
        if count == 1:
            index.append(None)
            origins.append(None)
            inner.append(None)
            continue
        index.append(place)
        origins.append((origin[0], origin[1] - start) if step == 1 else None)
    # Where entries were clipped they are not valid: the shift stays a constant.
    marks = tuple(
        (id(i), 0) if i is not None and o is None else o
        for i, o in zip(index, origins, strict=True)
    )
    fixed = any(i is not None for i in index)
    new = Region(
        xp,
        shape,
        tuple(index),
        valid if fixed else None,
        region.count if fixed else 1,
        region.cache,
        marks,
    )
    return new, tuple(inner), valid


def _collapsed(
    trace: Trace, base: Array, new: Region, known: dict[str, Array], valid: Any
) -> Batched:
    """Slots of which at most one is valid at each point, as one that is whole."""
    xp = trace.xp

    def beside(part: Array) -> Array:
        return valid[(..., *(None,) * (part.ndim - 2))]

    if "diff" in known:
        diff = known["diff"]
        if valid is not None:
            diff = xp.where(beside(diff), diff, 0)
        diff = xp.sum(diff, axis=1, keepdims=True, dtype=diff.dtype)
        return result(trace, base, new, diff=full(trace, diff, new))
    value = known["value"]
    shape = tuple(base.shape)
    found = xp.reshape(xp.asarray(base), (1, *shape))
    for slot in range(value.shape[1]):
        part = value[:, slot, ...]
        if valid is None:
            found = part
        else:
            here = valid[:, slot][(..., *(None,) * len(shape))]
            found = xp.where(here, part, found)
    return result(trace, base, new, value=full(trace, found[:, None, ...], new))
