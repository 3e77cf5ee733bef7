"""Domains: the values that predictions, targets and options of losses may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from xgrad._arrays import Array, float_info, is_floating, row_sum
from xgrad._rules.checks import ValueCheck


class Violation(NamedTuple):
    """A mask ``bad`` over the values that a message shows, and the broken rule.

    ``quantity`` says what the values are, as in `ValueCheck`.
    """

    values: Array
    bad: Array
    rule: str
    quantity: str = "{}"


@dataclass(frozen=True, eq=False)
class Domain:
    """A rule for values, with the remedy for values that break it.

    ``violations(xp, values, tolerance)`` lists masks of bad values, one for each rule.
    """

    violations: Callable[[Any, Array, float], list[Violation]]
    remedy: str = ""

    def checks(
        self, xp: Any, name: str, values: Array, original: Array
    ) -> Iterator[ValueCheck]:
        """Yield the checks of one argument; ``original`` is the array of the caller.

        Sums may miss their value by ``sqrt(eps)`` of the caller's dtype, half of its
        digits: rows that were rounded to it, then promoted, do not sum to 1 exactly.
        """
        dtype = original.dtype if is_floating(xp, original) else values.dtype
        tolerance = float_info(xp, dtype).eps ** 0.5
        for shown, bad, rule, quantity in self.violations(xp, values, tolerance):
            yield ValueCheck(name, shown, bad, rule, self.remedy, quantity)


def _outside_unit_interval(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    return [Violation(values, (values < 0) | (values > 1), "lie in [0, 1]")]


def _no_distribution(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    sums = row_sum(xp, values)
    bad = xp.abs(sums - 1) > tolerance
    row_rule = Violation(sums, bad, "hold rows that sum to 1", "the sum of {}")
    return [*_outside_unit_interval(xp, values, tolerance), row_rule]


def _no_weight(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    bad = ~((values >= 0) & xp.isfinite(values))  # true for nan, too
    return [Violation(values, bad, "be finite and not negative")]


def _not_above_minus_one(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    return [Violation(values, values <= -1, "be above -1")]


def _negative(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    return [Violation(values, values < 0, "not be negative")]


def _not_positive(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    bad = ~((values > 0) & xp.isfinite(values))
    return [Violation(values, bad, "be positive and finite")]


def _no_sign(xp: Any, values: Array, tolerance: float) -> list[Violation]:
    return [Violation(values, xp.abs(values) != 1, "be -1 or 1")]


REAL = Domain(lambda xp, values, tolerance: [])
UNIT_INTERVAL = Domain(
    _outside_unit_interval, "pass probabilities, for example `special.sigmoid(logits)`"
)
BINARY_TARGET = Domain(
    _outside_unit_interval,
    "pass labels 0 and 1, or the probability of class 1; signs -1 and 1 become labels "
    "by `(target + 1) / 2`",
)
DISTRIBUTION = Domain(
    _no_distribution,
    "pass probabilities, for example `special.softmax(logits)`, "
    "or use the loss that takes logits",
)
SOFT_TARGET = Domain(_no_weight, "a soft target holds the weights of the classes")
CLASS_WEIGHT = Domain(_no_weight, "give each class a weight of 0 or more")
POSITIVE_WEIGHT = Domain(_no_weight, "give each column a weight of 0 or more")
ABOVE_MINUS_ONE = Domain(
    _not_above_minus_one, "the loss takes the logarithm of 1 + value"
)
COUNTS = Domain(_negative, "pass counts, or rates")
VARIANCE = Domain(_not_positive, "a variance is the square of a standard deviation")
SIGNS = Domain(_no_sign, "turn labels 0 and 1 into signs with `2 * target - 1`")
