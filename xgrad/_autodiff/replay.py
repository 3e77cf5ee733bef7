"""The way back over a tape that has dropped what it saved: stretches, recorded again.

The operations of a stretch are done once more from its beginning; the function itself
is not called. They come to the same positions, with the same bits.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xgrad._arrays import Array, quiet
from xgrad._autodiff.backward import Cotangents
from xgrad._autodiff.positions import ChangedConstantError, Closed, Edge
from xgrad._autodiff.stretches import (
    Earlier,
    Input,
    Stretch,
    number_of,
    taped_in,
)
from xgrad._autodiff.tape import Tape
from xgrad._autodiff.taped import Taped

AGAIN = ", so that with `max_bytes` an operation cannot be done again"


class Stretches(Closed):
    """A recording that has ended, most of which has been dropped."""

    def __init__(self, tape: Any) -> None:
        super().__init__(tape)
        self.xp, self.anchor = tape.xp, tape.anchor
        self.stretches: list[Stretch] = tape.stretches
        # Of the arguments, which come first.
        self.shapes = [shape for shape, _ in tape.leaves]
        self.dtypes = [dtype for _, dtype in tape.leaves]
        self._path = hash(frozenset(tape.pairs))

    @property
    def path(self) -> int:
        """A number for the rules in use and their neighbours, whatever the repeats."""
        return self._path

    def cotangents(self, at: int, cotangent: Any, ignores_zeros: bool) -> Cotangents:
        """Return the cotangents of a way back, which begins at a position."""
        return CotangentsOfStretches(Loaded(self), at, cotangent, ignores_zeros)


class Loaded:
    """The part of a tape that the way back has come to.

    ``edges``, ``shapes`` and ``dtypes`` have the positions of one stretch, and the
    latter two those that it begins with.
    """

    add_into = None  # nothing is dropped inside of another tape

    def __init__(self, closed: Stretches) -> None:
        self.closed = closed
        self.level, self.blank, self.lift = closed.level, closed.blank, closed.lift
        self.edges: dict[int, tuple[Edge, ...]] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}
        self.dtypes: dict[int, Any] = {}

    def load(self, stretch: Stretch) -> None:
        """Record a stretch again, or take what it has kept."""
        saved = stretch.saved
        if not stretch.is_kept:
            with quiet():
                saved = record_again(stretch, self.closed)
        tables: tuple[dict[int, Any], ...] = self.edges, self.shapes, self.dtypes
        for table, column in zip(tables, saved, strict=True):
            table.clear()
            table.update(enumerate(column, stretch.start))
        self.shapes.update(enumerate(self.closed.shapes))
        self.dtypes.update(enumerate(self.closed.dtypes))
        outlines = stretch.outlines | stretch.outlines_of_inputs()
        for at, (shape, dtype) in outlines.items():
            self.shapes[at], self.dtypes[at] = shape, dtype


class Sparse(dict[int, Any]):
    """A column of the tape that has few of its positions, and a default for others."""

    def __init__(self, default: Any) -> None:
        self.default = default

    def __missing__(self, at: int) -> Any:
        return self.default


class CotangentsOfStretches(Cotangents):
    """The cotangents of a way back that loads one stretch after the other."""

    def __init__(
        self, tape: Any, at: int, cotangent: Any, ignores_zeros: bool = False
    ) -> None:
        super().__init__(tape, -1, None, ignores_zeros)
        self.at = at
        self.arrays: Any = Sparse(None)
        self.owned: Any = Sparse(False)
        if cotangent is not None:
            self.arrays[at] = cotangent

    def positions(self) -> Iterator[int]:
        """Iterate over the positions downwards, with their edges loaded."""
        loaded = self.tape
        for stretch in reversed(loaded.closed.stretches):
            if not any(at in stretch for at, g in self.arrays.items() if g is not None):
                continue
            loaded.load(stretch)
            for at in range(stretch.stop - 1, stretch.start - 1, -1):
                yield at
                del loaded.edges[at]
                # Nothing comes to a position any more that has been passed.
                self.arrays.pop(at, None)
                self.owned.pop(at, None)


class Replay(Tape):
    """A tape on which a stretch is recorded again, from its position on."""

    def __init__(self, closed: Stretches, start: int) -> None:
        super().__init__(closed.xp, closed.anchor)
        self.start = start

    def push(self, base: Array, edges: tuple[Edge, ...]) -> int:
        """Put an operation at the end of the tape; return its position."""
        return self.start + super().push(base, edges)


def record_again(stretch: Stretch, closed: Stretches) -> tuple[Any, Any, Any]:
    """Do the operations of a stretch; return edges, shapes and dtypes."""
    tape = Replay(closed, stretch.start)
    inputs = _inputs_of(stretch, tape)
    results: dict[int, Taped] = {}
    last_use, last_users = _last_uses(stretch)
    count = 0
    for i, operation in enumerate(stretch.operations):
        args = _decode(operation.args, inputs, results, count)
        for x in taped_in(operation.function(tape, *args)):
            if x.tracer is tape and not number_of(x):
                x.number = 1
                if count in last_use:
                    results[count] = x
                count += 1
        for number in last_users.pop(i, ()):
            del results[number]
    _require_exits(stretch, inputs, results)
    if len(tape.edges) != stretch.stop - stretch.start:
        raise ChangedConstantError(AGAIN)
    return tape.edges, tape.shapes, tape.dtypes


def _decode(item: Any, inputs: Any, results: Any, count: int) -> Any:
    """Return an argument with arrays in place of their names."""
    kind = type(item)
    if kind is Earlier:
        return results[count - item]
    if kind is Input:
        return inputs[item]
    if kind is tuple or kind is list:
        return kind([_decode(i, inputs, results, count) for i in item])
    return item


def _inputs_of(stretch: Stretch, tape: Tape) -> list[Taped]:
    """Return the arrays that a stretch begins with, as they were."""
    inputs = []
    for snapshot in stretch.inputs:
        x = Taped(tape, snapshot.base, snapshot.at)
        x.version, x.kept, x.number = snapshot.version, True, 1
        inputs.append(x)
    for x, snapshot in zip(inputs, stretch.inputs, strict=True):
        place = stretch.places.get(snapshot.owner or 0)
        if place is not None:
            x.origin = inputs[place], snapshot.steps, snapshot.shown
    return inputs


def _last_uses(stretch: Stretch) -> tuple[set[int], dict[int, list[int]]]:
    """Return which results are used again, and those whose last use an operation is."""
    last = dict.fromkeys((n for n in stretch.exits if n >= 0), math.inf)
    distances: dict[int, list[int]] = {}
    count = 0
    for i, operation in enumerate(stretch.operations):
        known = distances.get(id(operation))
        if known is None:
            known = distances[id(operation)] = _distances_in(operation.args)
        for distance in known:
            number = count - distance
            last[number] = max(last.get(number, 0), i)
        count += operation.results
    users = defaultdict(list)
    for number, end in last.items():
        if end < math.inf:
            users[int(end)].append(number)
    return set(last), users


def _distances_in(item: Any) -> list[int]:
    if type(item) is Earlier:
        return [int(item)]
    if type(item) is tuple or type(item) is list:
        return [distance for i in item for distance in _distances_in(i)]
    return []


def _require_exits(
    stretch: Stretch, inputs: list[Taped], results: dict[int, Taped]
) -> None:
    """Raise unless the arrays by which later stretches begin are those of before."""
    for name, expected in stretch.exits.items():
        x = results[name] if name >= 0 else inputs[-1 - name]
        if isinstance(expected, (np.ndarray, np.generic)):
            _require_same(x.base, expected)


def _require_same(array: Any, expected: Any) -> None:
    if array.shape != expected.shape or array.dtype != expected.dtype:
        raise ChangedConstantError(AGAIN)
    if np.array_equal(array, expected, equal_nan=True):
        return
    # Another memory layout may round otherwise, which is not what is looked for.
    size = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    allowed = math.sqrt(np.finfo(expected.dtype).eps) * size
    same = np.isclose(array, expected, rtol=0, atol=allowed, equal_nan=True)
    if not same.all():
        raise ChangedConstantError(AGAIN)


# Operations of their own, beside the primitives.


def put_result(tape: Tape, base: Array, *edges: Edge | None) -> Any:
    """Put a result and its edges on the tape, which are kept as they are."""
    new = Tape.result(tape, base, *edges)
    if type(new) is Taped:
        new.kept = True
    return new


def put_array(tape: Tape, base: Array) -> Taped:
    """Put a constant array on the tape, which is kept."""
    new = Taped(tape, base)
    new.kept = True
    return new


def put_zeros(tape: Tape, shape: tuple[int, ...], dtype: Any) -> Taped:
    """Put an array of zeros on the tape."""
    return Taped(tape, tape.blank(shape, dtype))


@functools.cache
def failing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation that has failed half-way, and does so again."""

    def fail(tape: Tape, *args: Any) -> None:
        try:
            function(tape, *args)
        except Exception:
            return

    return fail
