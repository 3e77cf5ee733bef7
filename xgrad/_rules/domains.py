"""Where values may lie: of predictions and targets, and of the options of a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, float_info, is_floating, row_sum
from xgrad._rules.checks import ValueCheck

# Values to show, a mask of the bad ones, the rule in words.
Broken = tuple[Array, Array, str]


@dataclass(frozen=True)
class Domain:
    """A rule for values. ``broken(xp, values, tolerance)`` lists what breaks it.

    The tolerance is ``sqrt(eps)`` of the dtype that the caller passed.
    """

    broken: Callable[[Any, Array, float], list[Broken]]
    remedy: str = ""

    def checks(
        self, xp: Any, name: str, values: Array, given: Array
    ) -> Iterator[ValueCheck]:
        """The rule as checks on one argument; ``given`` is what the caller passed."""
        dtype = given.dtype if is_floating(xp, given) else values.dtype
        tolerance = float_info(xp, dtype).eps ** 0.5
        for shown, bad, rule in self.broken(xp, values, tolerance):
            yield ValueCheck(name, shown, bad, rule, self.remedy)


def _unit_interval(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    return [(values, (values < 0) | (values > 1), "lie in [0, 1]")]


def _distribution(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    sums = row_sum(xp, values)
    bad = xp.abs(sums - 1) > tolerance
    rule = "hold rows that sum to 1 (the sum of the row is shown)"
    return [*_unit_interval(xp, values, tolerance), (sums, bad, rule)]


def _weights(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    bad = ~((values >= 0) & xp.isfinite(values))
    return [(values, bad, "be finite and not negative")]


def _above_minus_one(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    return [(values, values <= -1, "be above -1")]


def _not_negative(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    return [(values, values < 0, "not be negative")]


def _positive(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    return [(values, ~((values > 0) & xp.isfinite(values)), "be positive and finite")]


def _signs(xp: Any, values: Array, tolerance: float) -> list[Broken]:
    return [(values, xp.abs(values) != 1, "be -1 or 1")]


REAL = Domain(lambda xp, values, tolerance: [])
UNIT_INTERVAL = Domain(
    _unit_interval, "give probabilities, for example `special.sigmoid(logits)`"
)
DISTRIBUTION = Domain(
    _distribution,
    "give probabilities, for example `special.softmax(logits)`, "
    "or use the loss that takes logits",
)
SOFT_TARGET = Domain(_weights, "soft targets are the weights of the classes")
CLASS_WEIGHT = Domain(_weights, "give each class a weight of 0 or more")
ABOVE_MINUS_ONE = Domain(_above_minus_one, "the loss takes the logarithm of 1 + value")
COUNTS = Domain(_not_negative, "give counts, or rates")
VARIANCE = Domain(_positive, "a variance is the square of a standard deviation")
SIGNS = Domain(_signs, "turn labels 0 and 1 into signs with `2 * target - 1`")
