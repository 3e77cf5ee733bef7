"""The ways to get a gradient wrong: `MUTANTS` makes a wrong one of a right one."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

Mutant = Callable[[np.ndarray, np.random.Generator, np.ndarray], np.ndarray | None]
MUTANTS: dict[str, Mutant] = {}


def contributions(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What each entry matters for: slope times size, of an entry 0 the slope alone."""
    return np.abs(gradient) * np.where(x == 0, 1.0, np.abs(x))


def mutant(name: str) -> Callable[[Mutant], Mutant]:
    """Add a mutant, which is None where nothing changes but by rounding."""

    def register(change: Mutant) -> Mutant:
        @functools.wraps(change)
        def mutated(gradient, rng, x):
            wrong = change(gradient, rng, x)
            if wrong is None:
                return None
            moved = np.max(contributions(wrong - gradient, x))
            return wrong if moved > 1e-6 * np.max(contributions(gradient, x)) else None

        MUTANTS[name] = mutated
        return mutated

    return register


def one_entry(gradient, rng, x, factor):
    """One of the entries that matter, times a factor."""
    sizes = contributions(gradient, x).reshape(-1)
    chosen = rng.choice(np.flatnonzero(sizes >= sizes.max() / 10))
    wrong = gradient.copy()
    wrong[np.unravel_index(chosen, gradient.shape)] *= factor
    return wrong


@mutant("x1.001")
def slightly_long(gradient, rng, x):
    return gradient * 1.001


@mutant("x1.01")
def long(gradient, rng, x):
    return gradient * 1.01


@mutant("sign")
def backwards(gradient, rng, x):
    return -gradient


@mutant("one entry off by 3 %")
def one_entry_long(gradient, rng, x):
    return one_entry(gradient, rng, x, 1.03)


@mutant("one entry zero")
def one_entry_lost(gradient, rng, x):
    return one_entry(gradient, rng, x, 0.0)


@mutant("transposed")
def transposed(gradient, rng, x):
    """Of a vector: in reversed order."""
    if gradient.ndim == 1:
        return gradient[::-1].copy()
    return gradient.T.reshape(gradient.shape)


@mutant("missing 1/N")
def sum_for_mean(gradient, rng, x):
    return gradient * gradient.shape[0] if gradient.ndim else None


@mutant("all zero")
def nothing(gradient, rng, x):
    return np.zeros_like(gradient)
