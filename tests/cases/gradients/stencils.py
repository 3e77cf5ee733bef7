"""Differences, filters and chains of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.gradients.data import normal
from cases.gradients.pairs import Case, Pair, case, like, padded


def energy(axes: int) -> Pair:
    """Half the squares of differences of neighbours along each axis."""

    def steps(xp, x, axis):
        return xp.diff(x, axis=axis)

    def f(xp, x):
        return sum(xp.sum(steps(xp, x, a) ** 2) for a in range(axes)) / 2

    def grad(xp, x):
        slope = xp.zeros_like(x)
        for a in range(axes):
            d = steps(xp, x, a)
            slope = slope + padded(xp, d, a, 1, 0) - padded(xp, d, a, 0, 1)
        return slope

    return f, grad


def window(x: Any, corner: tuple[int, ...], size: tuple[int, ...]) -> Any:
    """A part of a picture."""
    return x[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))]


def filtered(k: np.ndarray, shape: tuple[int, ...]) -> Pair:
    """Sum of ``tanh`` of a picture filtered by a kernel, by the picture."""
    size = tuple(n - m + 1 for n, m in zip(shape, k.shape, strict=True))

    def z(xp, x):
        return sum(float(k[c]) * window(x, c, size) for c in np.ndindex(*k.shape))

    def grad(xp, x):
        back, slope = 1 - xp.tanh(z(xp, x)) ** 2, xp.zeros_like(x)
        for c in np.ndindex(*k.shape):
            part = float(k[c]) * back
            for a, (before, m) in enumerate(zip(c, k.shape, strict=True)):
                part = padded(xp, part, a, before, m - 1 - before)
            slope = slope + part
        return slope

    return lambda xp, x: xp.sum(xp.tanh(z(xp, x))), grad


def kernel(picture: np.ndarray, w: np.ndarray) -> Pair:
    """The same, read out by weights, by the kernel."""

    def z(xp, k):
        corners = np.ndindex(*k.shape)
        parts = (k[c] * like(xp, k, window(picture, c, w.shape)) for c in corners)
        return sum(parts)

    def grad(xp, k):
        back = like(xp, k, w) * (1 - xp.tanh(z(xp, k)) ** 2)
        corners = np.ndindex(*k.shape)
        parts = (like(xp, k, window(picture, c, w.shape)) * back for c in corners)
        return xp.reshape(xp.stack([xp.sum(part) for part in parts]), k.shape)

    return lambda xp, k: xp.sum(like(xp, k, w) * xp.tanh(z(xp, k))), grad


def variation(eps: float) -> Pair:
    """Total variation of a picture, smooth where it is flat."""

    def parts(xp, x):
        down, right = x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]
        return down, right, xp.sqrt(down**2 + right**2 + eps**2)

    def grad(xp, x):
        down, right, r = parts(xp, x)
        corner = padded(xp, padded(xp, -(down + right) / r, 0, 0, 1), 1, 0, 1)
        below = padded(xp, padded(xp, down / r, 0, 1, 0), 1, 0, 1)
        beside = padded(xp, padded(xp, right / r, 0, 0, 1), 1, 1, 0)
        return corner + below + beside

    return lambda xp, x: xp.sum(parts(xp, x)[2]), grad


def chain() -> Pair:
    """Sum of ``sin`` of products of neighbours."""

    def grad(xp, x):
        c = xp.cos(x[1:] * x[:-1])
        return padded(xp, c * x[1:], 0, 0, 1) + padded(xp, c * x[:-1], 0, 1, 0)

    return lambda xp, x: xp.sum(xp.sin(x[1:] * x[:-1])), grad


CASES: tuple[Case, ...] = (
    case("energy of 257 in a row", energy(1), normal(230, 257)),
    case("energy of (16, 16)", energy(2), normal(231, 16, 16)),
    case("energy of three dimensions", energy(3), normal(232, 3, 4, 5)),
    case(
        "energy of a plateau", energy(1), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 3.0, 0.0, 0.0]
    ),
    case("filtered signal of 256", filtered(normal(233, 5), (256,)), normal(234, 256)),
    case("filtered picture", filtered(normal(235, 3, 2), (6, 7)), normal(236, 6, 7)),
    case(
        "kernel of a signal", kernel(normal(237, 30), normal(238, 28)), normal(239, 3)
    ),
    case(
        "kernel of a picture",
        kernel(normal(240, 8, 9), normal(241, 6, 7)),
        normal(242, 3, 3),
    ),
    case("total variation", variation(0.1), normal(243, 8, 9)),
    case("total variation of a flat picture", variation(0.5), np.eye(5, 4)),
    case("chain of 100", chain(), normal(244, 100)),
)
