"""Reductions and products: what happens to whole fibres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, device_of, stable
from xgrad._batched.array import Batched
from xgrad._batched.region import Region, put
from xgrad._batched.rules import (
    LONG,
    bases_of,
    everywhere,
    full,
    identities,
    of_whole,
    result,
    trace_of,
    whole,
)
from xgrad._batched.trace import Trace

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
    floating = base.dtype.kind in "fc"
    # Whole numbers without a sign would wrap.
    diff = x.diff_as(base.dtype if floating else xp.int64)
    free = region.free
    inner = tuple([2 + free.index(axis) for axis in axes if axis in free])
    if inner == (diff.ndim - 1,) and diff.shape[-1] <= stable.SLOW_AXIS_LENGTH:
        diff = stable.sum_along(xp, diff)
    elif inner:
        diff = xp.sum(diff, axis=inner, dtype=diff.dtype)
    if len(axes) == len(region.shape):
        new, drops = Region.whole(xp, base.shape, trace.cache), True
    else:
        new, drops = region.child(
            ("reduce", axes, keepdims), lambda: _reduced(region, axes, keepdims)
        )
    if region.count > 1 and new.is_whole:
        diff = xp.sum(diff, axis=1, keepdims=True, dtype=diff.dtype)
    elif region.count > 1 and drops:
        new, diff = _merged(new, diff)
    diff = diff.reshape((diff.shape[0], *new.extent))
    if not floating:
        value = (new.gather(base, trace.rows).astype(diff.dtype) + diff).astype(
            base.dtype
        )
        return result(trace, base, new, value=full(trace, value, new))
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
        xp,
        region.shape,
        region.index,
        valid,
        region.count,
        region.cache,
        region.origins,
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
    trace.note(outer.width, x.size)
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
        table = trace.once(
            (what, "others"), identities((x,)), lambda: others(xp, x.base)
        )
        value = joined(xp, region.gather(table, trace.rows), x.value)
        new = Region.whole(xp, tuple(base.shape), trace.cache)
        return result(trace, base, new, value=xp.reshape(value, (-1, 1, *base.shape)))
    outer, values = widened(x, axes)
    free = outer.free
    inner = tuple(2 + free.index(axis) for axis in axes)
    if what == "max" and inner == (values.ndim - 1,):
        found = stable.max_along(xp, values)  # faster along a short axis
    else:
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
    floating = all(o.dtype.kind in "fc" for o in changed)
    if len(changed) != 1 or not flat or not floating or trace.dense:
        return everywhere(what, plain, many, a, b)
    xp, x = trace.xp, changed[0]
    base = trace.once(what, identities((a, b)), lambda: plain(*bases_of((a, b))))
    # A product costs more than its result has entries: by a quarter of the summands.
    trace.base_work += base.size * x.shape[-1 if x is a else 0] // 4
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
        if rows_index is None and diff.shape[2] > 1:
            diff = diff[..., None] * picked
        else:
            picked *= diff[..., None]  # in place: it was just picked
            diff = picked
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
