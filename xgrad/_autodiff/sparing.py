"""A tape in little memory: it drops what it saved, and can record it again.

When what was saved since the last cut takes more than half of the memory that is
allowed, the tape keeps the arrays of that cut and the list of operations, and drops the
rest; the way back does the operations again, stretch by stretch. Where the cuts take
more than that half, stretches grow with them: both together then take twice the square
root of all that would have been saved, as in A. Griewank and A. Walther, Evaluating
Derivatives, 2008, section 12.2.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._autodiff.budget import Budget
from xgrad._autodiff.overrides import OVERRIDES
from xgrad._autodiff.positions import SMALL, Closed, Edge
from xgrad._autodiff.replay import Stretches, failing, put_array, put_result, put_zeros
from xgrad._autodiff.stretches import (
    ForeignArrayError,
    Notes,
    Snapshot,
    Stretch,
    number_of,
    taped_in,
)
from xgrad._autodiff.structural import follow
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Step, Taped, laid_out_as_copies
from xgrad._tracing import StandIn, tracer_of

# An argument that the tape does not use, by its place: a function which may refer to
# the arrays of this call.
UNUSED = {Tape.product: 2, Tape.everywhere: 2, Tape.along: 5}


def noted(function: Callable[..., Any]) -> Any:
    """Return a primitive of the tape that notes each call, to do it again."""

    unused = UNUSED.get(function)

    @functools.wraps(function)
    def primitive(tape: SparingTape, *args: Any) -> Any:
        if unused is None or len(args) <= unused:
            return tape.run(function, args)
        return tape.run(function, args, (*args[:unused], None, *args[unused + 1 :]))

    return primitive


class Override:
    """A function that the tape has a shorter way for, as one of its operations."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, tape: Any, *args: Any) -> Any:
        return self.function(*args)

    def of(self, x: Any, *args: Any) -> Any:
        """Call the function, and note it on a tape that wants this."""
        tape = tracer_of(x)
        if not isinstance(tape, SparingTape):
            return self.function(x, *args)
        return tape.run(self, (x, *args))


