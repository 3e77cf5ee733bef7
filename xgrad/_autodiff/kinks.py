"""The corners of functions of fibres, from what their pulls keep.

These end with the axes of the fibres, and whether the result keeps them. Those of
functions of entries are in the table of partial derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.fibres import (
    in_rows,
    pull_deviation,
    pull_extremum,
    pull_quantile,
    pull_sort,
    quantile_shares,
    with_axes,
)
from xgrad._autodiff.norms import pull_norm
from xgrad._autodiff.rules import ENTRYWISE, KINKS

# Half of the digits: rounding in the weights of equal entries is far below, and those
# that differ in earnest are far above.
SAME = float(np.sqrt(np.finfo(float).eps))


def marks_of(pull: Any, g: Any, saved: tuple[Any, ...], are_hidden: bool) -> Any:
    """Mark the entries of an argument at a corner that a cotangent reaches.

    None if the function has no corners. Corners ``are_hidden`` where that is 0.
    """
    if pull is pull_sort:
        return _equal_in_order(g, are_hidden is True, *saved)
    if pull not in KINKS:
        return None
    reaches = (g != 0) | are_hidden
    if pull not in ENTRYWISE:
        reaches = with_axes(reaches, *saved[-2:])
    return KINKS[pull](*saved) & reaches


def _equal_in_order(g: Any, are_hidden: bool, ranks: Any, axis: int, y: Any) -> Any:
    """Mark entries that are equal to others in order, but count otherwise."""
    if not g.size:
        return np.zeros_like(g, dtype=bool)
    x, weights = (np.take_along_axis(array, ranks, axis) for array in (y, g))
    x, weights = (np.moveaxis(array, axis, -1) for array in (x, weights))
    marks = _unequal_weights(x, weights, SAME * np.max(np.abs(g)), are_hidden)
    return np.moveaxis(marks, -1, axis)


def _unequal_weights(
    rows: Any, weights: Any, allowed: Any, are_hidden: bool = False
) -> Any:
    """Mark entries that are equal to others of their row, but have another weight."""
    order = np.argsort(rows, axis=-1, kind="stable")
    rows, sorted_weights = (np.take_along_axis(a, order, -1) for a in (rows, weights))
    # The runs of equal entries, which are numbered through all rows.
    begins = np.concatenate(
        [np.full_like(rows[..., :1], 1, bool), rows[..., 1:] != rows[..., :-1]], -1
    )
    runs = (np.cumsum(begins) - 1).reshape(begins.shape)
    first = sorted_weights[begins][runs]
    differs = (np.abs(sorted_weights - first) > allowed) | (are_hidden & ~begins)
    some = np.bincount(runs.reshape(-1), weights=differs.reshape(-1)) > 0
    return np.take_along_axis(some[runs], np.argsort(order, axis=-1), -1)


def _unequal_shares(x: Any, operation: Any, axes: Any, keepdims: Any) -> Any:
    """Mark entries that are equal to others, but have another share in a quantile."""

    def marks(rows: Any) -> Any:
        return _unequal_weights(rows, quantile_shares(operation, rows), SAME)

    return in_rows(marks, x, axes)


def _ties(x: Any, y: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """Mark the entries that attain an extremum together with others."""
    attains = x == with_axes(y, axes, keepdims)
    return attains & (np.sum(attains, axis=axes, keepdims=True) > 1)


def _equal_entries(x: Any, y: Any, count: Any, axes: Any, keepdims: Any) -> Any:
    """Mark fibres whose standard deviation is 0."""
    return np.broadcast_to(with_axes(y == 0, axes, keepdims), x.shape)


def _vectors_of_zeros(x: Any, y: Any, p: float, axes: Any, keepdims: Any) -> Any:
    """Mark vectors whose norm is 0."""
    return np.broadcast_to(with_axes(np.asarray(y == 0), axes, keepdims), x.shape)


KINKS[pull_extremum] = _ties
KINKS[pull_quantile] = _unequal_shares
KINKS[pull_deviation] = _equal_entries
KINKS[pull_norm] = _vectors_of_zeros
