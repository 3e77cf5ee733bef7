"""The gradient of a plain function of one NumPy array, where nothing else is asked for.

The same points, the same arithmetic and the same proof as on the general way, without
the values that describe them: below some hundred variables these take longer than the
function. Whatever is out of the ordinary is left to the general way.
"""

from __future__ import annotations

import functools
import math
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
from xgrad._differences import Method, Stencil, stencil
from xgrad._evaluation import (
    CPU_BYTES,
    FEW_COLUMNS,
    ROUNDING,
    Mode,
    Vectorized,
    remembered,
)

DTYPES = (np.dtype(np.float64), np.dtype(np.float32))


def quick_gradient(
    f: Callable[[Any], Any],
    x: Any,
    method: Method,
    accuracy: int | None,
    vectorized: Vectorized,
) -> tuple[Array | None, Any]:
    """The gradient, or None where the general way has to be taken; and ``f(x)``.

    The latter is None where ``f`` was not called.
    """
    if type(x) is not np.ndarray or x.dtype not in DTYPES or not 0 < x.size < 2**14:
        return None, None
    mode: Mode | None
    if vectorized is False:
        mode, width = "loop", 1
    elif isinstance(vectorized, str) and vectorized == "auto":
        mode, width = remembered(f, x)
    else:
        return None, None
    if mode not in ("loop", "sparse") or not callable(f):
        return None, None
    if not (accuracy is None or type(accuracy) is int):
        return None, None
    scheme, offsets = _planned(method, accuracy)
    if x.size * len(offsets) * width * 2 * x.itemsize > CPU_BYTES:
        return None, None
    base = f(x.copy())
    if not _is_number(base, x):
        return None, base
    base = x.dtype.type(base)  # now: `f` may use one buffer again and again
    one_by_one = mode == "loop" or x.size <= FEW_COLUMNS
    with at_perturbed_points():
        return _slopes(f, x, base, scheme, offsets, one_by_one), base


def _slopes(
    f: Callable[[Any], Any],
    x: Array,
    base: Any,
    scheme: Stencil,
    offsets: tuple[int, ...],
    one_by_one: bool,
) -> Array | None:
    info = float_info(_xp(), x.dtype)
    if one_by_one and x.dtype == np.float64 and x.size <= FEW_COLUMNS:
        return _by_numbers(f, x, float(base), scheme, offsets, info)
    flat = x.reshape(-1)
    size = np.minimum(np.maximum(np.abs(flat), 1.0), info.largest / 8)
    step = floor_power_of_two(_xp(), size) * scheme.relative_step(info.eps)
    places = flat + _moves(offsets, x.dtype) * step
    if one_by_one:
        found, base_found = _one_by_one(f, x, places), base
    else:
        found, base_found = _together(f, x, flat, places, base, info.eps)
    if found is None:
        return None
    rows = dict(zip(offsets, found, strict=True))
    where = dict(zip(offsets, places, strict=True))
    rows[0], where[0] = base_found, flat
    slopes = sum(
        weight * ((rows[plus] - rows[minus]) / (where[plus] - where[minus]))
        for plus, minus, weight in scheme.rounded_quotients
    )
    return slopes.reshape(x.shape) if np.isfinite(slopes).all() else None


def _by_numbers(
    f: Callable[[Any], Any],
    x: Array,
    base: float,
    scheme: Stencil,
    offsets: tuple[int, ...],
    info: FloatInfo,
) -> Array | None:
    """The same in numbers of Python, which cost less than arrays of a few entries."""
    relative, limit = scheme.relative_step(info.eps), info.largest / 8
    places: list[float] = x.reshape(-1).tolist()
    steps = [relative * _binade(min(max(abs(p), 1.0), limit)) for p in places]
    where, values = {0: places}, {0: [base] * len(places)}
    for offset in offsets:
        moved = [p + offset * step for p, step in zip(places, steps, strict=True)]
        where[offset], values[offset] = moved, []
        for i, place in enumerate(moved):
            value = _value_at(f, x, i, place)
            if value is None:
                return None
            values[offset].append(value)
    slopes = [0.0] * len(places)
    for plus, minus, weight in scheme.rounded_quotients:
        for i in range(len(places)):
            run = where[plus][i] - where[minus][i]
            slopes[i] += weight * ((values[plus][i] - values[minus][i]) / run)
    if not all(map(math.isfinite, slopes)):
        return None
    return np.asarray(slopes).reshape(x.shape)


