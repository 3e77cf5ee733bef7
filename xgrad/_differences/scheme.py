"""Schemes: from the values of a function around a point to its derivative there.

A scheme is a frozen value that says at which offsets it needs the function, and that
combines the values of each column into a derivative, if asked with an error bound and a
status.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, replace

import numpy as np

from xgrad._arrays import Array, float_info, is_everywhere, is_numpy, is_on_host
from xgrad._differences.result import Result, status_codes, where_results
from xgrad._differences.samples import Samples
from xgrad._differences.stencil import IMAGINARY_STEP, Stencil

# Roundings of the size of its result that `f` is expected to add up inside. Set by
# trial: fewer are not enough where `f` is a long sum, more loosen bounds and hide small
# corners. Beside the change to another accuracy it seldom decides.
ROUNDINGS = 3
# The change to a higher accuracy is about the error itself. Twice that is a bound as
# long as the better value is off by no more than the change.
SAFETY = 2.0


@dataclass(frozen=True)
class StencilScheme:
    """The weighted sum of the values at the offsets of a stencil.

    With ``has_status`` results without an estimate have a status, too.
    """

    stencil: Stencil
    has_status: bool = True

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        stencil = self.stencil
        return stencil.compared_offsets if estimate else stencil.moved_offsets

    def relative_step(self, eps: float) -> float:
        """Return the step for a component of size 1."""
        return self.stencil.relative_step(eps)

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column, ``(columns, *outputs)``.

        Where it is not finite, the points of one side are tried, then of the other.
        Without an estimate, the status is missing where the host sees that all points
        are finite.
        """
        xp = samples.xp
        result = self._combine(self.stencil, samples, estimate)
        if samples.sides is not None:
            inside = self._combine(self.stencil.inward, samples.inward(), estimate)
            result = where_results(xp, samples.sides == 0, result, inside)
        finite = xp.isfinite(result.value)
        # Only on the host is it free to look, and to leave when there is nothing to do.
        is_free = type(finite) is np.ndarray or is_on_host(xp, finite)
        if not (is_free and is_everywhere(xp, finite)):
            result = self._with_one_sided(samples, result, finite, estimate)
        elif not estimate and is_everywhere(xp, xp.isfinite(samples.base)):
            return result
        if estimate:
            return self._judge(samples, result, finite)
        if not self.has_status:
            return result
        return replace(result, status=self._status_of_points(samples, finite))

    @property
    def _central(self) -> bool:
        return min(self.stencil.offsets) < 0 < max(self.stencil.offsets)

    def _combine(self, stencil: Stencil, samples: Samples, estimate: bool) -> Result:
        """Apply a stencil; with ``estimate`` also bound its error."""
        value = _apply(stencil, samples)
        if not estimate:
            return Result(value)
        xp = samples.xp
        companion = stencil.companion
        step = xp.broadcast_to(xp.abs(_step(stencil, samples)), value.shape)
        if not {0, *samples.offsets} >= set(companion.offsets):
            # A last resort, for which there is nothing to compare with.
            return Result(value, xp.full_like(value, math.inf), step)
        change = xp.abs(value - _apply(companion, samples))
        # The change to a lower accuracy is the error of the lower one: a bound already.
        safety = SAFETY if companion.accuracy > stencil.accuracy else 1.0
        noise = ROUNDINGS * samples.uncertainty(stencil.offsets)
        error = safety * change + stencil.gain * noise / step**stencil.order
        return Result(value, xp.where(xp.isfinite(error), error, math.inf), step)

    def _with_one_sided(
        self, samples: Samples, result: Result, usable: Array, estimate: bool
    ) -> Result:
        """Replace derivatives by those of one side, except where they are usable."""
        xp = samples.xp
        if not self._central:
            return result
        if samples.sides is not None:  # there all points lie on one side already
            usable = usable | (samples.sides != 0)
        for side in (1, -1):
            one_sided = self.stencil.one_sided(side)
            if one_sided is not None:
                other = self._combine(one_sided, samples, estimate)
                if side == -1:
                    usable = usable | xp.isfinite(result.value)
                result = where_results(xp, usable, result, other)
        return result

    def _status_of_points(self, samples: Samples, finite: Array) -> Array:
        """Return the status as far as finite values and moves of ``x`` tell it.

        ``finite`` is False where some point of the stencil is not, whatever the points
        of one side say.
        """
        xp, offsets = samples.xp, (0, *samples.offsets)
        # Central differences do not use f(x) itself, which may be a hole or a pole.
        finite = finite & xp.isfinite(samples.difference(offsets[1]))
        # A step that vanishes divides 0 by 0.
        still = samples.spacing(max(offsets), min(offsets)) == 0
        return status_codes(xp, ~finite, None, still & ~finite)

    def _judge(self, samples: Samples, result: Result, finite: Array) -> Result:
        """Add the status, and widen the error bound at corners.

        ``finite`` is False where some point of the stencil is not; the other points
        serve for the error bound alone.
        """
        xp = samples.xp
        # Infinite where the value or the one to compare with is not finite.
        error = result.error
        nonfinite = ~(finite & xp.isfinite(error))
        kink = None
        if self._central and self.stencil.order == 1:
            is_central = True if samples.sides is None else samples.sides == 0
            # Finite beside x, but not at x: a hole or a pole.
            right, left = samples.difference(1), samples.difference(-1)
            hole = ~(xp.isfinite(right) | xp.isfinite(left))
            nonfinite = nonfinite | (hole & is_central)
            corner = xp.abs(_corner_size(self.stencil, samples))
            corner = xp.where(is_central & xp.isfinite(corner), corner, 0.0)
            # A corner or jump beside x misleads both accuracies alike.
            wider = error + corner
            kink = find_corners(samples)
            if kink is not None:
                kink = kink & is_central
                # Both slopes have equal rights, and are half of their difference away.
                wider = xp.where(kink, xp.maximum(error, corner / 2), wider)
            error = wider
        status = status_codes(xp, nonfinite, kink, result.step == 0)
        return replace(result, error=error, status=status)


