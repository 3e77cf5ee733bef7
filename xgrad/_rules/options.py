"""Rules for the numbers and arrays that losses take as options."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from xgrad._arrays import Array, as_real, float_info, require_same_shape
from xgrad._rules.checks import Guard
from xgrad._rules.domains import Domain


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
class NumberOrArray:
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
