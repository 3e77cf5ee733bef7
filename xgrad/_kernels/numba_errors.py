"""Numba: losses of elements, in one pass over their arguments.

A loss is a function of one prediction, one target and the option of the loss, which
returns the loss and its slope. `_loop` compiles a loop around it. All arrays are flat;
those that are not wanted are None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._kernels.numba_compile import compiled, inlined
from xgrad._kernels.numba_math import add, exp, log1p

# Elements whose losses are added to one sum: any number of threads gives the same.
BLOCK = 2**14
# A number of Python would make float64 of float32; these are exact in both.
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@inlined
def _are_any(target: Any) -> bool:
    return True


@inlined
def _are_fractions(target: Any) -> bool:
    are_valid = True
    for i in range(target.size):
        are_valid &= (target[i] >= _ZERO) & (target[i] <= _ONE)
    return are_valid


def _loop(
    loss_of: Callable[..., Any], are_valid: Callable[..., bool] = _are_any
) -> Any:
    """Return a compiled loop over blocks of elements whose targets keep a rule.

    The rule is checked before a block, which is then in the cache: within the loop it
    would keep LLVM from making SIMD instructions of some losses.
    """

    def fill(
        prediction: Any,
        target: Any,
        weight: Any,
        losses: Any,
        slope: Any,
        sums: Any,
        scale: Any,
        option: Any,
        begin: int,
        end: int,
    ) -> bool:
        """Compute losses, slopes and sums of blocks; return whether targets fit."""
        for block in range(begin, end):
            # Of a slice that is counted from 0 the compiler knows that no index is
            # negative, which would count from the end.
            first, stop = block * BLOCK, (block + 1) * BLOCK
            p, t = prediction[first:stop], target[first:stop]
            w = None if weight is None else weight[first:stop]
            each = None if losses is None else losses[first:stop]
            steps = None if slope is None else slope[first:stop]
            if not are_valid(t):
                return False
            total = 0.0
            for i in range(p.size):
                loss, step = loss_of(p[i], t[i], option)
                by = scale
                if w is not None:
                    loss = w[i] * loss if w[i] != 0 else w[i]
                    # The weight first: without it the slope may be too large a number.
                    by *= w[i]
                    step = step if w[i] != 0 else w[i]
                step *= by
                if each is not None:
                    each[i] = loss
                if steps is not None:
                    steps[i] = step
                if sums is not None:
                    total = add(total, np.float64(loss))
            if sums is not None:
                sums[block] = total
        return True

    return compiled(fill)


@inlined
def _squared(prediction: Any, target: Any, option: Any) -> Any:
    error = prediction - target
    return error * error, error + error


@inlined
def _half_squared(prediction: Any, target: Any, option: Any) -> Any:
    error = prediction - target
    return error * error * _HALF, error


@inlined
def _absolute(prediction: Any, target: Any, option: Any) -> Any:
    error = prediction - target
    # The last branch is 0, or nan.
    side = _ONE if error > _ZERO else (-_ONE if error < _ZERO else error)
    return abs(error), side


@inlined
def _huber(prediction: Any, target: Any, option: Any) -> Any:
    error = prediction - target
    size = abs(error)
    # As in the formula: no error beyond delta is squared. Comparisons keep nan.
    inner = option if size > option else size
    step = inner if error > _ZERO else -inner
    return inner * inner * _HALF + option * (size - inner), step


@inlined
def _sigmoid(logit: Any, target: Any, option: Any) -> Any:
    """Return the cross entropy of two classes; the option is the positive weight."""
    size = abs(logit)
    decay = exp(-size)
    tail, larger = log1p(decay), _ONE / (_ONE + decay)
    smaller = decay * larger
    is_positive = logit >= _ZERO
    if_one = tail if is_positive else size + tail
    if_zero = size + tail if is_positive else tail
    one, zero = option * target, _ONE - target
    # A loss is infinite for an infinite logit: a factor of 0 leaves it out.
    loss = (one * if_one if one != _ZERO else _ZERO) + (
        zero * if_zero if zero != _ZERO else _ZERO
    )
    of_one = larger if is_positive else smaller
    of_zero = smaller if is_positive else larger
    return loss, zero * of_one - one * of_zero


squared = _loop(_squared)
half_squared = _loop(_half_squared)
absolute = _loop(_absolute)
huber = _loop(_huber)
sigmoid = _loop(_sigmoid, _are_fractions)
