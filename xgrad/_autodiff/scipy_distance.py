"""Functions of `scipy.spatial.distance` for stand-ins, written in those of NumPy.

At a distance of 0 the derivative is 0, as that of norms is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.custom import custom_vjp


def cdist(XA: Any, XB: Any, metric: str = "euclidean", **options: Any) -> Any:  # noqa: N803 (SciPy's)
    """Return the distances of all rows of one matrix from all rows of another."""
    if metric in ("seuclidean", "mahalanobis") and not options:
        options = _scales(metric, np.concatenate([XA, XB]))
    if metric == "sqeuclidean" and not options:
        return _squares(XA, XB)
    return _distance(XA[:, None, :], XB[None, :, :], metric, **options)


def _squares_at_once(a: Any, b: Any) -> Any:
    import scipy.spatial.distance

    return scipy.spatial.distance.cdist(a, b, "sqeuclidean")


def _squares_back(a: Any, b: Any, slope: Any) -> Any:
    rows, columns = np.sum(slope, axis=1), np.sum(slope, axis=0)
    of_a = 2 * (rows[:, None] * a - slope @ b)
    return of_a, 2 * (columns[:, None] * b - slope.T @ a)


_squares = custom_vjp(_squares_at_once, _squares_back)


def pdist(X: Any, metric: str = "euclidean", **options: Any) -> Any:  # noqa: N803 (SciPy's)
    """Return the distances of all pairs of rows."""
    if metric in ("seuclidean", "mahalanobis") and not options:
        options = _scales(metric, X)
    first, second = np.triu_indices(X.shape[0], 1)
    return _distance(X[first], X[second], metric, **options)


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


def _scales(metric: str, rows: Any) -> dict[str, Any]:
    """Return the variances of columns, or the inverse of their covariances."""
    if metric == "seuclidean":
        return {"V": np.var(rows, axis=0, ddof=1)}
    return {"VI": np.linalg.inv(np.cov(rows.T)).T}


def _distance(
    u: Any,
    v: Any,
    metric: str,
    p: float = 2,
    V: Any = None,  # noqa: N803 (SciPy's)
    VI: Any = None,  # noqa: N803 (SciPy's)
) -> Any:
    """Return the distances of vectors along the last axis."""
    if metric in ORDERS:
        return np.linalg.norm(u - v, ORDERS[metric], axis=-1)
    if metric == "sqeuclidean":
        return np.sum((u - v) ** 2, axis=-1)
    if metric == "minkowski":
        return np.linalg.norm(u - v, p, axis=-1)
    if metric == "seuclidean":
        return np.linalg.norm((u - v) / np.sqrt(V), 2, axis=-1)
    if metric == "mahalanobis":
        return np.sqrt(np.sum(((u - v) @ VI) * (u - v), axis=-1))
    if metric in FORMULAS:
        return FORMULAS[metric](u, v)
    raise ValueError(f"the metric {metric!r} has no substitute in NumPy's functions")


def _cosine(u: Any, v: Any) -> Any:
    """Return how far the cosine of an angle is from 1."""
    lengths = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)
    return 1 - np.sum(u * v, axis=-1) / lengths


def _correlation(u: Any, v: Any) -> Any:
    means = np.mean(u, axis=-1, keepdims=True), np.mean(v, axis=-1, keepdims=True)
    return _cosine(u - means[0], v - means[1])


def _canberra(u: Any, v: Any) -> Any:
    sizes = np.abs(u) + np.abs(v)
    return np.sum(np.abs(u - v) / np.where(sizes == 0, 1, sizes), axis=-1)


def _dissimilarity(u: Any, v: Any) -> Any:
    """Return the dissimilarity of Bray and Curtis."""
    return np.sum(np.abs(u - v), axis=-1) / np.sum(np.abs(u + v), axis=-1)


def _divergence(u: Any, v: Any) -> Any:
    """Return the square root of the divergence of Jensen and Shannon."""
    u = u / np.sum(u, axis=-1, keepdims=True)
    v = v / np.sum(v, axis=-1, keepdims=True)
    mean = (u + v) / 2
    total = sum(np.sum(w * np.log(w / mean), axis=-1) for w in (u, v))
    return np.sqrt(total / 2)


# The orders of the norms behind some metrics.
ORDERS = {"euclidean": 2, "cityblock": 1, "chebyshev": np.inf}
# The formulas of others, as the documentation of SciPy has them.
FORMULAS = {
    "cosine": _cosine,
    "correlation": _correlation,
    "canberra": _canberra,
    "braycurtis": _dissimilarity,
    "jensenshannon": _divergence,
}
