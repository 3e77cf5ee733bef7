"""Rules for the options of losses: numbers, and arrays of one number for each entry."""

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
    """A rule for an option that is one Python number; ``rule`` follows "must"."""

    rule: str
    holds: Callable[[float], bool]

    def validate(self, name: str, value: Any) -> float:
        """Return the number as a Python float; raise if it breaks the rule."""
        # A 0-d array is no `Real`: to read it from a device would wait unasked.
        if not isinstance(value, Real) or isinstance(value, bool):
            is_array = hasattr(value, "shape")
            raise TypeError(
                f"`{name}` must be a number; got {value!r}"
                + (": convert it first, with `float`" if is_array else "")
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not self.holds(number):
            raise ValueError(f"`{name}` must {self.rule}; got {value!r}")
        return number

    def validate_as(self, xp: Any, name: str, value: Any, dtype: Any) -> float:
        """Return the number; raise if it breaks the rule when it is of ``dtype``.

        A positive number, for example, may be 0 in float32.
        """
        number = self.validate(name, value)
        info = float_info(xp, dtype)
        # `tiny * eps` is the smallest subnormal number; what is smaller counts as 0.
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
    """A rule for an option that is a number, or an array with one for each entry.

    With ``by_columns`` the array has one for each entry of the last axis.
    """

    domain: Domain
    number: Number
    by_columns: bool = False

    def validate(
        self, xp: Any, name: str, value: Any, prediction: Array, guard: Guard
    ) -> Any:
        """Return a Python float, or floats in the prediction's shape and dtype.

        A number is checked at once, and an array by the ``guard``.
        """
        if isinstance(value, Real):
            return self.number.validate_as(xp, name, value, prediction.dtype)
        if self.by_columns:
            _require_columns(name, value, prediction)
        elif value.ndim:
            require_same_shape("prediction", prediction, name, value)
        values = as_real(xp, name, value, prediction.dtype)
        values = guard.domain(values, self.domain.checks(xp, name, values, value))
        # Like every other option it is then cut along with the rows.
        return xp.broadcast_to(values, prediction.shape) if self.by_columns else values


def _require_columns(name: str, value: Array, prediction: Array) -> None:
    """Raise unless an option has one number for each column of a prediction."""
    if value.ndim and (prediction.ndim < 2 or value.shape != prediction.shape[-1:]):
        raise ValueError(
            f"`{name}` has shape {tuple(value.shape)} and `prediction` "
            f"{tuple(prediction.shape)}, but must be a number, or have one for each "
            "column, the last of at least two axes"
        )
