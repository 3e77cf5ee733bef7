"""The way back over a tape: cotangents of the arguments from that of the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.structural import (
    add_at_chain,
    add_at_key,
    add_at_places,
    erase_chain,
)

# Pulls that add to the buffer of the argument, instead of making an array of its shape.
ADDING = frozenset((add_at_key, add_at_places, add_at_chain))


class Cotangents:
    """The cotangents of the positions of a tape, from one of them down to the first.

    The first one that arrives is stored as it is, and never written to; the second
    makes a sum that is ``owned``, into which further ones are added.
    """

    def __init__(self, tape: Any, at: int, cotangent: Any) -> None:
        self.tape = tape
        self.arrays: list[Any] = [None] * (at + 1)
        self.owned = [False] * (at + 1)
        self.arrays[at] = cotangent
        # On arrays that are recorded themselves, everything makes new arrays.
        self.in_place = tape.level == 0

    def propagate(self) -> None:
        """Go back over all operations that a cotangent reaches."""
        arrays, edges = self.arrays, self.tape.edges
        for at in range(len(arrays) - 1, -1, -1):
            g = arrays[at]
            if g is None or not edges[at]:
                continue
            arrays[at] = None
            for parent, pull, saved in edges[at]:
                if pull in ADDING:
                    pull(self.buffer(parent), g, *saved)
                elif pull is erase_chain:
                    arrays[at] = g
                    g, arrays[at] = self.buffer(at), None
                    erase_chain(g, *saved)
                    self.add(parent, g, is_owned=True)
                else:
                    self.add(parent, pull(g, *saved))

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
        else:
            arrays[at], self.owned[at] = old + g, True

    def buffer(self, at: int) -> Any:
        """Return the cotangent of a position, as an array that may be written into."""
        g = self.arrays[at]
        if g is None or not self.owned[at]:
            g = self.tape.zeros(at) if g is None else g.copy()
        # Sums and copies of scalars of NumPy are scalars again.
        g = np.asarray(g) if isinstance(g, np.generic) else g
        g = self.tape.lifted(g)
        self.arrays[at], self.owned[at] = g, True
        return g


def pull_back(tape: Any, at: int, cotangent: Any, leaves: list[int]) -> list[Any]:
    """Return the cotangents of some leaves from that of one position; None without."""
    cotangents = Cotangents(tape, at, cotangent)
    cotangents.propagate()
    return [cotangents.arrays[i] if i <= at else None for i in leaves]


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent to a shape that was broadcast, or repeat it to that shape."""
    extra = len(g.shape) - len(shape)
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
        g = np.sum(g, axis=axes, keepdims=True)
    # A pull may return less than the shape: one number for all entries of a sum.
    return g if g.shape == shape else np.broadcast_to(g, shape)


def cast_to(g: Any, dtype: Any) -> Any:
    """Return a cotangent in a dtype; that of a real number is real."""
    if g.dtype.kind == "c" and dtype.kind != "c":
        g = g.real
    return g.astype(dtype)
