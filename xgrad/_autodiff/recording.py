"""Run a function once on a tape, and go back over it as often as is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from xgrad._arrays import Array, unwrap, unwrapped_namespace, wrap_like
from xgrad._autodiff.backward import Cotangents
from xgrad._autodiff.sparing import SparingTape
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Taped

# The tape of the function that is running, which is nested in the tapes before it.
_running: ContextVar[Tape | None] = ContextVar("xgrad_tape", default=None)


class Recording:
    """The result of one call of a function, with the tape that led to it.

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
        self.tape = tape.close(content)

    @property
    def is_constant(self) -> bool:
        """Whether the result does not depend on the argument, but by branches."""
        return self.at < 0

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        return self.tape.path

    def pull(self, cotangent: Array, *, ignores_zeros: bool = False) -> list[Array]:
        """Return the cotangent of each leaf from that of the result.

        With ``ignores_zeros`` a cotangent of 0 stays 0, and so does a derivative of 0,
        if the other one is infinite: as that of a branch that was not taken may be.
        """
        way = self._way_back(cotangent, ignores_zeros)
        way.propagate()
        return self._at_leaves(way)

    def kinks(self, cotangent: Array) -> list[Array] | None:
        """Mark the entries of each leaf that move the result through a corner.

        Return None if the derivative has no corner at this point.
        """
        way = self._way_back(cotangent, False)
        marks = way.mark_kinks()
        if marks is None:
            return None
        return [marked != 0 for marked in self._at_leaves(marks)]

    def _way_back(self, cotangent: Array, ignores_zeros: bool) -> Cotangents:
        # On a tape that is nested, it may meet arrays of the outer one.
        cotangent = self.tape.lift(unwrap(cotangent))
        return self.tape.cotangents(self.at, cotangent, ignores_zeros)

    def _at_leaves(self, way: Cotangents) -> list[Array]:
        """Return the arrays at the positions of the leaves, with zeros for None."""
        tape, slopes = self.tape, []
        for i, x in enumerate(self.leaves):
            g = way.arrays[i] if i <= self.at else None
            if g is None:
                g = tape.blank(tape.shapes[i], tape.dtypes[i])
            elif isinstance(g, np.generic):
                g = np.asarray(g)
            slopes.append(wrap_like(g, x))
        return slopes


def record(
    call: Callable[[list[Any]], Any],
    xp: Any,
    leaves: Sequence[Array],
    copies_constants: bool = False,
    max_bytes: int | None = None,
) -> Recording:
    """Call a function with a stand-in for each leaf; raise what broke the trace.

    ``call`` takes a list of them. The errors of the function itself are the caller's.
    With ``copies_constants`` rules keep copies of the arrays that the function uses
    beside its argument, so that it may write into them later. With ``max_bytes`` the
    tape drops what would take more memory, and does those operations again on the way
    back; one within another leaves that to the outer one.
    """
    outer, xp, anchor = _running.get(), unwrapped_namespace(xp), unwrap(leaves[0])
    if max_bytes is None or outer is not None:
        tape = Tape(xp, anchor, outer)
    else:
        tape = SparingTape(xp, anchor, max_bytes)
    tape.copies_constants = copies_constants
    first = [tape.leaf(unwrap(x)) for x in leaves]
    token = _running.set(tape)
    try:
        result = call(
            [wrap_like(x, like) for x, like in zip(first, leaves, strict=True)]
        )
        recording = Recording(tape, result, leaves)
    except Exception as error:
        if tape.refusal is None or tape.refusal is error:
            raise
        raise tape.refusal from error
    finally:
        _running.reset(token)
        refusal, tape.refusal = tape.refusal, None  # its traceback leads back to here
        tape.closed = True
        _part_from(first)
    # The function has caught the refusal, and may have returned something else instead.
    if refusal is not None:
        raise refusal
    return recording


def _part_from(leaves: list[Taped]) -> None:
    """Give arrays that the function has kept memory of their own, not the caller's."""
    for i in range(len(leaves)):
        # Referred to by more than the list and the call itself. Views refer to it, too.
        if sys.getrefcount(leaves[i]) > 2:
            leaves[i].base = leaves[i].base.copy()
            leaves[i].version += 1


def is_nested() -> bool:
    """Whether a function is being recorded, so that a recording would be inside."""
    return _running.get() is not None
