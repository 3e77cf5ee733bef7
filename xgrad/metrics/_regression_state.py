"""States of means and of regression over many batches: values that are merged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    BlockStarts,
    as_float,
    as_real,
    common_namespace,
    drop_none,
    integer,
    is_dask,
    map_blocks,
    one_of,
    public_methods,
    python_float,
    quiet,
    require_known_shapes,
    require_same_shape,
    summarize_blocks,
    wide_dtype,
)
from xgrad._kernels import find_kernel
from xgrad._rules import Guard, enforce, weight_sum_check
from xgrad.metrics import _moments
from xgrad.metrics._arguments import as_weight, weight_checks
from xgrad.metrics._state import State, seen

# Over the outputs of a prediction: their mean, or each of them.
AVERAGES = ("uniform", None)


class _MomentState(State):
    """A state that holds moments of all rows seen; None before the first."""

    moments: Any

    def __add__(self, other: Any) -> Any:
        """Return the state of the rows of both."""
        # The moments of `Mean` and `Regression` have different entries.
        if type(other) is not type(self):
            return NotImplemented
        if self.moments is None or other.moments is None:
            return self if other.moments is None else other
        xp = common_namespace(moments=self.moments, other=other.moments)
        if tuple(self.moments.shape) != tuple(other.moments.shape):
            raise ValueError(
                "states of different numbers of outputs cannot be added: "
                f"{tuple(self.moments.shape[1:])} and {tuple(other.moments.shape[1:])}"
                "; give every `prediction` the same columns"
            )
        with quiet():
            both = xp.stack([self.moments, other.moments])
            return type(self)(moments=_merge(xp, both))  # type: ignore[call-arg]

    def _apply(self, function: Any, **options: Any) -> Any:
        """Return a function of the moments, without warnings; lazy for Dask arrays."""
        moments = seen(self.moments)
        xp = common_namespace(moments=moments)
        if is_dask(xp):
            step = partial(function, **options)
            return map_blocks(step, moments, dtype=moments.dtype, drop_axis=0)
        with quiet():
            return function(xp, moments, **options)


def _merge(xp: Any, groups: Array) -> Array:
    """Merge the moments of several groups of rows, stacked along the first axis."""
    if not is_dask(xp):
        return _moments.merge(xp, groups)
    # A block sees only its own entries: all groups have to be in one.
    one_block = groups.rechunk(-1)
    return map_blocks(_moments.merge, one_block, dtype=groups.dtype, drop_axis=0)


@public_methods
@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(_MomentState):
    """Mean, variance and standard error of numbers, over any number of batches.

    Weights count rows: a weight of 2 means that a number was seen twice. ``update`` and
    ``+`` return new states, with sums in float64 where the device has it.

    Examples
    --------
    >>> import numpy as np
    >>> state = Mean().update(np.array([1.0, 2.0])).update(np.array([6.0]))
    >>> state.mean()
    np.float64(3.0)
    """

    moments: Any = None

    def update(self, values: Any, *, weight: Any = None) -> Mean:
        """Return the state after more numbers ``(n,)`` with weights ``(n,)``.

        A single number, such as the loss of a batch, may be a 0-d array or a Python
        number, and so may its weight.
        """
        values = _as_rows(values, like=self.moments)
        weight = _as_rows(weight, like=values)
        xp = common_namespace(
            values=values, **drop_none(weight=weight, moments=self.moments)
        )
        require_known_shapes(values=values)
        if values.ndim != 1:
            raise ValueError(
                f"`values` has shape {tuple(values.shape)}, but must be 1-d: give one "
                'number for each row, for example a loss with reduction="none"'
            )
        floats = as_float(xp, "values", values)
        arrays = {"prediction": floats, **_as_weight(xp, weight, floats)}
        shape = (_moments.MEAN_SIZE,)
        return self + Mean(moments=_moments_of_rows(xp, arrays, _mean_of_block, shape))

    def mean(self) -> Any:
        """Return the weighted mean; nan if the weights sum to 0."""
        return self._apply(_moments.mean_of, entry=_moments.MEAN)

    def variance(self) -> Any:
        """Return the variance with one degree of freedom less; nan for one number."""
        return self._apply(_moments.variance)

    def standard_error(self, *, population: int | None = None) -> Any:
        """Return the standard error of the mean, as `xgrad.batch_mean` does.

        If the rows are a sample without replacement from a ``population`` of that many,
        it is smaller: 0 for all of them, and nan for more.
        """
        size = None
        if population is not None:
            count = integer("population", population, least=1)
            size = python_float("population", count)
        return self._apply(_moments.standard_error, population=size)


@public_methods
@dataclass(frozen=True, eq=False, kw_only=True)
class Regression(_MomentState):
    """Errors of predicted numbers, over any number of batches.

    The state holds squares around means, which are merged without loss of digits: R2 is
    right for float32 targets around 1e4. ``update`` and ``+`` return new states, with
    sums in float64 where the device has it. Predictions of shape ``(N, K)`` have K
    outputs: metrics are averaged over them, or given for each with ``average=None``.

    Examples
    --------
    >>> import numpy as np
    >>> state = Regression().update(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    >>> state.r2_score()
    np.float64(0.5)
    """

    moments: Any = None

    def update(self, prediction: Any, target: Any, *, weight: Any = None) -> Regression:
        """Return the state after more rows ``(N,)`` or ``(N, K)``, weights ``(N,)``."""
        # Rows of another library than before are refused before they are counted.
        common_namespace(prediction=prediction, **drop_none(moments=self.moments))
        return self + Regression(moments=_moments_of_errors(prediction, target, weight))

    def mean_squared_error(self, *, average: str | None = "uniform") -> Any:
        """Return the mean of the squared errors."""
        return self._average(average, _moments.mean_square)

    def root_mean_squared_error(self) -> Any:
        """Return the root of the mean of the squared errors, over all outputs."""
        return self.mean_squared_error() ** 0.5

    def mean_absolute_error(self, *, average: str | None = "uniform") -> Any:
        """Return the mean of the absolute errors."""
        return self._average(average, _moments.mean_of, entry=_moments.ABSOLUTE)

    def mean_absolute_percentage_error(self, *, average: str | None = "uniform") -> Any:
        """Return the mean of the errors relative to the target, ``abs(e / t)``."""
        return self._average(average, _moments.mean_of, entry=_moments.RELATIVE)

    def max_error(self) -> Any:
        """Return the largest absolute error."""
        # Over all outputs the largest error is a maximum, too, and not a mean.
        errors = self._apply(_moments.mean_of, entry=_moments.LARGEST)
        return common_namespace(moments=self.moments).max(errors)

    def r2_score(self, *, average: str | None = "uniform") -> Any:
        """Return the fraction of the target's variance that is predicted."""
        return self._average(average, _moments.explained_fraction, count_bias=True)

    def explained_variance(self, *, average: str | None = "uniform") -> Any:
        """Return that fraction as it would be without a constant error."""
        return self._average(average, _moments.explained_fraction, count_bias=False)

    def _average(self, average: str | None, function: Any, **options: Any) -> Any:
        """Return a function of the moments: its mean over the outputs, or all."""
        one_of("average", average, AVERAGES)
        values = self._apply(function, **options)
        xp = common_namespace(moments=self.moments)
        return values if average is None else xp.mean(values)


def _as_rows(values: Any, *, like: Any) -> Any:
    """Return a single number as an array of one row; anything else unchanged.

    A Python number becomes an array of the library of ``like``, or of NumPy.
    """
    if isinstance(values, Real) and not isinstance(values, bool | np.generic):
        number = python_float("values", values)
        if getattr(like, "ndim", 0) == 0:
            return np.asarray([number])
        xp = common_namespace(like=like)
        return xp.full_like(as_float(xp, "values", like[:1]), number)
    if getattr(values, "shape", None) == ():
        # The loss of a batch carries its history, which would grow without end.
        detached = values.detach() if hasattr(values, "detach") else values
        return common_namespace(values=detached).reshape(detached, (1,))
    return values


def _as_weight(xp: Any, weight: Any, values: Array) -> dict[str, Any]:
    """Return ``{"weight": weights of the rows}`` as floats, or an empty dict."""
    if weight is None:
        return {}
    weight = as_weight(xp, weight, values)
    return {"weight": as_real(xp, "weight", weight, wide_dtype(xp, values))}


def _moments_of_errors(
    prediction: Any, target: Any, weight: Any, *, must_count: bool = False
) -> Array:
    """Return the moments of rows of predictions and targets, after all checks.

    With ``must_count`` there must be rows, and weights that do not sum to 0; those of
    lazy arrays are not looked at.
    """
    xp = common_namespace(
        prediction=prediction, target=target, **drop_none(weight=weight)
    )
    require_known_shapes(prediction=prediction, target=target)
    require_same_shape("prediction", prediction, "target", target)
    if prediction.ndim not in (1, 2):
        raise ValueError(
            f"`prediction` has shape {tuple(prediction.shape)}, but must be (N,), "
            "or (N, K) with a column for each output"
        )
    if 0 in prediction.shape[1:]:
        raise ValueError(
            f"`prediction` has shape {tuple(prediction.shape)}: give at least one "
            "column of outputs"
        )
    if must_count and prediction.shape[0] == 0:
        raise ValueError("`prediction` has no rows to compare: skip the empty batch")
    values = as_float(xp, "prediction", prediction)
    with quiet():
        arrays = {
            "prediction": values,
            "target": as_real(xp, "target", target, wide_dtype(xp, values)),
            **_as_weight(xp, weight, values),
        }
    function = partial(_regression_of_block, must_count=must_count and not is_dask(xp))
    shape = (_moments.REGRESSION_SIZE, *values.shape[1:])
    return _moments_of_rows(xp, arrays, function, shape)


def _moments_of_rows(
    xp: Any, arrays: dict[str, Any], function: Any, shape: tuple[int, ...]
) -> Array:
    """Return the moments of all rows; for Dask arrays merge those of their blocks."""
    if not is_dask(xp):
        with quiet():
            return function(arrays, {})
    dtype = wide_dtype(xp, arrays["prediction"])
    groups = summarize_blocks(function, arrays, shape=shape, dtype=dtype)
    return _merge(xp, groups)


def _mean_of_block(arrays: dict[str, Any], starts: BlockStarts) -> Array:
    xp, weight = common_namespace(**arrays), arrays.get("weight")
    if weight is not None:
        enforce(xp, weight_checks(xp, weight), starts)
    return _moments.mean_moments(xp, arrays["prediction"], weight)


def _regression_of_block(
    arrays: dict[str, Any], starts: BlockStarts, *, must_count: bool
) -> Array:
    xp, weight = common_namespace(**arrays), arrays.get("weight")
    prediction, target = arrays["prediction"], arrays["target"]
    if weight is not None:
        enforce(xp, weight_checks(xp, weight, must_count=must_count), starts)
    elif kernel := find_kernel("regression_moments", xp, prediction.dtype):
        groups = kernel(prediction, target)
        if groups is not None:
            return _moments.merge(xp, groups)
    return _moments.regression_moments(xp, prediction, target, weight)


def state_of_rows(prediction: Any, target: Any, weight: Any) -> Regression:
    """Return the state of the rows of one call; raise if none of them counts."""
    moments = _moments_of_errors(prediction, target, weight, must_count=True)
    state = Regression(moments=moments)
    xp = common_namespace(moments=moments)
    if weight is None or not is_dask(xp):
        return state
    # The check of a Dask array is made if what it returns is computed with.
    weight_sum = xp.max(moments[_moments.WEIGHT, ...])
    checked = Guard(xp, active=True)(weight_sum, [weight_sum_check(weight_sum)])
    return Regression(moments=moments + 0 * checked)
