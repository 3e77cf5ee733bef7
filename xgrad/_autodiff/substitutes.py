"""Functions of NumPy and of `math` that take stand-ins where the originals are blind.

NumPy hands a call over to a stand-in only where that is itself an argument, and not to
make an array or to read a list; `math` never does.
"""

from __future__ import annotations

import functools
import importlib.machinery
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._autodiff.mathematics import MATH
from xgrad._autodiff.scipy_functions import (
    SCIPY,
    calls_functions,
    fitting,
    own_function,
)
from xgrad._autodiff.structural import plain_of
from xgrad._autodiff.twins import COPIES, TwinType
from xgrad._tracing import (
    CREATION,
    CREATORS,
    NUMPY_NAMES,
    array_like,
    creator,
    first_standin,
    is_library,
    namespace_of,
)

Function = Callable[..., Any]
# Modules of NumPy with functions of arrays; `numpy.random` and others are as they are.
NUMPY_MODULES = ("numpy", "numpy.linalg", "numpy.fft")
# The class of the functions that NumPy hands over to stand-ins.
DISPATCHER = type(np.sum)
SCIPY_MODULES = tuple(SCIPY)
MODULES = (*NUMPY_MODULES, "math", "scipy", *SCIPY_MODULES, "scipy.spatial")
# The ends of the names of compiled modules.
SUFFIXES = tuple(importlib.machinery.EXTENSION_SUFFIXES)
# Functions whose first argument is a list of arrays, not an array.
OF_LISTS = (
    *("block", "choose", "column_stack", "concat", "concatenate", "dstack", "hstack"),
    *("lexsort", "multi_dot", "row_stack", "select", "stack", "vstack"),
)


class Library:
    """Stand in for a module, some of whose attributes have substitutes."""

    def __init__(self, module: ModuleType, substitute: Function) -> None:
        self.__dict__.update(_module=module, _substitute=substitute)
        self.__name__ = module.__name__

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        # Asked for only once, but what user code may assign to.
        if isinstance(value, (int, float, str)):
            return value
        self.__dict__[name] = substituted = self._substitute(value)
        return substituted

    def __repr__(self) -> str:
        return repr(self._module)


class TakingLists:
    """A function of NumPy that takes lists with entries of stand-ins, too."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._of_lists = getattr(function, "__name__", "") in OF_LISTS
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._of_lists and args and isinstance(args[0], (list, tuple)):
            if self.__name__ != "block" and not any(map(is_standin, args[0])):
                args = ([joined(a) for a in args[0]], *args[1:])
            return self._function(*args, **kwargs)
        kwargs = {name: joined(value) for name, value in kwargs.items()}
        return self._function(*map(joined, args), **kwargs)

    def __getattr__(self, name: str) -> Any:
        # Such as the methods of a ufunc.
        return getattr(self._function, name)


def joined(x: Any) -> Any:
    """Return a list with stand-ins as one stand-in; anything else unchanged.

    The twin of an object that makes an array of itself becomes that.
    """
    if isinstance(type(x), TwinType) and hasattr(x, "__array__"):
        return x.__array__()
    is_list = isinstance(x, (list, tuple)) and first_standin(x) is not None
    return array_like(x, x) if is_list else x


def from_iterable(
    entries: Any, dtype: Any = None, count: int = -1, **other: Any
) -> Any:
    """Make a vector of what an iterable yields, as `numpy.fromiter` does."""
    entries = list(entries)
    if first_standin(entries) is None or count != -1:
        return make_array(np.fromiter(entries, dtype, count, **other))
    return make_array(entries, dtype)


class Vectorized:
    """Call a function of numbers entry by entry, as `numpy.vectorize` does."""

    def __init__(self, function: Function, *args: Any, **options: Any) -> None:
        self.pyfunc = function
        self._has_options = bool(args or options)
        self._plain = np.vectorize(function, *args, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._has_options or kwargs or first_standin(args) is None:
            return self._plain(*args, **kwargs)
        arrays = [a if is_standin(a) else np.asarray(a) for a in map(joined, args)]
        arrays = list(np.broadcast_arrays(*arrays))
        rows = [np.reshape(a, (-1,)) for a in arrays]
        values = [self.pyfunc(*entries) for entries in zip(*rows, strict=True)]
        return np.reshape(make_array(values), np.shape(arrays[0]))


class Joining:
    """Stand in for ``np.r_`` and ``np.c_``, which put together what is in brackets."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._is_columns = plain is np.c_

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if first_standin(items) is None:
            return self._plain[key]
        arrays = [np.r_[i] if isinstance(i, slice) else joined(i) for i in items]
        return np.column_stack(arrays) if self._is_columns else np.hstack(arrays)


