"""Evaluate a function of float32 arrays in float64, where it allows that.

Rounding errors of float32 hide mistakes of less than a thousandth. Most functions
compute in the precision of their argument, and in float64 they show such mistakes.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    cast,
    float_info,
    from_host,
    is_floating,
    quiet,
    wide_dtype,
)
from xgrad._differences import Problem
from xgrad._evaluation import Function
from xgrad.check._directions import entry_sizes
from xgrad.check._slopes import outputs_on_host

FLOAT32, FLOAT64 = 2.0**-23, 2.0**-52
# Values in both precisions agree to this part, the root of float32's precision: a value
# may lose half of its digits where it subtracts numbers of similar size.
AGREEMENT = FLOAT32**0.5
# Moves of this part of x vanish if x is rounded to float32, half of whose spacing is at
# least 2**-25 of a number.
BELOW_FLOAT32 = 2.0**-28
# Rounding errors of float64 by which f(x) may move at least, to be expected to move.
VISIBLE = 64.0


def evaluate_in_double(
    problem: Problem,
    base: Array,
    analytic: Sequence[Array] | None,
    arrays: Sequence[Array],
    seed: int,
) -> tuple[Problem, Array]:
    """Return the problem in float64, and ``f(x)`` there; as they are if `f` is not.

    So they are, too, if the caller has chosen a dtype.
    ``arrays`` are those of the caller. The function is called with float64, and is
    believed if it returns float64, and nearly the same value, and responds to a move
    that float32 would round away. The ``analytic`` derivatives tell which outputs have
    to respond; without them one is enough.
    """
    xp = problem.xp
    if problem.plan.dtype is not None or not _are_single(xp, arrays):
        return problem, base
    double = wide_dtype(xp, problem.function.leaves[0])
    leaves = [cast(xp, x, double) for x in problem.function.leaves]
    moves = [_tiny_move(xp, x, (seed, i)) for i, x in enumerate(leaves)]
    function = problem.function.at_leaves(leaves)
    values = _values_at_move(problem, function, moves)
    if values is None or values[0].dtype != double or values[0].shape != base.shape:
        return problem, base
    outputs = outputs_on_host(xp, [base, *values], double)
    if analytic is None:
        is_double = _agree(*outputs[:2]) and bool(np.any(outputs[1] != outputs[2]))
    else:
        expected = _squares_of_changes(xp, analytic, moves)
        is_double = _is_double(*outputs, *outputs_on_host(xp, [expected], double))
    if not is_double:
        return problem, base
    return replace(problem, function=function), values[0]


def _values_at_move(
    problem: Problem, function: Function, moves: Sequence[Array]
) -> tuple[Array, Array] | None:
    """Return ``f(x)``, and f at a perturbed x; None if the function raises."""
    with quiet():
        leaves = list(map(operator.add, function.leaves, moves))
    try:
        with at_perturbed_points():
            return function.at_base(), function.at_leaves(leaves).at_base()
    # Whatever it raises, it does not take float64.
    except Exception:
        return None
    finally:
        problem.evaluator.meter.add_single()
        problem.evaluator.meter.add_single()


def _squares_of_changes(
    xp: Any, analytic: Sequence[Array], moves: Sequence[Array]
) -> Array:
    """Return the squares of the changes of each output that slopes predict."""
    with quiet():
        squares = [
            xp.sum(xp.reshape(g * move, (g.shape[0], -1)) ** 2, axis=-1)
            for g, move in zip(analytic, moves, strict=True)
        ]
        return functools.reduce(operator.add, squares)


def _are_single(xp: Any, arrays: Sequence[Array]) -> bool:
    """Whether there are arrays of float32, none of less, and the device has float64."""
    if not all(is_floating(xp, x) for x in arrays):
        return False
    coarsest = max(float_info(xp, x.dtype).eps for x in arrays)
    wide = float_info(xp, wide_dtype(xp, arrays[0])).eps
    return coarsest == FLOAT32 and wide == FLOAT64


def _tiny_move(xp: Any, x: Array, seed: tuple[int, ...]) -> Array:
    """Draw a move of all entries that float32 rounds away.

    Random factors, because those of a direction may cancel to the last bit.
    """
    rng = np.random.default_rng(seed)
    factors = rng.uniform(0.5, 1.0, tuple(x.shape)) * BELOW_FLOAT32
    factors = np.where(rng.random(tuple(x.shape)) < 0.5, -factors, factors)
    with quiet():
        return from_host(xp, factors, like=x, dtype=x.dtype) * entry_sizes(xp, x)


def _is_double(
    single: np.ndarray, double: np.ndarray, perturbed: np.ndarray, expected: np.ndarray
) -> bool:
    """Whether outputs tell that a function computed in float64.

    ``expected`` are the squares of the changes from ``double`` to ``perturbed`` that
    the analytic derivatives predict.
    """
    predicted = np.sqrt(np.where(np.isfinite(expected), expected, 0.0))
    # Moves of the size of x change f(x) by so much; a sum of terms of either sign may
    # be smaller than its rounding errors.
    if not _agree(single, double, predicted / BELOW_FLOAT32):
        return False
    visible = predicted > VISIBLE * FLOAT64 * np.abs(double)
    return bool(np.all((perturbed != double) | ~visible))


def _agree(
    single: np.ndarray, double: np.ndarray, sensitivity: np.ndarray | float = 0.0
) -> bool:
    """Whether outputs in both precisions agree as far as float32 tells."""
    scale = np.maximum(np.maximum(np.abs(single), np.abs(double)), sensitivity)
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(double - single) <= AGREEMENT * scale))
