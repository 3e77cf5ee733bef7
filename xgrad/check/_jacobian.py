"""Checks of Jacobians."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xgrad._arrays import paths, public
from xgrad._evaluation import Progress, Vectorized, Workers, execution_for
from xgrad.check._arguments import MatrixArguments
from xgrad.check._matrices import check_matrix
from xgrad.check._matrix import analytic_matrices
from xgrad.check._measurement import MOST_ENTRIES
from xgrad.check._options import CheckOptions, Full
from xgrad.check._precision import evaluate_in_double
from xgrad.check._report import GradientReport
from xgrad.check._setting import dtype_of_calls, open_problem, precision_of
from xgrad.check._sums import FunctionOutputs


@public
def check_jacobian(
    f: Callable[[Any], Any],
    jac: Any,
    x: Any,
    /,
    *,
    directions: int = 8,
    full: Full = "auto",
    rtol: float | None = None,
    seed: int = 0,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
) -> GradientReport:
    """Check whether a Jacobian is that of a function, and report what differs.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    jac : callable, array, nesting like ``x``, or sparse matrix
        The Jacobian of ``f`` (called once, with ``x``), or its value at ``x``, in the
        shape ``(*f(x).shape, *x.shape)``. A sparse matrix of SciPy or CuPy has the
        shape ``(result entries, x entries)``; entries that it does not store are 0.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to check.
    directions, rtol, seed, dtype, vectorized, max_bytes, workers, progress
        As in `check_gradient`.
    full : bool or "auto"
        Whether to compare all entries. "auto" does so if ``x`` has at most 256 entries
        and the Jacobian at most 16,384. Else 8 sums of all results, with random weights
        that let them change alike, are compared along random directions, and what
        differs is traced to its row and column.

    Returns
    -------
    GradientReport
        True only if the Jacobian is correct; as text it is a table.

    Raises
    ------
    TypeError
        If ``x``, the Jacobian or the result of ``f`` is not an array of real numbers,
        or ``x`` is a lazy array.
    ValueError
        If the Jacobian does not have the structure and the shape that it must have.

    Notes
    -----
    All results of ``f`` are read from the same evaluations, so that the cost is that
    of `check_gradient`, however many there are. Each entry is judged by the rounding
    errors of its own result.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> def residuals(p):
    ...     return p[0] * np.exp(-p[1] * t) - 1.0
    >>> def slopes(p):
    ...     decay = np.exp(-p[1] * t)
    ...     return np.stack([decay, p[0] * t * decay], axis=1)
    >>> report = check_jacobian(residuals, slopes, np.array([2.0, 0.5]))
    >>> report.verdict
    'fail'
    >>> print(report.hint)
    all of the difference lies in jac[..., 1]
    """
    started = time.perf_counter()
    options = CheckOptions(directions, full, rtol, seed)
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    with open_problem(f, x, dtype, execution) as (problem, arrays):
        base = problem.at_base()
        result = "f(x)", tuple(base.shape)
        names = problem.names
        matrices = analytic_matrices(problem.function, jac, names, "jac", result)
        problem, base = evaluate_in_double(problem, base, None, arrays, options.seed)
        arguments = MatrixArguments(
            arrays,
            paths(x),
            evaluated_in=dtype_of_calls(problem, arrays),
            kind="Jacobian",
            result_shape=tuple(base.shape),
        )
        return check_matrix(
            FunctionOutputs(problem, base, matrices, precision_of(problem, base)),
            options,
            max(matrix.eps for matrix in matrices),
            arguments,
            MOST_ENTRIES,
            started,
        )
