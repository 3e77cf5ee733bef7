"""Functions of NumPy that write into an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import BY_VALUES, first_standin, require, tracer_of
from xgrad._tracing.functions.elements import cast
from xgrad._tracing.functions.elements import where as choose
from xgrad._tracing.functions.joining import array_like
from xgrad._tracing.functions.shapes import broadcast_any
from xgrad._tracing.registry import handles, overridable, write_into
from xgrad._tracing.standin import StandIn, assign_flat

ANOTHER = (
    "an assignment into another array",
    "make that array by `np.zeros_like(x)` or `np.zeros(n, like=x)`",
)


def _require_traced(target: Any, *others: Any) -> None:
    """Refuse an assignment into an array that nobody watches."""
    if not isinstance(target, StandIn):
        raise tracer_of(*others).refuse(*ANOTHER)


@handles("fill")
def fill(x: StandIn, value: Any) -> None:
    """Assign one number to all entries."""
    x[...] = value


@handles("copyto")
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Assign an array to another one, where a mask holds."""
    _require_traced(dst, src, where)
    # (`casting` says when the plain call is an error, and changes no number.)
    if where is True:
        dst[...] = src
    elif isinstance(where, StandIn):
        write_into(dst, choose(where, src, dst))
    else:
        mask = np.broadcast_to(where, dst.shape)
        dst[mask] = broadcast_any(src, dst.shape)[mask]


@handles("putmask")
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Assign to the entries that a mask marks the values at the same places."""
    _require_traced(a, mask, values)
    marks = _values_of_chooser(a, mask, "np.putmask")
    places = np.flatnonzero(np.broadcast_to(marks, a.shape))
    assign_flat(a, places, _repeated(values, places))


@handles("place")
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Assign to the entries that a mask marks one value after the other."""
    _require_traced(arr, mask, vals)
    places = np.flatnonzero(_values_of_chooser(arr, mask, "np.place"))
    assign_flat(arr, places, _repeated(vals, np.arange(places.size)))


@handles("put")
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Assign to entries of all, at some indices."""
    _require_traced(a, ind, v)
    places = np.ravel(_values_of_chooser(a, ind, "np.put"))
    if mode == "raise":
        places = np.arange(a.size)[places]  # an index out of bounds is an error
    else:
        places = places % a.size if mode == "wrap" else np.clip(places, 0, a.size - 1)
    assign_flat(a, places, _repeated(v, np.arange(places.size)))


def _values_of_chooser(x: StandIn, chooser: Any, name: str) -> Any:
    """Return the values by which a function chooses the entries that it writes to."""
    values = x.tracer.known_values(
        chooser, f"{name} at entries chosen by values", BY_VALUES
    )
    return np.asarray(values)


def _repeated(values: Any, numbers: Any) -> Any:
    """Return the values of some numbers, from the first again after the last."""
    if getattr(values, "ndim", 0) == 0 and not isinstance(values, (list, tuple)):
        return values
    values = (
        array_like(values, (values,))
        if first_standin((values,)) is not None
        else np.asarray(values)
    )
    flat = values.reshape(-1)
    return flat[numbers % flat.shape[0]]


@handles("put_along_axis")
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Assign to entries along an axis, at indices of their own in each fibre."""
    _require_traced(arr, indices, values)
    along = _values_of_chooser(arr, indices, "np.put_along_axis")
    numbers = np.arange(arr.size).reshape(arr.shape)
    places = np.take_along_axis(numbers, along, axis)
    assign_flat(arr, places, broadcast_any(values, places.shape))


@handles("fill_diagonal")
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Assign to the diagonal of an array."""
    _require_traced(a, val)
    numbers = np.arange(a.size)
    marks = np.zeros(a.shape, bool)
    np.fill_diagonal(marks, True, wrap)
    places = numbers[marks.reshape(-1)]
    assign_flat(a, places, _repeated(val, np.arange(places.size)))


def apply_at(ufunc: Any, x: StandIn, indices: Any, *values: Any) -> None:
    """Apply a ufunc in place, once for each of the indices."""
    items = indices if isinstance(indices, tuple) else (indices,)
    if first_standin(items) is not None:
        raise x.tracer.refuse(
            f"np.{ufunc.__name__}.at an index computed from x", "use `where`"
        )
    values = tuple(array_like(v, (v, x)) for v in values)
    if ufunc is np.add:
        write_into(x, added_at(x, indices, *values))
    elif ufunc is np.subtract:
        write_into(x, added_at(x, indices, -values[0]))
    else:
        _apply_in_turn(ufunc, x, indices, *values)


def added_at(x: Any, indices: Any, values: Any) -> Any:
    """Return ``x`` with values added at indices, which may name an entry again."""
    tracer = tracer_of(x, values)
    require(tracer.is_numpy, tracer, "np.add.at of arrays of another library")
    shape = np.empty(x.shape, np.int8)[indices].shape
    return scatter_add([x, broadcast_any(values, shape)], indices)


@overridable
def scatter_add(arrays: list[Any], indices: Any) -> Any:
    """Return the first array, to which the second is added at indices."""
    lead = indices if isinstance(indices, tuple) else (indices,)

    def plain(array: Array, addends: Array) -> Array:
        total = np.array(array)
        np.add.at(total, indices, addends)
        return total

    def many(array: Array, addends: Array) -> Array:
        pairs = zip((array, addends), arrays, strict=True)
        points = max(a.shape[0] for a, o in pairs if isinstance(o, StandIn))
        total = np.array(np.broadcast_to(array, (points, *arrays[0].shape)))
        np.add.at(total, (slice(None), *lead), addends)
        return total

    return tracer_of(arrays).everywhere("scatter_add", plain, many, *arrays)


def _apply_in_turn(ufunc: Any, x: StandIn, indices: Any, *values: Any) -> None:
    """Apply a ufunc at indices: first where an entry is named once, then twice, ..."""
    numbers = np.arange(x.size).reshape(x.shape)[indices]
    operands = [broadcast_any(v, numbers.shape).reshape(-1) for v in values]
    places = numbers.reshape(-1)
    rounds = _repetitions(places)
    for i in range(int(rounds.max(initial=-1)) + 1):
        turn = np.flatnonzero(rounds == i)
        key = np.unravel_index(places[turn], x.shape) if x.ndim else ()
        turn = turn if x.ndim else turn[0]
        new = x.tracer.elementwise(ufunc, x[key], *(o[turn] for o in operands))
        x[key] = cast(new, x.dtype) if isinstance(new, StandIn) else new


def _repetitions(places: Any) -> Any:
    """Return for each place how many equal ones stand before it."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    first = np.searchsorted(ranked, ranked)
    counts = np.empty_like(places)
    counts[order] = np.arange(places.size) - first
    return counts
