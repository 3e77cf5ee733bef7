"""An idiom, the constants that idioms share, and ways to write idioms down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace

POINT, FIVE, SIX = (), (5,), (6,)
GRID, SQUARE, CUBE = (3, 4), (3, 3), (2, 3, 2)


class Idiom(NamedTuple):
    """A function of an array of some shape; a portable one gets its namespace too."""

    theme: str
    name: str
    shape: tuple[int, ...]
    body: Callable[..., Any]
    portable: bool = False

    def __str__(self) -> str:
        family = "portable" if self.portable else "numpy"
        return f"{family}-{self.theme}-{self.name}"

    def function(self) -> Callable[[Any], Any]:
        """A new function of ``x``, of which nothing can be known from earlier calls."""
        if self.portable:
            return lambda x: self.body(array_namespace(x), x)
        return lambda x: self.body(x)


def point(shape: tuple[int, ...]) -> np.ndarray:
    """Where to differentiate: values in (0.2, 2) that differ, none close to a kink."""
    turns = 0.388 * np.arange(1, math.prod(shape) + 1) ** 2 + 0.1
    return (0.25 + 1.7 * (turns % 1)).reshape(shape)


rng = np.random.default_rng(20261124)
C, S = rng.normal(size=5), rng.normal(size=(5, 5))
P, W, Q = rng.normal(size=GRID), rng.normal(size=(4, 2)), rng.uniform(1, 2, FIVE)
MASK, GRID_MASK = C > 0, P > 0
LABELS = np.array([2, 0, 3])
STACK = rng.normal(size=(2, 4, 3))


def constant(xp: Any, x: Any, values: Any) -> Any:
    """A constant array beside ``x``."""
    return xp.asarray(values.tolist(), dtype=x.dtype, device=x.device)


def integers(xp: Any, x: Any, values: list[Any]) -> Any:
    """Constant indices beside ``x``."""
    return xp.asarray(values, dtype=xp.int64, device=x.device)


def expressions(
    theme: str,
    shape: tuple[int, ...],
    bodies: Mapping[str, Callable[..., Any]],
    *,
    portable: bool = False,
) -> tuple[Idiom, ...]:
    """Make idioms of one theme and shape of expressions and their names."""
    return tuple(
        Idiom(theme, name, shape, body, portable) for name, body in bodies.items()
    )


def written(
    theme: str, shape: tuple[int, ...], *, portable: bool = False
) -> Callable[[Callable[..., Any]], Idiom]:
    """Make an idiom of a function that takes more than an expression."""

    def named(body: Callable[..., Any]) -> Idiom:
        return Idiom(theme, body.__name__.replace("_", " "), shape, body, portable)

    return named


def collected(names: Mapping[str, Any]) -> tuple[Idiom, ...]:
    """Collect the idioms that a module defines, and its tuples of idioms, in order."""
    idioms: list[Idiom] = []
    for value in names.values():
        if isinstance(value, Idiom):
            idioms.append(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Idiom):
            idioms.extend(value)
    return tuple(idioms)
