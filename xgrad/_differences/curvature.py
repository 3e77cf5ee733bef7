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
from xgrad._differences.scheme import SAFETY
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
        assert isinstance(samples, EntrySamples)
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
        error = xp.where(nonfinite, math.inf, error)
        status = status_codes(xp, nonfinite, None, area == 0)
        step = xp.broadcast_to(xp.sqrt(area), value.shape)
        return Result(value, error, step, status)

    def _with_status(self, samples: EntrySamples, value: Array) -> Result:
        """Return a result with its status, as far as the host knows without waiting."""
        xp = samples.xp
        finite = xp.isfinite(value)
        if not self.has_status or (is_on_host(xp, finite) and bool(xp.all(finite))):
            return Result(value)
        still = samples.area() == 0
        return Result(value, status=status_codes(xp, ~finite, None, still))


@dataclass(frozen=True, eq=False)
class EntrySamples(Samples):
    """Values around single entries, for the diagonal of a Hessian."""

    def second_derivative(self, reach: int) -> Array:
        """Return the second differences, divided by the steps really taken."""
        # These may differ by a rounding.
        up, down = self.spacing(reach), self.spacing(0, -reach)
        right, left = self.difference(reach), self.difference(-reach)
        return 2 * (right / up + left / down) / (up + down)

    def area(self) -> Array:
        """Return the squares of the steps."""
        return self.spacing(1) ** 2

    def second_change(self, reach: int) -> Array:
        """Return ``f(x + h) - 2 f(x) + f(x - h)``."""
        return self.difference(reach) + self.difference(-reach)


@dataclass(frozen=True, eq=False)
class PairSamples(EntrySamples):
    """Values around pairs of entries that move together.

    ``entries`` are the samples of all entries by themselves, and ``pair`` the positions
    of both entries among these.
    """

    entries: EntrySamples | None = None
    pair: tuple[Array, ...] = ()

    def second_derivative(self, reach: int) -> Array:
        """Return the mixed differences, divided by the steps really taken."""
        assert self.entries is not None
        both = self.difference(reach) + self.difference(-reach)
        first, second = self._of_both(self.entries.second_change(reach))
        up = self._of_both(self.entries.spacing(reach))
        down = self._of_both(self.entries.spacing(0, -reach))
        return (both - first - second) / (up[0] * up[1] + down[0] * down[1])

    def area(self) -> Array:
        """Return the products of the steps of both entries."""
        assert self.entries is not None
        first, second = self._of_both(self.entries.spacing(1))
        return first * second

    def _of_both(self, values: Array) -> list[Array]:
        return [self.xp.take(values, index, axis=0) for index in self.pair]


@dataclass(frozen=True, eq=False)
class EntryCurvature(EachOutput):
    """Reads the changes of single entries."""

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> EntrySamples:
        """Return the values, with distances broadcast against the entries."""
        samples = super().samples(points, start, stop, blocks, relative)
        return EntrySamples(**vars(samples))


@dataclass(frozen=True, eq=False)
class PairCurvature(EachOutput):
    """Reads the changes of pairs of entries, beside those of each by itself."""

    entries: EntrySamples | None = None

    def samples(
        self,
        points: Points,
        start: int,
        stop: int,
        blocks: list[Array],
        relative: bool = False,
    ) -> PairSamples:
        """Return the values together with the samples of the single entries."""
        assert self.entries is not None
        pair = tuple(labels[start:stop] for labels in points.columns)
        of_pairs = {"blocks": blocks, "relative": relative, "pair": pair}
        return PairSamples(**{**vars(self.entries), **of_pairs}, entries=self.entries)


def join_samples(groups: list[Samples]) -> EntrySamples:
    """Return the samples of several groups of columns as those of one group."""
    first = groups[0]
    assert isinstance(first, EntrySamples)
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
