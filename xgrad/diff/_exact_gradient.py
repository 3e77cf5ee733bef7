"""Gradients by reverse mode: one way back over a proved recording of `f`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    float_info,
    from_host,
    is_lazy,
    quiet,
    rebuild,
    reshaped,
    result_dtype,
    to_numpy,
    wide_sum,
)
from xgrad._differences import (
    Estimate,
    Plan,
    Result,
    Status,
    entries_of,
    fitting_coloring,
    is_auto,
    require_rows,
    require_scalar,
    warn_unless_ok,
)
from xgrad._evaluation import Execution, Function, agree, bind_function
from xgrad.diff._attempts import is_inside
from xgrad.diff._exact import (
    pull_exactly,
    record_exactly,
)
from xgrad.diff._proof import Proof
from xgrad.diff._rounding import (
    SIGNS,
    add_bounds,
    add_status,
    are_finite,
    estimate_of,
    has_nan,
    mark_nan,
)
from xgrad.diff._rows import COUPLED_ROWS, require_one_number_a_row
from xgrad.diff._search import Exact
from xgrad.diff._ties import has_ties, joined, jumps_of_entries

SUMS_AND_ROWS = (
    "give `terms=True` if the sum of these terms is meant, or `axis=-1` if the rows of "
    "x are independent points"
)
# Entries without an exact value that are worth differences of their own, of which each
# takes some 60 evaluations.
MOST_REPAIRS = 64


def exact_gradient(
    f: Callable[[Any], Any], x: Any, sparsity: Any, plan: Plan, execution: Execution
) -> tuple[Any, Any, Estimate | None]:
    """Return f(x), the exact gradient and, if planned, the estimate of its errors.

    Raise `Inexact` where differences have to be taken instead.
    """
    function, arrays = bind_function(f, x, plan.dtype, execution)
    if plan.axis is not None:
        require_rows(x)

    def cotangent_of(value: Array) -> Array:
        _require_shape(function, value, plan, sparsity, x)
        if type(value) is np.ndarray:  # in a fifth of the time
            return np.ones(value.shape, value.dtype)
        return function.xp.ones_like(value)

    exact = record_exactly(function, cotangent_of, execution.max_bytes)
    value, cotangent = exact.value, cotangent_of(exact.value)
    with quiet():
        slopes = pull_exactly(exact.recording, cotangent)
        # Values that are recorded, or not known yet, are for their own derivative.
        hidden = is_inside() or is_lazy(function.xp, value)
        if plan.axis is not None and not hidden:
            # At each call: of a shift, for one, no rule knows by how much.
            _require_independent_rows(function, exact, slopes[0])
        evaluations, results = exact.evaluations, [Result(slope) for slope in slopes]
        is_finite = hidden or are_finite(function.xp, [*slopes, value])
        if not is_finite:
            results, evaluations = repair(function, exact, cotangent, slopes)
        if plan.full_output:
            budget = execution.max_bytes
            # What a branch has made nan may be a corner, as that of sqrt(x**2).
            ties = not is_finite or has_ties(exact.recording, exact.attempt, function)
            results = _with_estimates(function, exact, cotangent, results, budget, ties)
            evaluations += len(SIGNS)
        elif not is_finite:
            results = [add_status(function.xp, result) for result in results]
        if plan.terms:
            value = cast(function.xp, wide_sum(function.xp, value), value.dtype)
        elif plan.axis is None:
            value = reshaped(function.xp, value, ())
        if not is_finite and has_nan(function.xp, value):
            results = [mark_nan(function.xp, result, value) for result in results]
        dtypes = [result_dtype(function.xp, a, plan.dtype) for _, a in arrays]
        slopes = [
            cast(function.xp, r.value, d) for r, d in zip(results, dtypes, strict=True)
        ]
    gradient = rebuild(x, slopes)
    if not plan.full_output:
        if not is_finite:
            names = [name for name, _ in arrays]
            warn_unless_ok("gradient", results, entries_of(names))
        return value, gradient, None
    return value, gradient, estimate_of(x, results, evaluations)


def _require_shape(
    function: Function, value: Array, plan: Plan, sparsity: Any, x: Any
) -> None:
    """Raise unless f(x) has the shape that the plan asks for."""
    if plan.axis is not None:
        require_one_number_a_row(function, value)
    elif not plan.terms:
        require_scalar(value, SUMS_AND_ROWS)
    elif sparsity is not None and not is_auto(sparsity):
        fitting_coloring(sparsity, x, value)


def _require_independent_rows(function: Function, exact: Exact, slopes: Array) -> None:
    """Raise if a row of the result depends on another row of x."""
    xp, value = function.xp, exact.value
    if math.prod(value.shape) < 2:
        return
    weights = from_host(xp, _zero_sum(value), like=value, dtype=value.dtype)
    weighted = exact.recording.pull(weights)[0]
    size = xp.max(xp.abs(slopes), axis=-1, keepdims=True)
    allowed = math.sqrt(float_info(xp, slopes.dtype).eps) * size
    same = agree(weighted, weights[..., None] * slopes, allowed)
    if not bool(xp.all(same)):
        raise ValueError(COUPLED_ROWS)


def _zero_sum(value: Array) -> Any:
    """Return weights for rows of which two are hardly the same, and the sum is 0.

    What all rows share may be infinite: times a sum of 0 it is nan.
    """
    random = np.random.default_rng(0)
    numbers = random.integers(1024, 2048, tuple(value.shape)).astype(np.float64)
    numbers *= random.choice([-1, 1], numbers.shape)
    numbers.flat[-1] -= np.sum(numbers)
    if not numbers.flat[-1]:
        numbers.flat[0] += 1
        numbers.flat[-1] -= 1
    return numbers / 1024


def repair(
    function: Function, exact: Exact, cotangent: Array, slopes: list[Array]
) -> tuple[list[Result], int]:
    """Replace entries that are nan because a branch was not taken.

    Such a branch may have an infinite derivative, times 0. Entries that differences
    confirm are exact; of others, if they are few, the differences are returned, with
    their error bounds. Also return the evaluations so far.
    """
    xp, unchanged = function.xp, [Result(g) for g in slopes]
    missing = [xp.isnan(g) for g in slopes]
    has_value = bool(xp.all(xp.isfinite(exact.value)))
    if not has_value or not any(bool(xp.any(mask)) for mask in missing):
        return unchanged, exact.evaluations
    again = exact.recording.pull(cotangent, ignores_zeros=True)
    masks = [to_numpy(xp.isfinite(g) & m) for g, m in zip(again, missing, strict=True)]
    proof = Proof(function, cotangent)
    results = unchanged
    if any(m.any() for m in masks) and proof.confirms(again, masks):
        results = [
            Result(xp.where(m, new, g))
            for m, new, g in zip(missing, again, slopes, strict=True)
        ]
    elif sum(int(m.sum()) for m in masks) <= MOST_REPAIRS:
        results = _measure(function, proof, slopes, masks)
    return results, exact.evaluations + proof.evaluations


def _measure(
    function: Function, proof: Proof, slopes: list[Array], masks: list[Any]
) -> list[Result]:
    """Take differences for the entries that a mask names."""
    xp, results = function.xp, []
    for i, (g, mask) in enumerate(zip(slopes, masks, strict=True)):
        values = np.array(to_numpy(g), dtype=np.float64)
        bounds = np.zeros(values.shape)
        for entry in zip(*np.nonzero(mask), strict=True):
            slope = proof.slope_of_entry(i, entry)
            # At a corner or a jump, and where no step resolves it, it stays nan.
            if slope.status == Status.OK:
                values[entry], bounds[entry] = slope.value, slope.error
        value, error = (
            from_host(xp, a, like=g, dtype=g.dtype) for a in (values, bounds)
        )
        results.append(Result(value, error))
    return results


def _with_estimates(
    function: Function,
    exact: Exact,
    cotangent: Array,
    results: Sequence[Result],
    max_bytes: int | None,
    ties: bool,
) -> list[Result]:
    """Return results with bounds of the rounding errors, and their statuses."""

    def slopes_at(leaves: list[Array]) -> list[Array]:
        other = exact.attempt.record(function.at_leaves(leaves), max_bytes)
        value = function.convert_result(other.result)
        slopes: list[Array] = other.pull(function.xp.ones_like(value))
        return slopes

    kinks = exact.recording.kinks(cotangent)
    jumps = jumps_of_entries(function, exact.value) if ties else None
    if jumps is not None:
        rows = tuple(range(exact.value.ndim))
        marks = [
            from_host(function.xp, np.any(jump, axis=rows), like=x, dtype=bool)
            for jump, x in zip(jumps, function.leaves, strict=True)
        ]
        kinks = list(map(joined, kinks or [None] * len(marks), marks))
    return add_bounds(function.xp, function, results, slopes_at, kinks, ties)
