"""Derivatives of elementwise functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, as_array, public, refuse_nesting, result_dtype
from xgrad._differences import (
    EachOutput,
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
    Progress,
    Vectorized,
    Workers,
    bind_function,
    execution_for,
    open_evaluator,
    single_column,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._calls import with_arguments
from xgrad.diff._exact import differences_instead
from xgrad.diff._exact_directions import exact_derivative
from xgrad.diff._rounding import estimate_of


@public
def derivative(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    args: tuple[Any, ...] = (),
    order: int = 1,
    method: Method = "auto",
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
    """Return the derivative of an elementwise function, at every entry.

    It is exact where the function allows that.

    Parameters
    ----------
    f : callable
        Maps an array to an array of the same shape, entry by entry.
    x : array of real numbers, or a Python number
        Points at which to differentiate.
    args : tuple
        Further arguments of ``f``, ``f(x, *args)``, which are not differentiated.
    order : int
        Order of the derivative, 1 to 4. All methods but "complex" take orders above 1.
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
        If ``x`` or the result of ``f`` is not an array of real numbers.
    ValueError
        If the result of ``f`` has not the shape of ``x``, if one of its entries was
        found to depend on other entries of ``x``, or if an option has a value that is
        not offered.

    Notes
    -----
    An exact derivative takes one run of ``f`` with tangents (forward mode), and of an
    order above 1 such runs inside each other. Differences cost ``accuracy`` evaluations
    (two more for orders 3 and 4) and one at ``x``. With ``full_output``, central
    differences of orders above 1 are compared with those over six other steps, 12
    evaluations more, and of small components with those by steps in proportion to
    these. The status is ``KINK`` where a derivative of up to this order has different
    values on both sides, as the second one of ``x * abs(x)`` at 0. A ladder takes the
    same points for all orders.
    Sources as in `gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> derivative(lambda x: 0.01 * x**2 + 0.1 * x, np.array([5.0, 10.0]))
    array([0.2, 0.3])
    >>> derivative(np.sin, 0.0, order=3)
    np.float64(-1.0)
    """
    x, f = as_array(x), with_arguments(f, args)
    plan = plan_for(
        method=method,
        accuracy=accuracy,
        order=order,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
    )
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    refuse_nesting(x, "`derivative`")
    if plan.may_be_exact:
        try:
            _, result, evaluations = exact_slopes(f, x, plan, execution)
        except Inexact as error:
            reason = error
        else:
            if not full_output:
                warn_unless_ok("derivative", [result], entries_of(["x"]))
                return result.value
            return result.value, estimate_of(x, [result], evaluations)
        plan, execution = differences_instead(reason, plan, execution, x)
    plan = plan.as_differences(x)
    function, arrays = prepare(f, x, plan, execution)
    with open_evaluator(execution, function.leaves[0]) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        require_entries(base, x)
        result = problem.finish(
            arrays[0][1], differentiate_entries(problem, base), tuple(x.shape)
        )
        if not full_output:
            warn_unless_ok("derivative", [result], entries_of(["x"]))
            return result.value
        return result.value, problem.estimate(x, [result])


def exact_slopes(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> tuple[Array, Result, int]:
    """Return f(x), its exact derivative entry by entry, and the evaluations.

    Raise `Inexact` where differences have to be taken.
    """
    function, arrays = bind_function(f, x, plan.dtype, execution)
    dtype = result_dtype(function.xp, arrays[0][1], plan.dtype)
    require = functools.partial(require_entries, x=x)
    return exact_derivative(function, plan, dtype, require)


def require_entries(value: Array, x: Any) -> None:
    """Raise unless f(x) has the shape of x."""
    if tuple(value.shape) != tuple(x.shape):
        raise ValueError(
            f"`f` returned shape {tuple(value.shape)} for x of shape "
            f"{tuple(x.shape)}: `derivative` is elementwise; use `gradient` for a "
            "scalar function, `jacobian` for any other"
        )


def differentiate_entries(problem: Problem, base: Any) -> Result:
    """Differentiate an elementwise function at all entries of ``x`` at once."""
    return problem.differentiate(
        0, base, single_column, functools.partial(EachOutput, base)
    )
