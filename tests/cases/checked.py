"""Functions with their gradients, of which every entry matters to a check."""

import numpy as np

LARGE = 1000  # more entries than a check measures one by one


def cubes(xp):
    return lambda x: xp.sum(x**3), lambda x: 3 * x**2


def far_from_zero(rng, shape):
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape)


def smooth(n, rng):
    """A function whose entries all matter, a point, and the gradient there."""
    c = rng.uniform(1, 2, n)
    x = far_from_zero(rng, n)
    return lambda x: np.sum(c * np.sin(x)), c * np.cos(x), x
