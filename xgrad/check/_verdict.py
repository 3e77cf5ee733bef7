"""Whether given slopes agree with measured ones, and what cannot be told.

On the host: slopes come as `Readings`, one for each direction or entry.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from xgrad._differences import Status
from xgrad.check._slopes import Readings

# Tolerances by the precision of the arithmetic: what a gradient that is worked out in
# it may be off by, relative to itself.
EVALUATED = ((1e-12, 1e-7), (1e-5, 1e-3), (2e-3, 5e-2), (math.inf, 2e-1))
# The same where only the result is rounded to that precision.
ROUNDED = ((1e-12, 0.0), (1e-5, 5e-5), (2e-3, 5e-3), (math.inf, 5e-2))
# A bound of the error above so many tolerances leaves too much room to say "right".
BLUNT = 10.0
# A difference is called an error above so many bounds, which it has by right in less
# than one of 10,000 cases.
FAR = 3.0
# The same at a corner, where the bound is half of the angle, and not an estimate.
FAR_OUTSIDE = 1.5
# Roundings that a gradient may have of its own, beside the largest of its entries.
ROUNDINGS = 64.0
# At a stationary point the slope is 0, and what counts is how it changes over the size
# of `x`: this part of it stands in for the slope itself.
STATIONARY = 1e-4
# The remainder of a Taylor expansion is read while it is so many times its noise.
READABLE = 16.0
# It falls like h**2 behind a right gradient and like h behind a wrong one.
BETWEEN_RATES = 1.5


class Outcome(enum.IntEnum):
    """What one comparison says."""

    AGREES = 0
    UNCLEAR = 1
    KINK = 2
    DIFFERS = 3


@dataclass(frozen=True)
class Scales:
    """What the verdict on slopes depends on besides them.

    ``rtol`` is the tolerance; ``eps`` is the precision of the evaluation, ``rounding``
    that in which its result is rounded and ``given_eps`` that of the given gradient;
    ``base`` and ``noise`` are ``f(x)`` and its uncertainty.
    """

    rtol: float
    eps: float
    rounding: float
    given_eps: float
    base: float
    noise: float


@dataclass(frozen=True)
class Judged:
    """Outcomes of readings, one each: codes, largest differences allowed, rates."""

    outcomes: np.ndarray
    allowed: np.ndarray
    rates: np.ndarray

    def any(self, outcome: Outcome) -> bool:
        """Whether one of them has this outcome."""
        return bool(np.any(self.outcomes == outcome))

    def all(self, outcome: Outcome) -> bool:
        """Whether all of them have it."""
        return bool(np.all(self.outcomes == outcome))


def default_rtol(eps: float, given_eps: float) -> float:
    """The tolerance for a precision of the evaluation and one of the given gradient."""

    def of(table: tuple[tuple[float, float], ...], eps: float) -> float:
        return next(rtol for limit, rtol in table if eps < limit)

    return max(of(EVALUATED, eps), of(ROUNDED, given_eps))


def judge_directions(r: Readings, scales: Scales) -> Judged:
    """Verdicts on slopes along random directions.

    Such a slope is a sum, as large as ``typical`` by expectation, and that is how much
    of the errors of its parts it shows.
    """
    scale = np.fmax(_largest(r), r.typical)
    return _judged(r, scales, scale, scale)


def judge_entries(r: Readings, scales: Scales) -> Judged:
    """Verdicts on slopes by single entries, each in its own proportion."""
    with np.errstate(all="ignore"):
        moved = _largest(r) * r.size
        finite = moved[np.isfinite(moved)]
        largest = np.max(finite, initial=0.0) or 1.0
        mean = largest * np.sqrt(np.sum((finite / largest) ** 2) / moved.size)
        typical = np.fmax(r.typical, mean) / r.size
    return _judged(r, scales, _largest(r), np.fmax(_largest(r), typical))


def _largest(r: Readings) -> np.ndarray:
    return np.fmax(np.abs(r.given), np.abs(r.measured))


def _judged(
    r: Readings, scales: Scales, scale: np.ndarray, typical: np.ndarray
) -> Judged:
    with np.errstate(all="ignore"):
        bend = _bend(r, scales.eps)
        # A gradient is as good as one at `x` moved by some roundings.
        own = scales.given_eps * typical + scales.eps * bend * r.size
        tolerance = scales.rtol * scale + ROUNDINGS * own
        difference = np.abs(r.given - r.measured)
        corner = r.status == Status.KINK
        # At a corner a ladder gives three times half of the angle.
        error = np.where(corner, r.error / 3, r.error)
        allowed = error + tolerance
        rates = _rates(r, scales)
        sharp = BLUNT * scales.rtol * np.fmax(typical, STATIONARY * bend * r.size)
        # Where `f` does not move at all there is no error either.
        still = np.all(r.rises == 0, axis=1) & (r.given == 0)
        close = (difference <= allowed) | still
        far = difference > np.where(corner, FAR_OUTSIDE, FAR) * error + tolerance
        far &= ~(rates >= BETWEEN_RATES)
        # Quotients need not converge any further than to what `x` itself is worth.
        settled = r.error <= ROUNDINGS * scales.eps * bend * r.size
        known = np.isfinite(r.measured) & np.isfinite(r.error)
        known &= (r.status == Status.OK) | corner | settled
        lost = known & ~np.isfinite(r.given)
    outcomes = np.full(r.given.shape, Outcome.UNCLEAR)
    outcomes[close & known & (r.error <= sharp) | still] = Outcome.AGREES
    outcomes[close & known & corner] = Outcome.KINK
    outcomes[far & known | lost] = Outcome.DIFFERS
    return Judged(outcomes, allowed, rates)


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, left = np.split(values, 2, axis=1)
    return right, left


def _bend(r: Readings, eps: float) -> np.ndarray:
    """Size of the second derivative, from the rung near the fourth root of eps."""
    (right, left), (forth, back) = _halves(r.rises), _halves(r.moves)
    wanted = np.abs(np.log(np.abs(forth) / (eps**0.25 * r.size[:, None])))
    rung = np.argmin(np.where(np.isfinite(wanted), wanted, np.inf), axis=1)[:, None]
    right, left, forth, back = (
        np.take_along_axis(part, rung, axis=1)[:, 0]
        for part in (right, left, forth, back)
    )
    bend = np.abs((right / forth - left / back) / ((forth - back) / 2))
    return np.where(np.isfinite(bend), bend, 0.0)


def _rates(r: Readings, scales: Scales) -> np.ndarray:
    """Like which power of the step ``f(x + h) - f(x) - h g`` falls, at its smallest."""
    right, _ = _halves(r.rises)
    steps, _ = _halves(r.moves)
    linear = steps * r.given[:, None]
    remainder = np.abs(right - linear)
    size = np.abs(scales.base) + np.abs(right) + np.abs(linear)
    noise = np.fmax(scales.rounding * size, 2 * scales.noise)
    readable = np.isfinite(remainder) & (remainder > READABLE * noise)
    falls = np.log(remainder[:, :-1] / remainder[:, 1:])
    rates = falls / np.log(steps[:, :-1] / steps[:, 1:])
    rates = np.where(readable[:, :-1] & readable[:, 1:], rates, np.nan)
    last = np.full(r.given.shape, np.nan)
    for rate in rates.T:  # from the largest steps to the smallest
        last = np.where(np.isnan(rate), last, rate)
    return last
