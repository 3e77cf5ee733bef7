"""Slopes of weighted sums of a function's results, by the tape and by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from xgrad._autodiff import Cotangents, Tape, Taped

# Halved from the first on: the differences of three steps make one of sixth order.
STEP = 2.0**-9


class Slope(NamedTuple):
    """A value, and the gradient of its sum with `weights_of` it."""

    value: Any
    gradient: Any


def weights_of(value: Any) -> np.ndarray:
    """Weights of the entries of a value, which differ and have both signs."""
    shape = np.shape(value)
    return np.random.default_rng(1).normal(size=shape).astype(np.float64)


def pull_back(tape: Tape, at: int, cotangent: Any) -> Any:
    """Return the cotangent of the leaf of a tape from that of a result; or None."""
    cotangents = Cotangents(tape, at, cotangent)
    cotangents.propagate()
    return cotangents.arrays[0]


def slope_on_tape(f: Callable[[Any], Any], x: Any) -> Slope:
    """Return the value and the gradient that the tape finds; raise what it refuses."""
    tape = Tape(array_api_compat.array_namespace(x), x)
    leaf = tape.leaf(x)
    try:
        y = f(leaf)
    except Exception as error:
        # NumPy makes some refusals errors of its own.
        raise (tape.refusal or error) from None
    if tape.refusal is not None:
        raise tape.refusal
    if not isinstance(y, Taped):
        return Slope(y, np.zeros_like(x))
    value = y.ensure_current().base
    if y.at < 0:
        return Slope(value, np.zeros_like(x))
    weights = weights_of(value).astype(value.dtype)
    gradient = pull_back(tape, y.at, weights)
    return Slope(value, np.zeros_like(x) if gradient is None else gradient)


def slope_of_slope_on_tape(f: Callable[[Any], Any], x: Any) -> Slope:
    """Return the gradient, and that of its weighted sum, by a tape within a tape."""
    outer = Tape(array_api_compat.array_namespace(x), x)
    argument = outer.leaf(x)
    inner = Tape(argument.__array_namespace__(), argument, outer)
    y = f(inner.leaf(argument))
    if not isinstance(y, Taped) or y.at < 0:
        return Slope(np.zeros_like(x), np.zeros_like(x))
    weights = weights_of(y.ensure_current().base).astype(y.dtype)
    slope = pull_back(inner, y.at, weights)
    if not isinstance(slope, Taped):
        constant = np.zeros_like(x) if slope is None else slope
        return Slope(constant, np.zeros_like(x))
    total: Any = np.sum(slope * weights_of(x))
    if total.at < 0:
        return Slope(slope.ensure_current().base, np.zeros_like(x))
    second = pull_back(outer, total.at, np.ones(()))
    return Slope(
        slope.ensure_current().base, np.zeros_like(x) if second is None else second
    )


def slope_by_differences(
    f: Callable[[Any], Any], x: np.ndarray, step: float = STEP
) -> Slope:
    """Return the value and the gradient by differences of the plain function."""
    value = np.asarray(f(x.copy()))
    weights = weights_of(value)

    def total(point: np.ndarray) -> float:
        return float(np.sum(weights * np.asarray(f(point), dtype=float)))

    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):

        def quotient(h: float, index: Any = index) -> float:
            above, below = x.copy(), x.copy()
            above[index] += h
            below[index] -= h
            return (total(above) - total(below)) / (2 * h)

        first, second, third = (quotient(step / n) for n in (1, 2, 4))
        coarse, fine = (4 * second - first) / 3, (4 * third - second) / 3
        gradient[index] = (16 * fine - coarse) / 15
    return Slope(value, gradient)
