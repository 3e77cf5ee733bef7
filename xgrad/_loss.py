"""What every loss has in common: checks, weights, reduction, and the gradient's scale.

A loss is a function of checked floats and, beside it, its slope. `Loss` does the rest
around them, so that no loss can forget it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal

from xgrad._array import (
    Array,
    ArrayT,
    as_float,
    cast,
    common_namespace,
    is_floating,
    is_integral,
    one_of,
    perturbed,
    quiet,
    require_same_shape,
    total,
)
from xgrad._classes import Adjustment, as_classes, as_real
from xgrad._domains import REAL, SOFT_TARGET, Domain, Entries, Number
from xgrad._guard import Check, Guard
from xgrad._math import product

Reduction = Literal["mean", "sum", "none"]
Formula = Callable[..., Any]
NAN = float("nan")


@dataclass(frozen=True)
class Goal:
    """What one call aims at, and how much each loss counts; ``None`` is 1, or all."""

    target: Any
    factor: Array | None = None  # what the losses are multiplied by
    measure: Array | None = None  # what a mean divides by the sum of
    known: Array | None = None  # false where labels that nobody checked are bad


@dataclass(frozen=True)
class Case:
    """The checked arguments of one call."""

    xp: Any
    prediction: Array
    target: Any
    options: dict[str, Any]  # of the formulas
    factor: Array | None
    known: Array | None
    count: Any  # what a mean divides by: a number, or the sum of the weights
    reduction: str
    dtype: Any  # of the gradient: that of the caller's prediction, if it is a float


class Loss:
    """A loss with its closed-form gradient.

    Called with a prediction and a target it returns the loss: 0-d, or with
    ``reduction="none"`` one number for each element (or row). `grad` returns the
    gradient by the prediction, `value_and_grad` both from one pass.

    Parameters
    ----------
    value : callable ``(xp, prediction, target, /, *, options) -> array``
        The loss of each element or row, of checked floats.
    rows : bool
        Whether the loss is one of rows, ``(..., C) -> (...)``, instead of elements.
    prediction, target : Domain
        Rules for the values; not looked at with ``check=False``.
    options : mapping of names to Number or Entries
        Rules for the options that the formulas take.
    """

    __name__: str
    reductions: tuple[str, ...] = ("mean", "sum", "none")
    slope_needs_value = False

    def __init__(
        self,
        value: Formula,
        /,
        *,
        rows: bool = False,
        prediction: Domain = REAL,
        target: Domain = REAL,
        options: Mapping[str, Number | Entries] = MappingProxyType({}),
    ) -> None:
        self.rows = rows
        self.prediction = prediction
        self.target = target
        self.rules = options
        self._value = value
        self._slope: Formula | None = None
        self._value_and_slope: Formula = self._one_after_the_other
        functools.update_wrapper(self, value)
        self.__signature__ = self._public_signature()

    def __repr__(self) -> str:
        return f"<loss {self.__module__}.{self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__

    # How a loss is put together.

    def slope(self, function: Formula) -> Formula:
        """Register the derivative of the unreduced loss by the prediction."""
        self._slope = self._with_same_options(function)
        return function

    def value_and_slope(self, function: Formula) -> Formula:
        """Register a function that gives both, where they share work."""
        self._value_and_slope = self._with_same_options(function)
        return function

    def _with_same_options(self, function: Formula) -> Formula:
        expected = list(inspect.signature(self._value).parameters.values())
        got = list(inspect.signature(function).parameters.values())
        if [(p.name, p.default) for p in expected] != [
            (p.name, p.default) for p in got
        ]:
            raise TypeError(
                f"the functions of `{self.__name__}` must take the same parameters "
                f"with the same defaults; got {expected} and {got}"
            )
        return function

    def _one_after_the_other(self, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        return self._value(*arguments, **options), self._slopes(*arguments, **options)

    def _slopes(self, *arguments: Any, **options: Any) -> Array:
        if self._slope is None:
            raise TypeError(f"`{self.__name__}` has no gradient: register its slope")
        return self._slope(*arguments, **options)

    # How a loss is used.

    def __call__(
        self,
        prediction: ArrayT,
        target: Any,
        /,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> ArrayT:
        """The loss, reduced as asked."""
        with quiet():
            case = self._case(prediction, target, reduction, weight, check, options)
            return self._reduced(case, self._of(case, self._value))

    def grad(
        self,
        prediction: ArrayT,
        target: Any,
        /,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> ArrayT:
        """Gradient of the reduced loss by the prediction, in the prediction's shape.

        With ``reduction="none"`` it holds each entry's own slope.
        """
        with quiet():
            case = self._case(prediction, target, reduction, weight, check, options)
            if self.slope_needs_value:
                return self._both(case)[1]
            slope = self._of(case, self._slopes)
            return cast(case.xp, self._scaled(case, slope, None), case.dtype)

    def value_and_grad(
        self,
        prediction: ArrayT,
        target: Any,
        /,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> tuple[ArrayT, ArrayT]:
        """The loss and its gradient; what both need is computed once."""
        with quiet():
            case = self._case(prediction, target, reduction, weight, check, options)
            return self._both(case)

    def _of(self, case: Case, function: Formula) -> Any:
        return function(case.xp, case.prediction, case.target, **case.options)

    def _both(self, case: Case) -> tuple[Any, Any]:
        losses, slope = self._of(case, self._value_and_slope)
        value = self._reduced(case, losses)
        return value, cast(case.xp, self._scaled(case, slope, value), case.dtype)

    # Options.

    def _public_signature(self) -> inspect.Signature:
        """Signature of a call: the options of this loss after those of every loss."""
        _, prediction, target, *own = inspect.signature(self._value).parameters.values()
        shared = inspect.signature(Loss.__call__).parameters
        common = [shared[name] for name in ("reduction", "weight", "check")]
        return inspect.Signature([prediction, target, *common, *own])

    def _chosen(self, options: dict[str, Any]) -> dict[str, Any]:
        """All options of this loss, by their names, in their order."""
        own = list(self.__signature__.parameters.values())[5:]
        names = [parameter.name for parameter in own]
        for name in options:
            if name not in names:
                listed = ", ".join(map(repr, names)) or "none of its own"
                raise TypeError(
                    f"`{self.__name__}` has an unexpected keyword argument {name!r}: "
                    f"its options are {listed}, beside reduction, weight and check"
                )
        for parameter in own:
            if parameter.default is parameter.empty and parameter.name not in options:
                raise TypeError(
                    f"`{self.__name__}` needs the keyword argument {parameter.name!r}"
                )
        return {p.name: options.get(p.name, p.default) for p in own}

    def _arrays(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options that are arrays."""
        return {
            name: options[name]
            for name, rule in self.rules.items()
            if isinstance(rule, Entries) and not isinstance(options[name], Real)
        }

    def _checked_options(
        self, xp: Any, options: dict[str, Any], values: Array, guard: Guard
    ) -> dict[str, Any]:
        """All options; numbers as floats of Python."""
        checked = dict(options)
        for name, rule in self.rules.items():
            if isinstance(rule, Number):
                checked[name] = rule.checked(name, options[name])
            else:
                checked[name] = rule.checked(xp, name, options[name], values, guard)
        return checked

    def _of_formulas(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options that the formulas take."""
        return options

    # Checks.

    def _case(
        self,
        prediction: Any,
        target: Any,
        reduction: Any,
        weight: Any,
        check: bool,
        options: dict[str, Any],
    ) -> Case:
        options = self._chosen(options)
        xp = common_namespace(
            prediction=prediction,
            target=target,
            weight=weight,
            **self._arrays(options),
        )
        one_of("reduction", reduction, self.reductions)
        _refuse_swapped(xp, prediction, target)
        values = as_float(xp, "prediction", prediction)
        if self.rows and (values.ndim == 0 or values.shape[-1] == 0):
            raise ValueError(
                f"`prediction` has shape {tuple(values.shape)}, but `{self.__name__}` "
                "needs a last axis of at least one entry: a single row is 1-d"
            )
        shape = tuple(values.shape[:-1] if self.rows else values.shape)
        guard = Guard(xp, check)
        weights = None if weight is None else _as_weight(xp, weight, shape, values)
        options = self._checked_options(xp, options, values, guard)
        goal = self._goal(xp, values, target, weights, guard, options)
        count = _count(xp, shape, reduction, goal.measure, guard)
        if not perturbed.get():
            rules = self.prediction.checks(xp, "prediction", values, prediction)
            values = guard(values, rules)
        guard.enforce()
        return Case(
            xp=xp,
            prediction=values,
            target=goal.target,
            options=self._of_formulas(options),
            factor=goal.factor,
            known=None if check else goal.known,
            count=count,
            reduction=reduction,
            dtype=prediction.dtype if is_floating(xp, prediction) else values.dtype,
        )

    def _goal(
        self,
        xp: Any,
        values: Array,
        target: Any,
        weight: Array | None,
        guard: Guard,
        options: dict[str, Any],
    ) -> Goal:
        """The target to compute with, and the weights of the losses."""
        require_same_shape("prediction", values, "target", target)
        numbers = as_real(xp, "target", target, values.dtype)
        numbers = guard(numbers, self.target.checks(xp, "target", numbers, target))
        return Goal(numbers, factor=weight, measure=weight)

    # Reduction.

    def _reduced(self, case: Case, losses: Array) -> Any:
        xp = case.xp
        losses = _counted(case, losses)
        if case.reduction == "none":
            return losses
        result = total(xp, losses)
        if case.reduction == "mean":
            result = result / case.count
        return cast(xp, result, losses.dtype)

    def _scaled(self, case: Case, slope: Array, value: Any) -> Any:
        """The gradient of the reduced loss from the slopes of the unreduced one."""
        slope = _counted(case, slope)
        if case.reduction == "mean":
            count = case.count
            known = isinstance(count, float)
            slope = slope / (count if known else cast(case.xp, count, slope.dtype))
        return slope


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
        options: Mapping[str, Number | Entries] = MappingProxyType({}),
    ) -> None:
        self.adjustable = adjustable
        super().__init__(
            value,
            rows=True,
            prediction=prediction,
            target=SOFT_TARGET,
            options=options,
        )

    def _public_signature(self) -> inspect.Signature:
        signature = super()._public_signature()
        if not self.adjustable:
            return signature
        own = [*signature.parameters.values(), *Adjustment.parameters()]
        return signature.replace(parameters=own)

    def _arrays(self, options: dict[str, Any]) -> dict[str, Any]:
        arrays = super()._arrays(options)
        return arrays | {n: v for n, v in options.items() if n == "class_weight"}

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
        factor = weight
        if ignored is not None:
            known = None if known is None else known | ignored
            ones = xp.ones_like(values[..., 0]) if weight is None else weight
            factor = xp.where(ignored, 0.0, ones)
        measure = factor
        if chosen.class_weight is not None:
            share = classes.pick(chosen.class_weight)
            measure = share if measure is None else measure * share
        if classes.labels is not None and not chosen.label_smoothing:
            # The weight of a class is one of all rows that have its label.
            factor = measure
        else:
            classes = chosen.applied(classes, values.dtype)
        return Goal(classes, factor, measure, known)


class RootLoss(Loss):
    """The square root of a mean; its gradient needs the value."""

    reductions = ("mean",)
    slope_needs_value = True

    def _reduced(self, case: Case, losses: Array) -> Any:
        return super()._reduced(case, losses) ** 0.5

    def _scaled(self, case: Case, slope: Array, value: Any) -> Any:
        """By the chain rule over the root; 0 where the loss is 0."""
        inner = super()._scaled(case, slope, value)
        return case.xp.where(value == 0, 0.0, inner / (2 * value))


# The steps of `Loss`, in the order of their use.


def _refuse_swapped(xp: Any, prediction: Array, target: Array) -> None:
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


def _as_weight(xp: Any, weight: Array, shape: tuple[int, ...], values: Array) -> Array:
    if tuple(weight.shape) != shape:
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have that of the "
            f"unreduced loss, {shape}: give one weight for each loss"
        )
    return as_real(xp, "weight", weight, values.dtype)


def _count(
    xp: Any,
    shape: tuple[int, ...],
    reduction: str,
    measure: Array | None,
    guard: Guard,
) -> Any:
    """What a mean divides by: the number of losses, or the sum of their weights."""
    if reduction != "mean":
        return 1.0
    if 0 in shape:
        raise ValueError(
            f"the mean over no losses is undefined (their shape is {shape}): "
            'skip the empty batch, or use reduction="sum"'
        )
    if measure is None:
        return float(math.prod(shape))
    count = total(xp, measure)
    return guard(count, _weightless_checks(count))


def _weightless_checks(count: Array) -> Iterator[Check]:
    yield Check(
        "weight",
        count,
        count == 0,
        rule="not sum to 0 (the sum is shown; ignored rows weigh nothing)",
        remedy="a weighted mean divides by that sum: skip the batch, or use "
        'reduction="sum"',
    )


def _counted(case: Case, values: Array) -> Array:
    """Losses or slopes, as often as they count; nan where a label is none.

    What weighs nothing adds nothing, not even if it is infinite or nan.
    """
    xp = case.xp
    if case.factor is not None:
        values = product(xp, _beside(case.factor, values), values)
    if case.known is not None:
        values = xp.where(_beside(case.known, values), values, NAN)
    return values


def _beside(rows: Array, values: Array) -> Array:
    return rows if rows.ndim == values.ndim else rows[..., None]
