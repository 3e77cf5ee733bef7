"""Weighted sums of the outputs of a function, where these are too many to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import Array, Portable, cast, is_numpy, quiet
from xgrad.check._directions import FACTORS
from xgrad.check._matrix import AnalyticMatrix
from xgrad.check._slopes import outputs_on_host

# So many sums are compared along each direction, at no further evaluation. An output
# has a small weight in all of them once in 256 times.
SUMS = 8
# An output counts at least as if it changed by this part of itself, the fourth root of
# float64's precision: the rounding errors of a large one that hardly changes would hide
# all others.
LEAST_CHANGE = 2.0**-13


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
        return self.add_up(self.call(x))

    def add_up(self, outputs: Array) -> Array:
        """Return the sums of outputs, in the precision of the weights."""
        xp, weights = self.xp, self.weights
        lead = (outputs.shape[0],) if self.batched else ()
        flat = cast(xp, xp.reshape(outputs, (*lead, -1)), weights.dtype)
        if is_numpy(xp):
            return flat @ weights.T
        # Products of matrices are rounded to fewer digits on some devices.
        return xp.sum(flat[..., None, :] * weights, axis=-1)


def draw_weights(
    base: Array, matrices: Sequence[AnalyticMatrix], seed: int
) -> np.ndarray:
    """Draw weights on the host that let all outputs change about alike.

    They are powers of two of either sign, ``(sums, outputs)``.
    """
    xp, dtype = matrices[0].xp, matrices[0].values.dtype
    with quiet():
        sizes = [base, *(matrix.row_sizes for matrix in matrices)]
    value, *changes = np.abs(outputs_on_host(xp, sizes, dtype))
    change = np.fmax(np.sum(changes, axis=0), LEAST_CHANGE * value)
    change = np.where(np.isfinite(change) & (change > 0), change, 1.0)
    _, exponents = np.frexp(change)
    rng = np.random.default_rng([seed, SUMS])
    return np.ldexp(rng.choice(FACTORS, (SUMS, len(change))), -exponents)