class Compiled:
    """A compiled function of a package, which gets the arrays of constants as they are.

    Some do not look at what they get, and end the process where it is no array.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(_plain_if_constant, args))
        kwargs = {name: _plain_if_constant(value) for name, value in kwargs.items()}
        return self._function(*args, **kwargs)

    def __getitem__(self, kind: Any) -> Any:
        # Functions of Cython have one for each kind of numbers.
        return Compiled(self._function[kind])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


class Cached:
    """A function with a cache, which outlives the copies of the present call.

    It is called with the modules themselves, and substitutes are made of its results.
    """

    def __init__(self, function: Function, replace: Function) -> None:
        self._function = function
        self._replace = replace
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(_module_itself, args))
        kwargs = {name: _module_itself(value) for name, value in kwargs.items()}
        return self._replace(self._function(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        # Such as `cache_clear`.
        return getattr(self._function, name)


def _module_itself(x: Any) -> Any:
    return x._module if isinstance(x, Library) else x


def _plain_if_constant(x: Any) -> Any:
    """Return the array of a constant, and anything else as it is."""
    if not is_standin(x) or x.tracer.closed:
        return x
    constant = x.plain_constant()
    return x if constant is None else constant


@functools.cache
def is_compiled_module(name: str) -> bool:
    """Whether a module is an installed one that is compiled, of SciPy or others."""
    path = getattr(sys.modules.get(name), "__file__", None) or ""
    is_own = name.partition(".")[0] in ("numpy", "cupy", "xgrad")
    return path.endswith(SUFFIXES) and is_library(path) and not is_own


def is_scalar(x: Any) -> bool:
    """Whether ``x`` is a number for NumPy."""
    return bool(np.isscalar(plain_of(x)))


def substitute_of(value: Any) -> Any:
    """Return what stands in for a module or a function of NumPy or `math`.

    None if there is nothing for it.
    """
    if isinstance(value, ModuleType):
        name = value.__name__
        if name in MODULES:
            return library_of(value)
        # Packages may have it below their own name.
        is_theirs = "array_api_compat." in name or name == "cupy"
        return namespace_of(value) if is_theirs else None
    module = getattr(value, "__module__", None) or type(value).__module__
    if module == "math" or module.partition(".")[0] in ("numpy", "cupy"):
        return _substitute_of_function(value, module)
    is_function = hasattr(value, "__name__") and not isinstance(value, type)
    if is_function and module.startswith(SCIPY_MODULES):
        ours = _scipy_function(value)
        if ours is not None:
            return ours
    is_python = isinstance(value, FunctionType) or not is_function
    if is_python or not is_compiled_module(module):
        return None
    return _compiled_function(value)


def source_of(value: Any) -> FunctionType | None:
    """Return the Python code of a function of NumPy that stand-ins have no other for.

    None for anything else.
    """
    if not isinstance(value, FunctionType | DISPATCHER):
        return None
    module = value.__module__ or ""
    if module not in NUMPY_MODULES and not module.startswith("numpy.polynomial"):
        return None
    return _source_of(value)


@functools.cache
def _source_of(function: Any) -> FunctionType | None:
    # NumPy hands the others over to stand-ins.
    source = getattr(function, "_implementation", function)
    has_own = function in NUMPY_NAMES or function in CREATION or function in SPECIAL
    is_python = isinstance(source, FunctionType) and not has_own
    return source if is_python and function.__name__ not in CREATORS else None


@functools.cache
def library_of(module: ModuleType) -> Library:
    """Return what stands in for a module: one object every time."""
    return Library(module, _member)


def _member(value: Any) -> Any:
    """Return the substitute of an attribute, or the attribute itself."""
    substitute = substitute_of(value)
    return value if substitute is None else substitute


def _substitute_of_function(value: Any, module: str) -> Any:
    try:
        special = SPECIAL.get(value)
    except TypeError:  # not hashable, and so no function
        return None
    if special is not None or isinstance(value, type) or not callable(value):
        return special
    if module.partition(".")[0] == "cupy":
        return _of_namespace(value)
    is_function = isinstance(value, np.ufunc) or module in NUMPY_MODULES
    return _numpy_function(value) if is_function else None


@functools.cache
def _numpy_function(function: Any) -> Any:
    name = getattr(function, "__name__", "")
    taking_lists = TakingLists(function)
    if name in CREATORS and getattr(np, name) is function:
        return creator(name, function, taking_lists)
    return taking_lists


@functools.cache
def _scipy_function(function: Any) -> Any:
    """Return the substitute of a function that converts its arguments, or None."""
    ours = own_function(function)
    if ours is None:
        return None

    @functools.wraps(function)
    def choose(*args: Any, **kwargs: Any) -> Any:
        fits = None
        is_of_twin = bool(args) and isinstance(type(args[0]), TwinType)
        is_hidden = is_of_twin or calls_functions(ours)
        if is_hidden or first_standin((*args, *kwargs.values())) is not None:
            fits = fitting(function, ours, args, kwargs)
        if fits is None:
            # Ours has not all of these arguments.
            copies = COPIES.get()
            other = function if copies is None else copies.copied(function)
            return other(*args, **kwargs)
        positional, options = fits
        lists = (joined(a) if isinstance(a, list) else a for a in positional)
        return ours(*lists, **options)

    return choose


@functools.cache
def _compiled_function(function: Any) -> Compiled:
    return Compiled(function)


@functools.cache
def _of_namespace(function: Any) -> Any:
    """Return the substitute of a function of CuPy that was imported by its name."""
    import cupy

    name = getattr(function, "__name__", "")
    is_theirs = getattr(cupy, name, None) is function
    return getattr(namespace_of(cupy), name) if is_theirs else None


make_array = creator("array", np.array, np.array)
SPECIAL: dict[Any, Any] = {
    np.fromiter: from_iterable,
    np.vectorize: Vectorized,
    np.r_: Joining(np.r_),
    np.c_: Joining(np.c_),
    np.isscalar: is_scalar,
    **MATH,
}
