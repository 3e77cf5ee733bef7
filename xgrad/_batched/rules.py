"""What an operation does to arrays of which few entries differ.

Each rule computes the base once and, at the entries that differ, as little as it can:
linear operations carry differences on, the others evaluate values where something
changed. Whatever has no rule of its own is evaluated everywhere, `everywhere`, which is
always right.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._array import Array, device_of
from xgrad._batched.array import Batched, Trace
from xgrad._batched.region import SCATTERED, Region, join, put

# A reduction of more entries than these looks at the others of a fibre only once.
LONG = 64
# From so many points on it pays to look whether all slots exist.
MANY = 1024


def trace_of(operands: Sequence[Any]) -> Trace:
    """The evaluation that some of the operands belong to."""
    for operand in operands:
        if isinstance(operand, Batched):
            return operand.run
    raise TypeError("no operand is batched")


def bases_of(operands: Sequence[Any]) -> list[Any]:
    """The operands at the base."""
    return [o.base if isinstance(o, Batched) else o for o in operands]


def identities(operands: Sequence[Any]) -> list[int]:
    """What tells whether the same operands come again: those that are batched."""
    return [id(o.base) for o in operands if isinstance(o, Batched)]


def result(trace: Trace, base: Array, region: Region | None, **known: Any) -> Batched:
    """A batched array, counted."""
    if region is not None:
        trace.note(region.width, base.size)
    return Batched(trace, base, region, **known)


# Elementwise operations

NUMBERS = (int, float, complex)

# Which operations are linear, and in which arguments.
LINEAR = {
    "add": "both",
    "sub": "both",
    "subtract": "both",
    "mul": "one",
    "multiply": "one",
    "truediv": "first",
    "divide": "first",
    "true_divide": "first",
    "neg": "first",
    "negative": "first",
    "pos": "first",
    "positive": "first",
    "real": "first",
    "imag": "first",
    "conj": "first",
    "conjugate": "first",
    "where": "branches",
}


def elementwise(function: Callable[..., Any], *operands: Any) -> Batched:
    """A function of entries at the same place, with broadcasting."""
    if len(operands) == 1:
        return _of_one(function, operands[0], function, False)
    if len(operands) == 2:
        a, b = operands
        if isinstance(b, NUMBERS):
            return _of_one(function, a, lambda x: function(x, b), False)
        if isinstance(a, NUMBERS):
            return _of_one(function, b, lambda x: function(a, x), True)
    changed, trace = [], None
    for i, operand in enumerate(operands):
        if isinstance(operand, Batched):
            if operand.owner is not None or operand.stale:
                operand.usable()
            trace = operand.run
            if operand.region is not None:
                changed.append(i)
    if trace is None:
        raise TypeError("no operand is batched")
    base = trace.once(
        function, identities(operands), lambda: function(*bases_of(operands))
    )
    if not changed:
        return Batched(trace, base)
    linear = None if trace.dense else LINEAR.get(function.__name__)
    if linear and _carries(linear, changed, operands):
        return _linear(function, base, operands, changed, trace)
    if len(changed) == 1 and operands[changed[0]].base.shape == base.shape:
        region = operands[changed[0]].region
        values = [
            o.value if i == changed[0] else constant(trace, o, region)
            for i, o in enumerate(operands)
        ]
    else:
        region, carried = _meet(operands, changed, base.shape)
        values = [
            carried[i](o.value, functools.partial(_bases, trace, o.base))
            if i in carried
            else constant(trace, o, region)
            for i, o in enumerate(operands)
        ]
    value = function(*values)
    if value.shape != (trace.points, *region.extent):
        value = full(trace, value, region)
    return result(trace, base, region, value=value)


def _of_one(
    function: Callable[..., Any], x: Batched, call: Callable[[Any], Any], reflected: bool
) -> Batched:
    """A function of one array, and perhaps of a number (``reflected``: before it)."""
    if x.owner is not None or x.stale:
        x.usable()
    trace, region, base = x.run, x.region, x.base
    base = trace.once(function, [id(base)], lambda: call(x.base))
    if region is None:
        return Batched(trace, base)
    trace.note(region.width, base.size)
    diff = x._diff
    kind = None if diff is None or trace.dense else LINEAR.get(function.__name__)
    if kind == "both":
        negated = reflected and function.__name__ in ("sub", "subtract")
        diff = -diff if negated else diff
    elif kind == "one" or (kind == "first" and not reflected):
        diff = call(diff)
    else:
        return Batched(trace, base, region, None, call(x.value))
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    return Batched(trace, base, region, diff)


def _carries(linear: str, changed: list[int], operands: Sequence[Any]) -> bool:
    """Whether the operation is linear in what changed, with differences known."""
    if not all([operands[i].has_diff for i in changed]):
        return False
    if linear == "both":
        return True
    if linear == "branches":
        return changed[0] != 0
    return len(changed) == 1 and (linear == "one" or changed[0] == 0)


def _linear(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    changed: list[int],
    trace: Trace,
) -> Batched:
    """Differences, carried on exactly."""
    xp = trace.xp
    if len(changed) == 1 and operands[changed[0]].base.shape == base.shape:
        region = operands[changed[0]].region
        diffs = {changed[0]: operands[changed[0]].diff}
    else:
        region, carried = _meet(operands, changed, base.shape)
        diffs = {
            i: carried[i](
                operands[i].diff, functools.partial(_zeros, xp, operands[i].diff)
            )
            for i in changed
        }
    kind = LINEAR[function.__name__]
    if kind == "branches":
        zero = _zeros(xp, base, region)
        branches = [diffs.get(1, zero), diffs.get(2, zero)]
        diff = function(constant(trace, operands[0], region), *branches)
    elif len(changed) == len(operands):
        diff = function(*diffs.values())
    elif kind == "both":
        # A constant beside it drops out; in front of a minus it turns the sign.
        diff = diffs[changed[0]]
        if changed[0] == 1 and function.__name__ in ("sub", "subtract"):
            diff = -diff
    else:
        parts = [
            diffs[i] if i in diffs else constant(trace, o, region)
            for i, o in enumerate(operands)
        ]
        diff = function(*parts)
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    if diff.shape != (trace.points, *region.extent):
        diff = full(trace, diff, region)
    if len(changed) > 1 and region.valid is not None:
        diff = region.masked(diff)
    return result(trace, base, region, diff=diff)


def _bases(trace: Trace, base: Array, region: Region) -> Array:
    """The base on a region, one for each slot."""
    found = region.gather(base, trace.rows)
    if found.shape[1] != region.count:
        found = trace.xp.broadcast_to(
            found, (found.shape[0], region.count, *found.shape[2:])
        )
    return found


def _zeros(xp: Any, like: Array, region: Region) -> Array:
    shape = (1, region.count, *(1,) * len(region.inner))
    return xp.zeros(shape, dtype=like.dtype, device=device_of(like))


def constant(trace: Trace, operand: Any, region: Region) -> Any:
    """A number or an array that is the same at all points, on a region."""
    if isinstance(operand, Batched):
        operand = operand.base
    if getattr(operand, "ndim", 0) == 0:
        return operand
    return region.gather(operand, trace.rows)


def full(trace: Trace, known: Array, region: Region) -> Array:
    """``known`` with an entry for each point and each of the region's."""
    shape = (trace.points, *region.extent)
    return known if known.shape == shape else trace.xp.broadcast_to(known, shape)


