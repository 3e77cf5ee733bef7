"""Compiled parts of the interpolators of many variables of SciPy, for stand-ins."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from xgrad._autodiff.twins import COPIES


def as_coordinates(points: Any, ndim: int | None = None) -> Any:
    """Return places as rows, from an array or from one array for each coordinate."""
    if isinstance(points, tuple) and len(points) > 1:
        return np.stack(np.broadcast_arrays(*points), axis=-1)
    points = points[0] if isinstance(points, tuple) else points
    return points.reshape(-1, ndim or 1) if points.ndim == 1 else points


def find_indices(grid: Any, xi: Any) -> tuple[Any, Any]:
    """Return the cells of places on a grid, and how far each lies into its cell."""
    cells, distances = [], []
    for knots, x in zip(grid, xi, strict=True):
        cell = np.searchsorted(knots, x, "right") - 1
        cell = np.clip(cell, 0, max(len(knots) - 2, 0))
        next_one = np.minimum(cell + 1, len(knots) - 1)
        width = knots[next_one] - knots[cell]
        distances.append((x - knots[cell]) / np.where(width == 0, 1, width))
        cells.append(cell)
    return np.stack(cells), np.stack(distances)


def evaluate_linear_2d(
    values: Any, indices: Any, norm_distances: Any, grid: Any, out: Any
) -> Any:
    """Return the values of a table of two variables between its entries."""
    i, j = indices
    y, x = norm_distances
    upper = values[i, j] * (1 - x) + values[i, j + 1] * x
    lower = values[i + 1, j] * (1 - x) + values[i + 1, j + 1] * x
    return upper * (1 - y) + lower * y


def in_generic_code(name: str, *args: Any) -> Any:
    """Return what the code for other array libraries does, which is in Python."""
    module = importlib.import_module("scipy.interpolate._rbfinterp_xp")
    copies = COPIES.get()
    function = getattr(module, name)
    copy = function if copies is None else copies.replace(function)
    # Its kernels choose by `where` after they took the logarithm of 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        return copy(*args)
