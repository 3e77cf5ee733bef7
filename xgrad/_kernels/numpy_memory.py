"""Sizes of the blocks that NumPy's kernels compute at once, and memory for them.

No compiled code and no threads: what the kernels save are passes over memory, temporary
arrays, and reductions along short axes, which NumPy is slow at. They go through their
arguments block by block, so that what is made of a block stays in the cache.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Entries of a block of rows or labels: 512 KiB in float32, half of a usual L2 cache, so
# that logits and their exponentials fit into it together.
BLOCK = 2**17
# Bytes of a block of errors, and of the memory that a thread keeps. Twice as much as
# above, since there is one array: a call of NumPy costs more than a cache that is a
# little too small. Set by trial.
BYTES = 2**20
# Up to so many entries the time of a call is that of Python, not of its passes, and the
# shortest way is the fastest. Set by trial.
SMALL = 2**13

_thread = threading.local()


def scratch(count: int, dtype: Any) -> Array:
    """Return uninitialised memory of this thread, which the next call uses again.

    Fresh memory would cost as much as what is computed in it: the system hands out
    every page of it anew, and fills it with zeros.
    """
    size = count * dtype.itemsize
    if size > BYTES:
        return np.empty(count, dtype)
    memory: Array | None = getattr(_thread, "memory", None)
    if memory is None or len(memory) < size:
        _thread.memory = memory = np.empty(BYTES, np.uint8)
    return memory[:size].view(dtype)
