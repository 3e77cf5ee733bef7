"""Checks that the result of `f` fits the derivative that was asked for."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array, refuse_nesting
from xgrad._differences.coloring import Coloring
from xgrad._differences.pattern import as_coloring


def fitting_coloring(sparsity: Any, x: Any, base: Array) -> Coloring:
    """Return the colouring of a pattern; raise unless it fits ``x`` and ``f(x)``."""
    coloring = coloring_for(sparsity, x)
    rows = math.prod(base.shape)
    if coloring.shape[0] != rows:
        raise ValueError(
            f"`sparsity` has shape {coloring.shape}, but f(x) has {rows} entries and x "
            f"has {coloring.shape[1]}: it needs shape {(rows, coloring.shape[1])}"
        )
    return coloring


def is_auto(sparsity: Any) -> bool:
    """Whether the pattern is to be found; raise if it is another word."""
    if isinstance(sparsity, bool):
        raise TypeError(
            f"`sparsity` must be 'auto', a pattern or a Coloring; got {sparsity}: "
            "write sparsity='auto' to have the pattern found"
        )
    if isinstance(sparsity, str) and sparsity != "auto":
        raise ValueError(
            f"`sparsity` must be 'auto', a pattern or a Coloring; got {sparsity!r}"
        )
    return isinstance(sparsity, str)


def coloring_for(sparsity: Any, x: Any) -> Coloring:
    """Return the colouring of a pattern; raise unless it has as many columns as x."""
    refuse_nesting(x, "`sparsity`")
    coloring = as_coloring(sparsity)
    columns = math.prod(x.shape)
    if coloring.shape[1] != columns:
        raise ValueError(
            f"`sparsity` has shape {coloring.shape}, but x has {columns} entries: it "
            "needs a column for each of them, and a row for each entry of f(x)"
        )
    return coloring


def require_scalar(base: Array, otherwise: str = "") -> None:
    """Raise unless ``f(x)`` is one number; ``otherwise`` is a further remedy."""
    if math.prod(base.shape) != 1:
        raise ValueError(
            f"`f` must return a scalar, but returned shape {tuple(base.shape)}: "
            "reduce it (for example with a sum or a mean)"
            + (f", {otherwise}" if otherwise else "")
        )


def require_rows(x: Any) -> None:
    """Raise unless ``x`` is one array with rows."""
    refuse_nesting(x, "`axis=-1`")
    if x.ndim == 0:
        raise ValueError("`axis=-1` needs `x` with at least one axis")
