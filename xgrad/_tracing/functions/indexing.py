"""Read ``x[key]`` and assign to it."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import (
    BY_VALUES,
    axis_of,
    first_standin,
    named,
    require,
    tracer_of,
)
from xgrad._tracing.functions.elements import cast, where
from xgrad._tracing.functions.shapes import broadcast_to
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


@handles("getitem")
def getitem(x: StandIn, key: Any) -> StandIn:
    """Return ``x[key]``."""
    tracer = x.tracer
    # First, because differences of neighbours are made of it: `x[1:] - x[:-1]`.
    if type(key) is slice and len(x.shape) == 1:
        return tracer.sliced(x, (key,)).as_view_of(x)
    # Then, because functions of few variables are made of it.
    if type(key) is int and len(x.shape) == 1:
        entry = tracer.sliced(x, (key,))
        return entry if tracer.is_numpy else entry.as_view_of(x)
    if isinstance(key, StandIn) and x.ndim == 1 and "int" in str(key.dtype):
        return _take_computed(x, key)
    if first_standin(key if isinstance(key, tuple) else (key,)) is not None:
        raise tracer.refuse(
            "x[...] with a mask or an index computed from x",
            "choose by `where(mask, x, 0)`",
        )
    if isinstance(key, list):
        key = np.asarray(key, None if key else np.intp)
    full_key = _expand_key(x, key)
    if all(map(_is_basic, full_key)):
        result = tracer.sliced(x, full_key)
        scalar = all(not isinstance(k, slice) and k is not None for k in full_key)
        # With integers alone NumPy gives a scalar, which is no view.
        return result if scalar and tracer.is_numpy else result.as_view_of(x)
    return tracer.gathered("index", lambda a: a[key], x)


def _take_computed(x: StandIn, index: StandIn) -> StandIn:
    """Take entries of a vector at positions that were computed from x."""
    xp, with_numpy = x.tracer.xp, x.tracer.is_numpy

    def many(values: Array, places: Array) -> Array:
        flat, count = xp.reshape(places, (places.shape[0], -1)), values.shape[1]
        # Only NumPy checks; other libraries do what they like with such positions.
        if with_numpy and ((flat < -count) | (flat >= count)).any():
            raise IndexError(f"an index is out of bounds for {count} entries")
        # The remainder counts negative positions from the end.
        taken = xp.take_along_axis(values, flat % count, axis=1)
        return xp.reshape(taken, places.shape)

    return x.tracer.everywhere("take computed", lambda a, i: a[i], many, x, index)


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
        hint = "" if x.ndim else " (np.isscalar(x[0]) is False here: ask np.ndim(x[0]))"
        raise IndexError(f"too many indices for an array of {x.ndim} axes{hint}")
    fill = (slice(None),) * (x.ndim - used)
    for i, item in enumerate(items):
        if item is Ellipsis:
            return (*items[:i], *fill, *items[i + 1 :])
    return (*items, *fill)


def _is_basic(item: Any) -> bool:
    """Whether an item of a key is None, a slice or an integer (bools are masks)."""
    integer = isinstance(item, (int, np.integer)) and not isinstance(item, bool)
    return item is None or isinstance(item, slice) or integer


def part(x: StandIn, axis: int, start: int | None, stop: int | None) -> Any:
    """Return a range of an axis that is counted from the front."""
    return getitem(x, (*(slice(None),) * axis, slice(start, stop)))


@handles("view")
def view(x: StandIn, dtype: Any = None, type: Any = None) -> StandIn:
    """Return an array that shares the memory of ``x``, in no other dtype."""
    if isinstance(dtype, builtins.type) and issubclass(dtype, np.ndarray):
        dtype, type = None, dtype
    plain = (dtype is None or x.dtype == dtype) and type in (None, np.ndarray)
    require(plain, x, "x.view() as another dtype or class", "use `astype`")
    return getitem(x, ...)


@handles("real")
def real(x: StandIn) -> StandIn:
    """Return real parts; those of a real array are itself, in the same memory."""
    if x.dtype.kind != "c":
        return getitem(x, ...)
    return x.tracer.copy(x.tracer.elementwise(named(x.tracer.xp, "real"), x))


@handles("real_if_close")
def real_if_close(x: StandIn, tol: float = 100) -> StandIn:
    """Return the array itself, since only complex numbers may lose a part."""
    remedy = "use `np.real`"
    require(x.dtype.kind != "c", x, "real_if_close of complex numbers", remedy)
    return x.ensure_current()


@handles("imag")
def imag(x: StandIn) -> StandIn:
    """Return imaginary parts, in memory of their own."""
    return x.tracer.copy(x.tracer.elementwise(named(x.tracer.xp, "imag"), x))


@handles("setitem")
def setitem(x: StandIn, key: Any, value: Any) -> None:
    """Assign ``x[key] = value``; the dtype of ``x`` stays what it is."""
    tracer, xp = x.tracer, x.tracer.xp
    x.ensure_writable(value)
    if isinstance(key, StandIn):
        scalar = getattr(value, "ndim", 0) == 0
        require(
            scalar and key.shape == x.shape,
            x,
            "an assignment to entries chosen by values",
            BY_VALUES,
        )
        x.assign(cast(where(key, value, x), x.dtype))
        return
    if first_standin(key if isinstance(key, tuple) else (key,)) is not None:
        raise tracer.refuse("an index computed from x", "use `where`")

    def outside() -> Array:
        mask = xp.ones(x.shape, dtype=xp.bool, device=x.device)
        mask[key] = False
        return mask

    new: Any
    if isinstance(value, StandIn):
        new = cast(_place_at_key(x, key, value), x.dtype)
    else:
        new = xp.zeros(x.shape, dtype=x.dtype, device=x.device)
        new[key] = value
    x.assign(cast(where(tracer.constant("keep", x, outside), x, new), x.dtype))


@handles("in place")
def assign_in_place(x: StandIn, new: StandIn) -> StandIn:
    """Assign the result of ``x += other`` and the like; return the array to use."""
    require(new.shape == x.shape, x, "an assignment in place that changes the shape")
    # NumPy casts results in place to the dtype of the array. (`f(x)` itself has failed
    # already if it refuses the cast.)
    return x.update(cast(new, x.dtype))


def _place_at_key(x: StandIn, key: Any, value: StandIn) -> StandIn:
    """Return an array like ``x`` that holds ``value`` at the key, and else 0."""
    xp = x.tracer.xp
    # The library itself tells which shape the key selects, and where.
    numbers = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    shape = tuple(numbers[key].shape)
    if value.shape != shape:
        value = broadcast_to(_drop_leading_ones(value, shape), shape)

    def sources() -> Array:
        table = xp.full(x.shape, -1, dtype=numbers.dtype, device=x.device)
        table[key] = xp.reshape(xp.arange(value.size, device=x.device), shape)
        return table

    return value.tracer.placed(("set", x.shape), value, sources)


def _drop_leading_ones(value: StandIn, shape: tuple[int, ...]) -> StandIn:
    """Drop leading axes of length 1 that the shape does not have, as NumPy does."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        return value.tracer.reshaped(value, value.shape[extra:])
    return value


