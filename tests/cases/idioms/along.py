"""Functions along an axis: differences, sums, orders."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import GRID, SIX, collected, expressions

VECTORS = expressions(
    "along",
    SIX,
    {
        "diff": np.diff,
        "diff n": lambda x: np.diff(x, n=2),
        "diff prepend": lambda x: np.diff(x, prepend=0.0),
        "diff append": lambda x: np.diff(x, append=[1.0, 2.0]),
        "ediff1d": np.ediff1d,
        "gradient": np.gradient,
        "gradient of spacing": lambda x: np.gradient(x, 0.5, edge_order=2),
        "cumsum": np.cumsum,
        "cumsum backwards": lambda x: np.cumsum(x[::-1])[::-1],
        "cumprod": lambda x: x.cumprod(),
        "cumulative_sum": lambda x: np.cumulative_sum(x, include_initial=True),
        "sort": np.sort,
        "sort backwards": lambda x: np.sort(x)[::-1] * np.arange(6),
        "sorted method": lambda x: np.sort(x, kind="stable")[2:4],
        "argsort": lambda x: np.argsort(x) * x,
        "argmax": lambda x: np.argmax(x) * x,
        "argmin method": lambda x: x.argmin() + x,
        "partition": lambda x: np.partition(x, 2)[2],
        "searchsorted": lambda x: np.searchsorted([0.7, 1.0, 1.4], x) * x,
        "digitize": lambda x: np.digitize(x, [0.7, 1.0, 1.4]) * x,
        "interp": lambda x: np.interp(x, [0, 1, 2], [0.0, 3.0, 1.0]),
        "interp of x": lambda x: np.interp([0.5, 1.25], np.arange(6), x),
        "trapezoid": np.trapezoid,
        "trapezoid dx": lambda x: np.trapezoid(x**2, dx=0.1),
        "trapezoid of x": lambda x: np.trapezoid(x[:3], np.cumsum(x[3:])),
        "laplacian": lambda x: np.roll(x, 1) - 2 * x + np.roll(x, -1),
        "histogram": lambda x: np.histogram(x, bins=[0, 0.7, 1.4, 2])[0] * x[:3],
        "unique": lambda x: np.unique(x) ** 2,
        "bincount": lambda x: np.bincount([0, 1, 1, 2, 0, 0], weights=x),
        "vectorize": lambda x: np.vectorize(lambda v: v**2)(x),
        "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
        "polyfit": lambda x: np.polyfit(np.arange(6), x, 2),
        "polyfit at x": lambda x: np.polyfit(np.cumsum(x + 3), np.arange(6.0), 2),
        "polyfit weighed by x": lambda x: np.polyfit(np.arange(6), x**2, 1, w=x**2 + 1),
        "polyfit with covariance": lambda x: np.polyfit(
            np.arange(6), x**3, 1, cov=True
        )[1],
        "histogram of densities": lambda x: np.histogram(
            np.arange(6.0), bins=[0.0, 2.5, 4.5, 9.0], weights=x + 3, density=True
        )[0],
        "vander": lambda x: np.vander(x, 3),
        "autocorrelation": lambda x: np.correlate(x, x, "full"),
    },
)
MATRICES = expressions(
    "along",
    GRID,
    {
        "diff axis": lambda x: np.diff(x, axis=0),
        "cumsum flat": lambda x: np.cumsum(x),
        "cumsum axis": lambda x: np.cumsum(x, axis=-1),
        "cumprod axis": lambda x: np.cumprod(x, axis=0),
        "sort last axis": lambda x: np.sort(x),
        "sort axis": lambda x: np.sort(x, axis=0),
        "sort flat": lambda x: np.sort(x, axis=None),
        "argmax axis": lambda x: np.argmax(x, axis=0) * x,
        "argmax flat": lambda x: np.argmax(x) * x[0],
        "gradient of 2-d": lambda x: np.gradient(x)[0] * np.gradient(x, axis=1),
        "five-point stencil": lambda x: x[1:-1, :-2] + x[:-2, 1:-1] - 4 * x[1:-1, 1:-1],
        "apply to rows": lambda x: np.apply_along_axis(np.prod, 1, x),
    },
)
IDIOMS = collected(globals())
