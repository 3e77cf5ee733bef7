"""Define variances, ranges, quantiles and positions of extrema by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.fibres import along
from xgrad._batched.layout import reshaped
from xgrad._batched.names import axes_of, axis_of, handles, named, require
from xgrad._batched.operands import base_ids


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
    axes, xp = axes_of(x, axis), x.tracer.xp
    lost = ddof or correction  # degrees of freedom
    count = math.prod(x.shape[a] for a in axes)
    if x.region is None or x.region.is_full or x.tracer.dense:

        def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return xp.var(
                xp.asarray(array), axis=axes, correction=lost, keepdims=keepdims
            )

        return along(("var", lost), reduce, x, axes, bool(keepdims))
    # Sums carry differences on exactly. About a constant center c near the mean,
    # sum((x - mean)**2) = sum((x - c)**2) - sum(x - c)**2 / n without cancellation.
    center = x.tracer.compute_once(
        ("center", axes),
        base_ids((x,)),
        lambda: xp.mean(xp.asarray(x.base), axis=axes, keepdims=True),
    )
    centered = x - center
    total = HANDLERS["sum"](centered, axes, keepdims=keepdims)
    squares = HANDLERS["sum"](centered * centered, axes, keepdims=keepdims)
    return (squares - total * total / count) / max(count - lost, 0)


@handles("std")
def _std(x: Batched, *args: Any, **kwargs: Any) -> Any:
    return elementwise(named(x.tracer.xp, "sqrt"), _var(x, *args, **kwargs))


def _register_statistic(name: str, count: int) -> None:
    """Register an order statistic of NumPy, which takes ``count`` numbers."""

    def handler(
        x: Batched, *args: Any, axis: Any = None, keepdims: bool = False
    ) -> Any:
        # NumPy takes the axis by position, too.
        if len(args) == count + 1:
            *args, axis = args  # type: ignore[assignment]
        require(len(args) == count, x, f"these arguments of np.{name}")
        # Numbers, not arrays: they are part of the key, which is compared.
        values = tuple(float(a) for a in args)
        require(is_numpy(x.tracer.xp), x, f"np.{name}", "sort, and pick")
        function = getattr(np, name)

        def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return function(array, *values, axis=axes, keepdims=keepdims)

        return along((name, values), reduce, x, axes_of(x, axis), bool(keepdims))

    handles(name)(handler)


for _name, _count in (("median", 0), ("quantile", 1), ("percentile", 1)):
    _register_statistic(_name, _count)


def _register_position(name: str) -> None:
    """Register `argmax` or `argmin`."""

    def handler(
        x: Batched,
        axis: int | None = None,
        out: None = None,
        *,
        dtype: None = None,
        keepdims: bool = False,
    ) -> Any:
        require(out is None and dtype is None, x, f"{name}(out=, dtype=)")
        xp = x.tracer.xp
        if axis is None:
            # A position among all entries, as if there were one axis.
            if x.ndim != 1:
                require(not keepdims, x, f"{name}(keepdims=True) of all axes")
                x = reshaped(x, (x.size,))
            axis = 0

        def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return getattr(xp, name)(xp.asarray(array), axis=axes[0], keepdims=keepdims)

        return along(name, reduce, x, (axis_of(x, axis),), bool(keepdims))

    handles(name)(handler)


for _name in ("argmax", "argmin"):
    _register_position(_name)