@handles("take", out=3)
def take(
    x: StandIn, indices: Any, axis: int | None = None, mode: str = "raise"
) -> StandIn:
    """Return the entries at some indices, of all entries or along an axis."""
    tracer = tracer_of(x, indices)
    xp = tracer.xp
    if isinstance(indices, StandIn):
        raise tracer.refuse("an index computed from x", "use `where` or a mask")
    # Of the standard's functions only NumPy's takes None.
    options: Any = {"axis": axis} if axis is not None or tracer.is_numpy else {}
    if mode != "raise":
        require(
            tracer.is_numpy, tracer, "take(mode=)", "give indices inside of the array"
        )
        options["mode"] = mode
    function = np.take if tracer.is_numpy else xp.take
    return x.tracer.gathered("take", lambda a: function(a, indices, **options), x)


@handles("take_along_axis")
def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> StandIn:
    """Return entries along an axis, at indices of their own in each fibre."""
    xp = tracer_of(x, indices).xp
    if not isinstance(indices, StandIn):
        return x.tracer.gathered(
            "take_along_axis", lambda a: xp.take_along_axis(a, indices, axis=axis), x
        )
    # Each point takes other entries: no table is right for all of them.
    place = axis_of(indices, axis)
    return indices.tracer.everywhere(
        ("take_along_axis", place),
        lambda a, i: xp.take_along_axis(xp.asarray(a), xp.asarray(i), axis=place),
        lambda a, i: _take_along(xp, a, i, place + 1),
        x,
        indices,
    )


def _take_along(xp: Any, a: Array, i: Array, axis: int) -> Array:
    """Take by indices at all points; a constant array is repeated for each."""
    if a.ndim < i.ndim:
        a = xp.broadcast_to(a[None, ...], (i.shape[0], *a.shape))
    return xp.take_along_axis(a, i, axis=axis)
