"""The gradient of a plain function of one NumPy array, where nothing else is asked for.

It has the same points, the same arithmetic and the same proof as the general way, but
not the objects that describe them: below some hundred variables, building these takes
longer than the function. Whatever is out of the ordinary is left to the general way.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    FloatInfo,
    at_perturbed_points,
    common_namespace,
    float_info,
    floor_power_of_two,
)
from xgrad._batched import Batched, Memo, Region, Trace, all_differences
from xgrad._differences import HEADROOM, Method, Stencil, stencil
from xgrad._evaluation import (
    CPU_BYTES,
    FEW_COLUMNS,
    ROUNDING,
    CallState,
    Loop,
    Pace,
    Sparse,
    Vectorized,
    Way,
    agree,
    describe_move,
    note_at,
    proof_of_gradient,
    reason_of,
)

DTYPES = (np.dtype(np.float64), np.dtype(np.float32))
# Far above the size from which the general way costs nothing beside the function.
MOST_ENTRIES = 2**14
# Arrays of positions that are remembered, of at most 1 MB each for 8 offsets.
REMEMBERED_POSITIONS = 8


def quick_gradient(
    f: Callable[[Any], Any],
    x: Any,
    method: Method,
    accuracy: int | None,
    vectorized: Vectorized,
    state: CallState,
) -> tuple[Array | None, Any]:
    """Return the gradient, or None if the general way has to be taken, and ``f(x)``.

    ``f(x)`` is None if ``f`` was not called. ``state`` notes an error of xgrad.
    """
    if type(x) is not np.ndarray or x.dtype not in DTYPES:
        return None, None
    if not 0 < x.size < MOST_ENTRIES:
        return None, None
    pace = None
    if vectorized is False:
        way: Way | None = Loop()
    elif isinstance(vectorized, str) and vectorized == "auto":
        memory, key = proof_of_gradient(f, x)
        way = memory.find(key)
        if isinstance(way, Sparse) and x.size > FEW_COLUMNS:
            pace = Pace(memory, key, 0.0)
    else:
        return None, None
    if not isinstance(way, Loop | Sparse) or not callable(f):
        return None, None
    if not (accuracy is None or type(accuracy) is int):
        return None, None
    scheme, offsets = _stencil_and_offsets(method, accuracy)
    # More than one chunk on the general way: values and differences, side by side.
    if x.size * len(offsets) * max(1, way.width) * 2 * x.itemsize > CPU_BYTES:
        return None, None
    start = time.perf_counter()
    base = f(x.copy())
    plain_seconds = time.perf_counter() - start
    # Differences do not use f(x), but its status is for the general way to tell.
    if not (_is_number(base, x) and math.isfinite(base)):
        return None, base
    # A copy: `f` may use one buffer again and again.
    base = x.dtype.type(base)
    one_by_one = isinstance(way, Loop) or x.size <= FEW_COLUMNS
    with at_perturbed_points():
        start = time.perf_counter()
        slopes = _differentiate(f, x, base, scheme, offsets, one_by_one, state)
        if pace is not None and slopes is not None:
            pace.plain_seconds = plain_seconds
            pace.record(time.perf_counter() - start, x.size * len(offsets))
        return slopes, base


def _differentiate(
    f: Callable[[Any], Any],
    x: Array,
    base: Any,
    scheme: Stencil,
    offsets: tuple[int, ...],
    one_by_one: bool,
    state: CallState,
) -> Array | None:
    """Return the gradient; None where a value is no number, not finite, or wrong."""
    info = float_info(_xp(), x.dtype)
    if one_by_one and x.dtype == np.float64 and x.size <= FEW_COLUMNS:
        return _differentiate_numbers(f, x, float(base), scheme, offsets, info)
    flat = x.reshape(-1)
    # The steps of the general way: see `floored_size` for the floor and for the cap.
    size = np.minimum(np.maximum(np.abs(flat), 1.0), info.largest / HEADROOM)
    step = floor_power_of_two(_xp(), size) * scheme.relative_step(info.eps)
    coordinates = flat + _as_first_axis(offsets, x.dtype) * step
    values: Array | None
    if one_by_one:
        values, value_at_base = _values_one_by_one(f, x, coordinates), base
    else:
        values = _differences_together(f, x, flat, coordinates, base, info.eps, state)
        value_at_base = 0.0
    if values is None:
        return None
    by_offset = dict(zip(offsets, values, strict=True))
    points = dict(zip(offsets, coordinates, strict=True))
    by_offset[0], points[0] = value_at_base, flat
    slopes = _slope(scheme, by_offset, points)
    return slopes.reshape(x.shape) if np.isfinite(slopes).all() else None


def _differentiate_numbers(
    f: Callable[[Any], Any],
    x: Array,
    base: float,
    scheme: Stencil,
    offsets: tuple[int, ...],
    info: FloatInfo,
) -> Array | None:
    """Compute in Python's numbers, which cost less than arrays of a few entries."""
    relative, limit = scheme.relative_step(info.eps), info.largest / HEADROOM
    slopes = []
    for i, entry in enumerate(x.reshape(-1).tolist()):
        step = relative * _floor_power_of_two(min(max(abs(entry), 1.0), limit))
        points, values = {0: entry}, {0: base}
        for offset in offsets:
            points[offset] = coordinate = entry + offset * step
            value = _value_at(f, x, i, coordinate)
            if value is None:
                return None
            values[offset] = value
        slopes.append(_slope(scheme, values, points))
    if not all(map(math.isfinite, slopes)):
        return None
    return np.asarray(slopes).reshape(x.shape)


