"""The verdict on each analytic slope: it agrees, differs, is at a corner, or unclear.

This module works on the host, with one element for each direction or entry.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

import numpy as np

from xgrad._differences import Status
from xgrad.check._slopes import Slopes

# Relative tolerances by the precision of the arithmetic (float64, float32, float16,
# bfloat16: eps is 2e-16, 1e-7, 1e-3 and 8e-3). Each is 1 to 7 times the root of eps:
# a gradient may lose half of its digits where it subtracts numbers of similar size.
EVALUATED = ((1e-12, 1e-7), (1e-5, 1e-3), (2e-3, 3e-2), (math.inf, 2e-1))
# The same for a gradient that is only rounded to that precision, and whose function is
# evaluated more precisely. Set by trial: 5 roundings of float16, 6 of bfloat16 and 420
# of float32.
ROUNDED = ((1e-12, 0.0), (1e-5, 5e-5), (2e-3, 5e-3), (math.inf, 5e-2))
# If the error bound is more than this many tolerances, a wrong gradient might hide
# within it, so that the slope does not count as correct. Set by trial.
BLUNT = 10.0
# A difference is called an error above this many error bounds. Of the true errors of a
# ladder 5 % exceed its estimate, 0.1 % the bound (three times the estimate), and fewer
# than one of 10,000 exceed three bounds.
FAR = 3.0
# At a corner the bound is half of the angle between the two one-sided slopes, and not
# an estimate: every slope between them is within 1 of it. Half as much again leaves
# room for the errors of the one-sided slopes. Set by trial.
FAR_AT_CORNER = 1.5
# Along a direction one of n entries makes 1 / sqrt(n) of a typical slope, half of that
# with the smaller one of its two random factors.
SHARE_OF_ENTRY = 0.5
# Rounding errors that a gradient may have of its own, relative to its largest entries.
# The rounding error of a sum grows as the root of the number of its terms: 64 is that
# of 4,096 terms.
ROUNDINGS = 64.0
SINGLE = 2.0**-23
# At a stationary point the slope is 0, so that nothing is small relative to it. This
# share of the change of the slope over the size of `x` stands in for it. Set by trial.
STATIONARY = 1e-4
# Of 1,000 values of normal noise none is larger than this many standard deviations.
STILL = 4.0
# The remainder of a Taylor expansion is used while it is this many times its noise: an
# error of 1/16 in each of two remainders, whose steps differ by a factor of 8 (float32:
# 4), changes the rate by at most 2 / 16 / log(4) = 0.09.
READABLE = 16.0
# The remainder falls as h**2 for a correct gradient and as h for a wrong one.
RATE_BETWEEN = 1.5
# A difference of slopes that makes less than this share of the remainder leaves its
# rate as that of a correct gradient, which then says nothing of the difference.
SHOWN = 0.5


class Outcome(enum.IntEnum):
    """The result of one comparison."""

    AGREES = 0
    UNCLEAR = 1
    KINK = 2
    DIFFERS = 3


@dataclass(frozen=True)
class Tolerances:
    """Tolerance and precisions: what a verdict needs besides slopes.

    ``rtol`` is the relative tolerance. ``eps`` is the precision of the evaluation,
    ``rounding`` that to which its result is rounded, and ``analytic_eps`` that of the
    analytic gradient.
    """

    rtol: float
    eps: float
    rounding: float
    analytic_eps: float


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Outcome, largest allowed difference and Taylor rate of each slope.

    ``zero`` marks analytic slopes that are 0 up to rounding errors of ``x``.
    """

    outcomes: np.ndarray
    allowed: np.ndarray
    rates: np.ndarray
    zero: np.ndarray

    def any(self, outcome: Outcome) -> bool:
        """Whether at least one slope has this outcome."""
        return bool(np.any(self.outcomes == outcome))

    def all(self, outcome: Outcome) -> bool:
        """Whether all slopes have this outcome."""
        return bool(np.all(self.outcomes == outcome))


def default_rtol(eps: float, analytic_eps: float) -> float:
    """Return the tolerance for the precisions of evaluation and analytic gradient."""

    def look_up(table: tuple[tuple[float, float], ...], eps: float) -> float:
        return next(rtol for limit, rtol in table if eps < limit)

    return max(look_up(EVALUATED, eps), look_up(ROUNDED, analytic_eps))