class SparingTape(Tape):
    """A tape that keeps within ``max_bytes`` where it can.

    ``edges``, ``shapes`` and ``dtypes`` have the positions since the last cut, which is
    at ``start``; ``stretch`` has the operations in a form that can be done again.
    """

    overrides = {  # noqa: RUF012 (as that of the tape)
        choose: Override(function).of for choose, function in OVERRIDES.items()
    }

    def __init__(self, xp: Any, anchor: Array, max_bytes: int) -> None:
        super().__init__(xp, anchor)
        self.start = 0
        self.leaves: list[tuple[tuple[int, ...], Any]] = []
        self.stretch = Stretch(0, 1)
        self.stretches: list[Stretch] = []
        self.notes = Notes()
        self.budget = Budget(max_bytes, self.notes)
        self.is_inside = False
        self.unnumbered = 0
        # The last assignment to an array: during which stretch, and its version then.
        self.written: dict[int, tuple[int, int]] = {}
        self.pairs: set[tuple[Any, Any]] = set()
        self.last_rule: Any = None

    def leaf(self, base: Array) -> Taped:
        """Return the stand-in for an argument, whose position is never dropped."""
        base = laid_out_as_copies(base)
        x = Taped(self, base, self.start)
        x.kept = True
        self.start += 1
        self.leaves.append((base.shape, base.dtype))
        self.stretch = Stretch(self.start, 1)
        self.budget.held.add(id(base))
        return x

    def push(self, base: Array, edges: tuple[Edge, ...]) -> int:
        """Put an operation at the end of the tape, and count what it saves."""
        at = self.start + super().push(base, edges)
        self.budget.save_position(edges)
        return at

    def hold(self, x: Any, value: Any) -> Any:
        """Return the value of an operand in a form that a rule can keep."""
        if self.copies_constants and isinstance(value, np.ndarray):
            is_constant = type(x) is not Taped or x.tracer is not self
            if is_constant and value.nbytes > SMALL and not self.closed:
                return self.notes.copy_of(value)
        return super().hold(x, value)

    def watch(self, constant: Any) -> None:
        """Hold no constant for its own sake: memory is what this tape spares."""

    def run(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        args_to_note: tuple[Any, ...] | None = None,
    ) -> Any:
        """Call a primitive and note it, unless it is part of another one."""
        if self.is_inside or self.closed:
            return function(self, *args)
        key: list[Any] = []
        try:
            named = self._name(args_to_note or args, key)
        except ForeignArrayError:
            return function(self, *args)
        self.is_inside = True
        try:
            result = function(self, *args)
        except Exception:
            # It may have put something on the tape before it failed.
            self._note(failing(function), named, key, None)
            raise
        finally:
            self.is_inside = False
        if result is not None or not isinstance(function, Override):
            self._note(function, named, key, result)
        return result

    def _name(self, args: tuple[Any, ...], key: list[Any]) -> Any:
        """Return arguments with names for arrays, if the stretch may be dropped."""
        if not self.stretch.is_kept:
            return self.notes.encode(self, args, key)
        for x in taped_in(args):
            if x.tracer is self:
                self._enter_once(x)
            elif not x.tracer.closed:
                raise ForeignArrayError
        return None

    def _note(self, function: Any, named: Any, key: list[Any], result: Any) -> None:
        stretch, count = self.stretch, 0
        for x in taped_in(result):
            if x.tracer is self and not number_of(x):
                x.number = stretch.next + count
                count += 1
        stretch.next += count
        if not stretch.is_kept:
            stretch.operations.append(self.notes.of(function, named, key, count))
            if self.budget.is_hopeless():
                self._keep()
        if self.budget.is_full():
            self.cut()

    def _keep(self) -> None:
        """Drop nothing of this stretch."""
        self.stretch.keep()
        self.notes.forget()

    def enter(self, x: Taped) -> int:
        """Note an array from before the stretch as it is; return its place."""
        stretch, view = self.stretch, x.origin
        if view is not None and view[0].version != view[2]:
            self._enter_once(view[0])
        if not stretch.is_kept and self.budget.is_hopeless(_memory_of(x)):
            self._keep()
        if stretch.is_kept:
            if view is not None:
                stretch.outline(view[0])
            stretch.outline(x)
            return 0
        if not number_of(x):
            self.unnumbered -= 1
            x.number = self.unnumbered
        owner: int | None = None
        steps: tuple[Step, ...] = ()
        shown, base = 0, x.base
        if view is None:
            x.kept = True
            self.budget.begin_with(base)
        else:
            source, steps, shown = view
            if source.version != shown:
                base = follow(source.base, steps)
            if _is_small_part(x):
                base = base.copy("K")
                self.budget.begin_with(base)
            else:
                source.kept = True
                self.budget.begin_with(source.base)
            owner = number_of(source)
        place = stretch.places[x.number] = len(stretch.inputs)
        stretch.inputs.append(Snapshot(base, x.at, x.version, owner, steps, shown))
        self._note_exit(x, base)
        return place

    def _enter_once(self, x: Taped) -> None:
        number = number_of(x)
        if number < self.stretch.first and number not in self.stretch.places:
            self.enter(x)

    def _note_exit(self, x: Taped, base: Any) -> None:
        """Let the stretch that an array comes from know it, to be compared there."""
        owner, number = x, number_of(x)
        if x.origin is not None:
            owner = x.origin[0]
            if owner.version != x.origin[2]:
                return
        if not owner.version:
            # As it was made; and so it was when its stretch ended.
            i = bisect.bisect_right(self.stretches, number, key=lambda s: s.first) - 1
        else:
            i, version = self.written.get(number_of(owner), (-1, 0))
            i = i if version == owner.version else -1
        stretch = self.stretches[i] if 0 <= i < len(self.stretches) else None
        if stretch is not None and not stretch.is_kept:
            name = stretch.name_of(number)
            if name is not None:
                stretch.exits[name] = base

    def cut(self) -> None:
        """End a stretch: drop what it has saved, where that frees memory."""
        stretch = self.stretch
        stretch.stop = self.start + len(self.edges)
        self._note_rules()
        if stretch.is_kept or not self.budget.pays():
            stretch.keep()
            stretch.saved = self.edges, self.shapes, self.dtypes
        self.stretches.append(stretch)
        self.edges, self.shapes, self.dtypes = [], [], []
        self.start = stretch.stop
        self.stretch = Stretch(stretch.stop, stretch.next)
        last = len(self.stretches) - 1
        self.written = {n: w for n, w in self.written.items() if w[0] == last}
        self.budget.turn(stretch.is_kept)

    def _note_rules(self) -> None:
        for edges in self.edges:
            for _, pull, _ in edges:
                self.pairs.add((pull, self.last_rule))
                self.last_rule = pull

    def close(self, result: Any = None) -> Closed:
        """End the recording; nothing has been dropped if it has fitted."""
        if not self.stretches:
            self.edges = [()] * len(self.leaves) + self.edges
            self.shapes = [shape for shape, _ in self.leaves] + self.shapes
            self.dtypes = [dtype for _, dtype in self.leaves] + self.dtypes
            closed = super().close()
        else:
            self.cut()
            if type(result) is Taped:
                self._note_exit(result, result.base)
            closed = Stretches(self)
            self.closed = True
        del self.notes, self.budget
        return closed

    def edge(self, x: Any, pull: Any, *saved: Any) -> Edge | None:
        """Return the edge to an operand, of which the stretch has to know the shape."""
        if not self.is_inside and self.depends(x):
            self._enter_once(x)
        return super().edge(x, pull, *saved)

    def result(self, base: Array, *edges: Edge | None) -> Any:
        """Return the result of an operation, whatever that may have been.

        Outside of all primitives it is one of a function with a pull of its own, which
        may be code of the caller: what it has saved is kept.
        """
        if self.is_inside or self.closed:
            return super().result(base, *edges)
        return self.run(put_result, (base, *edges))

    def constant(self, operation: Any, like: Taped, make: Callable[[], Array]) -> Any:
        """Return an array that does not depend on x; it is not made a second time."""
        if self.is_inside or self.closed:
            return super().constant(operation, like, make)
        base = make()
        name = operation if isinstance(operation, str) else ""
        if name.startswith(("empty", "zeros")) or _is_zero(base):
            return self.run(put_zeros, (base.shape, base.dtype))
        return self.run(put_array, (base,))

    def write(self, x: Taped, key: Any, value: Any) -> None:
        """Assign ``x[key] = value``, of which the owner of ``x`` has to be known."""
        self._change(Tape.write, x, (x, key, value))

    def replace(self, x: Taped, new: Any) -> None:
        """Replace the whole content of an array, into which views may lead."""
        self._change(Tape.replace, x, (x, new))

    def _change(self, function: Any, x: Taped, args: tuple[Any, ...]) -> None:
        if self.is_inside or self.closed:
            function(self, *args)
            return
        owner, i = x if x.origin is None else x.origin[0], len(self.stretches)
        self._enter_once(owner)
        self.run(function, args)
        self.written[number_of(owner)] = i, owner.version

    elementwise = noted(Tape.elementwise)
    summed = noted(Tape.summed)
    along = noted(Tape.along)
    product = noted(Tape.product)
    gathered = noted(Tape.gathered)
    placed = noted(Tape.placed)
    sliced = noted(Tape.sliced)
    reshaped = noted(Tape.reshaped)
    permuted = noted(Tape.permuted)
    broadcast = noted(Tape.broadcast)
    everywhere = noted(Tape.everywhere)
    called = noted(Tape.called)
    copy = noted(Tape.copy)
    read = noted(Tape.read)
    renew = noted(Tape.renew)


def _memory_of(x: Taped) -> Any:
    """Return the array that stays in memory if one is kept as it is."""
    return x.base if x.origin is None or _is_small_part(x) else x.origin[0].base


def _is_small_part(x: Taped) -> bool:
    """Whether a view is copied, and not the whole of its owner by an assignment."""
    # As where a rule holds it.
    owner: Any = x.origin and x.origin[0]
    return owner.version and not owner.kept and 2 * x.base.size < owner.base.size


def _is_zero(base: Any) -> bool:
    """Whether all bits of a larger array are 0, so that it need not be kept."""
    if isinstance(base, StandIn) or not isinstance(base, np.ndarray):
        return False
    is_large = base.nbytes > SMALL and base.flags.c_contiguous
    return is_large and not base.reshape(-1).view(np.uint8).any()
