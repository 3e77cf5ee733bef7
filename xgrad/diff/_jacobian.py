"""Jacobians, dense or sparse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    public,
    rebuild,
    refuse_nesting,
    require_sparse,
    result_dtype,
    sparse_matrix,
)
from xgrad._differences import (
    Coloring,
    ComponentName,
    EachOutput,
    Estimate,
    Method,
    Plan,
    Problem,
    Result,
    SparseJacobian,
    coloring_for,
    component_name,
    differentiate_directly,
    entries_of,
    fitting_coloring,
    is_auto,
    plan_for,
    prepare,
    warn_unless_ok,
)
from xgrad._evaluation import (
    CheckpointPath,
    Columns,
    Execution,
    Progress,
    Vectorized,
    Workers,
    bind_function,
    checkpoint_of,
    columns_of_colors,
    entry_columns,
    execution_for,
    open_evaluator,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._calls import with_arguments
from xgrad.diff._exact import differences_instead
from xgrad.diff._exact_jacobian import exact_matrix
from xgrad.diff._forward import Derived
from xgrad.diff._pattern import pattern_of
from xgrad.diff._rounding import estimate_of, in_dtype


@public
def jacobian(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    args: tuple[Any, ...] = (),
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
    """Return the Jacobian of a function of an array, or of nested arrays.

    It is exact where the function allows that, dense or sparse.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate.
    args : tuple
        Further arguments of ``f``, ``f(x, *args)``, which are not differentiated.
    sparsity : "auto", array of booleans, sparse matrix or Coloring, optional
        For a sparse result. "auto" finds which entries of the result depend on which
        entries of ``x`` as `sparsity_pattern` does. A pattern says so, both in C order:
        shape ``(result entries, x entries)``. Columns that share no row are evaluated
        together. A pattern with missing entries is an error where the derivative is
        exact, and gives wrong differences. `color_columns` prepares a pattern for many
        calls. Only NumPy (with scipy, the extra ``sparse``) and CuPy offer this.
    method, accuracy, step, dtype, bounds, vectorized, max_bytes, workers, progress, \
