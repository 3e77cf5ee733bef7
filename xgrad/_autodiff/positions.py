"""The record of one call of a function: its operations in order, by position.

An edge is ``(position of the argument, pull, what that keeps)``; a position has the
edges of one operation. Positions only grow, so that the way back is a loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._autodiff.backward import Cotangents
from xgrad._autodiff.borders import repeated_entries
from xgrad._autodiff.structural import PLAIN, plain_of
from xgrad._autodiff.taped import Taped, laid_out_as_copies
from xgrad._tracing import NotTraceableError, StandIn, Tracer

Edge = tuple[int, Any, tuple[Any, ...]]
# Constants up to this size are copied if a rule holds them, so that a later assignment
# to them does no harm: 4 KiB are copied in the time of an operation on small arrays.
SMALL = 4096
NUMBERS = (np.generic, float, int, complex)


class Positions(Tracer):
    """The operations of one call, and the values and edges of their operands.

    ``used`` tells whether the function has asked for a value of its argument, and
    ``reads_text`` whether for the text of one; ``level`` is in how many other tapes it
    is nested: its arrays may be recorded on ``outer``. ``anchor`` is an array of the
    kind that it works with.
    """

    knows_values = True
    # The position of the first operation of which the edges are held.
    start = 0
    # Adds to an array in place, on a tape that keeps no arrays and is not nested.
    adds_in_place: Any = None

    def __init__(self, xp: Any, anchor: Array, outer: Positions | None = None) -> None:
        super().__init__(xp)
        self.anchor = anchor
        self.outer = outer
        self.level: int = 0 if outer is None else outer.level + 1
        self.edges: list[tuple[Edge, ...]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[Any] = []
        self.used = self.reads_text = False
        self.copies_constants = False
        self.equalities: list[int] = []
        # Constants that are held, by `id`, and some of their entries.
        self.watched: dict[int, tuple[Any, bytes]] = {}
        # Constants in memory of the user, and those that have been handed out, by `id`.
        self.of_user: dict[int, Taped] = {}
        self.exported: dict[int, Any] = {}

    def leaf(self, base: Array) -> Taped:
        """Return the stand-in for an argument of the function."""
        base = laid_out_as_copies(base)
        x = Taped(self, base, self.push(base, ()))
        x.kept = True  # the caller's memory is never written into
        return x

    def push(self, base: Array, edges: tuple[Edge, ...]) -> int:
        """Put an operation at the end of the tape; return its position."""
        at = len(self.edges)
        self.edges.append(edges)
        self.shapes.append(base.shape)
        self.dtypes.append(base.dtype)
        return at

    def close(self, result: Any = None) -> Closed:
        """End the recording: arrays that the function has kept become constants."""
        closed = Closed(self)
        self.edges, self.shapes, self.dtypes = [], [], []
        self.closed = True
        return closed

    @property
    def add_into(self) -> Any:
        """Return what adds to arrays of the outer tape in place; None without."""
        return None if self.outer is None else self.outer.adds_in_place

    def blank(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return zeros of the kind that the tape works with, to be written into."""
        anchor = plain_of(self.anchor)
        like = None if isinstance(anchor, np.generic) else anchor
        return self.lift(np.zeros(shape, dtype, like=like))

    def lift(self, array: Array) -> Any:
        """Return a plain array as one of the kind that the tape works with."""
        # Nested in other tapes, it may be written into with what is recorded on those.
        outer = self.outer
        if outer is None or isinstance(array, StandIn):
            return array
        return Taped(outer, outer.lift(array))

    def result(self, base: Array, *edges: Edge | None) -> Any:
        """Return the result of an operation: a constant if it has no edges.

        Integers and booleans are constant by nature, and are returned as they are.
        """
        if base.dtype.kind not in "fc":
            return base
        present = tuple(e for e in edges if e is not None)
        return Taped(self, base, self.push(base, present) if present else -1)

    def edge(self, x: Any, pull: Any, *saved: Any) -> Edge | None:
        """Return the edge to an operand; None if that is a constant."""
        return (x.at, pull, saved) if self.depends(x) else None

    def depends(self, x: Any) -> bool:
        """Whether an operand depends on the argument of the function."""
        if type(x) is not Taped or x.tracer is not self or self.closed:
            return False
        if x.origin is not None:  # a view may lag behind an assignment to its owner
            x.ensure_current()
        return x.at >= 0

    def value_of(self, x: Any) -> Any:
        """Return the present value of an operand, for a function of plain arrays."""
        if type(x) is Taped and x.tracer is self:
            self.used = True
            if x.origin is not None:
                x.ensure_current()
            return x.base
        # An array that was kept from an earlier call is what it was then.
        if type(x) is Taped and x.tracer.closed:
            return x.ensure_current().base
        return x

    def note_equality(self, equal: Any) -> None:
        """Note where recorded values lie at a border of what a function may do.

        What it does there may tell nothing of the points around.
        """
        # (On a device, to ask whether there is any would be to wait for it.)
        if type(equal) is np.bool_:  # in a fifth of the time
            if equal:
                self.equalities.append(1)
        elif isinstance(equal, np.ndarray) and equal.any():
            self.equalities.append(hash(equal.tobytes()))

    def known_values(self, x: Any, idiom: str, remedy: str) -> Any:
        """Return the values of an operand, by which a function may choose entries."""
        is_recorded = False
        while isinstance(x, StandIn):
            if not isinstance(x.tracer, Positions):
                return x.tracer.known_values(x, idiom, remedy)
            is_recorded = is_recorded or x.tracer.depends(x)
            x = x.tracer.value_of(x)
        if is_recorded and isinstance(x, PLAIN):
            self.note_equality(np.equal(x, 0))
            self.note_equality(repeated_entries(x, tuple(range(x.ndim))))
        return x

    def hold(self, x: Any, value: Any) -> Any:
        """Return the value of an operand in a form that a rule can keep."""
        # Nobody can write into numbers, nor into lists that `f` has written down.
        if isinstance(value, NUMBERS) or not hasattr(value, "nbytes"):
            return value
        is_beside = type(x) is not Taped or x.tracer is not self
        if is_beside or (self.of_user and self.is_of_user(x)):
            is_written = not is_beside and x.at >= 0
            if is_written or self.copies_constants or value.nbytes <= SMALL:
                return value.copy()
            self.watch(value)
            return value
        if x.origin is None:
            x.kept = True
            return value
        owner = x.origin[0]
        # A small part of an array that is written into again and again is copied, not
        # the whole array at the next assignment.
        if owner.version and not owner.kept and 2 * value.size < owner.base.size:
            return value.copy()
        owner.kept = True
        return value

    def add_of_user(self, constant: Taped) -> None:
        """Note a constant in memory of the user."""
        self.of_user[id(constant)] = constant
        written = [x for x in self.of_user.values() if x.version]
        if written:
            self.require_own_memory(constant, written)

    def require_own_memory(self, x: Taped, others: Iterable[Taped]) -> None:
        """Raise if an array that is written into shares its memory with another one."""
        memory = plain_of(x.base)
        shares = (
            other is not x and np.may_share_memory(memory, plain_of(other.base))
            for other in others
        )
        if any(shares):
            raise self.refuse(
                "an assignment into one of two arrays in the same memory",
                "write it with one of them",
            )

    def is_of_user(self, x: Any) -> bool:
        """Whether an array lies in memory of the user, who may change it."""
        return id(x if x.origin is None else x.origin[0]) in self.of_user

    def watch(self, constant: Any) -> None:
        """Note some entries of a constant that a rule holds: a change shows in them."""
        if type(constant) is np.ndarray and id(constant) not in self.watched:
            self.watched[id(constant)] = constant, sample_of(constant)

    def highest(self, operands: Any) -> Any:
        """Return the innermost of the tapes that operands are recorded on."""
        highest: Any = self
        for operand in operands:
            if type(operand) is Taped and operand.tracer is not highest:
                tape = operand.tracer
                if tape.level > highest.level and not tape.closed:
                    highest = tape
        return highest

    def refuse_function(self, function: Any, where: str = "") -> NotTraceableError:
        """Return the error for a function that has no rule, or none in an argument."""
        name = getattr(function, "__name__", None) or getattr(
            function, "name", function
        )
        return self.refuse(
            f"`{name}`, which has no rule of differentiation{where}",
            "give it one by `custom_vjp`, or write it with other functions",
        )

    def note(self, error: Exception) -> None:
        """Note a refusal; other errors are those of the plain call, too."""
        if isinstance(error, NotTraceableError):
            super().note(error)


