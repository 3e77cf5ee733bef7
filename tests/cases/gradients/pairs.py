"""A function with its slopes, and pairs made of pairs.

A pair ``(f, grad)`` of an elementwise function has its values and its slopes, until
`summed` or `averaged` makes a scalar of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Function = Callable[[Any, Any], Any]
Pair = tuple[Function, Function]
Kind = Literal["smooth", "kink"]


@dataclass(frozen=True, eq=False)
class Case:
    """A scalar function, its gradient and a point; of a kink, a subgradient there."""

    name: str
    f: Function
    grad: Function
    x: np.ndarray
    kind: Kind = "smooth"

    def __str__(self) -> str:
        return self.name


def like(xp: Any, x: Any, values: Any) -> Any:
    """Constants beside ``x``."""
    return xp.asarray(values, dtype=x.dtype, device=x.device)


def summed(pair: Pair) -> Pair:
    """Sum of elementwise values."""
    value, slope = pair
    return lambda xp, x: xp.sum(value(xp, x)), slope


def averaged(pair: Pair) -> Pair:
    """Mean of elementwise values."""
    value, slope = pair
    return (
        lambda xp, x: xp.mean(value(xp, x)),
        lambda xp, x: slope(xp, x) / math.prod(x.shape),
    )


def weighted(pair: Pair, w: np.ndarray) -> Pair:
    """Sum of elementwise values, each with its weight."""
    value, slope = pair
    return (
        lambda xp, x: xp.sum(like(xp, x, w) * value(xp, x)),
        lambda xp, x: like(xp, x, w) * slope(xp, x),
    )


def shifted(pair: Pair, t: np.ndarray) -> Pair:
    """The same of the differences from a target."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, x - like(xp, x, t)),
        lambda xp, x: grad(xp, x - like(xp, x, t)),
    )


def stretched(pair: Pair, s: Any) -> Pair:
    """The same in other units, one for all or one for each entry."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, x / like(xp, x, s)),
        lambda xp, x: grad(xp, x / like(xp, x, s)) / like(xp, x, s),
    )


def raised(pair: Pair, offset: float) -> Pair:
    """The same plus a constant."""
    f, grad = pair
    return lambda xp, x: f(xp, x) + offset, grad


def scaled(pair: Pair, factor: float) -> Pair:
    """The same times a constant."""
    f, grad = pair
    return lambda xp, x: factor * f(xp, x), lambda xp, x: factor * grad(xp, x)


def both(first: Pair, second: Pair) -> Pair:
    """Sum of two functions of the same array."""
    return (
        lambda xp, x: first[0](xp, x) + second[0](xp, x),
        lambda xp, x: first[1](xp, x) + second[1](xp, x),
    )


def linear(A: np.ndarray, pair: Pair) -> Pair:
    """The same of ``A @ x``, with ``x`` one or several columns of weights."""
    f, grad = pair
    return (
        lambda xp, x: f(xp, like(xp, x, A) @ x),
        lambda xp, x: like(xp, x, A.T) @ grad(xp, like(xp, x, A) @ x),
    )


def padded(xp: Any, v: Any, axis: int, before: int, after: int) -> Any:
    """Zeros before and after, along an axis."""
    shape = list(v.shape)

    def zeros(size: int) -> Any:
        shape[axis] = size
        return xp.zeros(tuple(shape), dtype=v.dtype, device=v.device)

    return xp.concat([zeros(before), v, zeros(after)], axis=axis)


def case(name: str, pair: Pair, x: Any, kind: Kind = "smooth") -> Case:
    """Name a pair, and the point where it is differentiated."""
    return Case(name, *pair, np.asarray(x, dtype=np.float64), kind)
