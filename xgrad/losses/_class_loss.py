"""Losses of rows of classes."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

from xgrad._arrays import Array, drop_none
from xgrad._rules import IGNORABLE, NUMBERED, REAL, SOFT_TARGET, Domain, Guard
from xgrad.losses._call import RawCall, Target, masked_weight
from xgrad.losses._formulas import Formula
from xgrad.losses._loss import Loss
from xgrad.losses._options import Rule
from xgrad.losses._target import TargetOptions, as_class_target


class ClassLoss(Loss):
    """A loss of rows whose target is a label, or a weight for each class.

    The formulas get the target as a `ClassTarget`. ``adjustable`` names the options
    that a loss also takes, of ``class_weight``, ``label_smoothing`` and
    ``ignore_index``, which its formulas do not see.
    """

    def __init__(
        self,
        value: Formula,
        /,
        *,
        adjustable: tuple[str, ...] = (),
        prediction: Domain = REAL,
        options: Mapping[str, Rule] = MappingProxyType({}),
        kernel: str | None = None,
    ) -> None:
        self.adjustable = adjustable
        super().__init__(
            value,
            rows=True,
            prediction=prediction,
            target=SOFT_TARGET,
            options=options,
            kernel=kernel,
        )

    def _target_parameters(self) -> list[inspect.Parameter]:
        return [p for p in TargetOptions.parameters() if p.name in self.adjustable]

    def _kernel_weights(self, weight: Any, options: dict[str, Any]) -> dict[str, Any]:
        ignore_index = options.get("ignore_index") if self.adjustable else None
        # An odd one is left to the checks.
        ignored = (
            drop_none(ignore_index=ignore_index) if type(ignore_index) is int else {}
        )
        return super()._kernel_weights(weight, options) | ignored

    def _arrays(self, raw: RawCall) -> dict[str, Any]:
        class_weight = raw.options.get("class_weight")
        return super()._arrays(raw) | drop_none(class_weight=class_weight)

    def _validate_target(
        self, xp: Any, values: Array, raw: RawCall, weight: Array | None, guard: Guard
    ) -> Target:
        options = TargetOptions.select(raw.options).validate(xp, values, guard)
        classes, ignored = as_class_target(
            xp,
            values,
            raw.target,
            guard,
            options.ignore_index,
            remedy=IGNORABLE if "ignore_index" in self.adjustable else NUMBERED,
        )
        # Labels that were checked are in range.
        in_range = None if guard.active else classes.in_range()
        if ignored is not None:
            in_range = None if in_range is None else in_range | ignored
            weight = masked_weight(xp, ~ignored, weight, values.dtype)
        row_weight = None
        if options.class_weight is not None:
            row_weight = classes.dot(options.class_weight)
        factors = [w for w in (weight, row_weight) if w is not None]
        mean_weight = reduce(operator.mul, factors) if factors else None
        if options.label_smoothing:
            # The smoothed target contains the weights of the classes. A mean still
            # divides by the weights of the targets before they are smoothed.
            classes = options.apply(classes, values.dtype)
        elif classes.labels is not None:
            # All of a row with a label weighs what its class does: one factor for each
            # row is cheaper than weights of all classes.
            weight = mean_weight
        elif row_weight is not None:
            # Rows whose classes weigh nothing are ignored, whatever their logits.
            classes = options.apply(classes, values.dtype)
            weight = masked_weight(xp, row_weight != 0, weight, values.dtype)
        return Target(classes, weight, mean_weight, in_range)
