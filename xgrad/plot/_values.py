"""The numbers that plots show: values of the caller's functions, and histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import (
    as_array,
    common_namespace,
    from_host,
    require_callable,
    to_numpy,
)

Function = Callable[[Any], Any]


def limits(name: str, pair: Any) -> tuple[float, float]:
    """Return the two ends of an axis, or raise an error that names the argument."""
    try:
        low, high = (float(end) for end in pair)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a pair (low, high); got {pair!r}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"`{name}` must be finite numbers, the lower one first; got {pair!r}"
        )
    return low, high


def number(f: Function, x: Any) -> float:
    """Return the value of ``f`` at one point."""
    require_callable("f", f)
    value = f(x)
    # Functions of the `math` module return Python numbers.
    on_host = np.asarray(value if isinstance(value, int | float) else to_numpy(value))
    if on_host.size != 1:
        raise ValueError(
            "`f` gets one point at a time and must return one number, but returned "
            f"shape {on_host.shape}"
        )
    return float(on_host.reshape(()))


def grid_points(grid: Sequence[np.ndarray], xp: Any) -> Iterator[Any]:
    """Yield the points of a grid, one array of coordinates each, as ``f`` gets them."""
    make = np if xp is None else xp
    coordinates = [values.ravel() for values in np.meshgrid(*grid)]
    for point in np.stack(coordinates, axis=-1):
        yield make.asarray(point)


def values_on_grid(f: Function, grid: Sequence[np.ndarray], xp: Any) -> Any:
    """Return the values of ``f`` on a grid, masked where they are not finite."""
    values = np.array([number(f, x) for x in grid_points(grid, xp)])
    shape = tuple(len(axis) for axis in reversed(grid))
    return np.ma.masked_invalid(values.reshape(shape))


def contact_points(x: Any) -> tuple[Any, list[float]]:
    """Return the namespace of ``x``, and the points at which tangents touch."""
    x = np.asarray(x, dtype=float) if isinstance(x, list | tuple) else as_array(x)
    xp = common_namespace(x=x)
    if x.ndim > 1:
        raise ValueError(
            f"`x` has shape {tuple(x.shape)}, but points of contact are numbers: pass "
            "one number, or an array with one axis"
        )
    contacts = np.asarray(to_numpy(x), dtype=float).reshape(-1)
    if not contacts.size or not np.isfinite(contacts).all():
        raise ValueError("`x` must hold at least one number, and only finite ones")
    return xp, contacts.tolist()


def like_caller(xp: Any, t: float, x: Any) -> Any:
    """Return a number as a 0-d array of the kind that the caller passed as ``x``."""
    if isinstance(x, int | float | list | tuple):
        return np.asarray(t)
    # Points of contact may be integers, but the points of a curve are not.
    floating = xp.isdtype(x.dtype, "real floating")
    return from_host(xp, t, like=x, dtype=x.dtype if floating else None)


def limits_around(contacts: Sequence[float]) -> tuple[float, float]:
    """Return limits that leave room on both sides of the points of contact.

    The room is the largest of three numbers: the distance between the outermost points,
    half of their largest absolute value, and 1.
    """
    low, high = min(contacts), max(contacts)
    room = max(high - low, max(map(abs, contacts)) / 2, 1.0)
    return low - room, high + room


def series_by_name(series: Any) -> dict[str, list[float]]:
    """Return the numbers of each name, epoch by epoch."""
    # A DataFrame has the items of a mapping, and is none.
    columns = dict(series.items()) if hasattr(series, "items") else _columns(series)
    lines = {name: _numbers(name, values) for name, values in columns.items()}
    if not any(lines.values()):
        raise ValueError("`series` is empty: there is nothing to draw")
    return lines


def _columns(epochs: Any) -> dict[Any, list[Any]]:
    """Turn one mapping for each epoch into one list for each name."""
    rows: list[Any] = list(epochs) if isinstance(epochs, Iterable) else [epochs]
    if not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(
            "`series` must map names to sequences of numbers, or hold one mapping "
            "of names to numbers for each epoch"
        )
    names = list(rows[0]) if rows else []
    for epoch, row in enumerate(rows, 1):
        if row.keys() != set(names):
            raise ValueError(
                f"epoch {epoch} has {sorted(row)}, but the first one has "
                f"{sorted(names)}: every epoch needs the same names"
            )
    return {name: [row[name] for row in rows] for name in names}


def _numbers(name: Any, values: Any) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise TypeError(
            f"`series` must hold a sequence of numbers for {name!r}; got {values!r}"
        ) from None
