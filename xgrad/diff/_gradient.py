"""Gradients of scalars, of independent rows, and of sums of terms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from xgrad._arrays import (
    Array,
    ArrayT,
    cast,
    leaves,
    one_of,
    public,
    quiet,
    rebuild,
    reshaped,
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
    differentiate_directly,
    entries_of,
    fitting_coloring,
    is_auto,
    plan_for,
    prepare,
    require_rows,
    require_scalar,
    warn_unless_ok,
)
from xgrad._evaluation import (
    CheckpointPath,
    Columns,
    Execution,
    Progress,
    Vectorized,
    Workers,
    checkpoint_of,
    columns_of_colors,
    entry_columns,
    execution_for,
    open_evaluator,
    row_columns,
)
from xgrad.diff._attempts import Inexact
from xgrad.diff._calls import Aux, with_arguments
from xgrad.diff._exact import (
    differences_instead,
    require_use,
)
from xgrad.diff._exact_gradient import SUMS_AND_ROWS, exact_gradient
from xgrad.diff._pattern import pattern_of
from xgrad.diff._rows import prove_rows_independent, require_one_number_a_row


@public
def gradient(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: bool = False,
    axis: Literal[-1] | None = None,
    terms: bool = False,
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
    """Return the gradient of a function of an array, or of nested arrays.

    It is exact where ``f`` allows it, and else made of differences.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar (with ``axis=-1``: ``(..., n)`` to
        ``(...)``; with ``terms=True``: to an array of terms). It is called with copies,
        never with the caller's arrays, or with objects that stand for arrays and record
        the operations of ``f``.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Point at which to differentiate. Integers are promoted to the default float;
        half precision is evaluated in float32.
    args : tuple
        Further arguments, ``f(x, *args)``, by which nothing is differentiated.
    has_aux : bool
        Whether ``f`` returns ``(result, aux)``, where ``aux`` may be anything. It comes
        back as it was at ``x``, as the last of the results.
    axis : -1, optional
        Treats the rows of ``x`` as independent points: ``f`` returns one number for
        each row. An exact gradient takes one way back for all rows; differences move
        one column of all rows at a time. Both verify that the rows are independent
        (except for lazy arrays, whose values are not known yet).
    terms : bool
        Takes the result of ``f`` as the terms of a sum, and returns the gradient of the
        sum. Differences are taken term by term and then added up, in float64 if the
        device has it: terms that a component does not change cancel exactly, however
        large the sum is.
    sparsity : array of booleans, sparse matrix or Coloring, (terms, entries), optional
        Says which terms depend on which entries of ``x``, both in C order. Exact
        gradients do not need it. Differences evaluate components together that share no
        term; a pattern with missing entries gives wrong differences. `color_columns`
        prepares a pattern for many calls.
    method : {"auto", "autodiff", "central", "forward", "backward", "complex", "ladder"}
        "auto" is exact where every operation of ``f`` has a rule of differentiation and
        the result agrees with plain calls of ``f``. Else it takes differences, with one
        ``RuntimeWarning`` that names the operation, its line and the remedy. "autodiff"
        is exact or raises. The others are formulas of differences. If a component is
        not finite on one side, "central" uses the other side. "complex" takes an
        imaginary step; it is exact to rounding for an analytic ``f`` that accepts
        complex arrays. "ladder" tries steps of all sizes and uses, for each component,
        the one with the least error. The differences of "auto" are those of "central",
        and of the ladder for components whose error bound exceeds ``eps**(2/5)`` of the
        largest component. ``accuracy``, ``step`` and ``bounds`` belong to differences:
        "auto" takes these where one of the three is given.
    accuracy : int, optional
        Power of the step by which the error falls: 2, 4, 6 or 8 for "central" (default
        4), 1 to 4 for "forward" and "backward" (default 2).
    step : float or array like ``x``, optional
        Absolute step, whose sign is ignored. The number 0 is an error; an entry of 0 in
        an array gives ``nan`` for its component. By default
        ``(A eps)**(1/(accuracy + 1)) * max(abs(x), 1)`` for each component, both
        factors rounded down to powers of two, with ``eps`` of the coarser of the dtypes
        of ``x`` and ``f(x)``, and ``A`` the sum of the sizes of the weights (1 to 2 for
        central).
    dtype : floating dtype, optional
        Dtype in which ``f`` is evaluated, and that of the result.
    bounds : pair of numbers or arrays like ``x``, or dict of pairs, optional
        ``(low, high)``, either of which may be None. No point leaves the bounds: close
        to a bound, all points of a component lie on one side, at the same accuracy. Of
        nested arrays some may be left out, and ``{"W": (low, high)}`` names those that
        have bounds.
    vectorized : bool or "auto"
        ``True``: ``f`` takes a leading axis of points, ``(B, *x.shape) -> (B, ...)``
        (so does every array of a nested ``x``). ``False``: ``f`` is called once for
        each point. "auto": a plain ``f`` is evaluated at many points at once, by
        PyTorch's or JAX's own ``vmap`` or, with NumPy and CuPy, by arrays that hold
        only the differences from ``f(x)``. The first call compares a few points with
        plain calls of ``f``, every further call one. If the function does not allow
        this, it is called once for each point, and one ``RuntimeWarning`` says why.
        Functions that gain nothing (one or two entries, rows of ``axis=-1`` or a
        function of all entries above 16 KiB, Dask, whatever has taken longer) are
        called point by point, too.
    max_bytes : int, optional
        Memory in bytes. For differences: that of the points that are evaluated at once
        and their results; by default 2 MiB on a CPU and a quarter of the free memory on
        a GPU. If memory runs out all the same, chunks are halved. For an exact gradient
        of arrays of NumPy or CuPy: that of the record of ``f``. By default it keeps all
        arrays that the way back needs. Under a limit it keeps a few of them, and does
        the recorded operations (not ``f``) once more on the way back. The gradient is
        the same, and takes about twice as long.
    workers : int, concurrent.futures.Executor or callable like ``map``, optional
        Evaluate chunks of points: a number of threads, a pool, or a callable
        ``workers(function, chunks)`` that returns the results in order.
    progress : bool or callable
        ``True`` shows a bar (which needs tqdm); a callable is called with
        ``(done, total)`` evaluations after each chunk.
    checkpoint : str or path, optional
        File that stores the values of finished chunks (an ``npz``, which is always
        replaced as a whole). If the call is interrupted, the same call made again goes
        on from there and returns the same bits; it evaluates ``f(x)`` again to verify
        that ``f`` has not changed. Chunks are smaller than without a file, all values
        stay in memory until the end, and the file remains when the call is done.
    full_output : bool
        Whether to return ``(gradient, Estimate)``. Without it, one ``RuntimeWarning``
        tells of components whose `Status` is known not to be OK.

    Returns
    -------
    array, or nesting like ``x``
        The gradient in the shape, dtype and device of ``x``, in memory of its own, so
        that it can be written into; with ``full_output=True`` also an `Estimate` of its
        errors.

    Raises
    ------
    NotDifferentiable
        Under method "autodiff", if an operation of ``f`` has no exact derivative. It is
        a TypeError.
    TypeError
        If ``x`` or the result of ``f`` is not an array of real numbers, or if ``f``
        drops the imaginary part under method "complex".
    ValueError
        If ``f`` uses nothing of its argument, if under method "autodiff" the exact
        gradient does not agree with plain calls of ``f``, if ``f`` does not return a
        scalar (with ``axis=-1``: one number for each row), if two calls at the same
        point differ (noticed with ``vectorized="auto"``), if ``f`` couples rows that
        should be independent or is not analytic under method "complex", if ``x`` lies
        outside its bounds, if a value of an option is not offered, or if the checkpoint
        is damaged, in use, or belongs to another call.

    Notes
    -----
    Exact gradients go back once over a record of ``f`` (reverse mode: Griewank and
    Walther, Evaluating Derivatives, 2008, section 3.2), at the cost of a few
    evaluations of ``f`` whatever the number of entries, and of memory for the arrays
    that ``f`` makes on its way. With ``max_bytes`` a loop of ``n`` steps takes memory
    for about ``sqrt(n)`` of them at the least (section 12.2 there). The first time for
    a function, shapes and dtypes, and wherever ``f`` takes another branch, the value
    and the slope along a random direction are compared with about five plain calls;
    ``XGRAD_PROVE=1`` does so at every call. At a corner the mean of the one-sided
    slopes is returned, and at the zero of a norm or of a standard deviation 0; with
    ``full_output=True`` the status of corners is KINK. Entries that are nan because of
    a branch of ``where`` that was not taken are compared with differences, which
    replace them if they differ. Arrays of PyTorch and JAX use the automatic
    differentiation of their libraries.

    The weights of the stencils are exact (Fornberg, Math. Comp. 51, 1988). Each
    difference is divided by the step really taken, ``(x + h) - (x - h)`` as rounded in
    floating point (Press et al., Numerical Recipes, section 5.7). Differences cost
    ``accuracy`` evaluations for each entry, or for each column with ``axis=-1``, or for
    each colour with ``sparsity=``, and one at ``x``. With ``full_output`` two more,
    close to ``x``, tell whether central differences pass over something narrow, and two
    for each entry where they do. A ladder costs 26 for each entry (22 in float32) and
    30 for each array to measure the noise of ``f`` (More and Wild, SISC 33, 2011). The
    complex step costs one for each entry, and 4 for each array to verify that ``f`` is
    analytic.

    Error bounds: of exact gradients, how far these move when ``x`` moves by a rounding,
    and at least some eps of their size; else the change to the next lower accuracy (of
    a ladder: three times the change to the next smaller rung), and what rounding in
    ``f`` makes of it.

    Examples
    --------
    >>> import numpy as np
    >>> import xgrad
    >>> gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0]))
    array([6., 8.])
    >>> parameters = {"w": np.ones(2), "b": np.ones(())}
    >>> gradient(lambda p: np.sum(p["w"] ** 2) + p["b"], parameters)
    {'w': array([2., 2.]), 'b': array(1.)}
    >>> x = np.array(1e-8)
    >>> value, estimate = gradient(np.log, x, full_output=True)
    >>> value, estimate.method
    (np.float64(100000000.0), 'autodiff')
    >>> value, estimate = gradient(np.log, x, method="ladder", full_output=True)
    >>> round(float(value)), xgrad.Status(estimate.status)
    (100000000, <Status.OK: 0>)
    """
    plan = plan_for(
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
    execution = execution_for(
        vectorized=vectorized,
        max_bytes=max_bytes,
        workers=workers,
        progress=progress,
        checkpoint=checkpoint,
    )
    call = with_arguments(f, args)
    if not one_of("has_aux", has_aux, (True, False)):
        _, slopes, estimate = _solve(call, x, sparsity, plan, execution)
        return (slopes, estimate) if full_output else slopes
    aux = Aux()
    _, slopes, estimate = _solve(aux.of(call), x, sparsity, plan, execution)
    aux_at_x = aux.detached(leaves(x)[0][1])
    return (slopes, estimate, aux_at_x) if full_output else (slopes, aux_at_x)


@public
def value_and_gradient(
    f: Callable[[Any], Any],
    x: ArrayT,
    /,
    *,
    args: tuple[Any, ...] = (),
    has_aux: bool = False,
    axis: Literal[-1] | None = None,
    terms: bool = False,
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
) -> tuple[Any, ArrayT]:
    """Return the value of a function and its gradient, at the cost of the gradient.

    The gradient is exact where ``f`` allows it: one evaluation and one way back, which
    is all that a step of a training or of an optimiser takes.

    Parameters
    ----------
    f, x, args, has_aux, axis, terms, sparsity, method, accuracy, step, dtype, bounds, \
