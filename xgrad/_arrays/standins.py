"""Stand-ins for arrays: recognizing them, and wrapping them for array_api_strict.

array_api_strict plays a GPU in the tests. It accepts arrays of its own class alone, so
that a stand-in has to be the content of such an array.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.types import Array

IN_PLACE = (
    *("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"),
    *("iand", "ior", "ixor", "ilshift", "irshift"),
)


def is_standin(x: Any) -> bool:
    """Whether ``x`` is a stand-in for an array, or a namespace that takes stand-ins."""
    # By an attribute of its class, which nobody here can import.
    return getattr(type(x), "stands_in", False) is True


def has_standin(x: Any) -> bool:
    """Whether ``x`` is a stand-in, or an array of array_api_strict that wraps one."""
    return is_standin(unwrap(x))


def unwrap(x: Any) -> Any:
    """Return the content of an array of array_api_strict; anything else unchanged."""
    kind: Any = type(x)
    return x._array if _is_strict(kind) else x


@functools.cache
def _is_strict(kind: Any) -> bool:
    return any(
        base.__module__.startswith("array_api_strict") and base.__name__ == "Array"
        for base in kind.__mro__
    )


def wrap_like(x: Any, like: Array) -> Array:
    """Undo `unwrap`: wrap ``x`` in an array of array_api_strict if ``like`` is one."""
    kind: Any = type(like)
    if unwrap(like) is like:
        return x
    return (_wrapper_class(kind) if has_standin(x) else kind)._new(
        x, device=like.device
    )


@functools.cache
def _wrapper_class(kind: Any) -> Any:
    """Derive the class of strict arrays that wrap a stand-in."""

    def namespace(self: Any, *, api_version: str | None = None) -> Any:
        return self._array.namespace(kind.__array_namespace__(self))

    # Strict arrays copy the assigned value to NumPy, which a stand-in refuses.
    def assign(self: Any, key: Any, value: Any) -> None:
        indices = key if isinstance(key, tuple) else (key,)
        self._array[tuple(map(unwrap, indices))] = unwrap(value)

    # They drop the result of an operation in place, which need not be its operand.
    def in_place(function: Callable[[Any, Any], Any]) -> Any:
        def method(self: Any, other: Any) -> Any:
            self._array = function(self._array, unwrap(other))
            return self

        return method

    members = {"__array_namespace__": namespace, "__setitem__": assign}
    for name in IN_PLACE:
        members[f"__{name}__"] = in_place(getattr(operator, name))
    return type(kind.__name__, (kind,), members)


def call_unwrapped(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a function of NumPy's arrays, also with arrays of array_api_strict."""
    wrapper = _first_wrapper((*args, *kwargs.values()))
    if wrapper is None:
        return function(*args, **kwargs)
    options = {name: _unwrap_all(value) for name, value in kwargs.items()}
    return _wrap_all(function(*_unwrap_all(args), **options), wrapper)


def _first_wrapper(arguments: Any) -> Any:
    """Return the first array of array_api_strict among the arguments, if any."""
    for argument in arguments:
        if isinstance(argument, (tuple, list)):
            wrapper = _first_wrapper(argument)
            if wrapper is not None:
                return wrapper
        elif unwrap(argument) is not argument:
            return argument
    return None


def _unwrap_all(argument: Any) -> Any:
    """Return an argument of array_api_strict as one of NumPy."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(map(_unwrap_all, argument))
    # By name, so that array_api_strict need not be installed. NumPy has one device.
    if type(argument).__name__ == "Device":
        return None
    return unwrap(getattr(argument, "_np_dtype", argument))


def _wrap_all(result: Any, like: Any) -> Any:
    """Return a result of NumPy as one of array_api_strict, like the array ``like``."""
    if isinstance(result, (tuple, list)):
        return type(result)(_wrap_all(item, like) for item in result)
    return wrap_like(result, like) if hasattr(result, "shape") else result


def unwrapped_namespace(xp: Any) -> Any:
    """Return the namespace of the arrays that arrays of ``xp`` wrap; else ``xp``."""
    if array_api_compat.is_array_api_strict_namespace(xp):
        return array_api_compat.array_namespace(np.empty(0))
    return xp
