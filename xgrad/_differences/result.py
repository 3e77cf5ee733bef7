"""The result of a derivative: value, error bound, step and status."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array


@dataclass(frozen=True, eq=False)
class Estimate:
    """The accuracy of a derivative, component by component.

    Attributes
    ----------
    error : array
        Bound of the absolute error. At least 95 of 100 true errors lie under it, for
        "central", "forward" and "backward" of functions that are smooth over the steps.
        Infinite where the value is ``nan`` or nothing is known.
    step : array
        Absolute size of the step that the value comes from.
    status : array of int8
        Codes of `xgrad.Status`.
    evaluations : int
        Number of evaluations of the function; the points of a batch count one by one.

    The arrays have the shape of the derivative, and are nested as ``x`` is.
    """

    error: Any
    step: Any
    status: Any
    evaluations: int


class Status(enum.IntEnum):
    """The verdict on one component of a derivative.

    ``OK``: the value is right to within its error bound. ``UNRESOLVED``: no step
    resolves the function, because steps vanish or because the quotients do not
    converge. ``KINK``: the slopes of the two sides differ, as at a corner or a jump.
    ``NONFINITE``: the function is not finite at ``x`` or on both sides of it.
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


@dataclass(frozen=True, eq=False)
class Result:
    """A derivative and, if asked for, its error bound, its step and its status."""

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


def concat_results(
    results: list[Result], concat: Callable[[list[Array]], Array]
) -> Result:
    """Return one result, of which ``concat`` makes each array from those of several."""
    kind = type(results[0])
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
    masks = [
        (unresolved, Status.UNRESOLVED),
        (nonfinite & ~unresolved, Status.NONFINITE),
    ]
    if kink is not None:
        masks.append((kink & ~unresolved & ~nonfinite, Status.KINK))
    return sum(xp.astype(mask, xp.int8) * int(code) for mask, code in masks)
