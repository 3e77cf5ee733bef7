"""Run a copy of a function whose code sees substitutes for NumPy, CuPy and `math`.

The copy has the code of the original and other global names: modules and functions that
have substitutes are replaced by them, and so are functions of the user that it reaches,
by name, by a closure, by a module or as methods of objects. Functions of installed
packages that are written in Python are copied as well, if the caller says so. Nothing
of the user is changed: the names are looked up in the user's own module, whenever they
are used.
"""

from __future__ import annotations

import builtins
import functools
import opcode
from collections import OrderedDict
from collections.abc import Callable
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from xgrad._arrays import is_standin, leaves, unwrap
from xgrad._autodiff.builtin_kinds import Float, is_instance
from xgrad._autodiff.substitutes import (
    Cached,
    Library,
    Vectorized,
    source_of,
    substitute_of,
)
from xgrad._autodiff.twins import COPIES, Super, twin_class, twin_of
from xgrad._tracing import as_constant, creating_like, is_library, is_sealed

Function = Callable[..., Any]

WRITES_NAMES = {opcode.opmap["STORE_GLOBAL"], opcode.opmap["DELETE_GLOBAL"]}
# The class of the functions that `functools.cache` makes.
CACHING = type(functools.cache(len))
# Names that Python itself reads in the globals of a function, without a look-up.
OF_MODULE = ("__name__", "__package__", "__spec__", "__loader__", "__file__")
# Where Python notes which warnings were shown, once there was one.
SHOWN_WARNINGS = "__warningregistry__"
CONTAINERS = frozenset((list, tuple, dict, OrderedDict))
# Longer lists are data: nobody writes down so many functions.
MANY = 256
# Kinds of values that have no substitute: most of what names stand for.
PLAIN = frozenset(
    (int, float, complex, str, bytes, bool, type(None), np.ndarray, slice, range)
)


def substituted(
    function: Function, libraries: bool = False, arrays: bool = False
) -> tuple[Function | None, str]:
    """Return a function that calls a copy whose code sees substitutes, or None.

    The second value says why there is no copy. The copy is made anew for each call: it
    sees the closures as they are then. With ``libraries`` it reaches the functions of
    installed packages, too, and with ``arrays`` it sees stand-ins for the arrays that
    it finds by name, in closures and in objects.
    """
    is_left = is_sealed if libraries else is_library
    reason = reason_against(function, is_left)
    if reason:
        return None, reason
    return functools.partial(_call, function, is_left, arrays), ""


def reason_against(function: Function, is_left: Callable[[str], bool]) -> str:
    """Return the reason why a function cannot be copied; none if it can.

    ``is_left`` tells of the name of a file whether its code is left as it is.
    """
    if isinstance(function, functools.partial):
        return reason_against(function.func, is_left)
    if isinstance(function, MethodType):
        return reason_against(function.__func__, is_left)
    if substitute_of(function) is not None:
        return ""
    if not isinstance(function, FunctionType):
        if not _has_own_call(function):
            return "it is no function that is written in Python"
        return reason_against(type(function).__call__, is_left)
    if is_left(function.__code__.co_filename):
        return "it belongs to a library"
    if writes_names(function.__code__):
        return "it assigns to a global name"
    return ""


def _has_own_call(function: Any) -> bool:
    """Whether an object is called by a method that is written in Python."""
    kind = type(function)
    return callable(function) and isinstance(kind.__call__, FunctionType)


# A bounded number: code of lambdas that are made anew would not be freed.
@functools.lru_cache(maxsize=4096)
def writes_names(code: CodeType) -> bool:
    """Whether code assigns to global names, which a copy would keep to itself."""
    if not WRITES_NAMES.isdisjoint(code.co_code[::2]):
        return True
    return any(isinstance(c, CodeType) and writes_names(c) for c in code.co_consts)