def _slope(scheme: Stencil, values: dict[int, Any], points: dict[int, Any]) -> Any:
    """Return the sum of the quotients, from values and coordinates by offset."""
    return scheme.slope(
        lambda plus, minus: values[plus] - values[minus],
        lambda plus, minus: points[plus] - points[minus],
    )


def _floor_power_of_two(number: float) -> float:
    """Return the largest power of two that is not above a positive number."""
    return math.ldexp(1.0, math.frexp(number)[1] - 1)


@functools.lru_cache
def _stencil_and_offsets(
    method: Method, accuracy: int | None
) -> tuple[Stencil, tuple[int, ...]]:
    scheme = stencil(method, accuracy)
    return scheme, tuple(sorted(set(scheme.offsets) - {0}))


@functools.lru_cache
def _as_first_axis(offsets: tuple[int, ...], dtype: Any) -> Array:
    return np.asarray(offsets, dtype=dtype)[:, None]


def _values_one_by_one(
    f: Callable[[Any], Any], x: Array, coordinates: Array
) -> Array | None:
    """Evaluate one point a call, ``(offsets, entries)``; None if one is no number."""
    values = []
    for row in coordinates.tolist():
        for i, coordinate in enumerate(row):
            value = _value_at(f, x, i, coordinate)
            if value is None:
                return None
            values.append(value)
    return np.asarray(values, dtype=x.dtype).reshape(coordinates.shape)


def _value_at(
    f: Callable[[Any], Any], x: Array, i: int, coordinate: float
) -> float | None:
    """Call the function with one entry moved; None if it does not return a number."""
    point = x.copy()
    point.reshape(-1)[i] = coordinate
    try:
        value = f(point)
    except Exception as error:
        move = coordinate - x.reshape(-1)[i]
        error.add_note(note_at(describe_move("x", i, x.shape, move)))
        raise
    # A copy: `f` may use one buffer again and again.
    return float(value) if _is_number(value, x) else None


def _is_number(value: Any, x: Array) -> bool:
    """Whether a result is a number in the dtype of x."""
    if type(value) is x.dtype.type:
        return True
    if type(value) is float:
        return x.dtype == np.float64
    kind = isinstance(value, (np.ndarray, np.generic)) and not np.ma.isMaskedArray(
        value
    )
    return kind and value.dtype == x.dtype and value.shape == ()


def _differences_together(
    f: Callable[[Any], Any],
    x: Array,
    flat: Array,
    coordinates: Array,
    base: Any,
    eps: float,
    state: CallState,
) -> Array | None:
    """Evaluate all points in one call, and subtract ``f(x)``: ``(offsets, entries)``.

    One of them is proved. Return None if the general way has to be taken.
    """
    points = coordinates.size
    trace = Trace(_xp(), points, Memo())
    try:
        positions = _positions(x.size, len(coordinates))
        region = Region.at_positions(trace.xp, x.shape, positions, None, trace.cache)
        shape = (points, *region.extent)
        diff = (coordinates - flat).reshape(shape)
        result = f(Batched(trace, x, region, diff, coordinates.reshape(shape)))
        own = isinstance(result, Batched) and result.tracer is trace
        if not own or trace.refusal is not None:
            return None
        if result.dtype != x.dtype or result.shape != ():
            return None
        if trace.unchecked_diffs and not trace.diffs_are_finite:
            return None
        changes = all_differences(trace, result, result.dtype).reshape(
            coordinates.shape
        )
        value = result.base
    # The general way raises whatever is the caller's own error, and warns.
    except Exception as error:
        reason = reason_of(error, f)
        if reason.is_fault:
            state.loop_reason = reason
        return None
    finally:
        trace.close()
    proved = _agrees_with_a_plain_call(f, x, coordinates, base, value, changes, eps)
    return changes if proved else None


def _agrees_with_a_plain_call(
    f: Callable[[Any], Any],
    x: Array,
    coordinates: Array,
    base: Any,
    value: Any,
    changes: Array,
    eps: float,
) -> bool:
    """Whether ``f(x)`` and the change at one of the points are those of plain calls."""
    middle = x.size // 2
    point = x.copy()
    point.reshape(-1)[middle] = coordinates[0, middle]
    expected = f(point)
    if not (_is_number(expected, x) and math.isfinite(expected)):
        return False
    allowed = ROUNDING * eps * max(abs(expected), abs(base))
    near = agree(base + changes[0, middle], expected, allowed)
    return bool(near and agree(value, base, allowed))


@functools.cache
def _xp() -> Any:
    return common_namespace(x=np.empty(0))


@functools.lru_cache(maxsize=REMEMBERED_POSITIONS)
def _positions(count: int, offsets: int) -> Array:
    return np.tile(np.arange(count), offsets)[:, None]