def _apply(stencil: Stencil, samples: Samples) -> Array:
    if stencil.order == 1:
        return stencil.slope(samples.quotient)
    # The weights sum to 0, so f(x) can be taken off first: smaller numbers, less noise.
    change = sum(
        weight * samples.difference(offset)
        for offset, weight in stencil.rounded_weights
    )
    return change / _step(stencil, samples) ** stencil.order


def _step(stencil: Stencil, samples: Samples) -> Array:
    low, high = min(0, *stencil.offsets), max(0, *stencil.offsets)
    return samples.spacing(high, low) / (high - low)


# The thresholds of a corner. Let ``near`` and ``far`` be the differences of the slopes
# of both sides at the offsets 1 and 2. Curvature adds to them in proportion to the
# step, so that the corner is ``2 near - far``.

# It weighs the values at 1, -1, 2, -2 and 0 by 2, 2, 1/2, 1/2 and -3: 8 in sum.
CORNER_GAIN = 8
# Largest corner over ``near``: 1 at a corner, 3/2 at a jump and at most 3/2 for
# ``abs(x)**a``. Of x**4 at 0 it is -6, and 2 is as far above 3/2 as 1 is below.
CORNER_RATIO = 2
# How far the mean slope of both sides may move from offset 1 to 2, over the corner: 0
# at a corner, 1/6 at a jump (of height J: J / 4h over 3 J / 2h), and about 1 for waves
# that the step does not resolve. Just above 1/6; a larger one calls waves corners.
CORNER_DRIFT = 0.2
# Least corner over ``near``. Of a smooth even function it is 6 h**2 times the ratio of
# its fourth and second Taylor coefficients. Set by trial: a smaller one calls functions
# corners that are smooth but sharp, a larger one misses corners that curvature hides.
CORNER_SHARE = 0.1
# Least corner over the steeper slope. The derivative is off by half a corner, so that
# one which is passed over costs 1.2e-4 of the slope. Set by trial: a smaller one is
# more easily taken in by rounding inside `f`.
CORNER_ANGLE = 2.0**-12


def _corner_size(stencil: Stencil, samples: Samples) -> Array:
    """Return by how much the slopes of both sides differ, without all curvature."""
    terms = [
        weight
        * (
            samples.difference(o) / samples.spacing(o)
            - samples.difference(-o) / samples.spacing(-o)
        )
        for o, weight in stencil.corner_weights
    ]
    return functools.reduce(operator.add, terms)


def find_corners(samples: Samples) -> Array | None:
    """Return where the slopes of both sides differ at x itself.

    Return None where the host sees that they differ nowhere.
    """
    xp = samples.xp
    slopes = {o: samples.difference(o) / samples.spacing(o) for o in (1, 2, -1, -2)}
    near, far = slopes[1] - slopes[-1], slopes[2] - slopes[-2]
    corner = 2 * near - far
    # Curvature of the other sign may hide a corner, but does not turn it over.
    size = xp.abs(near)
    plain = (corner * near > 0) & (xp.abs(corner) <= CORNER_RATIO * size)
    corner = xp.abs(corner)
    plain = plain & (corner > CORNER_SHARE * size)
    if is_numpy(xp) and not plain.any():
        return None
    drift = xp.abs(slopes[1] + slopes[-1] - slopes[2] - slopes[-2]) / 2
    steepest = xp.maximum(xp.abs(slopes[1]), xp.abs(slopes[-1]))
    noise = samples.uncertainty((1, -1)) / xp.abs(samples.spacing(1))
    return plain & (
        (corner > ROUNDINGS * CORNER_GAIN * noise)
        & (drift <= CORNER_DRIFT * corner)
        & (corner > CORNER_ANGLE * steepest)
    )


# Relative errors of the complex step stay below one eps in 95 of 100 cases; a few
# roundings more allow for functions that add up many numbers. Set by trial.
COMPLEX_ROUNDINGS = 8


@dataclass(frozen=True)
class ComplexStep:
    """The imaginary part of ``f(x + ih)`` over ``h``: no difference, no cancellation.

    Squire and Trapp, SIAM Review 40(1), 1998.
    """

    def offsets(self, estimate: bool) -> tuple[int, ...]:
        """Return the offsets, besides 0, at which the function is needed."""
        return (1,)

    def relative_step(self, eps: float) -> float:
        """Return the step for a component of size 1."""
        return IMAGINARY_STEP

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column, ``(columns, *outputs)``."""
        xp = samples.xp
        step = xp.imag(samples.spacing(1))
        change = xp.imag(samples.difference(1))
        value = change / step
        nonfinite = ~xp.isfinite(value)
        value = xp.where(nonfinite, math.nan, value)
        tiny = float_info(xp, value.dtype).tiny
        # Products of two components below sqrt(tiny) underflow, so that 0 says nothing.
        unresolved = (change == 0) & (step < tiny**0.5 * IMAGINARY_STEP)
        status = status_codes(xp, nonfinite, None, unresolved)
        if not estimate:
            return Result(value, status=status)
        # An imaginary part that underflows is off by up to the smallest normal number.
        error = COMPLEX_ROUNDINGS * samples.eps * xp.abs(value) + tiny / step
        error = xp.where(nonfinite, math.inf, error)
        step = xp.broadcast_to(step, value.shape)
        return Result(value, error, step, status)
