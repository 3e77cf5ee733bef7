"""One case of a rule of differentiation: a function, and points where it is smooth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[[Any, np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A function ``f(xp, x)`` that uses a rule, and a point ``x`` in float64.

    ``rule`` is its name in a table. ``is_portable`` tells that JAX has the function
    under the same name, and ``noise`` multiplies what float32 may differ by: it is the
    condition of the function.
    """

    rule: str
    label: str
    function: Function
    point: np.ndarray
    is_portable: bool = True
    noise: float = 1.0

    def __str__(self) -> str:
        return f"{self.rule}: {self.label}"


def cases(
    rule: str,
    functions: Mapping[str, tuple[Function, np.ndarray]],
    *,
    is_portable: bool = True,
    noise: float = 1.0,
) -> tuple[Case, ...]:
    """Return one case for each function."""
    return tuple(
        Case(rule, label, function, point, is_portable, noise)
        for label, (function, point) in functions.items()
    )


def numbers(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> np.ndarray:
    """Return numbers no two of which are close, for an order that steps do not change.

    They are evenly spaced, and none of them is 0.
    """
    count = int(np.prod(shape))
    place = (0.37 + 0.19 * seed) % 1  # of another seed, others are not equal to them
    evenly = low + (high - low) * (np.arange(count) + place) / max(count, 1)
    return np.random.default_rng(seed).permutation(evenly).reshape(shape)


def real_and_imaginary(z: Any) -> Any:
    """Return a real number of both parts of complex ones, which differ in weight."""
    return z.real + 2 * z.imag
