"""What every loss has in common: checks, weights, reduction, and the gradient's scale.

A loss is a function of checked floats and, beside it, its slope. `Loss` does the rest
around them, so that no loss can forget it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal

from xgrad._arrays import (
    Array,
    ArrayT,
    BlockStarts,
    as_float,
    as_real,
    cast,
    common_namespace,
    drop_none,
    float_info,
    is_dask,
    is_floating,
    is_numpy,
    losses_of_blocks,
    map_blocks,
    numpy_or_cupy_namespace,
    one_of,
    perturbed,
    quiet,
    require_known_shapes,
    require_same_shape,
    wide_sum,
)
from xgrad._kernels import find_kernel
from xgrad._rules import FINITE, NO_STARTS, REAL, Domain, Guard, Number, NumberOrArray
from xgrad.losses._call import (
    Call,
    Case,
    Goal,
    as_weight,
    by_parts,
    counted,
    mean_divisor,
    refuse_swapped,
)

Reduction = Literal["mean", "sum", "none"]
Formula = Callable[..., Any]


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
    kernel : str, optional
        Name of the fast path that computes this loss, where a library has one.
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
        options: Mapping[str, Number | NumberOrArray] = MappingProxyType({}),
        kernel: str | None = None,
    ) -> None:
        self.rows = rows
        self.kernel = kernel
        self.prediction = prediction
        self.target = target
        self._value = value
        self._slope: Formula | None = None
        self._value_and_slope: Formula = self._one_after_the_other
        update_wrapper(self, value)
        own = self._own_parameters()
        self._defaults = {parameter.name: parameter.default for parameter in own}
        self.rules = self._rules(options)
        shared = inspect.signature(Loss.__call__)
        common = [p for p in shared.parameters.values() if p.kind != p.VAR_KEYWORD]
        self.__signature__ = shared.replace(parameters=[*common[1:], *own])

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
        arguments = (prediction, target, weight, reduction, check, options)
        found = self._fused("value", *arguments)
        if found is not None:
            return found[0]
        with quiet():
            call = self._call(prediction, target, weight, reduction, check, options)
            case = self._case(call)
            return self._reduced(case, self._unreduced(case, "value")[0])

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
        arguments = (prediction, target, weight, reduction, check, options)
        found = self._fused("slope", *arguments)
        if found is not None:
            return found[1]
        with quiet():
            call = self._call(prediction, target, weight, reduction, check, options)
            case = self._case(call)
            if self.slope_needs_value:
                return self._both(case)[1]
            return self._scaled(case, self._unreduced(case, "slope")[1], None)

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
        arguments = (prediction, target, weight, reduction, check, options)
        found = self._fused("both", *arguments)
        if found is not None:
            return found
        with quiet():
            call = self._call(prediction, target, weight, reduction, check, options)
            case = self._case(call)
            return self._both(case)

    def _fused(
        self,
        wanted: str,
        prediction: Any,
        target: Any,
        weight: Any,
        reduction: Any,
        check: bool,
        options: dict[str, Any],
    ) -> Any:
        """What a kernel makes of the call; None where the formulas are to be taken."""
        if weight is not None or type(reduction) is not str or type(check) is not bool:
            return None
        xp = numpy_or_cupy_namespace(prediction, target)
        if xp is None or reduction not in self.reductions:
            return None
        if self.kernel is None or not prediction.ndim:
            return None
        kernel = find_kernel(self.kernel, xp, prediction.dtype)
        if kernel is None:
            return None
        numbers = {}
        for name, value in options.items():
            rule = self.rules.get(name)
            if not isinstance(rule, Number):
                return None
            computed = as_float(xp, "prediction", prediction[:0]).dtype
            try:
                numbers[name] = rule.checked_in(xp, name, value, computed)
            except (TypeError, ValueError):  # it may not be the first to complain of
                return None
        return kernel(
            prediction,
            target,
            wanted=wanted,
            reduction=reduction,
            check=check,
            moved=perturbed.get(),
            **numbers,
        )

    def _both(self, case: Case) -> tuple[Any, Any]:
        losses, slope = self._unreduced(case, "both")
        value = self._reduced(case, losses)
        return value, self._scaled(case, slope, value)

    # Options.

    def _own_parameters(self) -> list[inspect.Parameter]:
        """The options of this loss, beside those of every loss."""
        return list(inspect.signature(self._value).parameters.values())[3:]

    def _rules(
        self, options: Mapping[str, Number | NumberOrArray]
    ) -> dict[str, Number | NumberOrArray]:
        """A rule for each option; a number without one must be finite."""
        unknown = options.keys() - self._defaults.keys()
        if unknown:
            raise TypeError(
                f"`{self.__name__}` has rules for {sorted(unknown)}, but its options "
                f"are {list(self._defaults)}"
            )
        numbers = {
            name: FINITE
            for name, default in self._defaults.items()
            if isinstance(default, Real) and not isinstance(default, bool)
        }
        return numbers | dict(options)

    def _call(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        reduction: Any,
        check: bool,
        options: dict[str, Any],
    ) -> Call:
        """The arguments, with every option of this loss and no other."""
        for name in options.keys() - self._defaults.keys():
            listed = ", ".join(map(repr, self._defaults)) or "none"
            raise TypeError(
                f"`{self.__name__}` got an unexpected keyword argument {name!r}: its "
                f"own options are {listed}; all losses take reduction, weight and check"
            )
        for name, default in self._defaults.items():
            if default is inspect.Parameter.empty and name not in options:
                raise TypeError(
                    f"`{self.__name__}` needs the keyword argument {name!r}"
                )
        one_of("reduction", reduction, self.reductions)
        return Call(
            prediction,
            target,
            weight,
            reduction,
            check=one_of("check", check, (True, False)),
            moved=perturbed.get(),
            options=self._defaults | options,
        )

    def _arrays(self, call: Call) -> dict[str, Any]:
        """All arguments that are arrays, or should be."""
        own = {
            name: call.options[name]
            for name, rule in self.rules.items()
            if isinstance(rule, NumberOrArray)
            and not isinstance(call.options[name], Real)
        }
        arrays = {"prediction": call.prediction, "target": call.target}
        return arrays | own | drop_none(weight=call.weight)

    def _checked_options(
        self, xp: Any, options: dict[str, Any], values: Array, guard: Guard
    ) -> dict[str, Any]:
        """All options; numbers as floats of Python."""
        checked = dict(options)
        for name, rule in self.rules.items():
            if isinstance(rule, Number):
                checked[name] = rule.checked_in(xp, name, options[name], values.dtype)
            else:
                checked[name] = rule.checked(xp, name, options[name], values, guard)
        return checked

    def _of_formulas(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options that the formulas take."""
        return options

    # Checks.

    def _case(self, call: Call, starts: BlockStarts = NO_STARTS) -> Case:
        """The call with its arguments checked; parts of arrays begin at ``starts``."""
        xp = common_namespace(**self._arrays(call))
        prediction, target, options = call.prediction, call.target, call.options
        require_known_shapes(prediction=prediction, target=target)
        refuse_swapped(xp, prediction, target)
        values = as_float(xp, "prediction", prediction)
        if self.rows and (values.ndim == 0 or values.shape[-1] == 0):
            raise ValueError(
                f"`prediction` has shape {tuple(values.shape)}, but `{self.__name__}` "
                "needs a last axis of at least one entry: a single row is 1-d"
            )
        shape = tuple(values.shape[:-1] if self.rows else values.shape)
        # Blocks of a lazy array look at their values when they are computed, and only
        # the sum of all weights is looked at beside them.
        lazy = is_dask(xp)
        guard = Guard(xp, call.check and not lazy, starts, moved=call.moved)
        weight = call.weight
        if weight is not None:
            weight = as_weight(xp, weight, shape, values)
        options = self._checked_options(xp, options, values, guard)
        goal = self._goal(xp, values, target, weight, guard, options)
        for_sum = Guard(xp, call.check, moved=call.moved) if lazy else guard
        divisor = mean_divisor(xp, shape, call, goal.measure, for_sum)
        rules = self.prediction.checks(xp, "prediction", values, prediction)
        values = guard.domain(values, rules)
        guard.enforce()
        floating = is_floating(xp, prediction)
        half = floating and float_info(xp, prediction.dtype).size < 4
        return Case(
            xp=xp,
            call=call,
            prediction=values,
            goal=goal,
            options=self._of_formulas(options),
            divisor=divisor,
            value_dtype=prediction.dtype if floating and not half else values.dtype,
            dtype=prediction.dtype if floating else values.dtype,
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
        numbers = guard.domain(
            numbers, self.target.checks(xp, "target", numbers, target)
        )
        return Goal(numbers, factor=weight, measure=weight)

    # Losses and slopes.

    def _unreduced(self, case: Case, wanted: str) -> tuple[Any, Any]:
        """Losses and slopes as often as they count, or one of them."""
        if is_dask(case.xp):
            arrays = self._arrays(case.call)
            without = case.call.on(dict.fromkeys(arrays))  # tasks must not carry them
            return losses_of_blocks(
                partial(self._of_block, without, wanted),
                arrays,
                rows=self.rows,
                wanted=wanted,
                dtype=self._dtype_of_losses(case.xp, case.prediction),
            )
        one_row = self.rows and case.prediction.ndim == 1
        if is_numpy(case.xp) and not one_row:
            return by_parts(case, partial(self._at_once, wanted=wanted))
        return self._at_once(case, wanted)

    def _at_once(self, case: Case, wanted: str) -> tuple[Any, Any]:
        arguments = (case.xp, case.prediction, case.goal.target)
        losses = slope = None
        if wanted == "value":
            losses = self._value(*arguments, **case.options)
        elif wanted == "slope":
            slope = self._slopes(*arguments, **case.options)
        else:
            losses, slope = self._value_and_slope(*arguments, **case.options)
        shape = case.prediction.shape
        self._require_shape("loss", losses, shape[:-1] if self.rows else shape)
        self._require_shape("slope", slope, shape)
        return counted(case, losses), counted(case, slope)

    def _dtype_of_losses(self, xp: Any, prediction: Array) -> Any:
        """What the formulas compute in."""
        return prediction.dtype

    def _require_shape(self, kind: str, result: Any, shape: tuple[int, ...]) -> None:
        """Raise where a formula does not return what was promised of it."""
        if result is not None and tuple(result.shape) != tuple(shape):
            raise ValueError(
                f"the {kind} of `{self.__name__}` has shape {tuple(result.shape)} "
                f"instead of {tuple(shape)}: a loss of rows takes `rows=True`, and its "
                "slope has the prediction's shape"
            )

    def _of_block(
        self, call: Call, wanted: str, arrays: dict[str, Any], starts: BlockStarts
    ) -> tuple[Any, Any]:
        """Losses and slopes of the blocks of Dask arrays."""
        with quiet():
            return self._unreduced(self._case(call.on(arrays), starts), wanted)

    # Reduction.

    def _reduced(self, case: Case, losses: Array) -> Any:
        xp = case.xp
        if case.call.reduction == "none":
            return cast(xp, losses, case.value_dtype)
        whole = wide_sum(xp, losses)
        final = self._final_value
        return _finished(final, xp, whole, case.divisor, dtype=case.value_dtype)

    def _scaled(self, case: Case, slope: Array, value: Any) -> Any:
        """The gradient of the reduced loss from the slopes of the unreduced one."""
        arguments = slope, case.divisor, value if self.slope_needs_value else None
        return _finished(self._final_slope, case.xp, *arguments, dtype=case.dtype)

    def _final_value(self, xp: Any, whole: Array, divisor: Any, dtype: Any) -> Any:
        return cast(xp, whole if divisor is None else whole / divisor, dtype)

    def _final_slope(
        self, xp: Any, slope: Array, divisor: Any, value: Any, dtype: Any
    ) -> Any:
        if divisor is None:
            return cast(xp, slope, dtype)
        if type(divisor) is not float:  # a wide array would widen all of the slope
            divisor = cast(xp, divisor, slope.dtype)
        return cast(xp, slope / divisor, dtype)


def _finished(
    function: Callable[..., Any], xp: Any, *arguments: Any, dtype: Any
) -> Any:
    """The last step of a value or a gradient; of Dask arrays when they are computed."""
    if is_dask(xp):
        return map_blocks(partial(function, dtype=dtype), *arguments, dtype=dtype)
    return function(xp, *arguments, dtype=dtype)