# Entries of a constant that are compared, and as many sums of parts of it.
SAMPLE = 64
# Memory up to which all of a constant is added up, in four microseconds. This is done
# two or three times, beside operations on it that take ten each.
WHOLE = 2**18


def sample_of(array: Any) -> bytes:
    """Return what tells of a change of an array: entries of it, and sums of its bits.

    Of a larger one there are 64 entries alone, at equal distances: who uses a
    buffer again writes all of it.
    """
    each = SAMPLE ** (1 / array.ndim)
    key = tuple(slice(None, None, max(1, int(n / each))) for n in array.shape)
    content: bytes = array[key].tobytes()
    # (Other numbers have bits that mean nothing.)
    if array.nbytes > WHOLE or array.dtype.char not in "?bBhHiIlLqQefdFD":
        return content
    flat = array.ravel(order="K").view(np.uint8)
    words = flat[: flat.size // 8 * 8].view(np.uint64)
    parts = words[: words.size // SAMPLE * SAMPLE].reshape(SAMPLE, -1)
    ends = words[parts.size :].tobytes() + flat[8 * words.size :].tobytes()
    # A change of one entry changes a sum; if entries change places, two of them do.
    return content + np.add.reduce(parts, axis=1).tobytes() + ends


class ChangedConstantError(NotTraceableError):
    """An array that a rule holds has other entries than when it was used."""

    def __init__(self, why: str = "") -> None:
        super().__init__(
            f"an array beside x that has changed after its use{why}",
            "make a new array instead",
        )


class Closed:
    """A recording that has ended, for the way back."""

    def __init__(self, tape: Positions) -> None:
        self.equalities, self.watched = tape.equalities, tape.watched
        self.edges = tape.edges
        self.shapes = tape.shapes
        self.dtypes = tape.dtypes
        self.level = tape.level
        self.blank = tape.blank
        self.lift = tape.lift
        self.add_into = tape.add_into

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        rules = [edge[1] for edges in self.edges for edge in edges]
        # Pairs tell one branch from another, and loops of any length are the same.
        return hash(frozenset(zip(rules, [None, *rules], strict=False)))

    def cotangents(self, at: int, cotangent: Any, ignores_zeros: bool) -> Cotangents:
        """Return the cotangents of a way back, which begins at a position."""
        return Cotangents(self, at, cotangent, ignores_zeros)

    def has_changed_constants(self) -> bool:
        """Whether an array beside x has changed since it was used."""
        if not self.watched:
            return False
        return any(sample_of(c) != content for c, content in self.watched.values())
