"""Variances, quantiles and positions of extrema."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._tracing.arguments import axes_of, axis_of, require
from xgrad._tracing.functions.elements import cast, sqrt
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


@overridable
def variance(x: StandIn, axes: tuple[int, ...], keepdims: bool, lost: float) -> StandIn:
    """Return variances, of which ``lost`` degrees of freedom are not counted."""
    xp = x.tracer.xp

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return xp.var(xp.asarray(array), axis=axes, correction=lost, keepdims=keepdims)

    return x.tracer.along(("var", lost), reduce, x, axes, keepdims)


def _spread(
    finish: Callable[[StandIn], StandIn],
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    ddof: float = 0.0,
    keepdims: bool = False,
    *,
    correction: float = 0.0,
) -> StandIn:
    """Return variances over axes, or what is made of them at the end."""
    lost = ddof or correction  # degrees of freedom
    return finish(variance(cast(x, dtype), axes_of(x, axis), bool(keepdims), lost))


handles("var", out=3)(functools.partial(_spread, lambda variances: variances))
handles("std", out=3)(functools.partial(_spread, sqrt))


def _statistic(
    name: str,
    count: int,
    x: StandIn,
    *args: Any,
    axis: Any = None,
    keepdims: bool = False,
) -> StandIn:
    """Apply an order statistic of NumPy, which takes ``count`` numbers."""
    # NumPy takes the axis by position, too.
    if len(args) == count + 1:
        *args, axis = args  # type: ignore[assignment]
    plain = len(args) == count and not any(np.ndim(a) for a in args)
    require(plain, x, f"these arguments of np.{name}")
    # Numbers, not arrays: they are part of the key, which is compared.
    values = tuple(float(a) for a in args)
    require(is_numpy(x.tracer.xp), x, f"np.{name}", "sort, and pick")
    function = getattr(np, name)

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(array, *values, axis=axes, keepdims=keepdims)

    return x.tracer.along((name, values), reduce, x, axes_of(x, axis), bool(keepdims))


for _name, _count in (("median", 0), ("quantile", 1), ("percentile", 1)):
    handles(_name)(functools.partial(_statistic, _name, _count))


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


for _name in ("argmax", "argmin"):
    handles(_name, out=2)(functools.partial(_position, _name))
