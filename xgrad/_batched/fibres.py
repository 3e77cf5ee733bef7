"""Reduce axes, or replace whole fibres along them.

A fibre is all entries of an array that differ in their index along some axes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, device_of, stable
from xgrad._batched.array import Batched
from xgrad._batched.everywhere import all_values, from_all_values
from xgrad._batched.operands import base_ids, batched_result, broadcast_on
from xgrad._batched.region import Region
from xgrad._batched.unions import put

# From so many entries on, a reduction of all of them looks at the others of each entry
# in a table that is made once. Making it costs some passes over the entries. Chosen by
# hand; only speed depends on it.
LONG_FIBRE = 64


def summed(
    operation: Any,
    function: Callable[..., Any],
    x: Batched,
    axes: tuple[int, ...],
    keepdims: bool,
    divisor: int = 1,
) -> Batched:
    """Sum over axes and divide by a number: differences add up exactly.

    ``function(array, axes, keepdims)`` does the same at the base.
    """
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        (operation, axes, keepdims),
        base_ids((x,)),
        lambda: function(x.base, axes, keepdims),
    )
    if x.region is None:
        return Batched(trace, base)
    if trace.dense:
        shifted = tuple(axis + 1 for axis in axes)
        return from_all_values(
            trace, base, function(all_values(trace, x), shifted, keepdims)
        )
    floating = base.dtype.kind in "fc"
    # Differences of unsigned integers would wrap around at 0.
    diff = x.diff_as(base.dtype if floating else xp.int64)
    new, diff = _sum_diffs(x, diff, axes, keepdims)
    if not floating:
        value = new.gather(base, trace.axes_first).astype(diff.dtype) + diff
        value = broadcast_on(trace, value.astype(base.dtype), new)
        return batched_result(trace, base, new, value=value)
    if divisor != 1:
        diff = diff / divisor
    return batched_result(trace, base, new, diff=broadcast_on(trace, diff, new))


def _sum_diffs(
    x: Batched, diff: Array, axes: tuple[int, ...], keepdims: bool
) -> tuple[Region, Array]:
    """Sum the differences of ``x`` over axes; return the region on which they lie."""
    xp, region = x.tracer.xp, x.region
    free = region.free
    inner = tuple([2 + free.index(axis) for axis in axes if axis in free])
    # NumPy is slow along a short last axis, which `sum_along` is made for.
    if inner == (diff.ndim - 1,) and diff.shape[-1] <= stable.SLOW_AXIS_LENGTH:
        diff = stable.sum_along(xp, diff)
    elif inner:
        diff = xp.sum(diff, axis=inner, dtype=diff.dtype)
    if len(axes) == len(region.shape):
        shape = (1,) * len(axes) if keepdims else ()
        new, may_coincide = Region.full(xp, shape, region.cache), True
    else:
        new, may_coincide = region.derive(
            ("reduce", axes, keepdims), lambda: _reduce_region(region, axes, keepdims)
        )
    if region.slots > 1 and new.is_full:
        diff = xp.sum(diff, axis=1, keepdims=True, dtype=diff.dtype)
    elif region.slots > 1 and may_coincide:
        new, diff = add_equal_slots(new, diff)
    return new, diff.reshape((diff.shape[0], *new.extent))


def _reduce_region(
    region: Region, axes: tuple[int, ...], keepdims: bool
) -> tuple[Region, bool]:
    """Return the region after a reduction, and whether slots may coincide there."""
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
    may_coincide = any(region.index[axis] is not None for axis in axes)
    return region.with_axes(tuple(shape), index, origins, region.valid), may_coincide


def add_equal_slots(region: Region, diff: Array) -> tuple[Region, Array]:
    """Add up the differences of slots with equal positions; one of them stays valid."""
    xp = region.xp
    position = region.position(region.fixed)
    equal = position[:, :, None] == position[:, None, :]
    if region.valid is not None:
        equal = equal & region.valid[:, None, :] & region.valid[:, :, None]
    numbers = xp.arange(region.slots, device=device_of(position))
    # Of equal slots the first one gets the sum; the others are invalid.
    earlier = equal & (numbers[None, :] < numbers[:, None])[None, ...]
    first = ~xp.any(earlier, axis=2)
    tail = (None,) * (diff.ndim - 2)
    summands = xp.where(equal[(..., *tail)], diff[:, None, ...], 0)
    diff = xp.sum(summands, axis=2, dtype=diff.dtype)
    valid = first if region.valid is None else region.valid & first
    new = region.with_axes(region.shape, region.index, region.origins, valid)
    return new, new.mask(diff)


def along(
    operation: Any,
    function: Callable[..., Any],
    x: Batched,
    axes: tuple[int, ...],
    keepdims: bool | None,
    leave_one_out: tuple[Callable[..., Array], Callable[..., Array]] | None = None,
) -> Batched:
    """Apply a function of whole fibres to those in which something differs.

    ``function(array, axes, keepdims)`` reduces them, or (``keepdims`` None) keeps their
    length. ``leave_one_out`` makes, of a base, the reduction of all other entries for
    each entry, and joins that with an entry.
    """
    trace, xp = x.ensure_current().tracer, x.tracer.xp
    base = trace.compute_once(
        (operation, axes, keepdims),
        base_ids((x,)),
        lambda: function(x.base, axes, keepdims),
    )
    region = x.region
    if region is None:
        return Batched(trace, base)
    one_entry = region.width == 1 and not region.is_full and region.valid is None
    all_axes = len(axes) == len(x.shape) and x.size > LONG_FIBRE
    if leave_one_out and one_entry and all_axes and not trace.dense:
        return _join_others(operation, base, x, *leave_one_out)
    outer, values = widen(x, axes)
    free = outer.free
    inner = tuple(2 + free.index(axis) for axis in axes)  # behind points and slots
    if operation == "max" and inner == (values.ndim - 1,):
        value = stable.max_along(xp, values)  # faster along a short axis
    else:
        value = function(values, inner, keepdims)
    if keepdims is None:
        return batched_result(
            trace, base, outer, value=broadcast_on(trace, value, outer)
        )
    new, _ = outer.derive(
        ("reduce", axes, keepdims), lambda: _reduce_region(outer, axes, keepdims)
    )
    value = xp.reshape(value, (value.shape[0], *new.extent))
    return batched_result(trace, base, new, value=broadcast_on(trace, value, new))


def _join_others(
    operation: Any,
    base: Array,
    x: Batched,
    reduce_others: Callable[..., Array],
    join: Callable[..., Array],
) -> Batched:
    """Reduce all axes, one entry of which differs: join it with all of the others."""
    trace, xp = x.tracer, x.tracer.xp
    table = trace.compute_once(
        (operation, "others"), base_ids((x,)), lambda: reduce_others(xp, x.base)
    )
    value = join(xp, x.region.gather(table, trace.axes_first), x.value)
    full = Region.full(xp, tuple(base.shape), trace.cache)
    return batched_result(
        trace, base, full, value=xp.reshape(value, (-1, 1, *base.shape))
    )


def widen(x: Batched, axes: tuple[int, ...]) -> tuple[Region, Array]:
    """Return the region with all of some axes, and all values there."""
    trace, region = x.tracer, x.region
    if all(region.index[axis] is None for axis in axes):
        return region, x.value
    # Several slots may lie in one fibre: once widened, each of them would lack the
    # changes of the others.
    if region.slots > 1:
        axes = tuple(range(len(region.shape)))

    def make() -> Region:
        index, origins = (
            [None if axis in axes else i for axis, i in enumerate(indices)]
            for indices in (region.index, region.origins)
        )
        return region.with_axes(region.shape, index, origins, region.valid)

    outer = region.derive(("widen", axes), make)
    if outer.is_full:
        return outer, all_values(trace, x)[:, None, ...]
    trace.count_work(outer.width, x.size)
    base = outer.gather(x.base, trace.axes_first)
    return outer, put(outer, base, region, x.value)
