"""The Hessian, from a function alone or from its gradient, and its products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, quiet
from xgrad._differences import (
    Method,
    Plan,
    Problem,
    Result,
    planned,
    prepare,
    require_scalar,
    second_differences,
)
from xgrad._evaluation import (
    Execution,
    Kept,
    Progress,
    Vectorized,
    Workers,
    checkpoint_of,
    runner,
)
from xgrad.diff._jacobian import dense


def hessian(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    grad: Callable[[Any], Any] | None = None,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    checkpoint: Kept = None,
    full_output: bool = False,
) -> Any:
    """Numerical Hessian of a scalar function, exactly symmetric.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    x : array of real numbers
        Where to differentiate.
    grad : callable, optional
        The gradient of ``f``, in the shape of ``x``. Its Jacobian, made symmetric, is
        cheaper and far more accurate than second differences of ``f``.
    method : str
        As in `gradient` with ``grad=``; "central" without.
    accuracy : int, optional
        Without ``grad=``: 2 (default) or 4, at twice the cost. With it as in
        `gradient`.
    step : float or array like ``x``, optional
        Absolute step; by default ``eps**(1/(accuracy + 2)) * max(abs(x), 1)``.
    bounds : pair, optional
        As in `gradient`, with ``grad=`` only: differences of ``f`` alone need room on
        both sides.
    dtype, vectorized, max_bytes, workers, progress, checkpoint, full_output
        As in `gradient`.

    Returns
    -------
    array
        Shape ``(*x.shape, *x.shape)``; with ``full_output=True`` also an `Estimate`.

    Raises
    ------
    TypeError
        If ``x`` is nested, or the results are no arrays of real numbers.
    ValueError
        If ``f`` does not return a scalar or ``grad`` an array like ``x``, or an option
        is not offered.

    Notes
    -----
    From ``f`` alone: ``accuracy / 2 * n * (n + 1) + 1`` evaluations (twice as many at
    accuracy 2 with ``full_output=True``), those of a pair moving both entries the same
    way (Abramowitz and Stegun, 25.3.27).

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    if isinstance(x, dict | list | tuple):
        raise TypeError("`hessian` needs one array as `x`, not a nesting of arrays")
    execution = Execution(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    if grad is not None:
        plan = planned(
            method=method,
            accuracy=accuracy,
            step=step,
            dtype=dtype,
            bounds=bounds,
            full_output=full_output,
        )
        return _of_gradient(grad, x, plan, execution)
    plan = planned(
        method=method,
        accuracy=2 if accuracy is None else accuracy,
        order=2,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
        curvature=True,
    )
    function, given = prepare(f, x, plan, execution)
    keeping = checkpoint_of(execution, function, ("x",), plan.description("hessian"))
    with runner(execution, function.leaves[0], kept=keeping) as run_by:
        run = Problem(function, ("x",), plan, run_by)
        base = run.at_base()
        require_scalar(base)
        parts = run.finish(
            given[0][1], second_differences(run, base), (*x.shape, *x.shape)
        )
        return (parts.value, run.estimate(x, [parts])) if full_output else parts.value


def _of_gradient(
    grad: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> Any:
    function, given = prepare(grad, x, plan, execution)
    xp = function.xp
    keeping = checkpoint_of(
        execution, function, ("x",), plan.description("hessian of grad")
    )
    with runner(execution, function.leaves[0], kept=keeping) as run_by:
        run = Problem(function, ("x",), plan, run_by)
        base = run.at_base()
        if tuple(base.shape) != tuple(x.shape):
            raise ValueError(
                f"`grad` returned shape {tuple(base.shape)} for x of shape "
                f"{tuple(x.shape)}: a gradient is shaped like x"
            )
        parts = dense(run, 0, base, given[0][1])
        count = math.prod(x.shape)

        def mirrored(part: Array) -> Array:
            square = xp.matrix_transpose(xp.reshape(part, (count, count)))
            return xp.reshape(square, (*x.shape, *x.shape))

        with quiet():
            value = (parts.value + mirrored(parts.value)) / 2
            if not plan.full_output:
                return value
            worse = {
                name: xp.maximum(vars(parts)[name], mirrored(vars(parts)[name]))
                for name in ("error", "step", "status")
            }
        return value, run.estimate(x, [Result(value, **worse)])
