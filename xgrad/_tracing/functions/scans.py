"""Define functions along an axis by name that keep its length, or nearly."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.fibres import along, widen
from xgrad._batched.layout import broadcast, reshaped
from xgrad._batched.names import axis_of, handles, require
from xgrad._batched.operands import base_ids, trace_of
from xgrad._batched.unions import put


@handles("cumulative_sum")
def _cumulative_sum(
    x: Batched,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
) -> Any:
    require(not include_initial, x, "cumulative_sum(include_initial=True)")
    # The standard wants an axis, unless there is only one.
    if axis is None:
        require(x.ndim == 1, x, "cumulative_sum of several axes without `axis`")
        axis = 0
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    place, xp, trace = axis_of(x, axis), x.tracer.xp, x.tracer

    def running(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return xp.cumulative_sum(xp.asarray(array), axis=axes[0])

    # Differences are added up along the axis, as those of a sum are, exactly.
    region = x.ensure_current().region
    if region is None or not x.has_diff or region.is_full or trace.dense:
        return along("cumulative_sum", running, x, (place,), None)
    base = trace.compute_once(
        "cumulative_sum", base_ids((x,)), lambda: running(x.base, (place,), None)
    )
    outer, _ = widen(x, (place,))
    zero = xp.zeros((1, 1, *(1,) * len(outer.inner)), dtype=x.dtype, device=x.device)
    diff = put(outer, zero, region, x.diff) if outer is not region else x.diff
    diff = xp.cumulative_sum(diff, axis=2 + outer.free.index(place))
    trace.count_work(outer.width, base.size)
    return Batched(trace, base, outer, diff)


@handles("cumsum")
def _cumsum(
    x: Batched, axis: int | None = None, dtype: Any = None, out: None = None
) -> Any:
    require(out is None, x, "cumsum(out=)")
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    return _cumulative_sum(x, axis=axis, dtype=dtype)


@handles("cumulative_prod")
def _cumulative_prod(
    x: Batched,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
) -> Any:
    require(not include_initial, x, "cumulative_prod(include_initial=True)")
    if axis is None:
        require(x.ndim == 1, x, "cumulative_prod of several axes without `axis`")
        axis = 0
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    xp = x.tracer.xp

    def running(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return xp.cumulative_prod(xp.asarray(array), axis=axes[0])

    return along("cumulative_prod", running, x, (axis_of(x, axis),), None)


@handles("cumprod")
def _cumprod(
    x: Batched, axis: int | None = None, dtype: Any = None, out: None = None
) -> Any:
    require(out is None, x, "cumprod(out=)")
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    return _cumulative_prod(x, axis=axis, dtype=dtype)


def _register_sort(name: str) -> None:
    """Register `sort` or `argsort`."""

    def handler(
        x: Batched,
        axis: int | None = -1,
        kind: str | None = None,
        order: None = None,
        *,
        descending: bool = False,
        stable: bool | None = None,
    ) -> Any:
        require(order is None, x, f"{name}(order=)")
        xp = x.tracer.xp
        if axis is None:
            x, axis = reshaped(x, (x.size,)), 0

        def order_fibres(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
            # NumPy's own functions have kinds, but no order that descends.
            if trace.is_numpy and not descending:
                function = getattr(np, name)
                return function(array, axis=axes[0], kind=kind, stable=stable)
            function = getattr(xp, name)
            keep = stable is not False
            return function(array, axis=axes[0], descending=descending, stable=keep)

        trace = x.tracer
        place = axis_of(x, axis)
        return along((name, descending, kind), order_fibres, x, (place,), None)

    handles(name)(handler)


for _name in ("sort", "argsort"):
    _register_sort(_name)


@handles("split", "array_split")
def _split(x: Batched, indices_or_sections: Any, axis: int = 0) -> Any:
    place = axis_of(x, axis)
    # NumPy tells where sections begin, by the same rule for all its arguments.
    sections = np.array_split(np.arange(x.shape[place]), indices_or_sections)
    lead = (slice(None),) * place
    starts = np.cumsum([0, *map(len, sections)])
    return [
        HANDLERS["getitem"](x, (*lead, slice(int(start), int(stop))))
        for start, stop in itertools.pairwise(starts)
    ]


@handles("diff")
def _diff(
    x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None
) -> Any:
    if prepend is not None or append is not None:
        trace = trace_of((x, prepend, append))
        ends = (prepend, append)
        plain = isinstance(x, Batched) and not any(isinstance(e, list) for e in ends)
        require(plain, trace, "diff(prepend=, append=) of these", "use `concat`")
        arrays: list[Any] = [_as_end(prepend, x, axis), x, _as_end(append, x, axis)]
        x = HANDLERS["concat"]([a for a in arrays if a is not None], axis=axis)
    place = axis_of(x, axis)
    lead = (slice(None),) * place
    for _ in range(n):
        later, earlier = (
            HANDLERS["getitem"](x, (*lead, slice(1, None))),
            HANDLERS["getitem"](x, (*lead, slice(None, -1))),
        )
        # NumPy has no difference of booleans; `!=` is what it takes instead.
        if "bool" in str(x.dtype):
            x = elementwise(operator.ne, later, earlier)
        else:
            x = elementwise(operator.sub, later, earlier)
    return x if n else HANDLERS["copy"](x)


def _as_end(end: Any, x: Batched, axis: int) -> Any:
    """Return a number as an array that can be concatenated with ``x`` along an axis."""
    if getattr(end, "shape", ()) or end is None:
        return end
    place = axis_of(x, axis)
    shape = tuple(1 if i == place else n for i, n in enumerate(x.shape))
    if isinstance(end, Batched):
        return broadcast(end, shape)
    return x.tracer.xp.full(shape, end, dtype=x.dtype, device=x.device)