def _meet(
    operands: Sequence[Any], changed: list[int], shape: tuple[int, ...]
) -> tuple[Region, dict[int, Callable[..., Array]]]:
    """The region on which operands meet, and how each gets there."""
    region: Region | None = None
    ways: dict[int, list[Any]] = {}
    for i in changed:
        own = operands[i].region
        way: list[Any] = []
        if own.shape != shape:
            own, reach = lifted(own, shape)
            way.append(reach)
        if region is None or region is own:
            region = own
        else:
            joined = join(region, own)
            for earlier in ways.values():
                earlier.append(joined.first)
            way.append(joined.second)
            region = joined.region
        ways[i] = way
    assert region is not None
    return region, {i: functools.partial(_along, way) for i, way in ways.items()}


def _along(
    way: list[Any], known: Array, elsewhere: Callable[[Region], Array]
) -> Array:
    for step in way:
        known = step(known, elsewhere)
    return known


def lifted(
    region: Region, shape: tuple[int, ...]
) -> tuple[Region, Callable[..., Array]]:
    """The region in a shape that its own broadcasts to, and how to get there."""

    def make() -> Region:
        lead = len(shape) - len(region.shape)
        index = (None,) * lead + region.index
        origins = (None,) * lead + region.origins
        return Region(
            region.xp,
            shape,
            index,
            region.valid,
            region.count,
            region.cache,
            origins,
        )

    lead = len(shape) - len(region.shape)
    return region.child(("lift", shape), make), functools.partial(_lengthen, lead)


