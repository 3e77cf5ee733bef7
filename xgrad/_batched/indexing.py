"""Reading and assigning with an index."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.moving import moved, placed, reshaped
from xgrad._batched.names import any_batched, require
from xgrad._batched.rules import elementwise, everywhere
from xgrad._batched.slicing import sliced, sliced_vector


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
    return isinstance(part, (int, np.integer)) and not isinstance(
        part, (bool, np.bool_)
    )


def _getitem(x: Batched, key: Any) -> Any:
    trace = x.run
    if type(key) is slice and len(x.shape) == 1:
        return sliced_vector(x, key).viewing(x)
    if isinstance(key, Batched) and x.ndim == 1 and "int" in str(key.dtype):
        return _picked(x, key)
    if any_batched(key if isinstance(key, tuple) else (key,)) is not None:
        raise trace.refuse(
            "x[...] with a mask or an index computed from x",
            "choose by `where(mask, x, 0)`",
        )
    if isinstance(key, list):
        key = np.asarray(key)
    parts = _expanded(x, key)
    if all(map(_is_basic, parts)):
        axis = 0
        whole: list[Any] = []
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
        numbers = all(
            not isinstance(part, slice) and part is not None for part in whole
        )
        # NumPy gives a number for numbers, and a view for slices.
        return found if numbers and trace.numpy else found.viewing(x)
    return moved("index", lambda a: a[key], x)


def _picked(x: Batched, index: Batched) -> Any:
    """Entries of a vector by positions that were computed."""
    xp, points = x.run.xp, x.run.points

    def many(values: Array, places: Array) -> Array:
        flat = xp.reshape(places, (points, -1))
        found = xp.take_along_axis(values, flat % values.shape[1], axis=1)
        return xp.reshape(found, places.shape)

    return everywhere("picked", lambda a, i: a[i], many, x, index)


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
        require(
            scalar and key.shape == x.shape,
            x,
            "an assignment to entries chosen by values",
            "choose by `where(mask, a, b)`",
        )
        x.become(_kept_dtype(elementwise(xp.where, key, value, x), x))
        return
    if any_batched(key if isinstance(key, tuple) else (key,)) is not None:
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
    part = (
        value
        if value.shape == shape
        else HANDLERS["broadcast_to"](_trimmed(value, shape), shape)
    )

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
    return new if new.dtype == x.dtype else HANDLERS["astype"](new, x.dtype)


HANDLERS["setitem"] = _setitem
