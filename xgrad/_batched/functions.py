"""The functions of the array API standard, and NumPy's twins, on batched arrays.

Each handler has the arguments that it implements and no others: an argument that it
does not know is an error, which ends in one point at a time, and is never dropped.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._array import Array, bare, device_of, dressed, is_numpy
from xgrad._batched.array import (
    HANDLERS,
    NUMPY_NAMES,
    Batched,
    NotBatchedError,
    Trace,
)
from xgrad._batched.rules import (
    along,
    broadcast,
    elementwise,
    everywhere,
    identities,
    moved,
    permuted,
    placed,
    product,
    reshaped,
    sliced,
    summed,
    trace_of,
    widened,
)
from xgrad._batched.region import put

NONE = object()  # where None is a value


def handles(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler by its names: those of the standard and those of NumPy."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            HANDLERS[name] = handler
            scope: Any = np
            for part in name.split("."):
                scope = getattr(scope, part, None)
            if callable(scope) and not isinstance(scope, (np.ufunc, type)):
                NUMPY_NAMES[scope] = name
        return handler

    return register


def _first(operands: Sequence[Any]) -> Trace:
    return trace_of(operands)


def _namespace(x: Batched) -> Any:
    return x.run.xp


def _require(condition: bool, x: Any, idiom: str, remedy: str = "") -> None:
    if not condition:
        raise x.run.refuse(idiom, remedy)


def _axis(x: Any, axis: int) -> int:
    axis = operator.index(axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is out of bounds for {x.ndim} axes")
    return axis % x.ndim


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, (tuple, list)):
        return tuple(_axis(x, a) for a in axis)
    return (_axis(x, axis),)


@functools.cache
def _named(xp: Any, name: str, *options: tuple[str, Any]) -> Callable[..., Any]:
    """A function of a namespace with some keywords: the same object every time."""
    function = getattr(xp, name)
    if not options:
        return function
    return functools.partial(function, **dict(options))


# The namespace that batched arrays say they belong to


class Namespace:
    """An array namespace whose functions take batched arrays as well.

    It has the name of the other one, so that `array_namespace` accepts arrays of both.
    """

    hides_points = True

    def __init__(self, xp: Any, path: str = "") -> None:
        self._xp = xp
        self._path = path
        self.__name__ = xp.__name__

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._xp, name)
        full = f"{self._path}{name}"
        if name in ("linalg", "fft"):
            found = Namespace(found, f"{name}.")
        elif full in HANDLERS and not isinstance(found, type):
            found = _dispatched(HANDLERS[full], found)
        elif callable(found) and not isinstance(found, type):
            found = _refusing(full, found)
        self.__dict__[name] = found
        return found


def _any_batched(arguments: Any) -> Batched | None:
    for argument in arguments:
        argument = bare(argument)
        if isinstance(argument, Batched):
            return argument
        if isinstance(argument, (tuple, list)):
            found = _any_batched(argument)
            if found is not None:
                return found
    return None


def _dispatched(handler: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """A function with the handler for batched arrays."""

    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        if _any_batched((*args, *kwargs.values())) is None:
            return plain(*args, **kwargs)
        holder = _holder((*args, *kwargs.values()))
        if holder is None:
            return handler(*args, **kwargs)
        args, kwargs = _bared(args), {k: _bared(v) for k, v in kwargs.items()}
        return _dressed(handler(*args, **kwargs), holder)

    return function


def _holder(arguments: Any) -> Any:
    """An array of array_api_strict among the arguments, if there is one."""
    for argument in arguments:
        if isinstance(argument, (tuple, list)):
            found = _holder(argument)
            if found is not None:
                return found
        elif bare(argument) is not argument:
            return argument
    return None


def _bared(argument: Any) -> Any:
    """Arguments as those of NumPy."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(map(_bared, argument))
    if type(argument).__name__ == "Device":
        return None
    return bare(getattr(argument, "_np_dtype", argument))


def _dressed(found: Any, holder: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(_dressed(part, holder) for part in found)
    return dressed(found, holder) if hasattr(found, "shape") else found


def _refusing(name: str, plain: Callable[..., Any]) -> Any:
    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        batched = _any_batched((*args, *kwargs.values()))
        if batched is not None:
            raise batched.run.refuse(f"`{name}`", "use other functions")
        return plain(*args, **kwargs)

    return function


HANDLERS["namespace"] = functools.cache(Namespace)


# Elementwise functions and operators

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
NUMPY_ELEMENTWISE = "angle fix i0 nan_to_num real_if_close sinc isclose".split()


def _elementwise_handler(name: str) -> Callable[..., Any]:
    def handler(*operands: Any) -> Any:
        trace = trace_of(operands)
        return elementwise(_named(trace.xp, name), *operands)

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
    _require(new.shape == x.shape, x, "an assignment in place that changes the shape")
    if new.dtype != x.dtype:
        new = HANDLERS["astype"](new, x.dtype)
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
        return elementwise(ufunc, _reshape(a, (*a.shape, *(1,) * b.ndim)), b)
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
    x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None
) -> Any:
    low = a_min if min is None else min
    high = a_max if max is None else max
    xp = trace_of((x, low, high)).xp
    if low is None and high is None:
        return _copy(x)
    if high is None:
        return elementwise(_named(xp, "maximum"), x, low)
    if low is None:
        return elementwise(_named(xp, "minimum"), x, high)
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
        return elementwise(_named(xp, "round"), x)
    return elementwise(_named(np, "round", ("decimals", decimals)), x)


@handles("astype")
def _astype(x: Batched, dtype: Any, *, copy: bool = True, device: Any = None) -> Any:
    _require(device is None or device == x.device, x, "a move to another device")
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
    return Batched(x.run, x.base, x.region, x._diff, x._value)


