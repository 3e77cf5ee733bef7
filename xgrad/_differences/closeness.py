"""Two values close to x, along one direction: what larger steps pass over.

One step says nothing of what is narrower than it. Two values close to x do: their slope
is less exact, but it holds for all that is wider than their distance, and a slope over
larger steps has to agree with it. They lie on both sides of x or, of one-sided methods,
on one side, at one distance and its double.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result
from xgrad._differences.samples import DEVIATIONS, Samples
from xgrad._differences.stencil import SINGLE_EPS, Stencil, stencil
from xgrad._evaluation import Points

# Of float64 the distance is 2e-9 of a component: rounding leaves 7 digits of a slope of
# size f / x there, more than the 4 from which on an error counts. Float32 has no more
# than 7 digits to share: 2e-4 leaves 3 of them.
CLOSE = {"float64": 2.0**-29, "float32": 2.0**-12}
# Roundings of the size of its result that `f` is expected to add up inside, as in the
# bounds of stencils.
ROUNDINGS = 3
# How many bounds both slopes must differ by. Set by trial: fewer doubt what is right,
# more let waves pass that steps jump over.
CONTRADICTION = 2


# The least accurate stencils whose truncation is nothing so close to x.
ACROSS, ASIDE = stencil("central", 2), stencil("forward", 2)


def close_distance(eps: float) -> float:
    """Return the distance of two values that are close to x, relative to a size."""
    return CLOSE["float64" if eps < SINGLE_EPS else "float32"]


@dataclass(frozen=True, eq=False)
class CloseLine:
    """Values of ``f`` close to x, along a line.

    ``line`` has the points, ``base`` is ``f(x)``, ``values``, ``(offsets,
    *f(x).shape)``, belong to the points, and ``reaches`` are the positive offsets that
    count, from the smallest up, which is the ``distance`` relative to the size of a
    component. ``stencil`` takes the slopes, each reach being its step.
    """

    xp: Any
    readout: Readout
    line: Points
    base: Array
    values: Array
    reaches: tuple[int, ...]
    distance: float
    eps: float
    stencil: Stencil = ACROSS

    def contradicts(self, points: Points, result: Result) -> Array:
        """Return a mask of slopes along the line that differ from those of a result.

        ``result`` has the derivatives by the columns of ``points``.
        """
        xp, readout, first = self.xp, self.readout, self.reaches[0]
        slopes = [self._slope(reach) for reach in self.reaches]
        moves = readout.components(points, self.line.step * float(first))
        expected = readout.sum_columns(xp, result.value * moves)
        allowed = readout.sum_columns(xp, result.error * xp.abs(moves))
        # The rounding of `x` inside `f` is as large a part of a move.
        lost = readout.sum_columns(xp, xp.abs(result.value * moves))
        lost = lost * (self.eps / self.distance)
        mask = xp.zeros_like(expected, dtype=xp.bool)
        for i, reach in enumerate(self.reaches):
            room = self._rounding(reach) + lost * (ROUNDINGS * first / reach)
            room = room + allowed + self._truncation(slopes, i)
            mask = mask | (xp.abs(slopes[i] - expected) > CONTRADICTION * room)
        return mask

    def _slope(self, reach: int) -> Array:
        """Return the slope over a reach, times the smallest."""
        weighted = zip(self.stencil.offsets, self.stencil.weights, strict=True)
        terms = [float(w) * self._at(o * reach) for o, w in weighted]
        change = functools.reduce(operator.add, terms)
        return self.readout.sum_outputs(self.xp, change) * (self.reaches[0] / reach)

    def _rounding(self, reach: int) -> Array:
        xp, noise = self.xp, self.readout.noise
        size = self.eps * xp.abs(self._at(reach))
        if noise is not None:
            size = xp.maximum(size, DEVIATIONS * noise)
        size = self.readout.sum_outputs(xp, size)
        return self.stencil.gain * ROUNDINGS * self.reaches[0] / reach * size

    def _truncation(self, slopes: list[Array], i: int) -> Array:
        """Return the truncation of a slope, from the change to the next larger reach.

        It falls with the square of the reach; that of the largest is not known but by
        the difference to the next smaller one.
        """
        xp, reaches = self.xp, self.reaches
        if i == len(slopes) - 1:
            return xp.abs(slopes[i] - slopes[max(i - 1, 0)])
        ratio = reaches[i + 1] / reaches[i]
        return xp.abs(slopes[i] - slopes[i + 1]) / (ratio**2 - 1)

    def _at(self, offset: int) -> Array:
        if not offset:
            return self.base
        return self.values[self.line.offsets.index(offset), ...]


@dataclass(frozen=True)
class CloseDifference:
    """A scheme of one difference close to x; its error is that of rounding."""

    stencil: Stencil

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        return self.stencil.moved_offsets

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column, ``(columns, *outputs)``."""
        xp = samples.xp
        value = self.stencil.slope(samples.quotient)
        step = xp.abs(xp.broadcast_to(samples.spacing(1), value.shape))
        lost = samples.eps / close_distance(samples.eps) * xp.abs(value)
        noise = self.stencil.gain * samples.uncertainty(self.stencil.offsets)
        error = ROUNDINGS * (noise / step + lost)
        return Result(value, error, step, xp.zeros_like(value, dtype=xp.int8))
