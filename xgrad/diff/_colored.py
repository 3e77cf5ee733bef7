"""Sparse Jacobians of a given pattern: directions of one colour are taken together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, from_host, to_numpy
from xgrad._batched import all_differences, directions
from xgrad._differences import Coloring, fitting_coloring
from xgrad.diff._runs import Runs


def colored_jacobian(runs: Runs, coloring: Coloring) -> Array:
    """Return the slopes at the entries of a pattern, one number for each.

    Directions of one colour are taken together, and a random one beside them, which
    tells whether the pattern lacks an entry.
    """
    xp, x = runs.xp, runs.x
    colors = from_host(xp, coloring.colors, like=x)
    numbers = xp.arange(coloring.num_colors, device=device_of(x))[:, None]
    seeds = xp.astype(colors[None, :] == numbers, x.dtype)
    random = np.random.default_rng(0).uniform(0.5, 1.0, len(coloring.colors))
    probe = from_host(xp, random, like=x, dtype=x.dtype)
    seeds = xp.concat([seeds, probe[None, :]], axis=0)
    seeds = xp.reshape(seeds, (coloring.num_colors + 1, *x.shape))
    rows = from_host(xp, coloring.rows, like=x)
    columns = from_host(xp, coloring.columns, like=x)
    tangent = runs.push(directions(xp, seeds))
    fitting_coloring(coloring, x, runs.value)
    if tangent is None:
        return xp.zeros(len(coloring.rows), dtype=runs.value.dtype, device=device_of(x))
    slopes = all_differences(tangent.tracer, tangent, runs.value.dtype)
    slopes = xp.reshape(slopes, (coloring.num_colors + 1, -1))
    data = slopes[colors[columns], rows]
    on_host = (to_numpy(a) for a in (probe, data, slopes[-1, :]))
    _require_entries(coloring, *on_host)
    return data


def _require_entries(coloring: Coloring, probe: Any, data: Any, product: Any) -> None:
    """Raise if a pattern lacks entries, by the product with a random direction."""
    terms = np.asarray(data, np.float64) * probe[coloring.columns]
    sums, sizes = (
        np.bincount(coloring.rows, weights=t, minlength=coloring.shape[0])
        for t in (terms, np.abs(terms))
    )
    with np.errstate(invalid="ignore"):
        eps = np.finfo(data.dtype).eps
        # Rounding is below, also that of a sum of which nothing is left.
        largest = np.max(np.abs(product), initial=0, where=np.isfinite(product))
        allowed = math.sqrt(eps) * sizes + 64 * eps * largest
        lacks = np.isfinite(sums) & ~(np.abs(sums - product) <= allowed)
    if lacks.any():
        raise ValueError(
            f"row {np.argmax(lacks)} depends on entries of `x` that `sparsity` leaves "
            "out, so that others are wrong: give sparsity='auto', or the pattern that "
            "`sparsity_pattern` returns"
        )
