"""A module of a user, whose functions others call: what a second attempt looks into."""

import math

import numpy as np
from numpy import zeros

SCALE = 2.0
CALLS = []


def table_of(x):
    """Fill an array in loops, as people do who come from other languages."""
    table = zeros((len(x), 2))
    for i in range(len(x)):
        table[i, 0] = math.sin(x[i])
        table[i, 1] = SCALE * x[i - 1]
    return table


def total(x):
    """Call a function of the same module by its name."""
    CALLS.append(len(x))
    return np.sum(table_of(x) ** 2)


def factorial_like(x, n):
    """Call itself."""
    return math.exp(x[0]) if n == 0 else np.sum([n * x[n], factorial_like(x, n - 1)])
