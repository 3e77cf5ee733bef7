"""The way forward: tangents go along with the values, while the function runs.

It is a tape that keeps nothing. Each operation takes the tangents of its arguments to
that of its result at once, by the pushes that belong to the pulls of its rule. Tangents
may be arrays, arrays on another tape, or arrays at many points: one for each direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from xgrad._arrays import Array, owned, unwrap, wrap_like
from xgrad._autodiff.backward import Cotangents, cast_to
from xgrad._autodiff.overrides import OVERRIDES, concat_with_edges
from xgrad._autodiff.positions import Edge, Positions
from xgrad._autodiff.pushes import PUSHES, weights
from xgrad._autodiff.recording import run_on
from xgrad._autodiff.rules import ENTRYWISE
from xgrad._autodiff.structural import (
    PLAIN,
    add_at,
    change_chain,
    erase_chain,
    follow,
    is_at_points,
    placed_at,
    plain_of,
    put_back,
    read_chain,
)
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Taped, laid_out_as_copies
from xgrad._tracing import concat_arrays, tracer_of


class Place(int):
    """The position of an array that carries its tangent; None stands for zeros.

    A tangent is ``lent`` if assignments may be made into its memory: what is no view of
    the array must not share it.
    """

    tangent: Any = None
    lent = False


def _place(tangent: Any, lent: bool = False) -> Place:
    place = Place(0)
    place.tangent, place.lent = tangent, lent
    return place


class Forward(Tape):
    """The run of a function with tangents.

    With ``ignores_zeros`` a tangent of 0 stays 0, and so does a derivative of 0, if the
    other one is infinite: as that of a branch that was not taken may be.
    """

    overrides: ClassVar[dict[Any, Any]] = dict(OVERRIDES)

    def __init__(self, xp: Any, anchor: Array, outer: Positions | None = None) -> None:
        super().__init__(xp, anchor, outer)
        self.ignores_zeros = False
        self.neighbours: set[tuple[Any, Any]] = set()
        self.last: Any = None
        self.makes_view = False
        if outer is None:
            self.adds_in_place = self._add_into

    def leaf_with(self, base: Array, tangent: Any) -> Taped:
        """Return the stand-in for an argument of the function, with its tangent."""
        base = laid_out_as_copies(base)
        x = Taped(self, base, -1 if tangent is None else _place(tangent))
        x.kept = True  # the caller's memory is never written into
        return x

    def hold(self, x: Any, value: Any) -> Any:
        """Return a value as it is: the rule needs it now, and never again."""
        return value

    def push(self, base: Array, edges: tuple[Edge, ...]) -> Place:
        """Compute the tangent of a result; return the position that carries it."""
        total: Any = None
        is_view, self.makes_view = self.makes_view, False
        lent, last, neighbours = False, self.last, self.neighbours
        for edge in edges:
            parent: Any
            parent, pull, saved = edge
            neighbours.add((last, pull))
            last = pull
            if pull is read_chain or pull is erase_chain:
                self.last = pull
                return _place(_tangent_after_write(self, base, edges), lent=True)
            t = parent.tangent
            if t is None:
                continue
            push = ENTRYWISE.get(pull)
            if push is not None:
                new = push(t, *saved)
                if self.ignores_zeros:
                    # 0 times infinity, on whichever side the 0 is.
                    new = np.where(np.isnan(new) & ~np.isnan(t), 0, new)
                if new.shape != base.shape:
                    new = np.broadcast_to(new, base.shape)
            elif pull in PUSHES:
                new = PUSHES[pull](t, base, *saved)
            else:
                new = _push_by_pull(self, t, base, pull, saved)
            if new.dtype != base.dtype:
                new = cast_to(new, base.dtype)
            if parent.lent:
                if is_view:
                    lent = True
                elif not isinstance(new, PLAIN) or np.may_share_memory(new, t):
                    new = new.copy()
            total = new if total is None else total + new
        self.last = last
        return _place(total, lent)

    def is_flat(self, x: Any) -> Any:
        """Mark no entries: what led to an array is not known any more."""
        return np.False_

    def note_rule(self, pull: Any) -> None:
        """Note that a rule was used, by its pull."""
        self.neighbours.add((self.last, pull))
        self.last = pull

    def viewed(self, x: Taped, base: Any, step: Any, pull: Any, *saved: Any) -> Taped:
        """Return a view of an array, which follows the assignments to it."""
        self.makes_view = True
        try:
            return super().viewed(x, base, step, pull, *saved)
        finally:
            self.makes_view = False

    def renew(self, x: Taped) -> None:
        """Read a view again, whose owner was written into."""
        self.makes_view = True
        try:
            super().renew(x)
        finally:
            self.makes_view = False

    def _add_into(self, total: Taped, g: Any, key: Any = None) -> None:
        """Add an array to another one, or to a part of it, that nobody else has."""
        self.note_rule(Forward._add_into)
        value, base = self.value_of(g), total.base
        if key is None:
            base += value
        else:
            add_at(base, value, key)
        at: Any = g.at if self.depends(g) else total.at
        if at is total.at or at.tangent is None:
            return
        t, place = at.tangent, total.at
        is_lent = isinstance(place, Place) and place.lent
        before = place.tangent if isinstance(place, Place) else None
        if is_at_points(t) or is_at_points(before):
            t = t if key is None else put_back(t, key, base.shape)
            total.at = _place(t if before is None else before + t)
        elif key is None:
            if before is None:
                total.at = _place(t)
            elif is_lent:
                before += t
            else:
                total.at = _place(before + t, lent=True)
        else:
            if before is None:
                before = self.blank(base.shape, base.dtype)
            elif not is_lent:
                before = before.copy()
            add_at(before, t, key)
            total.at = _place(before, lent=True)

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        return hash(("forward", frozenset(self.neighbours)))


def concat_with_tangents(arrays: list[Any], axis: int) -> Any:
    """Put arrays together, and their tangents likewise."""
    first: Any = tracer_of(arrays)
    tape = first.highest(arrays)
    if not isinstance(tape, Forward):
        return concat_with_edges(arrays, axis)
    values = [tape.value_of(a) for a in arrays]
    tangents = [a.at.tangent if tape.depends(a) else None for a in arrays]
    base = np.concatenate(values, axis=axis)
    if all(t is None for t in tangents):
        return Taped(tape, base)
    tape.note_rule(concat_with_tangents)
    parts = [
        np.zeros(value.shape, base.dtype, like=plain_of(value)) if t is None else t
        for t, value in zip(tangents, values, strict=True)
    ]
    return Taped(tape, base, _place(np.concatenate(parts, axis=axis)))


Forward.overrides[concat_arrays] = concat_with_tangents


def _push_by_pull(
    tape: Forward, t: Any, base: Any, pull: Any, saved: tuple[Any, ...]
) -> Any:
    """Take a tangent to that of the result by the derivative of a pull, its adjoint."""
    if not base.shape and base.dtype.kind == "f":
        return np.sum(weights(pull, base, saved) * t)
    back = Tape(tape.xp, tape.anchor, tape.outer)
    result = pull(back.leaf(np.zeros_like(base)), *saved)
    if not back.depends(result):
        raise tape.refuse_function(pull)
    cotangents = Cotangents(back, result.ensure_current().at, t)
    cotangents.in_place = False
    cotangents.propagate()
    pushed = cotangents.arrays[0]
    return np.zeros_like(base) if pushed is None else pushed


def _tangent_after_write(tape: Forward, base: Any, edges: tuple[Edge, ...]) -> Any:
    """Return the tangent of an array into which a value was assigned."""
    value = before = None
    is_lent, steps = False, edges[0][2][0]
    for edge in edges:
        place: Any = edge[0]
        if edge[1] is read_chain:
            value = place.tangent
        else:
            before, is_lent = place.tangent, place.lent
    if value is None and before is None:
        return None
    if is_at_points(value) or is_at_points(before):
        return _points_after_write(base, value, before, steps)
    if before is None:
        before = tape.blank(base.shape, base.dtype)
    elif isinstance(before, np.generic):  # which NumPy computes of arrays without axes
        before = np.asarray(before)
    elif not is_lent:
        before = before.copy()

    def assign(view: Any) -> None:
        view[steps[-1][1]] = 0 if value is None else value

    change_chain(before, steps[:-1], assign)
    return before


def _points_after_write(base: Any, value: Any, before: Any, steps: Any) -> Any:
    """Return the tangent after an assignment, where it is one for each direction."""
    new = None if value is None else placed_at(value, base.shape, steps)
    if before is not None:
        stays = np.ones(base.shape, base.dtype, like=plain_of(base))
        follow(stays, steps[:-1])[steps[-1][1]] = 0
        new = before * stays if new is None else new + before * stays
    return new


class Pushed(NamedTuple):
    """The result of a run with tangents, and the tangent of it: None stands for zeros.

    ``path`` describes which rules followed which, and ``uses_argument`` whether the
    function has asked for a value of its argument, ``reads_text`` for the text of one.
    ``equalities`` say where values were found equal, by which it may choose, and it
    ``mixes`` entries unless all rules are those of functions of each entry.
    """

    result: Any
    tangent: Any
    path: int
    uses_argument: bool
    reads_text: bool = False
    equalities: Any = ()
    mixes: bool = True

    @property
    def is_constant(self) -> bool:
        """Whether the result has no tangent, as that of a constant."""
        return self.tangent is None


def push_forward(
    call: Callable[[list[Any]], Any],
    xp: Any,
    leaves: Sequence[Array],
    tangents: Sequence[Any],
    ignores_zeros: bool = False,
) -> Pushed:
    """Call a function with a stand-in for each leaf, which carries its tangent."""

    def start(tape: Any) -> list[Taped]:
        tape.ignores_zeros = ignores_zeros
        pairs = zip(leaves, tangents, strict=True)
        return [tape.leaf_with(unwrap(x), unwrap(t)) for x, t in pairs]

    def finish(tape: Any, result: Any) -> Pushed:
        content, tangent = unwrap(result), None
        if isinstance(content, Taped) and content.tracer is tape:
            content.ensure_current()
            at: Any = content.at
            tangent = at.tangent if content.at >= 0 else None
            if tangent is not None and not is_at_points(tangent):
                # The result of a function of views may be a tangent of the caller's.
                tangent = owned(tangent, map(unwrap, tangents))
                tangent = wrap_like(tangent, leaves[0])
            result = wrap_like(content.base, leaves[0])
        mixes = any(pull not in ENTRYWISE for _, pull in tape.neighbours)
        return Pushed(
            result,
            tangent,
            tape.path,
            tape.used,
            tape.reads_text,
            tape.equalities,
            mixes,
        )

    return run_on(Forward, start, finish, call, xp, leaves)
