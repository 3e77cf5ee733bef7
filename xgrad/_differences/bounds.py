"""Bounds as callers write them: ``(low, high)``, or pairs by the names of arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from xgrad._arrays import leaves

FORMS = (
    "give (low, high), each None, a number, or arrays nested as x is, or for nested "
    'arrays a dict of pairs, as {"W": (low, high)}'
)


def bounds_of_leaf(bounds: Any, name: str) -> tuple[Any, Any]:
    """Return the lower and the upper bound of one array, numbers or arrays.

    ``name`` is that of the array, as `leaves` writes it. An array that is left out has
    no bounds.
    """
    if isinstance(bounds, dict):
        entries = dict(leaves(bounds))
        pair = tuple(entries.get(f"{name}[{i}]") for i in range(2))
    else:
        pair = tuple(_entry(side, name) for side in bounds)
    low, high = pair
    return -math.inf if low is None else low, math.inf if high is None else high


def _entry(side: Any, name: str) -> Any:
    return side if _is_for_all(side) else dict(leaves(side)).get(name)


def _is_for_all(side: Any) -> bool:
    is_number = isinstance(side, numbers.Real)
    return side is None or is_number or getattr(side, "ndim", None) == 0


def require_bounds(bounds: Any, names: Sequence[str]) -> None:
    """Raise unless bounds have one of their forms, and are those of arrays of ``x``."""
    if bounds is None:
        return
    if isinstance(bounds, dict):
        pairs = {f"{name}[{i}]" for name in names if name != "x" for i in range(2)}
        _require_entries("bounds", bounds, pairs, names)
        return
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(f"`bounds` must be a pair; got {bounds!r}: {FORMS}")
    for i, side in enumerate(bounds):
        if _is_for_all(side):
            continue
        if isinstance(side, (list, tuple)) and list(names) == ["x"]:
            raise TypeError(
                f"`bounds[{i}]` is a {type(side).__name__}: pass an array, for example "
                f"`np.asarray(bounds[{i}])`; bounds are given as (low, high), not as a "
                "pair for each entry"
            )
        _require_entries(f"bounds[{i}]", side, set(names), names)


def _require_entries(
    option: str, entries: Any, expected: set[str], names: Sequence[str]
) -> None:
    """Raise for entries beside those expected, and None in place of arrays."""
    for entry, value in leaves(entries):
        is_left_out = value is None and any(
            f"{name}[".startswith(f"{entry}[") for name in names
        )
        if entry not in expected and not is_left_out:
            raise ValueError(
                f"`{option}{entry[1:]}` is no bound of an array of x, "
                f"{', '.join(names)}: {FORMS}"
            )
