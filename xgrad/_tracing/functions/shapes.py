"""Define functions by name that change the shape or the order of the axes."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched
from xgrad._batched.layout import broadcast, permuted, reshaped
from xgrad._batched.names import axes_of, axis_of, handles, require, reshape
from xgrad._batched.operands import trace_of


@handles("reshape")
def _reshape_handler(
    x: Batched,
    /,
    *shape: Any,
    order: str = "C",
    copy: bool | None = None,
    newshape: Any = None,
) -> Any:
    if order == "F":
        # In Fortran's order everything is as in C order with all axes reversed.
        transposed = permuted(x, tuple(reversed(range(x.ndim))))
        lengths = shape[0] if len(shape) == 1 and not _is_length(shape[0]) else shape
        new = _reshape_handler(transposed, tuple(reversed(lengths)), copy=True)
        return permuted(new, tuple(reversed(range(new.ndim))))
    require(order == "C", x, f"reshape(order={order!r})", "reshape in C order")
    # The name that NumPy had for it before 2.1.
    if newshape is not None:
        shape = (newshape,)
    if len(shape) == 2 and isinstance(shape[0], (tuple, list)):
        raise x.tracer.refuse("reshape(x, shape, order)", "reshape in C order")
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    lengths = [operator.index(n) for n in shape]
    if -1 in lengths:
        rest = math.prod(n for n in lengths if n != -1)
        lengths[lengths.index(-1)] = x.size // rest if rest else 0
    # The floor division above hides a remainder.
    if math.prod(lengths) != x.size or min(lengths, default=0) < 0:
        raise ValueError(f"cannot reshape {x.shape} into {shape}")
    new = reshaped(x, tuple(lengths))
    return new if copy else new.as_view_of(x)


# As a function it takes the shape as one argument, and as a method as several.
NUMPY_NAMES[np.reshape] = "numpy.reshape"


def _numpy_reshape(
    a: Batched,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    newshape: Any = None,
    **options: Any,
) -> Any:
    shape = newshape if shape is None else shape
    return _reshape_handler(a, shape, order=order, **options)


HANDLERS["numpy.reshape"] = _numpy_reshape


def _is_length(n: Any) -> bool:
    """Whether an argument of `reshape` is one length, not a tuple of them."""
    return not isinstance(n, (tuple, list))


@handles("ravel")
def _ravel(x: Batched, order: str = "C") -> Any:
    return _reshape_handler(x, (-1,), order=order)


@handles("flatten")
def _flatten(x: Batched, order: str = "C") -> Any:
    return _reshape_handler(x, (-1,), order=order, copy=True)


@handles("permute_dims")
def _permute_dims(x: Batched, axes: Any) -> Any:
    order = axes_of(x, tuple(axes))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError("axes must be a permutation")
    return permuted(x, order).as_view_of(x)


@handles("transpose")
def _transpose(x: Batched, *axes: Any) -> Any:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = tuple(axes[0] or ())
    return _permute_dims(x, axes or tuple(reversed(range(x.ndim))))


# So does this: axes as one argument, or as several.
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
    a, b = axis_of(x, axis1), axis_of(x, axis2)
    order[a], order[b] = b, a
    return _permute_dims(x, order)


@handles("moveaxis")
def _moveaxis(x: Batched, source: Any, destination: Any) -> Any:
    old, new = axes_of(x, source), axes_of(x, destination)
    if len(old) != len(new) or len(set(old)) != len(old) or len(set(new)) != len(new):
        raise ValueError(
            f"moveaxis needs as many axes in source, {old}, as in destination, {new}, "
            "each of them once"
        )
    # From the front, so that an axis once inserted is not pushed on by the next one.
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
    return reshaped(x, shape).as_view_of(x)


@handles("squeeze")
def _squeeze(x: Batched, axis: Any = None) -> Any:
    if axis is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    else:
        axes = axes_of(x, axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError("cannot squeeze an axis whose length is not 1")
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return reshaped(x, shape).as_view_of(x)


@handles("broadcast_to")
def _broadcast_to(x: Batched, shape: Any) -> Any:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return broadcast(x, shape).as_view_of(x)


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
    require(indexing in ("xy", "ij"), trace_of(arrays), "this indexing of meshgrid")
    count = len(arrays)
    # With "xy", the first vector runs along columns, which are the second axis.
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[0], order[1] = 1, 0
    shaped = [
        reshape(a, tuple(-1 if order[i] == j else 1 for j in range(count)))
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