def _lengthen(lead: int, known: Array, elsewhere: Any) -> Array:
    if not lead:
        return known
    return known[(slice(None), slice(None), *(None,) * lead, ...)]


# Everything at once


def whole(trace: Trace, x: Any) -> Any:
    """All entries at all points, ``(points, *shape)``; what is constant as it is."""
    if not isinstance(x, Batched):
        return x
    x = x.usable()
    xp, shape = trace.xp, x.shape
    if x.region is None:
        return xp.broadcast_to(xp.asarray(x.base)[None, ...], (trace.points, *shape))
    if x.region.is_whole:
        return x.value[:, 0, ...]
    outer = Region.whole(xp, shape, x.region.cache)
    value = put(outer, xp.reshape(x.base, (1, 1, *shape)), x.region, x.value)
    return value[:, 0, ...]


def differences(trace: Trace, x: Batched, dtype: Any) -> Array:
    """How much every entry differs at all points, ``(points, *shape)``."""
    xp, shape = trace.xp, x.shape
    if x.region is None:
        zero = xp.zeros((), dtype=dtype, device=x.device)
        return xp.broadcast_to(zero, (trace.points, *shape))
    diff = x.diff_as(dtype)
    if not x.region.is_whole:
        outer = Region.whole(xp, shape, x.region.cache)
        zero = xp.zeros((1, 1, *(1,) * len(shape)), dtype=dtype, device=x.device)
        diff = put(outer, zero, x.region, diff)
    return diff[:, 0, ...]


def of_whole(trace: Trace, base: Array, values: Array) -> Batched:
    """A batched array of all entries at all points."""
    region = trace.cache.get(("whole", tuple(base.shape)))
    if region is None:
        region = Region.whole(trace.xp, tuple(base.shape), trace.cache)
        trace.cache["whole", tuple(base.shape)] = region
    return result(trace, base, region, value=full(trace, values[:, None, ...], region))


def everywhere(
    what: Any,
    plain: Callable[..., Any],
    many: Callable[..., Any],
    *operands: Any,
) -> Any:
    """A function evaluated for all entries: ``plain`` at the base, ``many`` at points.

    ``many`` gets ``(points, *shape)`` for what is batched. Both may return tuples.
    """
    trace = trace_of(operands)
    base = trace.once(what, identities(operands), lambda: plain(*bases_of(operands)))
    if all(o.region is None for o in operands if isinstance(o, Batched)):
        if isinstance(base, (tuple, list)):
            return tuple(Batched(trace, part) for part in base)
        return Batched(trace, base)
    found = many(*(whole(trace, o) for o in operands))
    if isinstance(base, (tuple, list)):
        return tuple(
            of_whole(trace, part, values)
            for part, values in zip(base, found, strict=True)
        )
    return of_whole(trace, base, found)


# Entries that move


