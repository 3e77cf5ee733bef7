"""The gradient: of a scalar, of independent rows, of a sum of terms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from xgrad._arrays import (
    Array,
    ArrayT,
    cast,
    float_info,
    from_host,
    is_lazy,
    quiet,
    rebuild,
    wide_sum,
)
from xgrad._differences import (
    Coloring,
    EachOutput,
    Estimate,
    Method,
    Plan,
    Problem,
    Readout,
    Result,
    SparseSumOfTerms,
    SumOfTerms,
    fitting_coloring,
    planned,
    prepare,
    require_rows,
    require_scalar,
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
    rows,
    runner,
)
from xgrad._quick import quick_gradient


def gradient(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    axis: Literal[-1] | None = None,
    terms: bool = False,
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
    """Numerical gradient of a function of an array, or of a nesting of arrays.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar (with ``axis=-1``: ``(..., n)`` to
        ``(...)``; with ``terms=True`` to an array of terms). It gets arrays of its own
        and never the caller's.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate. Integers are promoted to the default float, half
        precision is evaluated in float32.
    axis : -1, optional
        The rows of ``x`` are independent points: ``f`` gives one number a row, and one
        column of all rows moves at a time. Two evaluations verify the independence
        (not of lazy arrays, which have no values yet).
    terms : bool
        ``f`` returns terms, of which the gradient of the sum is wanted. Differences
        are taken term by term and then added up, in float64 where the device has it:
        what a component leaves alone cancels exactly, however large the sum.
    sparsity : array of booleans, sparse matrix or Coloring, (terms, entries), optional
        Which terms depend on which entries of ``x``, both in C order. Components that
        share no term are evaluated together. A pattern that is too small gives wrong
        results; `color_columns` prepares one for many calls.
    method : {"central", "forward", "backward", "complex", "ladder", "auto"}
        Where the points lie. A component that is not finite on one side is taken from
        the other side with "central". "complex" takes an imaginary step, exact to
        rounding for analytic ``f`` that accept complex arrays. "ladder" tries steps of
        all sizes and takes, for each component, the one of least error. "auto" is
        "central", and the ladder for the components whose error bound is above
        ``eps**(2/5)`` of the largest component.
    accuracy : int, optional
        Order of the error in the step: 2, 4, 6, 8 for central (default 4), 1 to 4 for
        forward and backward (default 2).
    step : float or array like ``x``, optional
        Absolute step; its sign is ignored, and a step of 0 gives ``nan``. By default
        ``(A eps)**(1/(accuracy + 1)) * max(abs(x), 1)`` for each component, both
        factors rounded down to powers of two, with ``eps`` of the coarser of the dtypes
        of ``x`` and ``f(x)``, and ``A`` the sum of the sizes of the weights (1 to 2 for
        central).
    dtype : floating dtype, optional
        Evaluate ``f`` in this dtype; the result has it too.
    bounds : pair of numbers or arrays like ``x``, optional
        ``(low, high)``, each of them may be None. No point leaves the bounds: close to
        one all points of a component lie on its other side, at the same accuracy.
    vectorized : bool or "auto"
        ``True``: ``f`` takes a leading axis of points, ``(B, *x.shape) -> (B, ...)``
        (every array of a nesting has it). ``False``: one point a call. "auto": a plain
        ``f`` at many points at once, through PyTorch's or JAX's own ``vmap``, or, with
        NumPy and CuPy, through arrays that hold what differs from ``f(x)``. A few
        points are compared with plain calls, and one on every further call of the same
        function; where the function does not allow it, there is one point a call, and
        one ``RuntimeWarning`` that says why. Where it saves no time (one or two
        entries, rows of ``axis=-1`` or a function of all entries above 16 KiB, Dask)
        there is one point a call, too.
    max_bytes : int, optional
        Memory for the points, and what ``f`` returns for them, at once; by default
        2 MiB on a CPU and a quarter of the free memory on a GPU. Where memory runs out
        all the same, chunks are halved.
    workers : int, concurrent.futures.Executor or callable like ``map``, optional
        Evaluates chunks of points: a number of threads, a pool, or ``workers(function,
        chunks)`` that returns results in order.
    progress : bool or callable
        ``True`` shows a bar (needs tqdm); a callable gets ``(done, total)``
        evaluations after each chunk.
    checkpoint : str or path, optional
        A file that keeps the values of finished chunks (an ``npz``, always replaced as
        a whole). A call that was interrupted, in whatever way, goes on from there when
        it is made again, with the same result to the bit; ``f(x)`` is evaluated again
        to see that ``f`` has not changed. Chunks are smaller than without, all values
        stay in memory until the end, and the file stays when the call is done.
    full_output : bool
        Return ``(gradient, Estimate)``.

    Returns
    -------
    array, or nesting like ``x``
        The gradient in the shape, dtype and device of ``x``; with ``full_output=True``
        also an `Estimate` of its errors.

    Raises
    ------
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers, or if a function
        under "complex" drops the imaginary part.
    ValueError
        If ``f`` does not return a scalar (one number a row with ``axis=-1``), if two
        calls at one point differ (noticed with ``vectorized="auto"``), if it couples
        rows that should be independent or is not analytic under "complex", if ``x`` is
        outside its bounds, if an option is not offered, or if the checkpoint is that of
        another call, damaged, or in use.

    Notes
    -----
    The weights of the stencils are exact (Fornberg, Math. Comp. 51, 1988). Each
    difference is divided by the step really taken, ``(x + h) - (x - h)`` as it is in
    floating point (Press et al., Numerical Recipes, section 5.7). Costs ``accuracy``
    evaluations an entry, or a column with ``axis=-1``, or a colour with ``sparsity=``,
    and one at ``x``; a ladder costs 24 an entry (20 in float32) and 30 for each array
    to measure the noise of ``f`` (More and Wild, SISC 33, 2011); the complex step costs
    one an entry, and 4 for each array to see that ``f`` is analytic.

    Error bounds: the change to the next lower accuracy (of a ladder: three times the
    change to the neighbouring rungs), and what rounding in ``f`` makes of it.

    Examples
    --------
    >>> import numpy as np
    >>> gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0]))
    array([6., 8.])
    >>> parameters = {"w": np.ones(2), "b": np.ones(())}
    >>> gradient(lambda p: np.sum(p["w"] ** 2) + p["b"], parameters)
    {'w': array([2., 2.]), 'b': array(1.)}
    >>> x = np.array(1e-8)
    >>> value, estimate = gradient(np.log, x, method="auto", full_output=True)
    >>> value, estimate.status
    (array(1.e+08), array(0, dtype=int8))
    """
    plan = planned(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        full_output=full_output,
        axis=axis,
        terms=terms,
        sparse=sparsity is not None,
    )
    execution = Execution(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    _, slopes, estimate = _solve(f, x, sparsity, plan, execution)
    return (slopes, estimate) if full_output else slopes


def value_and_gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    axis: Literal[-1] | None = None,
    terms: bool = False,
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
) -> tuple[Any, ArrayT]:
    """Value of a function and its numerical gradient, for the cost of the gradient.

    Parameters
    ----------
    f, x, axis, terms, sparsity, method, accuracy, step, dtype, bounds, vectorized, \
