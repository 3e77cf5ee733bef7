"""From the values of a function around a point to its derivative there.

A scheme is a frozen value that says at which offsets it wants the function and combines
what it gave, column by column, with a bound of the error and a status if asked.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import Array, float_info, is_numpy
from xgrad._differences.result import Result, status_codes, where_results
from xgrad._differences.stencil import IMAGINARY_STEP, Stencil
from xgrad._evaluation import picked


@dataclass(frozen=True)
class Samples:
    """Values of a function around a group of columns.

    ``blocks`` are what ``f`` gave at the ``offsets``, in one or more arrays
    ``(offsets, columns, *shape)``, and ``places`` where the columns were; ``base`` is
    ``f(x)`` and ``origin`` is x. ``read`` turns differences of values into the numbers
    that are differentiated, and ``spread`` distances into arrays that broadcast against
    them, both with or without the axis of offsets. ``size`` gives the magnitudes that
    rounding in values is relative to, ``noise`` what ``f`` is known to be uncertain by.
    ``sides`` is as in `Points`. ``relative`` says that the blocks hold differences from
    the base instead of values.
    """

    xp: Any
    offsets: tuple[int, ...]
    base: Array
    blocks: list[Array]
    origin: Array
    places: list[Array]
    eps: float
    read: Callable[[Array], Array]
    spread: Callable[[Array], Array]
    size: Callable[[Array], Array]
    noise: Array | None = None
    sides: Array | None = None
    relative: bool = False

    def difference(self, plus: int, minus: int = 0) -> Array:
        """Difference of the values at two offsets."""
        return self.read(self._at(plus) - self._at(minus))

    def _at(self, offset: int) -> Array:
        if offset:
            return picked(self.blocks, self.offsets.index(offset))
        return self.xp.zeros_like(self.base) if self.relative else self.base

    def change(self, values: Array) -> Array:
        """Differences from the base, of what the blocks hold."""
        return values if self.relative else values - self.base

    def magnitude(self, values: Array) -> Array:
        """What rounding is relative to, of what the blocks hold."""
        return self.size(self.base + values if self.relative else values)

    def spacing(self, plus: int, minus: int = 0) -> Array:
        """Distance really taken between two offsets."""
        return self.spread(self._place(plus) - self._place(minus))

    def _place(self, offset: int) -> Array:
        if not offset:
            return self.origin
        return picked(self.places, self.offsets.index(offset))

    def uncertainty(self, offsets: Iterable[int]) -> Array:
        """What rounding and noise may have done to the values at some offsets."""
        sizes = [self.magnitude(self._at(o)) for o in offsets if o]
        return self.rounded(functools.reduce(self.xp.maximum, sizes))

    def rounded(self, size: Array) -> Array:
        """What rounding and noise may have done to values of some size."""
        rounding = size * self.eps
        if self.noise is None:
            return rounding
        return self.xp.maximum(rounding, 2 * self.noise)

    def inward(self) -> Samples:
        """The same points as the offsets 1, 2, 3, ... of the side they were sent to."""
        order = sorted(self.offsets)
        return replace(
            self,
            offsets=tuple(range(1, len(order) + 1)),
            blocks=[self._at(offset)[None, ...] for offset in order],
            places=[self._place(offset)[None, ...] for offset in order],
            sides=None,
        )


def identity(x: Array) -> Array:
    """The array itself."""
    return x


# Where the slopes of two sides are told apart: how much their mean may move with the
# step (between 1/6 for a jump and about 1 for unresolved waves), how small a part of
# their difference a corner may be, and how small an angle is still called a corner.
CORNER_DRIFT = 0.2
CORNER_SHARE = 0.1
CORNER_ANGLE = 2.0**-12


@dataclass(frozen=True)
class StencilScheme:
    """A weighted sum over the offsets of a stencil."""

    stencil: Stencil

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Where the function is needed besides at x."""
        wanted = set(self.stencil.offsets)
        if estimate:
            wanted |= set(self.stencil.companion.offsets)
        return tuple(sorted(wanted - {0}))

    def relative_step(self, eps: float) -> float:
        """Step for a component of size 1."""
        return self.stencil.relative_step(eps)

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """The derivative of each column.

        Where it is not finite, the points of one side are tried, then of the other.
        """
        xp = samples.xp
        parts = self._parts(self.stencil, samples, estimate)
        parts = self._bridged(samples, parts, estimate)
        if samples.sides is not None:
            inside = self._parts(self.stencil.inward, samples.inward(), estimate)
            parts = where_results(xp, samples.sides == 0, parts, inside)
        if not estimate:
            return parts
        nonfinite = ~xp.isfinite(parts.value)
        error = xp.where(nonfinite, math.inf, parts.error)
        kink = None
        if self._central and self.stencil.order == 1:
            # Finite beside x, but not at x: a hole or a pole.
            hole = ~(
                xp.isfinite(samples.difference(1)) | xp.isfinite(samples.difference(-1))
            )
            kink, spread = self._kink(samples)
            if samples.sides is not None:
                kink, hole = (mask & (samples.sides == 0) for mask in (kink, hole))
            nonfinite = nonfinite | hole
            error = xp.where(kink, xp.maximum(error, spread), error)
        vanished = parts.step == 0
        status = status_codes(xp, nonfinite, kink, vanished)
        return replace(parts, error=error, status=status)

    @property
    def _central(self) -> bool:
        return min(self.stencil.offsets) < 0 < max(self.stencil.offsets)

    def _bridged(self, samples: Samples, parts: Result, estimate: bool) -> Result:
        xp = samples.xp
        if not self._central:
            return parts
        if is_numpy(xp) and bool(xp.all(xp.isfinite(parts.value))):
            return parts
        for side in (1, -1):
            one_sided = self.stencil.one_sided(side)
            if one_sided is not None:
                other = self._parts(one_sided, samples, estimate)
                parts = where_results(xp, xp.isfinite(parts.value), parts, other)
        return parts

    def _parts(self, scheme: Stencil, samples: Samples, estimate: bool) -> Result:
        value = _weighted(scheme, samples)
        if not estimate:
            return Result(value)
        xp = samples.xp
        companion = scheme.companion
        step = xp.broadcast_to(xp.abs(_step(scheme, samples)), value.shape)
        if not {0, *samples.offsets} >= set(companion.offsets):
            # A last resort, for which there is nothing to compare with.
            return Result(value, xp.full_like(value, math.inf), step)
        change = xp.abs(value - _weighted(companion, samples))
        # Against a higher accuracy the change is the error itself, not a bound of it.
        safety = 2.0 if companion.accuracy > scheme.accuracy else 1.0
        # Three roundings of the result: what happens inside ``f`` adds up to a few.
        noise = 3 * samples.uncertainty(scheme.offsets)
        error = safety * change + scheme.gain * noise / step**scheme.order
        return Result(value, xp.where(xp.isfinite(error), error, math.inf), step)

    @staticmethod
    def _kink(samples: Samples) -> tuple[Array, Array]:
        """Whether the slopes of the sides differ at x itself, and by half of how much.

        Curvature makes a difference that is proportional to the step; what is left of
        it at step 0 is the corner, and half of it the bound, as both slopes have equal
        rights.
        """
        xp = samples.xp
        slopes = {o: samples.difference(o) / samples.spacing(o) for o in (1, 2, -1, -2)}
        near, far = slopes[1] - slopes[-1], slopes[2] - slopes[-2]
        corner = 2 * near - far
        # Curvature of the other sign may hide a corner, but does not turn it over; of
        # a jump the corner is 3/2 of the difference. (Of x**4 at 0 it is -6 times.)
        plain = (corner * near > 0) & (xp.abs(corner) <= 2 * xp.abs(near))
        corner = xp.abs(corner)
        drift = xp.abs(slopes[1] + slopes[-1] - slopes[2] - slopes[-2]) / 2
        steepest = xp.maximum(xp.abs(slopes[1]), xp.abs(slopes[-1]))
        noise = samples.uncertainty((1, -1)) / xp.abs(samples.spacing(1))
        kink = plain & (
            # Three times what rounding makes of 2 near - far, as in `_parts`.
            (corner > 24 * noise)
            # An oscillation that the step does not resolve moves the mean of the
            # slopes as well; of a jump it moves by a sixth of the corner.
            & (drift <= CORNER_DRIFT * corner)
            # An even function has no drift, but its corner is a small part (of the
            # size of the step, squared) of the difference.
            & (corner > CORNER_SHARE * xp.abs(near))
            & (corner > CORNER_ANGLE * steepest)
        )
        return kink, corner / 2


