"""The base of the states of all metrics: sums of rows, which are merged."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array


class State:
    """A frozen value that sums up rows seen so far, and can be merged by ``+``."""

    def __radd__(self, other: Any) -> Any:
        """Return the state itself for 0, at which ``sum(states)`` starts."""
        return self if isinstance(other, int) and other == 0 else NotImplemented


def seen(sums: Any) -> Array:
    """Return the sums of a state; raise if it has seen no rows."""
    if sums is None:
        raise ValueError(
            "the state has seen no rows: `update` returns a new state, so write "
            "`state = state.update(...)`"
        )
    return sums
