"""Slopes of a scalar function by differences, as outputs to be differentiated again.

The Hessian of `f` is the Jacobian of its gradient. Where `f` alone is known, slopes
along a few directions stand in for the gradient: differences of accuracy 4, which are
smooth functions of x themselves, but for their rounding errors.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    at_perturbed_points,
    cast,
    float_info,
    from_host,
    quiet,
    to_numpy,
    wide_dtype,
)
from xgrad._differences import Problem, stencil
from xgrad._evaluation import Function
from xgrad.check._directions import FACTORS, entry_sizes
from xgrad.check._matrix import AnalyticMatrix
from xgrad.check._slopes import CheckedFunction
from xgrad.check._verdict import default_rtol

# Slopes along so many directions are compared, each of which costs 4 evaluations.
SUMS = 4
CENTRAL = stencil("central", 4)
CALLS = len(CENTRAL.rounded_weights)


@dataclass(frozen=True, eq=False)
class SlopeOutputs:
    """The slopes of a scalar function by the entries of ``x``, with their derivatives.

    ``base`` is ``f(x)``, and ``eps`` the precision of the function.
    """

    problem: Problem
    base: Array
    matrix: AnalyticMatrix
    eps: float

    @property
    def count(self) -> int:
        """Number of slopes."""
        return math.prod(self.matrix.x.shape)

    def default_rtol(self, analytic_eps: float) -> float:
        """Return the tolerance for entries of a matrix given with this precision.

        Slopes have lost a fifth of the digits of `f`, and small second derivatives
        lose more than large ones: ten times that of first derivatives.
        """
        lost = 10 * default_rtol(self.eps, self.eps)
        return max(lost, default_rtol(self.eps, analytic_eps))

    def one_by_one(self) -> CheckedFunction:
        """Return the function of all slopes."""
        return replace(self.weighted(np.eye(self.count)), summed=1)

    def draw_weights(self, seed: int) -> np.ndarray:
        """Draw weights that move all entries in proportion to their sizes."""
        factors = np.random.default_rng([seed, SUMS]).choice(
            FACTORS, (SUMS, self.count)
        )
        return factors * self._sizes

    def weighted(self, weights: np.ndarray) -> CheckedFunction:
        """Return the function of slopes along directions, the rows of ``weights``."""
        problem, xp = self.problem, self.problem.xp
        function = problem.function
        x = function.leaves[0]
        wide = wide_dtype(xp, x)
        # No entry moves farther than its size.
        lengths = np.max(np.abs(weights) / self._sizes, axis=1)
        lengths = np.where(lengths == 0, 1.0, lengths)
        moves = weights / lengths[:, None]
        call = DirectionalSlopes(
            function,
            xp,
            from_host(xp, moves, like=x, dtype=x.dtype),
            from_host(xp, lengths, like=x, dtype=wide),
        )
        slopes = replace(problem, function=replace(function, call=call))
        with at_perturbed_points():
            base = slopes.at_base()
        rows = from_host(xp, weights, like=x, dtype=wide)
        with quiet():
            # Values of `f` are rounded several times: to eps of f(x) in all.
            value = xp.abs(cast(xp, xp.reshape(self.base, ()), wide))
            rounded = value * (self.eps / relative_step(xp, x.dtype))
            noise = call.lengths * xp.where(xp.isfinite(rounded), rounded, 0.0)
        calls = CALLS * len(weights)
        analytic = (self.matrix.weighted(rows),)
        return CheckedFunction(
            slopes, base, analytic, self.eps, self.eps, noise, self.count, calls
        )

    @functools.cached_property
    def _sizes(self) -> np.ndarray:
        x = self.matrix.x
        sizes = to_numpy(entry_sizes(self.problem.xp, x)).astype(np.float64)
        return sizes.reshape(-1)


@dataclass(frozen=True, eq=False)
class DirectionalSlopes(Portable):
    """Slopes of a scalar function along ``moves``, each times its ``length``."""

    function: Function
    xp: Any
    moves: Array
    lengths: Array

    @property
    def anchor(self) -> Array:
        """An array by which another process recognises the namespace."""
        return self.moves

    def __call__(self, x: Array) -> Array:
        """Return the slopes at ``x``."""
        xp = self.xp
        step = relative_step(xp, x.dtype)
        slopes = [self._slope(x, i, step) for i in range(self.moves.shape[0])]
        return xp.stack(slopes, axis=-1) * self.lengths

    def _slope(self, x: Array, direction: int, step: float) -> Array:
        xp, function = self.xp, self.function
        shape = tuple(function.leaves[0].shape)
        move = cast(xp, xp.reshape(self.moves[direction, ...], shape), x.dtype)
        lead = (x.shape[0],) if function.batched else ()

        def value(offset: int) -> Array:
            with quiet():
                point = x + (offset * step) * move
            value = function.evaluate([point])
            return xp.reshape(cast(xp, value, self.lengths.dtype), lead)

        with quiet():
            change = sum(
                weight * (value(offset) - value(-offset))
                for offset, weight in CENTRAL.rounded_weights
                if offset > 0
            )
            return change / step


def relative_step(xp: Any, dtype: Any) -> float:
    """Return the step of the slopes, relative to x: a power of two near eps**(1/5).

    The truncation error of accuracy 4, h**4, is then as large as the rounding error,
    eps / h.
    """
    return 2.0 ** round(math.log2(float_info(xp, dtype).eps) / 5)
