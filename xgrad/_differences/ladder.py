"""The ladder: steps of all sizes at once, and the one with the least error answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xgrad._differences.result import Result, Status, status_codes, where_results
from xgrad._differences.rung_choice import BOUND, choose, pick
from xgrad._differences.rung_orders import JUMPS, jumps_of, sequence_of_order
from xgrad._differences.rung_status import find_corner, find_piece, is_unresolved
from xgrad._differences.rung_values import RungValues
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import Rungs


@dataclass(frozen=True)
class Ladder:
    """Many steps at once; the one with the least estimated error answers.

    Two neighbouring rungs give a derivative of accuracy 4 by Richardson's extrapolation
    (one-sided: of accuracy 2), and the rungs below them its error. The points are the
    same for an ``order`` of 1 to 4.
    """

    rungs: Rungs
    order: int = 1

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        return self.rungs.offsets

    def relative_step(self, eps: float) -> float:
        """Return the smallest step for a component of size 1."""
        return self.rungs.smallest

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column, ``(columns, *outputs)``.

        Where the points of one side are missing (not finite, or outside the bounds)
        on some rungs, the other side answers a slope if its error is smaller.
        """
        xp = samples.xp
        values = RungValues.of_samples(self.rungs, samples)
        best = _central(values, self.order)
        for side in (0, 1) if self.order == 1 else ():
            other = _one_sided(values, side)
            better = values.missing & (other.error < best.error)
            best = where_results(xp, better, other, best)
        kink = best.status == int(Status.KINK)
        lost = ~xp.isfinite(best.error) & ~kink
        unresolved = best.status == int(Status.UNRESOLVED)
        unresolved = unresolved & ~lost | values.vanished
        return Result(
            xp.where(lost, math.nan, best.value),
            xp.where(lost, math.inf, BOUND * best.error),
            xp.where(lost, 0.0, best.step),
            status_codes(xp, lost, kink, unresolved),
        )


def _central(values: RungValues, order: int) -> Result:
    """Answer by central differences, extrapolated to accuracy 4."""
    xp = values.xp
    sequence = sequence_of_order(values, order)
    choice = choose(xp, sequence.values, sequence.noise, values.ratio**2)
    error, kink = choice.error, choice.error < 0
    for lower in range(1, min(order, len(JUMPS)) + 1):
        jumps, size = find_corner(xp, *jumps_of(values, lower), choice.rung)
        # Both sides have equal rights: a bound reaches them, if they have values.
        half = size / 2 if lower == order else xp.full_like(size, math.inf)
        error = xp.where(jumps, xp.maximum(error, half), error)
        kink = kink | jumps
    unresolved = is_unresolved(choice, sequence.values)
    if order == 1:
        piece, beyond = find_piece(values, choice, sequence.values)
        error = xp.where(piece, xp.maximum(error, beyond), error)
        unresolved = unresolved | piece
    code = status_codes(xp, kink & False, kink, unresolved & ~kink)
    return Result(choice.value, error, pick(xp, sequence.steps, choice.rung), code)


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
