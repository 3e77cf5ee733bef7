"""Losses with a wrapper of their own: those of classes, and roots of means."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

from xgrad._arrays import Array, drop_none
from xgrad._rules import REAL, SOFT_TARGET, Domain, Guard, Number, NumberOrArray
from xgrad.losses._call import Call, Goal, only
from xgrad.losses._loss import Formula, Loss
from xgrad.losses._target import Adjustment, as_classes


class ClassLoss(Loss):
    """A loss of rows whose target is a label, or a weight for each class.

    The formulas get the target as `Classes`. An ``adjustable`` loss takes the options
    ``class_weight``, ``label_smoothing`` and ``ignore_index`` beside its own, and its
    formulas know nothing of them.
    """

    def __init__(
        self,
        value: Formula,
        /,
        *,
        adjustable: bool = False,
        prediction: Domain = REAL,
        options: Mapping[str, Number | NumberOrArray] = MappingProxyType({}),
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

    def _own_parameters(self) -> list[inspect.Parameter]:
        own = super()._own_parameters()
        return [*own, *Adjustment.parameters()] if self.adjustable else own

    def _rules(
        self, options: Mapping[str, Number | NumberOrArray]
    ) -> dict[str, Number | NumberOrArray]:
        rules = super()._rules(options).items()
        return {n: rule for n, rule in rules if n not in Adjustment.names()}

    def _arrays(self, call: Call) -> dict[str, Any]:
        class_weight = call.options.get("class_weight")
        return super()._arrays(call) | drop_none(class_weight=class_weight)

    def _of_formulas(self, options: dict[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in options.items() if n not in Adjustment.names()}

    def _goal(
        self,
        xp: Any,
        values: Array,
        target: Any,
        weight: Array | None,
        guard: Guard,
        options: dict[str, Any],
    ) -> Goal:
        chosen = Adjustment.among(options).checked(xp, values, guard)
        classes, ignored = as_classes(xp, values, target, guard, chosen.ignore_index)
        known = None if guard.active else classes.known()
        factor, share = weight, None
        if ignored is not None:
            known = None if known is None else known | ignored
            factor = only(xp, ~ignored, factor, values.dtype)
        if chosen.class_weight is not None:
            share = classes.pick(chosen.class_weight)
        counted = [part for part in (factor, share) if part is not None]
        measure = reduce(operator.mul, counted) if counted else None
        if chosen.label_smoothing:
            classes = chosen.applied(classes, values.dtype)
        elif classes.labels is not None:
            # The weight of a class is that of all rows with its label.
            factor = measure
        elif share is not None:
            # Rows of classes that weigh nothing are left out, whatever their logits.
            classes = chosen.applied(classes, values.dtype)
            factor = only(xp, share != 0, factor, values.dtype)
        return Goal(classes, factor, measure, known)