def judge_directions(
    slopes: Slopes, tolerances: Tolerances, unseen: int = 1
) -> Verdicts:
    """Judge slopes along random directions.

    Such a slope is a random sum over the entries. Its expected size is ``typical``,
    also where its terms happen to cancel, and so is that of the errors in it. A slope
    agrees only if it would show one wrong entry among ``unseen`` ones.
    """
    scale = np.fmax(_larger(slopes), slopes.typical)
    verdicts = _judge(slopes, tolerances, scale, scale)
    # A larger tolerance than the default one is a choice of the caller.
    default = default_rtol(tolerances.eps, tolerances.analytic_eps)
    hidden = slopes.error + min(tolerances.rtol, default) * slopes.typical
    hides = hidden > SHARE_OF_ENTRY * slopes.typical / math.sqrt(unseen)
    agrees = verdicts.outcomes == Outcome.AGREES
    outcomes = np.where(agrees & hides, Outcome.UNCLEAR, verdicts.outcomes)
    return replace(verdicts, outcomes=outcomes)


def judge_entries(slopes: Slopes, tolerances: Tolerances, outputs: int = 1) -> Verdicts:
    """Judge slopes of outputs along single entries, each relative to its own size."""
    with np.errstate(all="ignore"):
        products = (_larger(slopes) * slopes.size).reshape(-1, outputs)
        finite = np.where(np.isfinite(products), products, 0.0)
        # Divided by the largest, so that no square overflows.
        largest = np.max(finite, axis=0)
        largest = np.where(largest == 0, 1.0, largest)
        mean = largest * np.sqrt(np.mean((finite / largest) ** 2, axis=0))
        mean = np.broadcast_to(mean, products.shape).reshape(-1)
        typical = np.fmax(slopes.typical, mean) / slopes.size
    scale = _larger(slopes)
    return _judge(slopes, tolerances, scale, np.fmax(scale, typical))


def _larger(slopes: Slopes) -> np.ndarray:
    return np.fmax(np.abs(slopes.analytic), np.abs(slopes.measured))


def _judge(
    slopes: Slopes, tolerances: Tolerances, scale: np.ndarray, typical: np.ndarray
) -> Verdicts:
    """Judge slopes of the sizes ``scale`` in a gradient of the sizes ``typical``."""
    with np.errstate(all="ignore"):
        # Change of the slope while x moves by its own size.
        change = _curvature(slopes, tolerances.eps) * slopes.size
        # Rounding of the gradient itself, and of the x at which it is taken.
        errors = (tolerances.analytic_eps, typical), (tolerances.eps, change)
        tolerance = tolerances.rtol * scale
        lost = tolerance + sum(ROUNDINGS * eps * size for eps, size in errors)
        tolerance = tolerance + sum(_rounding(eps) * size for eps, size in errors)
        # A gradient that was computed less precisely than the function may have lost
        # more: this excuses it from failing, and is not enough to pass.
        more = max(tolerances.analytic_eps - tolerances.eps, 0.0)
        excused = lost + ROUNDINGS * more * change
        rates, excuses = _taylor_rates(slopes, tolerances)
        corner = slopes.status == Status.KINK
        # The ladder reports three times its error estimate, also where that is half of
        # the angle of a corner.
        error = np.where(corner, slopes.error / 3, slopes.error)
        # A function that does not move at all is measured without error.
        constant = np.all(slopes.rises == 0, axis=1) & (slopes.analytic == 0)
        difference = np.abs(slopes.analytic - slopes.measured)
        close = (difference <= error + tolerance) | constant
        limit = np.where(corner, FAR_AT_CORNER, FAR) * error + excused
        far = (difference > limit) & ~excuses
        zero = np.abs(slopes.analytic) <= ROUNDINGS * tolerances.eps * change
        measured = _is_measured(slopes, tolerances.eps * change)
        missing = measured & ~np.isfinite(slopes.analytic)
        size = np.fmax(typical, STATIONARY * change)
        sharp = slopes.error <= BLUNT * tolerances.rtol * size
    outcomes = np.full(slopes.analytic.shape, Outcome.UNCLEAR)
    outcomes[close & measured & corner] = Outcome.KINK
    # Both sides of a corner may agree: noise can look like a very small one.
    agrees = close & sharp & (measured | _is_still(slopes))
    outcomes[agrees | constant] = Outcome.AGREES
    outcomes[far & measured | missing] = Outcome.DIFFERS
    return Verdicts(outcomes, error + tolerance, rates, zero)


