"""Errors of a derivative with every step, as `step_sweep` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    refuse_nesting,
    require_array,
    to_numpy,
    without_status_warnings,
)
from xgrad._differences import ACCURACIES, Method
from xgrad.diff import gradient
from xgrad.plot._values import Function

# Each costs a few evaluations. 80 powers of two reach over 24 decades; beyond that,
# every second or third power is used.
MOST_STEPS = 80


@dataclass(frozen=True)
class Sweep:
    """Errors of difference quotients with many steps, and of the chosen step.

    ``name`` is that of the entry that moves, and ``label`` describes the quotients.
    ``exact`` is the exact derivative, or one with the error bound ``exact_error``. The
    derivative with the chosen ``step`` has the true ``error`` and the reported
    ``error_bound``. Errors are at least ``floor``, which a logarithmic axis can show,
    and ``nan`` where a quotient is not finite.
    """

    name: str
    label: str
    steps: Sequence[float]
    errors: Sequence[float]
    step: float
    error: float
    error_bound: float
    exact: float
    exact_error: float
    floor: float


def sweep(
    f: Function,
    x: Any,
    index: int | None,
    method: Method,
    accuracy: int | None,
    exact: float | None,
) -> Sweep:
    """Differentiate along one entry of ``x``, with the chosen step and with all others.

    Methods without a single step are compared with the steps of "central".
    """
    entry = _choose_entry(f, x, index, method, accuracy)
    value, value_error = _exact_derivative(entry, exact)
    derivative, estimate = gradient(
        entry.f,
        entry.x,
        method=method,
        accuracy=accuracy,
        vectorized=False,
        full_output=True,
    )
    bound = float(to_numpy(estimate.error))
    floor = _floor(entry.x, abs(value), value_error, bound)

    def error(slope: Any) -> float:
        size = abs(float(to_numpy(slope)) - value)
        return max(size, floor) if math.isfinite(size) else math.nan

    steps = _steps(entry.x)
    if method not in ACCURACIES:
        method, accuracy = "central", None
    order = ACCURACIES[method][1] if accuracy is None else accuracy
    return Sweep(
        name=entry.name,
        label=f"{method}, accuracy {order}",
        steps=steps,
        errors=[error(_with_step(entry, step, method, accuracy)) for step in steps],
        step=float(to_numpy(estimate.step)),
        error=error(derivative),
        error_bound=max(bound, floor),
        exact=value,
        exact_error=value_error,
        floor=floor,
    )


class _Entry(NamedTuple):
    """One entry of ``x`` as a 0-d array, and ``f`` as a function of that entry."""

    f: Function
    x: Any
    name: str


def _choose_entry(
    f: Function, x: Any, index: int | None, method: Method, accuracy: int | None
) -> _Entry:
    """Return the entry at ``index``, by default the least accurate one."""
    x = as_array(x)
    refuse_nesting(x, "`step_sweep`")
    require_array("x", x)
    if index is None and x.ndim:
        index = _least_accurate(f, x, method, accuracy)
    return _single_entry(f, x, index)


def _least_accurate(f: Function, x: Any, method: Method, accuracy: int | None) -> int:
    """Return the number of the entry with the largest finite error bound."""
    _, estimate = gradient(f, x, method=method, accuracy=accuracy, full_output=True)
    error = to_numpy(estimate.error).reshape(-1)
    if not error.size:
        raise ValueError("`x` has no entries: there is nothing to move")
    return int(np.argmax(np.where(np.isfinite(error), error, -1.0)))


def _single_entry(f: Function, x: Any, index: int | None) -> _Entry:
    """Return one entry of ``x``, and ``f`` as a function of that entry."""
    xp = common_namespace(x=x)
    count = math.prod(x.shape)
    index = integer("index", 0 if index is None else index, least=0)
    if index >= count:
        raise ValueError(f"`index` must be below {count}, the size of x; got {index}")
    if x.ndim == 0:
        return _Entry(f, x, "x")
    # `where` instead of an assignment, which not all namespaces have.
    is_entry = np.arange(count).reshape(tuple(x.shape)) == index
    mask = from_host(xp, is_entry, like=x)

    def g(t: Any) -> Any:
        return f(xp.where(mask, t, x))

    indices = np.unravel_index(index, tuple(x.shape))
    name = f"x[{', '.join(str(int(i)) for i in indices)}]"
    return _Entry(g, xp.reshape(x, (-1,))[index], name)


def _exact_derivative(entry: _Entry, exact: float | None) -> tuple[float, float]:
    """Return the derivative and its error bound: those of the ladder if not given."""
    if exact is not None:
        if not math.isfinite(python_float("exact", exact)):
            raise ValueError(f"`exact` must be a finite number; got {exact!r}")
        return python_float("exact", exact), 0.0
    slope, estimate = gradient(
        entry.f, entry.x, method="ladder", vectorized=False, full_output=True
    )
    value, error = float(to_numpy(slope)), float(to_numpy(estimate.error))
    if not math.isfinite(value):
        raise ValueError(
            "the derivative is not finite at x, so that there are no errors to show: "
            "pass another `x`, or the exact derivative as `exact=`"
        )
    return value, error


def _floor(x: Any, *sizes: float) -> float:
    """Return the lowest error that is drawn: 1/4 eps of the first usable size, or of 1.

    Correctly rounded derivatives have an error of up to half a unit in the last place:
    smaller ones say nothing, and an error of 0 has no place on a logarithmic axis.
    """
    usable = (size for size in sizes if 0 < size < math.inf)
    _, eps = _size_and_eps(x)
    return next(usable, 1.0) * eps / 4


def _size_and_eps(x: Any) -> tuple[float, float]:
    """Return the size of ``x``, and the precision of its dtype (integers: float64)."""
    xp = common_namespace(x=x)
    dtype = x.dtype if xp.isdtype(x.dtype, "real floating") else xp.float64
    return abs(float(to_numpy(x))), float(float_info(xp, dtype).eps)


def _steps(x: Any) -> list[float]:
    """Return powers of two from the rounding of ``x`` to its size or 1."""
    size, eps = _size_and_eps(x)
    # At least two units in the last place of x, so that rounding changes the step by a
    # quarter at most.
    lowest = math.ceil(math.log2((size or 1.0) * eps)) + 1
    highest = math.floor(math.log2(max(size, 1.0)))
    # Rounded up, so that there are at most `MOST_STEPS`.
    spacing = max(1, -(-(highest - lowest) // MOST_STEPS))
    return [2.0**k for k in range(lowest, highest + 1, spacing)]


def _with_step(entry: _Entry, step: float, method: Method, accuracy: int | None) -> Any:
    with without_status_warnings():
        return gradient(
            entry.f,
            entry.x,
            step=step,
            method=method,
            accuracy=accuracy,
            vectorized=False,
        )
