"""One call of a loss: its arguments as they came, and as they are after the checks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    as_real,
    float_info,
    is_floating,
    is_integral,
    prefix_of,
    wide_sum,
)
from xgrad._rules import Guard, ValueCheck


@dataclass(frozen=True, eq=False)
class RawCall:
    """The arguments of one call, unchecked; the options are complete."""

    prediction: Any
    target: Any
    weight: Any
    reduction: str
    check: bool
    is_perturbed: bool  # the prediction is a point that the caller did not choose
    options: dict[str, Any]

    def unreduced_on(self, arrays: dict[str, Any]) -> RawCall:
        """Return the call with other arrays under the names of its own, unreduced."""
        # A block returns its losses as they are; the reduction is over all blocks.
        options = self.options | {n: arrays[n] for n in self.options if n in arrays}
        return replace(
            self,
            prediction=arrays["prediction"],
            target=arrays["target"],
            weight=arrays.get("weight"),
            reduction="none",
            options=options,
        )


@dataclass(frozen=True, eq=False)
class Target:
    """The checked target of one call, and what each loss weighs."""

    values: Any  # numbers in the shape of the prediction, or a `ClassTarget`
    weight: Array | None = None  # factor of each loss; None is 1
    mean_weight: Array | None = None  # a mean divides by the sum of it; None is 1
    # False where an unchecked label names no class; None where all are good.
    in_range: Array | None = None

    def take_rows(self, rows: slice) -> Target:
        """Return the target of some rows; ``mean_weight`` stays that of all rows."""
        weight = None if self.weight is None else self.weight[rows]
        in_range = None if self.in_range is None else self.in_range[rows]
        return replace(self, values=self.values[rows], weight=weight, in_range=in_range)


@dataclass(frozen=True, eq=False)
class CheckedCall:
    """The checked arguments of one call, with all that its result depends on."""

    xp: Any
    raw: RawCall
    prediction: Array
    target: Target
    options: dict[str, Any]  # those that the formulas take
    divisor: Any  # of a mean: the number of losses, or the sum of their weights
    value_dtype: Any
    grad_dtype: Any

    def take_rows(self, rows: slice) -> CheckedCall:
        """Return the call on some rows, which are a slice of the first axis."""
        return replace(
            self,
            prediction=self.prediction[rows],
            target=self.target.take_rows(rows),
            options={
                name: value[rows] if getattr(value, "ndim", 0) else value
                for name, value in self.options.items()
            },
        )


def refuse_swapped(xp: Any, prediction: Array, target: Array) -> None:
    """Raise if labels come first and scores second."""
    if (
        prediction.ndim == 1
        and target.ndim == 2
        and is_integral(xp, prediction)
        and is_floating(xp, target)
    ):
        raise ValueError(
            f"the arguments look swapped: `prediction` holds {prediction.shape[0]} "
            f"integers and `target` is a float array of shape {tuple(target.shape)}; "
            "predictions come first: loss(prediction, target)"
        )


def as_weight(
    xp: Any, weight: Array, shape: tuple[int, ...], dtype: Any, *, by_class: bool
) -> Array:
    """Return the weights in this dtype, if they have the shape of the losses.

    ``by_class`` says that the loss also takes weights of classes.
    """
    if tuple(weight.shape) != shape:
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have that of the "
            f"unreduced loss, {shape}: {_weight_advice(weight, shape)}"
            f"{' (those of classes are `class_weight=`)' if by_class else ''}"
        )
    return as_real(xp, "weight", weight, dtype)


def _weight_advice(weight: Array, shape: tuple[int, ...]) -> str:
    """Return how to weigh each loss by weights of rows or of columns."""
    own = tuple(weight.shape)
    if len(shape) == 2 and own in (shape[:1], shape[1:]):
        each = "weight" if own == shape[1:] else "weight[:, None]"
        return f"repeat them, `{prefix_of([weight])}.broadcast_to({each}, {shape})`"
    return "give one weight for each loss"


def masked_weight(xp: Any, mask: Array, weight: Array | None, dtype: Any) -> Array:
    """Return the weights of the losses, 0 where the mask is false; no weight is 1."""
    return xp.astype(mask, dtype) if weight is None else xp.where(mask, weight, 0.0)


def mean_divisor(
    xp: Any, shape: tuple[int, ...], raw: RawCall, weight: Array | None, guard: Guard
) -> Any:
    """Return the divisor of a mean over losses of this shape; None without a mean.

    It is a float, or a 0-d array: the sum of the weights.
    """
    if raw.reduction != "mean":
        return None
    if 0 in shape:
        raise ValueError(
            f"the mean over no losses is undefined (their shape is {shape}): "
            'skip the empty batch, or use reduction="sum"'
        )
    if weight is None:
        return float(math.prod(shape))
    weight_sum = wide_sum(xp, weight)
    if not raw.check:
        # Undefined, while a sum of losses over 0 could be infinite.
        return xp.where(weight_sum == 0, math.nan, weight_sum)
    return guard.domain(weight_sum, _zero_sum_checks(raw, weight_sum))


def _zero_sum_checks(raw: RawCall, weight_sum: Array) -> Iterator[ValueCheck]:
    """Yield the check that a mean can divide by the sum of the weights.

    It names the argument that made the sum 0.
    """
    remedy = (
        "a weighted mean divides by the sum of the weights, so skip the batch, or use "
        'reduction="sum"'
    )
    if raw.weight is not None:
        argument, rule, quantity = "weight", "not sum to 0", "the sum of {}"
    elif raw.options.get("class_weight") is not None:
        argument = "class_weight"
        rule, quantity = "not be 0 for all targets", "the sum of their weights"
    else:
        argument = "target"
        rule, quantity = "have a row that is not ignored", "the number of such rows"
    yield ValueCheck(argument, weight_sum, weight_sum == 0, rule, remedy, quantity)


def output_dtypes(xp: Any, prediction: Array, values: Array) -> tuple[Any, Any]:
    """Return the dtypes of a loss and of its gradient.

    ``values`` are the floats that the prediction became. A floating prediction gives
    both its dtype, but losses of half precision are float32: float16 ends at 65504,
    which a sum of losses soon exceeds, while a slope rarely does.
    """
    if not is_floating(xp, prediction):
        return values.dtype, values.dtype
    is_half = float_info(xp, prediction.dtype).size < 4
    return values.dtype if is_half else prediction.dtype, prediction.dtype
