"""Polygons, distances and mixtures of Gaussians."""

from __future__ import annotations

import numpy as np

from cases.gradients.data import normal
from cases.gradients.norms import row_lengths
from cases.gradients.pairs import Case, Pair, case, like
from cases.gradients.rows import length, logsumexp, softmax


def area(xp, x):
    a, b = x[:, 0], x[:, 1]
    return xp.sum(a * xp.roll(b, -1) - xp.roll(a, -1) * b) / 2


def area_grad(xp, x):
    across = xp.roll(x, -1, axis=0) - xp.roll(x, 1, axis=0)
    return xp.stack([across[:, 1], -across[:, 0]], axis=1) / 2


def edges(xp, x):
    return xp.roll(x, -1, axis=0) - x


def perimeter_grad(xp, x):
    unit = edges(xp, x) / length(xp, edges(xp, x))
    return xp.roll(unit, 1, axis=0) - unit


def coulomb(xp, x):
    off = 1 - like(xp, x, np.eye(x.shape[0]))
    r = xp.sqrt(xp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1) + (1 - off))
    return xp.sum(off / r) / 2


def coulomb_grad(xp, x):
    d = x[:, None, :] - x[None, :, :]
    eye = like(xp, x, np.eye(x.shape[0]))
    r = xp.sqrt(xp.sum(d**2, axis=-1, keepdims=True) + eye[:, :, None])
    return -xp.sum(d / r**3, axis=1)


def distances(points: np.ndarray) -> Pair:
    """Sum of the distances to points; the subgradient at one of them leaves it out."""
    f, grad = row_lengths()
    return (
        lambda xp, x: f(xp, x - like(xp, x, points)),
        lambda xp, x: xp.sum(grad(xp, x - like(xp, x, points)), axis=0),
    )


def mixture(points: np.ndarray) -> Pair:
    """Likelihood of points under a mixture of Gaussians, by the means."""

    def gaps(xp, means):
        return like(xp, means, points)[:, None, :] - means[None, :, :]

    def logits(xp, means):
        return -xp.sum(gaps(xp, means) ** 2, axis=-1) / 2

    def grad(xp, means):
        share = softmax(xp, logits(xp, means))[:, :, None]
        return -xp.sum(share * gaps(xp, means), axis=0)

    return lambda xp, means: -logsumexp(xp, logits(xp, means)), grad


PLACES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [5.0, 4.0]])
POLYGON = [[0.0, 0.0], [2.0, -0.5], [3.0, 1.0], [2.5, 3.0], [0.5, 2.0]]

CASES: tuple[Case, ...] = (
    case("area of a polygon", (area, area_grad), POLYGON),
    case(
        "perimeter of a polygon",
        (lambda xp, x: xp.sum(length(xp, edges(xp, x))), perimeter_grad),
        POLYGON,
    ),
    case("repulsion of five points", (coulomb, coulomb_grad), 2 * normal(260, 5, 3)),
    case("distances to points", distances(PLACES), [1.0, 2.0]),
    case("distances at one of the points", distances(PLACES), [4.0, 0.0], "kink"),
    case("mixture by its means", mixture(normal(261, 20, 2)), normal(262, 3, 2)),
)
