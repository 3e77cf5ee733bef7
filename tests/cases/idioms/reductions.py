"""Reductions, by axis and option."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import CUBE, GRID, GRID_MASK, P, collected, expressions

MATRICES = expressions(
    "reductions",
    GRID,
    {
        "sum": np.sum,
        "sum axis 0": lambda x: np.sum(x**2, axis=0),
        "sum axis -1": lambda x: np.sum(x**2, axis=-1),
        "sum axis -2": lambda x: np.sum(x**2, axis=-2),
        "sum both axes": lambda x: np.sum(x**2, axis=(0, 1)),
        "sum no axes": lambda x: np.sum(x**2, axis=()),
        "sum, positional": lambda x: np.sum(x, 1),
        "sum method": lambda x: x.sum(0),
        "sum keepdims": lambda x: x / np.sum(x, axis=1, keepdims=True),
        "sum keepdims, all": lambda x: x / np.sum(x, keepdims=True),
        "sum dtype": lambda x: np.sum(x, axis=0, dtype=np.float64),
        "sum initial": lambda x: np.sum(x, axis=0, initial=3.0) ** 2,
        "sum where": lambda x: np.sum(x**2, where=GRID_MASK),
        "sum where, by axis": lambda x: np.sum(x, axis=1, where=GRID_MASK),
        "sum where x": lambda x: np.sum(x**2, axis=1, where=x > 1),
        "prod": np.prod,
        "prod axis": lambda x: x.prod(axis=1),
        "mean": np.mean,
        "mean axis": lambda x: x.mean(axis=0) ** 2,
        "mean where": lambda x: np.mean(x, axis=0, where=P < 1),
        "var": np.var,
        "var ddof": lambda x: np.var(x, axis=1, ddof=1),
        "std ddof keepdims": lambda x: x / np.std(x, axis=0, ddof=1, keepdims=True),
        "std correction": lambda x: np.std(x, axis=1, correction=1),
        "std mean": lambda x: np.std(x, axis=0, mean=np.mean(x, 0, keepdims=True)),
        "var method": lambda x: x.var(0, ddof=2),
        "max": np.max,
        "max axis": lambda x: np.max(x, axis=0),
        "amin keepdims": lambda x: x - np.amin(x, axis=1, keepdims=True),
        "max initial": lambda x: np.max(x, axis=1, initial=1.5),
        "max where": lambda x: np.max(x, axis=1, where=GRID_MASK, initial=0.0),
        "ptp": lambda x: np.ptp(x, axis=0),
        "average": lambda x: np.average(x, axis=1, weights=[1, 2, 3, 4]),
        "average by x": lambda x: np.average(P, axis=1, weights=x),
        "nansum": lambda x: np.nansum(np.where(GRID_MASK, x, np.nan), axis=0),
        "nanmean": lambda x: np.nanmean(np.where(P < 1, x, np.nan), axis=0),
        "nanmax": lambda x: np.nanmax(x, axis=1),
        "nanargmax": lambda x: np.nanargmax(np.where(x > 1.5, np.nan, x)) * x,
        "nanargmin": lambda x: x[0, np.nanargmin(np.where(x < 1, np.nan, x), 1)] ** 2,
        "count_nonzero": lambda x: np.count_nonzero(x > 1, axis=1) * x[:, 0],
        "any and all": lambda x: np.any(x > 1.5, 0) * x + np.all(x > 0.4, 0) * x**2,
        "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
        "add.reduce keepdims": lambda x: np.add.reduce(x**2, axis=0, keepdims=True),
        "logsumexp": lambda x: np.log(np.sum(np.exp(x - x.max(1, keepdims=True)), 1)),
        "median": lambda x: np.median(x),
        "median axis": lambda x: np.median(x, axis=1, keepdims=True),
        "percentile": lambda x: np.percentile(x, [25, 60], axis=0),
        "quantile": lambda x: np.quantile(x, 0.3, axis=1, method="linear"),
        "cov": np.cov,
        "corrcoef": np.corrcoef,
    },
)
CUBES = expressions(
    "reductions",
    CUBE,
    {
        "sum of two axes": lambda x: np.sum(x**2, axis=(0, 2)),
        "mean of two axes": lambda x: np.mean(x**2, axis=(-1, 1), keepdims=True),
        "max of two axes": lambda x: np.max(x, axis=(0, 1)),
        "norm of two axes": lambda x: np.linalg.norm(x, axis=(0, 2)),
    },
)
IDIOMS = collected(globals())
