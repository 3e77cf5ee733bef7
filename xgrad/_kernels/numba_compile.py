"""Numba: how functions are compiled, and run by several threads."""

from __future__ import annotations

import functools
import os
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
from numba.extending import register_jitable

# A product and a sum may be rounded together (fma), where the CPU can. Nothing may be
# reordered: that would undo the rounding to an integer by adding a large number. And a
# division by 0 is infinite, while a check of it would keep loops from SIMD.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
# Numba looks at the file of a loop, to see whether it compiled it before, and not at
# those of the functions that became a part of it. So this is a part of the name.
SOURCES = zlib.crc32(
    b"".join(
        path.read_bytes() for path in sorted(Path(__file__).parent.glob("numba_*.py"))
    )
)
# Entries with an exponential each from which a second thread gains more than it takes
# to wake it up, some 30 us; those without count half. Set by trial.
LEAST_TO_SHARE = 2**19


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled, when it is first called, for those arguments.

    What was compiled is kept in files beside the module, or in the user's folder of
    caches. Arguments that are None cost nothing: branches on them are left out.
    """
    function.__qualname__ = f"{function.__qualname__}_{SOURCES:08x}"
    try:
        return numba.njit(cache=True, nogil=True, **OPTIONS)(function)
    except RuntimeError:  # neither folder can be written to
        return numba.njit(nogil=True, **OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Return the function, which compiled ones may call, and become a part of them."""
    return register_jitable(**OPTIONS)(function)


def run(blocks: int, work: int, loop: Callable[[int, int], bool]) -> bool:
    """Call ``loop(begin, end)`` for ranges of blocks; return whether all say true.

    Each thread takes one range, if there is enough ``work`` for more than one: entries,
    of which those without an exponential count half. Blocks are the same for any number
    of threads, and so are results that are made of blocks.

    These are threads of Python, which compiled functions let run. Those of
    ``numba.prange`` end the process if it was forked (OpenMP), or if two threads of the
    caller meet in them (workqueue).
    """
    if work < LEAST_TO_SHARE:
        return loop(0, blocks)
    count = min(numba.get_num_threads(), blocks, work // (LEAST_TO_SHARE // 2))
    left = [*pairwise(blocks * i // count for i in range(count + 1))]
    answers: list[bool] = []

    def take() -> None:
        while True:
            try:
                begin, end = left.pop()
            except IndexError:
                return
            answers.append(loop(begin, end))

    helpers = _start(count - 1, take)
    take()
    for helper in helpers:
        # One that has not begun has nothing left to do.
        if not helper.cancel():
            helper.result()
    return all(answers)


def _start(count: int, work: Callable[[], None]) -> list[Future[None]]:
    """Let so many other threads do some work; fewer if the system has no more."""
    helpers: list[Future[None]] = []
    try:
        while len(helpers) < count:
            helpers.append(_pool().submit(work))
    except RuntimeError:  # of a process that ends, or cannot start a thread
        pass
    return helpers


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Return threads that wait for work: to start one takes longer than to wake it."""
    count = max(1, numba.config.NUMBA_NUM_THREADS - 1)
    return ThreadPoolExecutor(count, thread_name_prefix="xgrad")


if hasattr(os, "register_at_fork"):
    # A fork has no threads but the one that called it.
    os.register_at_fork(after_in_child=_pool.cache_clear)
