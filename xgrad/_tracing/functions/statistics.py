"""Variances, quantiles and positions of extrema."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import (
    answers_numpy,
    axes_of,
    axis_of,
    require,
    tracer_of,
)
from xgrad._tracing.functions.elements import absolute, cast, sqrt
from xgrad._tracing.functions.joining import stack
from xgrad._tracing.functions.reductions import count_of, sum_
from xgrad._tracing.functions.reductions import mean as average
from xgrad._tracing.functions.shapes import broadcast_any, reshape_any
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


@overridable
def variance(x: StandIn, axes: tuple[int, ...], keepdims: bool, lost: float) -> StandIn:
    """Return variances, of which ``lost`` degrees of freedom are not counted."""
    xp = x.tracer.xp

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return xp.var(xp.asarray(array), axis=axes, correction=lost, keepdims=keepdims)

    return x.tracer.along(("var", lost), reduce, x, axes, keepdims)


@overridable
def deviation(x: StandIn, axes: tuple[int, ...], keepdims: bool, lost: float) -> Any:
    """Return standard deviations, the roots of variances."""
    return sqrt(variance(x, axes, keepdims, lost))


def _spread(
    function: Callable[..., StandIn],
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    ddof: float = 0.0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: float = 0.0,
) -> StandIn:
    """Return variances or standard deviations over axes."""
    lost = ddof or correction  # degrees of freedom
    x, axes = cast(x, dtype), axes_of(x, axis)
    if where is None and mean is None:
        return function(x, axes, bool(keepdims), lost)
    if mean is None:
        mean = average(x, axes, None, keepdims=True, where=where)
    size: Any = x.tracer.elementwise(operator.sub, x, mean)
    size = absolute(size) if size.dtype.kind == "c" else size
    total = sum_(size * size, axes, keepdims=keepdims, where=where)
    mask = True if where is None else where
    count = count_of(broadcast_any(mask, x.shape), x, axes, keepdims)
    variances = total / x.tracer.xp.maximum(count - lost, 0)
    return sqrt(variances) if function is deviation else variances


handles("var", out=3)(functools.partial(_spread, variance))
handles("std", out=3)(functools.partial(_spread, deviation))


def _order_statistic(
    name: str, x: StandIn, axis: Any, keepdims: Any, *values: float, **options: Any
) -> StandIn:
    """Apply an order statistic of NumPy, which takes numbers."""
    require(answers_numpy(x.tracer.xp), x, f"np.{name}", "sort, and pick")
    function = functools.partial(getattr(np, name), **options)

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(array, *values, axis=axes, keepdims=keepdims)

    key = name, values, tuple(options.items())
    return x.tracer.along(key, reduce, x, axes_of(x, axis), bool(keepdims))


def _median(
    name: str, x: StandIn, axis: Any = None, *, keepdims: bool = False
) -> StandIn:
    """Return medians over axes."""
    return _order_statistic(name, x, axis, keepdims)


def _quantile(
    name: str,
    x: StandIn,
    q: Any,
    axis: Any = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Return one quantile over axes, or several of them along new axes in front."""
    plain = isinstance(x, StandIn) and not isinstance(q, StandIn)
    require(plain, tracer_of(x, q), f"{name}(q=)", "give it numbers")
    # Numbers, not arrays: they are part of the key, which is compared.
    shares, options = np.asarray(q, dtype=float), {}
    if method != "linear":
        options["method"] = method
    results = [
        _order_statistic(name, x, axis, keepdims, share, **options)
        for share in shares.reshape(-1).tolist()
    ]
    if not shares.ndim:
        return results[0]
    return reshape_any(stack(results), (*shares.shape, *results[0].shape))


for _prefix in ("", "nan"):
    for _name, _function in (
        ("median", _median),
        ("quantile", _quantile),
        ("percentile", _quantile),
    ):
        _full = f"{_prefix}{_name}"
        handles(_full)(functools.partial(_function, _full))


def _position(
    name: str, x: StandIn, axis: int | None = None, *, keepdims: bool = False
) -> StandIn:
    """Return positions of extrema, of all entries or along an axis."""
    xp = x.tracer.xp
    if axis is None:
        # A position among all entries, as if there were one axis.
        if x.ndim != 1:
            require(not keepdims, x, f"{name}(keepdims=True) of all axes")
            x = x.tracer.reshaped(x, (x.size,))
        axis = 0

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return getattr(xp, name)(xp.asarray(array), axis=axes[0], keepdims=keepdims)

    return x.tracer.along(name, reduce, x, (axis_of(x, axis),), bool(keepdims))


for _name in ("argmax", "argmin", "nanargmax", "nanargmin"):
    handles(_name, out=2)(functools.partial(_position, _name))
