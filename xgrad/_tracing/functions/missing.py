"""NumPy's functions that leave nan out: it is replaced before anything is computed."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from xgrad._tracing.arguments import axes_of, first_standin
from xgrad._tracing.functions.elements import cast, conjugate, sqrt, where, zero_of
from xgrad._tracing.functions.reductions import count_of, max_, min_, prod, sum_
from xgrad._tracing.functions.scans import cumulative, running_product, running_sum
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


def _is_present(x: StandIn) -> Any:
    """Return a mask of what is not nan, which alone differs from itself."""
    return x.tracer.elementwise(operator.eq, x, x)


def _filled(x: StandIn, value: float) -> Any:
    """Return ``x`` with a number in place of nan."""
    xp = x.tracer.xp
    filling = xp.full((), value, dtype=x.dtype, device=x.device)
    return where(_is_present(x), x, filling)


@handles("nanprod", out=3)
def nanprod(
    x: StandIn, axis: Any = None, dtype: Any = None, keepdims: bool = False
) -> Any:
    """Multiply what is not nan."""
    return prod(_filled(x, 1), axis, dtype, keepdims)


def _extremum(
    reduce: Any, worst: float, x: StandIn, axis: Any = None, keepdims: bool = False
) -> Any:
    """Return extrema of what is not nan, and nan where nothing else is."""
    extrema = reduce(_filled(x, worst), axis, keepdims)
    # A row of nothing but nan has no extremum.
    present = count_of(_is_present(x), x, axis, keepdims)
    nan = x.tracer.xp.full((), math.nan, dtype=x.dtype, device=x.device)
    return where(present > 0, extrema, nan)


handles("nanmax", out=2)(functools.partial(_extremum, max_, -math.inf))
handles("nanmin", out=2)(functools.partial(_extremum, min_, math.inf))


def _spread(
    finish: Callable[[Any], Any],
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    ddof: float = 0.0,
    keepdims: bool = False,
    *,
    correction: float = 0.0,
) -> Any:
    """Return variances of what is not nan, or what is made of them at the end."""
    x, axes, lost = cast(x, dtype), axes_of(x, axis), ddof or correction
    present = _is_present(x)
    mean = sum_(_filled(x, 0), axes, keepdims=True) / count_of(present, x, axes, True)
    distance: Any = where(present, x - mean, zero_of(x))
    other = conjugate(distance) if x.dtype.kind == "c" else distance
    squares = sum_(distance * other, axes, keepdims=keepdims)
    count = count_of(present, x, axes, keepdims) - lost
    # Without a degree of freedom left there is no variance.
    nan = x.tracer.xp.full((), math.nan, dtype=count.dtype, device=x.device)
    return finish(squares / where_any(x, count > 0, count, nan))


def where_any(x: StandIn, condition: Any, a: Any, b: Any) -> Any:
    """Choose between arrays, which are plain if their values are known."""
    traced = first_standin((condition, a, b)) is not None
    return where(condition, a, b) if traced else x.tracer.xp.where(condition, a, b)


def _root(variances: StandIn) -> Any:
    """Return roots of variances, whose slope at 0 is 0 as that of deviations is."""
    tracer, zero = variances.tracer, zero_of(variances)
    is_zero = tracer.elementwise(operator.eq, variances, zero)
    # The one that is not taken has a finite slope.
    one = tracer.xp.ones((), dtype=variances.dtype, device=variances.device)
    return where(is_zero, zero, sqrt(where(is_zero, one, variances)))


handles("nanvar", out=3)(functools.partial(_spread, lambda variances: variances))
handles("nanstd", out=3)(functools.partial(_spread, _root))


def _scan(
    function: Any, neutral: float, x: StandIn, axis: Any = None, dtype: Any = None
) -> StandIn:
    """Apply a cumulative function to what is not nan."""
    return cumulative(function, _filled(x, neutral), axis, dtype)


handles("nancumsum", out=3)(functools.partial(_scan, running_sum, 0))
handles("nancumprod", out=3)(functools.partial(_scan, running_product, 1))
