"""Where values may lie: of predictions and targets, and of the options of a loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

from xgrad._array import (
    Array,
    as_real,
    float_info,
    is_floating,
    require_same_shape,
)
from xgrad._guard import Check, Guard
from xgrad._math import row_sum

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
    ) -> Iterator[Check]:
        """The rule as checks on one argument; ``given`` is what the caller passed."""
        dtype = given.dtype if is_floating(xp, given) else values.dtype
        tolerance = float_info(xp, dtype).eps ** 0.5
        for shown, bad, rule in self.broken(xp, values, tolerance):
            yield Check(name, shown, bad, rule, self.remedy)


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


# Options


@dataclass(frozen=True)
class Number:
    """A rule for an option that is one number, known on the host."""

    rule: str
    holds: Callable[[float], bool]

    def checked(self, name: str, value: Any) -> float:
        """The number as a float of Python."""
        if not isinstance(value, Real) or isinstance(value, bool):
            is_array = hasattr(value, "shape")
            raise TypeError(
                f"`{name}` must be a number; got {value!r}"
                + (": read it from its array first, with `float`" if is_array else "")
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not self.holds(number):
            raise ValueError(f"`{name}` must {self.rule}; got {value!r}")
        return number

    def checked_in(self, xp: Any, name: str, value: Any, dtype: Any) -> float:
        """The same, which obeys the rule when it is rounded to this dtype, too."""
        number = self.checked(name, value)
        info = float_info(xp, dtype)
        rounded = 0.0 if abs(number) < info.tiny * info.eps else number
        if abs(number) > info.largest:
            rounded = math.copysign(math.inf, number)
        if not self.holds(rounded):
            raise ValueError(
                f"`{name}` must {self.rule}; got {value!r}, which {dtype} holds "
                f"as {rounded}"
            )
        return number


FINITE = Number("be finite", math.isfinite)
POSITIVE = Number("be positive and finite", lambda v: 0 < v < math.inf)
NOT_NEGATIVE = Number("be finite and not negative", lambda v: 0 <= v < math.inf)
FRACTION = Number("lie in [0, 1]", lambda v: 0 <= v <= 1)


@dataclass(frozen=True)
class Entries:
    """A rule for an option that is a number, or an array with one for each entry."""

    domain: Domain
    number: Number

    def checked(
        self, xp: Any, name: str, value: Any, prediction: Array, guard: Guard
    ) -> Any:
        """A float of Python, or floats in the prediction's shape and dtype."""
        if isinstance(value, Real):
            return self.number.checked_in(xp, name, value, prediction.dtype)
        if value.ndim:
            require_same_shape("prediction", prediction, name, value)
        values = as_real(xp, name, value, prediction.dtype)
        return guard.domain(values, self.domain.checks(xp, name, values, value))
