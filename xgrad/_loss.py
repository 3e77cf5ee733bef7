"""What every loss has in common: checks, weights, reduction, and the gradient's scale.

A loss is a function of checked floats and, beside it, its slope. `Loss` does the rest
around them, so that no loss can forget it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from xgrad._array import (
    Array,
    ArrayT,
    Check,
    as_float,
    as_labels,
    can_gather,
    cast,
    common_namespace,
    enforce,
    gather_labels,
    is_floating,
    is_integral,
    label_mask,
    one_of,
    perturbed,
    quiet,
    require_same_shape,
    total,
)
from xgrad._math import product

Reduction = Literal["mean", "sum", "none"]
Formula = Callable[..., Any]
NAN = float("nan")


# Rules for the values of an argument


@dataclass(frozen=True)
class Domain:
    """A rule for values. ``broken(xp, values, tolerance)`` lists what breaks it.

    Each item is ``(values to show, mask of the bad ones, the rule in words)``; the
    tolerance is ``sqrt(eps)`` of the dtype that the caller passed.
    """

    broken: Callable[[Any, Array, float], list[tuple[Array, Array, str]]]
    remedy: str = ""

    def checks(self, xp: Any, name: str, values: Array, given: Array) -> list[Check]:
        """The rule as checks on one argument; ``given`` is what the caller passed."""
        dtype = given.dtype if is_floating(xp, given) else values.dtype
        tolerance = float(xp.finfo(dtype).eps) ** 0.5
        return [
            Check(name, shown, bad, rule, self.remedy)
            for shown, bad, rule in self.broken(xp, values, tolerance)
        ]


def _unit_interval(
    xp: Any, values: Array, tolerance: float
) -> list[tuple[Array, Array, str]]:
    return [(values, (values < 0) | (values > 1), "lie in [0, 1]")]


def _distribution(
    xp: Any, values: Array, tolerance: float
) -> list[tuple[Array, Array, str]]:
    sums = xp.sum(values, axis=-1)
    bad = xp.abs(sums - 1) > tolerance
    rule = "hold rows that sum to 1 (the sum of the row is shown)"
    return [*_unit_interval(xp, values, tolerance), (sums, bad, rule)]


def _soft_target(
    xp: Any, values: Array, tolerance: float
) -> list[tuple[Array, Array, str]]:
    bad = ~((values >= 0) & xp.isfinite(values))
    return [(values, bad, "be finite and not negative")]


REAL = Domain(lambda xp, values, tolerance: [])
UNIT_INTERVAL = Domain(
    _unit_interval, "give probabilities, for example `special.sigmoid(logits)`"
)
DISTRIBUTION = Domain(
    _distribution,
    "give probabilities, for example `special.softmax(logits)`, "
    "or use the loss that takes logits",
)
SOFT_TARGET = Domain(_soft_target, "soft targets are the weights of the classes")


@dataclass(frozen=True)
class Classes:
    """The target of a row: one label, or a weight for each class.

    Exactly one of ``index`` (labels to index with) and ``weights`` is given. Labels
    may be out of range where nobody checked them: those rows hold anything.
    """

    xp: Any
    num_classes: int
    index: Array | None = None
    weights: Array | None = None

    @functools.cached_property
    def mask(self) -> Array:
        """Booleans, true at the label."""
        return label_mask(self.xp, self.index, self.num_classes)

    def times(self, values: Array) -> Array:
        """Target times values, entry by entry, with ``0 * inf = 0``."""
        if self.weights is None:
            return self.xp.where(self.mask, values, 0.0)
        return product(self.xp, self.weights, values)

    def pick(self, values: Array) -> Array:
        """Sum of target times values over the classes."""
        if self.weights is None and can_gather(self.xp):
            return gather_labels(self.xp, values, self.index)
        return self.xp.sum(self.times(values), axis=-1)

    def scale(self, values: Array) -> Array:
        """Values of each row, times the sum of the target over the classes."""
        if self.weights is None:
            return values
        return self.xp.sum(self.weights, axis=-1, keepdims=True) * values

    def dense(self, dtype: Any) -> Array:
        """The target as a weight for each class."""
        if self.weights is None:
            return self.xp.astype(self.mask, dtype)
        return self.weights


@dataclass(frozen=True)
class Case:
    """The checked arguments of one call."""

    xp: Any
    prediction: Array
    target: Any
    weight: Array | None
    reduction: str
    count: Any  # what a mean divides by: a number, or the sum of the weights
    poison: Array | None  # where labels that nobody checked are out of range
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
    ) -> None:
        self.rows = rows
        self.prediction = prediction
        self.target = target
        self._value = value
        self._slope: Formula | None = None
        self._value_and_slope: Formula = self._one_after_the_other
        functools.update_wrapper(self, value)
        self.__signature__ = _public_signature(value)

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
            case = self._case(prediction, target, reduction, weight, check)
            losses = self._value(case.xp, case.prediction, case.target, **options)
            return self._reduced(case, losses)

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
            case = self._case(prediction, target, reduction, weight, check)
            if self.slope_needs_value:
                return self._both(case, options)[1]
            slope = self._slopes(case.xp, case.prediction, case.target, **options)
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
            case = self._case(prediction, target, reduction, weight, check)
            return self._both(case, options)

    def _both(self, case: Case, options: dict[str, Any]) -> tuple[Any, Any]:
        losses, slope = self._value_and_slope(
            case.xp, case.prediction, case.target, **options
        )
        value = self._reduced(case, losses)
        return value, cast(case.xp, self._scaled(case, slope, value), case.dtype)

    # Checks.

    def _case(
        self, prediction: Any, target: Any, reduction: Any, weight: Any, check: bool
    ) -> Case:
        xp = common_namespace(prediction=prediction, target=target, weight=weight)
        one_of("reduction", reduction, self.reductions)
        _refuse_swapped(xp, prediction, target)
        values = as_float(xp, "prediction", prediction)
        if self.rows and (values.ndim == 0 or values.shape[-1] == 0):
            raise ValueError(
                f"`prediction` has shape {tuple(values.shape)}, but `{self.__name__}` "
                "needs a last axis of at least one entry: a single row is 1-d"
            )
        goal, checks, unlabelled = self._goal(xp, values, target, check)
        shape = tuple(values.shape[:-1] if self.rows else values.shape)
        weights = None if weight is None else _as_weight(xp, weight, shape, values)
        count = _count(xp, shape, reduction, weights)
        if check:
            if not perturbed.get():
                checks += self.prediction.checks(xp, "prediction", values, prediction)
            if reduction == "mean" and weight is not None:
                checks.append(_not_weightless(count))
            enforce(xp, checks)
        return Case(
            xp=xp,
            prediction=values,
            target=goal,
            weight=weights,
            reduction=reduction,
            count=count,
            poison=None if check else unlabelled,
            dtype=prediction.dtype if is_floating(xp, prediction) else values.dtype,
        )

    def _goal(
        self, xp: Any, values: Array, target: Any, check: bool
    ) -> tuple[Any, list[Check], Array | None]:
        """The target to compute with, its checks, and which rows have a bad label."""
        require_same_shape("prediction", values, "target", target)
        goal = _as_target(xp, target, values.dtype)
        checks = self.target.checks(xp, "target", goal, target) if check else []
        return goal, checks, None

    # Reduction.

    def _reduced(self, case: Case, losses: Array) -> Any:
        xp = case.xp
        losses = _poisoned(case, losses)
        if case.weight is not None:
            losses = losses * case.weight
        if case.reduction == "none":
            return losses
        result = total(xp, losses)
        if case.reduction == "mean":
            result = result / case.count
        return cast(xp, result, losses.dtype)

    def _scaled(self, case: Case, slope: Array, value: Any) -> Any:
        """The gradient of the reduced loss from the slopes of the unreduced one."""
        xp = case.xp
        slope = _poisoned(case, slope)
        if case.weight is not None:
            slope = slope * (case.weight[..., None] if self.rows else case.weight)
        if case.reduction == "mean":
            count = case.count
            known = isinstance(count, float)
            slope = slope / (count if known else cast(xp, count, slope.dtype))
        return slope


class ClassLoss(Loss):
    """A loss of rows whose target is a label, or a weight for each class.

    The formulas get the target as `Classes`.
    """

    def __init__(self, value: Formula, /, *, prediction: Domain = REAL) -> None:
        super().__init__(value, rows=True, prediction=prediction, target=SOFT_TARGET)

    def _goal(
        self, xp: Any, values: Array, target: Any, check: bool
    ) -> tuple[Any, list[Check], Array | None]:
        if target.shape == values.shape:
            weights = _as_target(xp, target, values.dtype)
            checks = self.target.checks(xp, "target", weights, target) if check else []
            return Classes(xp, values.shape[-1], weights=weights), checks, None
        if target.shape != values.shape[:-1]:
            raise ValueError(_misshapen_classes(values, target))
        index, in_range = as_labels(xp, "target", target, values.shape[-1])
        labels = Classes(xp, values.shape[-1], index=index)
        return labels, [in_range], in_range.bad


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


def _public_signature(value: Formula) -> inspect.Signature:
    """Signature of a call: the formula's options after those of every loss."""
    own = inspect.signature(Loss.__call__).parameters
    shared = [own[name] for name in ("reduction", "weight", "check")]
    _, prediction, target, *options = inspect.signature(value).parameters.values()
    return inspect.Signature([prediction, target, *shared, *options])


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


