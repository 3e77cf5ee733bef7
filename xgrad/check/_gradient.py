"""Checks of gradients of scalar functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xgrad._arrays import from_host, paths, wide_dtype
from xgrad._differences import Plan, Problem, prepare, require_scalar
from xgrad._evaluation import Execution, Progress, Vectorized, Workers, runner
from xgrad.check._analytic import gradient_for, refuse_without_values
from xgrad.check._procedure import Check, Full, Options
from xgrad.check._report import GradientReport as GradientReport
from xgrad.check._slopes import Subject


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
    """Report on whether a gradient is that of a function.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    grad : callable, or array like ``x``
        The gradient of ``f`` (called once, with ``x``), or its value at ``x``.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to check. Integers are promoted to the default float, half precision is
        evaluated in float32.
    directions : int
        Along how many random directions to compare slopes, 1 to 10,000. Each moves all
        entries of one array; several arrays share them, and get at least two each.
    full : bool or "auto"
        Whether to compare entry by entry, too. "auto": if there are at most 256 of
        them, in no less than single precision. Of a larger gradient that differs along
        a direction, the worst entries are found by halving it.
    rtol : float, optional
        Relative difference that is allowed besides the error bound of what is measured.
        By default 1e-7 in float64, 1e-3 in float32 (5e-5 where only the gradient is in
        float32), 0.05 in float16 and 0.2 in bfloat16.
    seed : int
        Of the random directions.
    dtype : floating dtype, optional
        Evaluate ``f`` and ``grad`` in this dtype.
    vectorized, max_bytes, workers, progress
        As in `gradient`; functions that cannot be evaluated at many points at once are
        called for one at a time without a warning.

    Returns
    -------
    GradientReport
        True only if the gradient is right; as text it is a table.

    Raises
    ------
    TypeError
        If ``x``, the gradient or the result of ``f`` is no array of real numbers, or
        ``x`` is a lazy array.
    ValueError
        If ``f`` does not return a scalar, or the gradient has not the structure and
        shapes of ``x``.

    Notes
    -----
    Slopes are measured by method "ladder" of `gradient`, whose steps fit every scale
    and whose error is known. A difference passes up to this error and ``rtol`` of the
    slope, and fails above three times the error and ``rtol``; where the error itself is
    above ``10 * rtol`` nothing is said. Each second direction lifts entries that are
    small in their array, and a large array passes if all of one kind agree. The random
    directions have signs and halves of them, times the size of each entry (Rademacher
    vectors find a wrong entry with a higher probability than normal ones, which have
    small weights). A gradient fails only if the remainder of its Taylor expansion, too,
    does not fall as behind a right one.

    Costs 24 evaluations a direction (20 in float32), 24 an entry where these are
    compared, and 32 to see how exact and how noisy ``f`` is: about 200 for one large
    array of any size.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> report = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, x)
    >>> report.verdict
    'pass'
    >>> print(check_gradient(lambda x: np.mean(x**2), lambda x: 2 * x, x).hint)
    the given gradient by x is 3 times the measured one: is the 1/3 of a mean missing?
    """
    started = time.perf_counter()
    options = Options(directions, full, rtol, seed)
    plan = Plan(method="ladder", dtype=dtype, full_output=True)
    refuse_without_values("x", x)
    execution = Execution(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    function, given = prepare(f, x, plan, execution)
    names = tuple(name for name, _ in given)
    with runner(execution, function.leaves[0], silent=True) as run_by:
        run = Problem(function, names, plan, run_by)
        base = run.at_base()
        require_scalar(base, "or check the function with `check_vjp`")
        slopes, given_eps = gradient_for(function, grad, names)
        eps = max(run.eps(i, base) for i in range(len(names)))
        wide = wide_dtype(run.xp, base)
        noise = from_host(run.xp, 0.0, like=base, dtype=wide)
        subject = Subject(run, base, slopes, eps, eps, noise)
        arrays = [leaf for _, leaf in given]
        return Check(subject, options, given_eps, arrays, paths(x)).report(started)


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
    """Raise unless `check_gradient` says "pass".

    Parameters
    ----------
    f, grad, x, directions, full, rtol, seed, dtype, vectorized, max_bytes, workers, \
progress
        As in `check_gradient`.

    Raises
    ------
    AssertionError
        With the table of the report, if the gradient is wrong, has a corner at ``x`` or
        cannot be told.
    TypeError, ValueError
        As `check_gradient` does.

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
        raise AssertionError(f"\n{report}")
