"""Functions that choose entries, insert others, or apply functions to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._tracing.arguments import (
    BY_VALUES,
    axes_of,
    axis_of,
    first_standin,
    require,
    tracer_of,
)
from xgrad._tracing.functions.elements import either
from xgrad._tracing.functions.indexing import getitem
from xgrad._tracing.functions.joining import as_arrays, concat, stack
from xgrad._tracing.functions.shapes import (
    moveaxis,
    ravel,
    reshape_any,
)
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


def rearranged(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function that only moves, repeats or leaves out entries of arrays."""
    arrays = tuple(as_arrays(*arrays))
    numbers, start = [], 0
    for array in arrays:
        size = math.prod(array.shape)
        numbers.append(np.arange(start, start + size).reshape(array.shape))
        start += size
    places = function(*numbers)
    # All in one row, from which each entry of the result is read.
    row = concat(arrays, axis=None)
    return row.tracer.gathered("rearranged", lambda a: a[places], row)


def _chooser(tracer: Any, values: Any, name: str) -> Any:
    """Return the values that choose entries; refuse those that points differ in."""
    idiom = f"np.{name} of entries chosen by values"
    return tracer.known_values(values, idiom, BY_VALUES)


@handles("compress", out=3)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Return the entries along an axis that a condition marks."""
    tracer = tracer_of(condition, a)
    mask = np.asarray(_chooser(tracer, condition, "compress"), bool)
    require(isinstance(a, StandIn), tracer, "np.compress of a constant", BY_VALUES)
    return a.tracer.gathered("compress", lambda v: np.compress(mask, v, axis), a)


@handles("extract")
def extract(condition: Any, arr: Any) -> Any:
    """Return the entries that a condition marks, of all in the order of C."""
    tracer = tracer_of(condition, arr)
    marks = np.ravel(_chooser(tracer, condition, "extract")).astype(bool)
    require(isinstance(arr, StandIn), tracer, "np.extract from a constant", BY_VALUES)
    return compress(marks, ravel(arr), 0)


@handles("choose", out=2)
def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """Return for each entry that of the array whose number stands there."""
    tracer = tracer_of(a, choices)
    count = len(choices)
    require(mode in ("raise", "wrap", "clip"), tracer, f"np.choose(mode={mode!r})")
    numbers = np.asarray(_chooser(tracer, a, "choose"))
    if mode == "wrap":
        numbers = numbers % count
    elif mode == "clip":
        numbers = np.clip(numbers, 0, count - 1)
    elif ((numbers < 0) | (numbers >= count)).any():
        raise ValueError("invalid entry in choice array")
    result = choices[0]
    for i in range(1, count):
        result = either(numbers == i, choices[i], result)
    return result


@handles("piecewise")
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Apply functions to the entries for which conditions hold."""
    tracer = tracer_of(x, condlist, funclist)
    require(isinstance(x, StandIn), tracer, "np.piecewise of a constant", BY_VALUES)
    conditions = (
        _chooser(tracer, condlist, "piecewise")
        if isinstance(condlist, StandIn)
        else condlist
    )
    if not isinstance(conditions, (list, tuple)) and np.ndim(conditions) <= x.ndim:
        conditions = [conditions]
    masks = [np.asarray(_chooser(tracer, c, "piecewise"), bool) for c in conditions]
    if len(funclist) == len(masks) + 1:
        masks.append(~np.any(masks, axis=0))
    result = tracer.constant("piecewise", x, lambda: np.zeros(x.shape, x.dtype))
    for mask, function in zip(masks, funclist, strict=True):
        if not callable(function):
            result[mask] = function
        elif mask.any():
            result[mask] = function(x[mask], *args, **kw)
    return result


@handles("insert")
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Put values between the entries of an array."""
    require(
        first_standin((obj,)) is None,
        tracer_of(arr, obj, values),
        "np.insert at places computed from x",
        BY_VALUES,
    )
    return rearranged(lambda a, v: np.insert(a, obj, v, axis), arr, values)


@handles("block")
def block(arrays: Any) -> Any:
    """Put nested lists of arrays together."""
    leaves: list[Any] = []

    def number(item: Any) -> Any:
        if isinstance(item, list):
            return [number(i) for i in item]
        leaves.append(item)
        return len(leaves) - 1

    def filled(item: Any, values: Any) -> Any:
        return (
            [filled(i, values) for i in item]
            if isinstance(item, list)
            else values[item]
        )

    layout = number(arrays)
    return rearranged(lambda *numbers: np.block(filled(layout, numbers)), *leaves)


@handles("apply_along_axis")
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Apply a function to each vector along an axis."""
    tracer = tracer_of(arr, args)
    require(
        isinstance(arr, StandIn),
        tracer,
        "np.apply_along_axis of a constant",
        "use the function",
    )
    place = axis_of(arr, axis)
    rows = moveaxis(arr, place, -1)
    outer = rows.shape[:-1]
    results = [
        func1d(getitem(rows, index), *args, **kwargs) for index in np.ndindex(outer)
    ]
    if first_standin(results) is None:
        return np.moveaxis(
            np.reshape(results, (*outer, *np.shape(results[0]))),
            range(len(outer), len(outer) + np.ndim(results[0])),
            range(place, place + np.ndim(results[0])),
        )
    results = as_arrays(*results)
    inner = tuple(results[0].shape)
    joined = reshape_any(stack(results), (*outer, *inner))
    # The axes of the results stand where the vectors did.
    source = range(len(outer), len(outer) + len(inner))
    return moveaxis(joined, tuple(source), tuple(range(place, place + len(inner))))


@handles("apply_over_axes")
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Apply a function over one axis after the other, which stay with length 1."""
    value, ndim = a, a.ndim
    for axis in axes_of(a, axes):
        result = func(value, axis)
        if result.ndim != ndim:
            result = reshape_any(
                result, (*value.shape[:axis], 1, *value.shape[axis + 1 :])
            )
        value = result
    return value