def _binade(number: float) -> float:
    """The largest power of two that is not above a positive number."""
    return math.ldexp(1.0, math.frexp(number)[1] - 1)


@functools.lru_cache
def _planned(method: Method, accuracy: int | None) -> tuple[Stencil, tuple[int, ...]]:
    scheme = stencil(method, accuracy)
    return scheme, tuple(sorted(set(scheme.offsets) - {0}))


@functools.lru_cache
def _moves(offsets: tuple[int, ...], dtype: Any) -> Array:
    return np.asarray(offsets, dtype=dtype)[:, None]


def _one_by_one(f: Callable[[Any], Any], x: Array, places: Array) -> Array | None:
    """Values at the points, ``(offsets, entries)``."""
    values = []
    for row in places.tolist():
        for i, place in enumerate(row):
            value = _value_at(f, x, i, place)
            if value is None:
                return None
            values.append(value)
    return np.asarray(values, dtype=x.dtype).reshape(places.shape)


def _value_at(f: Callable[[Any], Any], x: Array, i: int, place: float) -> float | None:
    """The function with one entry moved; None if it does not return a number."""
    moved = x.copy()
    moved.reshape(-1)[i] = place
    try:
        value = f(moved)
    except Exception as error:
        index = np.unravel_index(i, x.shape)
        move = place - x.reshape(-1)[i]
        name = f"x[{', '.join(map(str, index))}]" if index else "x"
        error.add_note(f"xgrad was evaluating `f` at {name} moved by {move:.3g}")
        raise
    # A float now: `f` may use one buffer again and again.
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


def _together(
    f: Callable[[Any], Any],
    x: Array,
    flat: Array,
    places: Array,
    base: Array,
    eps: float,
) -> tuple[Array | None, Any]:
    """Differences from ``f(x)`` at the points, and 0; one of them is proved."""
    count, points = x.size, places.size
    trace = Trace(_xp(), points, Memo())
    try:
        positions = _positions(count, len(places))
        region = Region.at_positions(trace.xp, x.shape, positions, None, trace.cache)
        shape = (points, *region.extent)
        diff = (places - flat).reshape(shape)
        found = f(Batched(trace, x, region, diff, places.reshape(shape)))
        plain = trace.refusal is None and isinstance(found, Batched)
        if not plain or found.dtype != x.dtype or found.shape != ():
            return None, None
        if trace.unchecked_diffs and not trace.diffs_are_finite:
            return None, None
        changes = all_differences(trace, found, found.dtype).reshape(places.shape)
        value = found.base
    except Exception:  # the general way tells what it is
        return None, None
    finally:
        trace.close()
    middle = count // 2
    moved = x.copy()
    moved.reshape(-1)[middle] = places[0, middle]
    expected = f(moved)
    if not _is_number(expected, x):
        return None, None
    allowed = ROUNDING * eps * max(abs(expected), abs(base))
    near = abs(base + changes[0, middle] - expected) <= allowed
    if near and abs(value - base) <= allowed and math.isfinite(expected):
        return changes, 0.0
    return None, None


@functools.cache
def _xp() -> Any:
    return common_namespace(x=np.empty(0))


@functools.lru_cache(maxsize=8)
def _positions(count: int, offsets: int) -> Array:
    return np.tile(np.arange(count), offsets)[:, None]
