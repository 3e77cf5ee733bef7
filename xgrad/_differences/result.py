"""The result of a derivative: value, error bound, step and status."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array, common_namespace, is_numpy


class Status(enum.IntEnum):
    """The verdict on one component of a derivative.

    ``OK``: the value is right to within its error bound. ``UNRESOLVED``: no step
    resolves the function, because steps vanish or because the quotients do not
    converge. ``KINK``: the slopes of the two sides differ, as at a corner or a jump.
    ``NONFINITE``: the function is not finite at ``x`` or at points beside it; a value
    that is finite comes from one side alone.
    """

    OK = 0
    UNRESOLVED = 1
    KINK = 2
    NONFINITE = 3

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        """Look up a code taken from an `Estimate`: a 0-d array, which is no integer."""
        if isinstance(value, int) or not hasattr(value, "__index__"):
            return None
        try:
            return cls(operator.index(value))
        except TypeError:  # an array of several codes
            return None

    @property
    def advice(self) -> str:
        """The likely cause and the next step, in a sentence."""
        return ADVICE[self]


ADVICE = {
    Status.OK: "the value is right to within its error bound",
    Status.UNRESOLVED: (
        "no step resolves `f`, because it is noisy, oscillates, has a vertical tangent "
        "or a corner beside `x`, or because steps are lost in the rounding of `x` or "
        "`f(x)`; look at `plot.step_sweep`, rescale `x`, or evaluate `f` in a wider "
        "dtype"
    ),
    Status.KINK: (
        "the slopes of the two sides differ, as at the corner of abs, max or relu, or "
        "at a jump; move `x`, or take the slope of one side by method='forward' or "
        "'backward'"
    ),
    Status.NONFINITE: (
        "`f` or its slope is not finite at `x` or at points beside it, as at the edge "
        "of the domain of log or sqrt, or after an overflow; move `x`, let `where` "
        "choose the argument of such a function, or keep points inside with `bounds=`"
    ),
}


@dataclass(eq=False)
class Result:
    """A derivative and, where they are needed, its error bound, step and status.

    Without an error bound a missing status means that all values are finite.
    """

    value: Array
    error: Any = None
    step: Any = None
    status: Any = None

    @property
    def fields(self) -> dict[str, Array]:
        """The arrays that are there, by name."""
        return {k: v for k, v in vars(self).items() if v is not None}

    def map(self, function: Callable[[Array], Array]) -> Result:
        """Return the result with a function applied to each array."""
        return type(self)(**{k: function(v) for k, v in self.fields.items()})

    def with_status(self) -> Result:
        """Return the result with a status, OK where there was none."""
        if self.status is not None:
            return self
        xp = common_namespace(value=self.value)
        return replace(self, status=xp.zeros_like(self.value, dtype=xp.int8))


def concat_results(
    results: list[Result], concat: Callable[[list[Array]], Array]
) -> Result:
    """Return one result, of which ``concat`` makes each array from those of several."""
    if len(results) == 1:
        return results[0].map(lambda array: concat([array]))
    kind = type(results[0])
    if any(result.status is not None for result in results):
        results = [result.with_status() for result in results]
    return kind(
        **{
            name: concat([vars(result)[name] for result in results])
            for name in results[0].fields
        }
    )


def where_results(xp: Any, condition: Array, first: Result, second: Result) -> Result:
    """Return the first result where the condition holds, elsewhere the second."""
    return concat_results([first, second], lambda pair: xp.where(condition, *pair))


def status_codes(
    xp: Any, nonfinite: Array, kink: Array | None, unresolved: Array
) -> Array:
    """Return the codes of `Status`, int8, for masks of the reasons.

    UNRESOLVED takes precedence over NONFINITE, as a step that vanished explains a value
    that is missing; both take precedence over KINK.
    """
    if is_numpy(xp):
        # To look costs less than to compute codes that are 0 nearly always.
        failing = (
            nonfinite | unresolved if kink is None else nonfinite | unresolved | kink
        )
        if not failing.any():
            return np.zeros(failing.shape, np.int8)
    masks = [
        (unresolved, Status.UNRESOLVED),
        (nonfinite & ~unresolved, Status.NONFINITE),
    ]
    if kink is not None:
        masks.append((kink & ~unresolved & ~nonfinite, Status.KINK))
    return sum(xp.astype(mask, xp.int8) * int(code) for mask, code in masks)
