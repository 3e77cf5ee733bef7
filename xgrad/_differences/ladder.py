"""The ladder: steps of all sizes at once, and the one with the least error answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, cast, device_of, float_info, wide_dtype
from xgrad._differences.result import Result, Status, status_codes, where_results
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import Rungs
from xgrad._evaluation import concat_blocks

# The least estimated error is an estimate, not a bound: on 816 random functions 4 to 6
# of 100 true errors exceeded it, and 1 of 1000 exceeded three times it.
BOUND = 3

# A slope is settled where two rungs agree to this part of it; one that is 0 on a
# smaller rung then tells of rounding inside `f`. Set by trial: a larger one widens the
# bounds of functions that flatten out, a smaller one trusts the 0 of functions that
# round early.
SETTLED = 0.02

import os
C1 = float(os.environ.get("C1", 4))
C2 = float(os.environ.get("C2", 2))
G = float(os.environ.get("G", 3.5))
LOC = int(os.environ.get("LOC", 4))

# The two smallest rungs serve for comparison only.
COMPARED = 2

# A value is unresolved where rungs differ by more than these parts of the slope over
# the largest step, and of the value itself. Both set by trial. Smaller ones doubt
# values that are right, larger ones let wrong ones pass; the first hardly ever decides.
# The second is the relative error from which the benchmarks call an error silent. Of a
# bounded oscillation all slopes over large steps are near 0 and agree: neither tells.
TOP_SHARE = 1e-3
VALUE_SHARE = 1e-4

# From one rung to the next smaller one, the difference of the slopes of both sides
# falls by the ratio, to 1/4 or 1/8, where `f` is smooth; it stays at a corner, and
# grows at a jump. A half lies between. It was right on all of 15 functions, among them
# a leaky ReLU with the slopes 0.99 and 1, x**3, exp(300 x), sin(1000 x) and a Huber
# loss.
CORNER_STAYS = 0.5
# The difference of both slopes weighs values by 1, -2 and 1: four times the noise of
# one over the step. A corner must be twice that.
CORNER_NOISE = 8
# Rungs on which a corner may be hidden by noise do not speak against it. Twice the
# factor above, as the noise is an estimate. Set by trial: with a larger one functions
# that do not converge are called corners, with a smaller one small corners unresolved.
HIDDEN_NOISE = 16


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
        values = _RungValues.of_samples(self.rungs, samples)
        best = values.central()
        for side in (0, 1):
            other = values.one_sided(side)
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


@dataclass(frozen=True, eq=False)
class _RungValues:
    """Differences of ``f`` on all rungs, ``(rungs, columns, *outputs)``.

    ``changes`` are ``f(x + h) - f(x)`` and ``f(x - h) - f(x)``, ``across`` is ``f(x +
    h) - f(x - h)``; ``steps`` are those really taken to the right and to the left, and
    ``noise`` is the error of the values on either side.
    """

    xp: Any
    ratio: int
    changes: tuple[Array, Array]
    across: Array
    steps: tuple[Array, Array]
    noise: tuple[Array, Array]
    base: Any = 0.0

    @classmethod
    def of_samples(cls, rungs: Rungs, samples: Samples) -> _RungValues:
        """Take the differences, in the widest float: a ladder is for accuracy."""
        xp, count = samples.xp, rungs.count
        dtype = wide_dtype(xp, samples.base)
        tiny = float_info(xp, dtype).tiny
        sides = slice(0, count), slice(count, 2 * count)
        all_values = concat_blocks(xp, samples.blocks)
        all_coordinates = concat_blocks(xp, samples.coordinates)
        values = [all_values[side, ...] for side in sides]
        right, left = (all_coordinates[side, ...] for side in sides)
        steps = [
            cast(xp, samples.align(distance), dtype)
            for distance in (right - samples.origin, samples.origin - left)
        ]
        across = cast(xp, samples.read(values[0] - values[1]), dtype)
        # Where x did not move (rounded away, outside the bounds) f says nothing.
        changes = [
            xp.where(
                step == 0,
                math.nan,
                cast(xp, samples.read(samples.without_base(value)), dtype),
            )
            for step, value in zip(steps, values, strict=True)
        ]
        void = (steps[0] == 0) | (steps[1] == 0)
        # Below the smallest normal number f may have underflowed.
        noise = [
            cast(xp, samples.value_error(samples.magnitude(value)), dtype) + tiny
            for value in values
        ]
        return cls(
            xp,
            rungs.ratio,
            (changes[0], changes[1]),
            xp.where(void, math.nan, across),
            (steps[0], steps[1]),
            (noise[0], noise[1]),
            cast(xp, samples.base, dtype),
        )

    @property
    def missing(self) -> Array:
        """Whether some rung lacks a side."""
        return self.xp.any(~self.xp.isfinite(self.across[:-2, ...]), axis=0)

    @property
    def vanished(self) -> Array:
        """Whether no step was taken, or none that moved ``f`` before it underflowed."""
        xp = self.xp
        right, left = self.steps
        tiny = float_info(xp, right.dtype).tiny
        still = xp.all((self.changes[0] == 0) & (self.changes[1] == 0), axis=0)
        # The largest step is below sqrt(tiny): products of two such numbers underflow.
        underflow = still & (right[0, ...] < tiny**0.5)
        return underflow | xp.all((right == 0) & (left == 0), axis=0)

    def central(self) -> Result:
        """Answer by central differences, extrapolated to accuracy 4."""
        xp = self.xp
        right, left = self.steps
        spacing = right + left
        slopes = self.across / spacing
        # Both values have this error, and the distance between them is the spacing.
        even = xp.abs(self.changes[0] + self.changes[1])
        local = xp.min(xp.where(xp.isfinite(even), even, math.inf)[-LOC:, ...], axis=0)
        local = xp.where(xp.isfinite(local), local, 0.0)
        noise = xp.maximum(xp.maximum(*self.noise), local) + self._quantum(slopes)
        noise = noise / (spacing / 2)
        corner = xp.abs(self.changes[0] / right + self.changes[1] / left)
        return self._answer(slopes, spacing / 2, noise, self.ratio**2, corner)

    def _quantum(self, slopes: Array) -> Array:
        """Return the least move of ``f`` that is seen, where it stops moving; else 0.

        Slopes that agree on two rungs and are exactly 0 on a smaller one tell of
        rounding inside ``f``, which its value does not show.
        """
        xp = self.xp
        right, left = self.changes
        still = (right == 0) & (left == 0)
        # Both sides move, and about alike.
        alike = xp.abs(right + left) <= 0.5 * xp.abs(right - left)
        alike = alike & (right != 0) & (left != 0)
        sizes = [xp.where(c == 0, math.inf, xp.abs(c)) for c in (right, left)]
        least = xp.min(xp.minimum(*sizes), axis=0)
        count = self.base / xp.where(xp.isfinite(least), least, math.nan)
        grid = (count != 0) & (xp.abs(count) < 2**20) & (count == xp.round(count))
        stuck, void = still[-1, ...], xp.isnan(right[-1, ...])
        for rung in range(2, 5):
            stuck = xp.where(void, still[-rung, ...], stuck)
            void = void & xp.isnan(right[-rung, ...])
        stuck = stuck & (xp.any(alike, axis=0) | grid)
        return xp.where(stuck & xp.isfinite(least), least, 0.0)

    def one_sided(self, side: int) -> Result:
        """Answer by the differences of the right (0) or the left (1), accuracy 2."""
        step = self.steps[side] if side == 0 else -self.steps[side]
        # Two values have this error, the one at x and the one beside it.
        noise = 2 * self.noise[side] / self.xp.abs(step)
        return self._answer(self.changes[side] / step, step, noise, self.ratio, None)

    def _answer(
        self,
        slopes: Array,
        steps: Array,
        noise: Array,
        power: int,
        corner: Array | None,
    ) -> Result:
        """Extrapolate, and pick the rung of least error.

        ``power`` is the factor by which truncation falls from a rung to the next;
        ``corner`` the difference of the slopes of both sides, for central differences.
        """
        xp, ratio = self.xp, self.ratio
        better = (power * slopes[1:, ...] - slopes[:-1, ...]) / (power - 1)
        values = better[:-COMPARED, ...]
        # The value two rungs below may be wrong by the noise of its small step, which
        # is ratio**2 times as large: it counts in part.
        truncation = xp.maximum(
            xp.abs(values - better[1:-1, ...]),
            xp.abs(values - better[2:, ...]) / ratio,
        )
        error = truncation + noise[1:-COMPARED, ...]
        error = xp.where(xp.isfinite(error), error, math.inf)
        gap = self._gaps(better, noise, values)
        valid = gap <= C2 * BOUND * error
        judged = xp.where(valid, error, math.inf)
        some = xp.any(xp.isfinite(judged), axis=0)
        rung = xp.argmin(xp.where(some, judged, error), axis=0)
        is_best = _one_hot(xp, rung, error)

        def pick(rungs: Array) -> Array:
            # A sum over one rung: everything else is 0, also where it is not finite.
            return xp.sum(xp.where(is_best, rungs, 0.0), axis=0)

        value, least = pick(values), xp.sum(xp.where(is_best, error, 0.0), axis=0)
        contradicted = ~some
        least = xp.where(contradicted & xp.isfinite(least), xp.maximum(least, pick(gap)), least)
        step = pick(xp.abs(steps[1:-COMPARED, ...]))
        scatter, rounding = pick(truncation), pick(noise[1:-COMPARED, ...])
        unresolved = self._unresolved(slopes, value, least, scatter, rounding, rung)
        unresolved = unresolved | contradicted & xp.isfinite(least)
        code = xp.astype(unresolved, xp.int8) * int(Status.UNRESOLVED)
        if corner is not None:
            # On the rung of the answer, and on the next smaller one.
            far, near = pick(corner[1:-COMPARED, ...]), pick(corner[2:-1, ...])
            kink = near > CORNER_STAYS * far
            kink = kink & (near > CORNER_NOISE * pick(noise[2:-1, ...]))
            kink = kink & self._lasts(corner, noise, near, rung)
            torn = self._torn(value, rung, noise, slopes)
            unresolved = unresolved | torn
            code = status_codes(xp, kink & False, kink, unresolved & ~kink)
            # Both slopes have equal rights: the bound reaches them.
            least = xp.where(kink, xp.maximum(least, near / 2), least)
        return Result(value, least, step, code)

    def _gaps(self, better: Array, noise: Array, values: Array) -> Array:
        """Return by how much each value misses what the smaller rungs allow."""
        xp = self.xp
        noise = noise[1:, ...]
        known = xp.isfinite(better) & xp.isfinite(noise)
        low = xp.where(known, better - C1 * noise, -math.inf)
        high = xp.where(known, better + C1 * noise, math.inf)
        gaps = []
        floor, roof = low[-1, ...], high[-1, ...]
        for rung in reversed(range(better.shape[0] - 1)):
            if rung < values.shape[0]:
                value = values[rung, ...]
                gaps.append(xp.maximum(floor - value, value - roof))
            floor = xp.maximum(floor, low[rung, ...])
            roof = xp.minimum(roof, high[rung, ...])
        return xp.stack(gaps[::-1], axis=0)

    def _torn(self, value, rung, noise, slopes):
        xp, ratio = self.xp, self.ratio
        count = slopes.shape[0]
        floor = noise * (self.steps[0] + self.steps[1]) / 2
        numbers = xp.reshape(xp.arange(count, dtype=rung.dtype, device=device_of(rung)), (-1, *(1,) * rung.ndim))
        breaks, rests = [], []
        for change, step, sign in zip(self.changes, self.steps, (1, -1)):
            rest = xp.abs(change - sign * value * step)
            rests.append(rest)
            tear = rest[:-1, ...] > ratio**G * xp.maximum(rest[1:, ...], floor[1:, ...])
            tear = tear & (numbers[:-1, ...] < rung + 1)
            goes_on = rest[:-2, ...] > ratio**2 * rest[1:-1, ...]
            goes_on = xp.concat([xp.ones_like(goes_on[:1, ...]), goes_on], axis=0)
            tear = tear & ~goes_on
            breaks.append(xp.max(xp.where(tear, numbers[:-1, ...], -99), axis=0))
        last = xp.maximum(*breaks)
        both = xp.minimum(*breaks) >= 0
        at = numbers == last
        there = xp.sum(xp.where(at, slopes, 0.0), axis=0)
        here = xp.sum(xp.where(at, xp.maximum(*rests), 0.0), axis=0)
        even = xp.abs(self.changes[0] + self.changes[1])
        grows = even[0, ...] > 4 * here * (ratio ** (xp.astype(last, here.dtype) / 2))
        return both & (xp.abs(there - value) > 0.5 * xp.abs(value)) & ~grows

    def _unresolved(
        self,
        slopes: Array,
        value: Array,
        least: Array,
        scatter: Array,
        rounding: Array,
        rung: Array,
    ) -> Array:
        """Return whether the quotients do not converge.

        Then the differences between rungs, and not rounding, make the error; it is no
        small part of the slope over the largest step; and it is as large as the value,
        or still there at the smallest step.
        """
        xp = self.xp
        size, top = xp.abs(value), _first_finite(xp, xp.abs(slopes))
        # The last rung of the values: extrapolation takes one, and counting starts at
        # 0.
        smallest = rung == slopes.shape[0] - COMPARED - 2
        return (
            (scatter > rounding)
            & (least > TOP_SHARE * top)
            & ((least > size) | (smallest & (least > VALUE_SHARE * size)))
        )

    def _lasts(self, corner: Array, noise: Array, near: Array, rung: Array) -> Array:
        """Return whether the slopes of the sides differ down to where noise hides it.

        ``corner`` is their difference on all rungs, ``near`` that below the answer. Of
        a smooth function it falls with the step, at a corner it stays, at a jump it
        grows.
        """
        xp = self.xp
        numbers = xp.arange(
            1, corner.shape[0], dtype=rung.dtype, device=device_of(rung)
        )
        above = xp.reshape(numbers, (-1, *(1,) * rung.ndim)) <= rung + 1
        stays = corner[1:, ...] > CORNER_STAYS * xp.maximum(corner[:-1, ...], near)
        hidden = HIDDEN_NOISE * noise[1:, ...] > near
        return xp.all(stays | hidden | above, axis=0)


def _first_finite(xp: Any, values: Array) -> Array:
    """Return the first finite entry along the first axis, 0 if there is none."""
    finite = xp.isfinite(values)
    first = _one_hot(xp, xp.argmax(xp.astype(finite, xp.int8), axis=0), values)
    return xp.sum(xp.where(first & finite, values, 0.0), axis=0)


def _one_hot(xp: Any, index: Array, like: Array) -> Array:
    """Return a mask that is true where the first axis of ``like`` has this index."""
    rungs = xp.arange(like.shape[0], dtype=index.dtype, device=device_of(like))
    return xp.reshape(rungs, (-1, *(1,) * index.ndim)) == index
