"""Derivatives of elementwise functions, and the lines that touch them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Unpack, overload

from numpy.typing import NDArray

from xgrad._array import (
    ArrayT,
    as_float,
    cast,
    common_namespace,
    from_host,
    quiet,
    real,
)
from xgrad._engine import Run
from xgrad._evaluate import runner
from xgrad._execution import Execution, Progress, Vectorized, Workers
from xgrad._gradient import gradient_of_scalar
from xgrad._options import ForDerivative
from xgrad._plan import Estimate, Plan, as_array, prepare
from xgrad._points import everything
from xgrad._readout import Whole
from xgrad._schemes import Parts
from xgrad._stencil import Method


@overload
def derivative(
    f: Callable[[Any], Any],
    x: float,
    /,
    *,
    full_output: Literal[True],
    **options: Unpack[ForDerivative],
) -> tuple[NDArray[Any], Estimate]: ...
@overload
def derivative(
    f: Callable[[Any], Any],
    x: float,
    /,
    *,
    full_output: Literal[False] = False,
    **options: Unpack[ForDerivative],
) -> NDArray[Any]: ...
@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    full_output: Literal[True],
    **options: Unpack[ForDerivative],
) -> tuple[ArrayT, Estimate]: ...
@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    full_output: Literal[False] = False,
    **options: Unpack[ForDerivative],
) -> ArrayT: ...
@overload
def derivative(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    full_output: bool,
    **options: Unpack[ForDerivative],
) -> Any: ...
def derivative(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    order: int = 1,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: bool = False,
) -> Any:
    """Numerical derivative of an elementwise function, at every entry at once.

    Parameters
    ----------
    f : callable
        Maps an array to an array of the same shape, entry by entry.
    x : array of real numbers, or a Python number
        Where to differentiate.
    order : int
        Which derivative, 1 to 4. Orders above 1 take "central", "forward" and
        "backward".
    method, accuracy, step, dtype, bounds, vectorized, max_bytes, workers, progress, \
full_output
        As in `gradient`; the default step is
        ``(A eps)**(1/(accuracy + order)) * max(abs(x), 1)``.

    Returns
    -------
    array
        Shape, dtype and device of ``x``; a 0-d NumPy array for a Python number. With
        ``full_output=True`` also an `Estimate`.

    Raises
    ------
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers.
    ValueError
        If the result of ``f`` is not shaped like ``x``, or an option is not offered.

    Notes
    -----
    Costs ``accuracy`` evaluations (two more for orders 3 and 4) and one at ``x``.
    Sources as in `gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> derivative(lambda x: 0.01 * x**2 + 0.1 * x, np.array([5.0, 10.0]))
    array([0.2, 0.3])
    >>> derivative(np.sin, 0.0, order=3)
    array(-1.)
    """
    x = as_array(x)
    plan = Plan(method, accuracy, order, step, dtype, bounds, full_output)
    execution = Execution(vectorized, max_bytes, workers, progress)
    function, given = prepare(f, x, plan, execution)
    if isinstance(x, dict | list | tuple):
        raise TypeError("`x` must be one array: `gradient` takes nested arrays")
    with runner(execution, function.leaves[0]) as run_by:
        run = Run(function, ("x",), plan, run_by)
        base = run.at_base()
        if tuple(base.shape) != tuple(x.shape):
            raise ValueError(
                f"`f` returned shape {tuple(base.shape)} for x of shape "
                f"{tuple(x.shape)}: `derivative` is elementwise; use `gradient` for a "
                "scalar function, `jacobian` for any other"
            )
        parts = run.finish(given[0][1], _elementwise(run, base), tuple(x.shape))
        return (parts.value, run.estimate(x, [parts])) if full_output else parts.value


def _elementwise(run: Run, base: Any) -> Parts:
    return run.parts(0, base, everything, functools.partial(Whole, base))


@dataclass(frozen=True, eq=False)
class Tangent:
    """The line (or plane) that touches a function: ``value + slope * (t - point)``.

    ``elementwise`` says whether each entry has a line of its own; otherwise the slope
    is a gradient and the products are summed.
    """

    point: Any
    value: Any
    slope: Any
    elementwise: bool

    def __call__(self, t: Any, /) -> Any:
        """Height at ``t``: an array whose last axes are those of ``x``, or a number.

        A number stands for an array that is that number everywhere.
        """
        xp = common_namespace(x=self.point)
        if isinstance(t, (int, float)):
            t = from_host(xp, real("t", t), like=self.point, dtype=self.slope.dtype)
            t = xp.broadcast_to(t, tuple(self.point.shape))
        elif t is None:
            raise TypeError("`t` must be an array or a number; got None")
        common_namespace(t=t, x=self.point)
        t = as_float(xp, "t", t)
        ndim = self.point.ndim
        if tuple(t.shape[t.ndim - ndim :]) != tuple(self.point.shape):
            raise ValueError(
                f"`t` has shape {tuple(t.shape)}, but its last axes must be those of "
                f"the point of contact, {tuple(self.point.shape)}"
            )
        with quiet():
            rise = self.slope * (t - self.point)
            if not self.elementwise and ndim:
                rise = xp.sum(rise, axis=tuple(range(t.ndim - ndim, t.ndim)))
            return self.value + rise


def tangent_line(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
) -> Tangent:
    """The line that touches ``f`` at ``x``, as a callable.

    Parameters
    ----------
    f : callable
        Elementwise, for a tangent at each entry of ``x``; or scalar, for the tangent
        plane.
    x : array of real numbers, or a Python number
        Points of contact.
    method, accuracy, step, dtype, bounds
        As in `gradient`.

    Returns
    -------
    Tangent
        ``tangent(t)`` is the height at ``t``, a number or an array whose last axes are
        those of ``x``; its fields are ``point``, ``value`` and ``slope``.

    Raises
    ------
    TypeError, ValueError
        As `derivative` and `gradient` do.

    Examples
    --------
    >>> tangent = tangent_line(lambda x: 0.01 * x**2 + 0.1 * x, 5.0)
    >>> tangent(0.0), tangent.slope
    (np.float64(-0.25), array(0.2))
    """
    x = as_array(x)
    plan = Plan(method, accuracy, 1, step, dtype, bounds)
    execution = Execution(False)
    function, given = prepare(f, x, plan, execution)
    if isinstance(x, dict | list | tuple):
        raise TypeError("`x` must be one array: a tangent has one point of contact")
    with runner(execution, function.leaves[0]) as run_by:
        run = Run(function, ("x",), plan, run_by)
        base = run.at_base()
        elementwise = tuple(base.shape) == tuple(x.shape)
        parts = (
            _elementwise(run, base) if elementwise else gradient_of_scalar(run, 0, base)
        )
        slope = run.finish(given[0][1], parts, tuple(x.shape)).value
    xp = function.xp
    point = cast(xp, function.leaves[0], slope.dtype)
    return Tangent(point, cast(xp, base, slope.dtype), slope, elementwise)
