"""Functions that reduce axes."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, is_numpy
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.folding import along, summed
from xgrad._batched.moving import reshaped
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
from xgrad._batched.rules import elementwise, identities, trace_of


@functools.cache
def _reducer(xp: Any, name: str) -> Callable[..., Any]:
    function = getattr(xp, name)

    def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(array, axis=axes, keepdims=keepdims)

    return reduced


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
    xp = x.run.xp
    if where is not None:
        x = elementwise(xp.where, where, x, zero_of(x))
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    found = summed("sum", _reducer(xp, "sum"), x, axes_of(x, axis), bool(keepdims))
    return found if initial is None else found + initial


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
        there = x.run.xp.broadcast_to(where, x.shape)
        return total / x.run.xp.sum(there, axis=axis, keepdims=keepdims)
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    axes = axes_of(x, axis)
    count = math.prod(x.shape[a] for a in axes)
    return summed(
        "mean", _reducer(x.run.xp, "mean"), x, axes, bool(keepdims), max(count, 1)
    )


@handles("average")
def _average(
    x: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False
) -> Any:
    if weights is None:
        return _mean(x, axis, keepdims=keepdims)
    x, weights = array_like(x, (x, weights)), array_like(weights, (x, weights))
    xp = trace_of((x, weights)).xp
    if tuple(weights.shape) != tuple(x.shape):
        one = weights.ndim == 1 and isinstance(axis, int)
        require(one, trace_of((x, weights)), "average(weights=) of these shapes")
        place = axis_of(x, axis)
        lengths = [-1 if i == place else 1 for i in range(x.ndim)]
        lengths = [weights.shape[0] if n == -1 else n for n in lengths]
        weights = reshape(weights, tuple(lengths))
    total = _sum if isinstance(weights, Batched) else xp.sum
    above = _sum(x * weights, axis, keepdims=keepdims)
    return above / total(weights, axis=axis, keepdims=keepdims)


@handles("nansum")
def _nansum(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    there = elementwise(operator.eq, x, x)
    return _sum(x, axis, keepdims=keepdims, where=there)


@handles("nanmean")
def _nanmean(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    there = HANDLERS["astype"](elementwise(operator.eq, x, x), x.dtype)
    return _nansum(x, axis, keepdims=keepdims) / _sum(there, axis, keepdims=keepdims)


def _loo_prod(xp: Any, base: Array) -> Array:
    """The product of all other entries, for each entry."""
    flat = xp.reshape(base, (-1,))
    one = xp.ones_like(flat[:1])
    before = xp.cumulative_prod(xp.concat([one, flat[:-1]]))
    after = xp.flip(xp.cumulative_prod(xp.concat([one, xp.flip(flat[1:])])))
    return xp.reshape(before * after, base.shape)


def _loo_best(name: str, worst: float, xp: Any, base: Array) -> Array:
    """The largest (or smallest) of all other entries, for each entry."""
    flat = xp.reshape(base, (-1,))
    best = xp.argmax(flat) if name == "max" else xp.argmin(flat)
    numbers = xp.arange(flat.shape[0], dtype=best.dtype, device=device_of(flat))
    here = numbers == best
    rest = xp.where(here, worst, flat)
    second = getattr(xp, name)(rest)
    return xp.reshape(xp.where(here, second, getattr(xp, name)(flat)), base.shape)


def _times(xp: Any, others: Array, value: Array) -> Array:
    return others * value


def _larger(xp: Any, others: Array, value: Array) -> Array:
    return xp.maximum(others, value)


def _smaller(xp: Any, others: Array, value: Array) -> Array:
    return xp.minimum(others, value)


LEAVE_ONE_OUT: dict[str, tuple[Any, Any]] = {
    "prod": (_loo_prod, _times),
    "max": (functools.partial(_loo_best, "max", -math.inf), _larger),
    "min": (functools.partial(_loo_best, "min", math.inf), _smaller),
}


def _fibres(name: str, *aliases: str) -> None:
    """Reductions that look at whole fibres."""

    def handler(
        x: Batched,
        axis: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        require(out is None, x, f"{name}(out=)", "make a new array")
        xp = x.run.xp
        if where is not None:
            require(initial is not None, x, f"{name}(where=) without `initial`")
            x = elementwise(xp.where, where, x, initial)
        if initial is not None:
            found = handler(x, axis, keepdims=keepdims)
            return elementwise(named(xp, f"{name}imum"), found, initial)
        return along(
            name,
            _reducer(x.run.xp, name),
            x,
            axes_of(x, axis),
            bool(keepdims),
            LEAVE_ONE_OUT.get(name) if is_float(x) else None,
        )

    handles(name, *aliases)(handler)


for _name, *_aliases in (("max", "amax"), ("min", "amin"), ("any",), ("all",)):
    _fibres(_name, *_aliases)


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
        _reducer(x.run.xp, "prod"),
        x,
        axes_of(x, axis),
        bool(keepdims),
        LEAVE_ONE_OUT["prod"] if is_float(x) else None,
    )


@handles("count_nonzero")
def _count_nonzero(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _sum(
        HANDLERS["astype"](elementwise(operator.ne, x, 0), x.run.xp.int64),
        axis,
        keepdims=keepdims,
    )


@handles("ptp")
def _ptp(x: Batched, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    require(out is None, x, "ptp(out=)")
    largest = HANDLERS["max"](x, axis, keepdims=keepdims)
    return largest - HANDLERS["min"](x, axis, keepdims=keepdims)


@handles("var")
def _var(
    x: Batched,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0.0,
    keepdims: bool = False,
    *,
    correction: float = 0.0,
) -> Any:
    require(out is None, x, "var(out=)", "make a new array")
    if dtype is not None:
        x = HANDLERS["astype"](x, dtype, copy=False)
    axes, xp = axes_of(x, axis), x.run.xp
    taken_off = ddof or correction
    count = math.prod(x.shape[a] for a in axes)
    if x.region is None or x.region.is_whole or x.run.dense:

        def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return xp.var(
                xp.asarray(array), axis=axes, correction=taken_off, keepdims=keepdims
            )

        return along(("var", taken_off), reduced, x, axes, bool(keepdims))
    # Around the mean of the base, which is constant, sums tell it all.
    center = x.run.once(
        ("center", axes),
        identities((x,)),
        lambda: xp.mean(xp.asarray(x.base), axis=axes, keepdims=True),
    )
    around = x - center
    total = _sum(around, axes, keepdims=keepdims)
    squares = _sum(around * around, axes, keepdims=keepdims)
    return (squares - total * total / count) / max(count - taken_off, 0)


@handles("std")
def _std(x: Batched, *args: Any, **kwargs: Any) -> Any:
    return elementwise(named(x.run.xp, "sqrt"), _var(x, *args, **kwargs))


def _positions(name: str) -> None:
    def handler(
        x: Batched,
        axis: int | None = None,
        out: None = None,
        *,
        dtype: None = None,
        keepdims: bool = False,
    ) -> Any:
        require(out is None and dtype is None, x, f"{name}(out=, dtype=)")
        xp = x.run.xp
        if axis is None:
            if x.ndim != 1:
                require(not keepdims, x, f"{name}(keepdims=True) of all axes")
                x = reshaped(x, (x.size,))
            axis = 0

        def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return getattr(xp, name)(xp.asarray(array), axis=axes[0], keepdims=keepdims)

        return along(name, reduced, x, (axis_of(x, axis),), bool(keepdims))

    handles(name)(handler)


for _name in ("argmax", "argmin"):
    _positions(_name)


def _statistic(name: str, takes: int) -> None:
    """NumPy's order statistics."""

    def handler(
        x: Batched, *args: Any, axis: Any = None, keepdims: bool = False
    ) -> Any:
        if len(args) == takes + 1:
            *args, axis = args  # type: ignore[assignment]
        require(len(args) == takes, x, f"these arguments of np.{name}")
        values = tuple(float(a) for a in args)
        require(is_numpy(x.run.xp), x, f"np.{name}", "sort, and pick")
        function = getattr(np, name)

        def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return function(array, *values, axis=axes, keepdims=keepdims)

        return along((name, values), reduced, x, axes_of(x, axis), bool(keepdims))

    handles(name)(handler)


for _name, _takes in (("median", 0), ("quantile", 1), ("percentile", 1)):
    _statistic(_name, _takes)
