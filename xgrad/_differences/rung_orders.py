"""Derivatives of order 1 to 5 from the same values on all rungs of a ladder.

The odd part of ``f`` around x, over the step, is ``f' + f''' h**2 / 6 + ...``, and the
even part over its square ``f'' / 2 + f'''' h**2 / 24 + ...``. So are the quotients of
either: what changes from a rung to the next, over the difference of the squares of the
steps, is a derivative of the next order of the same kind, which needs no points of its
own. Truncation falls with the square of the step in all of them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array
from xgrad._differences.rung_values import RungValues


@dataclass(frozen=True, eq=False)
class Sequence:
    """Estimates of a derivative, one for each rung, and their noise.

    ``steps`` are the sums of the steps of both sides, halved.
    """

    xp: Any
    order: int
    values: Array
    noise: Array
    steps: Array

    @functools.cached_property
    def second_next(self) -> Sequence:
        """The estimates of two orders more: of the same parity."""
        larger, smaller = self.steps[:-1, ...], self.steps[1:, ...]
        # Where the squares overflow or underflow nothing is known.
        apart = (larger - smaller) * (larger + smaller)
        apart = self.xp.where(apart > 0, apart, math.nan)
        factor = (self.order + 1) * (self.order + 2) / apart
        values = (self.values[:-1, ...] - self.values[1:, ...]) * factor
        noise = (self.noise[:-1, ...] + self.noise[1:, ...]) * factor
        return Sequence(self.xp, self.order + 2, values, noise, larger)


def slopes_of(values: RungValues) -> Sequence:
    """Return the estimates of the first derivative."""
    spacing = values.steps[0] + values.steps[1]
    # Both values have this error, and the distance between them is the spacing.
    noise = values.noise_across / (spacing / 2)
    return Sequence(values.xp, 1, values.across / spacing, noise, spacing / 2)


def curvatures_of(values: RungValues) -> Sequence:
    """Return the estimates of the second derivative."""
    xp, (up, down) = values.xp, values.steps
    right, left = values.changes
    half = (up + down) / 2
    # A second difference weighs its values by 4 in sum.
    area = xp.where((half**2 > 0) & xp.isfinite(half**2), half**2, math.nan)
    noise = 4 * values.noise_across / area
    bend = (right / up + left / down) / half
    return Sequence(xp, 2, xp.where(xp.isnan(area), math.nan, bend), noise, half)


def sequence_of_order(values: RungValues, order: int) -> Sequence:
    """Return the estimates of a derivative of order 1 to 5."""
    sequence = slopes_of(values) if order % 2 else curvatures_of(values)
    while sequence.order < order:
        sequence = sequence.second_next
    return sequence


# Where the derivative of an order jumps by J, the estimate of the next order is this
# part of J over the step: of the first derivative, f(x + h) - 2 f(x) + f(x - h) is J h;
# of the second, the odd part is J h**2 / 4, of which the quotient of two rungs makes
# 6/4; of the third, the even part is J h**3 / 6, which makes 12/6.
JUMPS = {1: 1.0, 2: 1.5, 3: 2.0}


def jumps_of(values: RungValues, order: int) -> tuple[Array, Array]:
    """Return how much a derivative of order 1 to 3 jumps at x, by each rung, and noise.

    These fall with the step where there is no jump.
    """
    sequence = sequence_of_order(values, order + 1)
    length = sequence.steps
    if order > 1:
        # The quotient of two rungs is over the sum of both steps.
        length = length * (1 + 1 / values.ratio)
    length = length / JUMPS[order]
    return values.xp.abs(sequence.values) * length, sequence.noise * length
