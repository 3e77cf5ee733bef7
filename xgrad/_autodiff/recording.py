"""Run a function once on a tape, and go back over it as often as is asked for."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from xgrad._arrays import Array, unwrap, unwrapped_namespace, wrap_like
from xgrad._autodiff.backward import Cotangents
from xgrad._autodiff.custom import CustomPull
from xgrad._autodiff.positions import ChangedConstantError
from xgrad._autodiff.sparing import SparingTape
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Taped
from xgrad._tracing import StandIn

TapeT = TypeVar("TapeT", bound=Tape)
ResultT = TypeVar("ResultT")
# References to an array in a list that nobody else has: of the list, and of the call
# that counts them.
ALONE = 2
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
        self.uses_argument, self.reads_text = tape.used, tape.reads_text
        self.tape = tape.close(content)

    @property
    def is_constant(self) -> bool:
        """Whether the result does not depend on the argument, but by branches."""
        return self.at < 0

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        return self.tape.path

    @property
    def has_changed(self) -> bool:
        """Whether the function has changed an array after its use."""
        return self.tape.has_changed_constants()

    @property
    def equalities(self) -> list[int]:
        """Numbers for where values were found equal, by which it may choose."""
        return self.tape.equalities

    @property
    def has_custom_pulls(self) -> bool:
        """Whether functions with backward passes of their own are on the tape."""
        edges = itertools.chain.from_iterable(self.tape.edges)
        return any(isinstance(pull, CustomPull) for _, pull, _ in edges)

    def pull(self, cotangent: Array, *, ignores_zeros: bool = False) -> list[Array]:
        """Return the cotangent of each leaf from that of the result.

        With ``ignores_zeros`` a cotangent of 0 stays 0, and so does a derivative of 0,
        if the other one is infinite: as that of a branch that was not taken may be.
        """
        way = self._way_back(cotangent, ignores_zeros)
        way.propagate()
        return self._at_leaves(way)

    def pull_once(
        self, cotangent: Array, *, ignores_zeros: bool = False
    ) -> list[Array]:
        """Return the cotangent of each leaf, and forget the recording on the way."""
        way = self._way_back(cotangent, ignores_zeros)
        way.propagate(frees=True)
        return self._at_leaves(way)

    def kinks(self, cotangent: Array, are_hidden: bool = False) -> list[Array] | None:
        """Mark the entries of each leaf that move the result through a corner.

        Return None if the derivative has no corner at this point. Corners
        ``are_hidden`` where a slope of 0 follows, as in a square: they are corners of
        derivatives of higher order.
        """
        way = self._way_back(cotangent, False)
        marks = way.mark_kinks(are_hidden)
        if marks is None:
            return None
        return [marked != 0 for marked in self._at_leaves(marks)]

    def _way_back(self, cotangent: Array, ignores_zeros: bool) -> Cotangents:
        if self.has_changed:
            raise ChangedConstantError
        # On a tape that is nested, it may meet arrays of the outer one.
        cotangent = self.tape.lift(unwrap(cotangent))
        return self.tape.cotangents(self.at, cotangent, ignores_zeros)

    def _at_leaves(self, way: Cotangents) -> list[Array]:
        """Return the arrays at the positions of the leaves, with zeros for None."""
        tape, slopes = self.tape, []
        for i, x in enumerate(self.leaves):
            is_own = i <= self.at and _is_own(way.arrays, i)
            g = way.arrays[i] if i <= self.at else None
            if g is None:
                g = tape.blank(tape.shapes[i], tape.dtypes[i])
            elif isinstance(g, np.generic):
                g = np.asarray(g)
            elif not is_own:
                g = g.copy()
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

    def new_tape(xp: Any, anchor: Array, outer: Tape | None) -> Tape:
        if max_bytes is None or outer is not None:
            return Tape(xp, anchor, outer)
        return SparingTape(xp, anchor, max_bytes)

    def start(tape: Tape) -> list[Taped]:
        tape.copies_constants = copies_constants
        return [tape.leaf(unwrap(x)) for x in leaves]

    def finish(tape: Tape, result: Any) -> Recording:
        return Recording(tape, result, leaves)

    return run_on(new_tape, start, finish, call, xp, leaves)


def run_on(
    new_tape: Callable[[Any, Array, Tape | None], TapeT],
    start: Callable[[TapeT], list[Taped]],
    finish: Callable[[TapeT, Any], ResultT],
    call: Callable[[list[Any]], Any],
    xp: Any,
    leaves: Sequence[Array],
) -> ResultT:
    """Call a function on a new tape, inside of those of the functions that call it.

    ``new_tape`` makes the tape from a namespace, an array and the outer one; ``start``
    makes the stand-ins for the leaves, and ``finish`` takes the result.
    """
    tape = new_tape(unwrapped_namespace(xp), unwrap(leaves[0]), _running.get())
    first = start(tape)
    token = _running.set(tape)
    try:
        result = call(
            [wrap_like(x, like) for x, like in zip(first, leaves, strict=True)]
        )
        finished = finish(tape, result)
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
    return finished


def _is_own(arrays: Any, i: int) -> bool:
    """Whether nobody else has the memory of an array, so that it can be given away.

    Else it is that of the caller's cotangent, of another leaf, or of the tape.
    """
    # (No name may refer to the array or its base here: it would count.)
    if arrays[i] is None or isinstance(arrays[i], StandIn):
        return True
    if sys.getrefcount(arrays[i]) > ALONE:
        return False
    if arrays[i].base is None:
        return True
    is_whole = arrays[i].size == getattr(arrays[i].base, "size", -1)
    return is_whole and sys.getrefcount(arrays[i].base) <= ALONE


def _part_from(leaves: list[Taped]) -> None:
    """Give arrays that the function has kept memory of their own, not the caller's."""
    for i in range(len(leaves)):
        # Views refer to it, too.
        if sys.getrefcount(leaves[i]) > ALONE:
            leaves[i].base = leaves[i].base.copy()
            leaves[i].version += 1


def is_nested() -> bool:
    """Whether a function is being recorded, so that a recording would be inside."""
    return _running.get() is not None


def is_recorded(x: Any) -> bool:
    """Whether an array is one that a tape has made, for a function that is running."""
    return type(unwrap(x)) is Taped
