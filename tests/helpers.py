"""What several test modules need."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from xgrad import losses, to_numpy
from xgrad._loss import DISTRIBUTION, REAL, UNIT_INTERVAL, ClassLoss, Loss

# Every loss of the library: a new one is tested unasked.
LOSSES = {
    name: value
    for name, value in vars(losses).items()
    if isinstance(value, Loss) and not name.startswith("_")
}


def assert_close(actual: Any, desired: Any, *, rtol: float, atol: float = 0.0) -> None:
    """Values within a tolerance that the caller derives; nan equals nan."""
    np.testing.assert_allclose(to_numpy(actual), desired, rtol=rtol, atol=atol)


def sample(
    loss: Loss, rng: np.random.Generator, shape: tuple[int, int] = (5, 4)
) -> tuple[np.ndarray, np.ndarray]:
    """A prediction and a target that the domains of the loss allow."""
    prediction = _sample(loss.prediction, rng, shape)
    target = _sample(loss.target, rng, shape)
    if isinstance(loss, ClassLoss):
        target = rng.integers(0, shape[1], shape[0])
    assert np.ptp(prediction) > 0, "the sample must vary"
    assert np.ptp(target) > 0, "the sample must vary"
    return prediction, target


def _sample(domain: Any, rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    if domain is UNIT_INTERVAL:
        return rng.uniform(0.05, 0.95, shape)
    if domain is DISTRIBUTION:
        return rng.dirichlet(np.full(shape[1], 3.0), shape[0])
    if domain is REAL:
        return rng.normal(size=shape)
    return rng.uniform(0.1, 2.0, shape)


def central(f: Any, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Gradient of a scalar function by the plainest loop: independent of xgrad."""
    slopes = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        slopes[i] = (f(up) - f(down)) / (up[i] - down[i])
    return slopes


def options_of(loss: Loss) -> list[str]:
    """Names of the options that a loss adds to those of every loss."""
    names = list(inspect.signature(loss).parameters)
    return names[5:]