@handles("asarray")
def _asarray(
    x: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    if not isinstance(x, Batched):
        raise _any_batched((x,)).run.refuse(  # type: ignore[union-attr]
            "asarray of a list of entries of x", "use `stack` or `concat`"
        )
    _require(device is None or device == x.device, x, "a move to another device")
    if dtype is not None and dtype != x.dtype:
        return _astype(x, dtype)
    return _copy(x) if copy else x.usable()


def _like(name: str) -> None:
    def handler(x: Batched, *values: Any, dtype: Any = None, device: Any = None) -> Any:
        trace, xp = x.run, x.run.xp
        _require(len(values) == (name == "full_like"), x, f"these arguments of {name}")
        if values and isinstance(values[0], Batched):
            return _broadcast_to(values[0], x.shape)
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


@handles("finfo", "iinfo")
def _finfo(x: Any) -> Any:
    return x.run.xp.finfo(x.dtype)


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
    return bool(x.run.xp.isdtype(x.dtype, "complex floating"))


# Shapes


def _reshape(x: Any, shape: Any) -> Any:
    """In another shape, batched or not."""
    if isinstance(x, Batched):
        return reshaped(x, shape)
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


@handles("reshape")
def _reshape_handler(
    x: Batched,
    /,
    *shape: Any,
    order: str = "C",
    copy: bool | None = None,
    newshape: Any = None,
) -> Any:
    _require(order == "C", x, f"reshape(order={order!r})", "reshape in C order")
    if newshape is not None:
        shape = (newshape,)
    if len(shape) == 2 and isinstance(shape[0], (tuple, list)):
        raise x.run.refuse("reshape(x, shape, order)", "reshape in C order")
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    lengths = [operator.index(n) for n in shape]
    if -1 in lengths:
        rest = math.prod(n for n in lengths if n != -1)
        lengths[lengths.index(-1)] = x.size // rest if rest else 0
    if math.prod(lengths) != x.size or min(lengths, default=0) < 0:
        raise ValueError(f"cannot reshape {x.shape} into {shape}")
    found = reshaped(x, tuple(lengths))
    return found if copy else found.viewing(x)


HANDLERS["reshape_to"] = _reshape
NUMPY_NAMES[np.reshape] = "numpy.reshape"


def _numpy_reshape(
    a: Batched, /, shape: Any = None, order: str = "C", *, newshape: Any = None, **rest: Any
) -> Any:
    shape = newshape if shape is None else shape
    return _reshape_handler(a, shape, order=order, **rest)


HANDLERS["numpy.reshape"] = _numpy_reshape


@handles("ravel")
def _ravel(x: Batched, order: str = "C") -> Any:
    return _reshape_handler(x, (-1,), order=order)


@handles("flatten")
def _flatten(x: Batched, order: str = "C") -> Any:
    return _reshape_handler(x, (-1,), order=order, copy=True)


@handles("permute_dims")
def _permute_dims(x: Batched, axes: Any) -> Any:
    order = _axes(x, tuple(axes))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError("axes must be a permutation")
    return permuted(x, order).viewing(x)


@handles("transpose")
def _transpose(x: Batched, *axes: Any) -> Any:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = axes[0] or ()
    return _permute_dims(x, axes or tuple(reversed(range(x.ndim))))


NUMPY_NAMES[np.transpose] = "numpy.transpose"
HANDLERS["numpy.transpose"] = lambda a, axes=None: _transpose(a, axes)


@handles("matrix_transpose", "linalg.matrix_transpose")
def _matrix_transpose(x: Batched) -> Any:
    if x.ndim < 2:
        raise ValueError("matrix_transpose needs two axes")
    return _swapaxes(x, -1, -2)


@handles("swapaxes")
def _swapaxes(x: Batched, axis1: int, axis2: int) -> Any:
    order = list(range(x.ndim))
    a, b = _axis(x, axis1), _axis(x, axis2)
    order[a], order[b] = b, a
    return _permute_dims(x, order)


@handles("moveaxis")
def _moveaxis(x: Batched, source: Any, destination: Any) -> Any:
    old, new = _axes(x, source), _axes(x, destination)
    if len(old) != len(new) or len(set(old)) != len(old) or len(set(new)) != len(new):
        raise ValueError("source and destination must name as many axes")
    order = [axis for axis in range(x.ndim) if axis not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
    return _permute_dims(x, order)


@handles("expand_dims")
def _expand_dims(x: Batched, axis: Any = 0) -> Any:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x.ndim + len(axes)
    places = set()
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis {a} is out of bounds")
        places.add(a % ndim)
    if len(places) != len(axes):
        raise ValueError("repeated axis")
    lengths = iter(x.shape)
    shape = tuple(1 if i in places else next(lengths) for i in range(ndim))
    return reshaped(x, shape).viewing(x)


@handles("squeeze")
def _squeeze(x: Batched, axis: Any = None) -> Any:
    if axis is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    else:
        axes = _axes(x, axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError("cannot squeeze an axis whose length is not 1")
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return reshaped(x, shape).viewing(x)


@handles("broadcast_to")
def _broadcast_to(x: Batched, shape: Any) -> Any:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return broadcast(x, shape).viewing(x)


@handles("broadcast_arrays")
def _broadcast_arrays(*arrays: Any) -> Any:
    trace = trace_of(arrays)
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    return tuple(
        _broadcast_to(a, shape)
        if isinstance(a, Batched)
        else trace.xp.broadcast_to(a, shape)
        for a in arrays
    )


@handles("meshgrid")
def _meshgrid(*arrays: Any, indexing: str = "xy") -> Any:
    _require(indexing in ("xy", "ij"), trace_of(arrays), "this indexing of meshgrid")
    count = len(arrays)
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[0], order[1] = 1, 0
    shaped = [
        _reshape(a, tuple(-1 if order[i] == j else 1 for j in range(count)))
        if not isinstance(a, Batched)
        else reshaped(a, tuple(a.size if order[i] == j else 1 for j in range(count)))
        for i, a in enumerate(arrays)
    ]
    return list(_broadcast_arrays(*shaped))


@handles("atleast_1d")
def _atleast_1d(x: Batched) -> Any:
    return x if x.ndim else reshaped(x, (1,))


@handles("atleast_2d")
def _atleast_2d(x: Batched) -> Any:
    return x if x.ndim > 1 else reshaped(x, (1, x.size))


# Entries that move


def _moves(*names: str) -> None:
    """Functions that only move or repeat entries, with arguments that are constant."""

    def handler(name: str, x: Batched, *args: Any, **kwargs: Any) -> Any:
        if _any_batched((*args, *kwargs.values())) is not None:
            raise x.run.refuse(f"`{name}` with an argument computed from x")
        function = getattr(x.run.xp, name, None) or getattr(np, name)
        return moved(name, lambda a: function(a, *args, **kwargs), x)

    for name in names:
        handles(name)(functools.partial(handler, name))


_moves("roll", "repeat", "tile", "rot90", "resize", "delete")


@handles("flip")
def _flip(x: Batched, axis: Any = None) -> Any:
    axes = _axes(x, axis)
    key = tuple(slice(None, None, -1 if a in axes else 1) for a in range(x.ndim))
    return _getitem(x, key) if x.ndim else _copy(x)


@handles("flipud")
def _flipud(x: Batched) -> Any:
    return _flip(x, 0)


@handles("fliplr")
def _fliplr(x: Batched) -> Any:
    return _flip(x, 1)


@handles("take")
def _take(
    x: Batched, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Any:
    xp = trace_of((x, indices)).xp
    _require(out is None and mode == "raise", x, "take(out=, mode=)")
    if isinstance(indices, Batched):
        raise indices.run.refuse("an index computed from x", "use `where` or a mask")
    if is_numpy(xp):
        return moved("take", lambda a: np.take(a, indices, axis=axis), x)
    if axis is None:
        return moved("take", lambda a: xp.take(a, indices), x)
    return moved("take", lambda a: xp.take(a, indices, axis=axis), x)


@handles("take_along_axis")
def _take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    xp = trace_of((x, indices)).xp
    if not isinstance(indices, Batched):
        return moved(
            "take_along_axis", lambda a: xp.take_along_axis(a, indices, axis=axis), x
        )
    place = _axis(indices, axis)
    return everywhere(
        ("take_along_axis", place),
        lambda a, i: xp.take_along_axis(xp.asarray(a), xp.asarray(i), axis=place),
        lambda a, i: _taken_along(xp, a, i, place + 1, indices.run.points),
        x,
        indices,
    )


def _taken_along(xp: Any, a: Array, i: Array, axis: int, points: int) -> Array:
    if a.ndim < i.ndim:
        a = xp.broadcast_to(a[None, ...], (points, *a.shape))
    return xp.take_along_axis(a, i, axis=axis)


def _mask_of(name: str, x: Batched, k: int) -> Array:
    xp = x.run.xp
    ones = xp.ones(x.shape, dtype=xp.int8, device=x.device)
    return getattr(xp, name)(ones, k=k) == 1


@handles("tril")
def _tril(x: Batched, *, k: int = 0) -> Any:
    xp = x.run.xp
    return elementwise(xp.where, _mask_of("tril", x, k), x, _zero(x))


@handles("triu")
def _triu(x: Batched, *, k: int = 0) -> Any:
    xp = x.run.xp
    return elementwise(xp.where, _mask_of("triu", x, k), x, _zero(x))


NUMPY_NAMES[np.tril], NUMPY_NAMES[np.triu] = "numpy.tril", "numpy.triu"
HANDLERS["numpy.tril"] = lambda m, k=0: _tril(m, k=k)
HANDLERS["numpy.triu"] = lambda m, k=0: _triu(m, k=k)


def _zero(x: Batched) -> Array:
    xp = x.run.xp
    return xp.zeros((), dtype=x.dtype, device=x.device)


@handles("diagonal")
def _diagonal(x: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    def diagonals(a: Array) -> Array:
        xp = x.run.xp
        a = xp.permute_dims(a, _last(a, axis1, axis2))
        rows, columns = a.shape[-2:]
        start = offset if offset >= 0 else -offset * columns
        count = max(
            0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
        )
        flat = xp.reshape(a, (*a.shape[:-2], rows * columns))
        places = start + (columns + 1) * xp.arange(count, device=device_of(a))
        return xp.take(flat, places, axis=-1)

    return moved(("diagonal", offset, axis1, axis2), diagonals, x)


def _last(a: Array, axis1: int, axis2: int) -> tuple[int, ...]:
    first, second = axis1 % a.ndim, axis2 % a.ndim
    rest = [i for i in range(a.ndim) if i not in (first, second)]
    return (*rest, first, second)


@handles("linalg.diagonal")
def _linalg_diagonal(x: Batched, /, *, offset: int = 0) -> Any:
    return _diagonal(x, offset, -2, -1)


@handles("diag")
def _diag(x: Batched, k: int = 0) -> Any:
    if x.ndim == 2:
        return _diagonal(x, k)
    size, trace = x.shape[0], x.run

    def target() -> Array:
        numbers = np.diag(np.arange(1, size + 1), k) - 1
        return trace.xp.asarray(numbers, device=x.device)

    return placed(("diag", k), x, target)


@handles("trace", "linalg.run")
def _trace(x: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    if x.ndim > 2 and (axis1, axis2) == (0, 1):
        raise x.run.refuse("trace of a stack of matrices", "take the diagonal and sum")
    return _sum(_diagonal(x, offset, axis1, axis2), axis=-1)


@handles("concat", "concatenate")
def _concat(
    arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None
) -> Any:
    arrays = [_array_like(a, arrays) for a in arrays]
    trace = trace_of(arrays)
    xp = trace.xp
    if out is not None or dtype is not None:
        raise trace.refuse("concatenate(out=, dtype=)", "make a new array")
    if axis is None:
        arrays = [_reshape(a, (-1,)) if not isinstance(a, Batched) else _ravel(a) for a in arrays]
        axis = 0
    place = _axis(arrays[0], axis)
    bases = [xp.asarray(a.base) if isinstance(a, Batched) else a for a in arrays]
    base = trace.once(
        ("concat", place), identities(arrays), lambda: xp.concat(bases, axis=place)
    )
    start, total = 0, None
    pieces = [a for a in arrays if isinstance(a, Batched) and a.region is not None]
    if not pieces:
        return Batched(trace, base)
    if trace.dense or any(not a.has_diff and not _is_float(a) for a in pieces):
        return everywhere(
            ("concat whole", place),
            lambda *parts: xp.concat([xp.asarray(p) for p in parts], axis=place),
            lambda *parts: _concat_many(trace, arrays, parts, place),
            *arrays,
        )
    for array in arrays:
        length = array.shape[place]
        if isinstance(array, Batched) and array.region is not None:
            piece = placed(
                ("concat piece", place, start, tuple(base.shape)),
                array,
                functools.partial(_target, xp, array, tuple(base.shape), place, start),
            )
            total = piece if total is None else elementwise(operator.add, total, piece)
        start += length
    return _rebased(total, base)


def _is_float(x: Batched) -> bool:
    return bool(x.run.xp.isdtype(x.dtype, ("real floating", "complex floating")))


def _rebased(x: Any, base: Array) -> Batched:
    """The differences of ``x`` beside another base."""
    return Batched(x.run, base, x.region, x.diff_as(base.dtype))


def _target(
    xp: Any, x: Batched, shape: tuple[int, ...], axis: int, start: int
) -> Array:
    """For each entry of the result which entry of ``x`` it is, or -1."""
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    before = (*shape[:axis], start, *shape[axis + 1 :])
    after = shape[axis] - start - x.shape[axis]
    after_shape = (*shape[:axis], after, *shape[axis + 1 :])
    outside = [
        xp.full(s, -1, dtype=numbers.dtype, device=x.device)
        for s in (before, after_shape)
    ]
    return xp.concat([outside[0], numbers, outside[1]], axis=axis)


def _concat_many(trace: Trace, arrays: Any, parts: Any, axis: int) -> Array:
    xp = trace.xp
    full = [
        part
        if isinstance(array, Batched)
        else xp.broadcast_to(part[None, ...], (trace.points, *part.shape))
        for array, part in zip(arrays, parts, strict=True)
    ]
    return xp.concat(full, axis=axis + 1)


def _array_like(x: Any, among: Any) -> Any:
    """An array; of NumPy also numbers and lists."""
    if isinstance(x, Batched) or hasattr(x, "ndim"):
        return x
    trace = _any_batched((among,)).run  # type: ignore[union-attr]
    if is_numpy(trace.xp) and _any_batched((x,)) is None:
        return np.asarray(x)
    if isinstance(x, (tuple, list)):
        return _stack(x)
    raise trace.refuse("a list of numbers beside entries of x", "make arrays of them")


@handles("stack")
def _stack(arrays: Any, axis: int = 0) -> Any:
    arrays = [_array_like(a, arrays) for a in arrays]
    xp = trace_of(arrays).xp
    ndim = arrays[0].ndim + 1
    if any(tuple(a.shape) != tuple(arrays[0].shape) for a in arrays):
        raise ValueError("all arrays to stack must have one shape")
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds")
    place = axis % ndim
    return _concat(
        [
            _expand_dims(a, place)
            if isinstance(a, Batched)
            else xp.expand_dims(xp.asarray(a), axis=place)
            for a in arrays
        ],
        axis=place,
    )


@handles("hstack")
def _hstack(arrays: Any) -> Any:
    arrays = [_at_least(a, 1, arrays) for a in arrays]
    return _concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


@handles("vstack")
def _vstack(arrays: Any) -> Any:
    return _concat([_at_least(a, 2, arrays) for a in arrays], axis=0)


@handles("column_stack")
def _column_stack(arrays: Any) -> Any:
    arrays = [_at_least(a, 1, arrays) for a in arrays]
    return _concat(
        [_reshape(a, (a.shape[0], 1)) if a.ndim == 1 else a for a in arrays], axis=1
    )


def _at_least(x: Any, ndim: int, among: Any) -> Any:
    x = _array_like(x, among)
    if x.ndim >= ndim:
        return x
    return _reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))


@handles("append")
def _append(x: Any, values: Any, axis: int | None = None) -> Any:
    return _concat([x, values], axis=axis)


@handles("unstack")
def _unstack(x: Batched, /, *, axis: int = 0) -> Any:
    place = _axis(x, axis)
    lead = (slice(None),) * place
    return tuple(_getitem(x, (*lead, i)) for i in range(x.shape[place]))


@handles("pad")
def _pad(
    x: Batched, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0
) -> Any:
    trace, xp = x.run, x.run.xp
    moving = ("edge", "wrap", "reflect", "symmetric")
    _require(mode == "constant" or mode in moving, x, f"pad(mode={mode!r})")
    if mode in moving:
        return moved(("pad", mode), lambda a: xp.pad(a, pad_width, mode=mode), x)
    numbers = np.arange(x.size).reshape(x.shape)
    target = np.pad(numbers, pad_width, constant_values=-1)
    inner = placed(
        ("pad", target.shape), x, lambda: xp.asarray(target, device=x.device)
    )
    around = np.pad(np.zeros(x.shape), pad_width, constant_values=constant_values)
    around = xp.asarray(around.astype(str(x.dtype)), device=x.device)
    del trace
    return elementwise(operator.add, inner, around)


# Indexing


def _expanded(x: Any, key: Any) -> tuple[Any, ...]:
    """The key as a tuple without an ellipsis, with a part for every axis."""
    parts = key if isinstance(key, tuple) else (key,)
    used = 0
    for part in parts:
        if part is None or part is Ellipsis:
            continue
        is_mask = hasattr(part, "dtype") and "bool" in str(part.dtype)
        used += part.ndim if is_mask else 1
    if used > x.ndim:
        raise IndexError(f"too many indices for an array of {x.ndim} axes")
    fill = (slice(None),) * (x.ndim - used)
    for i, part in enumerate(parts):
        if part is Ellipsis:
            return (*parts[:i], *fill, *parts[i + 1 :])
    return (*parts, *fill)


def _is_basic(part: Any) -> bool:
    if part is None or isinstance(part, slice):
        return True
    return isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_))


def _getitem(x: Batched, key: Any) -> Any:
    trace = x.run
    if type(key) is slice and len(x.shape) == 1:
        return sliced(x, (key,)).viewing(x)
    if _any_batched(key if isinstance(key, tuple) else (key,)) is not None:
        raise trace.refuse(
            "x[...] with a mask or an index computed from x",
            "choose by `where(mask, x, 0)`",
        )
    if isinstance(key, list):
        key = np.asarray(key)
    parts = _expanded(x, key)
    if all(map(_is_basic, parts)):
        axis = 0
        whole = []
        for part in parts:
            if part is None:
                whole.append(part)
                continue
            length = x.shape[axis]
            axis += 1
            if not isinstance(part, slice):
                part = operator.index(part)
                if not -length <= part < length:
                    raise IndexError(
                        f"index {part} is out of bounds for an axis of {length}"
                    )
            whole.append(part)
        found = sliced(x, tuple(whole))
        numbers = all(not isinstance(part, slice) and part is not None for part in whole)
        # NumPy gives a number for numbers, and a view for slices.
        return found if numbers and trace.numpy else found.viewing(x)
    return moved("index", lambda a: a[key], x)


HANDLERS["getitem"] = _getitem


def _setitem(x: Batched, key: Any, value: Any) -> None:
    trace, xp = x.run, x.run.xp
    returned = trace.cache.pop("returned", (None, None))
    if returned[0] is x and returned[1] is value:
        x.stale = False
    x.usable()
    if x.owner is not None:
        raise trace.refuse(
            "an assignment through a view", "assign to the array itself, or copy"
        )
    if isinstance(key, Batched):
        scalar = getattr(value, "ndim", 0) == 0
        _require(
            scalar and key.shape == x.shape,
            x,
            "an assignment to entries chosen by values",
            "choose by `where(mask, a, b)`",
        )
        x.become(_kept_dtype(elementwise(xp.where, key, value, x), x))
        return
    if _any_batched(key if isinstance(key, tuple) else (key,)) is not None:
        raise trace.refuse("an index computed from x", "use `where`")

    def keep() -> Array:
        mask = xp.ones(x.shape, dtype=xp.bool, device=x.device)
        mask[key] = False
        return mask

    mask = trace.once("keep", (), keep)
    if not isinstance(value, Batched):

        def filled() -> Array:
            array = xp.zeros(x.shape, dtype=x.dtype, device=x.device)
            array[key] = value
            return array

        x.become(_kept_dtype(elementwise(xp.where, mask, x, filled()), x))
        return
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    shape = tuple(numbers[key].shape)
    part = value if value.shape == shape else _broadcast_to(_trimmed(value, shape), shape)

    def target() -> Array:
        places = xp.full(x.shape, -1, dtype=numbers.dtype, device=x.device)
        places[key] = xp.reshape(xp.arange(part.size, device=x.device), shape)
        return places

    new = placed(("set", x.shape), part, target)
    x.become(_kept_dtype(elementwise(xp.where, mask, x, _kept_dtype(new, x)), x))


def _trimmed(value: Batched, shape: tuple[int, ...]) -> Batched:
    """Without leading axes of length 1 that the place does not have."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        return reshaped(value, value.shape[extra:])
    return value


def _kept_dtype(new: Any, x: Batched) -> Any:
    return new if new.dtype == x.dtype else _astype(new, x.dtype)


HANDLERS["setitem"] = _setitem


# Reductions


@functools.cache
def _reducer(xp: Any, name: str) -> Callable[..., Any]:
    function = getattr(xp, name)

    def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(xp.asarray(array), axis=axes, keepdims=keepdims)

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
    _require(out is None, x, "sum(out=)", "make a new array")
    xp = x.run.xp
    if where is not None:
        x = elementwise(xp.where, where, x, _zero(x))
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    found = summed("sum", _reducer(xp, "sum"), x, _axes(x, axis), bool(keepdims))
    return found if initial is None else found + initial


@handles("mean")
def _mean(
    x: Batched,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
) -> Any:
    _require(out is None, x, "mean(out=)", "make a new array")
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    axes = _axes(x, axis)
    count = math.prod(x.shape[a] for a in axes)
    return summed(
        "mean", _reducer(x.run.xp, "mean"), x, axes, bool(keepdims), max(count, 1)
    )


@handles("average")
def _average(x: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return _mean(x, axis, keepdims=keepdims)
    if axis is not None and weights.shape != x.shape:
        raise trace_of((x, weights)).refuse("average(axis=) with weights of one axis")
    xp = trace_of((x, weights)).xp
    total = _sum if isinstance(weights, Batched) else xp.sum
    above = _sum(x * weights, axis, keepdims=keepdims)
    return above / total(weights, axis=axis, keepdims=keepdims)


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


LEAVE_ONE_OUT = {
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
    ) -> Any:
        _require(out is None, x, f"{name}(out=)", "make a new array")
        return along(
            name,
            _reducer(x.run.xp, name),
            x,
            _axes(x, axis),
            bool(keepdims),
            LEAVE_ONE_OUT.get(name) if _is_float(x) else None,
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
    _require(out is None, x, "prod(out=)", "make a new array")
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    return along(
        "prod",
        _reducer(x.run.xp, "prod"),
        x,
        _axes(x, axis),
        bool(keepdims),
        LEAVE_ONE_OUT["prod"] if _is_float(x) else None,
    )


@handles("count_nonzero")
def _count_nonzero(x: Batched, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _sum(_astype(elementwise(operator.ne, x, 0), x.run.xp.int64), axis, keepdims=keepdims)


@handles("ptp")
def _ptp(x: Batched, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    _require(out is None, x, "ptp(out=)")
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
    _require(out is None, x, "var(out=)", "make a new array")
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    axes, xp = _axes(x, axis), x.run.xp
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
    return elementwise(_named(x.run.xp, "sqrt"), _var(x, *args, **kwargs))


def _positions(name: str) -> None:
    def handler(
        x: Batched, axis: int | None = None, out: None = None, *, keepdims: bool = False
    ) -> Any:
        _require(out is None, x, f"{name}(out=)")
        xp = x.run.xp
        if axis is None:
            if x.ndim != 1:
                _require(not keepdims, x, f"{name}(keepdims=True) of all axes")
                x = reshaped(x, (x.size,))
            axis = 0

        def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return getattr(xp, name)(
                xp.asarray(array), axis=axes[0], keepdims=keepdims
            )

        return along(name, reduced, x, (_axis(x, axis),), bool(keepdims))

    handles(name)(handler)


for _name in ("argmax", "argmin"):
    _positions(_name)


def _statistic(name: str, takes: int) -> None:
    """NumPy's order statistics."""

    def handler(x: Batched, *args: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if len(args) == takes + 1:
            *args, axis = args  # type: ignore[assignment]
        _require(len(args) == takes, x, f"these arguments of np.{name}")
        values = tuple(float(a) for a in args)
        _require(is_numpy(x.run.xp), x, f"np.{name}", "sort, and pick")
        function = getattr(np, name)

        def reduced(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
            return function(array, *values, axis=axes, keepdims=keepdims)

        return along((name, values), reduced, x, _axes(x, axis), bool(keepdims))

    handles(name)(handler)


for _name, _takes in (("median", 0), ("quantile", 1), ("percentile", 1)):
    _statistic(_name, _takes)


# Along an axis


@handles("cumulative_sum")
def _cumulative_sum(
    x: Batched, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    _require(not include_initial, x, "cumulative_sum(include_initial=True)")
    if axis is None:
        _require(x.ndim == 1, x, "cumulative_sum of several axes without `axis`")
        axis = 0
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    place, xp, trace = _axis(x, axis), x.run.xp, x.run

    def running(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return xp.cumulative_sum(xp.asarray(array), axis=axes[0])

    region = x.usable().region
    if region is None or not x.has_diff or region.is_whole or trace.dense:
        return along("cumulative_sum", running, x, (place,), None)
    base = trace.once(
        "cumulative_sum", identities((x,)), lambda: running(x.base, (place,), None)
    )
    outer, _ = widened(x, (place,))
    zero = xp.zeros((1, 1, *(1,) * len(outer.inner)), dtype=x.dtype, device=x.device)
    diff = put(outer, zero, region, x.diff) if outer is not region else x.diff
    diff = xp.cumulative_sum(diff, axis=2 + outer.free.index(place))
    trace.note(outer.width, base.size)
    return Batched(trace, base, outer, diff)


@handles("cumsum")
def _cumsum(x: Batched, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    _require(out is None, x, "cumsum(out=)")
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    return _cumulative_sum(x, axis=axis, dtype=dtype)


@handles("cumulative_prod")
def _cumulative_prod(
    x: Batched, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    _require(not include_initial, x, "cumulative_prod(include_initial=True)")
    if axis is None:
        _require(x.ndim == 1, x, "cumulative_prod of several axes without `axis`")
        axis = 0
    if dtype is not None:
        x = _astype(x, dtype, copy=False)
    xp = x.run.xp

    def running(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
        return xp.cumulative_prod(xp.asarray(array), axis=axes[0])

    return along("cumulative_prod", running, x, (_axis(x, axis),), None)


@handles("cumprod")
def _cumprod(x: Batched, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    _require(out is None, x, "cumprod(out=)")
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    return _cumulative_prod(x, axis=axis, dtype=dtype)


def _ordered(name: str) -> None:
    def handler(
        x: Batched, axis: int | None = -1, *, descending: bool = False, stable: bool = True
    ) -> Any:
        xp = x.run.xp
        if axis is None:
            x, axis = reshaped(x, (x.size,)), 0

        def arranged(array: Array, axes: tuple[int, ...], keepdims: None) -> Array:
            function = getattr(xp, name)
            return function(
                xp.asarray(array), axis=axes[0], descending=descending, stable=stable
            )

        return along((name, descending), arranged, x, (_axis(x, axis),), None)

    handles(name)(handler)


for _name in ("sort", "argsort"):
    _ordered(_name)


@handles("diff")
def _diff(x: Batched, n: int = 1, axis: int = -1) -> Any:
    place = _axis(x, axis)
    lead = (slice(None),) * place
    for _ in range(n):
        later, earlier = _getitem(x, (*lead, slice(1, None))), _getitem(x, (*lead, slice(None, -1)))
        if "bool" in str(x.dtype):
            x = elementwise(operator.ne, later, earlier)
        else:
            x = elementwise(operator.sub, later, earlier)
    return x if n else _copy(x)


@handles("trapezoid")
def _trapezoid(y: Batched, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    place = _axis(y, axis)
    lead = (slice(None),) * place
    steps = dx
    if x is not None:
        _require(not isinstance(x, Batched) and np.ndim(x) == 1, y, "trapezoid(x=) like this")
        steps = np.diff(x).reshape((-1, *(1,) * (y.ndim - 1 - place)))
    later, earlier = y[(*lead, slice(1, None))], y[(*lead, slice(None, -1))]
    return _sum((later + earlier) * steps / 2, place)


@handles("interp")
def _interp(x: Any, xp: Any, fp: Any) -> Any:
    if isinstance(xp, Batched) or isinstance(fp, Batched):
        raise trace_of((x, xp, fp)).refuse("np.interp of a table computed from x")
    return elementwise(_Interpolation(xp, fp), x)


class _Interpolation:
    """Linear interpolation in one table; the same table is the same function."""

    def __init__(self, xp: Any, fp: Any) -> None:
        self.table = xp, fp

    def __call__(self, x: Any) -> Any:
        return np.interp(x, *self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Interpolation)

    def __hash__(self) -> int:
        return hash(_Interpolation)


# Products


def _many_matmul(xp: Any, a: Any, b: Any, a_ndim: int, b_ndim: int) -> Callable[..., Any]:
    def many(x: Array, y: Array) -> Array:
        # A vector becomes a matrix of one row or column, behind the hidden axis.
        if a_ndim == 1:
            x = x[..., None, :]
        if b_ndim == 1:
            y = y[..., :, None]
        x, y = _same_lead(x, y, a, b, max(a_ndim, 2), max(b_ndim, 2))
        found = xp.matmul(x, y)
        if b_ndim == 1:
            found = found[..., 0]
        if a_ndim == 1:
            found = found[..., 0] if b_ndim == 1 else found[..., 0, :]
        return found

    return many


def _same_lead(
    x: Array, y: Array, a: Any, b: Any, a_ndim: int, b_ndim: int
) -> tuple[Array, Array]:
    """Axes of length 1 after the hidden axis of the one with fewer axes."""
    if isinstance(a, Batched) and a_ndim < b_ndim:
        x = x[(slice(None), *(None,) * (b_ndim - a_ndim), ...)]
    if isinstance(b, Batched) and b_ndim < a_ndim:
        y = y[(slice(None), *(None,) * (a_ndim - b_ndim), ...)]
    return x, y


@handles("matmul", "linalg.matmul")
def _matmul(a: Any, b: Any) -> Any:
    trace = trace_of((a, b))
    xp = trace.xp
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        raise ValueError("matmul needs at least one axis on both sides")
    if isinstance(a, Batched) and isinstance(b, Batched) and a.ndim == b.ndim == 1:
        return _sum(elementwise(operator.mul, a, b))
    return product(
        "matmul",
        lambda x, y: xp.matmul(xp.asarray(x), xp.asarray(y)),
        _many_matmul(xp, a, b, a.ndim, b.ndim),
        a,
        b,
    )


@handles("dot")
def _dot(a: Any, b: Any) -> Any:
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return elementwise(operator.mul, a, b)
    if a.ndim > 2 or b.ndim > 2:
        raise trace_of((a, b)).refuse("dot of more than two axes", "use `matmul`")
    return _matmul(a, b)


@handles("inner")
def _inner(a: Any, b: Any) -> Any:
    if a.ndim == 0 or b.ndim == 0:
        return elementwise(operator.mul, a, b)
    return _tensordot(a, b, axes=((-1,), (-1,)))


@handles("vdot")
def _vdot(a: Any, b: Any) -> Any:
    return _vecdot(_reshape(a, (math.prod(a.shape),)), _reshape(b, (math.prod(b.shape),)))


@handles("vecdot", "linalg.vecdot")
def _vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    trace = trace_of((a, b))
    if trace.xp.isdtype(a.dtype, "complex floating"):
        conj = _named(trace.xp, "conj")
        a = elementwise(conj, a) if isinstance(a, Batched) else conj(a)
    return _sum(elementwise(operator.mul, a, b), axis=axis)


@handles("outer", "linalg.outer")
def _outer(a: Any, b: Any) -> Any:
    a = _reshape(a, (math.prod(a.shape), 1))
    b = _reshape(b, (1, math.prod(b.shape)))
    return elementwise(operator.mul, a, b)


@handles("kron")
def _kron(a: Any, b: Any) -> Any:
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + tuple(a.shape)
    right = (1,) * (ndim - b.ndim) + tuple(b.shape)
    wide = tuple(n for m in left for n in (m, 1))
    deep = tuple(n for m in right for n in (1, m))
    found = elementwise(operator.mul, _reshape(a, wide), _reshape(b, deep))
    return reshaped(found, tuple(m * n for m, n in zip(left, right, strict=True)))


@handles("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        left = tuple(range(a.ndim - axes, a.ndim))
        right = tuple(range(axes))
    else:
        left, right = (_axes(x, side) for x, side in zip((a, b), axes, strict=True))
    keep_a = [i for i in range(a.ndim) if i not in left]
    keep_b = [i for i in range(b.ndim) if i not in right]
    length = math.prod(a.shape[i] for i in left)
    shape = tuple(a.shape[i] for i in keep_a) + tuple(b.shape[i] for i in keep_b)
    a = _arranged(a, (*keep_a, *left), (-1, length))
    b = _arranged(b, (*right, *keep_b), (length, -1))
    return reshaped(_matmul(a, b), shape)


def _arranged(x: Any, order: tuple[int, ...], shape: tuple[int, int]) -> Any:
    size = math.prod(x.shape)
    rest = size // max(1, math.prod(n for n in shape if n != -1))
    shape = tuple(rest if n == -1 else n for n in shape)  # type: ignore[assignment]
    if isinstance(x, Batched):
        return reshaped(permuted(x, order), shape)
    if order != tuple(range(x.ndim)):
        x = x.transpose(order) if hasattr(x, "transpose") else _plain_permute(x, order)
    return x if tuple(x.shape) == shape else _plain_reshape(x, shape)


def _plain_permute(x: Any, order: tuple[int, ...]) -> Any:
    return x.__array_namespace__().permute_dims(x, order)


def _plain_reshape(x: Any, shape: tuple[int, ...]) -> Any:
    if hasattr(x, "reshape"):
        return x.reshape(shape)
    return x.__array_namespace__().reshape(x, shape)


@handles("cross", "linalg.cross")
def _cross(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    xp = trace_of((a, b)).xp
    if tuple(a.shape) != tuple(b.shape) or a.shape[_axis(a, axis)] != 3:
        raise trace_of((a, b)).refuse("cross of these shapes", "give shapes (..., 3)")
    lead = (slice(None),) * _axis(a, axis)
    parts = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        parts.append(a[(*lead, j)] * b[(*lead, k)] - a[(*lead, k)] * b[(*lead, j)])
    del xp
    return _stack(parts, axis=axis)


# Above this size of the product of all letters, einsum is done everywhere at once.
EINSUM_SIZE = 2**18


@handles("einsum")
def _einsum(subscripts: Any, *operands: Any) -> Any:
    trace = trace_of(operands)
    if not isinstance(subscripts, str) or "." in subscripts:
        raise trace.refuse("einsum with an ellipsis or with lists", "name all axes")
    left, _, right = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if "->" not in subscripts:
        letters = "".join(inputs)
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(inputs) != len(operands):
        raise ValueError("einsum needs as many subscripts as operands")
    for i, (letters, operand) in enumerate(zip(inputs, operands, strict=True)):
        if len(letters) != operand.ndim:
            raise ValueError(f"operand {i} of einsum has other axes than {letters!r}")
    if any(len(set(letters)) != len(letters) for letters in (*inputs, right)):
        return _einsum_everywhere(trace, inputs, right, operands)
    if len(operands) == 2:
        found = _einsum_pair(inputs, right, operands)
        if found is not None:
            return found
    lengths = {
        letter: n
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, n in zip(letters, operand.shape, strict=True)
    }
    if math.prod(lengths.values()) > EINSUM_SIZE:
        return _einsum_everywhere(trace, inputs, right, operands)
    order = right + "".join(c for c in lengths if c not in right)
    parts = []
    for letters, operand in zip(inputs, operands, strict=True):
        places = tuple(letters.index(c) for c in order if c in letters)
        if isinstance(operand, Batched):
            operand = permuted(operand, places)
        else:
            operand = _arranged_letters(operand, places)
        shape = tuple(lengths[c] if c in letters else 1 for c in order)
        parts.append(_reshape(operand, shape))
    found = functools.reduce(operator.mul, parts)
    axes = tuple(range(len(right), len(order)))
    return _sum(found, axis=axes) if axes else found


def _arranged_letters(x: Any, order: tuple[int, ...]) -> Any:
    if order == tuple(range(len(order))):
        return x
    return x.transpose(order) if hasattr(x, "transpose") else _plain_permute(x, order)


def _einsum_pair(inputs: list[str], right: str, operands: tuple[Any, ...]) -> Any:
    """A product of two that `tensordot` can do; None if it is another one."""
    a, b = inputs
    shared = [c for c in a if c in b]
    if not shared or any(c in right for c in shared):
        return None
    rest = [c for c in a if c not in shared] + [c for c in b if c not in shared]
    if sorted(rest) != sorted(right):
        return None
    axes = tuple(a.index(c) for c in shared), tuple(b.index(c) for c in shared)
    found = _tensordot(*operands, axes=axes)
    order = tuple(rest.index(c) for c in right)
    return found if order == tuple(range(len(order))) else permuted(found, order)


def _einsum_everywhere(
    trace: Trace, inputs: list[str], right: str, operands: tuple[Any, ...]
) -> Any:
    if not is_numpy(trace.xp):
        raise trace.refuse("this einsum", "use `tensordot` or `matmul`")
    hidden = next(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in "".join(inputs))
    plain = f"{','.join(inputs)}->{right}"
    marked = [
        (hidden if isinstance(o, Batched) else "") + letters
        for letters, o in zip(inputs, operands, strict=True)
    ]
    many = f"{','.join(marked)}->{hidden}{right}"
    return everywhere(
        ("einsum", plain),
        lambda *parts: np.einsum(plain, *parts),
        lambda *parts: np.einsum(many, *parts),
        *operands,
    )


# Linear algebra


def _power_sum(x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Norm of vectors along axes."""
    absolute = _named(x.run.xp, "abs")
    if order in (None, 2, "fro"):
        root = _named(x.run.xp, "sqrt")
        if x.run.xp.isdtype(x.dtype, "complex floating"):
            x = elementwise(absolute, x)
        return elementwise(root, _sum(x * x, axes, keepdims=keepdims))
    size = elementwise(absolute, x)
    if order == math.inf:
        return HANDLERS["max"](size, axes, keepdims=keepdims)
    if order == -math.inf:
        return HANDLERS["min"](size, axes, keepdims=keepdims)
    if order == 0:
        counted = _astype(elementwise(operator.ne, x, 0), size.dtype)
        return _sum(counted, axes, keepdims=keepdims)
    if order == 1:
        return _sum(size, axes, keepdims=keepdims)
    return _sum(size**order, axes, keepdims=keepdims) ** (1 / order)


def _matrix_power_sum(
    x: Batched, order: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Norm of matrices along two axes."""
    rows, columns = axes
    if order in (None, "fro"):
        return _power_sum(x, None, axes, keepdims)
    size = elementwise(_named(x.run.xp, "abs"), x)
    name = {1: "max", math.inf: "max", -1: "min", -math.inf: "min"}.get(order)
    if name is not None:
        along_axis = rows if abs(order) == 1 else columns
        other = columns if abs(order) == 1 else rows
        sums = _sum(size, along_axis, keepdims=True)
        found = HANDLERS[name](sums, other, keepdims=True)
        return found if keepdims else _squeeze(found, axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(f"invalid norm order {order!r} for matrices")
    _require(is_numpy(x.run.xp), x, f"a matrix norm of order {order!r}")
    norm = np.linalg.norm
    return everywhere(
        ("norm", order, axes, keepdims),
        lambda a: norm(a, order, axes, keepdims),
        lambda a: norm(a, order, (rows + 1, columns + 1), keepdims),
        x,
    )


@handles("linalg.norm")
def _norm(x: Batched, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None:
        if ord is None or x.ndim == 1:
            if x.ndim != 1 and not keepdims:
                x = reshaped(x, (x.size,))
            return _power_sum(x, ord, _axes(x, None), keepdims)
        axis = (0, 1)
        if x.ndim != 2:
            raise ValueError("improper number of dimensions to norm")
    axes = _axes(x, axis)
    if len(axes) == 2:
        return _matrix_power_sum(x, ord, axes, keepdims)
    if ord == "fro":
        raise ValueError("invalid norm order 'fro' for vectors")
    return _power_sum(x, ord, axes, keepdims)


@handles("linalg.vector_norm")
def _vector_norm(x: Batched, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return _power_sum(x, ord, _axes(x, axis), keepdims)


@handles("linalg.matrix_norm")
def _matrix_norm(x: Batched, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _matrix_power_sum(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _stacked(name: str, outputs: bool = False) -> None:
    """Functions of matrices that take stacks of them: the hidden axis is one more."""

    def handler(x: Batched, *args: Any) -> Any:
        xp = x.run.xp
        _require(all(isinstance(a, int) for a in args), x, f"these arguments of {name}")
        function = getattr(xp.linalg, name)
        if x.ndim < 2:
            raise ValueError(f"{name} needs matrices")
        return everywhere(
            (name, args),
            lambda a: function(a, *args),
            lambda a: function(a, *args),
            x,
        )

    handles(f"linalg.{name}")(handler)


for _name in "det inv pinv slogdet eigvalsh svdvals cholesky matrix_power eigh".split():
    _stacked(_name)


@handles("linalg.solve")
def _solve(a: Any, b: Any) -> Any:
    trace = trace_of((a, b))
    xp = trace.xp
    vector = b.ndim == 1

    def many(x: Array, y: Array) -> Array:
        if vector:
            y = y[..., None]
        x, y = _same_lead(x, y, a, b, a.ndim, max(b.ndim, 2))
        found = xp.linalg.solve(x, y)
        return found[..., 0] if vector else found

    return everywhere("solve", lambda x, y: xp.linalg.solve(x, y), many, a, b)


@handles("select")
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    trace = _any_batched((condlist, choicelist, default)).run  # type: ignore[union-attr]
    found = default
    pairs = list(zip(condlist, choicelist, strict=True))
    for condition, choice in reversed(pairs):
        operands = (condition, choice, found)
        if _any_batched(operands) is None:
            found = np.where(*operands)
        else:
            found = elementwise(trace.xp.where, *operands)
    return found


def _methods() -> None:
    """Methods whose arguments differ from those of the functions."""

    def conjugate(x: Batched) -> Any:
        return elementwise(_named(x.run.xp, "conj"), x)

    HANDLERS["conjugate"] = conjugate


_methods()
assert NotBatchedError  # what handlers raise
