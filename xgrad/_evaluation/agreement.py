"""Agreement of two results up to rounding."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    float_info,
    from_host,
    is_complex,
    is_everywhere,
    is_numpy,
    quiet,
)
from xgrad._evaluation.function import Function

# Rounding errors of a result, in units of eps times its size. NumPy adds blocks of 128
# terms in 8 sums, and then pairs of blocks: a term is rounded 16 + 3 + log2(n / 128)
# times, which is below 64 for all n that fit into memory. Functions that round more
# inside, or that cancel, are measured.
ROUNDING = 64.0
# Draws of random signs by which the noise of a function is measured, and by how much a
# proof may exceed it: few draws find typical moves, not the largest. Set by trial.
NOISE_DRAWS = 4
NOISE_FACTOR = 16


def agree(values: Any, expected: Any, allowed: Any) -> Any:
    """Mark where two results differ by at most ``allowed``; two nan are equal.

    The results are arrays that broadcast against each other, or numbers.
    """
    missing = (values != values) & (expected != expected)
    return (values == expected) | missing | (abs(values - expected) <= allowed)


def finite_size(xp: Any, values: Array) -> Array:
    """Return the absolute values, with 0 for those that are not finite."""
    size = xp.abs(values)
    return xp.where(xp.isfinite(values), size, xp.zeros_like(size))


def allowed_noise(function: Function, base: Array, eps: float, size: Array) -> Array:
    """Return by how much results may differ if the function rounds more inside.

    ``base`` is ``f(x)``, and ``size`` the size of the results. It is never more than
    half of the digits, sqrt(eps): fewer that agree would prove nothing.
    """
    noise = NOISE_FACTOR * _noise(function, base, eps)
    return function.xp.minimum(noise, eps**0.5 * function.xp.max(size))


def _noise(function: Function, base: Array, eps: float) -> Array:
    """Return by how much each result moves if the arguments move by a rounding."""
    xp, changes = function.xp, []
    for seed in range(NOISE_DRAWS):
        rounded = []
        for x in function.leaves:
            signs = np.random.default_rng(seed).choice([-1.0, 1.0], tuple(x.shape))
            moves = from_host(xp, signs, like=x, dtype=None)
            moves = xp.astype(moves, x.dtype) * (eps * xp.abs(x))
            rounded.append(x + moves)
        with at_perturbed_points():
            value = function.evaluate(rounded)
        changes.append(finite_size(xp, value - base))
    return functools.reduce(xp.maximum, changes)


def is_base(function: Function, value: Array, base: Array) -> bool:
    """Whether a value is ``f(x)``, the ``base``, up to rounding."""
    xp = function.xp
    # f(x) itself was real: functions of complex numbers round otherwise.
    digits = 0.5 if is_complex(xp, function.anchor) else 1.0
    return is_same(function, value, base, base, digits)


def is_same(
    function: Function,
    value: Array,
    expected: Array,
    base: Array,
    digits: float = 1.0,
) -> bool:
    """Whether a value of a function is that of a plain call, up to rounding.

    ``base`` is ``f(x)``, and ``digits`` the share of the digits that have to agree.
    """
    xp = function.xp
    if tuple(value.shape) != tuple(expected.shape):
        return False
    if not math.prod(base.shape) or is_everywhere(xp, value == expected):
        return True
    eps = max([float_info(xp, x.dtype).eps for x in (base, *function.leaves)])
    if is_numpy(xp) and base.ndim == 0 and digits == 1:
        # The usual case, in numbers of Python: a tenth of the time.
        numbers = value.item(), expected.item(), base.item()
        size = max([abs(n) for n in numbers[1:] if math.isfinite(abs(n))], default=0.0)
        if agree(*numbers[:2], ROUNDING * eps * size):
            return True
    with quiet():
        # Each entry by its own size: a small one must not hide behind a large one.
        size = xp.maximum(finite_size(xp, base), finite_size(xp, expected))
        if digits < 1:
            return bool(xp.all(agree(value, expected, eps**digits * xp.max(size))))
        allowed = ROUNDING * eps * size
        if bool(xp.all(agree(value, expected, allowed))):
            return True
        allowed = allowed + allowed_noise(function, base, eps, size)
        return bool(xp.all(agree(value, expected, allowed)))
