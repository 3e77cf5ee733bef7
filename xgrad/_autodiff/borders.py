"""Borders of functions of entries: where a comparison or a whole number changes.

What the caller's function does with such a result may hold there, and at no point
beside it. The table has functions by their names in NumPy, which mark the entries at a
border from the result, the operands and the arguments bound to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff.lookup import NAMES_IN_NUMPY, name_in_numpy
from xgrad._autodiff.structural import plain_of

Marks = Callable[..., Any]


def find_border(function: Any, xp: Any) -> Marks | None:
    """Return what marks the borders of a function of entries; None if it has none."""
    name = name_in_numpy(getattr(function, "function", function), xp) or ""
    return BORDERS.get(NAMES_IN_NUMPY.get(name, name))


def _is_zero(y: Any, *operands: Any) -> Any:
    """Mark where an operand is 0, which is the only number that is false."""
    return (operands[0] == 0) | (operands[-1] == 0)


def _first_is_zero(y: Any, a: Any, *others: Any) -> Any:
    return a == 0


def _are_equal(y: Any, a: Any, b: Any) -> Any:
    return a == b


def _is_whole(y: Any, a: Any) -> Any:
    return y == a


def _is_half(y: Any, a: Any, *decimals: Any) -> Any:
    return np.abs(y - a) == 0.5


def _is_in_table(y: Any, v: Any, xp: Any, table: Any, *options: Any) -> Any:
    return np.isin(v, plain_of(table))


BORDERS: dict[str, Marks] = {
    **dict.fromkeys(["equal", "not_equal"], _are_equal),
    **dict.fromkeys(["less", "less_equal", "greater", "greater_equal"], _are_equal),
    **dict.fromkeys(["logical_and", "logical_or", "logical_xor"], _is_zero),
    **dict.fromkeys(["logical_not", "sign", "heaviside", "signbit"], _first_is_zero),
    **dict.fromkeys(["floor", "ceil", "trunc", "fix", "astype"], _is_whole),
    **dict.fromkeys(["remainder", "fmod", "divmod 1"], lambda y, a, b: y == 0),
    **dict.fromkeys(["floor_divide", "divmod 0"], lambda y, a, b: y * b == a),
    "copysign": lambda y, a, b: b == 0,
    "modf 0": lambda y, a: y == 0,
    "frexp 0": lambda y, a: np.abs(y) == 0.5,
    "rint": _is_half,
    # Within a tolerance, which is far below the distances that are of interest.
    "isclose": lambda y, a, b: y,
    "isin": lambda y, a, others, inverts: y != inverts,
    "searchsorted": _is_in_table,
    "digitize": lambda y, a, bins, *right: np.isin(a, bins),
}


def border_of_fibres(operation: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """Mark where positions or truths of fibres change beside x."""
    name = operation[0] if isinstance(operation, tuple) else operation
    if name in ("any", "all"):
        return x == 0
    if name.endswith(("argmax", "argmin")) and x.size:
        extremum = np.nanmax if name.endswith("max") else np.nanmin
        attains = np.equal(x, extremum(x, axis=axes, keepdims=True))
        return np.sum(attains, axis=axes) > 1
    return repeated_entries(x, axes)


def repeated_entries(x: Any, axes: tuple[int, ...]) -> Any:
    """Mark which entries, put in order along axes, are equal to their neighbours."""
    rows = np.moveaxis(x, axes, range(-len(axes), 0))
    outer, inner = np.split(np.asarray(rows.shape, int), [x.ndim - len(axes)])
    rows = np.sort(rows.reshape(*outer, np.prod(inner)), axis=-1)
    return rows[..., 1:] == rows[..., :-1]
