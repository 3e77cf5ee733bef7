"""What pictures are drawn of: values of the caller's functions, and histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import as_array, common_namespace, from_host, to_numpy

Function = Callable[[Any], Any]


def limits(name: str, pair: Any) -> tuple[float, float]:
    """The two ends of an axis."""
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
    """The value of ``f`` at one point."""
    if not callable(f):
        raise TypeError(f"`f` must be callable; got {type(f).__name__}")
    value = f(x)
    found = np.asarray(value if isinstance(value, int | float) else to_numpy(value))
    if found.size != 1:
        raise ValueError(
            "`f` gets one point at a time and must return one number, but returned "
            f"shape {found.shape}"
        )
    return float(found.reshape(()))


def each(places: Sequence[Any], xp: Any) -> Iterator[Any]:
    """The points of a grid, one by one, as arrays for ``f``."""
    make = np if xp is None else xp
    for point in np.stack([place.ravel() for place in places], axis=-1):
        yield make.asarray(point)


def heights(f: Function, axes: Sequence[Any], xp: Any) -> Any:
    """The values of ``f`` on a grid, masked where they are not finite."""
    places = np.meshgrid(*axes)
    found = np.array([number(f, x) for x in each(places, xp)])
    return np.ma.masked_invalid(found.reshape(places[0].shape))


def contacts(x: Any) -> tuple[Any, list[float]]:
    """The namespace for the points that ``f`` gets, and where the tangents touch."""
    x = np.asarray(x, dtype=float) if isinstance(x, list | tuple) else as_array(x)
    xp = common_namespace(x=x)
    if x.ndim > 1:
        raise ValueError(
            f"`x` has shape {tuple(x.shape)}, but points of contact are numbers: give "
            "one or an array with one axis"
        )
    found = np.asarray(to_numpy(x), dtype=float).reshape(-1)
    if not found.size or not np.isfinite(found).all():
        raise ValueError("`x` must hold at least one number, and only finite ones")
    return xp, found.tolist()


def point(xp: Any, t: float, x: Any) -> Any:
    """A number as the caller's ``f`` expects it."""
    if isinstance(x, int | float | list | tuple):
        return np.asarray(t)
    floating = xp.isdtype(x.dtype, "real floating")
    return from_host(xp, t, like=x, dtype=x.dtype if floating else None)


def around(contacts: Sequence[float]) -> tuple[float, float]:
    """The points of contact with some room beside them."""
    low, high = min(contacts), max(contacts)
    room = max(high - low, max(map(abs, contacts)) / 2, 1.0)
    return low - room, high + room


def named(series: Any) -> dict[str, list[float]]:
    """The numbers of each name, epoch by epoch."""
    if isinstance(series, Mapping):
        found = dict(series)
    else:
        epochs: list[Any] = list(series) if isinstance(series, Iterable) else [series]
        if not all(isinstance(epoch, Mapping) for epoch in epochs):
            raise TypeError(
                "`series` must map names to sequences of numbers, or hold one mapping "
                "of names to numbers for each epoch"
            )
        names = list(epochs[0]) if epochs else []
        for number, epoch in enumerate(epochs, 1):
            if epoch.keys() != set(names):
                raise ValueError(
                    f"epoch {number} has {sorted(epoch)}, but the first one has "
                    f"{sorted(names)}: every epoch needs the same names"
                )
        found = {name: [epoch[name] for epoch in epochs] for name in names}
    lines = {name: _numbers(name, values) for name, values in found.items()}
    if not any(lines.values()):
        raise ValueError("`series` is empty: there is nothing to draw")
    return lines


def _numbers(name: Any, values: Any) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise TypeError(
            f"`series` must hold a sequence of numbers for {name!r}; got {values!r}"
        ) from None
