"""Read the operands of an operation, and make its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region


def trace_of(operands: Sequence[Any]) -> Recording:
    """Return the evaluation that the batched operands belong to."""
    for operand in operands:
        if isinstance(operand, Batched):
            return operand.tracer
    raise TypeError("no operand is batched")


def bases_of(operands: Sequence[Any]) -> list[Any]:
    """Return the operands at the base."""
    return [o.base if isinstance(o, Batched) else o for o in operands]


def base_ids(operands: Sequence[Any]) -> list[int]:
    """Return the identities of the bases, by which a chunk knows its operands again."""
    # Constants are left out: `f` may make them anew at each call, equal every time.
    return [id(o.base) for o in operands if isinstance(o, Batched)]


def batched_result(
    trace: Recording, base: Array, region: Region | None, **stored: Any
) -> Batched:
    """Return a batched array, and count the work for it."""
    if region is not None:
        trace.count_work(region.width, base.size)
    return Batched(trace, base, region, **stored)


def constant_on(trace: Recording, operand: Any, region: Region) -> Any:
    """Return the base of an operand on a region; a number as it is."""
    if isinstance(operand, Batched):
        operand = operand.base
    # Without axes it broadcasts as it is, and a number of Python keeps the dtype.
    if getattr(operand, "ndim", 0) == 0:
        return operand
    return region.gather(operand, trace.axes_first)


def broadcast_on(trace: Recording, data: Array, region: Region) -> Array:
    """Broadcast data to all points and all slots, ``(points, slots, *inner)``."""
    shape = (trace.points, *region.extent)
    return data if data.shape == shape else trace.xp.broadcast_to(data, shape)
