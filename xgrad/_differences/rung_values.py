"""Differences of a function on all rungs of a ladder, and the noise they show."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, cast, float_info, floor_power_of_two, wide_dtype
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import SINGLE_EPS, Rungs
from xgrad._evaluation import concat_blocks

# On the three smallest rungs a smooth function is straight to below its rounding, so
# that what is left there is noise, and of these three the middle one counts: one alone
# may be 0 by chance, or hold a corner or jump beside x.
QUIET_RUNGS = 3
# The slopes of both sides agree where they differ by less than this part of their sum.
# Where values are multiples of `q`, both sides move alike from 2 q / slope on; where
# `f` is flat at x and only one side leaves the flat part, they differ by all of it.
ALIKE = 0.5
# Where no rung shows the noise, `f` is expected to add up so many roundings inside, as
# in the bounds of stencils.
UNMEASURED = 3
# More multiples than this in `f(x)` itself are met by chance: numbers of 24 bits (those
# of float32) that are whole multiples of another are that in one of 16 cases.
MOST_MULTIPLES = 2.0**20


# Differences of numbers of float32 are multiples of their last digits, which for those
# down to a quarter of a number are this part of its power of two. Those of other
# numbers of float64 are such multiples in one of 2**27 cases.
SINGLE_UNIT = 2.0**-25


@dataclass(frozen=True, eq=False)
class RungValues:
    """Differences of ``f`` on all rungs, ``(rungs, columns, *outputs)``.

    ``changes`` are ``f(x + h) - f(x)`` and ``f(x - h) - f(x)``, ``across`` is ``f(x +
    h) - f(x - h)``; ``steps`` are those really taken to the right and to the left,
    ``noise`` is the error of the values on either side, ``size`` is that of the value
    on the smallest rung, and ``eps`` the precision of the arithmetic.
    """

    xp: Any
    rungs: Rungs
    changes: tuple[Array, Array]
    across: Array
    steps: tuple[Array, Array]
    noise: tuple[Array, Array]
    size: Array
    eps: float

    @classmethod
    def of_samples(cls, rungs: Rungs, samples: Samples) -> RungValues:
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
        magnitudes = [samples.magnitude(value) for value in values]
        # Below the smallest normal number f may have underflowed.
        noise = [cast(xp, samples.value_error(m), dtype) + tiny for m in magnitudes]
        return cls(
            xp,
            rungs,
            (changes[0], changes[1]),
            xp.where(void, math.nan, across),
            (steps[0], steps[1]),
            (noise[0], noise[1]),
            cast(xp, magnitudes[0][-1, ...], dtype),
            samples.eps,
        )

    @functools.cached_property
    def missing(self) -> Array:
        """Whether some rung lacks a side."""
        return self.xp.any(~self.xp.isfinite(self.across), axis=0)

    @functools.cached_property
    def vanished(self) -> Array:
        """Whether no step was taken, or none that moved ``f`` before it underflowed."""
        xp = self.xp
        right, left = self.steps
        tiny = float_info(xp, right.dtype).tiny
        still = xp.all((self.changes[0] == 0) & (self.changes[1] == 0), axis=0)
        # The largest step is below sqrt(tiny): products of two such numbers underflow.
        underflow = still & (right[0, ...] < tiny**0.5)
        return underflow | xp.all((right == 0) & (left == 0), axis=0)

    @functools.cached_property
    def bends(self) -> Array:
        """The sizes of ``f(x + h) - 2 f(x) + f(x - h)``."""
        return self.xp.abs(self.changes[0] + self.changes[1])

    @functools.cached_property
    def noise_across(self) -> Array:
        """The error of a value on each rung, by all that the values tell of it."""
        noise = self.xp.maximum(*self.noise)
        if not self.rungs.to_noise:
            return UNMEASURED * noise
        shown = self.xp.maximum(self._noise_at_rest(), self._quantum())
        return self.xp.maximum(noise, shown)

    @property
    def ratio(self) -> int:
        """The ratio of a rung to the next smaller one."""
        return self.rungs.ratio

    def _noise_at_rest(self) -> Array:
        """Return what bends and turns `f` on the smallest rungs: noise is on all."""
        xp = self.xp
        spacing = self.steps[0] + self.steps[1]
        slopes = self.across / spacing
        turns = xp.abs(slopes[1:, ...] - slopes[:-1, ...])
        # The smaller one of both sides: a corner between two rungs is not noise.
        turns = xp.concat(
            [xp.minimum(turns[:-1, ...], turns[1:, ...]), turns[-1:, ...]], axis=0
        )
        shown = xp.maximum(self.bends[1:, ...], turns * spacing[1:, ...] / 2)
        shown = shown[-QUIET_RUNGS:, ...]
        shown = xp.where(xp.isfinite(shown), shown, math.inf)
        middle = xp.sort(shown, axis=0)[QUIET_RUNGS // 2, ...]
        return xp.where(xp.isfinite(middle), middle, 0.0)

    def _is_single(self, least: Array) -> Array:
        """Return whether values of float64 are numbers of float32, of more than a jump.

        ``least`` is the least of their moves, which are multiples of a unit then.
        """
        xp, size = self.xp, self.size
        if self.eps > SINGLE_EPS:
            return xp.zeros_like(size, dtype=xp.bool)
        unit = SINGLE_UNIT * floor_power_of_two(xp, xp.where(size > 0, size, 1.0))
        is_single = size > 0
        largest = xp.zeros_like(size)
        for change in self.changes:
            moved = xp.where(xp.isfinite(change), change, 0.0)
            is_whole = moved / unit == xp.round(moved / unit)
            is_single = is_single & xp.all(is_whole, axis=0)
            largest = xp.maximum(largest, xp.max(xp.abs(moved), axis=0))
        return is_single & (largest > least)

    def _quantum(self) -> Array:
        """Return the least move of ``f`` that is seen, where it stops moving; else 0.

        A function that does not move at all on the smallest rungs is flat there, or its
        values are multiples of a quantum, which says nothing of its slope. They are
        where both sides move alike on larger rungs, or where the value itself is a
        multiple of the least move.
        """
        xp = self.xp
        right, left = self.changes
        moved = (right != 0) & (left != 0)
        alike = moved & (xp.abs(right + left) <= ALIKE * xp.abs(right - left))
        sizes = [xp.where(c == 0, math.inf, xp.abs(c)) for c in (right, left)]
        least = xp.minimum(*sizes)
        least = xp.min(xp.where(xp.isfinite(least), least, math.inf), axis=0)
        moves = xp.isfinite(least)
        multiples = self.size / xp.where(moves, least, 1.0)
        is_multiple = (multiples == xp.round(multiples)) & (multiples > 0)
        is_multiple = is_multiple & (multiples < MOST_MULTIPLES)
        is_multiple = is_multiple | self._is_single(least)
        still = (right[-1, ...] == 0) & (left[-1, ...] == 0)
        stuck = still & moves & (xp.any(alike, axis=0) | is_multiple)
        return xp.where(stuck, least, 0.0)
