"""Checks of Hessians."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xgrad._arrays import public, refuse_nesting, require_callable
from xgrad._differences import require_scalar
from xgrad._evaluation import Progress, Vectorized, Workers, execution_for
from xgrad.check._arguments import MatrixArguments
from xgrad.check._matrices import check_matrix
from xgrad.check._matrix import analytic_matrices
from xgrad.check._measurement import MOST_ENTRIES
from xgrad.check._options import CheckOptions, Full
from xgrad.check._precision import evaluate_in_double
from xgrad.check._report import GradientReport
from xgrad.check._setting import dtype_of_calls, open_problem, precision_of
from xgrad.check._slope_sums import SlopeOutputs
from xgrad.check._sums import FunctionOutputs, Outputs

# From `f` alone an evaluation of all slopes takes 4 of `f` for each entry. Up to so
# many entries all of a Hessian are compared by default, in some 40,000 evaluations.
MOST_ENTRIES_OF_SLOPES = 16


@public
def check_hessian(
    f: Callable[[Any], Any],
    hess: Any,
    x: Any,
    /,
    *,
    grad: Callable[[Any], Any] | None = None,
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
    """Check whether a Hessian is that of a scalar function, and report what differs.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    hess : callable, array, or sparse matrix
        The Hessian of ``f`` (called once, with ``x``), or its value at ``x``, in the
        shape ``(*x.shape, *x.shape)``. A sparse matrix of SciPy or CuPy has a row and a
        column for each entry of ``x``; entries that it does not store are 0.
    x : array of real numbers
        Point at which to check.
    grad : callable, optional
        A gradient of ``f`` that is known to be right. The Hessian is then compared with
        differences of ``grad``, which takes far fewer evaluations, and ``f`` is not
        called.
    rtol : float, optional
        As in `check_gradient`; ten times as large by default for single entries without
        ``grad``.
    directions, seed, dtype, vectorized, max_bytes, workers, progress
        As in `check_gradient`.
    full : bool or "auto"
        Whether to compare all entries. "auto" does so if ``x`` has at most 16 entries,
        or 128 with ``grad``. Else sums of rows with random weights are compared along
        random directions, and what differs is traced to its row and column.

    Returns
    -------
    GradientReport
        True only if the Hessian is correct; as text it is a table.

    Raises
    ------
    TypeError
        If ``x`` is nested or lazy, or an argument or a result is not an array of real
        numbers.
    ValueError
        If ``f`` does not return a scalar, ``grad`` an array like ``x``, or if the
        Hessian has another shape.

    Notes
    -----
    Without ``grad`` the slopes of ``f`` along 4 random directions, or by each entry,
    are central differences of accuracy 4 with a step near ``eps**(1/5)``, and these
    are differentiated by the steps of all scales that `check_gradient` takes. Their
    error is about ``eps**(2/3)`` of the second derivatives, so that a relative error
    of 1e-6 is found in float64. A check costs about 4,000 evaluations of ``f``
    for any size of ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 3.0])
    >>> def f(x):
    ...     return x[0] ** 2 * x[1]
    >>> def hess(x):
    ...     return np.array([[2 * x[1], 2 * x[0]], [2 * x[0], 0.0]])
    >>> check_hessian(f, hess, x).verdict
    'pass'
    >>> check_hessian(f, lambda x: hess(x) + np.diag([0, 1e-3]), x).worst.index
    (1, 1)
    """
    started = time.perf_counter()
    options = CheckOptions(directions, full, rtol, seed)
    refuse_nesting(x, "`check_hessian`")
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    if grad is not None:
        require_callable("grad", grad)
    differentiated = f if grad is None else grad
    with open_problem(differentiated, x, dtype, execution) as (problem, arrays):
        base, shape = problem.at_base(), tuple(x.shape)
        if grad is None:
            require_scalar(base)
        elif tuple(base.shape) != shape:
            raise ValueError(
                f"`grad` returned shape {tuple(base.shape)} for x of shape {shape}: a "
                "gradient is shaped like x"
            )
        name = "the gradient" if grad is None else "grad(x)"
        matrices = analytic_matrices(
            problem.function, hess, ("x",), "hess", (name, shape)
        )
        problem, base = evaluate_in_double(problem, base, None, arrays, options.seed)
        eps = precision_of(problem, base)
        outputs: Outputs = FunctionOutputs(problem, base, matrices, eps)
        if grad is None:
            outputs = SlopeOutputs(problem, base, matrices[0], eps)
        arguments = MatrixArguments(
            arrays,
            [()],
            evaluated_in=dtype_of_calls(problem, arrays),
            kind="Hessian",
            matrix="hess",
            result=name,
            result_shape=shape,
        )
        return check_matrix(
            outputs,
            options,
            matrices[0].eps,
            arguments,
            MOST_ENTRIES_OF_SLOPES if grad is None else MOST_ENTRIES,
            started,
        )
