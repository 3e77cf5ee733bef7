"""Functions of entries: operators, ufuncs, choices, dtypes."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import is_numpy
from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched
from xgrad._batched.names import NONE, any_batched, handles, named, require, reshape
from xgrad._batched.rules import elementwise, identities, trace_of
from xgrad._batched.trace import Trace

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
    def handler(*operands: Any) -> Any:
        return elementwise(function, *operands)

    return handler


for _name in NUMPY_ELEMENTWISE:
    if hasattr(np, _name):  # some are on their way out
        HANDLERS[f"numpy.{_name}"] = _numpy_elementwise(getattr(np, _name))
        NUMPY_NAMES[getattr(np, _name)] = f"numpy.{_name}"


def _operated(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    if function is operator.matmul:
        return HANDLERS["matmul"](*operands)
    return elementwise(function, *operands)


HANDLERS["operator"] = _operated


def _in_place(function: Callable[..., Any], x: Batched, other: Any) -> Any:
    """``x += other`` and the like, in arrays that are no views."""
    new = _operated(function, (x.usable(), other))
    require(new.shape == x.shape, x, "an assignment in place that changes the shape")
    if new.dtype != x.dtype:
        new = HANDLERS["astype"](new, x.dtype)
    if isinstance(x.base, np.generic) and not x.run.held:
        return new  # a number of NumPy cannot be changed: its name gets another one
    if x.owner is None:
        x.become(new)
        return x
    # What follows is `owner[key] = new`, or the owner is not what NumPy would make it.
    x.stale = x.owner.stale = True
    x.run.cache["returned"] = x.owner, new
    return new


HANDLERS["in_place"] = _in_place


def _ufunc(
    trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], options: Any
) -> Any:
    name = ufunc.__name__
    if options.pop("out", None) is not None:
        raise trace.refuse(
            f"np.{name}(..., out=) or an operation in place on another array",
            "make a new array",
        )
    inputs = tuple(np.asarray(i) if isinstance(i, (list, tuple)) else i for i in inputs)
    if method == "reduce" and name in REDUCTIONS:
        return HANDLERS[REDUCTIONS[name]](*inputs, **{"axis": 0, **options})
    if method == "accumulate" and name == "add":
        return HANDLERS["cumsum"](*inputs, **{"axis": 0, **options})
    if method == "outer" and not options and len(inputs) == 2:
        a, b = inputs
        return elementwise(ufunc, reshape(a, (*a.shape, *(1,) * b.ndim)), b)
    if name == "vecdot" and method == "__call__" and options.keys() == {"axis"}:
        return HANDLERS["vecdot"](*inputs, **options)
    if method != "__call__" or options:
        detail = f".{method}" if method != "__call__" else f" with {sorted(options)}"
        raise trace.refuse(f"np.{name}{detail}", "use plain functions and operators")
    if ufunc.signature is not None:
        if name in ("matmul", "vecdot"):
            return HANDLERS[name](*inputs)
        raise trace.refuse(f"np.{name}", "write it with functions of the standard")
    if ufunc.nout > 1:
        return _outputs(trace, ufunc, inputs)
    return elementwise(ufunc, *inputs)


def _outputs(trace: Trace, ufunc: Any, inputs: tuple[Any, ...]) -> Any:
    return tuple(elementwise(_output(ufunc, i), *inputs) for i in range(ufunc.nout))


@functools.cache
def _output(ufunc: Any, which: int) -> Callable[..., Any]:
    return lambda *inputs: ufunc(*inputs)[which]


HANDLERS["ufunc"] = _ufunc
REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


def _cupy_kernel(
    trace: Trace, kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    name = getattr(kernel, "name", str(kernel))
    kwargs = {option: value for option, value in kwargs.items() if value is not None}
    if len(args) > getattr(kernel, "nin", len(args)):
        raise trace.refuse(
            "an assignment into another array", "use `zeros_like(x)` or `stack`"
        )
    if kwargs:
        raise trace.refuse(f"`{name}` with {sorted(kwargs)}", "make a new array")
    return elementwise(kernel, *args)


def _cupy_reduction(
    trace: Trace, kernel: Any, x: Batched, args: tuple[Any, ...], kwargs: Any
) -> Any:
    name = kernel.name.removeprefix("cupy_")
    names = ("axis", "dtype", "out", "keepdims")
    given = {n: a for n, a in zip(names, args, strict=False) if a is not None}
    given |= {n: a for n, a in kwargs.items() if a is not None}
    name = {"amax": "max", "amin": "min"}.get(name, name)
    if name not in HANDLERS or "out" in given:
        raise trace.refuse(f"the reduction `{kernel.name}`", "use plain functions")
    return HANDLERS[name](x, **given)


HANDLERS["cupy_kernel"] = _cupy_kernel
HANDLERS["cupy_reduction"] = _cupy_reduction


@handles("where")
def _where(condition: Any, a: Any = NONE, b: Any = NONE) -> Any:
    if a is NONE or b is NONE:
        raise condition.run.refuse(
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
    low = a_min if min is None else min
    high = a_max if max is None else max
    xp = trace_of((x, low, high)).xp
    if low is None and high is None:
        return _copy(x)
    if high is None:
        return elementwise(named(xp, "maximum"), x, low)
    if low is None:
        return elementwise(named(xp, "minimum"), x, high)
    return elementwise(_clipped(xp), x, low, high)


@functools.cache
def _clipped(xp: Any) -> Callable[..., Any]:
    if is_numpy(xp):
        return np.clip
    return lambda x, low, high: xp.minimum(xp.maximum(x, low), high)


@handles("round", "around")
def _round(x: Batched, decimals: int = 0) -> Any:
    xp = x.run.xp
    if decimals == 0:
        return elementwise(named(xp, "round"), x)
    return elementwise(named(np, "round", ("decimals", decimals)), x)


@handles("astype")
def _astype(x: Batched, dtype: Any, *, copy: bool = True, device: Any = None) -> Any:
    require(device is None or device == x.device, x, "a move to another device")
    if isinstance(dtype, (type, str)) and is_numpy(x.run.xp):
        dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return _copy(x) if copy else x.usable()
    return elementwise(_cast_to(x.run.xp, dtype), x)


@functools.cache
def _cast_to(xp: Any, dtype: Any) -> Callable[..., Any]:
    def cast(x: Any) -> Any:
        return xp.astype(xp.asarray(x), dtype)

    return cast


@handles("copy")
def _copy(x: Batched, order: str = "K", subok: bool = False) -> Any:
    x.usable()
    return Batched(x.run, x.base, x.region, x.known_diff, x.known_value)


@handles("asarray")
def _asarray(
    x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    if not isinstance(x, Batched):
        raise any_batched((x,)).run.refuse(  # type: ignore[union-attr]
            "asarray of a list of entries of x", "use `stack` or `concat`"
        )
    require(device is None or device == x.device, x, "a move to another device")
    if dtype is not None and dtype != x.dtype:
        return _astype(x, dtype)
    return _copy(x) if copy else x.usable()


def _like(name: str) -> None:
    def handler(x: Batched, *values: Any, dtype: Any = None, device: Any = None) -> Any:
        trace, xp = x.run, x.run.xp
        require(len(values) == (name == "full_like"), x, f"these arguments of {name}")
        if values and isinstance(values[0], Batched):
            return HANDLERS["broadcast_to"](values[0], x.shape)
        options = {} if dtype is None else {"dtype": dtype}
        make = functools.partial(getattr(xp, name), xp.asarray(x.base))
        base = trace.once(name, identities((x,)), lambda: make(*values, **options))
        return Batched(trace, base)

    handles(name)(handler)


for _name in ("zeros_like", "ones_like", "empty_like", "full_like"):
    _like(_name)


@handles("result_type")
def _result_type(*operands: Any) -> Any:
    trace = trace_of(operands)
    bases = [o.base if isinstance(o, Batched) else o for o in operands]
    return trace.xp.result_type(*bases)


@handles("can_cast")
def _can_cast(x: Any, dtype: Any) -> Any:
    return x.run.xp.can_cast(x.dtype, dtype)


@handles("finfo")
def _finfo(x: Any) -> Any:
    return x.run.xp.finfo(x.dtype)


@handles("iinfo")
def _iinfo(x: Any) -> Any:
    return x.run.xp.iinfo(x.dtype)


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
    return elementwise(named(x.run.xp, "nan_to_num", *options), x)
