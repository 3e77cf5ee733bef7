"""Numba: what a kernel does around a compiled loop, without importing numba before it.

A loop takes arrays, the weights and arrays for the results (or None), numbers, and a
range of blocks, and returns whether all values keep their rules.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import quiet
from xgrad._kernels.lookup import why_not_compiled
from xgrad._kernels.numpy_memory import Array
from xgrad._kernels.numpy_rows import FLOATS, Result

# Entries of an array for which a loop is compiled, which takes seconds once, or is read
# from the cache of numba in a tenth of one: NumPy takes about a millisecond for them.
LEAST_TO_COMPILE = 2**17
# Entries from which a compiled loop is faster: than formulas always, and than a few
# steps of NumPy once they take longer than the call. Set by trial.
LEAST, LEAST_BESIDE_FEW_STEPS = 1, 2**12
if os.environ.get("XGRAD_KERNELS") == "numba":
    LEAST_TO_COMPILE = LEAST_BESIDE_FEW_STEPS = 1
# Loops that have been called, by name, dtype and what else they are compiled for.
_ready: set[tuple[Any, ...]] = set()


@functools.cache
def loops(module: str) -> Any:
    """Return a module of compiled loops, which imports numba."""
    return importlib.import_module(f"xgrad._kernels.numba_{module}")


def is_worth_it(size: int, key: tuple[Any, ...], *, few_steps: bool = False) -> bool:
    """Return whether an array is large enough for the loop of this key.

    With ``few_steps`` NumPy takes few of them for the same. The loop then counts as
    compiled: its first call is about to come.
    """
    least = LEAST_BESIDE_FEW_STEPS if few_steps else LEAST
    if size < (least if key in _ready else LEAST_TO_COMPILE) or why_not_compiled():
        return False
    _ready.add(key)
    return True


def run(blocks: int, work: int, loop: Callable[[int, int], bool]) -> bool:
    """Call a loop for all blocks; return whether all values keep their rules.

    Threads share what is more ``work`` than it takes to wake them up: see there.
    """
    return bool(loops("compile").run(blocks, work, loop))


def plain(array: Array) -> Array:
    """Return an array of the one layout that loops are compiled for.

    It is contiguous, and may be written to as far as numba can tell: it compiles anew
    for arrays that may not. Loops do not write to their arguments.
    """
    array = np.ascontiguousarray(array)
    if array.flags.carray:
        return array
    if not array.flags.aligned:
        return array.copy()
    return np.asarray(_Writable(array))


class _Writable:
    """The memory of an array, without the flag that it must not be written to."""

    def __init__(self, array: Array) -> None:
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (address, False),
        }
        self.array = array  # keeps the memory alive


def factors(
    weight: Any, ignored: Array | None, shape: tuple[int, ...], dtype: Any
) -> tuple[Array | None, float] | None:
    """Return the weights of the losses, flat, and their sum; None if one is odd.

    Ignored losses weigh 0. No weights are None, and their sum is a count.
    """
    if weight is None and ignored is None:
        return None, math.prod(shape)
    if weight is None:
        weight = np.ones(shape, dtype)
    elif (
        type(weight) is not np.ndarray
        or weight.dtype not in FLOATS
        or weight.shape != shape
    ):
        return None
    weight = plain(weight.reshape(-1).astype(dtype, copy=False))
    if ignored is not None:
        weight = np.where(ignored, dtype.type(0), weight)
    total = float(np.add.reduce(weight, dtype=np.float64))
    return (weight, total) if total and math.isfinite(total) else None


def computed(
    loop: Callable[..., bool],
    blocks: int,
    weight: Array | None,
    divisor: float,
    numbers: tuple[Any, ...],
    *,
    dtype: Any,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    wanted: str,
    reduction: str,
    has_exponentials: bool = True,
) -> Result:
    """Return the value and the slope that a loop over blocks computes.

    ``shapes`` are those of the losses and of the slope; a mean divides by ``divisor``.
    """
    size = math.prod(shapes[1])
    work = size if has_exponentials else size // 2
    columns = (size // math.prod(shapes[0]),) if shapes[0] != shapes[1] else ()
    losses = slope = sums = None
    if wanted != "slope" and reduction == "none":
        losses = np.empty(math.prod(shapes[0]), dtype)
    elif wanted != "slope":
        sums = np.empty(blocks)
    if wanted != "value":
        slope = np.empty((math.prod(shapes[0]), *columns), dtype)
    divisor = divisor if reduction == "mean" else 1
    with quiet():
        scale = dtype.type(1 / divisor)

        def share(begin: int, end: int) -> bool:
            return loop(weight, losses, slope, sums, scale, *numbers, begin, end)

        if not run(blocks, work, share):
            return None
        if losses is not None:
            value = losses.reshape(shapes[0])[()]
        elif sums is not None:
            value = dtype.type(np.add.reduce(sums) / divisor)
        else:
            value = None
    return value, None if slope is None else slope.reshape(shapes[1])
