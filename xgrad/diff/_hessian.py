"""Hessians, from a scalar function alone or from its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, public, quiet
from xgrad._differences import (
    Method,
    Plan,
    Problem,
    Result,
    component_name,
    plan_for,
    prepare,
    require_scalar,
    second_differences,
    warn_unless_ok,
)
from xgrad._evaluation import (
    CheckpointPath,
    Execution,
    Progress,
    Vectorized,
    Workers,
    checkpoint_of,
    execution_for,
    open_evaluator,
)
from xgrad.diff._jacobian import dense_jacobian


@public
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
    checkpoint: CheckpointPath = None,
    full_output: bool = False,
) -> Any:
    """Return the numerical Hessian of a scalar function, exactly symmetric.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    x : array of real numbers
        Point at which to differentiate.
    grad : callable, optional
        Gradient of ``f``, in the shape of ``x``. Its Jacobian, made symmetric, is
        cheaper and far more accurate than second differences of ``f``.
    method : str
        With ``grad=`` as in `gradient`; without it "central", "ladder", or "auto",
        which takes the ladder where the bound of an entry is too large.
    accuracy : int, optional
        With ``grad=`` as in `gradient`; without it 2 (the default) or 4, which costs
        twice as much.
    step : float or array like ``x``, optional
        Absolute step; by default ``eps**(1/(accuracy + 2)) * max(abs(x), 1)``.
    bounds : pair, optional
        As in `gradient`, but only with ``grad=``: second differences of ``f`` need room
        on both sides.
    dtype, vectorized, max_bytes, workers, progress, checkpoint, full_output
        As in `gradient`.

    Returns
    -------
    array
        Shape ``(*x.shape, *x.shape)``; with ``full_output=True`` also an `Estimate`.

    Raises
    ------
    TypeError
        If ``x`` is nested, or a result is not an array of real numbers.
    ValueError
        If ``f`` does not return a scalar, or ``grad`` an array like ``x``, or if an
        option has a value that is not offered.

    Notes
    -----
    From ``f`` alone the cost is ``accuracy / 2 * n * (n + 1) + 1`` evaluations, and
    twice as many at accuracy 2 with ``full_output=True``; a ladder takes 13 ``n * (n +
    1)`` (11 in float32) and 31. Where the slopes of both sides differ, no second
    derivative exists: the status of the entry, and of the pairs that it is part of, is
    ``KINK``. Only the ladder sees where curvatures of both sides differ. Mixed
    differences move both entries of a pair the same way (Abramowitz and Stegun,
    25.3.27).

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    if isinstance(x, dict | list | tuple):
        raise TypeError("`hessian` needs one array as `x`, not a nesting of arrays")
    execution = execution_for(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    if grad is not None:
        plan = plan_for(
            method=method,
            accuracy=accuracy,
            step=step,
            dtype=dtype,
            bounds=bounds,
            full_output=full_output,
        )
        return _hessian_of_gradient(grad, x, plan, execution)
    plan = plan_for(
        method=method,
        accuracy=2 if accuracy is None and method != "ladder" else accuracy,
        order=2,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
        curvature=True,
    )
    function, arrays = prepare(f, x, plan, execution)
    saved = checkpoint_of(execution, function, ("x",), plan.description("hessian"))
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        require_scalar(base)
        result = problem.finish(
            arrays[0][1], second_differences(problem, base), (*x.shape, *x.shape)
        )
        if not full_output:
            warn_unless_ok("Hessian", [result], _name_of_pair)
            return result.value
        return result.value, problem.estimate(x, [result])


def _hessian_of_gradient(
    grad: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> Any:
    function, arrays = prepare(grad, x, plan, execution)
    xp = function.xp
    saved = checkpoint_of(
        execution, function, ("x",), plan.description("hessian of grad")
    )
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        if tuple(base.shape) != tuple(x.shape):
            raise ValueError(
                f"`grad` returned shape {tuple(base.shape)} for x of shape "
                f"{tuple(x.shape)}: a gradient is shaped like x"
            )
        result = dense_jacobian(problem, 0, base, arrays[0][1])
        count = math.prod(x.shape)

        def mirrored(values: Array) -> Array:
            square = xp.matrix_transpose(xp.reshape(values, (count, count)))
            return xp.reshape(square, (*x.shape, *x.shape))

        with quiet():
            value = (result.value + mirrored(result.value)) / 2
            worse = {
                name: xp.maximum(values, mirrored(values))
                for name, values in result.fields.items()
                if name != "value"
            }
        result = Result(value, **worse)
        if not plan.full_output:
            warn_unless_ok("Hessian", [result], _name_of_pair)
            return value
        return value, problem.estimate(x, [result])


def _name_of_pair(leaf: int, index: tuple[int, ...]) -> str:
    """Return the name of a component of a Hessian: of two entries of ``x``."""
    ndim = len(index) // 2
    pair = (component_name("x", entry) for entry in (index[:ndim], index[ndim:]))
    return " and ".join(pair)
