"""The ladder: steps of all sizes at once, and the one with the least error answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xgrad._differences.result import Result, Status, status_codes, where_results
from xgrad._differences.rung_choice import choose, pick
from xgrad._differences.rung_status import find_corner, find_piece, is_unresolved
from xgrad._differences.rung_values import RungValues
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import Rungs

# The least estimated error is an estimate, not a bound: of 1,280 random functions the
# true error exceeded it in 2 of 100 cases, and three times it in 1 of 1000.
BOUND = 3


@dataclass(frozen=True)
class Ladder:
    """Many steps at once; the one with the least estimated error answers.

    Two neighbouring rungs give a derivative of accuracy 4 by Richardson's extrapolation
    (one-sided: of accuracy 2), and the rungs below them its error.
    """

    rungs: Rungs

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        return self.rungs.offsets

    def relative_step(self, eps: float) -> float:
        """Return the smallest step for a component of size 1."""
        return self.rungs.smallest

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column, ``(columns, *outputs)``.

        Where the points of one side are missing (not finite, or outside the bounds)
        on some rungs, the other side answers if it does so with a smaller error.
        """
        xp = samples.xp
        values = RungValues.of_samples(self.rungs, samples)
        best = _central(values)
        for side in (0, 1):
            other = _one_sided(values, side)
            better = values.missing & (other.error < best.error)
            best = where_results(xp, better, other, best)
        lost = ~xp.isfinite(best.error)
        kink = best.status == int(Status.KINK)
        unresolved = best.status == int(Status.UNRESOLVED)
        unresolved = unresolved & ~lost | values.vanished
        return Result(
            xp.where(lost, math.nan, best.value),
            xp.where(lost, math.inf, BOUND * best.error),
            xp.where(lost, 0.0, best.step),
            status_codes(xp, lost, kink, unresolved),
        )


def _central(values: RungValues) -> Result:
    """Answer by central differences, extrapolated to accuracy 4."""
    xp = values.xp
    spacing = values.steps[0] + values.steps[1]
    slopes = values.across / spacing
    # Both values have this error, and the distance between them is the spacing.
    noise = values.noise_across / (spacing / 2)
    choice = choose(xp, slopes, noise, values.ratio**2)
    kink, half = find_corner(values, choice, noise)
    piece, beyond = find_piece(values, choice, slopes)
    error = xp.where(kink, xp.maximum(choice.error, half), choice.error)
    error = xp.where(piece, xp.maximum(error, beyond), error)
    unresolved = is_unresolved(choice, slopes) | piece
    code = status_codes(xp, kink & False, kink, unresolved & ~kink)
    return Result(choice.value, error, pick(xp, spacing / 2, choice.rung), code)


def _one_sided(values: RungValues, side: int) -> Result:
    """Answer by the differences of the right (0) or the left (1), accuracy 2."""
    xp = values.xp
    step = values.steps[side] if side == 0 else -values.steps[side]
    slopes = values.changes[side] / step
    # Two values have this error, the one at x and the one beside it.
    noise = 2 * values.noise[side] / xp.abs(step)
    choice = choose(xp, slopes, noise, values.ratio)
    unresolved = is_unresolved(choice, slopes)
    code = xp.astype(unresolved, xp.int8) * int(Status.UNRESOLVED)
    return Result(choice.value, choice.error, pick(xp, xp.abs(step), choice.rung), code)
