"""The state of one call: what was proved, what has failed, and what was said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xgrad._arrays import Array
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.loop_warning import Reason
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.ways import Way


@dataclass(eq=False)
class CallState:
    """All that changes during one call of a public function, besides its meter.

    ``silent`` is whether loops are worth no warning, and ``may_warn`` whether there was
    none so far. ``loop_reason`` says why a chunk fell back to one point at a time, if
    one did: all that follows is evaluated in this way at once. ``ways`` are those that
    were chosen for the kinds of points, and ``first_values`` those of the chunk by
    which a way was proved. Threads share it; another process gets the reason alone.
    """

    silent: bool = False
    may_warn: bool = True
    loop_reason: Reason | None = None
    ways: dict[Any, Way] = field(default_factory=dict)
    first_values: tuple[Neighborhood, Chunk, Array] | None = None

    def take_first_values(self, near: Neighborhood, chunk: Chunk) -> Array | None:
        """Return the values by which a way was proved, if they are of this chunk."""
        first, self.first_values = self.first_values, None
        if first is not None and first[0].points is near.points and first[1] == chunk:
            return first[2]
        return None

    def warn_once(self, warn: Callable[[Reason], None], reason: Reason) -> None:
        """Warn the caller, unless there was a warning in this call before.

        An error of xgrad is heard of in silent calls, too.
        """
        if self.may_warn and not (self.silent and not reason.is_fault):
            self.may_warn = False
            warn(reason)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what another process makes the state of."""
        return CallState, (self.silent, self.may_warn, self.loop_reason)
