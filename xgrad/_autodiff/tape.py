"""The tape: what one call of a function did to stand-ins, in order.

It implements the primitives that all functions are written in: each computes the value
by the function of plain arrays, and notes how its arguments share the cotangent of the
result. An edge is ``(position of the argument, pull, what that keeps)``; a position has
the edges of one operation. Positions only grow, so that the way back is a loop.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._autodiff.backward import Cotangents
from xgrad._autodiff.fibres import FIBRES
from xgrad._autodiff.functions import EVERYWHERE
from xgrad._autodiff.lookup import find_rule
from xgrad._autodiff.overrides import OVERRIDES
from xgrad._autodiff.products import pull_left, pull_right
from xgrad._autodiff.rules import Rule, complex_rule
from xgrad._autodiff.structural import (
    add_at_chain,
    add_at_key,
    add_at_places,
    as_before,
    erase_chain,
    follow,
    held_key,
    is_basic,
    is_same_chain,
    last_writers,
    names_entries,
    permute_back,
    pick,
    read_chain,
    reshape,
    reshape_back,
    spread,
    transpose,
)
from xgrad._autodiff.taped import Taped, is_scalar
from xgrad._tracing import (
    NotTraceableError,
    StandIn,
    Tracer,
    array_like,
    first_standin,
)

Edge = tuple[int, Any, tuple[Any, ...]]
# Rules that were looked up before, for each namespace.
_RULES: dict[Any, dict[Any, Rule | None]] = {}
# Constants up to this size are copied if a rule holds them, so that a later assignment
# to them does no harm: 4 KiB are copied in the time of an operation on small arrays.
SMALL = 4096
MISSING: Any = object()
NUMBERS = (np.generic, float, int, complex)


class Tape(Tracer):
    """The record of one call, and the primitives for it.

    ``used`` tells whether the function has asked for a value of its argument, and
    ``level`` in how many other tapes it is nested: its arrays may be recorded on
    ``outer``. ``anchor`` is an array of the kind that it works with.
    """

    overrides = OVERRIDES
    knows_values = True

    def __init__(self, xp: Any, anchor: Array, outer: Tape | None = None) -> None:
        super().__init__(xp)
        self.anchor = anchor
        self.outer = outer
        self.level: int = 0 if outer is None else outer.level + 1
        self.edges: list[tuple[Edge, ...]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[Any] = []
        self.rules = _RULES.setdefault(xp, {})
        self.used = False
        self.copies_constants = False

    def leaf(self, base: Array) -> Taped:
        """Return the stand-in for an argument of the function."""
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

    def blank(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return zeros of the kind that the tape works with, to be written into."""
        return self.lift(np.zeros(shape, dtype, like=plain_of(self.anchor)))

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
        is_recorded = type(x) is Taped and x.tracer is self and x.at >= 0
        return is_recorded and not self.closed

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

    def known_values(self, x: Any, idiom: str, remedy: str) -> Any:
        """Return the values of an operand, by which a function may choose entries."""
        while isinstance(x, StandIn):
            if not isinstance(x.tracer, Tape):
                return x.tracer.known_values(x, idiom, remedy)
            x = x.tracer.value_of(x)
        return x

    def hold(self, x: Any, value: Any) -> Any:
        """Return the value of an operand in a form that a rule can keep."""
        # Nobody can write into numbers, nor into lists that `f` has written down.
        if isinstance(value, NUMBERS) or not hasattr(value, "nbytes"):
            return value
        if type(x) is not Taped or x.tracer is not self:
            small = self.copies_constants or value.nbytes <= SMALL
            return value.copy() if small and value.ndim else value
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

    def highest(self, operands: Any) -> Tape:
        """Return the innermost of the tapes that operands are recorded on."""
        highest = self
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

    # Primitives.

    def elementwise(self, function: Callable[..., Any], *operands: Any) -> Any:
        """Apply a function of entries at the same place, with broadcasting."""
        values, is_recorded = [], False
        for operand in operands:
            if type(operand) is Taped:
                if operand.tracer is not self:
                    tape = self.highest(operands)
                    if tape is not self:
                        return tape.elementwise(function, *operands)
                    values.append(self.value_of(operand))
                    continue
                if operand.origin is not None:
                    operand.ensure_current()
                values.append(operand.base)
                is_recorded = is_recorded or operand.at >= 0
            else:
                values.append(operand)
        self.used = True
        base = function(*values)
        try:
            kind = base.dtype.kind
        except AttributeError:
            # A complex number of Python and a scalar of NumPy make one of Python.
            base = np.asarray(base)[()]
            kind = base.dtype.kind
        if kind != "f" and kind != "c":
            # Integers and booleans are constants; objects and texts may hold entries.
            if kind not in "biu":
                raise self.refuse_function(function)
            return base
        if not is_recorded or self.closed:
            return Taped(self, base)
        rule = self.rules.get(function, MISSING)
        if rule is MISSING:
            rule = self.rules[function] = find_rule(function, self.xp)
        edges, keeps_result = [], False
        for i, operand in enumerate(operands):
            if type(operand) is not Taped or operand.at < 0:
                continue
            if operand.tracer is not self:
                continue
            if rule is None:
                raise self.refuse_function(function)
            argument = rule[i]
            if argument is None:
                continue
            pull = argument.pull
            if kind == "c" or values[i].dtype.kind == "c":
                argument, pull = complex_rule(argument, values[i])
            if pull is None:
                raise self.refuse_function(function, f" in its argument {i}")
            saved: tuple[Any, ...] = ()
            for place in argument.needs:
                if place < 0:
                    keeps_result = True
                    saved = (*saved, base)
                else:
                    saved = (*saved, self.hold(operands[place], values[place]))
            edges.append((operand.at, pull, saved))
        if not edges:
            return Taped(self, base)
        new = Taped(self, base, self.push(base, tuple(edges)))
        new.kept = keeps_result
        return new

    def summed(
        self,
        operation: Any,
        function: Callable[..., Any],
        x: Taped,
        axes: tuple[int, ...],
        keepdims: bool,
        divisor: int = 1,
    ) -> Any:
        """Sum over axes and divide by a number."""
        base = function(self.value_of(x), axes, keepdims)
        missing = () if keepdims or len(axes) == x.ndim else axes
        return self.result(base, self.edge(x, spread, x.shape, missing, divisor))

    def along(
        self,
        operation: Any,
        function: Callable[..., Any],
        x: Taped,
        axes: tuple[int, ...],
        keepdims: bool | None,
        leave_one_out: Any = None,
    ) -> Any:
        """Apply a function of whole fibres."""
        value = self.value_of(x)
        base = function(value, axes, keepdims)
        if base.dtype.kind not in "fc" or not self.depends(x):
            return self.result(base)
        name = operation[0] if isinstance(operation, tuple) else operation
        if name not in FIBRES:
            raise self.refuse_function(name)
        held = self.hold(x, value)
        pull, saved = FIBRES[name](operation, held, base, axes, keepdims)
        new = self.result(base, self.edge(x, pull, *saved))
        new.kept = True
        return new

    def product(self, operation: Any, plain: Any, many: Any, a: Any, b: Any) -> Any:
        """Multiply ``a @ b``."""
        tape = self.highest((a, b))
        if tape is not self:
            return tape.product(operation, plain, many, a, b)
        left, right = self.value_of(a), self.value_of(b)
        base = plain(left, right)
        shapes = left.shape, right.shape
        edges = (
            self.edge(a, pull_left, self.hold(b, right), shapes)
            if self.depends(a)
            else None,
            self.edge(b, pull_right, self.hold(a, left), shapes)
            if self.depends(b)
            else None,
        )
        return self.result(base, *edges)

    def gathered(self, operation: Any, function: Callable[..., Any], x: Taped) -> Any:
        """Apply a function that only moves, repeats or leaves out entries."""
        value = self.value_of(x)
        base = function(value)
        if not self.depends(x):
            return self.result(np.array(base) if isinstance(base, np.ndarray) else base)
        numbers = self.xp.reshape(self.xp.arange(value.size, device=x.device), x.shape)
        places = function(numbers)
        if isinstance(base, np.ndarray) and np.may_share_memory(base, value):
            base = base.copy()
        return self.result(base, self.edge(x, pick, places, x.shape))

    def placed(self, operation: Any, x: Taped, sources: Callable[[], Array]) -> Any:
        """Put entries into zeros: ``sources()`` says which one goes where, or -1."""
        places, value = sources(), self.value_of(x)
        if not x.size:
            return self.result(self.xp.zeros(places.shape, dtype=value.dtype))
        is_source = places >= 0
        base = np.where(is_source, value.reshape(-1)[np.maximum(places, 0)], 0)
        base = base.astype(value.dtype)
        return self.result(base, self.edge(x, pick, places, x.shape, is_source))

    def sliced(self, x: Taped, key: tuple[Any, ...]) -> Any:
        """Return ``x[key]`` for integers and slices, one for each axis, and None."""
        if len(key) == 1:
            key = key[0]
        value = self.value_of(x)
        return self.viewed(x, value[key], (operator.getitem, key), add_at_key, key)

    def reshaped(self, x: Taped, shape: tuple[int, ...]) -> Any:
        """Return ``x`` in another shape, in C order."""
        value = self.value_of(x)
        base, step = value.reshape(shape), (reshape, shape)
        # Memory that is not contiguous has been copied.
        is_copied = (
            isinstance(value, np.ndarray)
            and not value.flags.c_contiguous
            and not np.may_share_memory(value, base)
        )
        if is_copied or (type(base) is Taped and base.origin is None):
            return self.result(base, self.edge(x, reshape_back, x.shape))
        return self.viewed(x, base, step, reshape_back, value.shape)

    def permuted(self, x: Taped, axes: tuple[int, ...]) -> Any:
        """Return ``x`` with its axes in another order."""
        step = (transpose, axes)
        return self.viewed(
            x, transpose(self.value_of(x), axes), step, permute_back, axes
        )

    def broadcast(self, x: Taped, shape: tuple[int, ...]) -> Any:
        """Return ``x`` repeated along new axes and along those of length 1."""
        step = (np.broadcast_to, shape)
        base = np.broadcast_to(self.value_of(x), shape)
        return self.viewed(x, base, step, as_before)

    def everywhere(self, operation: Any, plain: Any, many: Any, *operands: Any) -> Any:
        """Apply a function that has a rule of its own."""
        name = operation[0] if isinstance(operation, tuple) else operation
        tape = self.highest(operands)
        if tape is not self:
            return tape.everywhere(operation, plain, many, *operands)
        if name in EVERYWHERE:
            return EVERYWHERE[name](self, operation, plain, *operands)
        base = plain(*map(self.value_of, operands))
        # Positions, counts and comparisons are constants.
        if getattr(base, "dtype", np.dtype(float)).kind in "fc":
            raise self.refuse_function(name)
        return base

    def called(self, function: Callable[[Any], Any], x: Taped) -> Any:
        """Apply a function that returns its result, the pull, and what that keeps."""
        base, pull, saved = function(self.hold(x, self.value_of(x)))
        new = self.result(base, self.edge(x, pull, *saved))
        new.kept = True
        return new

    def constant(self, operation: Any, like: Taped, make: Callable[[], Array]) -> Taped:
        """Return an array that does not depend on x, and can be written into."""
        return Taped(self, self.lift(make()))

    def copy(self, x: Taped) -> Any:
        """Return ``x`` in memory of its own."""
        base = self.value_of(x).copy()
        return Taped(
            self, base, self.push(base, ((x.at, as_before, ()),)) if x.at >= 0 else -1
        )

    # Views and assignments.

    def read(self, x: Taped, key: Any) -> Any:
        """Return ``x[key]``: a view, or a copy for a key with arrays or lists."""
        value = self.value_of(x)
        kind = type(key)
        if kind is int or kind is slice:
            step = operator.getitem, key
            return self.viewed(x, value[key], step, add_at_key, key)
        items = key if kind is tuple else (key,)
        if first_standin(items) is not None:
            raise self.refuse("an index computed from x", "use `astype(int)`")
        if all(map(is_basic, items)):
            step = operator.getitem, key
            return self.viewed(x, value[key], step, add_at_key, key)
        key = held_key(key)
        has_numbers = any(names_entries(i) for i in items)
        pull = add_at_places if has_numbers else add_at_key
        return self.result(value[key], self.edge(x, pull, key))

    def viewed(self, x: Taped, base: Any, step: Any, pull: Any, *saved: Any) -> Taped:
        """Return a view of an array, which follows the assignments to it."""
        at = self.push(base, ((x.at, pull, saved),)) if x.at >= 0 else -1
        new = Taped(self, base, at)
        if is_scalar(base) or is_scalar(x.base):
            return new  # a scalar of NumPy shares no memory
        view = x.origin
        if view is None:
            new.origin = x, (step,), x.version
        else:
            new.origin = view[0], (*view[1], step), view[2]
        return new

    def renew(self, x: Taped) -> None:
        """Read a view again, whose owner was written into."""
        view: Any = x.origin
        owner, steps, _ = view
        x.base = follow(owner.base, steps)
        x.at = -1
        if owner.at >= 0:
            x.at = self.push(x.base, ((owner.at, add_at_chain, (steps,)),))
        x.origin = owner, steps, owner.version

    def replace(self, x: Taped, new: Any) -> None:
        """Replace the whole content of an array, of its dtype and shape."""
        if x.origin is not None:
            self.write(x, Ellipsis, new)
            return
        # NumPy computes scalars of arrays without axes, which stay arrays.
        scalar = isinstance(new.base, np.generic)
        x.base = np.asarray(new.base) if scalar else new.base
        x.at, x.kept = new.at, new.kept
        x.version += 1

    def write(self, x: Taped, key: Any, value: Any) -> None:
        """Assign ``x[key] = value`` into the memory of the owner of ``x``."""
        if first_standin(key if isinstance(key, tuple) else (key,)) is not None:
            raise self.refuse("an index computed from x", "use `astype(int)`")
        if isinstance(value, (list, tuple)) and first_standin(value) is not None:
            value = array_like(value, value)
        x.ensure_current()
        owner, steps = (x, ()) if x.origin is None else x.origin[:2]
        key = held_key(key)
        steps = (*steps, (operator.getitem, key))
        number = self.value_of(value)
        # The second half of `x[key] += other`: Python assigns the view to its place.
        view = value.origin if type(value) is Taped else None
        if view is not None and view[0] is owner and is_same_chain(view[1], steps):
            return
        if owner.kept:
            owner.base, owner.kept = owner.base.copy("K"), False
        part = follow(owner.base, steps[:-1])
        part[key] = number
        edges: list[Edge] = []
        inexact = owner.base.dtype.kind in "fc"
        if inexact and self.depends(value):
            winners = last_writers(key, part)
            edges.append((value.at, read_chain, (steps, winners)))
        if owner.at >= 0:
            edges.append((owner.at, erase_chain, (steps,)))
        if edges:
            owner.at = self.push(owner.base, tuple(edges))
        owner.version += 1


class Closed:
    """A recording that has ended, for the way back."""

    def __init__(self, tape: Tape) -> None:
        self.edges = tape.edges
        self.shapes = tape.shapes
        self.dtypes = tape.dtypes
        self.level = tape.level
        self.blank = tape.blank
        self.lift = tape.lift

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        rules = [edge[1] for edges in self.edges for edge in edges]
        # Pairs tell one branch from another, and loops of any length are the same.
        return hash(frozenset(zip(rules, [None, *rules], strict=False)))

    def cotangents(self, at: int, cotangent: Any, ignores_zeros: bool) -> Cotangents:
        """Return the cotangents of a way back, which begins at a position."""
        return Cotangents(self, at, cotangent, ignores_zeros)


def plain_of(x: Any) -> Any:
    """Return the plain array that a stand-in for it, or for another one, stands for."""
    while isinstance(x, Taped):
        x = x.base
    return x
