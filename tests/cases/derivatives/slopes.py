"""Slopes of first and second order on tapes, and what differences make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from cases.tape import pull_back, weights_of
from xgrad._autodiff import Tape, Taped
from xgrad._tracing import namespace_of

NUMPY = array_api_compat.array_namespace(np.empty(0))
# Of the first of three steps, each half of the one before: with a condition of some
# tens, the error of sixth order and that of rounding are both below 1e-9.
STEP = 2.0**-9


class Trace(NamedTuple):
    """What a function has left on a tape: its value, gradient, pulls and rules."""

    value: Any
    gradient: Any
    pulls: set[str]
    rules: list[Any]


def trace_of(f: Callable[[Any], Any], x: Any) -> Trace:
    """Record a function, and pull `weights_of` its value back."""
    tape = Tape(NUMPY, x)
    tape.rules = {}  # those of this function alone
    y = f(tape.leaf(x))
    if tape.refusal is not None:
        raise tape.refusal
    value = y.ensure_current().base if isinstance(y, Taped) else y
    pulls = {
        getattr(pull, "__name__", "") for edges in tape.edges for _, pull, _ in edges
    }
    gradient: Any = None
    if isinstance(y, Taped) and y.at >= 0:
        weights = weights_of(value).astype(value.dtype)
        gradient = pull_back(tape, y.at, weights)
    gradient = np.zeros_like(x) if gradient is None else gradient
    return Trace(value, gradient, pulls, list(tape.rules.values()))


def second_on_tape(f: Callable[[Any], Any], x: Any, direction: Any) -> Any:
    """Return the gradient of the slope along a direction: one tape within another."""
    outer = Tape(NUMPY, x)
    leaf = outer.leaf(x)
    inner = Tape(namespace_of(NUMPY), leaf, outer)
    y = f(inner.leaf(leaf))
    if not isinstance(y, Taped) or y.at < 0:
        return np.zeros_like(x)
    y.ensure_current()
    gradient = pull_back(inner, y.at, Taped(outer, weights_of(y)))
    if not isinstance(gradient, Taped) or gradient.ensure_current().at < 0:
        return np.zeros_like(x)
    second = pull_back(outer, gradient.at, direction)
    return np.zeros_like(x) if second is None else second


def gradient_by_differences(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Return the gradient of a weighted sum of f, by differences of sixth order."""
    weights = weights_of(f(x.copy()))
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        direction = np.zeros_like(x)
        direction[index] = 1.0
        if not np.isnan(x[index]):
            gradient[index] = slope_along(
                lambda point: np.sum(weights * f(point)), x, direction
            )
    return gradient


def slope_along(f: Callable[[Any], Any], x: Any, direction: Any) -> Any:
    """Return the derivative of f along a direction, by differences of sixth order."""

    def quotient(step: float) -> Any:
        above, below = x + step * direction, x - step * direction
        return (f(above) - f(below)) / (2 * step)

    first, second, third = (quotient(STEP / n) for n in (1, 2, 4))
    coarse, fine = (4 * second - first) / 3, (4 * third - second) / 3
    return (16 * fine - coarse) / 15
