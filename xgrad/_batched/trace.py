"""One evaluation at many points: what it remembers, what it costs, why it fails."""

from __future__ import annotations

import functools
import linecache
import operator
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy
from xgrad._batched.region import rows

# Beyond this much memory, what is the same in every chunk is computed for each anew.
MEMO_BYTES = 512 * 2**20

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
STANDARD_LIBRARY = f"{Path(linecache.__file__).parent}{os.sep}"


class NotBatchedError(TypeError):
    """The function needs one point at a time.

    ``idiom`` is what it does, ``remedy`` what it could do instead, and ``place`` the
    line of the caller that does it.
    """

    def __init__(self, idiom: str, remedy: str = "", place: str = "") -> None:
        super().__init__(f"{idiom}{place}")
        self.idiom = idiom
        self.remedy = remedy
        self.place = place


def caller_line() -> str:
    """Where the caller's code stands: the innermost frame outside of any library."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if not is_library(frame.f_code.co_filename):
            return line_of(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


def is_library(filename: str) -> bool:
    """Whether code is that of xgrad, of an installed package or of Python itself."""
    return (
        filename.startswith((PACKAGE, "<frozen", STANDARD_LIBRARY))
        or "site-packages" in filename
        or "dist-packages" in filename
    )


def line_of(filename: str, number: int) -> str:
    """A line of code as messages show it."""
    text = linecache.getline(filename, number).strip()
    return f" at {Path(filename).name}:{number}" + (f" ({text})" if text else "")


class Memo:
    """What is the same in every chunk: the bases, and maps of indices."""

    def __init__(self) -> None:
        self.steps: dict[int, tuple[Any, Any, Any]] = {}
        self.maps: dict[tuple[int, str], tuple[Any]] = {}
        self.tables: dict[Any, tuple[Array, Array]] = {}
        self.bytes = 0


class Trace:
    """One evaluation of a function at many points.

    ``points`` is their number. With ``dense`` nothing but values is kept, for all
    entries of every array. ``broken`` is the first error that asks for one point at a
    time, ``formed`` the differences that were formed from values. ``width`` is how
    large the largest array is at each point, ``work`` and ``base_work`` how many
    entries were evaluated at each and at the base.
    """

    def __init__(self, xp: Any, points: int, memo: Memo, dense: bool = False) -> None:
        self.xp = xp
        self.points = points
        self.dense = dense
        self.held = False  # by an array of array_api_strict
        self.memo = memo
        self.cache: dict[Any, Any] = {}
        self.step = 0
        self.broken: NotBatchedError | None = None
        self.formed: list[Array] = []
        self.width = 0
        self.work = 0
        self.base_work = 0
        self.numpy = is_numpy(xp)

    def close(self) -> None:
        """Forget what regions share, which keeps them alive."""
        self.cache.clear()
        self.broken = None  # its traceback leads back to here

    def refuse(self, idiom: str, remedy: str = "") -> NotBatchedError:
        """The error to raise; noted, in case the function catches it."""
        error = NotBatchedError(idiom, remedy, caller_line())
        if self.broken is None:
            self.broken = error
        return error

    def once(self, what: Any, inputs: Any, make: Callable[[], Any]) -> Any:
        """What is the same in every chunk, made in the first.

        ``what`` and the identities of the ``inputs`` tell whether the function takes
        the same way again.
        """
        number = self.step
        self.step = number + 1
        found = self.memo.steps.get(number)
        if found is not None:
            if found[0] != what or found[1] != inputs:
                raise self.refuse("a function that takes another way at each call")
            return found[2]
        made = make()
        memo = self.memo
        if memo.bytes <= MEMO_BYTES:
            memo.bytes += getattr(made, "nbytes", 8)
            made = memo.steps.setdefault(number, (what, inputs, made))[2]
        return made

    def kept(self, what: str, make: Callable[[], Any]) -> Any:
        """What belongs to the step just made, and is the same in every chunk.

        (It may be asked for in some of the chunks only.)
        """
        key = self.step, what
        found = self.memo.maps.get(key)
        if found is None:
            made = make()
            self.memo.bytes += getattr(made, "nbytes", 0)
            found = self.memo.maps.setdefault(key, (made,))
        return found[0]

    def rows(self, array: Array, axes: tuple[int, ...]) -> Array:
        """``array`` with some axes first and as one."""
        if axes == tuple(range(len(axes))):
            return rows(array, axes)
        # One for each step: a constant made anew takes the place of the former one.
        key = self.step, axes, array.shape
        found = self.memo.tables.get(key)
        if found is None or found[1] is not array:
            table = self.xp.asarray(rows(array, axes), order="C")
            if found is None:
                self.memo.bytes += 2 * table.nbytes
            if found is None and self.memo.bytes > MEMO_BYTES:
                return table
            found = self.memo.tables[key] = (table, array)
        return found[0]

    @property
    def finite(self) -> Any:
        """Whether all differences that were formed from values are finite.

        Where they are not, an infinite value may have turned into a difference that no
        longer tells what it was. (On a GPU it is looked at when a function is tried:
        to look at every chunk would wait for the device.)
        """
        total = functools.reduce(operator.add, [d.sum() for d in self.formed], 0.0)
        return np.isfinite(total) if self.numpy else self.xp.isfinite(total)

    def note(self, width: int, size: int) -> None:
        """Count what an operation costs at each point and at the base."""
        self.work += width
        if width > self.width:
            self.width = width
        self.base_work += size
