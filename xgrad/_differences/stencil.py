"""Finite-difference stencils: exact weights, and the steps that suit them.

Plain numbers: no function of arrays is called here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, Literal

Method = Literal[
    "auto", "autodiff", "central", "forward", "backward", "complex", "ladder"
]

# The accuracies that each method offers, and its default. On 400 random functions the
# median error of central differences was 1e-11 at accuracy 2 and 1e-13 at 4, for twice
# the evaluations; 6 and 8 pay where `f` loses digits, as a large sum does. A one-sided
# difference of accuracy 2 costs what a central one of accuracy 2 does.
ACCURACIES: dict[str, tuple[tuple[int, ...], int]] = {
    "central": ((2, 4, 6, 8), 4),
    "forward": ((1, 2, 3, 4), 2),
    "backward": ((1, 2, 3, 4), 2),
}
ORDERS = (1, 2, 3, 4)
# Between the eps of float64, 2e-16, and that of float32, 1e-7.
SINGLE_EPS = 1e-10
# Between that of float32 and that of float16, 1e-3.
HALF_EPS = 1e-5


# Compared by identity, as `stencil_on` makes each of them once: a hash of fractions
# takes longer than a derivative.
@dataclass(frozen=True, eq=False)
class Stencil:
    """Offsets and weights: ``sum(w * f(x + o * h)) / h**order`` is a derivative.

    ``order`` is that of the derivative; the truncation error falls as ``h**accuracy``.
    """

    offsets: tuple[int, ...]
    weights: tuple[Fraction, ...]
    order: int
    accuracy: int

    @cached_property
    def moved_offsets(self) -> tuple[int, ...]:
        """The offsets but 0, in ascending order."""
        return tuple(sorted(set(self.offsets) - {0}))

    @cached_property
    def compared_offsets(self) -> tuple[int, ...]:
        """The offsets but 0 of this stencil and its companion, in ascending order."""
        return tuple(sorted({*self.offsets, *self.companion.offsets} - {0}))

    @cached_property
    def quotients(self) -> tuple[tuple[int, int, Fraction], ...]:
        """The first derivative as a weighted mean of difference quotients.

        Each ``(plus, minus, weight)`` stands for the difference of ``f`` between two
        offsets over the distance between them. The weights sum to 1, so that every
        quotient can be divided by the step really taken.
        """
        weight = dict(zip(self.offsets, self.weights, strict=True))
        if all(-o in weight for o in self.offsets):
            return tuple((o, -o, 2 * o * weight[o]) for o in self.offsets if o > 0)
        return tuple((o, 0, o * weight[o]) for o in self.offsets if o != 0)

    @cached_property
    def rounded_quotients(self) -> tuple[tuple[int, int, float], ...]:
        """`quotients` with their weights as floats."""
        return tuple(
            (plus, minus, float(weight)) for plus, minus, weight in self.quotients
        )

    def slope(self, quotient: Callable[[int, int], Any]) -> Any:
        """Return the derivative of order 1: the mean of the quotients, weighted.

        ``quotient`` takes two offsets, and returns the difference of the values there
        over the distance really taken.
        """
        (plus, minus, weight), *others = self.rounded_quotients
        slope = weight * quotient(plus, minus)
        for plus, minus, weight in others:
            slope = slope + weight * quotient(plus, minus)
        return slope

    @cached_property
    def rounded_weights(self) -> tuple[tuple[int, float], ...]:
        """The offsets but 0, with their weights as floats.

        All weights sum to 0, so that these may weigh differences from ``f(x)``.
        """
        pairs = zip(self.offsets, self.weights, strict=True)
        return tuple((o, float(weight)) for o, weight in pairs if o)

    def one_sided(self, side: int) -> Stencil | None:
        """Return the stencil on 0 and the offsets of one side, 1 or -1, if one fits."""
        reach = max(abs(o) for o in self.offsets)
        if reach < self.order:
            return None
        return stencil_on(tuple(side * o for o in range(reach + 1)), self.order)

    @cached_property
    def gain(self) -> float:
        """Sum of the sizes of the weights: the error made by errors of 1 in values."""
        return float(sum(map(abs, self.weights)))

    @cached_property
    def corner_weights(self) -> tuple[tuple[int, float], ...]:
        """Weights of the differences of both one-sided slopes, by positive offset.

        Of smooth functions these begin with the curvature times the offset, and have
        odd powers of it alone. The weights sum to 1 and cancel as many of these powers
        as they can: what is left is a corner.
        """
        offsets = range(1, max(self.compared_offsets) + 1)
        weights = {
            o: Fraction(1, o * math.prod(o**2 - p**2 for p in offsets if p != o))
            for o in offsets
        }
        total = sum(weights.values())
        return tuple((o, float(weight / total)) for o, weight in weights.items())

    @cached_property
    def inward(self) -> Stencil:
        """The stencil with as many points as this symmetric one, all on one side."""
        return stencil_on(tuple(range(2 * max(self.offsets) + 1)), self.order)

    @cached_property
    def companion(self) -> Stencil:
        """The stencil to compare with: of the next lower accuracy, on fewer points.

        At the lowest accuracy it is that of the next higher one.
        """
        low, high = min(self.offsets), max(self.offsets)
        if low < 0 < high:
            # 2 is the lowest accuracy of a symmetric stencil, 1 that of one side.
            reach = high - 1 if self.accuracy > 2 else high + 1
            return stencil_on(tuple(range(-reach, reach + 1)), self.order)
        side, reach = (1, high) if high > 0 else (-1, -low)
        reach += -1 if self.accuracy > 1 else 1
        return stencil_on(tuple(side * o for o in range(reach + 1)), self.order)

    @lru_cache(maxsize=256)  # noqa: B019 (there are few stencils, for ever)
    def relative_step(self, eps: float) -> float:
        """Return the step for a component of size 1, a power of two.

        With the rounding error ``A eps / h**order``, where ``A`` is the sum of the
        sizes of the weights, and the truncation error ``h**accuracy``, the sum is least
        near ``(A eps)**(1 / (order + accuracy))`` (Press et al., Numerical Recipes,
        section 5.7). It is rounded down: a step that is too large costs a power of the
        accuracy, one that is too small a factor. For the same reason ``A`` counts as 1
        for higher derivatives, where the terms left out of the truncation grow fast.
        """
        power = self.order + self.accuracy
        gain = self.gain if self.order == 1 else 1.0
        return 2.0 ** math.floor(math.log2(gain * eps) / power)


# Steps that are powers of two are whole periods of functions of period 1, 1/2 or 2, on
# which these look flat. This factor is far from all simple fractions: it is the root of
# x**3 = 1 - x**2.
APERIODIC = 0.7548776662466927
# A size is the nearest power of two, at most sqrt(2) times the component. A quarter of
# it is 0.35 of the component: no point crosses 0, where many domains end.
TOP = 0.25 * APERIODIC


@dataclass(frozen=True)
class Rungs:
    """Steps of a ladder, ``top * ratio**-k`` for k from 0 to ``count - 1``.

    They are relative to the size of a component. In units of the smallest, the steps
    are integers. ``to_noise`` says that the smallest leave nothing but noise.
    """

    ratio: int
    count: int
    top: float = TOP
    to_noise: bool = True

    @property
    def units(self) -> tuple[int, ...]:
        """The steps in units of the smallest, from the largest down."""
        return tuple(self.ratio**k for k in reversed(range(self.count)))

    @property
    def offsets(self) -> tuple[int, ...]:
        """Offsets of the right, then of the left, in units of the smallest step."""
        return (*self.units, *(-unit for unit in self.units))

    @property
    def smallest(self) -> float:
        """The smallest step, relative to the size of a component."""
        return self.top / self.units[0]


def rungs_for(eps: float) -> Rungs:
    """Return the ladder for an arithmetic: 13 rungs for float64, 11 for float32.

    They reach from a fifth of the size of a component down to 3e-12 of it, where half
    of the digits of a step are lost in x, and to 2e-7, the last digit of float32: the
    rungs on which noise alone is left tell what larger steps pass over.
    """
    # Set by trial on 26 hard points and 384 random functions: for float64, ratio 4 with
    # 17 rungs was as accurate, at 35 values a component in place of 25. In float32 the
    # range is short: ratio 8 would have 7 rungs, of which 4 could answer. The smallest
    # rungs see corners from 1e-10 of x on; one more of them changed nothing.
    if eps < SINGLE_EPS:
        return Rungs(8, 13)
    # Half precision has 3 digits, of which a step of a tenth leaves 2: a rung more at
    # the top, and smaller ratios, halve the errors. At a ratio of 2 smooth functions
    # would look like corners.
    return Rungs(4, 11) if eps < HALF_EPS else Rungs(3, 8, 2 * TOP)


def few_rungs(eps: float) -> Rungs:
    """Return the six largest rungs of a ladder, for derivatives of higher orders.

    Their best steps are eps**(1/6) to eps**(1/8) of a component: 1/400 to 1/90, and
    1/14 to 1/7 in float32. Two rungs are larger, and three tell of convergence.
    """
    return Rungs(rungs_for(eps).ratio, 6, to_noise=False)


# The imaginary step, so small that its square vanishes beside 1 in every precision
# (Squire and Trapp, SIAM Review 40, 1998, use 1e-20): a power of two.
IMAGINARY_STEP = 2.0**-66

# The smallest spacing at which the noise of a function is looked for, relative to the
# size of a component, and all of them in units of it, smallest first: near 1e-13,
# 1e-11, 1e-9, 1e-7 and 1e-5 for float64. The smallest is 512 eps (float32: 32), so that
# the points are evenly spaced; the largest are for values rounded to 6 or 7 digits. Set
# by trial: they find float32 inside float64 and results rounded to 6 decimals.
NOISE_SPACINGS = {
    "float64": (2**-43, (1, 2**7, 2**13, 2**20, 2**26)),
    "float32": (2**-18, (1, 2**2, 2**5)),
}
# Seven equally spaced values, the middle one at x, as More and Wild advise (SISC 33,
# 2011): fewer give too few differences, more cost evaluations.
NOISE_REACH = 3


def noise_spacings(eps: float) -> tuple[float, tuple[int, ...]]:
    """Return the smallest spacing, relative to a size, and all in units of it."""
    return NOISE_SPACINGS["float64" if eps < SINGLE_EPS else "float32"]


@lru_cache
def stencil(method: str, accuracy: int | None, order: int = 1) -> Stencil:
    """Return the stencil of a method, an accuracy (None: its default) and an order."""
    if method not in ACCURACIES:
        raise ValueError(
            f"`method` must be one of {_names(ACCURACIES)}; got {method!r}"
        )
    offered, default = ACCURACIES[method]
    accuracy = default if accuracy is None else accuracy
    if accuracy not in offered:
        raise ValueError(
            f"`accuracy` of method={method!r} must be one of {_names(offered)}; "
            f"got {accuracy!r}"
        )
    if order not in ORDERS:
        raise ValueError(f"`order` must be one of {_names(ORDERS)}; got {order!r}")
    if method == "central":
        reach = (order + 1) // 2 - 1 + accuracy // 2
        return stencil_on(tuple(range(-reach, reach + 1)), order)
    side = 1 if method == "forward" else -1
    return stencil_on(tuple(side * o for o in range(order + accuracy)), order)


@lru_cache
def stencil_on(offsets: tuple[int, ...], order: int) -> Stencil:
    """Solve the Taylor conditions for the weights at some offsets, exactly.

    ``sum_j w_j o_j**m`` must be ``order!`` for ``m = order`` and 0 for every other
    ``m`` below the number of offsets. Weights of 0 are dropped.
    """
    conditions = range(len(offsets))
    rows = [
        [Fraction(o) ** m for o in offsets]
        + [Fraction(math.factorial(order) if m == order else 0)]
        for m in conditions
    ]
    weights = _eliminate(rows)
    terms = [(o, w) for o, w in zip(offsets, weights, strict=True) if w]
    power = len(offsets)
    while not sum(w * o**power for o, w in terms):
        power += 1  # symmetric stencils satisfy one condition more than was asked for
    return Stencil(
        offsets=tuple(o for o, _ in terms),
        weights=tuple(w for _, w in terms),
        order=order,
        accuracy=power - order,
    )


def _eliminate(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solve a regular linear system given as augmented rows (Gauss-Jordan)."""
    for i in range(len(rows)):
        pivot = next(j for j in range(i, len(rows)) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j, row in enumerate(rows):
            if j != i and row[i]:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


def _names(values: object) -> str:
    return ", ".join(map(repr, values))  # type: ignore[call-overload]
