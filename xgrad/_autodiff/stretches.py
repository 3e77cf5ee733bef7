"""A stretch of a recording, by its operations, from which it can be recorded again.

The operations are calls of the tape's primitives. Their arrays are named by distance:
that which was made three arrays before, or the second one that came from before the
stretch. So the steps of a loop have equal notes, and these are stored once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import Array
from xgrad._autodiff.positions import SMALL
from xgrad._autodiff.taped import Step, Taped

# A constant that is used so often within a stretch is one that the function has anyway,
# and not an array that it has made for one step, such as random numbers.
FEW_USES = 5
# Levels of functions and tuples within one another.
DEEP = 4
# Numbers and texts, of which equal ones are the same.
PLAIN = frozenset((int, bool, str, type(None), type(Ellipsis)))


class Earlier(int):
    """An array of the same stretch, by how many arrays before the present one."""


class Input(int):
    """An array from before the stretch, by its place among those."""


class Operation(NamedTuple):
    """A call of a function of a tape, ``function(tape, *args)``, with its results.

    ``args`` are nested in tuples and lists, with names in place of recorded arrays.
    """

    function: Callable[..., Any]
    args: Any
    results: int


class Snapshot(NamedTuple):
    """A recorded array as it was at the beginning of a stretch.

    Of a view, ``owner`` is the place of the array whose memory it shared, if that is an
    input, too: else nothing was written into that.
    """

    base: Any
    at: int
    version: int
    owner: int | None
    steps: tuple[Step, ...]
    shown: int


class ForeignArrayError(Exception):
    """An operand is recorded on another tape, which the operation is left to."""


class Stretch:
    """Operations from one cut of a tape to the next, and what they start from.

    ``exits`` has the arrays by which later stretches begin, by their names: one made
    here by its number, an input by ``-1 - place``.
    """

    def __init__(self, start: int, first: int) -> None:
        self.start = self.stop = start
        self.first = self.next = first
        self.operations: list[Operation] = []
        self.inputs: list[Snapshot] = []
        self.places: dict[int, int] = {}
        self.exits: dict[int, Array] = {}
        # Where nothing is dropped: edges, shapes and dtypes of the positions, and of
        # those before by which it begins, shapes and dtypes.
        self.is_kept = False
        self.saved: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        self.outlines: dict[int, tuple[Any, Any]] = {}

    def __contains__(self, at: int) -> bool:
        return self.start <= at < self.stop

    def name_of(self, number: int) -> int | None:
        """Return the name by which a later stretch asks for an array of this one."""
        if self.first <= number < self.next:
            return number - self.first
        place = self.places.get(number)
        return None if place is None else -1 - place

    def keep(self) -> None:
        """Forget the operations: what the tape saves is not dropped."""
        self.outlines.update(self.outlines_of_inputs())
        self.is_kept = True
        self.operations, self.inputs, self.places, self.exits = [], [], {}, {}

    def outline(self, x: Taped) -> None:
        """Note the shape and dtype of an array from before."""
        self.outlines[x.at] = x.base.shape, x.base.dtype

    def outlines_of_inputs(self) -> dict[int, tuple[Any, Any]]:
        """Return shapes and dtypes of the positions that the stretch begins with."""
        return {s.at: (s.base.shape, s.base.dtype) for s in self.inputs}


class Notes:
    """Operations and their constants, of which equal ones are stored once.

    ``bytes`` estimates the memory of the notes themselves.
    """

    # Of an operation that is noted for the first time, with its names.
    BYTES = 400

    def __init__(self) -> None:
        self.bytes = self.bytes_before = 0
        # Those of the last two stretches: what does not return within these is unlike.
        self.recent: dict[Any, Any] = {}
        self.former: dict[Any, Any] = {}
        self.copied: dict[int, tuple[Any, Any]] = {}
        # How often larger constants have been used in this stretch, and the bytes of
        # those that were used a few times, and that no rule has saved.
        self.uses: dict[int, int] = {}
        self.made = 0

    def forget(self) -> None:
        """Forget the operations, which are not going to be done again."""
        self.former, self.recent = {}, {}

    def turn(self, is_kept: bool) -> None:
        """Begin a stretch; the notes of the one before are gone if that is kept."""
        if is_kept:
            self.bytes = self.bytes_before
        self.former, self.recent = self.recent, {}
        self.uses, self.copied, self.made = {}, {}, 0
        self.bytes_before = self.bytes

    @property
    def taken(self) -> int:
        """Memory that this stretch takes for its notes and what it has made."""
        return self.bytes - self.bytes_before + self.made

    def of(self, function: Any, args: Any, key: list[Any], results: int) -> Operation:
        """Return the operation, which may be one that was noted before."""
        key.append(results)
        known = (function, *key)
        operation = self.recent.get(known) or self.former.get(known)
        if operation is None:
            self.bytes += self.BYTES
            operation = Operation(function, args, results)
        self.recent[known] = operation
        return operation

    def encode(self, tape: Any, item: Any, key: list[Any]) -> Any:
        """Return an argument with names for arrays, and put into ``key`` what it is."""
        kind = type(item)
        if kind is Taped:
            return self._encode_taped(tape, item, key)
        if kind in PLAIN:
            key += kind, item
        elif kind is float:
            key += kind, item, math.copysign(1.0, item)
        elif kind is tuple or kind is list:
            key += kind, len(item)
            item = kind([self.encode(tape, i, key) for i in item])
        elif kind is slice:
            key += kind, item.start, item.stop, item.step
        elif isinstance(item, (np.generic, complex)):
            key += kind, np.asarray(item).tobytes()
        elif hasattr(item, "nbytes"):
            return self._encode_array(tape, item, key)
        else:
            identify(item, key)
            if tape.copies_constants and hasattr(item, "nnz"):
                item = item.copy()
        return item

    def _encode_taped(self, tape: Any, x: Taped, key: list[Any]) -> Any:
        if x.tracer is not tape:
            if not x.tracer.closed:
                raise ForeignArrayError
            return self.encode(tape, x.ensure_current().base, key)
        stretch: Stretch = tape.stretch
        number = number_of(x)
        name: Any
        if number >= stretch.first:
            name = Earlier(stretch.next - number)
        else:
            place = stretch.places.get(number)
            name = Input(tape.enter(x) if place is None else place)
        key += type(name), name
        return name

    def _encode_array(self, tape: Any, array: Any, key: list[Any]) -> Any:
        is_numpy = isinstance(array, np.ndarray)
        if is_numpy and array.nbytes <= SMALL and array.dtype.kind != "O":
            content = array.dtype.str, array.shape, array.strides, array.tobytes()
            key.append(content)
            same = self.recent.get(content)
            if same is None:
                same = self.former.get(content)
                if same is None:
                    same = array.copy("K")
                    self.bytes += array.nbytes
                self.recent[content] = same
            return same
        if tape.copies_constants:
            array = self.copy_of(array)
        count = self.uses.get(id(array), 0)
        if count == 0:
            self.made += array.nbytes
        if count == FEW_USES - 1:
            self.share(array)
        elif count < FEW_USES:
            self.uses[id(array)] = count + 1
        key += type(array), id(array)
        return array

    def share(self, array: Any) -> None:
        """Count a constant no more, because it is in memory for another reason."""
        if 0 < self.uses.get(id(array), 0) < FEW_USES:
            self.made -= array.nbytes
            self.uses[id(array)] = FEW_USES

    def copy_of(self, array: Any) -> Any:
        """Return a copy, the same as before if the array has not changed since."""
        original, copy = self.copied.get(id(array), (None, None))
        if original is array and is_equal(copy, array):
            return copy
        copy = array.copy("K")
        self.copied[id(array)] = array, copy
        return copy


def identify(item: Any, key: list[Any], depth: int = 0) -> None:
    """Put into ``key`` what a function does, and which object another item is."""
    if isinstance(item, FunctionType) and depth < DEEP:
        # Made anew by each call of the function around it.
        key += item.__code__, id(item.__globals__)
        identify(item.__defaults__, key, depth + 1)
        identify(tuple((item.__kwdefaults__ or {}).items()), key, depth + 1)
        for cell in item.__closure__ or ():
            identify(cell.cell_contents, key, depth + 1)
    elif type(item) is functools.partial and depth < DEEP:
        for part in (item.func, item.args, tuple(item.keywords.items())):
            identify(part, key, depth + 1)
    elif type(item) is tuple and depth < DEEP:
        key.append(len(item))
        for part in item:
            identify(part, key, depth + 1)
    elif type(item) in PLAIN or isinstance(item, (type, np.dtype, np.ufunc)):
        key += type(item), item
    elif type(item) is float:
        key += float, repr(item)
    else:
        key += id, id(item)


def number_of(x: Taped) -> int:
    """Return the number of an array among those that operations have returned, or 0."""
    return getattr(x, "number", 0)


def is_equal(a: Any, b: Any) -> bool:
    """Whether arrays have the same bits; False where to look would take long."""
    if not (isinstance(a, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape):
        return False
    if not (a.flags.c_contiguous and b.flags.c_contiguous):
        return False
    first, second = (array.reshape(-1).view(np.uint8) for array in (a, b))
    return bool(np.array_equal(first, second))


def taped_in(result: Any) -> list[Taped]:
    """Return the stand-ins of a result, which may be a tuple or list of them."""
    if type(result) is Taped:
        return [result]
    if isinstance(result, (tuple, list)):
        return [x for item in result for x in taped_in(item)]
    return []
