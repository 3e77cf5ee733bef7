"""Carry the data of several operands to one region of the result's shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from xgrad._arrays import Array, device_of
from xgrad._batched.array import Batched
from xgrad._batched.operands import batched_result, broadcast_on
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region, append_axes
from xgrad._batched.unions import Carrier, Fill, unite


def common_region(
    operands: Sequence[Any], varying: list[int], shape: tuple[int, ...]
) -> tuple[Region, dict[int, Carrier]]:
    """Return a region that contains those of all operands, and a carrier for each."""
    # Each union may lie on a larger region, to which the data of all earlier operands
    # are carried on: their carriers get one more step.
    region: Region | None = None
    carriers: dict[int, list[Carrier]] = {}
    for i in varying:
        own = operands[i].region
        steps: list[Carrier] = []
        if own.shape != shape:
            own, lengthen = lift(own, shape)
            steps.append(lengthen)
        if region is None or region is own:
            region = own
        else:
            union = unite(region, own)
            for earlier in carriers.values():
                earlier.append(union.from_first)
            steps.append(union.from_second)
            region = union.region
        carriers[i] = steps
    assert region is not None
    return region, {i: functools.partial(_carry, s) for i, s in carriers.items()}


def _carry(steps: list[Carrier], data: Array, fill: Fill) -> Array:
    """Carry data through several steps to the last region."""
    for step in steps:
        data = step(data, fill)
    return data


def lift(region: Region, shape: tuple[int, ...]) -> tuple[Region, Callable[..., Array]]:
    """Return the region in a shape that its own broadcasts to, and a carrier there."""
    lead = len(shape) - len(region.shape)

    def make() -> Region:
        none = (None,) * lead
        index, origins = none + region.index, none + region.origins
        return region.with_axes(shape, index, origins, region.valid)

    # Axes of length 1 have no index, and their data broadcast: only new axes matter.
    return region.derive(("lift", shape), make), functools.partial(_insert_axes, lead)


def _insert_axes(lead: int, data: Array, fill: Fill | None = None) -> Array:
    """Insert axes of length 1 behind the slots."""
    if not lead:
        return data
    return data[(slice(None), slice(None), *(None,) * lead, ...)]


def base_on(trace: Recording, base: Array, region: Region) -> Array:
    """Return the base on a region, with an entry for each of its slots."""
    data = region.gather(base, trace.axes_first)
    if data.shape[1] != region.slots:
        data = trace.xp.broadcast_to(
            data, (data.shape[0], region.slots, *data.shape[2:])
        )
    return data


def zeros_on(xp: Any, like: Array, region: Region) -> Array:
    """Return zeros that broadcast against data on a region."""
    shape = (1, region.slots, *(1,) * len(region.inner))
    return xp.zeros(shape, dtype=like.dtype, device=device_of(like))


def collapse_slots(
    trace: Recording, base: Array, full: Region, stored: dict[str, Array], valid: Any
) -> Batched:
    """Merge slots, of which at most one is valid at each point, into a full region."""
    xp = trace.xp
    if "diff" in stored:
        diff = stored["diff"]
        if valid is not None:
            diff = xp.where(append_axes(valid, diff.ndim), diff, 0)
        diff = xp.sum(diff, axis=1, keepdims=True, dtype=diff.dtype)
        return batched_result(trace, base, full, diff=broadcast_on(trace, diff, full))
    slots = stored["value"]
    shape = tuple(base.shape)
    value = xp.reshape(xp.asarray(base), (1, *shape))
    for slot in range(slots.shape[1]):
        here = slots[:, slot, ...]
        if valid is not None:
            flags = valid[:, slot][(..., *(None,) * len(shape))]
            here = xp.where(flags, here, value)
        value = here
    value = broadcast_on(trace, value[:, None, ...], full)
    return batched_result(trace, base, full, value=value)
