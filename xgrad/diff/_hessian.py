"""Hessians, from a scalar function alone or from its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    public,
    quiet,
    refuse_nesting,
    require_sparse,
    result_dtype,
)
from xgrad._differences import (
    ComponentName,
    Method,
    Plan,
    Problem,
    Result,
    coloring_for,
    component_name,
    is_auto,
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
    bind_function,
    checkpoint_of,
    execution_for,
    open_evaluator,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._calls import with_arguments
from xgrad.diff._exact import differences_instead
from xgrad.diff._exact_jacobian import exact_matrix, require_gradient
from xgrad.diff._forward import Derived, gradient_of
from xgrad.diff._jacobian import dense_jacobian, sparse_by_differences
from xgrad.diff._rounding import estimate_of, in_dtype


@public
def hessian(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    args: tuple[Any, ...] = (),
    grad: Callable[..., Any] | None = None,
    sparsity: Any = None,
    method: Method = "auto",
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
    """Return the Hessian of a scalar function, symmetric to the last bit.

    It is exact where the function allows that.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    x : array of real numbers
        Point at which to differentiate.
    args : tuple
        Further arguments of ``f`` and ``grad``, ``f(x, *args)``, which are not
        differentiated.
    grad : callable, optional
        Gradient of ``f``, in the shape of ``x``, of which the Jacobian is taken, and
        made symmetric. An exact Hessian needs none; it is far more accurate than second
        differences of ``f``.
    sparsity : "auto", array of booleans, sparse matrix or Coloring, optional
        As in `jacobian`, for a sparse result. Differences need ``grad=`` for it.
    method : str
        "auto" (exact where ``f`` allows that, else differences), "autodiff", "central"
        or "ladder"; with ``grad=`` as in `gradient`. The differences of "auto" are
        central, and those of the ladder where the bound of an entry is too large.
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
    array or sparse matrix
        Shape ``(*x.shape, *x.shape)``; with ``sparsity=`` a sparse matrix as of
        `jacobian`, ``(x entries, x entries)``. With ``full_output=True`` also an
        `Estimate`.

    Raises
    ------
    TypeError
        If ``x`` is nested, or a result is not an array of real numbers.
    ValueError
        If ``f`` does not return a scalar, or ``grad`` an array like ``x``, or if an
        option has a value that is not offered.
    NotDifferentiable
        Under method "autodiff", if an operation has no exact derivative.

    Notes
    -----
    An exact Hessian is the derivative of the exact gradient along all directions at
    once (forward over reverse mode: Griewank and Walther, Evaluating Derivatives, 2008,
    section 5.4). Each entry of the gradient is computed for the directions alone that
    it depends on, so that one of few entries a row takes a few gradients, whatever its
    size. It is proved as a gradient is.

    By differences of ``f`` alone the cost is ``accuracy / 2 * n * (n + 1) + 1``
    evaluations. With ``full_output=True`` or by "auto" it is twice as many at accuracy
    2, and 12 ``n`` more that look for corners. A ladder takes 13 ``n * (n + 1)`` (11 in
    float32) and 31. Where the slopes or the curvatures of both sides differ, no second
    derivative exists: the status of the entry, and of the pairs that it is part of, is
    ``KINK``, or ``UNRESOLVED`` where that is so beside ``x``. Mixed differences move
    both entries of a pair the same way (Abramowitz and Stegun, 25.3.27).

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    refuse_nesting(x, "`hessian`")
    f = with_arguments(f, args)
    grad = None if grad is None else with_arguments(grad, args, "grad")
    execution = execution_for(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    plan = plan_for(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
    )
    if plan.may_be_exact:
        try:
            return _exact_hessian(f, x, grad, sparsity, plan, execution)
        except Inexact as error:
            reason = error
        plan, execution = differences_instead(reason, plan, execution, x)
    if sparsity is not None:
        if grad is None:
            raise ValueError(SPARSE_WITHOUT_GRADIENT)
        if full_output:
            raise ValueError(SPARSE_ESTIMATE)
        matrix = sparse_by_differences(grad, x, sparsity, plan, execution)[0]
        return (matrix + matrix.T) / 2
    if grad is not None:
        return _hessian_of_gradient(grad, x, plan, execution)
    if isinstance(bounds, tuple | list) and all(side is None for side in bounds):
        bounds = None  # differences were asked for, in all of the space
    plan = plan.as_differences(x)
    plan = plan_for(
        method=plan.method,
        accuracy=2 if accuracy is None and plan.method != "ladder" else accuracy,
        order=2,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
        curvature=True,
    )
    return _hessian_by_differences(f, x, plan, execution)


SPARSE_WITHOUT_GRADIENT = (
    "a sparse Hessian by differences needs the gradient: give it as `grad=`, or leave "
    "`sparsity` out"
)

SPARSE_ESTIMATE = (
    "a sparse Hessian by differences has no estimate: leave `full_output` out, or take "
    "`jacobian` of the gradient"
)


def _exact_hessian(
    f: Callable[[Any], Any],
    x: Any,
    grad: Callable[[Any], Any] | None,
    sparsity: Any,
    plan: Plan,
    execution: Execution,
) -> Any:
    """Return the exact Hessian and, if planned, its estimate; or raise `Inexact`."""
    function, arrays = bind_function(
        f if grad is None else grad, x, plan.dtype, execution
    )
    xp = function.xp
    derived = gradient_of(function) if grad is None else Derived(function)
    if sparsity is not None:
        require_sparse(xp)
        if not is_auto(sparsity):
            sparsity = coloring_for(sparsity, x)
    matrix = exact_matrix(derived, 0, plan, execution, sparsity, symmetric=True)
    dtype = result_dtype(xp, arrays[0][1], plan.dtype)
    result = in_dtype(xp, matrix.result, dtype)
    value = result.value if sparsity is None else matrix.sparse_with(result.value)
    if plan.full_output:
        return value, estimate_of(x, [result], matrix.evaluations)
    if result.status is not None:
        name: ComponentName = _name_of_pair
        if sparsity is not None:
            rows, columns = matrix.pattern
            name = _name_of_stored(rows, columns, tuple(x.shape))
        warn_unless_ok("Hessian", [result], name)
    return value


def _hessian_by_differences(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> Any:
    """Return the Hessian by second differences and, if planned, its estimate."""
    function, arrays = prepare(f, x, plan, execution)
    saved = checkpoint_of(execution, function, ("x",), plan.description("hessian"))
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        require_scalar(base)
        result = problem.finish(
            arrays[0][1], second_differences(problem, base), (*x.shape, *x.shape)
        )
        if not plan.full_output:
            warn_unless_ok("Hessian", [result], _name_of_pair)
            return result.value
        return result.value, problem.estimate(x, [result])


def _hessian_of_gradient(
    grad: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> Any:
    """Return the Jacobian of a gradient by differences, made symmetric."""
    function, arrays = prepare(grad, x, plan, execution)
    xp = function.xp
    saved = checkpoint_of(
        execution, function, ("x",), plan.description("hessian of grad")
    )
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        require_gradient(base, x)
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


def _name_of_stored(rows: Any, columns: Any, shape: tuple[int, ...]) -> ComponentName:
    """Return the names of the stored entries of a sparse Hessian."""

    def name(leaf: int, index: tuple[int, ...]) -> str:
        first, second = (
            np.unravel_index(int(place[index]), shape) for place in (rows, columns)
        )
        return _name_of_pair(0, (*map(int, first), *map(int, second)))

    return name


def _name_of_pair(leaf: int, index: tuple[int, ...]) -> str:
    """Return the name of a component of a Hessian: of two entries of ``x``."""
    ndim = len(index) // 2
    pair = (component_name("x", entry) for entry in (index[:ndim], index[ndim:]))
    return " and ".join(pair)