max_bytes, workers, progress
        As in `gradient`.

    Returns
    -------
    tuple
        ``f(x)`` (with ``terms=True`` the sum of the terms) and the gradient.

    Raises
    ------
    TypeError, ValueError
        As `gradient` does.

    Examples
    --------
    >>> import numpy as np
    >>> value_and_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0]))
    (array(25.), array([6., 8.]))
    """
    plan = planned(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        axis=axis,
        terms=terms,
        sparse=sparsity is not None,
    )
    execution = Execution(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    value, slopes, _ = _solve(f, x, sparsity, plan, execution)
    return value, slopes


def _solve(
    f: Callable[[Any], Any],
    x: Any,
    sparsity: Any,
    plan: Plan,
    execution: Execution,
) -> tuple[Any, Any, Estimate | None]:
    """Return ``f(x)``, its gradient and, if planned, the estimate."""
    first = None  # f(x), where the short way has evaluated it
    if plan.is_plain and execution.is_plain:
        slopes, first = quick_gradient(
            f, x, plan.method, plan.accuracy, execution.vectorized
        )
        if slopes is not None:
            return np.asarray(first), slopes, None
    function, given = prepare(f, x, plan, execution)
    xp = function.xp
    names = tuple(name for name, _ in given)
    keeping = checkpoint_of(execution, function, names, plan.description("gradient"))
    with runner(execution, function.leaves[0], kept=keeping) as run_by:
        run = Problem(function, names, plan, run_by)
        if plan.axis is not None:
            require_rows(x)
        base = run.at_base() if first is None else run.take_value(first)
        if plan.terms:
            coloring = _coloring(sparsity, x, base)
            found = [_of_terms(run, i, base, coloring) for i in range(len(given))]
            with quiet():
                value = cast(xp, wide_sum(xp, base), base.dtype)
        elif plan.axis is None:
            found = [gradient_of_scalar(run, i, base) for i in range(len(given))]
            value = xp.reshape(xp.asarray(base), ())
        else:
            _require_one_number_a_row(function, base)
            found, value = [_of_rows(run, base)], base
        parts = [
            run.finish(leaf, part, tuple(leaf.shape))
            for (_, leaf), part in zip(given, found, strict=True)
        ]
        slopes = rebuild(x, [part.value for part in parts])
        return value, slopes, run.estimate(x, parts) if plan.full_output else None


def gradient_of_scalar(run: Problem, leaf: int, base: Array) -> Result:
    """Derivatives of a scalar by the entries of one array."""
    require_scalar(base, SUMS_AND_ROWS)
    return run.differentiate(leaf, base, entries, functools.partial(EachOutput, base))


def _of_rows(run: Problem, base: Array) -> Result:
    _prove_rows_independent(run, base)
    return run.differentiate(0, base, rows, functools.partial(EachOutput, base))


def _of_terms(
    run: Problem, leaf: int, base: Array, coloring: Coloring | None
) -> Result:
    if coloring is None:
        return run.differentiate(
            leaf, base, entries, functools.partial(SumOfTerms, base)
        )
    labels = coloring.colors_like(run.xp, base)

    def columns(points: Points) -> Points:
        return colors(points, labels, coloring.num_colors)

    def readout(eps: float, noise: Array | None) -> Readout:
        return SparseSumOfTerms(base, eps, coloring, noise)

    return run.differentiate(leaf, base, columns, readout)


def _coloring(sparsity: Any, x: Any, base: Array) -> Coloring | None:
    return None if sparsity is None else fitting_coloring(sparsity, x, base)


SUMS_AND_ROWS = (
    "give `terms=True` if the sum of these terms is meant, or `axis=-1` if the rows of "
    "x are independent points"
)


def _require_one_number_a_row(function: Any, base: Array) -> None:
    shape = tuple(function.leaves[0].shape)
    if tuple(base.shape) != shape[:-1]:
        raise ValueError(
            f"with axis=-1 and x of shape {shape} `f` must return one number a row, "
            f"shape {shape[:-1]}, but returned {tuple(base.shape)}: for a loss, "
            'take reduction="none"'
        )


def _prove_rows_independent(run: Problem, base: Array) -> None:
    """Move about half of the rows, see that the others keep their value, and swap.

    Half of them rather than one, so that a coupling through a mean over many rows is
    as large as a step. Each entry moves by another amount, so that no invariance of
    ``f`` (a common shift of logits) hides it.
    """
    xp, x = run.xp, run.function.leaves[0]
    count = math.prod(base.shape)
    if count < 2 or is_lazy(xp, x):
        return
    with quiet():
        half = np.random.default_rng(0).random(count) < 0.5
        half[0], half[-1] = True, False
        half = from_host(xp, half.reshape(base.shape), like=x)
        golden = (np.arange(1, x.shape[-1] + 1) * 0.6180339887498949) % 1
        amounts = from_host(xp, 0.5 + golden / 2, like=x, dtype=x.dtype)
        shifted = x + amounts * run.placements[0].largest_move(run.eps(0, base))
        # Rounding may differ where a library treats a block of rows at once.
        size = xp.where(xp.isfinite(base), xp.abs(base), 0.0)
        noise = 64 * float_info(xp, base.dtype).eps * xp.max(size)
        coupled = []
        for moved in (half, ~half):
            changed = run.at(xp.where(moved[..., None], shifted, x))
            same = xp.abs(changed - base) <= noise
            coupled.append(~moved & ~same & xp.isfinite(base))
    if bool(xp.any(coupled[0] | coupled[1])):
        raise ValueError(
            "with axis=-1 the rows of `x` must be independent, but moving some rows "
            "changed the result of `f` for others: let `f` treat each row by itself, "
            "or leave `axis` out and return a scalar"
        )
