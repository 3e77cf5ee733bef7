"""Convolutions, correlations and interpolation in tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing.arguments import Bound, first_standin, require, tracer_of
from xgrad._tracing.functions.elements import cast, either
from xgrad._tracing.functions.joining import as_arrays
from xgrad._tracing.functions.products import matmul
from xgrad._tracing.registry import handles, overridable
from xgrad._tracing.standin import StandIn

MODES = ("full", "same", "valid")


@handles("convolve")
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Return the sums of products of one array with shifts of another, reversed one."""
    a, v = as_arrays(a, v)
    tracer = tracer_of(a, v)
    require(mode in MODES, tracer, f"convolve(mode={mode!r})", "name the mode")
    require(a.ndim == v.ndim == 1, tracer, "convolve of these shapes", "give vectors")
    # Into the longer one, as NumPy does.
    return convolve_vectors([a, v] if a.shape[0] >= v.shape[0] else [v, a], mode)


@handles("correlate")
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Return the sums of products of one array with shifts of the other one."""
    a, v = as_arrays(a, v)
    v = v.conj() if v.dtype.kind == "c" else v
    # NumPy turns the result around, if it takes the second one for the longer array.
    if a.shape[0] < v.shape[0]:
        return convolve(a[::-1], v, mode)[::-1]
    return convolve(a, v[::-1], mode)


@overridable
def convolve_vectors(arrays: list[Any], mode: str) -> Any:
    """Convolve two vectors, the second of which is not the longer one."""
    a, v = arrays
    # By the Toeplitz matrix of the one that does not depend on x: M[i, j] = v[i - j].
    x, other = (a, v) if isinstance(a, StandIn) else (v, a)
    tracer, size, count = x.tracer, x.shape[0], other.shape[0]
    shift = _rows_of(mode, *map(len, arrays))[:, None] - np.arange(size)
    sources = np.where((shift >= 0) & (shift < count), shift, -1)
    if isinstance(other, StandIn):
        places = tracer.xp.asarray(sources)
        return matmul(tracer.placed(("convolve", mode), other, lambda: places), x)
    # (The last entry stands for -1, which is then 0.)
    matrix = np.where(sources >= 0, np.asarray(other)[sources], 0)
    return matmul(tracer.xp.asarray(matrix), x)


def first_row_of(mode: str, count: int) -> int:
    """Return the place at which a mode begins in the full result."""
    return {"full": 0, "valid": count - 1, "same": (count - 1) // 2}[mode]


def _rows_of(mode: str, size: int, count: int) -> Any:
    """Return the numbers of the entries of the full result that a mode keeps."""
    start = first_row_of(mode, count)
    length = {"full": size + count - 1, "valid": size - count + 1, "same": size}[mode]
    return np.arange(start, start + length)


@handles("interp")
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate linearly in a table."""
    tracer = tracer_of(x, xp, fp, left, right, period)
    traced = [first_standin((o,)) is not None for o in (x, xp, fp, left, right, period)]
    # At many points the places of each are their own: a function of entries.
    if traced == [True, *[False] * 5] and not tracer.knows_values:
        table = Bound(np.interp, xp, fp, left, right, period)
        return tracer.elementwise(table, x)
    x, xp, fp = map(_as_double, as_arrays(x, xp, fp))
    if period is not None:
        x, xp, fp = _unrolled(tracer, x, xp, fp, period)
    require(xp.shape[0] > 1, tracer, "np.interp in a table of one entry", "use `where`")
    return _interpolated(x, xp, fp, left, right, *_plain_tables(tracer, x, xp))


def _as_double(x: Any) -> Any:
    """Return an array in double precision, which `np.interp` computes in."""
    double = np.complex128 if x.dtype.kind == "c" else np.float64
    return cast(x, double) if isinstance(x, StandIn) else x.astype(double)


def _unrolled(tracer: Any, x: Any, xp: Any, fp: Any, period: Any) -> Any:
    """Return places in one period, and the table in order with one more at each end."""
    plain = first_standin((period,)) is None
    require(plain, tracer, "np.interp(period=) computed from x", "use a constant")
    period = abs(period)
    x, xp = x % period, xp % period
    order = np.argsort(*_plain_tables(tracer, xp))
    xp, fp = xp[order], fp[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])


def _plain_tables(tracer: Any, *operands: Any) -> list[Any]:
    """Return the values of places and of tables, by which entries are chosen."""
    idiom = "np.interp at places or in a table computed from x"
    remedy = "write it by `where` and slices"
    return [np.asarray(tracer.known_values(o, idiom, remedy)) for o in operands]


def _interpolated(
    x: Any, xp: Any, fp: Any, left: Any, right: Any, places: Any, table: Any
) -> Any:
    """Interpolate by the two entries of the table around each place."""
    sides = [
        _on_one_side(x, xp, fp, left, right, places, table, side)
        for side in ("left", "right")
    ]
    # At an entry of the table the slope is the mean of those on both sides.
    is_entry = np.isin(places, table)
    return (sides[0] + sides[1]) / 2 if is_entry.any() else sides[1]


def _on_one_side(
    x: Any,
    xp: Any,
    fp: Any,
    left: Any,
    right: Any,
    places: Any,
    table: Any,
    side: str,
) -> Any:
    """Interpolate in the interval that ends, or begins, at an entry of the table."""
    i = np.searchsorted(table, places, side)  # type: ignore[call-overload]
    i = np.clip(i - 1, 0, table.shape[0] - 2)
    share = (x - xp[i]) / (xp[i + 1] - xp[i])
    value = (fp[i + 1] - fp[i]) * share + fp[i]
    # Outside it is constant, and jumps to the values that are given for there.
    is_below, is_above = places < table[0], places > table[-1]
    if left is None and side == "left":
        is_below |= places == table[0]
    if right is None and side == "right":
        is_above |= places == table[-1]
    if np.any(is_below):
        value = either(is_below, fp[0] if left is None else left, value)
    if np.any(is_above):
        value = either(is_above, fp[-1] if right is None else right, value)
    return value
