"""Functions that change the shape or the order of the axes."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from xgrad._tracing.arguments import axes_of, axis_of, require, tracer_of
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn
from xgrad._tracing.tracer import Tracer


@handles("reshape")
def reshape(
    x: StandIn,
    /,
    *lengths: Any,
    shape: Any = None,
    newshape: Any = None,
    order: str = "C",
    copy: bool | None = None,
) -> StandIn:
    """Return ``x`` in another shape: one argument of the function, several of a method.

    ``newshape`` is the name that NumPy had for it before 2.1.
    """
    keyword = newshape if shape is None else shape
    sizes: Any = lengths if keyword is None else (keyword,)
    if len(sizes) == 2 and isinstance(sizes[1], str):
        sizes, order = sizes[:1], sizes[1]
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list, np.ndarray)):
        sizes = sizes[0] if np.ndim(sizes[0]) else (sizes[0],)
    if order == "A":
        # Fortran's order for an array that lies in memory that way; NumPy alone has it.
        require(x.tracer.is_numpy, x, "reshape(order='A')", "reshape in C order")
        order = "F" if np.isfortran(plain_base(x)) else "C"
    if order == "F":
        # In Fortran's order everything is as in C order with all axes reversed.
        return transpose(reshape(transpose(x), *reversed(sizes), copy=copy))
    require(order == "C", x, f"reshape(order={order!r})", "reshape in C order")
    sizes = tuple(map(operator.index, sizes))
    if -1 in sizes:
        rest = max(1, math.prod(n for n in sizes if n != -1))
        sizes = tuple(x.size // rest if n == -1 else n for n in sizes)
    # The floor division above hides a remainder.
    if math.prod(sizes) != x.size or min(sizes, default=0) < 0:
        raise ValueError(f"cannot reshape {x.shape} into {sizes}")
    new = x.tracer.reshaped(x, sizes)
    return x.tracer.copy(new) if copy else new.as_view_of(x)


def plain_base(x: Any) -> Any:
    """Return the plain array that a stand-in stands for, by its memory."""
    while isinstance(x, StandIn):
        x = x.base
    return x


def _is_contiguous(x: StandIn, order: str) -> bool:
    """Whether entries lie in memory one behind the other, as far as that is known."""
    flags = getattr(plain_base(x), "flags", None)
    if flags is None:
        return True
    return bool(
        {"A": flags.forc, "F": flags.f_contiguous}.get(order, flags.c_contiguous)
    )


def reshape_any(x: Any, shape: Any) -> Any:
    """Return an array or a stand-in in another shape."""
    if isinstance(x, StandIn):
        return x.tracer.reshaped(x, shape)
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


@handles("ravel")
def ravel(x: StandIn, order: str = "C") -> StandIn:
    """Return all entries along one axis."""
    new = reshape(x, (-1,), order=order)
    # Unlike `reshape`, it copies what is not contiguous, even if a view could show it.
    return new if _is_contiguous(x, order) else x.tracer.copy(new)


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
def transpose(x: StandIn, /, *order: Any, axes: Any = None) -> StandIn:
    """Reverse the axes, or put them into another order, as function and as method."""
    if len(order) == 1 and (order[0] is None or isinstance(order[0], (tuple, list))):
        axes, order = order[0], ()
    return permute_dims(x, axes or order or tuple(reversed(range(x.ndim))))


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
    # (This raises for repeated axes.)
    old = normalize_axis_tuple(source, x.ndim, "source")
    new = normalize_axis_tuple(destination, x.ndim, "destination")
    # From the front, so that an axis once inserted is not pushed on by the next one.
    order = [axis for axis in range(x.ndim) if axis not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


@handles("expand_dims")
def expand_dims(x: StandIn, axis: Any = 0) -> StandIn:
    """Insert axes of length 1."""
    ndim = x.ndim + (len(axis) if isinstance(axis, (tuple, list)) else 1)
    places = normalize_axis_tuple(axis, ndim)
    lengths = iter(x.shape)
    shape = tuple(1 if i in places else next(lengths) for i in range(ndim))
    return x.tracer.reshaped(x, shape).as_view_of(x)


@handles("squeeze")
def squeeze(x: StandIn, axis: Any = None) -> StandIn:
    """Remove axes of length 1."""
    ones = tuple(i for i, n in enumerate(x.shape) if n == 1)
    axes = ones if axis is None else axes_of(x, axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError("cannot squeeze an axis whose length is not 1")
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return x.tracer.reshaped(x, shape).as_view_of(x)


@handles("broadcast_to")
def broadcast_to(x: StandIn, shape: Any, subok: bool = False) -> StandIn:
    """Return ``x`` repeated to another shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return x.tracer.broadcast(x, shape).as_view_of(x)


def broadcast_any(x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array, a number or a stand-in repeated to another shape."""
    if isinstance(x, StandIn):
        return x if x.shape == shape else broadcast_to(x, shape)
    return np.broadcast_to(x, shape)


@handles("broadcast_arrays")
def broadcast_arrays(*arrays: Any) -> Any:
    """Repeat arrays to a common shape."""
    tracer = tracer_of(*arrays)
    arrays = tuple(_as_array(tracer, a) for a in arrays)
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    return tuple(
        broadcast_to(a, shape)
        if isinstance(a, StandIn)
        else tracer.xp.broadcast_to(a, shape)
        for a in arrays
    )


def _as_array(tracer: Tracer, x: Any) -> Any:
    """Return an array or a stand-in as it is, a number or a list as an array."""
    return x if hasattr(x, "shape") else tracer.xp.asarray(x)


@handles("meshgrid")
def meshgrid(
    *arrays: Any, indexing: str = "xy", sparse: bool = False, copy: bool = True
) -> Any:
    """Repeat vectors along the axes of a grid."""
    require(indexing in ("xy", "ij"), tracer_of(*arrays), "this indexing of meshgrid")
    count = len(arrays)
    # With "xy", the first vector runs along columns, which are the second axis.
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[0], order[1] = 1, 0
    tracer, shaped = tracer_of(*arrays), []
    for i, array in enumerate(arrays):
        vector = _as_array(tracer, array)
        size = math.prod(vector.shape)
        shape = tuple(size if order[i] == j else 1 for j in range(count))
        shaped.append(reshape_any(vector, shape))
    results = shaped if sparse else broadcast_arrays(*shaped)
    # (Views of constants stay what NumPy makes of them.)
    owned = [r.tracer.copy(r) if isinstance(r, StandIn) else r for r in results]
    return owned if copy else list(results)


@handles("rollaxis")
def rollaxis(a: StandIn, axis: int, start: int = 0) -> StandIn:
    """Move an axis in front of another one."""
    place = axis_of(a, axis)
    before = start + a.ndim if start < 0 else start
    return moveaxis(a, place, before - (place < before))


def with_axes(count: int, x: Any) -> Any:
    """Return an array with a number of axes at least, as NumPy adds them."""
    shape = tuple(x.shape if hasattr(x, "shape") else np.shape(x))
    if len(shape) >= count:
        return x
    if count == 3:
        # A vector lies along the second axis, a matrix along the first two.
        return reshape_any(
            x, {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)]
        )
    return reshape_any(x, (*(1,) * (count - len(shape)), *shape))


def _at_least(count: int, *arrays: Any) -> Any:
    """Return arrays with a number of axes at least."""
    results = tuple(with_axes(count, a) for a in arrays)
    return results[0] if len(arrays) == 1 else results


for _count in (1, 2, 3):
    handles(f"atleast_{_count}d")(functools.partial(_at_least, _count))
