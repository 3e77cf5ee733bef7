"""Operations that move entries, or change the shape alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._batched.array import Batched
from xgrad._batched.region import SCATTERED, Region
from xgrad._batched.rules import full, identities, lifted, of_whole, result, whole
from xgrad._batched.trace import Trace


def moved(what: Any, function: Callable[[Array], Array], x: Batched) -> Batched:
    """A function that only moves, repeats or leaves out entries."""
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(what, identities((x,)), lambda: function(xp.asarray(x.base)))
    if x.region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)

    def source() -> Array:
        numbers = xp.arange(math.prod(x.shape), device=x.device)
        return xp.reshape(function(xp.reshape(numbers, x.shape)), (-1,))

    return _moved(what, x, base, trace.kept("source", source), holes=False)


def placed(what: Any, x: Batched, target: Callable[[], Array]) -> Batched:
    """Entries put into an array of zeros.

    ``target`` gives, for each entry of the result, which one of ``x`` it is, or -1.
    """
    trace, xp = x.usable().run, x.run.xp
    origin = trace.kept("target", target)
    shape = tuple(origin.shape)
    origin = xp.reshape(origin, (-1,))

    def base() -> Array:
        if not x.size:
            return xp.zeros(shape, dtype=x.dtype, device=x.device)
        flat = xp.reshape(xp.asarray(x.base), (1, -1))
        return xp.reshape(_taken(xp, flat, origin, holes=True), shape)

    found = trace.once(what, identities((x,)), base)
    if x.region is None or not x.size or not math.prod(shape):
        return Batched(trace, found)
    return _moved(what, x, found, origin, holes=True)


def _taken(xp: Any, flat: Array, origin: Array, holes: bool) -> Array:
    """``flat[:, origin]``, 0 where the origin is -1."""
    if not holes:
        return xp.take(flat, origin, axis=1)
    taken = xp.take(flat, xp.clip(origin, 0, None), axis=1)
    return xp.where(origin >= 0, taken, xp.zeros_like(taken))


def _moved(what: Any, x: Batched, base: Array, origin: Array, holes: bool) -> Batched:
    trace, xp, region = x.run, x.run.xp, x.region
    shape = tuple(base.shape)
    if not region.is_whole and not trace.dense:
        entries = _as_entries(x)
        table = trace.kept("table", lambda: _table(xp, x, origin))
        if entries is not None and table is not None:
            copies = int(table.shape[1])
            if entries.region.count * copies <= SCATTERED:
                return _looked_up(trace, base, entries, table)
    if x.has_diff and region.is_whole:
        diffs = xp.reshape(x.diff, (x.diff.shape[0], -1))
        diff = xp.reshape(_taken(xp, diffs, origin, holes), (-1, 1, *shape))
        return result(trace, base, Region.whole(xp, shape, trace.cache), diff=diff)
    values = xp.reshape(whole(trace, x), (trace.points, -1))
    values = xp.reshape(_taken(xp, values, origin, holes), (-1, *shape))
    return of_whole(trace, base, values)


def _as_entries(x: Batched) -> Batched | None:
    """The same with every axis fixed, where that makes few entries."""
    region = x.region
    inner = region.inner
    many = math.prod(inner)
    if many == 1:
        return x
    if many * region.count > SCATTERED:
        return None
    xp, trace = x.run.xp, x.run

    def make() -> Region:
        points = region.index[region.fixed[0]].shape[0]
        slots = region.count * many
        tail = (None,) * len(inner)
        position = None
        for axis, length in enumerate(region.shape):
            if region.index[axis] is not None:
                here = region.index[axis][(..., *tail)]
            else:
                numbers = xp.arange(length, device=x.device)
                place = region.free.index(axis)
                here = xp.reshape(
                    numbers,
                    (1, 1, *(length if i == place else 1 for i in range(len(inner)))),
                )
            position = here if position is None else position * length + here
        position = xp.reshape(
            xp.broadcast_to(position, (points, region.count, *inner)), (points, slots)
        )
        valid = region.valid
        if valid is not None:
            valid = xp.broadcast_to(valid[(..., *tail)], (points, region.count, *inner))
            valid = xp.reshape(valid, (points, slots))
        return Region.at(xp, region.shape, position, valid, region.cache)

    small = region.child("entries", make)
    return Batched(trace, x.base, small, **_reshaped(x, small))


def _reshaped(x: Batched, region: Region) -> dict[str, Any]:
    """What is known of ``x``, in the layout of a region of the same entries."""
    xp = x.run.xp
    shape = (-1, region.count, *region.inner)
    known = {"diff": x.known_diff, "value": x.known_value}
    return {
        name: xp.reshape(part, shape)
        for name, part in known.items()
        if part is not None
    }


def _table(xp: Any, x: Batched, origin: Array) -> Array | None:
    """For each entry, at which places of the result it stands; -1 for none.

    ``(entries, copies)``; None where there would be too many copies.
    """
    size, count = math.prod(x.shape), int(origin.shape[0])
    order = xp.argsort(origin, stable=True)
    ordered = xp.take(origin, order)
    numbers = xp.arange(size, dtype=origin.dtype, device=device_of(origin))
    start = xp.searchsorted(ordered, numbers)
    stop = xp.searchsorted(ordered, numbers, side="right")
    copies = max(1, int(xp.max(stop - start)))
    if copies > SCATTERED or copies * size > 8 * (size + count):
        return None
    ranks = xp.arange(copies, dtype=start.dtype, device=device_of(start))
    places = start[:, None] + ranks[None, :]
    inside = places < stop[:, None]
    places = xp.where(inside, places, xp.zeros_like(places))
    found = xp.reshape(xp.take(order, xp.reshape(places, (-1,))), places.shape)
    return xp.where(inside, found, -xp.ones_like(found))


def _looked_up(trace: Trace, base: Array, x: Batched, table: Array) -> Batched:
    """Entries where a table says that they stand now."""
    xp, region = trace.xp, x.region
    copies = int(table.shape[1])
    slots = region.count * copies
    places = region.position(region.fixed)
    points = places.shape[0]
    found = xp.take(table, xp.reshape(places, (-1,)), axis=0)
    found = xp.reshape(found, (points, slots))
    valid = found >= 0

    def repeated(part: Array) -> Array:
        part = xp.reshape(part, (part.shape[0], region.count, 1))
        part = xp.broadcast_to(part, (part.shape[0], region.count, copies))
        return xp.reshape(part, (part.shape[0], slots))

    if region.valid is not None:
        valid = valid & repeated(region.valid)
    known = {
        name: repeated(part)
        for name, part in (("diff", x.known_diff), ("value", x.known_value))
        if part is not None
    }
    if trace.numpy:
        if valid.all():
            valid = None
        elif slots > 1:
            found, valid, known = _compact(found, valid, known)
    if math.prod(base.shape) == 1:
        return _single(trace, base, known, valid)
    if valid is not None:
        found = xp.where(valid, found, xp.zeros_like(found))
        if "diff" in known:
            known["diff"] = xp.where(valid, known["diff"], 0)
    return _at(trace, base, found, valid, known)


def _at(
    trace: Trace, base: Array, found: Array, valid: Any, known: dict[str, Array]
) -> Batched:
    region = Region.at(trace.xp, tuple(base.shape), found, valid, trace.cache)
    tail = (1,) * len(region.inner)
    known = {
        name: trace.xp.reshape(part, (*part.shape, *tail))
        for name, part in known.items()
    }
    return result(trace, base, region, **known)


def _compact(found: Any, valid: Any, known: dict[str, Any]) -> tuple[Any, Any, Any]:
    """One slot instead of several, where no point uses more (arrays of NumPy)."""
    if valid.sum(axis=1).max() > 1:
        return found, valid, known
    slot = valid.argmax(axis=1)
    numbers = np.arange(slot.shape[0])

    def pick(part: Any) -> Any:
        return part[numbers, slot][:, None]

    return pick(found), pick(valid), {name: pick(part) for name, part in known.items()}


def _single(trace: Trace, base: Array, known: dict[str, Array], valid: Any) -> Batched:
    """An array of one entry, from slots of which at most one is valid."""
    xp = trace.xp
    region = Region.whole(xp, tuple(base.shape), trace.cache)
    shape = (-1, 1, *base.shape)
    if valid is None:
        return result(
            trace,
            base,
            region,
            **{
                name: full(trace, xp.reshape(part, shape), region)
                for name, part in known.items()
            },
        )
    if "diff" in known:
        diff = xp.sum(xp.where(valid, known["diff"], 0), axis=1)
        diff = full(trace, xp.reshape(diff, shape), region)
        return result(trace, base, region, diff=diff)
    here = xp.any(valid, axis=1)
    value = known["value"]
    if value.shape[1] > 1:
        slot = xp.argmax(xp.astype(valid, xp.int8), axis=1, keepdims=True)
        value = xp.take_along_axis(value, slot, axis=1)
    value = xp.where(here, value[:, 0], xp.reshape(base, (1,)))
    return result(
        trace, base, region, value=full(trace, xp.reshape(value, shape), region)
    )


def reshaped(x: Batched, shape: tuple[int, ...]) -> Batched:
    """In another shape, in C order."""
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(
        "reshape", (identities((x,)), shape), lambda: xp.reshape(x.base, shape)
    )
    region = x.region
    if region is None:
        return Batched(trace, base)
    shape = tuple(base.shape)
    if region.is_whole:
        new = region.child(
            ("reshape", shape), lambda: Region.whole(xp, shape, trace.cache)
        )
        return result(trace, base, new, **_reshaped(x, new))
    long = [axis for axis, n in enumerate(x.shape) if n > 1]
    axes = [axis for axis, n in enumerate(shape) if n > 1]
    if [x.shape[axis] for axis in long] == [shape[axis] for axis in axes]:
        # Only axes of length 1 come or go.
        new = region.child(
            ("reshape", shape), lambda: _relabelled(region, long, axes, shape)
        )
        return result(trace, base, new, **_reshaped(x, new))
    entries = _as_entries(x)
    if entries is None:
        values = xp.reshape(whole(trace, x), (trace.points, *shape))
        return of_whole(trace, base, values)
    small = entries.region
    new = small.child(
        ("reshape", shape),
        lambda: Region.at(
            xp, shape, small.position(small.fixed), small.valid, trace.cache
        ),
    )
    return result(trace, base, new, **_reshaped(entries, new))


def _relabelled(
    region: Region, old: list[int], new: list[int], shape: tuple[int, ...]
) -> Region:
    index: list[Any] = [None] * len(shape)
    origins: list[Any] = [None] * len(shape)
    for a, b in zip(old, new, strict=True):
        index[b], origins[b] = region.index[a], region.origins[a]
    return Region(
        region.xp,
        shape,
        tuple(index),
        region.valid,
        region.count,
        region.cache,
        tuple(origins),
    )


def permuted(x: Batched, axes: tuple[int, ...]) -> Batched:
    """Axes in another order."""
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(
        "permute", (identities((x,)), axes), lambda: xp.permute_dims(x.base, axes)
    )
    region = x.region
    if region is None:
        return Batched(trace, base)

    def make() -> Region:
        return Region(
            xp,
            tuple(base.shape),
            tuple(region.index[a] for a in axes),
            region.valid,
            region.count,
            region.cache,
            tuple(region.origins[a] for a in axes),
        )

    new = region.child(("permute", axes), make)
    order = [region.free.index(a) for a in axes if a in region.free]
    inner = (0, 1, *(2 + i for i in order))

    def turned(part: Array) -> Array:
        return part if order == sorted(order) else xp.permute_dims(part, inner)

    known = {
        name: turned(part)
        for name, part in (("diff", x.known_diff), ("value", x.known_value))
        if part is not None
    }
    return result(trace, base, new, **known)


def broadcast(x: Batched, shape: tuple[int, ...]) -> Batched:
    """Repeated along new axes and those of length 1."""
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(
        "broadcast",
        (identities((x,)), shape),
        lambda: xp.broadcast_to(xp.asarray(x.base), shape),
    )
    if x.region is None:
        return Batched(trace, base)
    region, reach = lifted(x.region, shape)
    known = {
        name: full(trace, reach(part, None), region)
        for name, part in (("diff", x.known_diff), ("value", x.known_value))
        if part is not None
    }
    return result(trace, base, region, **known)
