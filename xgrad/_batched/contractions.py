"""Multiply matrices and vectors of which few entries differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array
from xgrad._batched.array import Batched
from xgrad._batched.everywhere import everywhere
from xgrad._batched.fibres import add_equal_slots
from xgrad._batched.operands import (
    base_ids,
    bases_of,
    batched_result,
    broadcast_on,
    trace_of,
)
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region

# An entry of a product of matrices is a sum of as many products as the summed axis is
# long. BLAS does each of them in about a quarter of the time that an elementwise
# function takes for an entry, which is what work is counted in. Estimated, not tuned.
PRODUCTS_PER_ENTRY = 4


def product(
    operation: Any, plain: Callable[..., Any], many: Callable[..., Any], a: Any, b: Any
) -> Batched:
    """Multiply ``a @ b``: an entry becomes a row or a column if the other is constant.

    ``plain`` does so at the base, and ``many`` for all entries at all points.
    """
    trace = trace_of((a, b))
    varying = [o for o in (a, b) if isinstance(o, Batched) and o.region is not None]
    matrices = all(getattr(o, "ndim", 0) in (1, 2) for o in (a, b))
    floating = all(o.dtype.kind in "fc" for o in varying)
    if len(varying) != 1 or not matrices or not floating or trace.dense:
        return everywhere(operation, plain, many, a, b)
    x = varying[0]
    base = trace.compute_once(
        operation, base_ids((a, b)), lambda: plain(*bases_of((a, b)))
    )
    left = x is a
    trace.base_work += base.size * x.shape[-1 if left else 0] // PRODUCTS_PER_ENTRY
    other = b if left else a
    other = other.base if isinstance(other, Batched) else other
    # So that differences of float32 stay in the dtype that the result has.
    if other.dtype != base.dtype:
        other = trace.xp.astype(other, base.dtype)
    # `b.T @ a.T` is `(a @ b).T`: an array on the right is treated as one on the left,
    # and "rows" are columns of the result then.
    rows_index, diff = _multiply_diffs(x, x.diff_as(base.dtype), other, left)
    return _on_rows(trace, base, x, rows_index, diff, left)


def _multiply_diffs(
    x: Batched, diff: Array, other: Array, left: bool
) -> tuple[Any, Array]:
    """Multiply differences by the constant, as if they stood on the left of it.

    Returns the index of the rows, or None for all of them, and the differences of these
    rows of the result, ``(points, slots, [rows,] n)``.
    """
    trace, region = x.tracer, x.region
    if x.ndim == 1:
        rows_index, sum_index = None, region.index[0]
        diff = diff[:, :, None, ...]
    else:
        rows_axis, sum_axis = (0, 1) if left else (1, 0)
        rows_index, sum_index = region.index[rows_axis], region.index[sum_axis]
        if not left and len(region.free) == 2:
            diff = trace.xp.permute_dims(diff, (0, 1, 3, 2))
    if sum_index is not None:
        diff = _multiply_by_rows(trace, diff, other, sum_index, rows_index, left)
    elif other.ndim == 1:
        diff = diff @ other[:, None]
    else:
        diff = diff @ (other if left else trace.xp.matrix_transpose(other))
    return rows_index, diff


def _multiply_by_rows(
    trace: Recording,
    diff: Array,
    other: Array,
    sum_index: Array,
    rows_index: Array | None,
    left: bool,
) -> Array:
    """Multiply each entry by the one row of the constant that it meets."""
    xp = trace.xp
    if other.ndim == 1:
        table = other[:, None]
    else:
        table = trace.axes_first(other, (0,) if left else (1,))
    rows = xp.take(table, xp.reshape(sum_index, (-1,)), axis=0)
    rows = xp.reshape(rows, (*sum_index.shape, -1))
    if rows_index is None:
        rows = rows[:, :, None, :]
        if diff.shape[2] > 1:
            return diff[..., None] * rows
    rows *= diff[..., None]  # in place: `take` has just made them
    return rows


def _on_rows(
    trace: Recording, base: Array, x: Batched, rows_index: Any, diff: Array, left: bool
) -> Batched:
    """Return the product from differences of its rows (its columns if not ``left``)."""
    xp, region = trace.xp, x.region
    shape = tuple(base.shape)
    if rows_index is None:
        # All rows: what the slots of a point contribute adds up.
        if diff.shape[1] > 1:
            diff = xp.sum(diff, axis=1, keepdims=True)
        if not left and diff.ndim == 4:
            diff = xp.permute_dims(diff, (0, 1, 3, 2))
        full = Region.full(xp, shape, trace.cache)
        diff = xp.reshape(diff, (diff.shape[0], 1, *shape))
        diff = broadcast_on(trace, diff, full)
        return batched_result(trace, base, full, diff=diff)
    axis = 0 if left or len(shape) == 1 else 1

    def make() -> Region:
        index: list[Any] = [None] * len(shape)
        origins: list[Any] = [None] * len(shape)
        index[axis], origins[axis] = rows_index, region.origins[0 if left else 1]
        return region.with_axes(shape, index, origins, region.valid)

    new = region.derive(("product", shape, left), make)
    diff = xp.reshape(diff, (diff.shape[0], *new.extent))
    if new.slots > 1:
        new, diff = add_equal_slots(new, diff)
    return batched_result(trace, base, new, diff=broadcast_on(trace, diff, new))
