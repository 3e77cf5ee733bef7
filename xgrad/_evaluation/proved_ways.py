"""The memory of proofs: in which way each function can be called.

A function is remembered as long as it lives. One that is made anew, as a lambda in a
loop, is known again by its code and by the kinds of values that it encloses.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import weakref
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.ways import Way

# Environment variable for tests: "1" evaluates all entries at all points, "0" those
# that differ; either of them also where a loop would be faster.
SWITCH = "XGRAD_DENSE"

# Functions of one code that are told apart by the values they enclose. A loop encloses
# its counter, so that there is no end of them; beyond this the oldest are forgotten.
MOST_KINDS = 64
# Branches, shapes and kinds of derivatives of one function. Those of many conditions
# have no end of branches.
MOST_WAYS = 4096
# Functions enclose functions: of so many levels below it, what they enclose is looked
# at, and of a collection so many items.
DEPTH = 2
MOST_ITEMS = 16
SCALARS = (bool, int, str, bytes, type(None))


@dataclass(eq=False)
class ProvedWays:
    """The ways that were proved for one function, with the widths they have.

    A key of ``ways`` is a `proof_key`. ``last`` is the way proved last. ``function`` is
    the function itself, by which it is known again. ``slow`` counts for each key the
    calls in a row that took longer than a loop; functions of one code share it.
    """

    function: weakref.ref[Any] | None = None
    ways: dict[Any, Any] = field(default_factory=dict)
    slow: dict[Any, int] = field(default_factory=dict)
    last: Any = None

    def find(self, key: Any) -> Any:
        """Return the way for a key; None if there was no proof.

        It may have been proved for another function of the same code. As always, one
        point is proved again before it is used.
        """
        proved = self.ways.get(key)
        if proved is None:
            proved = self._of_same_code(key)
            if proved is not None:
                self.ways[key] = self.last = proved
        return proved

    def remember(self, key: Any, way: Any, *, for_its_pace: bool = False) -> None:
        """Remember the way for this function, and for others of its code.

        A loop that is taken ``for_its_pace`` is one for all that enclose values of the
        same kinds.
        """
        self.last = way
        if self.ways.get(key) == way:
            return
        self.ways[key] = way
        _forget_oldest(self.ways, MOST_WAYS)
        f = None if self.function is None else self.function()
        if (code := _code_of(f)) is not None:
            kinds = _BY_CODE.setdefault(code, {})
            exact = not (way.is_inherited or for_its_pace)
            kinds[key, _kind_of(f, exact=exact)] = way
            _forget_oldest(kinds, MOST_KINDS)

    def _of_same_code(self, key: Any) -> Way | None:
        f = None if self.function is None else self.function()
        kinds = _BY_CODE.get(code) if (code := _code_of(f)) is not None else None
        if not kinds:
            return None
        proved = kinds.get((key, _kind_of(f, exact=False)))
        return proved or kinds.get((key, _kind_of(f, exact=True)))


def _forget_oldest(memory: dict[Any, Any], most: int) -> None:
    if len(memory) > most:
        # Of a list, since another thread may add to it meanwhile.
        memory.pop(next(iter(list(memory))), None)


# By the function; of a bound method, by its object and then its function.
_MEMORY: weakref.WeakKeyDictionary[Any, dict[Any, ProvedWays]] = (
    weakref.WeakKeyDictionary()
)
# By the code, and then by the key of a proof and the kinds of enclosed values.
_BY_CODE: weakref.WeakKeyDictionary[CodeType, dict[Any, Way]] = (
    weakref.WeakKeyDictionary()
)
_SLOW: weakref.WeakKeyDictionary[CodeType, dict[Any, int]] = weakref.WeakKeyDictionary()


def ways_of_function(f: Any) -> ProvedWays:
    """Return the ways proved for a function, remembered as long as it lives."""
    owner, function = (
        (f.__self__, f.__func__) if isinstance(f, MethodType) else (f, None)
    )
    try:
        return _MEMORY[owner][function]
    except KeyError:
        reference = None if function is not None else weakref.ref(f)
        code = _code_of(f)
        slow = {} if code is None else _SLOW.setdefault(code, {})
        new = ProvedWays(reference, slow=slow)
        return _MEMORY.setdefault(owner, {}).setdefault(function, new)
    except TypeError:  # an object without a hash or weak references
        return _ways_of_ufunc(f) if isinstance(f, np.ufunc) else ProvedWays()


@functools.lru_cache(maxsize=64)
def _ways_of_ufunc(f: np.ufunc) -> ProvedWays:
    """Return the ways proved for a function such as `np.sin`, which lives for ever."""
    return ProvedWays()


def _code_of(f: Any) -> CodeType | None:
    """Return the code of a function, also of one with some arguments set."""
    if isinstance(f, functools.partial):
        f = f.func
    return f.__code__ if isinstance(f, FunctionType) else None


def _kind_of(f: Any, exact: bool) -> Any:
    """Describe the values that a function encloses, and its defaults, by their kinds.

    With ``exact`` integers, text and the like count by their values, and objects by
    their identity: by these a function may choose an operation that needs a loop, which
    must not be inherited by one that does not. So may it by the global names it uses.
    """
    values: list[Any] = []
    if isinstance(f, functools.partial):
        values += [*f.args, *f.keywords.values()]
        f = f.func
    for cell in f.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # a variable without a value so far
            values.append(None)
    values += f.__defaults__ or ()
    values += (f.__kwdefaults__ or {}).values()
    if exact:
        names = f.__code__.co_names
        values += [f.__globals__[name] for name in names if name in f.__globals__]
    kinds = (_describe(value, exact) for value in values)
    # Codes are compared without the file they are from.
    return (exact, f.__code__.co_filename, *kinds)


def _describe(value: Any, exact: bool) -> Any:
    kind = type(value)
    if _is_array(kind):
        return _layout_of(value)
    if isinstance(value, FunctionType):
        return _functions_of(value, exact)
    if isinstance(value, float):
        return kind
    if isinstance(value, SCALARS):
        return (kind, value) if exact else kind
    if callable(value):
        return kind, id(value)  # another object may be another function
    if isinstance(value, (tuple, list, dict)):
        return (
            kind,
            len(value),
            id(value) if exact else _contents_of(value, exact, DEPTH),
        )
    return kind, id(value) if exact else 0


def _is_array(kind: type) -> bool:
    # The type is asked, since an object may do anything when it is.
    return hasattr(kind, "dtype") and hasattr(kind, "shape")


def _layout_of(array: Any) -> Any:
    return type(array), tuple(array.shape), str(array.dtype)


def _functions_of(f: Any, exact: bool, depth: int = DEPTH) -> Any:
    """Describe a function by its code, and what it encloses and has as defaults."""
    values = list(f.__defaults__ or ())
    for cell in f.__closure__ or ():
        # (A variable may have no value so far.)
        with contextlib.suppress(ValueError):
            values.append(cell.cell_contents)
    if not depth or not values:
        return f.__code__
    return f.__code__, _contents_of(values, exact, depth - 1)


def _contents_of(values: Any, exact: bool, depth: int) -> tuple[Any, ...]:
    """Describe the functions and arrays that a collection holds, of its first items.

    Arrays count once, so that a history of them is the same however long it is. With
    ``exact`` integers, text and the like count by their values.
    """
    values = values.values() if isinstance(values, dict) else values
    functions: list[Any] = []
    layouts: dict[Any, None] = {}
    for value in itertools.islice(values, MOST_ITEMS):
        kind = type(value)
        if kind is FunctionType:
            functions.append(_functions_of(value, exact, depth))
        elif _is_array(kind):
            layouts[_layout_of(value)] = None
        elif isinstance(value, (tuple, list, dict)):
            inner = _contents_of(value, exact, depth - 1) if depth else ()
            functions.append(inner)
        elif exact and isinstance(value, SCALARS):
            functions.append((kind, value))
        elif callable(value) and not isinstance(value, type):
            functions.append((kind, id(value)))
    return (*functions, *layouts)


def proof_key(near: Neighborhood, switch: str | None) -> Any:
    """Return the key of a proof: namespace, leaf, kind of columns, dtypes, shapes."""
    function, points = near.function, near.points
    return (
        function.xp.__name__,
        near.leaf,
        points.by_entries,
        len(points.columns),
        points.base.dtype,
        tuple([(tuple(x.shape), x.dtype) for x in function.leaves]),
        near.shape,
        switch,
    )
