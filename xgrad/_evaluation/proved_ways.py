"""The memory of proofs: in which way each function can be called."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._evaluation.execution import Mode
from xgrad._evaluation.function import Function
from xgrad._evaluation.points import Points

# Environment variable for tests: "1" evaluates all entries at all points, "0" those
# that differ; either of them also where a loop would be faster.
SWITCH = "XGRAD_DENSE"


@dataclass(eq=False)
class ProvedWays:
    """The modes that were proved for one function, with the widths they have.

    A key of ``modes`` is a `proof_key`. ``last`` is the mode proved last.
    """

    modes: dict[Any, tuple[Mode, int]] = field(default_factory=dict)
    last: Mode | None = None


# By the function; of a bound method, by its object and then its function.
_MEMORY: weakref.WeakKeyDictionary[Any, dict[Any, ProvedWays]] = (
    weakref.WeakKeyDictionary()
)


def proved_ways(f: Any) -> ProvedWays:
    """Return the modes proved for a function, remembered as long as it lives."""
    owner, function = (
        (f.__self__, f.__func__) if isinstance(f, MethodType) else (f, None)
    )
    try:
        return _MEMORY[owner][function]
    except KeyError:
        return _MEMORY.setdefault(owner, {}).setdefault(function, ProvedWays())
    except TypeError:  # an object without a hash or weak references
        return ProvedWays()


def mode_of(f: Callable[..., Any]) -> Mode | None:
    """Return the mode that ``vectorized="auto"`` proved last for a function."""
    return proved_ways(f).last


def proved_mode(f: Callable[..., Any], x: Array) -> tuple[Mode | None, int]:
    """Return mode and width of a scalar function of one NumPy array; None if unknown.

    The key is that of `proof_key` for a gradient, put together without a `Function`.
    """
    key = _gradient_key(x.shape, x.dtype.char, os.environ.get(SWITCH))
    return proved_ways(f).modes.get(key, (None, 0))


@functools.lru_cache
def _gradient_key(shape: tuple[int, ...], char: str, switch: str | None) -> Any:
    name = np.dtype(char).name
    leaves = ((shape, name),)
    return ("array_api_compat.numpy", 0, True, 1, name, leaves, (), switch)


def proof_key(function: Function, leaf: int, points: Points, base: Array) -> Any:
    """Return the key of a proof: namespace, leaf, kind of columns, dtypes, shapes."""
    return (
        function.xp.__name__,
        leaf,
        points.by_entries,
        len(points.columns),
        str(points.base.dtype),
        tuple((tuple(x.shape), str(x.dtype)) for x in function.leaves),
        tuple(base.shape),
        os.environ.get(SWITCH),
    )