def moved(what: Any, function: Callable[[Array], Array], x: Batched) -> Batched:
    """A function that only moves, repeats or leaves out entries."""
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(what, identities((x,)), lambda: function(xp.asarray(x.base)))
    if x.region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)

    def source() -> Array:
        numbers = xp.arange(math.prod(x.shape), device=x.device)
        return xp.reshape(function(xp.reshape(numbers, x.shape)), (-1,))

    return _moved(what, x, base, trace.once((what, "source"), (), source), holes=False)


def placed(what: Any, x: Batched, target: Callable[[], Array]) -> Batched:
    """Entries put into an array of zeros.

    ``target`` gives, for each entry of the result, which one of ``x`` it is, or -1.
    """
    trace, xp = x.usable().run, x.run.xp
    origin = trace.once((what, "source"), (), target)
    shape = tuple(origin.shape)
    origin = xp.reshape(origin, (-1,))

    def base() -> Array:
        flat = xp.reshape(xp.asarray(x.base), (1, -1))
        return xp.reshape(_taken(xp, flat, origin, holes=True), shape)

    found = trace.once(what, identities((x,)), base)
    if x.region is None or not math.prod(shape):
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
        table = trace.once((what, "table"), (), lambda: _table(xp, x, origin))
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
    known = {"diff": x._diff, "value": x._value}
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
        for name, part in (("diff", x._diff), ("value", x._value))
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


def _single(
    trace: Trace, base: Array, known: dict[str, Array], valid: Any
) -> Batched:
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
        new = region.child(("reshape", shape), lambda: _relabelled(region, long, axes, shape))
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
        for name, part in (("diff", x._diff), ("value", x._value))
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
        for name, part in (("diff", x._diff), ("value", x._value))
        if part is not None
    }
    return result(trace, base, region, **known)


# Indexing with numbers and slices


