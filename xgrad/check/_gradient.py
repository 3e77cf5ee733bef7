"""Checks of gradients of scalar functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xgrad._arrays import paths, public, wide_dtype
from xgrad._differences import require_scalar
from xgrad._evaluation import (
    Progress,
    Vectorized,
    Workers,
    execution_for,
)
from xgrad.check._analytic import analytic_gradient
from xgrad.check._arguments import Arguments
from xgrad.check._options import CheckOptions, Full
from xgrad.check._precision import evaluate_in_double
from xgrad.check._procedure import run_check
from xgrad.check._report import GradientReport, failure_message
from xgrad.check._setting import dtype_of_calls, open_problem, precision_of
from xgrad.check._slopes import CheckedFunction


@public
def check_gradient(
    f: Callable[[Any], Any],
    grad: Any,
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
    """Check whether a gradient is that of a function, and report what differs.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    grad : callable, or array like ``x``
        The gradient of ``f`` (called once, with ``x``), or its value at ``x``.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to check. Integers are promoted to the default float, half
        precision is evaluated in float32, and float32 in float64 if ``f`` allows it.
    directions : int
        Number of random directions along which slopes are compared, 1 to 10,000. Each
        moves all entries of one array; several arrays share them, and get at least two
        each.
    full : bool or "auto"
        Whether to compare entry by entry as well. "auto" does so if there are at most
        256 entries, in single precision or better. If a larger gradient differs along
        a direction, bisection finds the entries that differ most.
    rtol : float, optional
        Relative difference that is allowed in addition to the error bound of the
        measured slope. The default is 1e-7 in float64, 5e-5 for a gradient in float32
        (1e-3 if ``f`` has to be evaluated in float32, too), 0.05 in float16 and 0.2 in
        bfloat16.
    seed : int
        Seed of the random directions.
    dtype : floating dtype, optional
        Evaluates ``f`` and ``grad`` in this dtype. By default ``grad`` gets the dtype
        of ``x``, and so does ``f``, but for float32: there ``f`` is evaluated in
        float64, if it returns float64 for it, nearly the same value, and responds to
        moves that float32 would round away.
    vectorized, max_bytes, workers, progress
        As in `gradient`. A function that cannot be evaluated at many points at once is
        called for one point at a time, without a warning.

    Returns
    -------
    GradientReport
        True only if the gradient is correct; as text it is a table.

    Raises
    ------
    TypeError
        If ``x``, the gradient or the result of ``f`` is not an array of real numbers,
        or ``x`` is a lazy array.
    ValueError
        If ``f`` does not return a scalar, or the gradient does not have the structure
        and the shapes of ``x``.

    Notes
    -----
    Slopes are measured by method "ladder" of `gradient`, which tries steps of all
    scales and knows its error. A difference passes up to this error plus ``rtol`` of
    the slope, and fails above three times the error plus ``rtol``. If the error itself
    exceeds ``10 * rtol``, the slope does not count for a pass. A gradient fails only
    if, in addition, the remainder of its Taylor expansion does not fall as it does for
    a correct one.

    The entries of a random direction are 1 or 1/2, of either sign, times the size of
    each entry of ``x``: such vectors find a wrong entry with a higher probability than
    normal ones, some of whose weights are small. Every second direction lifts entries
    that are small in their array. A large array passes if all directions of one of the
    two kinds agree.

    The cost is 26 evaluations for a direction (22 in float32), 26 for an entry if
    entries are compared, and 32 to find out how exact and how noisy ``f`` is: about
    200 for one large array of any size.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> report = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, x)
    >>> report.verdict
    'pass'
    >>> print(check_gradient(lambda x: np.mean(x**2), lambda x: 2 * x, x).hint)
    the given gradient with respect to x is 3 times the measured one: did you forget \
the 1/3 of a mean?
    """
    started = time.perf_counter()
    options = CheckOptions(directions, full, rtol, seed)
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    with open_problem(f, x, dtype, execution) as (problem, arrays):
        base = problem.at_base()
        require_scalar(base, "or use `check_jacobian` or `check_vjp`")
        # Only now: if `f` is not scalar, its gradient raises errors that say less.
        gradients, analytic_eps = analytic_gradient(
            problem.function, grad, problem.names
        )
        analytic = tuple(gradient[None, ...] for gradient in gradients)
        problem, base = evaluate_in_double(
            problem, base, analytic, arrays, options.seed
        )
        arguments = Arguments(
            arrays, paths(x), evaluated_in=dtype_of_calls(problem, arrays)
        )
        eps, wide = precision_of(problem, base), wide_dtype(problem.xp, base)
        # Nothing is known of the noise before it is measured.
        noise = problem.xp.zeros_like(base, dtype=wide)
        checked = CheckedFunction(problem, base, analytic, eps, eps, noise)
        return run_check(checked, options, analytic_eps, arguments, started)


@public
def assert_gradient(
    f: Callable[[Any], Any],
    grad: Any,
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
) -> None:
    """Raise an error unless a gradient passes `check_gradient`.

    Parameters
    ----------
    f, grad, x, directions, full, rtol, seed, dtype, vectorized, max_bytes, workers, \
progress
        As in `check_gradient`.

    Raises
    ------
    AssertionError
        If the verdict is not "pass". The first line of the message is the verdict and
        the worst entry; the table of the report follows.
    TypeError, ValueError
        As in `check_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> assert_gradient(lambda x: np.sum(x**2), lambda x: 2 * x, np.array([1.0, 2.0]))
    """
    __tracebackhide__ = True
    report = check_gradient(
        f,
        grad,
        x,
        directions=directions,
        full=full,
        rtol=rtol,
        seed=seed,
        dtype=dtype,
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
    )
    if not report:
        raise AssertionError(failure_message(report))
