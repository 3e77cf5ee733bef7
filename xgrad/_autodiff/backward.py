"""The way back over a tape: cotangents of the arguments from that of the result."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from xgrad._autodiff.kinks import marks_of
from xgrad._autodiff.rules import ENTRYWISE
from xgrad._autodiff.structural import (
    PLAIN,
    add_at_chain,
    add_at_key,
    add_at_places,
    erase_chain,
    put_back,
)

# Pulls that add to the buffer of the argument, instead of making an array of its shape.
ADDING = frozenset((add_at_key, add_at_places, add_at_chain))


# On arrays that are recorded themselves, a part of them that is not smaller than this
# is put into zeros of its own: sums of arrays cost less there than assignments.
MUCH = 16
# So few entries are filled with a number; of more, it stands for all of them.
FEW = 1_024
# Rows up to this length are summed by a function that is fast for short ones.
SHORT = 64


class Cotangents:
    """The cotangents of the positions of a tape, from one of them down to the first.

    The first one that arrives is stored as it is, and never written to; the second
    makes a sum that is ``owned``, into which further ones are added. With
    ``ignores_zeros`` functions of entries take 0 times infinity for 0.
    """

    def __init__(
        self, tape: Any, at: int, cotangent: Any, ignores_zeros: bool = False
    ) -> None:
        self.tape = tape
        self.at = at
        self.arrays: list[Any] = [None] * (at + 1)
        self.owned = [False] * (at + 1)
        # On arrays that are recorded themselves, everything makes new arrays, but where
        # the outer tape keeps none of them.
        self.in_place = tape.level == 0
        self.add_into = tape.add_into
        self.ignores_zeros = ignores_zeros
        if at >= 0:
            self.arrays[at] = cotangent

    def propagate(self, frees: bool = False) -> None:
        """Go back over all operations that a cotangent reaches.

        With ``frees`` it forgets them on its way, with the arrays that they keep.
        """
        arrays, edges = self.arrays, self.tape.edges
        for at in self.positions():
            g = arrays[at]
            if g is None or not edges[at]:
                continue
            arrays[at] = None
            for edge in edges[at]:
                self.pass_on(edge, g, self.owned[at])
            if frees:
                edges[at] = ()

    def positions(self) -> Iterable[int]:
        """Iterate over the positions from which a cotangent may be passed on."""
        return range(self.at, -1, -1)

    def pass_on(self, edge: Any, g: Any, is_owned: bool) -> None:
        """Add the cotangent of a result to that of one of its arguments."""
        parent, pull, saved = edge
        if pull in ADDING:
            shape = self.tape.shapes[parent]
            if self.add_into is not None and shape and pull is not add_at_chain:
                key = (None,) if saved[0] is None else saved[0]  # None is no key
                self.add_into(self.buffer(parent), g, key)
            elif pull is add_at_chain or self.in_place or MUCH * g.size < prod(shape):
                pull(self.buffer(parent), g, *saved)
            else:
                self.add(parent, put_back(g, saved[0], shape))
        elif pull is erase_chain:
            g = writable(self.tape, g if is_owned else g.copy())
            erase_chain(g, *saved)
            self.add(parent, g, is_owned=True)
        else:
            new = pull(g, *saved)
            if self.ignores_zeros and pull in ENTRYWISE:
                # 0 times infinity, on whichever side the 0 is.
                new = np.where(np.isnan(new) & ~np.isnan(g), 0, new)
            self.add(parent, new)

    def mark_kinks(self, are_hidden: bool = False) -> Cotangents | None:
        """Mark what reaches the result through a corner of a function.

        Return marks at the first positions, which are not 0 where there is a corner;
        None if there is none. Corners ``are_hidden`` where the cotangent is 0.
        """
        marks = type(self)(self.tape, self.at, None)
        random, has_marks = np.random.default_rng(0), False
        for at in self.positions():
            g, mark = self.arrays[at], marks.arrays[at]
            if g is None or not self.tape.edges[at]:
                continue
            self.arrays[at] = marks.arrays[at] = None
            for edge in self.tape.edges[at]:
                parent, pull, saved = edge
                # A corner in the way of another one has the slope 0, and counts, too.
                hidden = are_hidden if mark is None else are_hidden | (mark != 0)
                mask = marks_of(pull, g, saved, hidden)
                if mask is not None and bool(np.any(mask)):
                    has_marks = True
                    # Random, so that no two of them cancel further down.
                    weight = random.uniform(1, 2, mask.shape)
                    marks.add(parent, np.where(mask, weight, 0.0))
                if mark is not None:
                    marks.pass_on(edge, mark, marks.owned[at])
                # Last, because an assignment is erased from the cotangent itself.
                self.pass_on(edge, g, False)
        return marks if has_marks else None

    def add(self, at: int, g: Any, is_owned: bool = False) -> None:
        """Add a cotangent to that of a position, in its shape and dtype."""
        tape, arrays = self.tape, self.arrays
        shape, dtype = tape.shapes[at], tape.dtypes[at]
        if g.shape != shape:
            g, is_owned = sum_to(g, shape), False
        if g.dtype is not dtype and g.dtype != dtype:
            g = cast_to(g, dtype)
        old = arrays[at]
        if old is None:
            arrays[at], self.owned[at] = g, is_owned
        elif self.owned[at] and self.in_place:
            old += g  # (a scalar of NumPy becomes another one)
            arrays[at] = old
        elif self.owned[at] and self.add_into is not None and shape:
            self.add_into(old, g)
        else:
            arrays[at], self.owned[at] = old + g, True

    def buffer(self, at: int) -> Any:
        """Return the cotangent of a position, as an array that may be written into."""
        g = self.arrays[at]
        if g is None or not self.owned[at]:
            tape = self.tape
            blank = tape.blank(tape.shapes[at], tape.dtypes[at]) if g is None else None
            g = blank if g is None else g.copy()
        g = writable(self.tape, g)
        self.arrays[at], self.owned[at] = g, True
        return g


def writable(tape: Any, g: Any) -> Any:
    """Return a cotangent, which nobody else has, as an array to write into."""
    # Sums and copies of scalars of NumPy are scalars again.
    return tape.lift(np.asarray(g) if isinstance(g, np.generic) else g)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent to a shape that was broadcast, or repeat it to that shape."""
    extra = len(g.shape) - len(shape)
    if not g.shape and isinstance(g, PLAIN) and prod(shape) < FEW:
        return np.full(shape, g)  # in half the time of a broadcast
    # A value may have more axes of length 1 than the place that it was assigned to.
    if extra < 0 and all(n == 1 for n in shape[:-extra]):
        return sum_to(g, shape[-extra:]).reshape(shape)
    if extra > 0:
        g = np.sum(g, axis=tuple(range(extra)))
    pairs = enumerate(zip(g.shape[-len(shape) :] if shape else (), shape, strict=False))
    axes = (
        tuple(i for i, (length, n) in pairs if n == 1 != length) if extra >= 0 else ()
    )
    if axes:
        g = _sum_of(g, axes)
    # A pull may return less than the shape: one number for all entries of a sum.
    return g if g.shape == shape else np.broadcast_to(g, shape)


def _sum_of(g: Any, axes: tuple[int, ...]) -> Any:
    """Sum over axes, which keep a length of 1."""
    is_last = axes == (len(g.shape) - 1,)
    if type(g) is np.ndarray and is_last and g.shape[-1] <= SHORT and g.size >= FEW:
        # In a fifth of the time of a sum, which begins anew for each of these rows.
        return np.einsum("...i->...", g)[..., None]
    return np.sum(g, axis=axes, keepdims=True)


def cast_to(g: Any, dtype: Any) -> Any:
    """Return a cotangent in a dtype; that of a real number is real."""
    if g.dtype.kind == "c" and dtype.kind != "c":
        g = g.real
    return g.astype(dtype)
