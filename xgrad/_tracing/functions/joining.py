"""Put arrays together, and take them apart again."""

from __future__ import annotations

import functools
import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xgrad._arrays import Array
from xgrad._tracing.arguments import axis_of, first_standin, require, tracer_of
from xgrad._tracing.functions.elements import cast
from xgrad._tracing.functions.indexing import getitem, part
from xgrad._tracing.functions.shapes import (
    expand_dims,
    ravel,
    reshape_any,
    with_axes,
)
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn


def array_like(x: Any, among: Any) -> Any:
    """Return ``x`` as an array or a stand-in; only NumPy takes numbers and lists.

    ``among`` are all operands, one of which is a stand-in.
    """
    if isinstance(x, StandIn) or hasattr(x, "ndim"):
        return x
    # NumPy makes arrays of numbers and of lists, as it does in the caller's own calls;
    # the array API standard refuses both.
    tracer = tracer_of(among)
    if tracer.is_numpy and first_standin((x,)) is None:
        return np.asarray(x)
    if isinstance(x, (tuple, list)):
        return stack(x)
    raise tracer.refuse(
        "a list of numbers together with entries of x", "make arrays of them"
    )


def as_arrays(*operands: Any) -> list[Any]:
    """Return operands, one of which is a stand-in, as arrays or stand-ins."""
    return [array_like(x, operands) for x in operands]


@handles("concat", "concatenate", out=2)
def concat(arrays: Any, axis: int | None = 0, *, dtype: Any = None) -> StandIn:
    """Put arrays together along an axis; along the only one of all entries for None."""
    arrays = as_arrays(*arrays)
    if axis is None:
        arrays = [ravel(a) if isinstance(a, StandIn) else a.reshape(-1) for a in arrays]
        axis = 0
    return cast(concat_arrays(arrays, axis_of(arrays[0], axis)), dtype)


@overridable
def concat_arrays(arrays: list[Any], axis: int) -> StandIn:
    """Put arrays together along an axis that is counted from the front."""
    tracer = tracer_of(arrays)
    xp = tracer.xp

    def at_points(*values: Array) -> Array:
        pairs = list(zip(arrays, values, strict=True))
        points = next(v.shape[0] for a, v in pairs if isinstance(a, StandIn))
        repeated = [
            v
            if isinstance(a, StandIn)
            else xp.broadcast_to(v[None, ...], (points, *v.shape))
            for a, v in pairs
        ]
        return xp.concat(repeated, axis=axis + 1)

    return tracer.everywhere(
        ("concat", axis),
        lambda *values: xp.concat([xp.asarray(v) for v in values], axis=axis),
        at_points,
        *arrays,
    )


@handles("stack")
def stack(arrays: Any, axis: int = 0, *, dtype: Any = None) -> StandIn:
    """Put arrays together along a new axis."""
    arrays = as_arrays(*arrays)
    xp = tracer_of(arrays).xp
    if any(tuple(a.shape) != tuple(arrays[0].shape) for a in arrays):
        raise ValueError("all arrays to stack must have one shape")
    place = normalize_axis_index(axis, arrays[0].ndim + 1)
    longer = [
        expand_dims(a, place)
        if isinstance(a, StandIn)
        else xp.expand_dims(xp.asarray(a), axis=place)
        for a in arrays
    ]
    return concat(longer, axis=place, dtype=dtype)


@handles("hstack")
def hstack(arrays: Any, *, dtype: Any = None) -> StandIn:
    """Put arrays together along the second axis, vectors along the first."""
    arrays = [with_axes(1, a) for a in as_arrays(*arrays)]
    return concat(arrays, axis=0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@handles("vstack")
def vstack(arrays: Any, *, dtype: Any = None) -> StandIn:
    """Put arrays together along the first axis, vectors as rows."""
    rows = [with_axes(2, a) for a in as_arrays(*arrays)]
    return concat(rows, axis=0, dtype=dtype)


@handles("dstack")
def dstack(arrays: Any) -> StandIn:
    """Put arrays together along the third axis."""
    arrays = [with_axes(2, a) for a in as_arrays(*arrays)]
    return concat([_with_axis(a, 3) for a in arrays], axis=2)


@handles("column_stack")
def column_stack(arrays: Any) -> StandIn:
    """Put arrays together along the second axis, vectors as columns."""
    arrays = [with_axes(1, a) for a in as_arrays(*arrays)]
    return concat([_with_axis(a, 2) for a in arrays], axis=1)


def _with_axis(x: Any, ndim: int) -> Any:
    """Return ``x`` with one more axis at the end, if it has fewer than ``ndim``."""
    return reshape_any(x, (*x.shape, 1)) if x.ndim < ndim else x


@handles("append")
def append(x: Any, values: Any, axis: int | None = None) -> StandIn:
    """Put one array behind another."""
    return concat([x, values], axis=axis)


@handles("unstack")
def unstack(x: StandIn, /, *, axis: int = 0) -> Any:
    """Return the subarrays along an axis."""
    place = axis_of(x, axis)
    lead = (slice(None),) * place
    return tuple(getitem(x, (*lead, i)) for i in range(x.shape[place]))


@handles("split", "array_split")
def split(x: StandIn, indices_or_sections: Any, axis: int = 0) -> Any:
    """Cut an array into pieces along an axis."""
    place = axis_of(x, axis)
    # NumPy tells where sections begin, by the same rule for all its arguments.
    sections = np.array_split(np.arange(x.shape[place]), indices_or_sections)
    starts = np.cumsum([0, *map(len, sections)]).tolist()
    return [part(x, place, *ends) for ends in itertools.pairwise(starts)]


for _name, _axis in (("vsplit", 0), ("dsplit", 2)):
    handles(_name)(functools.partial(split, axis=_axis))


@handles("hsplit")
def hsplit(x: StandIn, indices_or_sections: Any) -> Any:
    """Cut an array into pieces along the second axis, a vector along the first."""
    return split(x, indices_or_sections, axis=0 if x.ndim == 1 else 1)


@handles("pad")
def pad(
    x: StandIn,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: Any = 0,
    reflect_type: str = "even",
) -> StandIn:
    """Put a frame around an array."""
    xp = x.tracer.xp
    copying = ("edge", "wrap", "reflect", "symmetric")
    require(
        reflect_type == "even", x, f"pad(reflect_type={reflect_type!r})", "use `concat`"
    )
    require(mode == "constant" or mode in copying, x, f"pad(mode={mode!r})")
    # These repeat entries; a constant frame is no entry of the array.
    if mode in copying:
        return x.tracer.gathered(
            ("pad", mode), lambda a: xp.pad(a, pad_width, mode=mode), x
        )
    numbers = np.arange(x.size).reshape(x.shape)
    table = xp.asarray(np.pad(numbers, pad_width, constant_values=-1), device=x.device)
    inside = x.tracer.placed(("pad", table.shape), x, lambda: table)
    frame = np.pad(np.zeros(x.shape), pad_width, constant_values=constant_values)
    frame = xp.asarray(frame.astype(str(x.dtype)), device=x.device)
    return x.tracer.elementwise(operator.add, inside, frame)
