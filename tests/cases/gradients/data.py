"""Random numbers for the cases, seeded and seen to vary, and data that several use."""

from __future__ import annotations

import numpy as np


def varied(values: np.ndarray) -> np.ndarray:
    """Random values, seen to vary."""
    assert values.size == 1 or np.ptp(values) > 0, "random data must vary"
    return values


def normal(seed: int, *shape: int) -> np.ndarray:
    """Standard normal numbers."""
    return varied(np.random.default_rng(seed).normal(size=shape))


def uniform(seed: int, low: float, high: float, *shape: int) -> np.ndarray:
    """Numbers of an interval."""
    return varied(np.random.default_rng(seed).uniform(low, high, shape))


def bits(seed: int, *shape: int) -> np.ndarray:
    """Zeros and ones."""
    return varied(np.random.default_rng(seed).integers(0, 2, shape)).astype(float)


def signs(seed: int, *shape: int) -> np.ndarray:
    """Ones and minus ones."""
    return 2 * bits(seed, *shape) - 1


def one_hot(seed: int, rows: int, classes: int) -> np.ndarray:
    """Rows of one-hot targets."""
    labels = np.random.default_rng(seed).integers(0, classes, rows)
    return np.eye(classes)[varied(labels)]


def soft(seed: int, rows: int, classes: int) -> np.ndarray:
    """Rows of probabilities."""
    return varied(np.random.default_rng(seed).dirichlet(np.ones(classes), rows))


def away(x: np.ndarray, gap: float = 0.2) -> np.ndarray:
    """The same, further away from 0."""
    return x + gap * np.sign(x)


HALF_ZERO = normal(30, 10) * (np.arange(10) % 2)
T10, T34 = normal(40, 10), normal(41, 3, 4)
T01, T11 = bits(42, 100), signs(43, 10)
TIE = np.array([1.0, -1.0, 1.0, -1.0])
E10 = normal(44, 10)
