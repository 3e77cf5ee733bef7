"""Adapter for arrays of array_api_strict, which may hold an array at many points."""

from __future__ import annotations

import functools
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.types import Array


def hides_points(x: Any) -> bool:
    """Whether it stands for an array at many points, of which a function sees one.

    Such an array, one of array_api_strict that holds it, its class or its namespace.
    """
    return getattr(unwrap(x), "hides_points", False) is True


def unwrap(x: Any) -> Any:
    """What an array of array_api_strict holds; everything else as it is."""
    kind: Any = type(x)
    return x._array if _is_strict(kind) else x


@functools.cache
def _is_strict(kind: Any) -> bool:
    return any(
        base.__module__.startswith("array_api_strict") and base.__name__ == "Array"
        for base in kind.__mro__
    )


def wrap_like(x: Any, like: Array) -> Array:
    """What is `unwrap`, as an array of the kind of ``like``."""
    kind: Any = type(like)
    if unwrap(like) is like:
        return x
    return (_hiding(kind) if hides_points(x) else kind)._new(x, device=like.device)


@functools.cache
def _hiding(kind: Any) -> Any:
    """The class of arrays of array_api_strict that hold an array at many points."""

    def namespace(self: Any, *, api_version: str | None = None) -> Any:
        return self._array.namespace(kind.__array_namespace__(self))

    def assign(self: Any, key: Any, value: Any) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        self._array[tuple(map(unwrap, parts))] = unwrap(value)

    members = {"__array_namespace__": namespace, "__setitem__": assign}
    return type(kind.__name__, (kind,), members)


def unwrapped_namespace(xp: Any) -> Any:
    """The namespace of what arrays of ``xp`` hold."""
    if array_api_compat.is_array_api_strict_namespace(xp):
        return array_api_compat.array_namespace(np.empty(0))
    return xp
