"""Functions of entries: elementary ones, choices, casts and clips."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import (
    NONE,
    answers_numpy,
    first_standin,
    named,
    require_own_device,
    tracer_of,
)
from xgrad._tracing.registry import handles, write_into
from xgrad._tracing.standin import StandIn

ELEMENTWISE = (
    "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert "
    "bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor ceil conj copysign "
    "cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot "
    "isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp "
    "logical_and logical_not logical_or logical_xor maximum minimum multiply negative "
    "nextafter not_equal positive pow reciprocal remainder sign signbit sin sinh "
    "sqrt square subtract tan tanh trunc"
).split()
ALIASES = {"abs": ("abs", "absolute"), "conj": ("conj", "conjugate")}

# NumPy's functions of entries that are no ufuncs.
NUMPY_ELEMENTWISE = "angle fix i0 sinc isreal iscomplex".split()


def elementwise(function: Callable[..., Any], *operands: Any) -> Any:
    """Apply a function of entries at the same place, with broadcasting."""
    return tracer_of(*operands).elementwise(function, *operands)


def _apply_named(name: str, *operands: Any) -> Any:
    tracer = tracer_of(*operands)
    return tracer.elementwise(named(tracer.xp, name), *operands)


for _name in ELEMENTWISE:
    handles(*ALIASES.get(_name, (_name,)))(functools.partial(_apply_named, _name))
for _name in NUMPY_ELEMENTWISE:
    if hasattr(np, _name):  # NumPy has deprecated some of them
        _apply: Any = functools.partial(elementwise, getattr(np, _name))
        handles(f"numpy.{_name}")(_apply)


def sqrt(x: StandIn) -> StandIn:
    """Return square roots."""
    return x.tracer.elementwise(named(x.tracer.xp, "sqrt"), x)


def conjugate(x: StandIn) -> StandIn:
    """Return complex conjugates."""
    return x.tracer.elementwise(named(x.tracer.xp, "conj"), x)


def absolute(x: StandIn) -> StandIn:
    """Return absolute values."""
    return x.tracer.elementwise(named(x.tracer.xp, "abs"), x)


@handles("where")
def where(condition: Any, a: Any = NONE, b: Any = NONE) -> Any:
    """Choose between two arrays, entry by entry."""
    tracer = tracer_of(condition, a, b)
    # The number of results may differ from point to point.
    if a is NONE or b is NONE:
        idiom = "where(condition) or nonzero, whose size depends on values"
        mask = tracer.known_values(condition, idiom, "give `where` both branches")
        return tracer.xp.nonzero(mask)
    if isinstance(condition, (list, tuple)):
        condition = np.asarray(condition)
    return tracer.elementwise(tracer.xp.where, condition, a, b)


def either(condition: Any, a: Any, b: Any) -> Any:
    """Choose between two arrays, one of which may depend on x."""
    if first_standin((condition, a, b)) is None:
        return np.where(condition, a, b)
    return where(condition, a, b)


@handles("select")
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Choose entry by entry, by the first of several conditions that holds."""
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = either(condition, choice, result)
    return result


@handles("clip", out=3)
def clip(
    x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None
) -> StandIn:
    """Bound entries; NumPy has both pairs of names, and None for no bound."""
    low = a_min if min is None else min
    high = a_max if max is None else max
    tracer = tracer_of(x, low, high)
    if low is None and high is None:
        return tracer.copy(x)
    if high is None:
        return tracer.elementwise(named(tracer.xp, "maximum"), x, low)
    if low is None:
        return tracer.elementwise(named(tracer.xp, "minimum"), x, high)
    return tracer.elementwise(_clip_to_bounds(tracer.xp), x, low, high)


@functools.cache
def _clip_to_bounds(xp: Any) -> Callable[..., Any]:
    """Return a function of an array and two bounds, which may be arrays."""
    if answers_numpy(xp):
        return np.clip
    return lambda x, low, high: xp.minimum(xp.maximum(x, low), high)


@handles("round", "around", out=2)
def round_(x: StandIn, decimals: int = 0) -> StandIn:
    """Round entries; the standard does so to integers only, decimals are NumPy's."""
    xp = x.tracer.xp
    options = (("decimals", decimals),) if decimals else ()
    return x.tracer.elementwise(named(np if decimals else xp, "round", *options), x)


@handles("astype")
def astype(
    x: StandIn,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
    *,
    device: Any = None,
) -> StandIn:
    """Cast entries to another dtype, where the plain call has found it allowed."""
    require_own_device(x, device)
    # `float` and "float64" name dtypes for NumPy alone.
    if isinstance(dtype, (type, str)) and x.tracer.is_numpy:
        dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x.tracer.copy(x) if copy else x.ensure_current()
    return x.tracer.elementwise(_cast_to(x.tracer.xp, dtype), x)


def cast(x: StandIn, dtype: Any) -> StandIn:
    """Return ``x`` in another dtype, itself if it has that or if there is None."""
    return x if dtype is None else astype(x, dtype, copy=False)


@functools.cache
def _cast_to(xp: Any, dtype: Any) -> Callable[..., Any]:
    """Return a function that casts to a dtype: one object every time, as a key."""

    def cast_array(x: Any) -> Any:
        return xp.astype(xp.asarray(x), dtype)

    # By this a tracer knows what it is, which has no name in any library.
    cast_array.operation = "astype"  # type: ignore[attr-defined]
    return cast_array


def zero_of(x: StandIn) -> Array:
    """Return a 0 of the dtype and on the device of ``x``, without axes."""
    return x.tracer.xp.zeros((), dtype=x.dtype, device=x.device)


@handles("nan_to_num")
def nan_to_num(
    x: StandIn,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> StandIn:
    """Replace nan and infinities by numbers."""
    options = (("nan", nan), ("posinf", posinf), ("neginf", neginf))
    result = x.tracer.elementwise(named(x.tracer.xp, "nan_to_num", *options), x)
    return result if copy else write_into(x, result)
