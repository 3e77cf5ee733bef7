"""Adapter for array_api_strict, whose arrays may wrap an array at many points.

array_api_strict plays a GPU in the tests. It accepts arrays of its own class alone, so
that xgrad's batched array has to be the content of such an array.
"""

from __future__ import annotations

import functools
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.types import Array


def hides_points(x: Any) -> bool:
    """Whether ``x`` stands for an array at many points, of which a function sees one.

    That is true of a batched array, of an array of array_api_strict that wraps one, and
    of the class and the namespace of either.
    """
    return getattr(unwrap(x), "hides_points", False) is True


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
    return (_batched_class(kind) if hides_points(x) else kind)._new(
        x, device=like.device
    )


@functools.cache
def _batched_class(kind: Any) -> Any:
    """Derive the class of strict arrays that wrap an array at many points."""

    def namespace(self: Any, *, api_version: str | None = None) -> Any:
        return self._array.namespace(kind.__array_namespace__(self))

    # Strict arrays copy the assigned value to NumPy, which a batched one refuses.
    def assign(self: Any, key: Any, value: Any) -> None:
        indices = key if isinstance(key, tuple) else (key,)
        self._array[tuple(map(unwrap, indices))] = unwrap(value)

    members = {"__array_namespace__": namespace, "__setitem__": assign}
    return type(kind.__name__, (kind,), members)


def unwrapped_namespace(xp: Any) -> Any:
    """Return the namespace of the arrays that arrays of ``xp`` wrap; else ``xp``."""
    if array_api_compat.is_array_api_strict_namespace(xp):
        return array_api_compat.array_namespace(np.empty(0))
    return xp
