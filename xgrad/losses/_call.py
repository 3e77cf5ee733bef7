"""One call of a loss: its arguments, checked, and how much each loss counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    as_real,
    is_floating,
    is_integral,
    product_keeping_zeros,
    wide_sum,
)
from xgrad._rules import Guard, ValueCheck

NAN = float("nan")
# Entries that NumPy evaluates at once: 512 KiB in float32.
PART = 2**17


@dataclass(frozen=True)
class Call:
    """The arguments of one call, as they came; the options complete."""

    prediction: Any
    target: Any
    weight: Any
    reduction: str
    check: bool
    moved: bool  # to a point that the caller did not choose
    options: dict[str, Any]

    def on(self, arrays: dict[str, Any]) -> Call:
        """The call with these arrays in place of its own, and without a reduction."""
        options = self.options | {n: arrays[n] for n in self.options if n in arrays}
        return replace(
            self,
            prediction=arrays["prediction"],
            target=arrays["target"],
            weight=arrays.get("weight"),
            reduction="none",
            options=options,
        )


@dataclass(frozen=True)
class Goal:
    """What one call aims at, and how much each loss counts; ``None`` is 1, or all."""

    target: Any
    factor: Array | None = None  # what the losses are multiplied by
    measure: Array | None = None  # what a mean divides by the sum of
    known: Array | None = None  # false where labels that nobody checked are bad

    def part(self, rows: slice) -> Goal:
        """That of some rows; what a mean divides by stays that of all."""
        factor = None if self.factor is None else self.factor[rows]
        known = None if self.known is None else self.known[rows]
        return replace(self, target=self.target[rows], factor=factor, known=known)


@dataclass(frozen=True)
class Case:
    """The checked arguments of one call."""

    xp: Any
    call: Call
    prediction: Array
    goal: Goal
    options: dict[str, Any]  # of the formulas
    divisor: Any  # of a mean: the number of losses, or the sum of their weights
    value_dtype: Any  # that of the caller's prediction, or float32 for half precision
    dtype: Any  # of the gradient: that of the caller's prediction, if it is a float

    def part(self, rows: slice) -> Case:
        """Some rows of it, or entries of one axis."""
        return replace(
            self,
            prediction=self.prediction[rows],
            goal=self.goal.part(rows),
            options={
                name: value[rows] if getattr(value, "ndim", 0) else value
                for name, value in self.options.items()
            },
        )


def by_parts(
    case: Case, evaluate: Callable[[Case], tuple[Any, Any]]
) -> tuple[Any, Any]:
    """Losses and slopes of NumPy; of a large array some rows at a time.

    What the formulas put between stays in the cache, and in memory that the allocator
    keeps.
    """
    if case.prediction.size <= 2 * PART:
        return evaluate(case)
    rows = case.prediction.shape[0]
    step = max(1, PART * rows // case.prediction.size)
    wholes: list[Any] = [None, None]
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        for i, found in enumerate(evaluate(case.part(part))):
            if found is None:
                continue
            if wholes[i] is None:
                wholes[i] = np.empty((rows, *found.shape[1:]), found.dtype)
            wholes[i][part] = found
    return wholes[0], wholes[1]


def refuse_swapped(xp: Any, prediction: Array, target: Array) -> None:
    """Raise where labels come first and scores second."""
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


def as_weight(xp: Any, weight: Array, shape: tuple[int, ...], values: Array) -> Array:
    """Weights of the losses, which have this shape, as floats like the prediction."""
    if tuple(weight.shape) != shape:
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have that of the "
            f"unreduced loss, {shape}: give one weight for each loss"
        )
    return as_real(xp, "weight", weight, values.dtype)


def mean_divisor(
    xp: Any, shape: tuple[int, ...], call: Call, measure: Array | None, guard: Guard
) -> Any:
    """What a mean divides by: a number, or a 0-d array; None for other reductions."""
    if call.reduction != "mean":
        return None
    if 0 in shape:
        raise ValueError(
            f"the mean over no losses is undefined (their shape is {shape}): "
            'skip the empty batch, or use reduction="sum"'
        )
    if measure is None:
        return float(math.prod(shape))
    whole = wide_sum(xp, measure)
    if not call.check:
        return xp.where(whole == 0, NAN, whole)
    return guard.domain(whole, _weightless_checks(call, whole))


def _weightless_checks(call: Call, whole: Array) -> Iterator[ValueCheck]:
    remedy = (
        "a weighted mean divides by the sum of the weights: skip the batch, or use "
        'reduction="sum"'
    )
    if call.weight is not None:
        argument, rule = "weight", "not sum to 0 (the sum is shown)"
    elif call.options.get("class_weight") is not None:
        argument = "class_weight"
        rule = "not be 0 for all targets (the sum of their weights is shown)"
    else:
        argument = "target"
        rule = "not be ignored altogether (the number of rows that count is shown)"
    yield ValueCheck(argument, whole, whole == 0, rule, remedy)


def only(xp: Any, kept: Array, factor: Array | None, dtype: Any) -> Array:
    """Factors of the losses, 0 where they are not kept."""
    return xp.astype(kept, dtype) if factor is None else xp.where(kept, factor, 0.0)


def counted(case: Case, values: Array | None) -> Array | None:
    """Losses or slopes times their weights; nan where a label is out of range.

    What weighs nothing adds nothing, not even if it is infinite or nan.
    """
    if values is None:
        return None
    factor, known = case.goal.factor, case.goal.known
    if factor is not None:
        values = product_keeping_zeros(case.xp, _beside(factor, values), values)
    if known is not None:
        values = case.xp.where(_beside(known, values), values, NAN)
    return values


def _beside(rows: Array, values: Array) -> Array:
    return rows if rows.ndim == values.ndim else rows[..., None]