def _weighted(scheme: Stencil, samples: Samples) -> Array:
    if scheme.order == 1:
        return sum(
            weight * (samples.difference(plus, minus) / samples.spacing(plus, minus))
            for plus, minus, weight in scheme.rounded_quotients
        )
    # The weights sum to 0, so f(x) can be taken off first: smaller numbers, less noise.
    rise = sum(
        weight * samples.difference(offset) for offset, weight in scheme.rounded_weights
    )
    return rise / _step(scheme, samples) ** scheme.order


def _step(scheme: Stencil, samples: Samples) -> Array:
    low, high = min(0, *scheme.offsets), max(0, *scheme.offsets)
    return samples.spacing(high, low) / (high - low)


@dataclass(frozen=True)
class ComplexStep:
    """The imaginary part of ``f(x + ih)`` over ``h``: no difference, no cancellation.

    Squire and Trapp, SIAM Review 40(1), 1998.
    """

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Where the function is needed besides at x."""
        return (1,)

    def relative_step(self, eps: float) -> float:
        """Step for a component of size 1."""
        return IMAGINARY_STEP

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """The derivative of each column."""
        xp = samples.xp
        step = xp.imag(samples.spacing(1))
        rise = xp.imag(samples.difference(1))
        value = rise / step
        value = xp.where(xp.isfinite(value), value, math.nan)
        if not estimate:
            return Result(value)
        tiny = float_info(xp, value.dtype).tiny
        # A few roundings of the value, and what underflow may have swallowed.
        error = 8 * samples.eps * xp.abs(value) + tiny / step
        nonfinite = ~xp.isfinite(value)
        error = xp.where(nonfinite, math.inf, error)
        unresolved = (rise == 0) & (step < tiny**0.5 * IMAGINARY_STEP)
        step = xp.broadcast_to(step, value.shape)
        return Result(value, error, step, status_codes(xp, nonfinite, None, unresolved))
