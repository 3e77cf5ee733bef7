"""Functions of `scipy.spatial.distance` for stand-ins, written in those of NumPy.

At a distance of 0 the derivative is 0, as that of norms is.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def cdist(XA: Any, XB: Any, metric: str = "euclidean") -> Any:  # noqa: N803 (SciPy's)
    """Return the distances of all rows of one matrix from all rows of another."""
    return _length(XA[:, None, :] - XB[None, :, :], metric)


def pdist(X: Any, metric: str = "euclidean") -> Any:  # noqa: N803 (SciPy's)
    """Return the distances of all pairs of rows."""
    first, second = np.triu_indices(X.shape[0], 1)
    return _length(X[first] - X[second], metric)


def squareform(X: Any) -> Any:  # noqa: N803 (SciPy's)
    """Return a matrix of distances from those of all pairs, or the other way."""
    if X.ndim == 2:
        return X[np.triu_indices(X.shape[0], 1)]
    count = round((1 + (1 + 8 * X.shape[0]) ** 0.5) / 2)
    first, second = np.triu_indices(count, 1)
    result = np.zeros((count, count), like=X)
    result[first, second] = X
    result[second, first] = X
    return result


def _length(x: Any, metric: str) -> Any:
    """Return the lengths of vectors along the last axis."""
    if metric == "sqeuclidean":
        return np.sum(x**2, axis=-1)
    if metric not in ORDERS:
        raise ValueError(
            f"the metric {metric!r} has no substitute in NumPy's functions"
        )
    return np.linalg.norm(x, ORDERS[metric], axis=-1)


# The orders of the norms behind some metrics; others are left to SciPy.
ORDERS = {"euclidean": 2, "cityblock": 1, "chebyshev": np.inf}
