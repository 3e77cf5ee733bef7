"""Evaluate all entries at all points, for functions that have no rule of their own.

This is always right, and costs as much as a loop over points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.operands import (
    base_ids,
    bases_of,
    batched_result,
    broadcast_on,
    trace_of,
)
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region
from xgrad._batched.unions import put


def everywhere(
    operation: Any, plain: Callable[..., Any], many: Callable[..., Any], *operands: Any
) -> Any:
    """Evaluate a function for all entries: ``plain`` at the base, ``many`` at points.

    ``many`` gets ``(points, *shape)`` for batched operands. Both may return tuples.
    """
    trace = trace_of(operands)
    base = trace.compute_once(
        operation, base_ids(operands), lambda: plain(*bases_of(operands))
    )
    several = isinstance(base, (tuple, list))
    bases = base if several else (base,)
    # Where no point differs from the base, the base is all there is.
    if all(o.region is None for o in operands if isinstance(o, Batched)):
        results = [Batched(trace, array) for array in bases]
    else:
        values = many(*(all_values(trace, o) for o in operands))
        pairs = zip(bases, values if several else (values,), strict=True)
        results = [from_all_values(trace, array, value) for array, value in pairs]
    if not several:
        return results[0]
    # As a tuple, of the named kind if the library returns one.
    return type(base)(*results) if hasattr(base, "_fields") else tuple(results)


def all_values(trace: Recording, x: Any) -> Any:
    """Return all entries at all points, ``(points, *shape)``; a constant as it is."""
    if not isinstance(x, Batched):
        return x
    x = x.ensure_current()
    xp, shape = trace.xp, x.shape
    # Broadcast, not repeated: a function that reads it needs no memory for it.
    if x.region is None:
        return xp.broadcast_to(xp.asarray(x.base)[None, ...], (trace.points, *shape))
    if x.region.is_full:
        return x.value[:, 0, ...]
    # Counted here, so that the proof knows how many entries a chunk must have room for.
    full = Region.full(xp, shape, x.region.cache)
    trace.count_work(full.width, x.size)
    value = put(full, xp.reshape(x.base, (1, 1, *shape)), x.region, x.value)
    return value[:, 0, ...]


def all_differences(trace: Recording, x: Batched, dtype: Any) -> Array:
    """Return the differences of all entries from the base, ``(points, *shape)``."""
    xp, shape = trace.xp, x.shape
    if x.region is None:
        zero = xp.zeros((), dtype=dtype, device=x.device)
        return xp.broadcast_to(zero, (trace.points, *shape))
    diff = x.diff_as(dtype)
    if not x.region.is_full:
        full = Region.full(xp, shape, x.region.cache)
        zero = xp.zeros((1, 1, *(1,) * len(shape)), dtype=dtype, device=x.device)
        diff = put(full, zero, x.region, diff)
    return diff[:, 0, ...]


def from_all_values(trace: Recording, base: Array, values: Array) -> Batched:
    """Return a batched array from all entries at all points, ``(points, *shape)``."""
    region = Region.full(trace.xp, base.shape, trace.cache)
    value = broadcast_on(trace, values[:, None, ...], region)
    return batched_result(trace, base, region, value=value)
