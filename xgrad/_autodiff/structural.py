"""The pulls of functions that move, repeat, leave out or add up entries.

Each takes the cotangent of the result, and what the tape has saved. Those that add take
the buffer of the argument first.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from xgrad._autodiff.functions import rule
from xgrad._tracing import StandIn

PLAIN = (np.ndarray, np.generic)
Step = tuple[Any, Any]  # a function of an array and an argument, which returns a view


def as_before(g: Any) -> Any:
    """Return the cotangent of a copy, or of an array that was repeated."""
    return g


def spread(
    g: Any, shape: tuple[int, ...], missing: tuple[int, ...], divisor: int
) -> Any:
    """Return the cotangent of a sum over axes, ``missing`` ones of which are gone."""
    if divisor != 1:
        g = g / divisor
    return np.expand_dims(g, missing) if missing else g


def reshape_back(g: Any, shape: tuple[int, ...]) -> Any:
    """Return the cotangent of an array in another shape."""
    return g.reshape(shape)


def permute_back(g: Any, axes: tuple[int, ...]) -> Any:
    """Return the cotangent of an array with its axes in another order."""
    inverse = [0] * len(axes)
    for place, axis in enumerate(axes):
        inverse[axis] = place
    return g.transpose(inverse)


def pick(g: Any, places: Any, shape: tuple[int, ...], is_source: Any = None) -> Any:
    """Return the cotangent of an array whose entries were put at other places.

    ``places`` has the shape of the result, and says which entry of the array stands
    there; entries that are not ``is_source`` are none of it.
    """
    size = int(np.prod(shape, dtype=int))
    if is_source is not None:
        g, places = np.where(is_source, g, 0), np.where(is_source, places, 0)
    flat, places = g.reshape(-1), places.reshape(-1)
    if isinstance(g, np.ndarray) and g.dtype.kind != "c":
        return np.bincount(places, flat, size).reshape(shape)
    buffer = np.zeros(size, dtype=g.dtype, like=g)
    add_at_places(buffer, flat, places)
    return buffer.reshape(shape)


def add_at_key(buffer: Any, g: Any, key: Any) -> None:
    """Add a cotangent at a key that names no entry twice."""
    buffer[key] += g


def add_at_places(buffer: Any, g: Any, key: Any) -> None:
    """Add a cotangent at a key that may name an entry several times."""
    if not isinstance(buffer, StandIn):
        np.add.at(buffer, key, g)
    else:
        buffer += put_back(g, key, buffer.shape)


def put_back(part: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of a shape to which an array was added at a key."""
    items = key if isinstance(key, tuple) else (key,)
    if not isinstance(part, StandIn):
        return _added(key, shape, part)
    if is_at_points(part) and not any(map(names_entries, items)):
        return placed_at(part, shape, ((operator.getitem, key),))
    # On another tape: an operation, of which the cotangent is read at the key.
    add = functools.partial(_added, key, shape)
    return part.tracer.everywhere(("add at", key), add, _for_each(add), part)


def is_at_points(t: Any) -> bool:
    """Whether a tangent is one for each of many directions."""
    return isinstance(t, StandIn) and not t.tracer.knows_values


def placed_at(part: Any, shape: tuple[int, ...], steps: tuple[Step, ...]) -> Any:
    """Return zeros of a shape with an array at many points where a chain leads to."""
    sources = np.full(shape, -1, like=np.asanyarray(plain_of(part)))
    numbers = np.arange(part.size, like=sources).reshape(part.shape)
    follow(sources, steps[:-1])[steps[-1][1]] = numbers
    return part.tracer.placed("write", part, lambda: sources)


def plain_of(x: Any) -> Any:
    """Return the plain array that a stand-in for it, or for another one, stands for."""
    while isinstance(x, StandIn):
        x = x.base
    return x


def _for_each(function: Any) -> Any:
    """Return the same function of several arrays, along a new axis in front."""
    return lambda arrays: np.stack([function(array) for array in arrays])


def _added(key: Any, shape: tuple[int, ...], part: Any) -> Any:
    like = np.asarray(part) if isinstance(part, np.generic) else part
    buffer = np.zeros(shape, part.dtype, like=like)
    add_at(buffer, part, key)
    return buffer


def add_at(buffer: Any, part: Any, key: Any) -> None:
    """Add an array to a part of another one, at a key that may name an entry again."""
    if any(map(names_entries, key if isinstance(key, tuple) else (key,))):
        add_at_places(buffer, part, key)
    else:
        buffer[key] += part


@rule("add at")
def _add_at(tape: Any, operation: Any, plain: Any, g: Any) -> Any:
    base = plain(tape.value_of(g))
    return tape.result(base, tape.edge(g, read_key, operation[1]))


