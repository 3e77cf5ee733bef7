"""The formulas of a loss, evaluated for a checked call and weighted."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, product_keeping_zeros
from xgrad.losses._call import CheckedCall

Formula = Callable[..., Any]

# Entries that NumPy evaluates at once: 512 KiB in float32, half of a usual L2 cache.
CACHED_ENTRIES = 2**17


class Formulas:
    """The value of a loss, its slope, and perhaps a function that gives both.

    All take ``(xp, prediction, target, /, *, options)`` and return numbers for each
    entry, or with ``rows`` a value for each row.
    """

    def __init__(self, loss: str, value: Formula, *, rows: bool) -> None:
        self.loss = loss
        self.rows = rows
        self._value = value
        self._slope: Formula | None = None
        self._value_and_slope: Formula = self._evaluate_in_turn

    def add_slope(self, function: Formula) -> None:
        """Take a function that returns the derivative by the prediction."""
        self._require_same_options(function)
        self._slope = function

    def add_value_and_slope(self, function: Formula) -> None:
        """Take a function that returns value and slope, where they share work."""
        self._require_same_options(function)
        self._value_and_slope = function

    def _require_same_options(self, function: Formula) -> None:
        expected = list(inspect.signature(self._value).parameters.values())
        got = list(inspect.signature(function).parameters.values())
        if [(p.name, p.default) for p in expected] != [
            (p.name, p.default) for p in got
        ]:
            raise TypeError(
                f"the functions of `{self.loss}` must take the same parameters "
                f"with the same defaults; got {expected} and {got}"
            )

    def _evaluate_in_turn(self, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        slope = self._require_slope()
        return self._value(*arguments, **options), slope(*arguments, **options)

    def _require_slope(self) -> Formula:
        if self._slope is None:
            raise TypeError(f"`{self.loss}` has no gradient: register its slope")
        return self._slope

    def evaluate(self, call: CheckedCall, wanted: str) -> tuple[Any, Any]:
        """Return the weighted losses and slopes of a call, unreduced.

        ``wanted`` is "value", "slope" or "both"; what is not wanted is None.
        """
        arguments = (call.xp, call.prediction, call.target.values)
        losses = slope = None
        if wanted == "value":
            losses = self._value(*arguments, **call.options)
        elif wanted == "slope":
            slope = self._require_slope()(*arguments, **call.options)
        else:
            losses, slope = self._value_and_slope(*arguments, **call.options)
        shape = call.prediction.shape
        self._require_shape("loss", losses, shape[:-1] if self.rows else shape)
        self._require_shape("slope", slope, shape)
        return weighted(call, losses), weighted(call, slope)

    def _require_shape(self, kind: str, result: Any, shape: tuple[int, ...]) -> None:
        if result is not None and tuple(result.shape) != tuple(shape):
            raise ValueError(
                f"the {kind} of `{self.loss}` has shape {tuple(result.shape)} "
                f"instead of {tuple(shape)}: a loss of rows takes `rows=True`, and its "
                "slope has the prediction's shape"
            )


def evaluate_by_rows(
    call: CheckedCall, evaluate: Callable[[CheckedCall], tuple[Any, Any]]
) -> tuple[Any, Any]:
    """Return losses and slopes of a call with NumPy arrays, some rows at a time.

    The temporary arrays of the formulas then stay in the cache, and in memory that the
    allocator keeps.
    """
    # A second slice must save more than its calls cost. The factor was set by trial.
    if call.prediction.size <= 2 * CACHED_ENTRIES:
        return evaluate(call)
    count = call.prediction.shape[0]
    step = max(1, CACHED_ENTRIES * count // call.prediction.size)
    results: list[Any] = [None, None]
    for begin in range(0, count, step):
        rows = slice(begin, begin + step)
        for i, values in enumerate(evaluate(call.take_rows(rows))):
            if values is None:
                continue
            # The first rows tell dtype and shape.
            if results[i] is None:
                results[i] = np.empty((count, *values.shape[1:]), values.dtype)
            results[i][rows] = values
    return results[0], results[1]


def weighted(call: CheckedCall, values: Array | None) -> Array | None:
    """Return losses or slopes times their weights; nan where a label is out of range.

    Entries of weight 0 become 0, even if they are infinite or nan.
    """
    if values is None:
        return None
    weight, in_range = call.target.weight, call.target.in_range
    if weight is not None:
        values = product_keeping_zeros(call.xp, _align_rows(weight, values), values)
    if in_range is not None:
        values = call.xp.where(_align_rows(in_range, values), values, math.nan)
    return values


def _align_rows(of_rows: Array, values: Array) -> Array:
    """Return numbers of rows with a last axis if ``values`` have one for entries."""
    return of_rows if of_rows.ndim == values.ndim else of_rows[..., None]
