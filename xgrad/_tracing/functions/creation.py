"""Functions that make arrays like others, and those that ask about arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import is_numpy
from xgrad._tracing.arguments import (
    first_standin,
    require,
    require_own_device,
    tracer_of,
)
from xgrad._tracing.creating import CONVERTERS, creating_like
from xgrad._tracing.functions.elements import cast
from xgrad._tracing.functions.joining import array_like
from xgrad._tracing.functions.shapes import broadcast_to, plain_base, reshape_any
from xgrad._tracing.registry import CREATION, FUNCTIONS, NUMPY_NAMES, handles
from xgrad._tracing.standin import StandIn


@handles("copy")
def copy(x: StandIn, order: str = "K", subok: bool = False) -> StandIn:
    """Return ``x`` in memory of its own."""
    return x.tracer.copy(x)


@handles("numpy.copy")
def copy_to_array(x: StandIn, order: str = "K", subok: bool = False) -> StandIn:
    """Return ``x`` in memory of its own, numbers as arrays without axes."""
    return x.tracer.copy(x if x.ndim else x[...])


@handles("asarray")
def asarray(
    x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> StandIn:
    """Return ``x`` itself, unless a cast or a copy is asked for."""
    if not isinstance(x, StandIn):
        raise tracer_of(x).refuse(
            "asarray of a list of entries of x", "use `stack` or `concat`"
        )
    require_own_device(x, device)
    dtype = x.dtype if dtype is None else dtype
    return copy_to_array(cast(x, dtype)) if copy else cast(x, dtype)


def _make_like(
    name: str,
    x: StandIn,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> StandIn:
    """Return a constant array of the shape of ``x``, or of another one."""
    require_own_device(x, device)
    return _fill_like(name, x, (), dtype, shape)


@handles("full_like")
def full_like(
    x: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> StandIn:
    """Return an array of the shape of ``x``, or of another one, of one value."""
    tracer = tracer_of(x, fill_value)
    if isinstance(x, StandIn):
        require_own_device(x, device)
    # Filled with an entry of x, it differs from point to point as that does.
    if isinstance(fill_value, StandIn):
        size = np.shape(x) if shape is None else shape
        own = getattr(x, "dtype", None) or np.asarray(x).dtype
        return tracer.copy(cast(broadcast_to(fill_value, size), dtype or own))
    return _fill_like("full_like", x, (fill_value,), dtype, shape)


def _fill_like(
    name: str, x: StandIn, values: tuple[Any, ...], dtype: Any, shape: Any
) -> StandIn:
    xp = x.tracer.xp
    if shape is not None:
        make = functools.partial(
            getattr(xp, name.removesuffix("_like")), shape, *values
        )
        return _constant(name, x, lambda: make(dtype=dtype or x.dtype))
    options = {} if dtype is None else {"dtype": dtype}
    base = x.base
    while isinstance(base, StandIn):  # one tracer within another
        base = base.base
    make = functools.partial(getattr(xp, name), xp.asarray(base), *values, **options)
    return _constant(name, x, make)


def _constant(name: str, like: StandIn, make: Callable[[], Any]) -> StandIn:
    """Return what is made as a constant, of which no other stand-in is made before."""
    with creating_like(None):
        return like.tracer.constant(name, like, make)


for _name in ("zeros_like", "ones_like", "empty_like"):
    handles(_name)(functools.partial(_make_like, _name))


def _create(
    function: Callable[..., Any], like: StandIn, *args: Any, **kwargs: Any
) -> StandIn:
    """Apply a function of NumPy that makes an array, with ``like=``."""
    name, xp = function.__name__, like.tracer.xp
    if first_standin((*args, *kwargs.values())) is not None:
        return _create_of_entries(name, like, *args, **kwargs)
    if not is_numpy(xp):
        function = getattr(xp, name, xp.asarray)
        kwargs["device"] = like.device
    elif isinstance(like.base, StandIn):  # of another call around this one
        kwargs["like"] = like.base
    return _constant(name, like, lambda: function(*args, **kwargs))


def _create_of_entries(name: str, like: StandIn, *args: Any, **options: Any) -> Any:
    """Make an array of numbers that depend on x: a list of them, or one many times."""
    if name == "full":
        return _full_of_entries(like, *args, **options)
    if name not in CONVERTERS:
        # Constants of the call, as the length of an array that was made one itself.
        args, options = _without_constants(args), _without_constants(options)
        if first_standin((*args, *options.values())) is None:
            return _create(getattr(np, name), like, *args, **options)
    require(name in CONVERTERS, like, f"np.{name} with an argument computed from x")
    return _array_of_entries(name, like, *args, **options)


def _without_constants(arguments: Any) -> Any:
    """Return arguments with the arrays of constants in place of their stand-ins."""
    if isinstance(arguments, dict):
        return dict(zip(arguments, _without_constants(arguments.values()), strict=True))
    plain = (a.plain_constant() if isinstance(a, StandIn) else None for a in arguments)
    return tuple(
        a if p is None else p[()] for a, p in zip(arguments, plain, strict=True)
    )


def _full_of_entries(
    like: StandIn,
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    device: Any = None,
) -> Any:
    require_own_device(like, device)
    return like.tracer.copy(cast(broadcast_to(fill_value, shape), dtype))


def _array_of_entries(
    name: str,
    like: StandIn,
    entries: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: Any = None,
    ndmin: int = 0,
    subok: bool = False,
    device: Any = None,
) -> Any:
    require_own_device(like, device)
    require(dtype is not object, like, f"np.{name} of objects")
    array = cast(array_like(entries, (entries, like)), dtype)
    if not array.ndim:
        array = array[...]  # a number becomes an array without axes
    if array.ndim < ndmin:
        array = reshape_any(array, (1,) * (ndmin - array.ndim) + tuple(array.shape))
    copy = getattr(copy, "value", copy)  # also one of NumPy's own modes
    if copy == IF_NEEDED:
        copy = False
    is_copy = copy if copy is not None else name == "array"
    return copy_to_array(array) if is_copy and array is entries else array


# The value of NumPy's mode of copies that are made only where there is no other way.
IF_NEEDED = 2
for _name in CONVERTERS | set("arange empty eye full identity ones tri zeros".split()):
    _function = getattr(np, _name)
    FUNCTIONS[f"like {_name}"] = functools.partial(_create, _function)
    CREATION.add(_function)
    NUMPY_NAMES.pop(_function, None)  # they are not dispatched without `like=`


@handles("result_type")
def result_type(*operands: Any) -> Any:
    """Return the dtype that an operation on the operands has."""
    bases = [o.base if isinstance(o, StandIn) else o for o in operands]
    return tracer_of(*operands).xp.result_type(*bases)


@handles("size")
def size(x: StandIn, axis: int | None = None) -> int:
    """Return the number of entries, or the length of an axis."""
    return x.size if axis is None else x.shape[axis]


@handles("may_share_memory", "shares_memory")
def may_share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    """Return whether two arrays may lie in the same memory."""
    tracer = tracer_of(a, b)
    require(tracer.knows_values, tracer, "np.may_share_memory")
    return np.may_share_memory(plain_base(a), plain_base(b), max_work)


handles("shape")(lambda x: x.shape)
handles("ndim")(lambda x: x.ndim)
handles("iscomplexobj")(lambda x: x.dtype.kind == "c")
handles("finfo")(lambda x: x.tracer.xp.finfo(x.dtype))
handles("iinfo")(lambda x: x.tracer.xp.iinfo(x.dtype))
handles("can_cast")(lambda x, dtype: x.tracer.xp.can_cast(x.dtype, dtype))