def sliced(x: Batched, key: tuple[Any, ...]) -> Batched:
    """``x[key]`` for integers, slices and None, one for each axis."""
    trace, xp = x.run, x.run.xp
    frozen = tuple(
        (k.start, k.stop, k.step) if isinstance(k, slice) else k for k in key
    )
    base = trace.once(
        "slice", (identities((x,)), frozen), lambda: x.base[key]
    )
    region = x.region
    if region is None or math.prod(base.shape) == 0:
        return Batched(trace, base)
    new, inner, valid = region.child(
        ("slice", frozen), lambda: _sliced(region, key, tuple(base.shape), trace)
    )
    known = {
        name: part[inner]
        for name, part in (("diff", x._diff), ("value", x._value))
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
    # Where entries were clipped they are not valid: it is a constant shift all the same.
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


# Reductions


def summed(
    what: Any,
    function: Callable[..., Any],
    x: Batched,
    axes: tuple[int, ...],
    keepdims: bool,
    divisor: int = 1,
) -> Batched:
    """A sum over axes, divided by a number: differences add up exactly.

    ``function(array, axes, keepdims)`` is the same at the base.
    """
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(
        (what, axes, keepdims),
        identities((x,)),
        lambda: function(x.base, axes, keepdims),
    )
    region = x.region
    if region is None:
        return Batched(trace, base)
    if trace.dense:
        shifted = tuple(axis + 1 for axis in axes)
        return of_whole(trace, base, function(whole(trace, x), shifted, keepdims))
    diff = x.diff_as(base.dtype)
    free = region.free
    inner = tuple([2 + free.index(axis) for axis in axes if axis in free])
    if inner:
        diff = xp.sum(diff, axis=inner, dtype=base.dtype)
    if len(axes) == len(region.shape):
        new, drops = Region.whole(xp, base.shape, trace.cache), True
    else:
        new, drops = region.child(
            ("reduce", axes, keepdims), lambda: _reduced(region, axes, keepdims)
        )
    if region.count > 1 and new.is_whole:
        diff = xp.sum(diff, axis=1, keepdims=True, dtype=base.dtype)
    elif region.count > 1 and drops:
        new, diff = _merged(new, diff)
    diff = diff.reshape((diff.shape[0], *new.extent))
    if divisor != 1:
        diff = diff / divisor
    return result(trace, base, new, diff=full(trace, diff, new))


def _reduced(
    region: Region, axes: tuple[int, ...], keepdims: bool
) -> tuple[Region, bool]:
    """The region after a reduction, and whether slots may have fallen together."""
    index, origins, shape = [], [], []
    for axis, length in enumerate(region.shape):
        if axis not in axes:
            index.append(region.index[axis])
            origins.append(region.origins[axis])
            shape.append(length)
        elif keepdims:
            index.append(None)
            origins.append(None)
            shape.append(1)
    drops = any(region.index[axis] is not None for axis in axes)
    fixed = any(i is not None for i in index)
    new = Region(
        region.xp,
        tuple(shape),
        tuple(index),
        region.valid if fixed else None,
        region.count if fixed else 1,
        region.cache,
        tuple(origins),
    )
    return new, drops


def _merged(region: Region, diff: Array) -> tuple[Region, Array]:
    """Slots that have fallen together as one, their differences added."""
    xp = region.xp
    position = region.position(region.fixed)
    equal = position[:, :, None] == position[:, None, :]
    if region.valid is not None:
        equal = equal & region.valid[:, None, :] & region.valid[:, :, None]
    numbers = xp.arange(region.count, device=device_of(position))
    earlier = equal & (numbers[None, :] < numbers[:, None])[None, ...]
    first = ~xp.any(earlier, axis=2)
    tail = (None,) * (diff.ndim - 2)
    added = xp.where(equal[(..., *tail)], diff[:, None, ...], 0)
    diff = xp.sum(added, axis=2, dtype=diff.dtype)
    valid = first if region.valid is None else region.valid & first
    new = Region(
        xp, region.shape, region.index, valid, region.count, region.cache, region.origins
    )
    return new, new.masked(diff)


def widened(x: Batched, axes: tuple[int, ...]) -> tuple[Region, Array]:
    """The region with some axes whole, and all values there."""
    trace, region = x.run, x.region
    free = all(region.index[axis] is None for axis in axes)
    if free:
        return region, x.value
    if region.count > 1:
        axes = tuple(range(len(region.shape)))

    def make() -> Region:
        index = tuple(
            None if axis in axes else i for axis, i in enumerate(region.index)
        )
        origins = tuple(
            None if axis in axes else i for axis, i in enumerate(region.origins)
        )
        fixed = any(i is not None for i in index)
        return Region(
            region.xp,
            region.shape,
            index,
            region.valid if fixed else None,
            region.count if fixed else 1,
            region.cache,
            origins,
        )

    outer = region.child(("widen", axes), make)
    if outer.is_whole:
        return outer, whole(trace, x)[:, None, ...]
    return outer, put(outer, outer.gather(x.base, trace.rows), region, x.value)


def along(
    what: Any,
    function: Callable[..., Any],
    x: Batched,
    axes: tuple[int, ...],
    keepdims: bool | None,
    leave_one_out: tuple[Callable[..., Array], Callable[..., Array]] | None = None,
) -> Batched:
    """A function of whole fibres: only those that something changed are looked at.

    ``function(array, axes, keepdims)`` reduces them, or (``keepdims`` None) keeps their
    length. ``leave_one_out`` makes, of a base, the reduction of all other entries for
    each entry, and joins that with an entry.
    """
    trace, xp = x.usable().run, x.run.xp
    base = trace.once(
        (what, axes, keepdims),
        identities((x,)),
        lambda: function(x.base, axes, keepdims),
    )
    region = x.region
    if region is None:
        return Batched(trace, base)
    entries = region.width == 1 and not region.is_whole and region.valid is None
    everything = len(axes) == len(x.shape) and x.size > LONG
    if leave_one_out and entries and everything and not trace.dense:
        others, joined = leave_one_out
        table = trace.once((what, "others"), identities((x,)), lambda: others(xp, x.base))
        value = joined(xp, region.gather(table, trace.rows), x.value)
        new = Region.whole(xp, tuple(base.shape), trace.cache)
        return result(
            trace, base, new, value=xp.reshape(value, (-1, 1, *base.shape))
        )
    outer, values = widened(x, axes)
    free = outer.free
    inner = tuple(2 + free.index(axis) for axis in axes)
    found = function(values, inner, keepdims)
    if keepdims is None:
        return result(trace, base, outer, value=full(trace, found, outer))
    new, _ = outer.child(
        ("reduce", axes, keepdims), lambda: _reduced(outer, axes, keepdims)
    )
    found = xp.reshape(found, (found.shape[0], new.count, *new.inner))
    return result(trace, base, new, value=full(trace, found, new))


# Products of matrices


def product(
    what: Any, plain: Callable[..., Any], many: Callable[..., Any], a: Any, b: Any
) -> Batched:
    """``a @ b``: with a constant an entry becomes a row or a column of the result."""
    trace = trace_of((a, b))
    changed = [o for o in (a, b) if isinstance(o, Batched) and o.region is not None]
    flat = all(getattr(o, "ndim", 0) in (1, 2) for o in (a, b))
    if (
        len(changed) != 1
        or not flat
        or trace.dense
        or not changed[0].usable().has_diff
    ):
        return everywhere(what, plain, many, a, b)
    xp, x = trace.xp, changed[0]
    base = trace.once(what, identities((a, b)), lambda: plain(*bases_of((a, b))))
    left = x is a
    other = b if left else a
    other = other.base if isinstance(other, Batched) else other
    if other.dtype != base.dtype:
        other = xp.astype(other, base.dtype)
    region, diff = x.region, x.diff_as(base.dtype)
    # As if the changed one stood on the left: rows of it are summed along.
    if x.ndim == 1:
        rows_index, sum_index = None, region.index[0]
        diff = diff[:, :, None, ...]
    else:
        rows_axis, sum_axis = (0, 1) if left else (1, 0)
        rows_index, sum_index = region.index[rows_axis], region.index[sum_axis]
        if not left and len(region.free) == 2:
            diff = xp.permute_dims(diff, (0, 1, 3, 2))
    if sum_index is None:
        if other.ndim == 1:
            matrix = other[:, None]
        else:
            matrix = other if left else xp.matrix_transpose(other)
        diff = diff @ matrix
    else:
        if other.ndim == 1:
            table = other[:, None]
        else:
            table = trace.rows(other, (0,) if left else (1,))
        picked = xp.take(table, xp.reshape(sum_index, (-1,)), axis=0)
        picked = xp.reshape(picked, (*sum_index.shape, -1))
        if rows_index is None:
            picked = picked[:, :, None, :]
        diff = diff[..., None] * picked
    return _product(trace, base, x, rows_index, diff, left)


def _product(
    trace: Trace, base: Array, x: Batched, rows_index: Any, diff: Array, left: bool
) -> Batched:
    """Rows ``(points, slots, [rows,] n)`` put where they belong."""
    xp, region = trace.xp, x.region
    shape = tuple(base.shape)
    if rows_index is None:
        # Every row: slots add up.
        if diff.shape[1] > 1:
            diff = xp.sum(diff, axis=1, keepdims=True)
        if not left and diff.ndim == 4:
            diff = xp.permute_dims(diff, (0, 1, 3, 2))
        new = Region.whole(xp, shape, trace.cache)
        return result(
            trace, base, new, diff=full(trace, xp.reshape(diff, (-1, 1, *shape)), new)
        )
    axis = 0 if left or len(shape) == 1 else 1

    def make() -> Region:
        index: list[Any] = [None] * len(shape)
        origins: list[Any] = [None] * len(shape)
        source = 0 if left else 1
        index[axis], origins[axis] = rows_index, region.origins[source]
        return Region(
            xp,
            shape,
            tuple(index),
            region.valid,
            region.count,
            region.cache,
            tuple(origins),
        )

    new = region.child(("product", shape, left), make)
    diff = xp.reshape(diff, (diff.shape[0], new.count, *new.inner))
    if new.count > 1:
        new, diff = _merged(new, diff)
    return result(trace, base, new, diff=full(trace, diff, new))
