"""The base of the states of all metrics: sums of rows, which are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xgrad._arrays import Array, explain_missing_method

# Methods of states of other libraries, and what stands for them.
METHODS_OF_OTHERS = {
    "compute result value": "ask for a metric by its name, such as `mean`, `accuracy`",
    "forward update_state": "its name is `update`, which returns a new state",
    "reset reset_state reset_states": "states are values: begin with a new one",
    "merge merge_state": "add states, `a + b`",
}


class State:
    """A frozen value that sums up rows seen so far, and can be merged by ``+``."""

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name):
            raise explain_missing_method(self, name, METHODS_OF_OTHERS)

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
