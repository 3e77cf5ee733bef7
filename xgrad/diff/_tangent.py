"""Tangent lines and planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import (
    Array,
    as_array,
    as_float,
    cast,
    common_namespace,
    copied,
    from_host,
    public,
    python_float,
    quiet,
    refuse_nesting,
)
from xgrad._differences import (
    Method,
    Plan,
    Problem,
    Result,
    entries_of,
    plan_for,
    prepare,
    warn_unless_ok,
)
from xgrad._evaluation import (
    Execution,
    Function,
    bind_function,
    execution_for,
    open_evaluator,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._derivative import differentiate_entries, exact_slopes
from xgrad.diff._exact import (
    differences_instead,
    record_exactly,
)
from xgrad.diff._exact_gradient import exact_gradient
from xgrad.diff._forward import random_cotangent
from xgrad.diff._gradient import differentiate_scalar


@dataclass(frozen=True, eq=False)
class Tangent:
    """A line (or plane) that touches a function: ``value + slope * (t - point)``.

    ``elementwise`` says whether each entry has a line of its own; otherwise the slope
    is a gradient and the products are summed.
    """

    point: Any
    value: Any
    slope: Any
    elementwise: bool

    def __call__(self, t: Any, /) -> Any:
        """Return the height at ``t``, an array whose last axes are those of ``x``.

        A number stands for an array that holds this number everywhere.
        """
        xp = common_namespace(x=self.point)
        if isinstance(t, (int, float)):
            t = from_host(
                xp, python_float("t", t), like=self.point, dtype=self.slope.dtype
            )
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


@public
def tangent_line(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    method: Method = "auto",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
) -> Tangent:
    """Return the line that touches ``f`` at ``x``, as a callable.

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
    (np.float64(-0.25), np.float64(0.2))
    """
    x = as_array(x)
    plan = plan_for(
        method=method, accuracy=accuracy, step=step, dtype=dtype, bounds=bounds
    )
    execution = execution_for(vectorized=False)
    refuse_nesting(x, "`tangent_line`")
    if plan.may_be_exact:
        try:
            return _exact_tangent(f, x, plan, execution)
        except Inexact as error:
            reason = error
        plan, execution = differences_instead(reason, plan, execution, x)
    plan = plan.as_differences(x)
    function, arrays = prepare(f, x, plan, execution)
    with open_evaluator(execution, function.leaves[0]) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        elementwise = tuple(base.shape) == tuple(x.shape)
        result = (
            differentiate_entries(problem, base)
            if elementwise
            else differentiate_scalar(problem, 0, base)
        )
        result = problem.finish(arrays[0][1], result, tuple(x.shape))
    return _tangent(function, base, result, elementwise)


def _exact_tangent(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> Tangent:
    """Return the tangent with an exact slope; raise `Inexact` if there is none."""
    function, _ = bind_function(f, x, plan.dtype, execution)
    exact = record_exactly(function, random_cotangent)
    if tuple(exact.value.shape) == tuple(x.shape):
        value, result, _ = exact_slopes(f, x, plan, execution)
        return _tangent(function, value, result, True)
    value, slope, _ = exact_gradient(f, x, None, plan, execution)
    return _tangent(function, value, Result(slope), False)


def _tangent(
    function: Function, value: Array, result: Result, elementwise: bool
) -> Tangent:
    """Return the tangent of a slope, after a warning unless that is OK."""
    kind = "derivative" if elementwise else "gradient"
    details = f"`{kind}` with full_output=True returns all statuses"
    warn_unless_ok("slope", [result], entries_of(["x"]), details)
    xp, slope = function.xp, result.value
    # A copy, because the caller may change x before the last call of the tangent.
    point = cast(xp, copied(xp, function.leaves[0]), slope.dtype)
    return Tangent(point, cast(xp, value, slope.dtype), slope, elementwise)
