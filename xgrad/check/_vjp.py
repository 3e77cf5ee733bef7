"""Checks of backward passes: functions of several arrays that return several."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xgrad._arrays import float_info, public, require_callable
from xgrad._differences import Problem
from xgrad._evaluation import (
    Progress,
    Workers,
    execution_for,
    open_evaluator,
)
from xgrad.check._analytic import refuse_without_values
from xgrad.check._arguments import Arguments
from xgrad.check._operation import Operation
from xgrad.check._options import CheckOptions, Full
from xgrad.check._procedure import run_check
from xgrad.check._report import GradientReport
from xgrad.check._slopes import PLAN, CheckedFunction


@public
def check_vjp(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Any,
    /,
    *,
    directions: int = 8,
    full: Full = "auto",
    rtol: float | None = None,
    seed: int = 0,
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
) -> GradientReport:
    """Check whether a function is the backward pass of another, and report.

    Parameters
    ----------
    f : callable
        ``f(*inputs)`` returns an array or a tuple of arrays, of real numbers.
    vjp : callable
        ``vjp(*inputs, *cotangents)`` gets one cotangent for each output, in its shape
        and dtype, and returns the products of cotangents and Jacobian: a gradient for
        each input (one array if there is one input). Gradients of integer inputs are
        ignored, and may be None or left out.
    inputs : array, or tuple or list of arrays
        Point at which to check. The inputs are passed on in their own dtype, one point
        at a time, so that kernels get the arrays they are written for.
    directions, full, rtol, seed, max_bytes, workers, progress
        As in `check_gradient`.

    Returns
    -------
    GradientReport
        True only if the backward pass is correct; as text it is a table.

    Raises
    ------
    TypeError
        If an output does not hold real floating numbers, so that it has no derivative,
        or an argument is not an array.
    ValueError
        If there are no floating inputs, or the number or shape of the gradients is
        wrong.

    Notes
    -----
    The entries of the cotangents are random numbers of either sign, of sizes between
    1/2 and 1, all of them different in small outputs. The check is that of
    `check_gradient`, for the sum of the products of cotangents and outputs, which is
    computed in float64 if the device has it.

    Examples
    --------
    >>> import numpy as np
    >>> def product(a, b):
    ...     return a @ b
    >>> def product_vjp(a, b, slope):
    ...     return slope @ b.T, a.T @ slope
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    >>> check_vjp(product, product_vjp, (a, b)).verdict
    'pass'
    """
    started = time.perf_counter()
    options = CheckOptions(directions, full, rtol, seed)
    # Kernels are written for arrays of certain shapes, without an axis of points.
    execution = execution_for(
        vectorized=False, max_bytes=max_bytes, workers=workers, progress=progress
    )
    require_callable("f", f)
    require_callable("vjp", vjp)
    refuse_without_values("inputs", inputs)
    op = Operation.evaluate(f, inputs, options.seed)
    with open_evaluator(execution, op.function.leaves[0], silent=True) as evaluator:
        problem = Problem(op.function, op.names, PLAN, evaluator)
        base = problem.take_value(op.value)
        gradients, analytic_eps = op.gradients(vjp)
        analytic = tuple(gradient[None, ...] for gradient in gradients)
        # The sum is wider than the outputs, and its own rounding is that of its dtype.
        rounding = float_info(problem.xp, base.dtype).eps
        checked = CheckedFunction(problem, base, analytic, op.eps, rounding, op.noise)
        arguments = Arguments(op.arrays, op.paths, "inputs")
        return run_check(checked, options, analytic_eps, arguments, started)
