"""Record one evaluation at many points: what it remembers, and what it costs."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.region import axes_first
from xgrad._tracing import Tracer

# A memo grows with the length of `f`, and nobody asked for it: it stays a small part
# of an ordinary memory. Beyond it each chunk computes again what is equal in all of
# them, which costs time alone. The figure is a choice; nothing derives it.
MEMO_BYTES = 512 * 2**20


class Memo:
    """Remember what is equal in every chunk of points around one ``x``.

    ``operations`` holds for each operation of ``f``, by its number, its name, the
    identities of its inputs and its result at the base; ``derived`` other values that
    belong to an operation; ``tables`` arrays with other axes first. ``bytes`` counts
    the memory of all of them.
    """

    def __init__(self) -> None:
        self.operations: dict[int, tuple[Any, Any, Any]] = {}
        self.derived: dict[tuple[int, str], tuple[Any]] = {}
        self.tables: dict[Any, tuple[Array, Array]] = {}
        self.bytes = 0


class Recording(Tracer):
    """The record of one evaluation of a function at many points.

    ``points`` is their number. With ``dense`` only values are stored, of all entries
    of every array. ``operations`` counts the operations so far, and ``unchecked_diffs``
    are differences that are not known to be finite. ``width`` is the size of the
    largest array at each point; ``work`` and ``base_work`` count the entries evaluated
    at each point and at the base.
    """

    def __init__(self, xp: Any, points: int, memo: Memo, dense: bool = False) -> None:
        super().__init__(xp)
        self.points = points
        self.dense = dense
        self.memo = memo
        self.cache: dict[Any, Any] = {}
        self.operations = 0
        self.unchecked_diffs: list[Array] = []
        self.width = 0
        self.work = 0
        self.base_work = 0

    def close(self) -> None:
        """Break the cycles of references that would keep regions and frames alive.

        Arrays that the function keeps act as their bases from now on.
        """
        self.closed = True
        self.cache.clear()
        self.memo = Memo()  # kept arrays need none
        self.refusal = None  # its traceback leads back to here

    def compute_once(
        self, operation: Any, inputs: Any, compute: Callable[[], Any]
    ) -> Any:
        """Compute the base of this operation once for all chunks.

        ``operation`` and the identities of the ``inputs`` must be those of the first
        chunk; a function that takes a different path is refused.
        """
        number = self.operations
        self.operations = number + 1
        memo = self.memo
        stored = memo.operations.get(number)
        if stored is not None:
            if stored[0] != operation or stored[1] != inputs:
                raise self.refuse("a function that takes a different path at each call")
            return stored[2]
        value = compute()
        if memo.bytes <= MEMO_BYTES:
            # (8 for a number of Python, and also for a tuple: nobody looks into it.)
            memo.bytes += getattr(value, "nbytes", 8)
            # Chunks may run in threads. All of them go on with the base that was stored
            # first, because its identity is what the next operations compare.
            value = memo.operations.setdefault(number, (operation, inputs, value))[2]
        return value

    def cached_for_operation(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return a value that belongs to the last operation and is equal in all chunks.

        It need not be asked for in every chunk.
        """
        key = self.operations, name
        stored = self.memo.derived.get(key)
        if stored is None:
            value = compute()
            self.memo.bytes += getattr(value, "nbytes", 0)
            # In a tuple, because None is a value, too.
            stored = self.memo.derived.setdefault(key, (value,))
        return stored[0]

    def axes_first(self, array: Array, axes: tuple[int, ...]) -> Array:
        """Return ``array`` with some axes first and merged, as a table in C order.

        A table whose axes had to be moved is a copy, and is remembered.
        """
        # Merging the first axes copies nothing if the array is contiguous.
        if axes == tuple(range(len(axes))):
            return axes_first(array, axes)
        # One for each operation: a constant that `f` makes anew replaces the last one.
        key = self.operations, axes, array.shape
        stored = self.memo.tables.get(key)
        if stored is None or stored[1] is not array:
            table = self.xp.asarray(axes_first(array, axes), order="C")
            if stored is None:
                # Twice, since the array it was made of stays alive beside it.
                self.memo.bytes += 2 * table.nbytes
            if stored is None and self.memo.bytes > MEMO_BYTES:
                return table
            stored = self.memo.tables[key] = (table, array)
        return stored[0]

    @property
    def diffs_are_finite(self) -> Any:
        """Whether all unchecked differences are finite.

        If not, an infinite value may have turned into a difference that no longer tells
        what it was. (On a GPU only the proof asks: asking in every chunk would wait for
        the device.)
        """
        # A sum is finite only if its summands are. (If finite ones overflow in it, the
        # function is evaluated in another way, which is right, too.)
        total = functools.reduce(
            operator.add, [diff.sum() for diff in self.unchecked_diffs], 0.0
        )
        return np.isfinite(total) if self.is_numpy else self.xp.isfinite(total)

    def count_work(self, width: int, size: int) -> None:
        """Count the entries that an operation evaluates at each point and the base."""
        self.work += width
        if width > self.width:
            self.width = width
        self.base_work += size
