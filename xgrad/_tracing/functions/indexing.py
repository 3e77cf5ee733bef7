"""Read ``x[key]`` and assign to it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.everywhere import everywhere
from xgrad._batched.gather import gathered, placed
from xgrad._batched.layout import reshaped
from xgrad._batched.names import any_batched, require
from xgrad._batched.slices import sliced, sliced_vector


def _getitem(x: Batched, key: Any) -> Any:
    trace = x.tracer
    # First, because differences of neighbours are made of it: `x[1:] - x[:-1]`.
    if type(key) is slice and len(x.shape) == 1:
        return sliced_vector(x, key).as_view_of(x)
    if isinstance(key, Batched) and x.ndim == 1 and "int" in str(key.dtype):
        return _take_computed(x, key)
    if any_batched(key if isinstance(key, tuple) else (key,)) is not None:
        raise trace.refuse(
            "x[...] with a mask or an index computed from x",
            "choose by `where(mask, x, 0)`",
        )
    if isinstance(key, list):
        key = np.asarray(key)
    full_key = _expand_key(x, key)
    if all(map(_is_basic, full_key)):
        result = sliced(x, _checked_key(x, full_key))
        scalar = all(not isinstance(k, slice) and k is not None for k in full_key)
        # With integers alone NumPy gives a scalar, which is no view.
        return result if scalar and trace.is_numpy else result.as_view_of(x)
    return gathered("index", lambda a: a[key], x)


HANDLERS["getitem"] = _getitem


def _take_computed(x: Batched, index: Batched) -> Any:
    """Take entries of a vector at positions that were computed from x."""
    xp, points = x.tracer.xp, x.tracer.points

    def many(values: Array, places: Array) -> Array:
        flat = xp.reshape(places, (points, -1))
        # The remainder counts negative positions from the end.
        taken = xp.take_along_axis(values, flat % values.shape[1], axis=1)
        return xp.reshape(taken, places.shape)

    return everywhere("take computed", lambda a, i: a[i], many, x, index)


def _expand_key(x: Any, key: Any) -> tuple[Any, ...]:
    """Return the key as a tuple without an ellipsis, with an item for every axis."""
    items = key if isinstance(key, tuple) else (key,)
    used = 0
    for item in items:
        if item is None or item is Ellipsis:
            continue
        # A mask stands for as many axes as it has itself.
        is_mask = hasattr(item, "dtype") and "bool" in str(item.dtype)
        used += item.ndim if is_mask else 1
    if used > x.ndim:
        raise IndexError(f"too many indices for an array of {x.ndim} axes")
    fill = (slice(None),) * (x.ndim - used)
    for i, item in enumerate(items):
        if item is Ellipsis:
            return (*items[:i], *fill, *items[i + 1 :])
    return (*items, *fill)


def _is_basic(item: Any) -> bool:
    """Whether an item of a key is None, a slice or an integer (bools are masks)."""
    if item is None or isinstance(item, slice):
        return True
    return isinstance(item, (int, np.integer)) and not isinstance(
        item, (bool, np.bool_)
    )


def _checked_key(x: Batched, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a key of basic items with integers of Python, if they are in bounds."""
    checked: list[Any] = []
    axis = 0
    for item in key:
        if item is None:
            checked.append(item)
            continue
        length = x.shape[axis]
        axis += 1
        if not isinstance(item, slice):
            item = operator.index(item)
            if not -length <= item < length:
                raise IndexError(
                    f"index {item} is out of bounds for an axis of length {length}"
                )
        checked.append(item)
    return tuple(checked)


def _setitem(x: Batched, key: Any, value: Any) -> None:
    trace, xp = x.tracer, x.tracer.xp
    # The second half of `x[key] += other`, which ends the staleness of `x`.
    in_place = trace.cache.pop("in place", (None, None))
    if in_place[0] is x and in_place[1] is value:
        x.stale = False
    x.ensure_current()
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
        _assign_where(x, key, value, x)
        return
    if any_batched(key if isinstance(key, tuple) else (key,)) is not None:
        raise trace.refuse("an index computed from x", "use `where`")

    def outside() -> Array:
        mask = xp.ones(x.shape, dtype=xp.bool, device=x.device)
        mask[key] = False
        return mask

    # The same at all points, since the key is constant: made once for all chunks.
    mask = trace.compute_once("keep", (), outside)
    if isinstance(value, Batched):
        new = _cast_like(_place_at_key(x, key, value), x)
    else:
        new = xp.zeros(x.shape, dtype=x.dtype, device=x.device)
        new[key] = value
    _assign_where(x, mask, x, new)


HANDLERS["setitem"] = _setitem


def _assign_where(x: Batched, mask: Any, a: Any, b: Any) -> None:
    """Assign ``where(mask, a, b)`` to ``x``, whose dtype stays what it is."""
    x.assign(_cast_like(elementwise(x.tracer.xp.where, mask, a, b), x))


def _cast_like(new: Any, x: Batched) -> Any:
    """Cast to the dtype of ``x``, as NumPy's assignments do."""
    return new if new.dtype == x.dtype else HANDLERS["astype"](new, x.dtype)


def _place_at_key(x: Batched, key: Any, value: Batched) -> Batched:
    """Return an array like ``x`` that holds ``value`` at the key, and else 0."""
    xp = x.tracer.xp
    # NumPy itself tells which shape the key selects, and where.
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    shape = tuple(numbers[key].shape)
    if value.shape != shape:
        value = HANDLERS["broadcast_to"](_drop_leading_ones(value, shape), shape)

    def sources() -> Array:
        table = xp.full(x.shape, -1, dtype=numbers.dtype, device=x.device)
        table[key] = xp.reshape(xp.arange(value.size, device=x.device), shape)
        return table

    return placed(("set", x.shape), value, sources)


def _drop_leading_ones(value: Batched, shape: tuple[int, ...]) -> Batched:
    """Drop leading axes of length 1 that the shape does not have, as NumPy does."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        return reshaped(value, value.shape[extra:])
    return value
