"""Second differences: the scheme of a Hessian, and the samples that it combines.

An entry of the diagonal moves one entry of ``x``, and every other one a pair of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from xgrad._arrays import Array, is_on_host
from xgrad._differences.readout import EachOutput
from xgrad._differences.result import Result, status_codes
from xgrad._differences.samples import Samples
from xgrad._differences.scheme import SAFETY, find_corners
from xgrad._differences.stencil import stencil
from xgrad._evaluation import Points, concat_blocks

# A mixed difference weighs seven values by 8 in sum, over twice the product of two
# steps: 4 roundings of their size, as for an entry of the diagonal. Extrapolation makes
# 17/3 of 4; 8 allows for what `f` adds of its own.
ROUNDINGS = 8


@dataclass(frozen=True)
class SecondDifferences:
    """Second differences, at ``accuracy`` 4 extrapolated from one step and its double.

    With ``has_status`` results without an estimate have a status, too.
    """

    accuracy: int
    has_status: bool = True

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        # Twice the step serves for extrapolation, or for the error bound.
        return (1, 2, -1, -2) if self.accuracy == 4 or estimate else (1, -1)

    def relative_step(self, eps: float) -> float:
        """Return the step for a component of size 1."""
        return stencil("central", self.accuracy, 2).relative_step(eps)

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the second derivative of each column, ``(columns, *outputs)``."""
        assert isinstance(samples, CurvatureSamples)
        xp = samples.xp
        value = samples.second_derivative(1)
        if not estimate and self.accuracy == 2:
            return self._with_status(samples, value)
        # Richardson's extrapolation: truncation falls to a quarter with half the step.
        better = (4 * value - samples.second_derivative(2)) / 3
        change = xp.abs(better - value)
        if self.accuracy == 4:
            value = better
        if not estimate:
            return self._with_status(samples, value)
        area = samples.area()
        noise = ROUNDINGS * samples.eps * xp.abs(samples.base) / area
        # At accuracy 4 the change is the error of accuracy 2: a bound already.
        error = (1.0 if self.accuracy == 4 else SAFETY) * change + noise
        # Points at twice the step may be missing, where those of the value are there.
        nonfinite = ~(xp.isfinite(value) & xp.isfinite(error))
        kink = samples.corners()
        lost = nonfinite if kink is None else nonfinite | kink
        error = xp.where(lost, math.inf, error)
        status = status_codes(xp, nonfinite, kink, area == 0)
        step = xp.broadcast_to(xp.sqrt(area), value.shape)
        return Result(value, error, step, status)

    def _with_status(self, samples: CurvatureSamples, value: Array) -> Result:
        """Return a result with its status, as far as the host knows without waiting."""
        xp = samples.xp
        finite = xp.isfinite(value)
        if not self.has_status or (is_on_host(xp, finite) and bool(xp.all(finite))):
            return Result(value)
        still = samples.area() == 0
        return Result(value, status=status_codes(xp, ~finite, None, still))


@dataclass(eq=False)
class CurvatureSamples(Samples):
    """Values around single entries, or around pairs of them that move together.

    Of pairs, ``entries`` are the samples of all entries by themselves, and ``pair``
    holds the positions of both among these.
    """

    entries: CurvatureSamples | None = None
    pair: tuple[Array, ...] = ()

    def second_derivative(self, reach: int) -> Array:
        """Return the second differences, divided by the steps really taken."""
        # These may differ by a rounding.
        up, down = self.spacing(reach), self.spacing(0, -reach)
        right, left = self.difference(reach), self.difference(-reach)
        if self.entries is None:
            return 2 * (right / up + left / down) / (up + down)
        first, second = self._of_both(self.entries.second_change(reach))
        (up, other_up), (down, other_down) = map(self._of_both, (up, down))
        return (right + left - first - second) / (up * other_up + down * other_down)

    def area(self) -> Array:
        """Return the product of the two steps that each second difference takes."""
        if self.entries is None:
            return self.spacing(1) ** 2
        first, second = self._of_both(self.spacing(1))
        return first * second

    def second_change(self, reach: int) -> Array:
        """Return ``f(x + h) - 2 f(x) + f(x - h)``."""
        return self.difference(reach) + self.difference(-reach)

    def corners(self) -> Array | None:
        """Return where the slopes of both sides differ: no second derivative is there.

        Of pairs, where those of either entry differ; None where the host sees none.
        """
        corners = find_corners(self if self.entries is None else self.entries)
        if corners is None or self.entries is None:
            return corners
        first, second = self._of_both(corners)
        return first | second

    def _of_both(self, values: Array) -> list[Array]:
        return [self.xp.take(values, index, axis=0) for index in self.pair]


@dataclass(eq=False)
class EntryCurvature(EachOutput):
    """Reads the changes of single entries."""

    kind = CurvatureSamples


@dataclass(eq=False)
class PairCurvature(EachOutput):
    """Reads the changes of pairs of entries, beside those of each by itself."""

    entries: CurvatureSamples | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> CurvatureSamples:
        """Return the values, with the steps of all entries by themselves."""
        assert self.entries is not None
        pair = tuple(labels[start:stop] for labels in points.columns)
        return replace(
            self.entries,
            blocks=blocks,
            relative=relative,
            entries=self.entries,
            pair=pair,
        )


@dataclass(eq=False)
class PairLine(PairCurvature):
    """Reads the changes of pairs of entries as those along a line.

    Its length is that of the first entry.
    """

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> CurvatureSamples:
        """Return the values, with the steps of the first entry of each pair."""
        assert self.entries is not None
        xp, first = points.xp, points.columns[0][start:stop]
        return replace(
            self.entries,
            blocks=blocks,
            origin=xp.take(self.entries.origin, first, axis=0),
            coordinates=[xp.take(c, first, axis=1) for c in self.entries.coordinates],
            relative=relative,
        )


def join_samples(groups: list[Samples]) -> CurvatureSamples:
    """Return the samples of several groups of columns as those of one group."""
    first = groups[0]
    assert isinstance(first, CurvatureSamples)
    if len(groups) == 1:
        return first
    xp = first.xp
    blocks = [concat_blocks(xp, group.blocks) for group in groups]
    coordinates = [concat_blocks(xp, group.coordinates) for group in groups]
    return replace(
        first,
        blocks=[xp.concat(blocks, axis=1)],
        origin=xp.concat([group.origin for group in groups], axis=0),
        coordinates=[xp.concat(coordinates, axis=1)],
    )
