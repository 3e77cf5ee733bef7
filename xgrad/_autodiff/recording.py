"""Run a function once on a tape, and go back over it as often as is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from xgrad._arrays import Array, unwrap, unwrapped_namespace, wrap_like
from xgrad._autodiff.backward import pull_back
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Taped

# The tape of the function that is running, which is nested in the tapes before it.
_running: ContextVar[Tape | None] = ContextVar("xgrad_tape", default=None)


class Recording:
    """What one call of a function has left on a tape, and its result.

    ``result`` is what the function returned, with arrays in place of stand-ins, and
    ``value`` is the present content of it as the tape has it. ``path`` describes which
    rules followed which: it differs if the function takes another branch.
    """

    def __init__(self, tape: Tape, result: Any, leaves: Sequence[Array]) -> None:
        self.leaves = leaves
        content = unwrap(result)
        self.at = -1
        if isinstance(content, Taped) and content.tracer is tape:
            content.ensure_current()
            self.at = content.at
            result = wrap_like(content.base, leaves[0])
        self.result = result
        self.uses_argument = tape.used
        self.tape = tape.close()

    @property
    def is_constant(self) -> bool:
        """Whether the result does not depend on the argument, but by branches."""
        return self.at < 0

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        rules = [edge[1] for edges in self.tape.edges for edge in edges]
        # Pairs tell one branch from another, and loops of any length are the same.
        return hash(frozenset(zip(rules, [None, *rules], strict=False)))

    def pull(self, cotangent: Array) -> list[Array]:
        """Return the cotangent of each leaf from that of the result."""
        tape, count = self.tape, len(self.leaves)
        slopes: list[Any] = [None] * count
        if self.at >= 0:
            slopes = pull_back(tape, self.at, unwrap(cotangent), list(range(count)))
        return [
            wrap_like(tape.blank(tape.shapes[i], tape.dtypes[i]) if g is None else g, x)
            for i, (g, x) in enumerate(zip(slopes, self.leaves, strict=True))
        ]


def record(
    call: Callable[[list[Any]], Any], xp: Any, leaves: Sequence[Array]
) -> Recording:
    """Call a function with a stand-in for each leaf; raise what broke the trace.

    ``call`` takes a list of them. The errors of the function itself are the caller's.
    """
    outer = _running.get()
    tape = Tape(unwrapped_namespace(xp), unwrap(leaves[0]), outer)
    standins = [wrap_like(tape.leaf(unwrap(x)), x) for x in leaves]
    token = _running.set(tape)
    try:
        result = call(standins)
    except Exception as error:
        if tape.refusal is None or tape.refusal is error:
            raise
        raise tape.refusal from error
    finally:
        _running.reset(token)
        refusal, tape.refusal = tape.refusal, None  # its traceback leads back to here
    # The function has caught the refusal, and may have returned something else instead.
    if refusal is not None:
        raise refusal
    return Recording(tape, result, leaves)


def is_nested() -> bool:
    """Whether a function is being recorded, so that a recording would be inside."""
    return _running.get() is not None
