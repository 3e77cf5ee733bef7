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
    """How right a derivative is, component by component.

    Attributes
    ----------
    error : array
        A bound of the absolute error: at least 95 of 100 true errors lie under it,
        for "central", "forward" and "backward" of functions that are smooth over the
        steps. Infinite where the value is ``nan`` or nothing is known.
    step : array
        Size of the step that the value comes from.
    status : array of int8
        Codes of `xgrad.Status`.
    evaluations : int
        How often the function was evaluated, points of a batch counted one by one.

    The arrays have the shape of the derivative, and its nesting where ``x`` is nested.
    """

    error: Any
    step: Any
    status: Any
    evaluations: int


class Status(enum.IntEnum):
    """What is known about one component of a derivative.

    ``OK``: the value is good to its error bound. ``UNRESOLVED``: no step resolves the
    function, because steps vanish or because the quotients do not converge. ``KINK``:
    the slopes of the two sides differ, as at a corner or a jump. ``NONFINITE``: the
    function is not finite on both sides.
    """

    OK = 0
    UNRESOLVED = 1
    KINK = 2
    NONFINITE = 3

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        """What a code of an `Estimate` means: a 0-d array, which is no integer."""
        if isinstance(value, int) or not hasattr(value, "__index__"):
            return None
        try:
            return cls(operator.index(value))
        except TypeError:  # an array of several codes
            return None


@dataclass(frozen=True)
class Result:
    """A derivative and, if asked, its error bound, its step and its status."""

    value: Array
    error: Any = None
    step: Any = None
    status: Any = None

    @property
    def fields(self) -> dict[str, Array]:
        """The arrays there are, by name."""
        return {k: v for k, v in vars(self).items() if v is not None}

    def map(self, function: Callable[[Array], Array]) -> Result:
        """The parts with a function applied to each array."""
        return type(self)(**{k: function(v) for k, v in self.fields.items()})


def concat_results(
    parts: list[Result], function: Callable[[list[Array]], Array]
) -> Result:
    """Parts whose arrays are made from those of several parts."""
    kind = type(parts[0])
    return kind(
        **{name: function([vars(p)[name] for p in parts]) for name in parts[0].fields}
    )


def where_results(xp: Any, condition: Array, first: Result, second: Result) -> Result:
    """The first parts where the condition holds, elsewhere the second."""
    return concat_results([first, second], lambda pair: xp.where(condition, *pair))


def status_codes(
    xp: Any, nonfinite: Array, kink: Array | None, unresolved: Array
) -> Array:
    """Codes of `Status`; a step that vanished explains a value that is missing."""
    masks = [
        (unresolved, Status.UNRESOLVED),
        (nonfinite & ~unresolved, Status.NONFINITE),
    ]
    if kink is not None:
        masks.append((kink & ~unresolved & ~nonfinite, Status.KINK))
    return sum(xp.astype(mask, xp.int8) * int(code) for mask, code in masks)
