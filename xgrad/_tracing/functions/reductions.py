"""Define sums, means, products and extrema by name."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, device_of
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.fibres import along, summed
from xgrad._batched.names import (
    array_like,
    axes_of,
    axis_of,
    handles,
    is_float,
    named,
    require,
    reshape,
    zero_of,
)
from xgrad._batched.operands import trace_of


@functools.cache
def _reducer(xp: Any, name: str) -> Callable[..., Any]:
    """Return a function of a namespace as one of array, axes and keepdims."""
    function = getattr(xp, name)

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(array, axis=axes, keepdims=keepdims)

    return reduce


@handles("sum")
def _sum(
    x: Batched,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    require(out is None, x, "sum(out=)", "make a new array")
    xp = x.tracer.xp
    # What is left out counts as 0, the neutral element; a product with the mask would
    # let nan and infinities through.
    if where is not None:
        x = elementwise(xp.where, where, x, zero_of(x))
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    total = summed("sum", _reducer(xp, "sum"), x, axes_of(x, axis), bool(keepdims))
    return total if initial is None else total + initial


@handles("mean")
def _mean(
    x: Batched,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    where: Any = None,
) -> Any:
    require(out is None, x, "mean(out=)", "make a new array")
    if where is not None:
        total = _sum(x, axis, dtype, keepdims=keepdims, where=where)
        mask = x.tracer.xp.broadcast_to(where, x.shape)
        return total / x.tracer.xp.sum(mask, axis=axis, keepdims=keepdims)
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    axes = axes_of(x, axis)
    count = math.prod(x.shape[a] for a in axes)
    return summed(
        "mean", _reducer(x.tracer.xp, "mean"), x, axes, bool(keepdims), max(count, 1)
    )


@handles("average")
def _average(
    x: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False
) -> Any:
    if weights is None:
        return _mean(x, axis, keepdims=keepdims)
    x, weights = array_like(x, (x, weights)), array_like(weights, (x, weights))
    xp = trace_of((x, weights)).xp
    # One weight for each position along the axis, as NumPy allows.
    if tuple(weights.shape) != tuple(x.shape):
        one = weights.ndim == 1 and isinstance(axis, int)
        require(one, trace_of((x, weights)), "average(weights=) of these shapes")
        place = axis_of(x, axis)
        lengths = [-1 if i == place else 1 for i in range(x.ndim)]
        lengths = [weights.shape[0] if n == -1 else n for n in lengths]
        weights = reshape(weights, tuple(lengths))
    sum_weights = _sum if isinstance(weights, Batched) else xp.sum
    total = _sum(x * weights, axis, keepdims=keepdims)
    return total / sum_weights(weights, axis=axis, keepdims=keepdims)


@handles("nansum")
def _nansum(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    present = elementwise(operator.eq, x, x)  # nan alone differs from itself
    return _sum(x, axis, keepdims=keepdims, where=present)


@handles("nanmean")
def _nanmean(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    present = HANDLERS["astype"](elementwise(operator.eq, x, x), x.dtype)
    return _nansum(x, axis, keepdims=keepdims) / _sum(present, axis, keepdims=keepdims)


def _product_of_others(xp: Any, base: Array) -> Array:
    """Return for each entry the product of all others."""
    # Products of those before and behind it: the total may not be divided by a 0.
    flat = xp.reshape(base, (-1,))
    one = xp.ones_like(flat[:1])
    before = xp.cumulative_prod(xp.concat([one, flat[:-1]]))
    after = xp.flip(xp.cumulative_prod(xp.concat([one, xp.flip(flat[1:])])))
    return xp.reshape(before * after, base.shape)


def _extremum_of_others(name: str, worst: float, xp: Any, base: Array) -> Array:
    """Return for each entry the largest (or smallest) of all others."""
    flat = xp.reshape(base, (-1,))
    best = xp.argmax(flat) if name == "max" else xp.argmin(flat)
    numbers = xp.arange(flat.shape[0], dtype=best.dtype, device=device_of(flat))
    # All entries have the best one among the others, but the best one itself, which has
    # the second best.
    is_best = numbers == best
    second = getattr(xp, name)(xp.where(is_best, worst, flat))
    return xp.reshape(xp.where(is_best, second, getattr(xp, name)(flat)), base.shape)


def _multiply(xp: Any, others: Array, value: Array) -> Array:
    return others * value


def _maximum(xp: Any, others: Array, value: Array) -> Array:
    return xp.maximum(others, value)


def _minimum(xp: Any, others: Array, value: Array) -> Array:
    return xp.minimum(others, value)


# For each reduction its value over all other entries, and the way to join an entry.
LEAVE_ONE_OUT: dict[str, tuple[Any, Any]] = {
    "prod": (_product_of_others, _multiply),
    "max": (functools.partial(_extremum_of_others, "max", -math.inf), _maximum),
    "min": (functools.partial(_extremum_of_others, "min", math.inf), _minimum),
}


def _register_extremum(name: str, *aliases: str) -> None:
    """Register a reduction that needs all values of a fibre, as no sum does."""

    def handler(
        x: Batched,
        axis: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        require(out is None, x, f"{name}(out=)", "make a new array")
        xp = x.tracer.xp
        if where is not None:
            # It has no neutral element: what is left out needs a value.
            require(initial is not None, x, f"{name}(where=) without `initial`")
            x = elementwise(xp.where, where, x, initial)
        if initial is not None:
            extremum = handler(x, axis, keepdims=keepdims)
            return elementwise(named(xp, f"{name}imum"), extremum, initial)
        return along(
            name,
            _reducer(x.tracer.xp, name),
            x,
            axes_of(x, axis),
            bool(keepdims),
            LEAVE_ONE_OUT.get(name) if is_float(x) else None,
        )

    handles(name, *aliases)(handler)


for _name, *_aliases in (("max", "amax"), ("min", "amin"), ("any",), ("all",)):
    _register_extremum(_name, *_aliases)


@handles("prod")
def _prod(
    x: Batched,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
) -> Any:
    require(out is None, x, "prod(out=)", "make a new array")
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    return along(
        "prod",
        _reducer(x.tracer.xp, "prod"),
        x,
        axes_of(x, axis),
        bool(keepdims),
        LEAVE_ONE_OUT["prod"] if is_float(x) else None,
    )


@handles("count_nonzero")
def _count_nonzero(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _sum(
        HANDLERS["astype"](elementwise(operator.ne, x, 0), x.tracer.xp.int64),
        axis,
        keepdims=keepdims,
    )
