"""Finite-difference stencils: exact weights and the step that suits them. No arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

Method = Literal["central", "forward", "backward"]

# For each method: the accuracies it offers and the one it takes unasked.
ACCURACIES: dict[str, tuple[tuple[int, ...], int]] = {
    "central": ((2, 4, 6, 8), 4),
    "forward": ((1, 2, 3, 4), 2),
    "backward": ((1, 2, 3, 4), 2),
}
ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Stencil:
    """Weights of ``f(x + offset * h)`` whose sum over ``h**order`` is a derivative.

    ``order`` is that of the derivative; the error falls with ``h**accuracy``.
    """

    offsets: tuple[int, ...]
    weights: tuple[Fraction, ...]
    order: int
    accuracy: int

    @property
    def truncation(self) -> Fraction:
        """Factor ``C`` of the leading error ``C h**accuracy f^(order + accuracy)``."""
        power = self.order + self.accuracy
        terms = zip(self.weights, self.offsets, strict=True)
        return sum((w * o**power for w, o in terms), Fraction(0)) / math.factorial(
            power
        )

    @property
    def quotients(self) -> tuple[tuple[int, int, Fraction], ...]:
        """The same first derivative as a weighted mean of difference quotients.

        Each ``(plus, minus, weight)`` stands for the difference of ``f`` between two
        offsets over the distance between them. The weights sum to 1, so every
        quotient can be divided by the step really taken.
        """
        weight = dict(zip(self.offsets, self.weights, strict=True))
        if all(-o in weight for o in self.offsets):
            return tuple((o, -o, 2 * o * weight[o]) for o in self.offsets if o > 0)
        return tuple((o, 0, o * weight[o]) for o in self.offsets if o != 0)

    def one_sided(self, side: int) -> Stencil | None:
        """The stencil on the offsets of one side (1 or -1) and 0, if any fits."""
        reach = max(abs(o) for o in self.offsets)
        if reach < self.order:
            return None
        return solve(tuple(side * o for o in range(reach + 1)), self.order)

    def relative_step(self, eps: float) -> float:
        """Step for a variable of size 1, a power of two.

        With rounding error ``eps / h**order`` and truncation error ``h**accuracy``
        the sum is least near ``eps**(1 / (order + accuracy))`` (Press et al.,
        Numerical Recipes, section 5.7).
        """
        return 2.0 ** round(math.log2(eps) / (self.order + self.accuracy))


def stencil(method: str, accuracy: int | None, order: int = 1) -> Stencil:
    """Stencil of a method, an accuracy (None: the method's default) and an order."""
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
        return solve(tuple(range(-reach, reach + 1)), order)
    side = 1 if method == "forward" else -1
    return solve(tuple(side * o for o in range(order + accuracy)), order)


@lru_cache
def solve(offsets: tuple[int, ...], order: int) -> Stencil:
    """Weights for the given offsets, from the Taylor conditions, in exact arithmetic.

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
    kept = [(o, w) for o, w in zip(offsets, weights, strict=True) if w]
    power = len(offsets)
    while not sum(w * o**power for o, w in kept):
        power += 1  # symmetric stencils satisfy one condition more than they asked for
    return Stencil(
        offsets=tuple(o for o, _ in kept),
        weights=tuple(w for _, w in kept),
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
