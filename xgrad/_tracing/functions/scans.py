"""Functions along an axis that keep its length, or nearly."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import axis_of, require
from xgrad._tracing.functions.elements import cast, where
from xgrad._tracing.functions.indexing import part
from xgrad._tracing.functions.joining import array_like, concat
from xgrad._tracing.functions.shapes import broadcast_any, ravel, reshape_any
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
    """Return cumulative products along an axis that is counted from the front."""
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
        ends = (x, prepend, append)
        x, prepend, append = (o if o is None else array_like(o, ends) for o in ends)
        arrays: list[Any] = [_as_end(prepend, x, axis), x, _as_end(append, x, axis)]
        x = concat([a for a in arrays if a is not None], axis=axis)
    place = axis_of(x, axis)
    for _ in range(n):
        later, earlier = part(x, place, 1, None), part(x, place, None, -1)
        # NumPy has no difference of booleans; `!=` is what it takes instead.
        function = operator.ne if "bool" in str(x.dtype) else operator.sub
        x = x.tracer.elementwise(function, later, earlier)
    return x if n else x.tracer.copy(x)


def _as_end(end: Any, x: Any, axis: int) -> Any:
    """Return a number as an array that can be concatenated with ``x`` along an axis."""
    if end is None or end.ndim:
        return end
    place = axis_of(x, axis)
    shape = tuple(1 if i == place else n for i, n in enumerate(x.shape))
    return broadcast_any(end, shape)


@handles("ediff1d")
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return differences of neighbours of all entries, between others at the ends."""
    arguments = (ary, to_end, to_begin)
    x, end, begin = (o if o is None else array_like(o, arguments) for o in arguments)
    row = reshape_any(x, (-1,)) if not isinstance(x, StandIn) else ravel(x)
    inside = row[1:] - row[:-1]
    pieces = [reshape_any(p, (p.size,)) for p in (begin, inside, end) if p is not None]
    return concat(pieces, axis=0)


@handles("unwrap")
def unwrap(
    p: Any,
    discont: float | None = None,
    axis: int = -1,
    *,
    period: float = math.tau,
) -> Any:
    """Add periods to entries, so that no two neighbours are further apart than half."""
    place, half = axis_of(p, axis), period / 2
    steps: Any = diff(p, axis=place)
    wrapped = (steps + half) % period - half
    # Half a period upwards stays what it is, as in NumPy.
    upwards = (wrapped == -half) & (steps > 0)
    wrapped = where(upwards, half, wrapped)
    correct = wrapped - steps
    discont = half if discont is None else discont
    correct = where(abs(steps) < discont, 0.0, correct)
    rest = part(p, place, 1, None) + running_sum(correct, place)
    return concat([part(p, place, 0, 1), rest], axis=place)


def _partition(
    name: str,
    x: StandIn,
    kth: Any,
    axis: int | None = -1,
    kind: str = "introselect",
    order: None = None,
) -> StandIn:
    """Put entries into the places of some of their order, and the others around."""
    require(order is None, x, f"{name}(order=)")
    require(x.tracer.is_numpy, x, name, "use `sort`")
    if axis is None:
        x, axis = x.tracer.reshaped(x, (x.size,)), 0
    function = getattr(np, name)

    def split(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return function(array, kth, axis=axes[0], kind=kind)

    return x.tracer.along(name, split, x, (axis_of(x, axis),), None)


for _name in ("partition", "argpartition"):
    handles(_name)(functools.partial(_partition, _name))
