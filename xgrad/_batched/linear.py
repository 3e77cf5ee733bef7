"""Carry differences through linear operations, which is exact up to rounding."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.alignment import common_region, zeros_on
from xgrad._batched.array import Batched
from xgrad._batched.operands import batched_result, broadcast_on, constant_on
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region
from xgrad._batched.unions import unite
from xgrad._tracing import Linear


def all_finite(trace: Recording, base: Array) -> bool:
    """Whether a base is known to be finite."""
    # On a GPU nobody looks, which would wait for it; nothing is known there.
    return trace.is_numpy and bool(np.isfinite(base).all())


def can_carry_diffs(
    linear: Linear, varying: list[int], operands: Sequence[Any]
) -> bool:
    """Whether the operation is linear in what varies, and differences are stored."""
    if not all(operands[i].has_diff for i in varying):
        return False
    if linear in (Linear.SUM, Linear.DIFFERENCE):
        return True
    # A condition that differs between points chooses between values: nothing is linear.
    if linear is Linear.BRANCHES:
        return varying[0] != 0
    return len(varying) == 1 and (linear is Linear.PRODUCT or varying[0] == 0)


def carry_diffs(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    trace: Recording,
) -> Batched:
    """Apply a linear operation to differences, which is exact up to rounding."""
    region, diffs = _align_diffs(operands, varying, base.shape, trace.xp)
    diff = _linear_diff(function, base, operands, varying, diffs, region, trace)
    # A wider constant widens the result, but not differences that it drops out of.
    if diff.dtype != base.dtype:
        diff = diff.astype(base.dtype)
    if diff.shape != (trace.points, *region.extent):
        diff = broadcast_on(trace, diff, region)
    # Entries of the second operand that are also in the first one stand twice in a
    # union: in the slots of the second they are invalid.
    if len(varying) > 1 and region.valid is not None:
        diff = region.mask(diff)
    return batched_result(trace, base, region, diff=diff)


def _align_diffs(
    operands: Sequence[Any], varying: list[int], shape: tuple[int, ...], xp: Any
) -> tuple[Region, dict[int, Array]]:
    """Return a region for all operands, and the differences of each on it."""
    if len(varying) == 1 and operands[varying[0]].base.shape == shape:
        x = operands[varying[0]]
        return x.region, {varying[0]: x.diff}
    region, carriers = common_region(operands, varying, shape)
    return region, {
        i: carriers[i](
            operands[i].diff, functools.partial(zeros_on, xp, operands[i].diff)
        )
        for i in varying
    }


def _linear_diff(
    function: Callable[..., Any],
    base: Array,
    operands: Sequence[Any],
    varying: list[int],
    diffs: dict[int, Array],
    region: Region,
    trace: Recording,
) -> Array:
    """Return the differences of the result, from those of the operands."""
    linear = trace.linear[function]
    if linear is Linear.BRANCHES:
        zero = zeros_on(trace.xp, base, region)
        branches = [diffs.get(1, zero), diffs.get(2, zero)]
        return function(constant_on(trace, operands[0], region), *branches)
    if len(varying) == len(operands):
        return function(*diffs.values())
    if linear in (Linear.SUM, Linear.DIFFERENCE):
        # The constant summand drops out; in front of a minus it turns the sign.
        diff = diffs[varying[0]]
        return -diff if varying[0] == 1 and linear is Linear.DIFFERENCE else diff
    factors = [
        diffs[i] if i in diffs else constant_on(trace, operand, region)
        for i, operand in enumerate(operands)
    ]
    diff = function(*factors)
    if not trace.cached_for_operation("finite", lambda: all_finite(trace, base)):
        trace.unchecked_diffs.append(diff)  # the constant may be infinite
    return diff


def add_in_slots(
    function: Callable[..., Any], base: Array, a: Batched, b: Batched, trace: Recording
) -> Batched | None:
    """Add or subtract two arrays that have slots of their own; None if they do not."""
    # Such sums, as in `x[1:] - x[:-1]`, need no zeros in the slots of the other one.
    same = a.region is b.region and not (a.has_diff and b.has_diff)
    if same or not a.base.shape == b.base.shape == base.shape:
        return None
    # Differences of integers and booleans would have to be carried in another dtype.
    if base.dtype.kind not in "fc":
        return None
    union = unite(a.region, b.region)
    if union.starts is None:
        return None
    region = union.region
    shape = (trace.points, *region.extent)
    diff = trace.xp.zeros(shape, dtype=base.dtype, device=a.device)
    first, second = union.starts
    diff[:, first : first + a.region.slots] = a.diff
    # Slots of both that are the same add up, since one is written and one is added.
    place = diff[:, second : second + b.region.slots]
    if trace.linear[function] is Linear.DIFFERENCE:
        place -= b.diff
    else:
        place += b.diff
    return batched_result(trace, base, region, diff=diff)
