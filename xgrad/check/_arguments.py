"""The arrays that are checked, and their names in messages."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad.check._report import entry_name

# Names in the line that says what was checked: with shapes and dtypes, four fill it.
MOST_NAMES = 4


@dataclass(frozen=True, eq=False)
class Arguments:
    """The arrays of the caller, and how the caller writes them.

    ``arrays`` are those in the argument ``root``, and ``paths`` the keys that lead to
    each of them. ``evaluated_in`` is the dtype in which the function is called, if that
    is another one than theirs.
    """

    arrays: Sequence[Array]
    paths: Sequence[tuple[Any, ...]]
    root: str = "x"
    evaluated_in: str = ""
    kind: str = "gradient"

    @functools.cached_property
    def live(self) -> list[int]:
        """The numbers of the arrays that have entries."""
        return [i for i, x in enumerate(self.arrays) if math.prod(x.shape)]

    def array_name(self, leaf: int) -> str:
        """Return the name of an array, such as ``x['W']``."""
        return self.root + "".join(f"[{key!r}]" for key in self.paths[leaf])

    @property
    def entry_root(self) -> str:
        """The name to which the index of an entry belongs."""
        return self.root

    def derivative_name(self, leaf: int) -> str:
        """Return the given derivative by an array, as a sentence names it."""
        return f"the given {self.kind} with respect to {self.array_name(leaf)}"

    def shape_of(self, leaf: int) -> tuple[int, ...]:
        """Return the shape of the derivative by an array."""
        return tuple(self.arrays[leaf].shape)

    def entries_name(self, leaf: int) -> str:
        """Return the name of the derivative by an array that its indices belong to."""
        keys = "".join(f"[{key!r}]" for key in self.paths[leaf])
        return f"{self.entry_root}{keys}"

    def entry_name(self, leaf: int, position: int, output: int) -> str:
        """Return the name of an entry, such as ``x['W'][2, 3]``."""
        index = self.entry_index(leaf, position, output)
        return entry_name(self.entry_root, index)

    def entry_index(self, leaf: int, position: int, output: int) -> Any:
        """Return the index, as in `Comparison`, of the entry at a C-order position."""
        return self._index(leaf, unravel(position, self.arrays[leaf].shape))

    def direction_name(self, leaf: int, number: int, output: int) -> str:
        """Return the description of a slope along a random direction."""
        return f"direction {number + 1} of {self.array_name(leaf)}"

    def _index(self, leaf: int, index: tuple[int, ...]) -> tuple[Any, ...]:
        path = self.paths[leaf]
        return (*path, index) if path else index

    def description(self, library: str) -> str:
        """Return names, shapes and dtypes of the arrays that have entries."""
        shown = [(self.array_name(i), self.arrays[i]) for i in self.live[:MOST_NAMES]]
        texts = [f"{name} {tuple(x.shape)} {x.dtype}" for name, x in shown]
        more = len(self.live) - len(shown)
        shown_more = f" and {more} more" if more else ""
        dtype = f", evaluated in {self.evaluated_in}" if self.evaluated_in else ""
        return f"{', '.join(texts)}{shown_more} ({library}{dtype})"


@dataclass(frozen=True, eq=False)
class MatrixArguments(Arguments):
    """Names in the check of a matrix of derivatives, the argument ``matrix``.

    ``result`` is the name of what is differentiated, ``result_shape`` its shape, and
    with ``summed`` directions are compared in sums of its entries.
    """

    matrix: str = "jac"
    result: str = "f(x)"
    result_shape: tuple[int, ...] = ()
    summed: bool = False

    @property
    def entry_root(self) -> str:
        """The name to which the index of an entry belongs."""
        return self.matrix

    def shape_of(self, leaf: int) -> tuple[int, ...]:
        """Return the shape of the derivative by an array."""
        return (*self.result_shape, *self.arrays[leaf].shape)

    def entry_index(self, leaf: int, position: int, output: int) -> Any:
        """Return the index, as in `Comparison`, of the derivative of an output."""
        row = unravel(output, self.result_shape)
        return self._index(leaf, row + unravel(position, self.arrays[leaf].shape))

    def direction_name(self, leaf: int, number: int, output: int) -> str:
        """Return the description of a slope along a random direction."""
        direction = super().direction_name(leaf, number, output)
        if self.summed:
            return f"{direction}, in sum {output + 1} of {self.result}"
        index = unravel(output, self.result_shape)
        return f"{direction}, in {entry_name(self.result, index)}"


def unravel(position: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the index of the entry at a position in C order."""
    shape = tuple(shape)
    return tuple(map(int, np.unravel_index(position, shape))) if shape else ()
