"""The error of a derivative with every step: what a picture of it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    as_array,
    common_namespace,
    float_info,
    from_host,
    integer,
    python_float,
    require_array,
    to_numpy,
)
from xgrad._differences import ACCURACIES, Method
from xgrad.diff import gradient

Function = Callable[[Any], Any]
# The most steps.
STEPS = 80


@dataclass(frozen=True)
class Sweep:
    """Errors of difference quotients by their steps, and of the one that is chosen.

    ``label`` says of which quotients and ``name`` of which entry. ``right`` is the
    derivative, known down to an error of ``known_to``. Errors are at least ``floor``,
    and ``nan`` where a quotient is not finite; ``reported`` is the bound that comes
    with the chosen ``step``.
    """

    name: str
    label: str
    steps: Sequence[float]
    errors: Sequence[float]
    step: float
    error: float
    reported: float
    right: float
    known_to: float
    floor: float


def sweep(
    f: Function,
    x: Any,
    index: int | None,
    method: Method,
    accuracy: int | None,
    exact: float | None,
) -> Sweep:
    """Differentiate by one entry of ``x``, as chosen and with every step.

    Methods that have no step of their own are shown beside "central".
    """
    x = as_array(x)
    if isinstance(x, dict | list | tuple):
        raise TypeError("`x` must be one array: pass for example `numpy.asarray(x)`")
    require_array("x", x)
    if index is None and x.ndim:
        index = _worst(f, x, method, accuracy)
    entry = _along_one(f, x, index)
    right, known_to = _reference(entry, exact)
    found, estimate = gradient(
        entry.f,
        entry.x,
        method=method,
        accuracy=accuracy,
        vectorized=False,
        full_output=True,
    )
    reported = float(to_numpy(estimate.error))
    # What differs by less than a quarter of a unit in the last place is drawn there.
    known = (size for size in (abs(right), known_to, reported) if 0 < size < math.inf)
    scale = next(known, 1.0)
    floor = scale * _sizes(entry.x)[1] / 4

    def error(slope: Any) -> float:
        size = abs(float(to_numpy(slope)) - right)
        return max(size, floor) if math.isfinite(size) else math.nan

    if method not in ACCURACIES:
        method, accuracy = "central", None
    order = ACCURACIES[method][1] if accuracy is None else accuracy
    steps = _steps(entry.x)
    return Sweep(
        entry.name,
        f"{method}, accuracy {order}",
        steps,
        [error(_with_step(entry, step, method, accuracy)) for step in steps],
        float(to_numpy(estimate.step)),
        error(found),
        max(reported, floor),
        right,
        known_to,
        floor,
    )


class _Entry(NamedTuple):
    """One entry of ``x`` as a 0-d array, and ``f`` as a function of it."""

    f: Function
    x: Any
    name: str


def _worst(f: Function, x: Any, method: Method, accuracy: int | None) -> int:
    """The entry whose derivative is known worst, of those that have one."""
    _, estimate = gradient(f, x, method=method, accuracy=accuracy, full_output=True)
    error = to_numpy(estimate.error).reshape(-1)
    if not error.size:
        raise ValueError("`x` has no entries: there is nothing to move")
    return int(np.argmax(np.where(np.isfinite(error), error, -1.0)))


def _along_one(f: Function, x: Any, index: int | None) -> _Entry:
    xp = common_namespace(x=x)
    count = math.prod(x.shape)
    index = integer("index", 0 if index is None else index, least=0)
    if index >= count:
        raise ValueError(f"`index` must be below {count}, the size of x; got {index}")
    if x.ndim == 0:
        return _Entry(f, x, "x")
    moves = np.arange(count).reshape(tuple(x.shape)) == index
    mask = from_host(xp, moves, like=x)

    def g(t: Any) -> Any:
        return f(xp.where(mask, t, x))

    where = ", ".join(str(int(i)) for i in np.unravel_index(index, tuple(x.shape)))
    return _Entry(g, xp.reshape(x, (-1,))[index], f"x[{where}]")


def _reference(entry: _Entry, exact: float | None) -> tuple[float, float]:
    """The right derivative, and down to which error it is known."""
    if exact is not None:
        if not math.isfinite(python_float("exact", exact)):
            raise ValueError(f"`exact` must be a finite number; got {exact!r}")
        return python_float("exact", exact), 0.0
    found, estimate = gradient(
        entry.f, entry.x, method="ladder", vectorized=False, full_output=True
    )
    value, error = float(to_numpy(found)), float(to_numpy(estimate.error))
    if not math.isfinite(value):
        raise ValueError(
            "the derivative is not finite there, so that errors cannot be told: give "
            "another `x`, or the right derivative as `exact=`"
        )
    return value, error


def _sizes(x: Any) -> tuple[float, float]:
    """Size of ``x``, and the precision of its dtype; integers become float64."""
    xp = common_namespace(x=x)
    dtype = x.dtype if xp.isdtype(x.dtype, "real floating") else xp.float64
    return abs(float(to_numpy(x))), float(float_info(xp, dtype).eps)


def _steps(x: Any) -> list[float]:
    """Powers of two from the rounding of ``x`` to its size or 1."""
    size, eps = _sizes(x)
    lowest = math.ceil(math.log2((size or 1.0) * eps)) + 1
    highest = math.floor(math.log2(max(size, 1.0)))
    apart = max(1, -(-(highest - lowest) // STEPS))
    return [2.0**k for k in range(lowest, highest + 1, apart)]


def _with_step(entry: _Entry, step: float, method: Method, accuracy: int | None) -> Any:
    return gradient(
        entry.f,
        entry.x,
        step=step,
        method=method,
        accuracy=accuracy,
        vectorized=False,
    )
