"""Checks that the result of `f` fits the derivative that was asked for."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import Array
from xgrad._differences.coloring import Coloring
from xgrad._differences.pattern import as_coloring


def fitting_coloring(sparsity: Any, x: Any, base: Array) -> Coloring:
    """Return the colouring of a pattern; raise unless it fits ``x`` and ``f(x)``."""
    if isinstance(x, dict | list | tuple):
        raise TypeError("`sparsity` needs one array as `x`, not a nesting of arrays")
    coloring = as_coloring(sparsity)
    shape = math.prod(base.shape), math.prod(x.shape)
    if coloring.shape != shape:
        raise ValueError(
            f"`sparsity` has shape {coloring.shape}, but f(x) has {shape[0]} entries "
            f"and x has {shape[1]}: it needs shape {shape}"
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
    if isinstance(x, dict | list | tuple):
        raise TypeError("`axis=-1` needs one array as `x`, not a nesting of arrays")
    if x.ndim == 0:
        raise ValueError("`axis=-1` needs `x` with at least one axis")
