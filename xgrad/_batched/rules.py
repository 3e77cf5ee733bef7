"""What an operation does to arrays of which few entries differ.

Each rule computes the base once and, at the entries that differ, as little as it can:
linear operations carry differences on, the others evaluate values where something
changed. Whatever has no rule of its own is evaluated everywhere, `everywhere`, which is
always right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of
from xgrad._batched.array import Batched
from xgrad._batched.region import Region, join, put
from xgrad._batched.trace import Trace

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
    linear = None if trace.dense else _kind(function)
    if linear == "both" and len(changed) == len(operands) == 2:
        found = _added(function, base, *operands, trace)
        if found is not None:
            return found
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
    function: Callable[..., Any],
    x: Batched,
    call: Callable[[Any], Any],
    reflected: bool,
) -> Batched:
    """A function of one array, and perhaps of a number (``reflected``: before it)."""
    if x.owner is not None or x.stale:
        x.usable()
    trace, region, base = x.run, x.region, x.base
    base = trace.once(function, [id(base)], lambda: _as_numpy(call(x.base)))
    if region is None:
        return Batched(trace, base)
    trace.note(region.width, base.size)
    diff: Any = x.known_diff
    kind = None if diff is None or trace.dense else _kind(function)
    if kind == "both":
        negated = reflected and _subtracts(function)
        diff = -diff if negated else diff
    elif kind == "one" or (kind == "first" and not reflected):
        diff = call(diff)
        if not trace.kept("finite", lambda: _all_finite(trace, base)):
            trace.formed.append(diff)
    else:
        return Batched(trace, base, region, None, call(x.value))
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    return Batched(trace, base, region, diff)


def _as_numpy(found: Any) -> Any:
    """What an operation gives; a complex number times one of NumPy is of Python."""
    return np.asarray(found)[()] if type(found) in NUMBERS else found


def _kind(function: Any) -> str | None:
    """In which of its arguments a function is linear; kernels have no name."""
    return LINEAR.get(getattr(function, "__name__", "").removeprefix("cupy_"))


def _subtracts(function: Any) -> bool:
    return function.__name__.removeprefix("cupy_") in ("sub", "subtract")


def _carries(linear: str, changed: list[int], operands: Sequence[Any]) -> bool:
    """Whether the operation is linear in what changed, with differences known."""
    if not all(operands[i].has_diff for i in changed):
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
    kind = _kind(function)
    if kind == "branches":
        zero = _zeros(xp, base, region)
        branches = [diffs.get(1, zero), diffs.get(2, zero)]
        diff = function(constant(trace, operands[0], region), *branches)
    elif len(changed) == len(operands):
        diff = function(*diffs.values())
    elif kind == "both":
        # A constant beside it drops out; in front of a minus it turns the sign.
        diff = diffs[changed[0]]
        if changed[0] == 1 and _subtracts(function):
            diff = -diff
    else:
        parts = [
            diffs[i] if i in diffs else constant(trace, o, region)
            for i, o in enumerate(operands)
        ]
        diff = function(*parts)
        if not trace.kept("finite", lambda: _all_finite(trace, base)):
            trace.formed.append(diff)  # a constant may be infinite
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    if diff.shape != (trace.points, *region.extent):
        diff = full(trace, diff, region)
    if len(changed) > 1 and region.valid is not None:
        diff = region.masked(diff)
    return result(trace, base, region, diff=diff)


def _all_finite(trace: Trace, base: Array) -> bool:
    """Whether a result is finite at the base; what nobody looked at may not be."""
    return trace.numpy and bool(np.isfinite(base).all())


def _added(
    function: Callable[..., Any], base: Array, a: Batched, b: Batched, trace: Trace
) -> Batched | None:
    """A sum or a difference, where each has slots: there they are put together."""
    same = a.region is b.region and not (a.has_diff and b.has_diff)
    if same or not a.base.shape == b.base.shape == base.shape:
        return None
    if base.dtype.kind not in "fc":
        return None
    joined = join(a.region, b.region)
    if joined.starts is None:
        return None
    region = joined.region
    shape = (trace.points, *region.extent)
    diff = trace.xp.zeros(shape, dtype=base.dtype, device=a.device)
    first, second = joined.starts
    diff[:, first : first + a.region.count] = a.diff
    place = diff[:, second : second + b.region.count]
    if _subtracts(function):
        place -= b.diff
    else:
        place += b.diff
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


def _along(way: list[Any], known: Array, elsewhere: Callable[[Region], Array]) -> Array:
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
    trace.note(outer.width, x.size)
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
    region = Region.whole(trace.xp, base.shape, trace.cache)
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
            return _like(base, [Batched(trace, part) for part in base])
        return Batched(trace, base)
    found = many(*(whole(trace, o) for o in operands))
    if isinstance(base, (tuple, list)):
        parts = zip(base, found, strict=True)
        return _like(base, [of_whole(trace, part, values) for part, values in parts])
    return of_whole(trace, base, found)


def _like(base: Any, parts: list[Any]) -> Any:
    """Parts as a tuple, of the kind that a library returns."""
    return type(base)(*parts) if hasattr(base, "_fields") else tuple(parts)