def _as_target(xp: Any, target: Array, dtype: Any) -> Array:
    """Floats, integers or booleans as floats of the prediction's dtype."""
    if xp.isdtype(target.dtype, ("real floating", "integral", "bool")):
        return cast(xp, target, dtype)
    raise TypeError(
        f"`target` must hold real numbers, but its dtype is {target.dtype}: "
        "convert it, for example with `xp.astype(target, xp.float64)`"
    )


def _misshapen_classes(values: Array, target: Array) -> str:
    shape, given = tuple(values.shape), tuple(target.shape)
    fix = (
        f"; reshape it: `target.reshape({shape[:-1]})`"
        if math.prod(given) == math.prod(shape[:-1])
        else ""
    )
    return (
        f"`prediction` has shape {shape} but `target` has shape {given}: it must be "
        f"{shape[:-1]} (integer labels) or {shape} (weights of the classes){fix}"
    )


def _as_weight(xp: Any, weight: Array, shape: tuple[int, ...], values: Array) -> Array:
    if tuple(weight.shape) != shape:
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have that of the "
            f"unreduced loss, {shape}: give one weight for each loss"
        )
    if not xp.isdtype(weight.dtype, ("real floating", "integral", "bool")):
        raise TypeError(
            f"`weight` must hold real numbers, but its dtype is {weight.dtype}"
        )
    return cast(xp, weight, values.dtype)


def _count(
    xp: Any, shape: tuple[int, ...], reduction: str, weight: Array | None
) -> Any:
    """What a mean divides by: the number of losses, or the sum of their weights."""
    if reduction != "mean":
        return 1.0
    if 0 in shape:
        raise ValueError(
            f"the mean over no losses is undefined (their shape is {shape}): "
            'skip the empty batch, or use reduction="sum"'
        )
    return float(math.prod(shape)) if weight is None else total(xp, weight)


def _not_weightless(count: Array) -> Check:
    return Check(
        "weight",
        count,
        count == 0,
        rule="not sum to 0 (the sum is shown)",
        remedy='a weighted mean divides by that sum; use reduction="sum"',
    )


def _poisoned(case: Case, values: Array) -> Array:
    """nan in each row whose label is out of range, so that no number looks right."""
    if case.poison is None:
        return values
    bad = case.poison
    return case.xp.where(
        bad if bad.ndim == values.ndim else bad[..., None], NAN, values
    )
