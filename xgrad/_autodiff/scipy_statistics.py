"""Compiled parts of `scipy.stats` for stand-ins, written in functions of NumPy.

D. W. Scott, Multivariate Density Estimation (2015), chapter 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._autodiff.exponentials import logsumexp


def kernel_density(self: Any, points: Any) -> Any:
    """Return the values of a `gaussian_kde` at places."""
    return np.exp(log_kernel_density(self, points))


def log_kernel_density(self: Any, x: Any) -> Any:
    """Return the logarithms of a `gaussian_kde` at places."""
    points, data = np.atleast_2d(x), self.dataset
    count = data.shape[0]
    if points.shape[0] != count and points.shape == (1, count):
        points = points.reshape(count, 1)
    factor = np.linalg.cholesky(self.covariance)
    apart = (points[:, :, None] - data[:, None, :]).reshape(count, -1)
    scaled = np.linalg.solve(factor, apart)
    energy = np.sum(scaled * scaled, axis=0).reshape(points.shape[1], -1) / 2
    size = np.sum(np.log(np.diag(factor))) + count / 2 * math.log(2 * math.pi)
    return logsumexp(np.log(self.weights) - energy, axis=1) - size


METHODS: dict[str, Any] = {
    "gaussian_kde.evaluate": kernel_density,
    "gaussian_kde.logpdf": log_kernel_density,
}
