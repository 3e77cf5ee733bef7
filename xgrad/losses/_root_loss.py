"""Losses that are the root of a mean."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array, cast, divide_or_zero, wide_dtype
from xgrad.losses._loss import Loss


class RootLoss(Loss):
    """The square root of a mean, whose gradient needs the value.

    The formula returns squares in the widest dtype of the device: those of float32
    numbers overflow or vanish in float32 while their root does not. Its slope is half
    that of the squares, the other half of which the root cancels.
    """

    # The root of a sum, and the roots of single squares, are losses of another name.
    reductions = ("mean",)
    slope_needs_value = True

    def _dtype_of_losses(self, xp: Any, prediction: Array) -> Any:
        return wide_dtype(xp, prediction)

    def _final_value(self, xp: Any, loss_sum: Array, divisor: Any, dtype: Any) -> Any:
        return cast(xp, (loss_sum / divisor) ** 0.5, dtype)

    def _final_slope(
        self, xp: Any, slope: Array, divisor: Any, value: Any, dtype: Any
    ) -> Any:
        """Return the gradient of the root from half the slopes of the squares.

        By the chain rule it is their mean over the value: 0 where the loss is 0, and
        nan where it is infinite.
        """
        of_mean = super()._final_slope(xp, slope, divisor, None, slope.dtype)
        # Of an infinite loss the quotient would be 0: adding 0 * inf makes it nan.
        return cast(xp, divide_or_zero(xp, of_mean, value) + 0 * value, dtype)