checkpoint, full_output
        As in `gradient`.

    Returns
    -------
    array, nesting like ``x``, or sparse matrix
        Shape ``(*f(x).shape, *x.shape)``. With ``sparsity=`` a ``scipy.sparse``
        ``csr_array`` or a ``cupyx`` ``csr_matrix``, ``(result entries, x entries)``.
        With ``full_output=True`` also an `Estimate`; of a sparse Jacobian its arrays
        are aligned with the ``data`` of the matrix.

    Raises
    ------
    NotDifferentiable
        Under method "autodiff", if an operation of ``f`` has no exact derivative.
    TypeError
        If ``x`` or the result of ``f`` is not an array of real numbers, or if its
        library has no sparse matrices.
    ValueError
        If ``sparsity`` has another shape, or an option has a value that is not offered.

    Notes
    -----
    An exact Jacobian takes one run of ``f`` with all directions at once (forward mode:
    Griewank and Walther, Evaluating Derivatives, 2008, section 3.1), in which each
    entry is computed for those directions alone that it depends on; or, where ``f(x)``
    has few entries and all depend on all, one way back for each of them. It is proved
    as a gradient is. Differences cost ``accuracy`` evaluations for each entry of ``x``,
    or each colour, and one at ``x``. Sources as in `gradient` and `color_columns`.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: np.stack([x[0] * x[1], x[0]]), np.array([3.0, 4.0]))
    array([[4., 3.],
           [1., 0.]])
    """
    f = with_arguments(f, args)
    plan = plan_for(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
    )
    execution = execution_for(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    if plan.may_be_exact:
        try:
            return _exact_jacobian(f, x, sparsity, plan, execution)
        except Inexact as error:
            reason = error
        plan, execution = differences_instead(reason, plan, execution, x)
    else:
        plan = plan.as_differences(x)
    if sparsity is not None:
        value, estimate = sparse_by_differences(f, x, sparsity, plan, execution)
        return (value, estimate) if full_output else value
    function, arrays = prepare(f, x, plan, execution)
    first, value = differentiate_directly(function, x, plan, execution, scalar=False)
    if value is not None:
        return value
    names = tuple(name for name, _ in arrays)
    saved = checkpoint_of(execution, function, names, plan.description("jacobian"))
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, names, plan, evaluate)
        base = problem.at_base() if first is None else problem.take_value(first)
        results = [
            dense_jacobian(problem, i, base, leaf) for i, (_, leaf) in enumerate(arrays)
        ]
        value = rebuild(x, [result.value for result in results])
        if full_output:
            return value, problem.estimate(x, results)
        warn_unless_ok("Jacobian", results, _names_of_entries(names, base.ndim))
        return value


def sparse_by_differences(
    f: Callable[[Any], Any], x: Any, sparsity: Any, plan: Plan, execution: Execution
) -> tuple[Any, Estimate | None]:
    """Return a sparse Jacobian by differences and, if planned, its estimate."""
    function, arrays = prepare(f, x, plan, execution)
    xp, array = function.xp, arrays[0][1]
    require_sparse(xp)
    refuse_nesting(x, "`sparsity`")
    if is_auto(sparsity):
        sparsity = pattern_of(function)
    saved = checkpoint_of(execution, function, ("x",), plan.description("jacobian"))
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, ("x",), plan, evaluate)
        base = problem.at_base()
        coloring = fitting_coloring(sparsity, x, base)
        result = _sparse_jacobian(problem, base, coloring, array)
        value = sparse_matrix(xp, result.value, *coloring.by_rows, coloring.shape)
        if plan.full_output:
            return value, problem.estimate(x, [result])
        name = _names_of_pattern(coloring.rows, coloring.columns, base, array)
        warn_unless_ok("Jacobian", [result], name)
        return value, None


def _exact_jacobian(
    f: Callable[[Any], Any], x: Any, sparsity: Any, plan: Plan, execution: Execution
) -> Any:
    """Return the exact Jacobian and, if planned, its estimate; or raise `Inexact`."""
    function, arrays = bind_function(f, x, plan.dtype, execution)
    xp, derived = function.xp, Derived(function)
    if sparsity is not None:
        require_sparse(xp)
        refuse_nesting(x, "`sparsity`")
        if not is_auto(sparsity):
            sparsity = coloring_for(sparsity, x)
    matrices = [
        exact_matrix(derived, leaf, plan, execution, sparsity)
        for leaf in range(len(arrays))
    ]
    results = [
        in_dtype(xp, matrix.result, result_dtype(xp, array, plan.dtype))
        for matrix, (_, array) in zip(matrices, arrays, strict=True)
    ]
    if sparsity is None:
        value = rebuild(x, [result.value for result in results])
    else:
        value = matrices[0].sparse_with(results[0].value)
    if plan.full_output:
        evaluations = sum(matrix.evaluations for matrix in matrices)
        return value, estimate_of(x, results, evaluations)
    if any(result.status is not None for result in results):
        base = matrices[0].value
        if sparsity is None:
            named = _names_of_entries([name for name, _ in arrays], base.ndim)
        else:
            named = _names_of_pattern(*matrices[0].pattern, base, x)
        warn_unless_ok("Jacobian", results, named)
    return value


def _names_of_entries(names: Sequence[str], ndim: int) -> ComponentName:
    """Return the names of the components of dense Jacobians, whose ``f`` has axes."""
    inputs = entries_of(names)
    return lambda leaf, index: (
        f"{component_name('f(x)', index[:ndim])} by {inputs(leaf, index[ndim:])}"
    )


def _names_of_pattern(rows: Any, columns: Any, base: Array, x: Array) -> ComponentName:
    """Return the names of the stored entries of a sparse Jacobian."""

    def name(leaf: int, index: tuple[int, ...]) -> str:
        output = np.unravel_index(int(rows[index]), tuple(base.shape))
        entry = np.unravel_index(int(columns[index]), tuple(x.shape))
        return f"{component_name('f(x)', output)} by {component_name('x', entry)}"

    return name


def dense_jacobian(problem: Problem, leaf: int, base: Array, array: Array) -> Result:
    """Differentiate by each entry of one leaf: ``(*f(x).shape, *leaf.shape)``.

    The result has the dtype that the leaf's ``array`` leads to, as it was passed.
    """
    result = problem.differentiate(
        leaf, base, entry_columns, functools.partial(EachOutput, base)
    )
    return problem.finish(array, result, (*base.shape, *array.shape))


def _sparse_jacobian(
    problem: Problem, base: Array, coloring: Coloring, array: Array
) -> Result:
    """Differentiate by each colour: one number for each entry of the pattern."""
    column_colors = coloring.colors_like(problem.xp, base)

    def columns(xp: Any, x: Array) -> Columns:
        return columns_of_colors(xp, x, column_colors, coloring.num_colors)

    result = problem.differentiate(
        0, base, columns, lambda eps, noise: SparseJacobian(base, eps, coloring, noise)
    )
    return problem.finish(array, result, (len(coloring.rows),))
