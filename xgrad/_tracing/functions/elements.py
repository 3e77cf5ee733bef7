"""Define functions of entries by name: elementary ones, choices, dtypes, copies."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import is_numpy
from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.names import NONE, any_batched, handles, named, require
from xgrad._batched.operands import base_ids, trace_of

# The standard's, one handler for each: `elementwise` knows by name which are linear.
ELEMENTWISE = (
    "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert "
    "bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor ceil conj copysign "
    "cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot "
    "imag isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp "
    "logical_and logical_not logical_or logical_xor maximum minimum multiply negative "
    "nextafter not_equal positive pow real reciprocal remainder sign signbit sin sinh "
    "sqrt square subtract tan tanh trunc"
).split()

# NumPy's functions of entries that are no ufuncs.
NUMPY_ELEMENTWISE = "angle fix i0 real_if_close sinc isclose".split()


def _elementwise_handler(name: str) -> Callable[..., Any]:
    """Return the handler of an elementwise function of the namespace."""

    # (NumPy's are ufuncs mostly, which have a protocol of their own.)
    def handler(*operands: Any) -> Any:
        trace = trace_of(operands)
        return elementwise(named(trace.xp, name), *operands)

    return handler


for _name in ELEMENTWISE:
    HANDLERS[_name] = _elementwise_handler(_name)
HANDLERS["absolute"] = HANDLERS["abs"]
for _name in ("real", "imag"):
    NUMPY_NAMES[getattr(np, _name)] = _name


def _numpy_elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler of an elementwise function that only NumPy has."""

    def handler(*operands: Any) -> Any:
        return elementwise(function, *operands)

    return handler


for _name in NUMPY_ELEMENTWISE:
    if hasattr(np, _name):  # NumPy has deprecated some of them
        HANDLERS[f"numpy.{_name}"] = _numpy_elementwise(getattr(np, _name))
        NUMPY_NAMES[getattr(np, _name)] = f"numpy.{_name}"


@handles("where")
def _where(condition: Any, a: Any = NONE, b: Any = NONE) -> Any:
    # The number of results would differ from point to point.
    if a is NONE or b is NONE:
        raise condition.tracer.refuse(
            "where(condition) or nonzero, whose size depends on values",
            "give `where` both branches",
        )
    xp = trace_of((condition, a, b)).xp
    return elementwise(xp.where, condition, a, b)


@handles("nonzero")
def _nonzero(x: Any) -> Any:
    return _where(x)


@handles("clip")
def _clip(
    x: Any,
    min: Any = None,
    max: Any = None,
    out: None = None,
    *,
    a_min: Any = None,
    a_max: Any = None,
) -> Any:
    require(out is None, trace_of((x, min, max)), "clip(out=)", "make a new array")
    # NumPy has both pairs of names, and None for no bound.
    low = a_min if min is None else min
    high = a_max if max is None else max
    xp = trace_of((x, low, high)).xp
    if low is None and high is None:
        return _copy(x)
    if high is None:
        return elementwise(named(xp, "maximum"), x, low)
    if low is None:
        return elementwise(named(xp, "minimum"), x, high)
    return elementwise(_clip_to_bounds(xp), x, low, high)


@functools.cache
def _clip_to_bounds(xp: Any) -> Callable[..., Any]:
    """Return a function of an array and two bounds, which may be arrays."""
    if is_numpy(xp):
        return np.clip
    return lambda x, low, high: xp.minimum(xp.maximum(x, low), high)


@handles("round", "around")
def _round(x: Batched, decimals: int = 0) -> Any:
    xp = x.tracer.xp
    # The standard rounds to integers only; decimals are NumPy's.
    if decimals == 0:
        return elementwise(named(xp, "round"), x)
    return elementwise(named(np, "round", ("decimals", decimals)), x)


@handles("astype")
def _astype(x: Batched, dtype: Any, *, copy: bool = True, device: Any = None) -> Any:
    require(device is None or device == x.device, x, "a move to another device")
    # `float` and "float64" name dtypes for NumPy alone.
    if isinstance(dtype, (type, str)) and is_numpy(x.tracer.xp):
        dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return _copy(x) if copy else x.ensure_current()
    return elementwise(_cast_to(x.tracer.xp, dtype), x)


@functools.cache
def _cast_to(xp: Any, dtype: Any) -> Callable[..., Any]:
    """Return a function that casts to a dtype: one object every time, as a key."""

    def cast(x: Any) -> Any:
        return xp.astype(xp.asarray(x), dtype)

    return cast


@handles("copy")
def _copy(x: Batched, order: str = "K", subok: bool = False) -> Any:
    x.ensure_current()
    # Its data are shared, since nothing writes to them; as a copy it has no owner.
    return Batched(x.tracer, x.base, x.region, x.stored_diff, x.stored_value)


@handles("asarray")
def _asarray(
    x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    if not isinstance(x, Batched):
        raise any_batched((x,)).tracer.refuse(  # type: ignore[union-attr]
            "asarray of a list of entries of x", "use `stack` or `concat`"
        )
    require(device is None or device == x.device, x, "a move to another device")
    if dtype is not None and dtype != x.dtype:
        return _astype(x, dtype)
    return _copy(x) if copy else x.ensure_current()


def _register_like(name: str) -> None:
    """Register one of the functions that make a constant array like another one."""

    def handler(x: Batched, *values: Any, dtype: Any = None, device: Any = None) -> Any:
        trace, xp = x.tracer, x.tracer.xp
        require(len(values) == (name == "full_like"), x, f"these arguments of {name}")
        # Filled with an entry of x, it differs from point to point as that does.
        if values and isinstance(values[0], Batched):
            return HANDLERS["broadcast_to"](values[0], x.shape)
        options = {} if dtype is None else {"dtype": dtype}
        make = functools.partial(getattr(xp, name), xp.asarray(x.base))
        base = trace.compute_once(
            name, base_ids((x,)), lambda: make(*values, **options)
        )
        return Batched(trace, base)

    handles(name)(handler)


for _name in ("zeros_like", "ones_like", "empty_like", "full_like"):
    _register_like(_name)


@handles("result_type")
def _result_type(*operands: Any) -> Any:
    trace = trace_of(operands)
    bases = [o.base if isinstance(o, Batched) else o for o in operands]
    return trace.xp.result_type(*bases)


@handles("can_cast")
def _can_cast(x: Any, dtype: Any) -> Any:
    return x.tracer.xp.can_cast(x.dtype, dtype)


@handles("finfo")
def _finfo(x: Any) -> Any:
    return x.tracer.xp.finfo(x.dtype)


@handles("iinfo")
def _iinfo(x: Any) -> Any:
    return x.tracer.xp.iinfo(x.dtype)


@handles("shape")
def _shape(x: Batched) -> Any:
    return x.shape


@handles("ndim")
def _ndim(x: Batched) -> Any:
    return x.ndim


@handles("size")
def _size(x: Batched, axis: int | None = None) -> Any:
    return x.size if axis is None else x.shape[axis]


@handles("iscomplexobj")
def _iscomplexobj(x: Batched) -> bool:
    return x.dtype.kind == "c"


HANDLERS["conjugate"] = HANDLERS["conj"]


@handles("nan_to_num")
def _nan_to_num(
    x: Batched,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Any:
    require(copy, x, "nan_to_num(copy=False)")
    options = (("nan", nan), ("posinf", posinf), ("neginf", neginf))
    return elementwise(named(x.tracer.xp, "nan_to_num", *options), x)
