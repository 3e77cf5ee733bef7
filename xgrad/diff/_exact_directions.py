"""Exact derivatives along one direction: by a vector, by all entries, of a gradient."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    common_namespace,
    float_info,
    from_host,
    is_lazy,
    quiet,
    result_dtype,
    to_numpy,
)
from xgrad._differences import Plan, Result, vectors_like
from xgrad._evaluation import Execution, Function, agree, bind_function
from xgrad.diff._attempts import Attempt, Inexact, is_inside
from xgrad.diff._forward import (
    Derived,
    corners,
    derivative_of,
    directed_product,
    push_exactly,
    random_cotangent,
)
from xgrad.diff._kink_marks import KinkMarks
from xgrad.diff._proof import Proof
from xgrad.diff._rounding import (
    SIGNS,
    add_bounds,
    add_status,
    are_finite,
    has_nan,
    in_dtype,
    mark_nan,
)
from xgrad.diff._search import Exact
from xgrad.diff._ties import has_ties, joined, jumps_of_rows

MIXED = (
    "`f` mixes entries of x, and `derivative` takes functions of each entry alone: use "
    "`jacobian`, or `jvp` for the sums of its rows"
)
UNCONFIRMED = "an infinite slope inside of `f`, whose products are undefined"
# Entries of f(x) up to which each is asked for its corners; beyond it, a corner marks
# all of them.
MOST_ROWS = 256


def exact_jvp(
    f: Callable[[Any], Any], x: Any, v: Any, plan: Plan, execution: Execution
) -> tuple[Result, int]:
    """Return the product of the Jacobian with ``v``, and the number of evaluations."""
    function, arrays = bind_function(f, x, plan.dtype, execution)
    vectors = vectors_like(function, v)
    dtype = result_dtype(function.xp, arrays[0][1], plan.dtype)
    _, result, evaluations = _along(Derived(function), vectors, plan, dtype)
    return result, evaluations


def exact_derivative(
    function: Function, plan: Plan, dtype: Any, require: Callable[[Array], None]
) -> tuple[Array, Result, int]:
    """Return f(x), the derivative of an elementwise function, and the evaluations.

    ``require`` raises unless f(x) has the shape of x.
    """
    derived = derivative_of(function, plan.order - 1)
    ones = function.xp.ones_like(function.leaves[0])

    def require_entries(exact: Exact) -> None:
        require(exact.value)
        if is_inside() or is_lazy(function.xp, ones) or math.prod(ones.shape) < 2:
            return
        # At each call: of a shift, for one, no rule knows by how much.
        if getattr(exact.recording, "mixes", True):
            _require_elementwise(function, exact.attempt, ones)

    return _along(derived, [ones], plan, dtype, require_entries)


def _require_elementwise(function: Function, attempt: Attempt, ones: Array) -> None:
    """Raise if an entry of the result depends on another entry of x."""
    xp, random = function.xp, np.random.default_rng(0)
    numbers = random.uniform(0.5, 1.0, tuple(ones.shape))
    numbers = numbers * random.choice([-1.0, 1.0], numbers.shape)
    direction = from_host(xp, numbers, like=ones, dtype=ones.dtype)
    derived = Derived(function)
    slopes, moved = (derived.push(attempt, [v]).tangent for v in (ones, direction))
    if slopes is None or moved is None:
        return
    size = xp.where(xp.isfinite(slopes), xp.abs(slopes), 0.0)
    allowed = math.sqrt(float_info(xp, ones.dtype).eps) * xp.max(size)
    if not bool(xp.all(agree(moved, slopes * direction, allowed))):
        raise ValueError(MIXED)


def exact_hvp(
    derived: Derived, arrays: Sequence[tuple[str, Array]], v: Any, plan: Plan
) -> list[Result]:
    """Return the products of a Hessian with ``v``, one for each leaf of x.

    ``derived`` is the gradient, and ``arrays`` are the leaves as they were passed.
    """
    function = derived.function
    xp = function.xp
    _, result, _ = _along(derived, vectors_like(function, v), plan, None)
    results, start = [], 0
    for (_, array), leaf in zip(arrays, function.leaves, strict=True):
        stop = start + math.prod(leaf.shape)
        part = result.map(functools.partial(_part, xp, slice(start, stop), leaf.shape))
        results.append(in_dtype(xp, part, result_dtype(xp, array, plan.dtype)))
        start = stop
    return results


def _part(xp: Any, key: slice, shape: tuple[int, ...], vector: Array) -> Array:
    """Return a part of a vector, or of an array of another shape, in its own shape."""
    return xp.reshape(xp.reshape(vector, (-1,))[key], shape)


def _along(
    derived: Derived,
    vectors: list[Array],
    plan: Plan,
    dtype: Any,
    require: Callable[[Exact], None] | None = None,
) -> tuple[Array, Result, int]:
    """Return f(x), its slope along a direction, in a dtype, and the evaluations."""
    xp = derived.function.xp
    with quiet():
        exact = push_exactly(derived, vectors)
        if require is not None:
            require(exact)
        attempt = exact.attempt
        slope, evaluations = exact.recording.tangent, exact.evaluations
        slope = xp.zeros_like(exact.value) if slope is None else slope
        hidden = is_inside() or is_lazy(xp, slope)
        result, is_finite = (
            Result(slope),
            hidden or are_finite(xp, [slope, exact.value]),
        )
        if not is_finite:
            slope = _without_branches(derived, attempt, vectors, exact.value, slope)
            result = add_status(xp, Result(slope))
        if plan.full_output:

            def slopes_at(leaves: list[Array]) -> list[Array]:
                there = replace(derived, function=derived.function.at_leaves(leaves))
                return [there.slope(attempt, vectors)]

            kinks = kinks_along(derived, attempt, exact.value, vectors)
            ties = not is_finite or has_ties(exact.recording, attempt, derived.function)
            if ties and (derived.attempt_of is None or derived.is_elementwise):
                function = derived.function
                jumps = jumps_of_rows(function, function.at_base(), vectors)
                kinks = joined(kinks, jumps)
            (result,) = add_bounds(
                xp, derived.function, [result], slopes_at, [kinks], ties
            )
            evaluations += len(SIGNS)
        is_of_f = derived.attempt_of is None  # and not of a derivative of it
        if is_of_f and not is_finite and has_nan(xp, exact.value):
            result = mark_nan(xp, result, exact.value)
        if dtype is not None:
            result = in_dtype(xp, result, dtype)
    return exact.value, result, evaluations


def _without_branches(
    derived: Derived, attempt: Attempt, vectors: list[Array], value: Array, slope: Array
) -> Array:
    """Replace slopes that are nan because of a branch that was not taken.

    Such a branch may have an infinite derivative, times 0. Where differences do not
    confirm that, `Inexact` is raised: these have to be taken.
    """
    xp, derived = derived.function.xp, derived.ignoring_zeros()
    missing = xp.isnan(slope) & xp.isfinite(derived.at(attempt).at_base())
    if not bool(xp.any(missing)):
        return slope
    again = xp.where(missing, derived.slope(attempt, vectors), slope)
    weights = xp.where(missing & xp.isfinite(again), random_cotangent(value), 0.0)
    proof = Proof(derived.at(attempt), cast(xp, weights, value.dtype))

    def product(direction: list[Any]) -> float:
        tangents = [
            from_host(xp, v, like=x, dtype=x.dtype)
            for x, v in zip(derived.function.leaves, direction, strict=True)
        ]
        slopes = to_numpy(derived.slope(attempt, tangents))
        slopes = np.where(proof.weights == 0, 0, slopes)
        return float(np.sum(proof.weights * slopes))

    if proof.confirms_products(product):
        return again
    raise Inexact(UNCONFIRMED)


def kinks_along(
    derived: Derived, attempt: Attempt, value: Array, vectors: Sequence[Array]
) -> Array | None:
    """Mark the entries of f(x) that pass a corner along a direction; None: not one."""
    marks = kinks_by_entry(derived, attempt, value)
    if marks is None:
        return None
    function = derived.function
    count = math.prod(value.shape)
    along = np.zeros(count, dtype=bool)
    for mark, v in zip(itertools.chain(*marks), [*vectors] * len(marks), strict=True):
        moved = np.asarray(to_numpy(v) != 0).reshape(-1)
        along = along | mark.along(moved, count)
    shaped = along.reshape(tuple(value.shape))
    return from_host(
        function.xp, shaped, like=function.leaves[0], dtype=function.xp.bool
    )


def kinks_by_entry(
    derived: Derived, attempt: Attempt, value: Array
) -> list[list[KinkMarks]] | None:
    """Mark the corners of a function, and of what it is made of, for each leaf.

    None if there are none at x.
    """
    own = _kinks_of_rows(derived, attempt, value)
    lower = _kinks_below(derived, attempt, value)
    return [marks for marks in (own, lower) if marks is not None] or None


def _kinks_below(
    derived: Derived, attempt: Attempt, value: Array
) -> list[KinkMarks] | None:
    """Mark the corners of the function whose derivative is derived.

    It has none in the derivative, which is that on one side, or the mean. Those that a
    slope of 0 hides may have an effect or not, which differences tell.
    """
    if derived.attempt_of is None:
        return None
    recording = attempt.record(derived.function)
    marks = corners(recording, derived.function)
    hidden = corners(recording, derived.function, are_hidden=True)
    if hidden is None:
        return None
    hosts = [np.asarray(to_numpy(mark)) for mark in hidden]
    if _is_smooth(derived, attempt, value, hosts):
        if marks is None:
            return None
        hosts = [np.asarray(to_numpy(mark)) for mark in marks]
    flat = [mark.reshape(-1) for mark in hosts]
    if derived.is_elementwise:
        return [KinkMarks(mark, is_diagonal=True) for mark in flat]
    rows = np.concatenate(flat)
    return [KinkMarks(mark, rows) for mark in flat]


def _is_smooth(
    derived: Derived, attempt: Attempt, value: Array, marks: list[Any]
) -> bool:
    """Whether differences find no corner along the entries that are marked."""
    proof = Proof(derived.at(attempt), random_cotangent(value))
    product = functools.partial(directed_product, derived, attempt, proof.weights)
    return proof.is_smooth(product, marks)


def _kinks_of_rows(
    derived: Derived, attempt: Attempt, value: Array
) -> list[KinkMarks] | None:
    """Mark the corners of a function; for many entries of f(x), if one has it."""
    recording = derived.record(attempt)
    marks = recording.kinks(random_cotangent(value))
    if marks is None:
        return None
    # Arrays of the standard are unwrapped in a recording.
    xp, rows = common_namespace(value=value), math.prod(value.shape)
    hosts = [np.asarray(to_numpy(mark)) for mark in marks]
    # Corners of what a derivative is made of may cancel, as those of a sorted sum.
    if derived.attempt_of and _is_smooth(derived, attempt, value, hosts):
        return None
    flat = [mark.reshape(-1) for mark in hosts]
    if derived.is_elementwise:
        return [KinkMarks(mark, is_diagonal=True) for mark in flat]
    if rows > MOST_ROWS:
        return [KinkMarks(mark) for mark in flat]
    table = [np.zeros((rows, mark.size), dtype=bool) for mark in flat]
    for row in range(rows):
        unit = np.zeros(rows)
        unit[row] = 1.0
        unit = unit.reshape(tuple(value.shape))
        marks = recording.kinks(from_host(xp, unit, like=value, dtype=value.dtype))
        for i, mark in enumerate(marks or ()):
            table[i][row] = np.asarray(to_numpy(mark)).reshape(-1)
    return [KinkMarks(np.zeros_like(t[0]), table=t) for t in table]
