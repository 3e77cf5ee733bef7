"""Regression and means of many batches: frozen values, updated and added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from xgrad._arrays import (
    Array,
    BlockStarts,
    as_float,
    as_real,
    cast,
    common_namespace,
    drop_none,
    integer,
    is_dask,
    map_blocks,
    one_of,
    python_float,
    quiet,
    require_known_shapes,
    require_same_shape,
    summarize_blocks,
    wide_dtype,
)
from xgrad._rules import Guard, weight_sum_check
from xgrad.metrics import _moments

AVERAGES = ("uniform", None)


class _Mergeable:
    """States that hold moments: an array with the sums of all rows seen."""

    moments: Any

    def __add__(self, other: Any) -> Any:
        """The state of the rows of both."""
        if type(other) is not type(self):
            return NotImplemented
        if self.moments is None or other.moments is None:
            return self if other.moments is None else other
        xp = common_namespace(moments=self.moments, other=other.moments)
        if tuple(self.moments.shape) != tuple(other.moments.shape):
            raise ValueError(
                "states of different numbers of outputs cannot be added: "
                f"{tuple(self.moments.shape[1:])} and {tuple(other.moments.shape[1:])}"
                "; let every `prediction` have the same columns"
            )
        with quiet():
            both = xp.stack([self.moments, other.moments])
            return type(self)(_merged(xp, both))  # type: ignore[call-arg]

    def __radd__(self, other: Any) -> Any:
        """So that ``sum(states)`` works, which starts at 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def _of_moments(self, function: Any, **options: Any) -> Any:
        """A function of the moments, without warnings; of Dask's when computed."""
        xp, moments = self._seen()
        if is_dask(xp):
            step = partial(function, **options)
            return map_blocks(step, moments, dtype=moments.dtype, drop_axis=0)
        with quiet():
            return function(xp, moments, **options)

    def _seen(self) -> tuple[Any, Array]:
        if self.moments is None:
            raise ValueError("the state has seen no rows: `update` it first")
        return common_namespace(moments=self.moments), self.moments


def _merged(xp: Any, groups: Array) -> Array:
    if not is_dask(xp):
        return _moments.merged(xp, groups)
    whole = groups.rechunk(-1)
    return map_blocks(_moments.merged, whole, dtype=groups.dtype, drop_axis=0)


@dataclass(frozen=True, eq=False)
class Mean(_Mergeable):
    """Mean, variance and standard error of numbers, over any number of batches.

    Weights count rows: one of 2 is a number seen twice. ``update`` and ``+`` return new
    states, with sums in float64 where the device has it.

    Examples
    --------
    >>> import numpy as np
    >>> state = Mean().update(np.array([1.0, 2.0])).update(np.array([6.0]))
    >>> state.mean()
    array(3.)
    """

    moments: Any = None

    def update(self, values: Any, /, *, weight: Any = None) -> Mean:
        """The state after more numbers, an array ``(n,)``, with weights ``(n,)``."""
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
        arrays = {"prediction": floats, **_weight(xp, weight, floats)}
        shape = (_moments.OF_MEAN,)
        return self + Mean(_summed(xp, arrays, _mean_of_block, shape))

    def mean(self) -> Any:
        """Weighted mean; nan of no weight."""
        return self._of_moments(_moments.share, part=_moments.MEAN)

    def variance(self) -> Any:
        """Variance with one degree of freedom less; nan for a single number."""
        return self._of_moments(_moments.variance)

    def standard_error(self, *, population: int | None = None) -> Any:
        """How far the mean may be from that of all rows, as `xgrad.batch_mean` says.

        It is 0 for the whole population, and nan for more than that.
        """
        rows = None
        if population is not None:
            rows = python_float(
                "population", integer("population", population, least=1)
            )
        return self._of_moments(_moments.standard_error, population=rows)