def _call(
    function: Function,
    is_left: Callable[[str], bool],
    arrays: bool,
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call a copy of a function, with arrays that are made like the first stand-in."""
    arguments = (unwrap(leaf) for _, leaf in leaves([args, kwargs]))
    like = next(filter(is_standin, arguments), None)
    if like is None:
        return function(*args, **kwargs)
    substitution = Substitution(is_left, like if arrays else None)
    token = COPIES.set(substitution)
    try:
        with creating_like(like):
            result = substitution.entry(function)(*args, **kwargs)
        if substitution.has_changes():
            raise like.tracer.refuse(
                "a change of a list or dict with functions or objects",
                "change it outside of the function",
            )
        return result
    finally:
        COPIES.reset(token)
        substitution.clear()


class Names(dict[str, Any]):
    """The global names of copied functions: those of a module, with substitutes.

    Python calls `__missing__` for whatever this dict does not hold, which is every name
    but those that it reads in another way.
    """

    def __init__(self, names: dict[str, Any], substitution: Substitution) -> None:
        known = (*OF_MODULE, SHOWN_WARNINGS)
        super().__init__({n: names[n] for n in known if n in names})
        self["__builtins__"] = substitution.builtins
        self.names = names
        self.substitution = substitution
        # The last value of each name, and its substitute.
        self.last: dict[str, tuple[Any, Any]] = {}

    def __missing__(self, name: str) -> Any:
        try:
            value = self.names[name]
        except KeyError:
            return self.substitution.builtins[name]
        last = self.last.get(name)
        if last is not None and last[0] is value:
            return last[1]
        substitute = self.substitution.replace(value)
        # The copy of a list is that of its present content.
        if substitute is value or type(value) not in CONTAINERS:
            self.last[name] = value, substitute
        return substitute


class Substitution:
    """The copies that were made for one call: one of each original.

    ``is_left`` tells of the name of a file whether its code is left as it is. Arrays
    are replaced by constants ``like`` a stand-in, if there is one.
    """

    def __init__(self, is_left: Callable[[str], bool], like: Any = None) -> None:
        self.is_left = is_left
        self.like = like
        self.builtins = {
            **vars(builtins),
            "__import__": self._import,
            "isinstance": is_instance,
            "float": Float,
            "super": Super,
        }
        # By `id`; originals are held, so that no other object gets the same one.
        self.copies: dict[int, tuple[Any, Any]] = {}
        self.names: dict[int, Names] = {}
        self.cells: list[CellType] = []
        # Lists and dicts whose items were replaced, by `id`: copies and their content.
        self.containers: dict[int, tuple[Any, Any, list[Any]]] = {}

    def clear(self) -> None:
        """Forget all copies: they refer to each other and to this."""
        for names in self.names.values():
            names.last.clear()
        for cell in self.cells:
            cell.cell_contents = None
        self.copies.clear()
        self.names.clear()
        self.cells.clear()
        self.containers.clear()
        self.builtins = vars(builtins)

    def entry(self, function: Function) -> Function:
        """Return the copy of the function that is called first."""
        copy: Function = self.replace(function)
        if copy is not function or isinstance(function, (FunctionType, type)):
            return copy
        call: Any = type(function).__call__
        return MethodType(self.copy_of(call), function)

    def replace(self, value: Any) -> Any:
        """Return what stands in for a value; most values are returned themselves."""
        kind = type(value)
        if kind in PLAIN:
            return self._array(value) if kind is np.ndarray else value
        source = source_of(value)
        if source is not None and not self.is_left(source.__code__.co_filename):
            return self.copy_of(source)
        if kind is FunctionType:
            return self._function(value)
        if kind is functools.partial:
            return self._partial(value)
        if kind is MethodType:
            return self._method(value)
        if kind is CACHING:
            return self._remember(value, lambda: Cached(value, self.replace))
        if kind is np.vectorize and _is_simple(value):
            return Vectorized(self.replace(value.pyfunc))
        if isinstance(value, ModuleType) and self._is_to_copy(value):
            return self._remember(value, lambda: Library(value, self.replace))
        if kind in CONTAINERS:
            return self._container(value) if len(value) <= MANY else value
        substitute = substitute_of(value)
        if substitute is not None:
            return substitute
        if isinstance(value, type):
            # One that makes its objects in its own way may keep some.
            new: Any = value.__new__
            twin = twin_class(value, self.is_left) if new is object.__new__ else None
            return twin or value
        return self._remember(value, lambda: twin_of(value, self.is_left))

    def _array(self, array: Any) -> Any:
        """Return the constant that stands for an array; itself where none is wanted."""
        if self.like is None or array.dtype.kind not in "fc":
            return array
        return self._remember(array, lambda: constant_of(array, self.like))

    def _is_plain(self, kind: type) -> bool:
        """Whether values of a kind have no substitutes."""
        return kind in PLAIN and (kind is not np.ndarray or self.like is None)

    def _function(self, function: FunctionType) -> Any:
        """Return the substitute of a function, or its copy, or the function itself."""
        is_of_library = is_library(function.__code__.co_filename)
        substitute = substitute_of(function) if is_of_library else None
        return self.copied(function) if substitute is None else substitute

    def copied(self, function: Any) -> Any:
        """Return the copy of a function; itself if it is left as it is."""
        is_python = type(function) is FunctionType
        is_left = not is_python or self.is_left(function.__code__.co_filename)
        return function if is_left else self.copy_of(function)

    def _is_to_copy(self, module: ModuleType) -> bool:
        """Whether a module is one whose functions are copied."""
        path = getattr(module, "__file__", None)
        is_namespace = "array_api_compat." in module.__name__
        return path is not None and not is_namespace and not self.is_left(path)

    def has_changes(self) -> bool:
        """Whether a copy of a list or a dict was changed, which nobody else sees."""
        return any(
            not _are_same(_items_of(copy), items)
            for _, copy, items in self.containers.values()
        )

    def copy_of(self, function: FunctionType) -> FunctionType:
        """Return the copy of a function of the user; itself if it has none."""
        if id(function) in self.copies:
            return self.copies[id(function)][1]
        code = function.__code__
        if writes_names(code):
            return function
        names = self._names_of(function.__globals__)
        cells = function.__closure__ or ()
        own = [
            CellType() if name != "__class__" and self._is_replaceable(cell) else cell
            for name, cell in zip(code.co_freevars, cells, strict=True)
        ]
        copy = FunctionType(code, names, function.__name__, None, tuple(own) or None)
        self.copies[id(function)] = function, copy
        copy.__qualname__, copy.__dict__ = function.__qualname__, function.__dict__
        for cell, new in zip(cells, own, strict=True):
            if new is not cell:
                self.cells.append(new)
                new.cell_contents = self.replace(cell.cell_contents)
        copy.__defaults__ = self._replace_all(function.__defaults__)
        if function.__kwdefaults__:
            defaults = function.__kwdefaults__.items()
            copy.__kwdefaults__ = {n: self.replace(v) for n, v in defaults}
        return copy

    def _names_of(self, names: dict[str, Any]) -> Names:
        if id(names) not in self.names:
            self.names[id(names)] = Names(names, self)
        return self.names[id(names)]

    def _is_replaceable(self, cell: CellType) -> bool:
        """Whether a closure holds something that has a substitute."""
        try:
            value = cell.cell_contents
        except ValueError:  # nothing has been assigned to it yet
            return False
        kind = type(value)
        # Not copied yet: a function may be in its own closure, also in such as these.
        if kind is FunctionType and not self.is_left(value.__code__.co_filename):
            return True
        if kind in (functools.partial, MethodType):
            return True
        if kind in CONTAINERS:
            return not all(self._is_plain(type(i)) for i in _items_of(value)[:MANY])
        return not self._is_plain(kind) and self.replace(value) is not value

    def _replace_all(self, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(map(self.replace, values))

    def _partial(self, value: functools.partial[Any]) -> functools.partial[Any]:
        options = {name: self.replace(v) for name, v in value.keywords.items()}
        function = self.replace(value.func)
        return functools.partial(function, *map(self.replace, value.args), **options)

    def _method(self, value: MethodType) -> Any:
        """Return a method of the twin of its object, or of the object itself."""
        function, owner = self.replace(value.__func__), self.replace(value.__self__)
        is_same = function is value.__func__ and owner is value.__self__
        return value if is_same else MethodType(function, owner)

    def _container(self, value: Any) -> Any:
        """Return a list or a dict with substitutes; itself if none of it has any."""
        items = _items_of(value)
        if all(self._is_plain(type(item)) for item in items):
            return value
        _, last, content = self.containers.get(id(value), (None, None, []))
        items, originals = list(map(self.replace, items)), items
        if _are_same(items, originals):
            return value
        if last is not None and _are_same(items, content):
            return last
        kind = type(value)
        copy = (
            kind(zip(value, items, strict=True))
            if issubclass(kind, dict)
            else kind(items)
        )
        self.containers[id(value)] = value, copy, items
        return copy

    def _remember(self, value: Any, make: Callable[[], Any]) -> Any:
        if id(value) not in self.copies:
            self.copies[id(value)] = value, make()
        return self.copies[id(value)][1]

    def _import(self, *args: Any, **kwargs: Any) -> Any:
        return self.replace(builtins.__import__(*args, **kwargs))


def _items_of(value: Any) -> list[Any]:
    return list(value.values() if isinstance(value, dict) else value)


def _are_same(first: list[Any], second: list[Any]) -> bool:
    """Whether two lists hold the same objects."""
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(a is b for a, b in pairs)


def _is_simple(vectorized: Any) -> bool:
    """Whether an object of `numpy.vectorize` has no options but floats."""
    options = ("signature", "excluded", "cache")
    is_of_floats = getattr(vectorized, "otypes", None) in (None, "", "d")
    return is_of_floats and not any(getattr(vectorized, n, None) for n in options)


def constant_of(array: Any, like: Any) -> Any:
    """Return a constant that shares the memory of an array of the user."""
    constant = as_constant(array, like)
    layer = constant
    while is_standin(layer):  # of one call around another, too
        layer.tracer.add_of_user(layer)
        layer = layer.base
    return constant
