"""Functions of xgrad and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from cases.idioms.base import FIVE, GRID, LABELS, C, P, S, W, collected, expressions
from xgrad import losses, metrics, special

ONE_HOT = np.eye(4)[LABELS]
XGRAD_OF_MATRICES = expressions(
    "xgrad",
    GRID,
    {
        "softmax_cross_entropy": lambda x: losses.softmax_cross_entropy(x, LABELS),
        "soft targets": lambda x: losses.softmax_cross_entropy(x, ONE_HOT / 2 + 0.125),
        "cross_entropy": lambda x: losses.cross_entropy(special.softmax(x), LABELS),
        "mean_squared_error": lambda x: losses.mean_squared_error(x @ W, P @ W),
        "half_squared_error": lambda x: losses.half_squared_error(x, P),
        "mean_absolute_error": lambda x: losses.mean_absolute_error(x, P),
        "root_mean_squared_error": lambda x: losses.root_mean_squared_error(x, P),
        "weight": lambda x: losses.mean_squared_error(x, P, weight=P**2),
        "reduction none": lambda x: losses.mean_squared_error(x, P, reduction="none"),
        "reduction sum": lambda x: losses.mean_squared_error(x, P, reduction="sum"),
        "target of x": lambda x: losses.mean_squared_error(x[0], x[1] ** 2),
        "logistic loss": lambda x: losses.sigmoid_binary_cross_entropy(x, ONE_HOT),
        "binary_cross_entropy": lambda x: losses.binary_cross_entropy(
            special.sigmoid(x), ONE_HOT
        ),
        "slope of a loss": lambda x: losses.softmax_cross_entropy.grad(x, LABELS),
        "value and slope": lambda x: np.sum(
            losses.half_squared_error.value_and_grad(x, P)[1] ** 2
        ),
        "softmax": special.softmax,
        "softmax axis": lambda x: special.softmax(x, axis=0),
        "log_softmax": special.log_softmax,
        "logsumexp of xgrad": lambda x: special.logsumexp(x, axis=0),
        "sigmoid": special.sigmoid,
        "one_hot": lambda x: np.sum(special.one_hot(LABELS, 4) * x, axis=1),
        "one_hot of argmax": lambda x: special.one_hot(np.argmax(x, axis=1), 4) * x,
        "accuracy": lambda x: np.sum(x) * metrics.accuracy(x, LABELS),
        "f1": lambda x: np.sum(x) + metrics.f1(np.argmax(x, 1), LABELS, num_classes=4),
        "to_numpy": lambda x: xgrad.to_numpy(x) ** 2,
    },
)


def scipy(module: str) -> Any:
    """A module of SciPy, where it is installed."""
    return pytest.importorskip(f"scipy.{module}")


SCIPY_OF_VECTORS = expressions(
    "SciPy",
    FIVE,
    {
        "expit": lambda x: scipy("special").expit(x),
        "xlogy": lambda x: scipy("special").xlogy(x, x),
        "gammaln": lambda x: scipy("special").gammaln(x),
        "erf": lambda x: scipy("special").erf(x - C),
        "jv": lambda x: scipy("special").jv(1, x),
        "scipy logsumexp": lambda x: scipy("special").logsumexp(x),
        "scipy softmax": lambda x: scipy("special").softmax(x),
        "log_softmax of scipy": lambda x: scipy("special").log_softmax(x),
        "norm.logpdf": lambda x: scipy("stats").norm.logpdf(x),
        "solve of scipy": lambda x: scipy("linalg").solve(S, x),
        "det of scipy": lambda x: scipy("linalg").det(np.outer(x, x) + np.diag(x)),
        "simpson": lambda x: scipy("integrate").simpson(x**2),
        "cubic spline": lambda x: scipy("interpolate").CubicSpline(range(5), x)(1.3),
        "gaussian_filter": lambda x: scipy("ndimage").gaussian_filter1d(x, 1.0),
        "sparse @ x": lambda x: scipy("sparse").csr_array(S) @ x,
        "pdist": lambda x: scipy("spatial.distance").pdist(x[:, None]),
    },
)
IDIOMS = collected(globals())