def _rounding(eps: float) -> float:
    """Return the rounding error of a gradient that counts as correct.

    Sums of half precision are accumulated in single, and rounded once.
    """
    return ROUNDINGS * min(eps, SINGLE) + max(eps - SINGLE, 0.0)


def _is_measured(slopes: Slopes, rounding: np.ndarray) -> np.ndarray:
    """Mask of slopes that were measured, if only up to some rounding errors of x.

    Difference quotients that do not converge still count if they differ no more than
    the slopes at neighbouring floating-point numbers do.
    """
    settled = slopes.error <= ROUNDINGS * rounding
    usable = (slopes.status == Status.OK) | (slopes.status == Status.KINK) | settled
    return usable & np.isfinite(slopes.measured) & np.isfinite(slopes.error)


def _is_still(slopes: Slopes) -> np.ndarray:
    """Mask of slopes along which the function changes by no more than its noise.

    Their difference quotients do not converge, but all tell that the slope is 0.
    """
    return np.all(np.abs(slopes.rises) <= STILL * slopes.noise[:, None], axis=1)


def _right_and_left(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, left = np.split(values, 2, axis=1)
    return right, left


def _curvature(slopes: Slopes, eps: float) -> np.ndarray:
    """Return the absolute second derivative, or 0 where it is not finite.

    It is taken from the rung whose step is closest to the fourth root of eps: the
    truncation error of a second difference, h**2, is then as large as its rounding
    error, eps / h**2.
    """
    rises, moves = _right_and_left(slopes.rises), _right_and_left(slopes.moves)
    wanted = eps**0.25 * slopes.size[:, None]
    distance = np.abs(np.log(np.abs(moves[0]) / wanted))
    distance = np.where(np.isfinite(distance), distance, np.inf)
    rung = np.argmin(distance, axis=1)[:, None]
    right, left, forth, back = (
        np.take_along_axis(values, rung, axis=1)[:, 0] for values in (*rises, *moves)
    )
    curvature = np.abs((right / forth - left / back) / ((forth - back) / 2))
    return np.where(np.isfinite(curvature), curvature, 0.0)


def _taylor_rates(
    slopes: Slopes, tolerances: Tolerances
) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of the step by which ``f(x + h) - f(x) - h g`` falls.

    It is that of the smallest two neighbouring steps whose remainders stand out from
    the noise; ``nan`` if there are none. The second array marks the rates of correct
    gradients that excuse a difference from the measured slope: if the difference were
    real, it would show in the remainder.
    """
    rise, _ = _right_and_left(slopes.rises)
    steps, _ = _right_and_left(slopes.moves)
    linear = steps * slopes.analytic[:, None]
    remainder = np.abs(rise - linear)
    size = np.abs(slopes.base)[:, None] + np.abs(rise) + np.abs(linear)
    noise = np.fmax(tolerances.rounding * size, 2 * slopes.noise[:, None])
    readable = np.isfinite(remainder) & (remainder > READABLE * noise)
    falls = np.log(remainder[:, :-1] / remainder[:, 1:])
    rates = falls / np.log(steps[:, :-1] / steps[:, 1:])
    rates = np.where(readable[:, :-1] & readable[:, 1:], rates, np.nan)
    difference = np.abs(slopes.analytic - slopes.measured)[:, None]
    shows = difference * steps[:, 1:] >= SHOWN * remainder[:, 1:]
    last = np.full(slopes.analytic.shape, np.nan)
    shown = np.zeros(slopes.analytic.shape, bool)
    # From the largest steps to the smallest.
    for rate, is_shown in zip(rates.T, shows.T, strict=True):
        missing = np.isnan(rate)
        last = np.where(missing, last, rate)
        shown = np.where(missing, shown, is_shown)
    return last, shown & (last >= RATE_BETWEEN)
