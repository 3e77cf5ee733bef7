"""The Jacobian, whole or sparse, and its products with vectors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from xgrad._arrays import Array, rebuild, require_sparse, sparse_matrix
from xgrad._differences import (
    Coloring,
    EachOutput,
    Method,
    Problem,
    Result,
    SparseJacobian,
    fitting_coloring,
    planned,
    prepare,
)
from xgrad._evaluation import (
    Execution,
    Kept,
    Points,
    Progress,
    Vectorized,
    Workers,
    checkpoint_of,
    colors,
    entries,
    runner,
)


def jacobian(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    sparsity: Any = None,
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
    """Numerical Jacobian: the derivative of each entry of the result by each of ``x``.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate.
    sparsity : array of booleans, sparse matrix or Coloring, optional
        Which entries of the result depend on which of ``x``, both in C order: shape
        ``(result entries, x entries)``. Columns that share no row are evaluated
        together, each with its own step, and the result is sparse. A pattern that is
        too small gives wrong results. `color_columns` prepares one for many calls.
        NumPy (with scipy, the extra ``sparse``) and CuPy only.
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
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers, or sparse matrices
        are not to be had for its library.
    ValueError
        If ``sparsity`` has another shape, or an option is not offered.

    Notes
    -----
    Costs ``accuracy`` evaluations an entry of ``x``, or a colour, and one at ``x``.
    Sources as in `gradient` and `color_columns`.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: np.stack([x[0] * x[1], x[0]]), np.array([3.0, 4.0]))
    array([[4., 3.],
           [1., 0.]])
    """
    plan = planned(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
    )
    execution = Execution(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    function, given = prepare(f, x, plan, execution)
    if sparsity is not None:
        require_sparse(function.xp)
    names = tuple(name for name, _ in given)
    keeping = checkpoint_of(execution, function, names, plan.description("jacobian"))
    with runner(execution, function.leaves[0], kept=keeping) as run_by:
        run = Problem(function, names, plan, run_by)
        base = run.at_base()
        if sparsity is None:
            parts = [dense(run, i, base, leaf) for i, (_, leaf) in enumerate(given)]
            value = rebuild(x, [part.value for part in parts])
        else:
            coloring = fitting_coloring(sparsity, x, base)
            parts = [_sparse(run, base, coloring, given[0][1])]
            value = sparse_matrix(
                function.xp,
                parts[0].value,
                *coloring.by_rows,
                coloring.shape,
            )
        return (value, run.estimate(x, parts)) if full_output else value


def dense(run: Problem, leaf: int, base: Array, given: Array) -> Result:
    """Derivatives by one array, ``(*f(x).shape, *x.shape)``."""
    parts = run.differentiate(leaf, base, entries, functools.partial(EachOutput, base))
    return run.finish(given, parts, (*base.shape, *given.shape))


def _sparse(run: Problem, base: Array, coloring: Coloring, given: Array) -> Result:
    labels = coloring.colors_like(run.xp, base)

    def columns(points: Points) -> Points:
        return colors(points, labels, coloring.num_colors)

    parts = run.differentiate(
        0, base, columns, lambda eps, noise: SparseJacobian(base, eps, coloring, noise)
    )
    return run.finish(given, parts, (len(coloring.rows),))
