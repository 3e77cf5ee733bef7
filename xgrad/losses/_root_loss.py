"""Losses that take the root of a mean."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array, cast, divide_or_zero, wide_dtype
from xgrad.losses._loss import Loss


class RootLoss(Loss):
    """The square root of a mean; its gradient needs the value.

    The formula returns squares in the widest dtype of the device: those of float32
    numbers overflow or vanish in float32 while their root does not.
    """

    reductions = ("mean",)
    slope_needs_value = True

    def _dtype_of_losses(self, xp: Any, prediction: Array) -> Any:
        return wide_dtype(xp, prediction)

    def _final_value(self, xp: Any, whole: Array, divisor: Any, dtype: Any) -> Any:
        return cast(xp, (whole / divisor) ** 0.5, dtype)

    def _final_slope(
        self, xp: Any, slope: Array, divisor: Any, value: Any, dtype: Any
    ) -> Any:
        """By the chain rule: 0 where the loss is 0, and nan where it is infinite."""
        inner = super()._final_slope(xp, slope, divisor, None, slope.dtype)
        return cast(xp, divide_or_zero(xp, inner, 2 * value) + 0 * value, dtype)
