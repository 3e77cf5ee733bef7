"""Functions that change the shape or the order of the axes."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from xgrad._tracing.arguments import axes_of, axis_of, require, tracer_of
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


@handles("reshape")
def reshape(
    x: StandIn,
    /,
    *shape: Any,
    order: str = "C",
    copy: bool | None = None,
    newshape: Any = None,
) -> StandIn:
    """Return ``x`` in another shape, with the arguments of the method."""
    if order == "F":
        # In Fortran's order everything is as in C order with all axes reversed.
        transposed = x.tracer.permuted(x, tuple(reversed(range(x.ndim))))
        lengths = shape[0] if len(shape) == 1 and not _is_length(shape[0]) else shape
        new = reshape(transposed, tuple(reversed(lengths)), copy=True)
        return new.tracer.permuted(new, tuple(reversed(range(new.ndim))))
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
    new = x.tracer.reshaped(x, tuple(lengths))
    return new if copy else new.as_view_of(x)


# As a function it takes the shape as one argument, and as a method as several.
@handles("numpy.reshape")
def _numpy_reshape(
    a: StandIn,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    newshape: Any = None,
    **options: Any,
) -> StandIn:
    shape = newshape if shape is None else shape
    return reshape(a, shape, order=order, **options)


def reshape_any(x: Any, shape: Any) -> Any:
    """Return an array or a stand-in in another shape."""
    if isinstance(x, StandIn):
        return x.tracer.reshaped(x, shape)
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


def _is_length(n: Any) -> bool:
    """Whether an argument of `reshape` is one length, not a tuple of them."""
    return not isinstance(n, (tuple, list))


@handles("ravel")
def ravel(x: StandIn, order: str = "C") -> StandIn:
    """Return all entries along one axis."""
    return reshape(x, (-1,), order=order)


@handles("flatten")
def flatten(x: StandIn, order: str = "C") -> StandIn:
    """Return a copy of all entries along one axis."""
    return reshape(x, (-1,), order=order, copy=True)


@handles("permute_dims")
def permute_dims(x: StandIn, axes: Any) -> StandIn:
    """Return ``x`` with its axes in another order."""
    order = axes_of(x, tuple(axes))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError("axes must be a permutation")
    return x.tracer.permuted(x, order).as_view_of(x)


@handles("transpose")
def transpose(x: StandIn, *axes: Any) -> StandIn:
    """Reverse the axes, or put them into another order."""
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = tuple(axes[0] or ())
    return permute_dims(x, axes or tuple(reversed(range(x.ndim))))


# So does this: axes as one argument, or as several.
@handles("numpy.transpose")
def _numpy_transpose(a: StandIn, axes: Any = None) -> StandIn:
    return transpose(a, axes)


@handles("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: StandIn) -> StandIn:
    """Swap the last two axes."""
    if x.ndim < 2:
        raise ValueError("matrix_transpose needs two axes")
    return swapaxes(x, -1, -2)


@handles("swapaxes")
def swapaxes(x: StandIn, axis1: int, axis2: int) -> StandIn:
    """Swap two axes."""
    order = list(range(x.ndim))
    a, b = axis_of(x, axis1), axis_of(x, axis2)
    order[a], order[b] = b, a
    return permute_dims(x, order)


@handles("moveaxis")
def moveaxis(x: StandIn, source: Any, destination: Any) -> StandIn:
    """Move axes to other places."""
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
    return permute_dims(x, order)


@handles("expand_dims")
def expand_dims(x: StandIn, axis: Any = 0) -> StandIn:
    """Insert axes of length 1."""
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
    return x.tracer.reshaped(x, shape).as_view_of(x)


@handles("squeeze")
def squeeze(x: StandIn, axis: Any = None) -> StandIn:
    """Remove axes of length 1."""
    if axis is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    else:
        axes = axes_of(x, axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError("cannot squeeze an axis whose length is not 1")
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return x.tracer.reshaped(x, shape).as_view_of(x)


@handles("broadcast_to")
def broadcast_to(x: StandIn, shape: Any) -> StandIn:
    """Return ``x`` repeated to another shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return x.tracer.broadcast(x, shape).as_view_of(x)


@handles("broadcast_arrays")
def broadcast_arrays(*arrays: Any) -> Any:
    """Repeat arrays to a common shape."""
    xp = tracer_of(*arrays).xp
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    return tuple(
        broadcast_to(a, shape) if isinstance(a, StandIn) else xp.broadcast_to(a, shape)
        for a in arrays
    )


@handles("meshgrid")
def meshgrid(*arrays: Any, indexing: str = "xy") -> Any:
    """Repeat vectors along the axes of a grid."""
    require(indexing in ("xy", "ij"), tracer_of(*arrays), "this indexing of meshgrid")
    count = len(arrays)
    # With "xy", the first vector runs along columns, which are the second axis.
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[0], order[1] = 1, 0
    shaped = [
        reshape_any(a, tuple(a.shape[0] if order[i] == j else 1 for j in range(count)))
        for i, a in enumerate(arrays)
    ]
    return list(broadcast_arrays(*shaped))


@handles("atleast_1d")
def atleast_1d(x: StandIn) -> StandIn:
    """Return ``x`` with an axis at least."""
    return x if x.ndim else x.tracer.reshaped(x, (1,))


@handles("atleast_2d")
def atleast_2d(x: StandIn) -> StandIn:
    """Return ``x`` with two axes at least."""
    return x if x.ndim > 1 else x.tracer.reshaped(x, (1, x.size))