@dataclass(frozen=True, eq=False)
class Regression(_Mergeable):
    """Errors of predicted numbers, over any number of batches.

    Squares are kept around their means, which are merged without a loss of digits: R2
    of float32 targets around 1e4 is right. ``update`` and ``+`` return new states, with
    sums in float64 where the device has it. Predictions of shape ``(N, K)`` have K
    outputs, of which metrics give the mean, or all with ``average=None``.

    Examples
    --------
    >>> import numpy as np
    >>> state = Regression().update(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    >>> state.r2_score()
    np.float64(0.5)
    """

    moments: Any = None

    def update(
        self, prediction: Any, target: Any, /, *, weight: Any = None
    ) -> Regression:
        """The state after more rows, ``(N,)`` or ``(N, K)``, with weights ``(N,)``."""
        xp = common_namespace(
            prediction=prediction,
            target=target,
            **drop_none(weight=weight, moments=self.moments),
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
        values = as_float(xp, "prediction", prediction)
        wide = wide_dtype(xp, values)
        with quiet():
            arrays = {
                "prediction": values,
                "target": as_real(xp, "target", target, wide),
                **_weight(xp, weight, values),
            }
        shape = (_moments.OF_REGRESSION, *values.shape[1:])
        return self + Regression(_summed(xp, arrays, _regression_of_block, shape))

    def mean_squared_error(self, *, average: str | None = "uniform") -> Any:
        """Mean of the squared errors."""
        return self._outputs(average, _moments.mean_square)

    def root_mean_squared_error(self) -> Any:
        """Root of the mean of the squared errors."""
        return self.mean_squared_error() ** 0.5

    def mean_absolute_error(self, *, average: str | None = "uniform") -> Any:
        """Mean of the absolute errors."""
        return self._outputs(average, _moments.share, part=_moments.ABSOLUTE)

    def mean_absolute_percentage_error(self, *, average: str | None = "uniform") -> Any:
        """Mean of the errors relative to the target, ``abs(e / t)``."""
        return self._outputs(average, _moments.share, part=_moments.RELATIVE)

    def max_error(self) -> Any:
        """The largest absolute error."""
        xp, _ = self._seen()
        return xp.max(self._of_moments(_moments.share, part=_moments.LARGEST))

    def r2_score(self, *, average: str | None = "uniform") -> Any:
        """The part of the target's variance that is predicted."""
        return self._outputs(average, _moments.explained, biased=True)

    def explained_variance(self, *, average: str | None = "uniform") -> Any:
        """The same, where a constant error does not count."""
        return self._outputs(average, _moments.explained, biased=False)

    def _outputs(self, average: str | None, function: Any, **options: Any) -> Any:
        one_of("average", average, AVERAGES)
        xp, _ = self._seen()
        values = self._of_moments(function, **options)
        return values if average is None else xp.mean(values)


def _weight(xp: Any, weight: Any, values: Array) -> dict[str, Any]:
    if weight is None:
        return {}
    if tuple(weight.shape) != tuple(values.shape[:1]):
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have one entry for "
            f"each row, {tuple(values.shape[:1])}"
        )
    return {"weight": as_real(xp, "weight", weight, wide_dtype(xp, values))}


def _summed(xp: Any, arrays: dict[str, Any], function: Any, shape: Any) -> Array:
    """Moments of all rows; of Dask arrays those of their blocks, merged."""
    if not is_dask(xp):
        with quiet():
            return function(arrays, {})
    dtype = wide_dtype(xp, arrays["prediction"])
    groups = summarize_blocks(function, arrays, shape=tuple(shape), dtype=dtype)
    return _merged(xp, groups)


def _mean_of_block(arrays: dict[str, Any], starts: BlockStarts) -> Array:
    xp = common_namespace(**arrays)
    return _moments.mean_moments(xp, arrays["prediction"], arrays.get("weight"))


def _regression_of_block(arrays: dict[str, Any], starts: BlockStarts) -> Array:
    xp = common_namespace(**arrays)
    prediction, target = arrays["prediction"], arrays["target"]
    return _moments.regression_moments(xp, prediction, target, arrays.get("weight"))


def compared(prediction: Any, target: Any, weight: Any) -> Regression:
    """The state of the rows of one call, of which there must be some."""
    state = Regression().update(prediction, target, weight=weight)
    if prediction.shape[0] == 0:
        raise ValueError("`prediction` has no rows to compare: skip the empty batch")
    if weight is None:
        return state
    xp, moments = state._seen()
    whole = xp.max(moments[_moments.WEIGHT, ...])
    guard = Guard(xp, active=True)
    whole = guard(whole, [weight_sum_check(whole)])
    guard.enforce()
    # Of Dask arrays the check goes along with what is computed.
    return Regression(moments + 0 * whole) if is_dask(xp) else state


def as_computed(value: Any, prediction: Any) -> Any:
    """In the dtype that the prediction is computed in."""
    xp = common_namespace(prediction=prediction)
    dtype = as_float(xp, "prediction", prediction[:0, ...]).dtype
    if is_dask(xp):
        return map_blocks(partial(cast, dtype=dtype), value, dtype=dtype)
    with quiet():
        return cast(xp, value, dtype)