def read_key(g: Any, key: Any) -> Any:
    """Return a part of a cotangent."""
    return g[key]


def add_at_chain(buffer: Any, g: Any, steps: tuple[Step, ...]) -> None:
    """Add a cotangent to that part of a buffer which a chain of views shows."""

    def add(view: Any) -> None:
        view += g

    change_chain(buffer, steps, add)


def read_chain(g: Any, steps: tuple[Step, ...], winners: Any) -> Any:
    """Return the cotangent of a value that was assigned to what a chain shows.

    Where a key names an entry twice, ``winners`` marks the values that remained.
    """
    part = follow(g, steps).copy()
    return part if winners is None else np.where(winners, part, 0)


def erase_chain(g: Any, steps: tuple[Step, ...]) -> None:
    """Set to 0 that part of a cotangent which a chain shows: it was overwritten."""

    def erase(view: Any) -> None:
        view[steps[-1][1]] = 0

    change_chain(g, steps[:-1], erase)


def change_chain(array: Any, steps: tuple[Step, ...], change: Any) -> None:
    """Apply a change to that part of an array which a chain of views shows."""
    for i, (step, argument) in enumerate(steps):
        if step is np.broadcast_to:
            # A change of what was repeated: nothing is erased there, but only added to.
            repeated = np.zeros(argument, dtype=array.dtype, like=array)
            change_chain(repeated, steps[i + 1 :], change)
            array += _sum_repeated(repeated, array.shape)
            return
        view = step(array, argument)
        if step is reshape and not _is_view(view, array):
            # In other memory than the views of the caller's array had, it is a copy.
            change_chain(view, steps[i + 1 :], change)
            array[...] = view.reshape(array.shape)
            return
        array = view
    change(array)


def _is_view(view: Any, array: Any) -> bool:
    """Whether plain arrays share their memory."""
    return not isinstance(view, StandIn) and bool(np.may_share_memory(view, array))


def _sum_repeated(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes that were new or of length 1 before an array was repeated."""
    extra = g.ndim - len(shape)
    axes = [i + extra for i, n in enumerate(shape) if n != g.shape[i + extra]]
    return np.sum(g, axis=(*range(extra), *axes)).reshape(shape)


def follow(array: Any, steps: tuple[Step, ...]) -> Any:
    """Return what a chain of views shows of an array."""
    for step, argument in steps:
        array = step(array, argument)
    return array


def reshape(array: Any, shape: tuple[int, ...]) -> Any:
    """Return an array in another shape, as a step of a chain."""
    return array.reshape(shape)


def transpose(array: Any, axes: tuple[int, ...]) -> Any:
    """Return an array with its axes in another order, as a step of a chain."""
    return array.transpose(axes)


def is_same_chain(first: tuple[Step, ...], second: tuple[Step, ...]) -> bool:
    """Whether two chains of views lead to the same part of an array."""
    return len(first) == len(second) and all(
        a is b or (a[0] is b[0] and _is_same_key(a[1], b[1]))
        for a, b in zip(first, second, strict=True)
    )


def _is_same_key(a: Any, b: Any) -> bool:
    items = (*a, *b) if isinstance(a, tuple) and isinstance(b, tuple) else (a, b)
    # No view comes from a key with arrays, which would be compared entry by entry.
    is_basic = not any(isinstance(i, list) or hasattr(i, "dtype") for i in items)
    return a is b or (is_basic and a == b)


def last_writers(key: Any, target: Any) -> Any:
    """Return a mask of the values that remain where a key names entries twice.

    None if it names every entry once; ``target`` is the array that is assigned to.
    """
    items = key if isinstance(key, tuple) else (key,)
    if not any(names_entries(item) for item in items):
        return None
    numbers = np.full(target.shape, -1, like=target)
    order = np.arange(int(np.prod(numbers[key].shape, dtype=int)), like=target)
    order = order.reshape(numbers[key].shape)
    numbers[key] = order
    wins = numbers[key] == order
    return None if bool(wins.all()) else wins


def names_entries(item: Any) -> bool:
    """Whether an item of a key is an array or a list of positions, which may repeat."""
    if isinstance(item, list):
        item = np.asarray(item)
    return bool(getattr(item, "ndim", 0)) and item.dtype.kind in "iu"


def is_basic(item: Any) -> bool:
    """Whether an item of a key gives a view: None, an ellipsis, a slice, an integer."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return True
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def held_key(key: Any) -> Any:
    """Return a key whose arrays nobody else can change."""
    if isinstance(key, tuple):
        return tuple(map(held_key, key))
    return key.copy() if getattr(key, "ndim", 0) else key
