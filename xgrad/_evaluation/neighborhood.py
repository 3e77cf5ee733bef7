"""The neighborhood of x: a function, and the points around one of its arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import Array
from xgrad._batched import Memo
from xgrad._evaluation.function import Function
from xgrad._evaluation.points import Points


@dataclass(eq=False)
class Neighborhood:
    """A function, and points that move the array with the number ``leaf``.

    ``base`` is ``f(x)``, whose ``shape`` every other value must have. The ``pace`` of
    the way is measured where there is one. The ``memo`` holds results at x, which
    chunks of the points share; it is not sent to other processes, since it knows its
    arrays by their identity.
    """

    function: Function
    leaf: int
    points: Points
    base: Array
    pace: Any = None

    def __post_init__(self) -> None:
        self.shape = tuple(self.base.shape)
        self.memo = Memo()

    def at(self, points: Points) -> Neighborhood:
        """Return the neighborhood with other points around the same array."""
        return replace(self, points=points)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what another process makes the value of, without the memo."""
        return Neighborhood, (self.function, self.leaf, self.points, self.base)
