"""The wrapper of every loss: checks, weights, reduction, and gradient scale.

A loss is a formula and its slope, of checked floats. `Loss` does the rest around them,
so that no loss can forget it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from xgrad._arrays import (
    Array,
    ArrayT,
    BlockStarts,
    as_float,
    as_real,
    cast,
    common_namespace,
    drop_none,
    explain_missing_method,
    has_standin,
    is_dask,
    is_integral,
    is_numpy,
    losses_of_blocks,
    map_blocks,
    numpy_or_cupy_namespace,
    one_of,
    perturbed,
    public,
    quiet,
    require_known_shapes,
    require_same_shape,
    wide_sum,
)
from xgrad._kernels import find_kernel
from xgrad._rules import NO_STARTS, REAL, Domain, Guard
from xgrad.losses._call import (
    CheckedCall,
    RawCall,
    Target,
    as_weight,
    mean_divisor,
    output_dtypes,
    refuse_swapped,
)
from xgrad.losses._formulas import Formula, Formulas, evaluate_by_rows
from xgrad.losses._options import Options, Rule
from xgrad.losses._signature import (
    document_shared_parameters,
    options_of,
    signature_with,
)

Reduction = Literal["mean", "sum", "none"]
# Methods of other libraries, and what stands for them.
METHODS_OF_OTHERS = {
    "gradient backward derivative": "the gradient is its method `grad`",
    "value_and_gradient": "both are its method `value_and_grad`",
    "forward": "call the loss itself",
}


class Loss:
    """A loss with its closed-form gradient, made from a formula.

    Called with a prediction and a target it returns the loss: 0-d, or with
    ``reduction="none"`` one number for each entry (or row). `grad` returns the gradient
    with respect to the prediction, `value_and_grad` both from one pass.

    Parameters
    ----------
    value : callable ``(xp, prediction, target, /, *, options) -> array``
        Function that returns the loss of each entry or row. It gets checked floats and
        their namespace.
    rows : bool
        Whether the formula maps rows to numbers, ``(..., C) -> (...)``, instead of
        entries.
    prediction, target : Domain
        Rules for the values, which ``check=False`` leaves out.
    options : mapping of names to Number or NumberOrArray
        Rules for the options of the formula; a number without a rule must be finite.
    kernel : str, optional
        Name of the kernel that computes this loss where the array library has one. It
        changes the speed only, never the result.
    """

    __name__: str
    reductions: tuple[str, ...] = ("mean", "sum", "none")
    # Whether the gradient of the reduced loss is computed from the loss itself.
    slope_needs_value = False

    def __init__(
        self,
        value: Formula,
        /,
        *,
        rows: bool = False,
        prediction: Domain = REAL,
        target: Domain = REAL,
        options: Mapping[str, Rule] = MappingProxyType({}),
        kernel: str | None = None,
    ) -> None:
        self.rows = rows
        self.kernel = kernel
        self.prediction = prediction
        self.target = target
        update_wrapper(self, value)
        # A callable without a name, such as a `partial`, is named by its type.
        name = getattr(value, "__name__", type(value).__name__)
        self._formulas = Formulas(name, value, rows=rows)
        of_formulas = options_of(value)
        of_target = self._target_parameters()
        self._options = Options(name, of_formulas, of_target, options)
        self.rules = self._options.rules
        self.__signature__ = signature_with(Loss.__call__, [*of_formulas, *of_target])
        self.__doc__ = document_shared_parameters(value.__doc__, self.reductions)

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name):
            raise explain_missing_method(self, name, METHODS_OF_OTHERS)

    def __repr__(self) -> str:
        return f"<loss {self.__module__}.{self.__name__}>"

    def __reduce__(self) -> str:
        # By its name, which another process imports: formulas cannot be pickled.
        return self.__name__

    def slope(self, function: Formula) -> Formula:
        """Register the derivative of the unreduced loss by the prediction."""
        self._formulas.add_slope(function)
        return function

    def value_and_slope(self, function: Formula) -> Formula:
        """Register a function that returns value and slope, where they share work."""
        self._formulas.add_value_and_slope(function)
        return function

    @public
    def __call__(
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> ArrayT:
        """Return the loss, reduced as asked."""
        arguments = (prediction, target, weight, reduction, check, options)
        computed = self._call_kernel("value", *arguments)
        if computed is not None:
            return computed[0]
        if getattr(prediction, "record_pull", None) is not None:
            recorded = self._record(*arguments)
            if recorded is not None:
                return recorded
        with quiet():
            call = self._validate(self._raw_call(*arguments))
            return self._reduce(call, self._losses_and_slopes(call, "value")[0])

    @public
    def grad(
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> ArrayT:
        """Return the gradient with respect to the prediction, in its shape.

        It is that of the reduced loss; with ``reduction="none"`` it holds each entry's
        own slope.
        """
        arguments = (prediction, target, weight, reduction, check, options)
        computed = self._call_kernel("slope", *arguments)
        if computed is not None:
            return computed[1]
        with quiet():
            call = self._validate(self._raw_call(*arguments))
            if self.slope_needs_value:
                return self._value_and_gradient(call)[1]
            return self._gradient(call, self._losses_and_slopes(call, "slope")[1], None)

    @public
    def value_and_grad(
        self,
        prediction: ArrayT,
        target: Any,
        *,
        reduction: Reduction = "mean",
        weight: Any = None,
        check: bool = True,
        **options: Any,
    ) -> tuple[ArrayT, ArrayT]:
        """Return the loss and its gradient, and compute only once what both need."""
        arguments = (prediction, target, weight, reduction, check, options)
        computed = self._call_kernel("both", *arguments)
        if computed is not None:
            return computed
        with quiet():
            return self._value_and_gradient(self._validate(self._raw_call(*arguments)))

    def _call_kernel(
        self,
        wanted: str,
        prediction: Any,
        target: Any,
        weight: Any,
        reduction: Any,
        check: bool,
        options: dict[str, Any],
    ) -> Any:
        """Return (value, gradient) from the kernel; None if the formulas have to.

        Nothing is raised here: the formulas come after the checks of all arguments.
        """
        # An odd argument is left to the checks: to compare it might raise here.
        if type(reduction) is not str or type(check) is not bool:
            return None
        xp = numpy_or_cupy_namespace(prediction, target)
        if xp is None or reduction not in self.reductions:
            return None
        if self.kernel is None or not prediction.ndim:
            return None
        weights = self._kernel_weights(weight, options)
        name = f"weighted_{self.kernel}" if weights else self.kernel
        kernel = find_kernel(name, xp, prediction.dtype)
        if kernel is None:
            return None
        numbers: dict[str, float] | None = {}
        if options:
            dtype = as_float(xp, "prediction", prediction[:0]).dtype
            numbers = self._options.numbers(
                xp, {n: options[n] for n in options if n not in weights}, dtype
            )
        if numbers is None:
            return None
        return kernel(
            prediction,
            target,
            wanted=wanted,
            reduction=reduction,
            check=check,
            is_perturbed=perturbed.get(),
            **weights,
            **numbers,
        )

    def _record(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        reduction: Any,
        check: bool,
        options: dict[str, Any],
    ) -> Any:
        """Return the loss as one operation of a derivative, with its own gradient.

        Return None if it depends on x by another argument, too: then by its formulas.
        """
        if any(map(has_standin, (target, weight, *options.values()))):
            return None
        value, slope = self.value_and_grad(
            prediction.ensure_current().base,
            target,
            reduction=reduction,
            weight=weight,
            check=check,
            **options,
        )
        pull = _pull_row if self.rows and reduction == "none" else _pull_slope
        return prediction.record_pull(value, pull, slope)

    def _kernel_weights(self, weight: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by which losses weigh differently, for a kernel."""
        return drop_none(weight=weight)

    def _target_parameters(self) -> list[inspect.Parameter]:
        """Return the options that change the target before the formulas see it."""
        return []

    def _raw_call(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        reduction: Any,
        check: bool,
        options: dict[str, Any],
    ) -> RawCall:
        """Return the arguments of a call, if it names options of this loss only."""
        options = self._options.complete(options)
        one_of("reduction", reduction, self.reductions)
        return RawCall(
            prediction,
            target,
            weight,
            reduction,
            check=one_of("check", check, (True, False)),
            is_perturbed=perturbed.get(),
            options=options,
        )

    def _arrays(self, raw: RawCall) -> dict[str, Any]:
        """Return all arguments that are arrays, or should be, by name."""
        arrays = {"prediction": raw.prediction, "target": raw.target}
        return arrays | self._options.arrays(raw.options) | drop_none(weight=raw.weight)

    def _validate(self, raw: RawCall, starts: BlockStarts = NO_STARTS) -> CheckedCall:
        """Check the arguments of a call: blocks of arrays that begin at ``starts``."""
        xp = common_namespace(**self._arrays(raw))
        require_known_shapes(prediction=raw.prediction, target=raw.target)
        refuse_swapped(xp, raw.prediction, raw.target)
        values = as_float(xp, "prediction", raw.prediction)
        shape = self._shape_of_losses(values)
        # Blocks of a lazy array check their values when they are computed. The sum of
        # all weights is known to none of them, and is checked here.
        lazy = is_dask(xp)
        guard = Guard(xp, raw.check and not lazy, starts, is_perturbed=raw.is_perturbed)
        weight = raw.weight
        if weight is not None:
            by_class = "class_weight" in raw.options
            weight = as_weight(xp, weight, shape, values.dtype, by_class=by_class)
        options = self._options.validate(xp, raw.options, values, guard)
        target = self._validate_target(xp, values, raw, weight, guard)
        for_sum = Guard(xp, raw.check, is_perturbed=raw.is_perturbed) if lazy else guard
        divisor = mean_divisor(xp, shape, raw, target.mean_weight, for_sum)
        rules = self.prediction.checks(xp, "prediction", values, raw.prediction)
        values = guard.domain(values, rules)
        # All checks at once: on a GPU the host waits once for them.
        guard.enforce()
        value_dtype, grad_dtype = output_dtypes(xp, raw.prediction, values)
        return CheckedCall(
            xp=xp,
            raw=raw,
            prediction=values,
            target=target,
            options=options,
            divisor=divisor,
            value_dtype=value_dtype,
            grad_dtype=grad_dtype,
        )

    def _shape_of_losses(self, values: Array) -> tuple[int, ...]:
        """Return the shape of the unreduced loss; raise if a loss of rows gets none."""
        if not self.rows:
            return tuple(values.shape)
        if values.ndim == 0 or values.shape[-1] == 0:
            raise ValueError(
                f"`prediction` has shape {tuple(values.shape)}, but `{self.__name__}` "
                "needs a last axis of at least one entry: a single row is 1-d"
            )
        return tuple(values.shape[:-1])

    def _validate_target(
        self, xp: Any, values: Array, raw: RawCall, weight: Array | None, guard: Guard
    ) -> Target:
        """Return the target in the dtype of the prediction, with the weights."""
        _refuse_labels(xp, values, raw.target)
        require_same_shape("prediction", values, "target", raw.target)
        numbers = as_real(xp, "target", raw.target, values.dtype)
        rules = self.target.checks(xp, "target", numbers, raw.target)
        numbers = guard.domain(numbers, rules)
        return Target(numbers, weight=weight, mean_weight=weight)

    def _losses_and_slopes(self, call: CheckedCall, wanted: str) -> tuple[Any, Any]:
        """Return the weighted losses and slopes; None for what is not wanted."""
        if is_dask(call.xp):
            return self._lazy_losses_and_slopes(call, wanted)
        # A single row is 1-d: a slice of it would be no row.
        is_one_row = self.rows and call.prediction.ndim == 1
        if is_numpy(call.xp) and not is_one_row:
            evaluate = partial(self._formulas.evaluate, wanted=wanted)
            return evaluate_by_rows(call, evaluate)
        return self._formulas.evaluate(call, wanted)

    def _lazy_losses_and_slopes(
        self, call: CheckedCall, wanted: str
    ) -> tuple[Any, Any]:
        """Return the weighted losses and slopes as Dask arrays."""
        arrays = self._arrays(call.raw)
        # A task that held the whole arrays would carry them to every worker.
        without = call.raw.unreduced_on(dict.fromkeys(arrays))
        return losses_of_blocks(
            partial(self._evaluate_block, without, wanted),
            arrays,
            rows=self.rows,
            wanted=wanted,
            dtype=self._dtype_of_losses(call.xp, call.prediction),
        )

    def _evaluate_block(
        self, raw: RawCall, wanted: str, arrays: dict[str, Any], starts: BlockStarts
    ) -> tuple[Any, Any]:
        """Return the weighted losses and slopes of one block of each array."""
        with quiet():
            return self._losses_and_slopes(
                self._validate(raw.unreduced_on(arrays), starts), wanted
            )

    def _dtype_of_losses(self, xp: Any, prediction: Array) -> Any:
        """Return the dtype of what the formulas return."""
        return prediction.dtype

    def _value_and_gradient(self, call: CheckedCall) -> tuple[Any, Any]:
        losses, slope = self._losses_and_slopes(call, "both")
        value = self._reduce(call, losses)
        return value, self._gradient(call, slope, value)

    def _reduce(self, call: CheckedCall, losses: Array) -> Any:
        """Return the loss of a call from the weighted losses."""
        if call.raw.reduction == "none":
            return cast(call.xp, losses, call.value_dtype)
        loss_sum = wide_sum(call.xp, losses)
        return _finish(
            self._final_value, call.xp, loss_sum, call.divisor, dtype=call.value_dtype
        )

    def _gradient(self, call: CheckedCall, slope: Array, value: Any) -> Any:
        """Return the gradient of the reduced loss from the weighted slopes."""
        arguments = slope, call.divisor, value if self.slope_needs_value else None
        return _finish(self._final_slope, call.xp, *arguments, dtype=call.grad_dtype)

    def _final_value(self, xp: Any, loss_sum: Array, divisor: Any, dtype: Any) -> Any:
        """Return the loss from the sum of the weighted losses."""
        return cast(xp, loss_sum if divisor is None else loss_sum / divisor, dtype)

    def _final_slope(
        self, xp: Any, slope: Array, divisor: Any, value: Any, dtype: Any
    ) -> Any:
        """Return the gradient from the weighted slopes, and the loss if it needs it."""
        if divisor is None:
            return cast(xp, slope, dtype)
        if type(divisor) is not float:  # a float64 array would widen all of the slope
            divisor = cast(xp, divisor, slope.dtype)
        return cast(xp, slope / divisor, dtype)


def _refuse_labels(xp: Any, values: Array, target: Array) -> None:
    """Raise for labels of rows whose target is a number for each of their own."""
    if not is_integral(xp, target) or values.ndim == 0:
        return
    classes = values.shape[-1]
    if classes > 1 and target.shape == values.shape[:-1]:
        raise ValueError(
            f"`prediction` has shape {tuple(values.shape)} but `target` has shape "
            f"{tuple(target.shape)} and holds integers: labels become rows by "
            f"`special.one_hot(target, {classes})`"
        )


def _pull_slope(g: Array, slope: Array) -> Array:
    """Return the cotangent of a prediction from that of its loss."""
    return g * slope


def _pull_row(g: Array, slope: Array) -> Array:
    """Return the cotangent of rows from those of their losses."""
    return g[..., None] * slope


def _finish(function: Callable[..., Any], xp: Any, *arguments: Any, dtype: Any) -> Any:
    """Take the last step of a value or a gradient; Dask takes it when computing."""
    if is_dask(xp):
        return map_blocks(partial(function, dtype=dtype), *arguments, dtype=dtype)
    return function(xp, *arguments, dtype=dtype)