vectorized, max_bytes, workers, progress
        As in `gradient`.

    Returns
    -------
    tuple
        ``f(x)`` (with ``terms=True`` the sum of the terms) and the gradient; with
        ``has_aux=True`` also the other result of ``f``.

    Raises
    ------
    NotDifferentiable, TypeError, ValueError
        As `gradient` does.

    Examples
    --------
    >>> import numpy as np
    >>> value_and_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0]))
    (np.float64(25.0), array([6., 8.]))
    """
    plan = plan_for(
        method=method,
        accuracy=accuracy,
        step=step,
        dtype=dtype,
        bounds=bounds,
        axis=axis,
        terms=terms,
        sparse=sparsity is not None,
    )
    execution = execution_for(
        vectorized=vectorized, max_bytes=max_bytes, workers=workers, progress=progress
    )
    call = with_arguments(f, args)
    if not one_of("has_aux", has_aux, (True, False)):
        value, slopes, _ = _solve(call, x, sparsity, plan, execution)
        return value, slopes
    aux = Aux()
    value, slopes, _ = _solve(aux.of(call), x, sparsity, plan, execution)
    return (value, aux.detached(leaves(x)[0][1])), slopes


def _solve(
    f: Callable[[Any], Any],
    x: Any,
    sparsity: Any,
    plan: Plan,
    execution: Execution,
) -> tuple[Any, Any, Estimate | None]:
    """Return ``f(x)``, its gradient and, if planned, the estimate."""
    if plan.may_be_exact:
        try:
            return exact_gradient(f, x, sparsity, plan, execution)
        except Inexact as error:
            reason = error
        plan, execution = differences_instead(reason, plan, execution, x)
    elif plan.method == "auto":
        plan = plan.as_differences()
    function, arrays = prepare(f, x, plan, execution)
    first, slopes = differentiate_directly(function, x, plan, execution, scalar=True)
    if slopes is not None:
        require_use(function, [slopes])
        return first, slopes, None
    names = tuple(name for name, _ in arrays)
    saved = checkpoint_of(execution, function, names, plan.description("gradient"))
    with open_evaluator(execution, function.leaves[0], checkpoint=saved) as evaluate:
        problem = Problem(function, names, plan, evaluate)
        if plan.axis is not None:
            require_rows(x)
        base = problem.at_base() if first is None else problem.take_value(first)
        value, results = _differentiate(problem, base, x, sparsity)
        results = [
            problem.finish(leaf, result, tuple(leaf.shape))
            for (_, leaf), result in zip(arrays, results, strict=True)
        ]
        require_use(function, [result.value for result in results])
        slopes = rebuild(x, [result.value for result in results])
        estimate = problem.estimate(x, results) if plan.full_output else None
        if estimate is None:
            warn_unless_ok("gradient", results, entries_of(names))
        return value, slopes, estimate


def _differentiate(
    problem: Problem, base: Array, x: Any, sparsity: Any
) -> tuple[Array, list[Result]]:
    """Return the value that was differentiated, and a result for each leaf."""
    xp, plan, leaves = problem.xp, problem.plan, range(len(problem.names))
    if plan.terms:
        if sparsity is not None and is_auto(sparsity):
            sparsity = pattern_of(problem.function)
        coloring = _coloring(sparsity, x, base)
        results = [_differentiate_terms(problem, i, base, coloring) for i in leaves]
        with quiet():
            return cast(xp, wide_sum(xp, base), base.dtype), results
    if plan.axis is None:
        results = [differentiate_scalar(problem, i, base) for i in leaves]
        return reshaped(xp, base, ()), results
    require_one_number_a_row(problem.function, base)
    return base, [_differentiate_rows(problem, base)]


def differentiate_scalar(problem: Problem, leaf: int, base: Array) -> Result:
    """Differentiate a scalar with respect to the entries of one leaf."""
    require_scalar(base, SUMS_AND_ROWS)
    readout = functools.partial(EachOutput, base)
    try:
        return problem.differentiate(leaf, base, entry_columns, readout)
    except TypeError:
        # A complex step that leaves a real result may have met no use of x at all.
        require_use(problem.function, ())
        raise


def _differentiate_rows(problem: Problem, base: Array) -> Result:
    prove_rows_independent(problem, base)
    return problem.differentiate(
        0, base, row_columns, functools.partial(EachOutput, base)
    )


def _differentiate_terms(
    problem: Problem, leaf: int, base: Array, coloring: Coloring | None
) -> Result:
    if coloring is None:
        return problem.differentiate(
            leaf, base, entry_columns, functools.partial(SumOfTerms, base)
        )
    column_colors = coloring.colors_like(problem.xp, base)

    def columns(xp: Any, x: Array) -> Columns:
        return columns_of_colors(xp, x, column_colors, coloring.num_colors)

    def readout(eps: float, noise: Array | None) -> Readout:
        return SparseSumOfTerms(base, eps, coloring, noise)

    return problem.differentiate(leaf, base, columns, readout)


def _coloring(sparsity: Any, x: Any, base: Array) -> Coloring | None:
    return None if sparsity is None else fitting_coloring(sparsity, x, base)
