"""Functions along an axis that keep its length, or nearly."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import axis_of, require, tracer_of
from xgrad._tracing.functions.elements import cast
from xgrad._tracing.functions.indexing import part
from xgrad._tracing.functions.joining import concat
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


@functools.cache
def _runner(xp: Any, name: str) -> Any:
    """Return a cumulative function of a namespace as one of array, axes and None."""
    function = getattr(xp, name)

    def run(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return function(xp.asarray(array), axis=axes[0])

    return run


@overridable
def running_sum(x: StandIn, axis: int) -> StandIn:
    """Return cumulative sums along an axis that is counted from the front."""
    run = _runner(x.tracer.xp, "cumulative_sum")
    return x.tracer.along("cumulative_sum", run, x, (axis,), None)


def running_product(x: StandIn, axis: int) -> StandIn:
    run = _runner(x.tracer.xp, "cumulative_prod")
    return x.tracer.along("cumulative_prod", run, x, (axis,), None)


def cumulative(
    function: Any,
    x: StandIn,
    axis: int | None = None,
    dtype: Any = None,
    *,
    include_initial: bool = False,
) -> StandIn:
    """Apply a cumulative function, to all entries in one row if there is no axis."""
    if axis is None and x.ndim != 1:
        x = x.tracer.reshaped(x, (x.size,))
    x, place = cast(x, dtype), axis_of(x, 0 if axis is None else axis)
    result = function(x, place)
    if not include_initial:
        return result
    # Of nothing, the sum is 0 and the product 1.
    shape = tuple(1 if i == place else n for i, n in enumerate(x.shape))
    first = int(function is running_product)
    start = x.tracer.xp.full(shape, first, dtype=result.dtype, device=x.device)
    return concat([start, result], axis=place)


for _name, _function in (("sum", running_sum), ("prod", running_product)):
    _run = functools.partial(cumulative, _function)
    handles(f"cumulative_{_name}", f"cum{_name}", out=3)(_run)


def _order(
    name: str,
    x: StandIn,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    descending: bool = False,
    stable: bool | None = None,
) -> StandIn:
    """Sort fibres, or return the positions of their entries in that order."""
    require(order is None, x, f"{name}(order=)")
    tracer = x.tracer
    if axis is None:
        x, axis = tracer.reshaped(x, (x.size,)), 0

    def order_fibres(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        # NumPy's own functions have kinds, but no order that descends.
        if tracer.is_numpy and not descending:
            return getattr(np, name)(array, axis=axes[0], kind=kind, stable=stable)
        keep, function = stable is not False, getattr(tracer.xp, name)
        return function(array, axis=axes[0], descending=descending, stable=keep)

    key = name, descending, kind
    return tracer.along(key, order_fibres, x, (axis_of(x, axis),), None)


for _name in ("sort", "argsort"):
    handles(_name)(functools.partial(_order, _name))


@handles("diff")
def diff(
    x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None
) -> StandIn:
    """Return differences of neighbours along an axis."""
    if prepend is not None or append is not None:
        ends = (prepend, append)
        plain = isinstance(x, StandIn) and not any(isinstance(e, list) for e in ends)
        tracer, idiom = tracer_of(x, *ends), "diff(prepend=, append=) of these"
        require(plain, tracer, idiom, "use `concat`")
        arrays: list[Any] = [_as_end(prepend, x, axis), x, _as_end(append, x, axis)]
        x = concat([a for a in arrays if a is not None], axis=axis)
    place = axis_of(x, axis)
    for _ in range(n):
        later, earlier = part(x, place, 1, None), part(x, place, None, -1)
        # NumPy has no difference of booleans; `!=` is what it takes instead.
        function = operator.ne if "bool" in str(x.dtype) else operator.sub
        x = x.tracer.elementwise(function, later, earlier)
    return x if n else x.tracer.copy(x)


def _as_end(end: Any, x: StandIn, axis: int) -> Any:
    """Return a number as an array that can be concatenated with ``x`` along an axis."""
    if getattr(end, "shape", ()) or end is None:
        return end
    place = axis_of(x, axis)
    shape = tuple(1 if i == place else n for i, n in enumerate(x.shape))
    if isinstance(end, StandIn):
        return end.tracer.broadcast(end, shape)
    return x.tracer.xp.full(shape, end, dtype=x.dtype, device=x.device)
