"""Weighted sums of the outputs of a function, where these are too many to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    cast,
    float_info,
    from_host,
    is_numpy,
    quiet,
    wide_dtype,
)
from xgrad._differences import Problem
from xgrad.check._directions import FACTORS
from xgrad.check._matrix import AnalyticMatrix
from xgrad.check._slopes import CheckedFunction, outputs_on_host
from xgrad.check._verdict import default_rtol

# So many sums are compared along each direction, at no further evaluation. An output
# has a small weight in all of them once in 256 times.
SUMS = 8
# An output counts at least as if it changed by this part of itself, the fourth root of
# float64's precision: the rounding errors of a large one that hardly changes would hide
# all others.
LEAST_CHANGE = 2.0**-13


class Outputs(Protocol):
    """The outputs of a function, to be compared in weighted sums, or one by one."""

    @property
    def count(self) -> int:
        """Number of outputs."""

    @property
    def eps(self) -> float:
        """Precision of the function."""

    def default_rtol(self, analytic_eps: float) -> float:
        """Return the tolerance for entries of a matrix given with this precision."""

    def one_by_one(self) -> CheckedFunction:
        """Return the function of all outputs, with their analytic derivatives."""

    def draw_weights(self, seed: int) -> np.ndarray:
        """Draw the weights of sums, on the host, ``(sums, outputs)``."""

    def weighted(self, weights: np.ndarray) -> CheckedFunction:
        """Return the function of weighted sums, with its analytic derivatives."""


@dataclass(frozen=True, eq=False)
class FunctionOutputs:
    """The outputs of a function with their analytic derivatives.

    ``base`` is ``f(x)``, and ``eps`` the precision of the function.
    """

    problem: Problem
    base: Array
    matrices: Sequence[AnalyticMatrix]
    eps: float

    @property
    def count(self) -> int:
        """Number of outputs."""
        return int(self.matrices[0].values.shape[0])

    def default_rtol(self, analytic_eps: float) -> float:
        """Return the tolerance for entries of a matrix given with this precision."""
        return default_rtol(self.eps, analytic_eps)

    def one_by_one(self) -> CheckedFunction:
        """Return the function itself, with all of its outputs."""
        noise = self.problem.xp.zeros_like(self.base, dtype=self._wide)
        analytic = tuple(matrix.dense for matrix in self.matrices)
        eps = self.eps
        return CheckedFunction(self.problem, self.base, analytic, eps, eps, noise)

    def draw_weights(self, seed: int) -> np.ndarray:
        """Draw weights that let all outputs change about alike.

        They are powers of two of either sign.
        """
        with quiet():
            sizes = [self.base, *(matrix.row_sizes for matrix in self.matrices)]
        value, *changes = np.abs(outputs_on_host(self.problem.xp, sizes, self._wide))
        change = np.fmax(np.sum(changes, axis=0), LEAST_CHANGE * value)
        change = np.where(np.isfinite(change) & (change > 0), change, 1.0)
        _, exponents = np.frexp(change)
        rng = np.random.default_rng([seed, SUMS])
        return np.ldexp(rng.choice(FACTORS, (SUMS, len(change))), -exponents)

    def weighted(self, weights: np.ndarray) -> CheckedFunction:
        """Return the function of weighted sums, with its analytic derivatives."""
        problem, xp, wide = self.problem, self.problem.xp, self._wide
        rows = from_host(xp, weights, like=self.base, dtype=wide)
        function = problem.function
        call = OutputSums(function.call, xp, rows, function.batched)
        summed = replace(problem, function=replace(function, call=call))
        base = xp.reshape(cast(xp, self.base, wide), (1, -1))
        with quiet():
            # An entry is rounded to half a unit in the last place, eps / 2 of it; such
            # errors are spread evenly and measure about half of that. Their squares
            # add up.
            errors = xp.where(rows == 0, 0.0, rows * base * (self.eps / 4))
            noise = xp.sqrt(xp.sum(errors**2, axis=-1))
            sums = xp.sum(xp.where(rows == 0, 0.0, rows * base), axis=-1)
        analytic = tuple(matrix.weighted(rows) for matrix in self.matrices)
        rounding, count = float_info(xp, wide).eps, int(self.count)
        return CheckedFunction(
            summed, sums, analytic, self.eps, rounding, noise, summed=count
        )

    @property
    def _wide(self) -> Any:
        return wide_dtype(self.problem.xp, self.base)


@dataclass(frozen=True, eq=False)
class OutputSums(Portable):
    """Sums of the outputs of ``call``, with a row of ``weights`` for each.

    With ``batched``, outputs have a leading axis of points.
    """

    call: Callable[[Any], Any]
    xp: Any
    weights: Array
    batched: bool

    @property
    def anchor(self) -> Array:
        """An array by which another process recognises the namespace."""
        return self.weights

    def __call__(self, x: Any) -> Array:
        """Return the sums at ``x``."""
        xp, weights, outputs = self.xp, self.weights, self.call(x)
        lead = (outputs.shape[0],) if self.batched else ()
        flat = cast(xp, xp.reshape(outputs, (*lead, -1)), weights.dtype)
        if is_numpy(xp):
            return flat @ weights.T
        # Products of matrices are rounded to fewer digits on some devices.
        return xp.sum(flat[..., None, :] * weights, axis=-1)
