"""Error bounds and statuses of exact derivatives: what rounding may have done."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    float_info,
    from_host,
    is_everywhere,
    is_numpy,
    quiet,
    rebuild,
)
from xgrad._differences import Estimate, Result, Status
from xgrad._evaluation import Function
from xgrad.diff._ties import jumps_beside

# Roundings of a gradient that are no part of its condition: a few by each rule on the
# way to an entry.
ROUNDINGS = 8
# All entries of x move by a rounding, and once more the other way.
SIGNS = (1.0, -1.0)


def rounded_leaves(function: Function) -> Iterator[list[Array]]:
    """Yield the leaves moved by a rounding each, and those moved the other way."""
    xp, random = function.xp, np.random.default_rng(0)
    for sign in SIGNS:
        rounded = []
        for x in function.leaves:
            signs = sign * random.choice([-1.0, 1.0], tuple(x.shape))
            step = float_info(xp, x.dtype).eps * xp.abs(x)
            rounded.append(x + from_host(xp, signs, like=x, dtype=x.dtype) * step)
        yield rounded


def add_bounds(
    xp: Any,
    function: Function,
    results: Sequence[Result],
    derivative_at: Callable[[list[Array]], Sequence[Array]],
    kinks: Sequence[Any] | None = None,
    has_ties: bool = False,
) -> list[Result]:
    """Return results with bounds of the rounding errors, steps of 0, and statuses.

    ``derivative_at`` computes the same from other leaves, and ``kinks`` marks the
    entries that lie at a corner. At a point that ``has_ties`` the function may choose
    by what is equal there, so that other corners are looked for, too.
    """
    moves = [xp.zeros_like(result.value) for result in results]
    for leaves in rounded_leaves(function):
        try:
            others = derivative_at(leaves)
        except Exception:
            continue  # beside x the function may have no value
        moves = [
            xp.maximum(move, xp.where(xp.isfinite(g), xp.abs(g - result.value), 0.0))
            for move, g, result in zip(moves, others, results, strict=True)
        ]
    marks = [None] * len(results) if kinks is None else kinks
    if has_ties:
        values = [result.value for result in results]
        jumps = jumps_beside(xp, function, values, derivative_at)
        marks = [j if k is None else k | j for j, k in zip(jumps, marks, strict=True)]
    new = []
    for result, kink, move in zip(results, marks, moves, strict=True):
        g, eps = result.value, float_info(xp, result.value.dtype).eps
        error = ROUNDINGS * eps * xp.abs(g) + move
        if result.error is not None:
            error = error + result.error
        status = add_status(xp, result).status
        if kink is not None:
            is_ok = status == int(Status.OK)
            status = status + xp.astype(is_ok & kink, xp.int8) * int(Status.KINK)
        error = xp.where(xp.isfinite(g), error, math.inf)
        new.append(Result(g, error, xp.zeros_like(error), status))
    return new


def add_status(xp: Any, result: Result) -> Result:
    """Return a result with the statuses that its values show."""
    finite = xp.isfinite(result.value)
    status = xp.astype(~finite, xp.int8) * int(Status.NONFINITE)
    return replace(result, status=status)


def has_nan(xp: Any, value: Array) -> bool:
    """Whether an entry is nan, such as f(x) outside of the domain of log."""
    if type(value) is np.ndarray and not value.ndim:
        return bool(value != value)
    return bool(xp.any(xp.isnan(value)))


def mark_nan(xp: Any, result: Result, value: Array) -> Result:
    """Return a result that is not finite where f(x), of the first axes, is nan.

    The rules of log and the like have values there, too.
    """
    result = result.with_status()
    nan = xp.isnan(value)
    nan = xp.reshape(nan, (*nan.shape, *(1,) * (result.value.ndim - nan.ndim)))
    wrong = xp.astype(nan, xp.int8) * int(Status.NONFINITE)
    return replace(result, status=xp.where(result.status == 0, wrong, result.status))


def are_finite(xp: Any, arrays: Sequence[Array]) -> bool:
    """Whether all entries of arrays are finite: the host waits once for all of them."""
    if is_numpy(xp):
        return all(is_everywhere(xp, np.isfinite(a)) for a in arrays)
    everywhere = [xp.all(xp.isfinite(a)) for a in arrays]
    return bool(functools.reduce(operator.and_, everywhere))


def in_dtype(xp: Any, result: Result, dtype: Any) -> Result:
    """Return a result whose value is in a dtype; bounds stay in single at least."""
    if result.value.dtype == dtype:
        return result
    with quiet():
        value, error = cast(xp, result.value, dtype), result.error
        if error is not None:
            eps = float_info(xp, dtype).eps
            if eps > float_info(xp, result.value.dtype).eps:
                # Rounding the value to its dtype is an error, too.
                error = error + eps / 2 * xp.abs(result.value)
            wide = dtype if eps <= float_info(xp, xp.float32).eps else xp.float32
            error = cast(xp, error, wide)
        step = None if result.step is None else xp.zeros_like(error)
        return replace(result, value=value, error=error, step=step)


def estimate_of(x: Any, results: Sequence[Result], evaluations: int) -> Estimate:
    """Return the estimates of exact results, nested as ``x`` is."""
    error, step, status = (
        rebuild(x, [vars(result)[name] for result in results])
        for name in ("error", "step", "status")
    )
    return Estimate(error, step, status, evaluations, "autodiff")
