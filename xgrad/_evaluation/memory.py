"""Memory that the C library keeps for the next temporaries of a function."""

from __future__ import annotations

import functools

import numpy as np

# Releasing a block raises glibc's limits to its size and twice that, but never for more
# than 32 MiB (DEFAULT_MMAP_THRESHOLD_MAX in its malloc.c); 31 MiB leave room for the
# header and the alignment of the block.
RELEASED_BYTES = 31 * 2**20
# glibc's limits are 128 KiB at first. Points of half of that, and temporaries like
# them, stay below: gradients of a few variables do not pay for the 31 MiB.
SMALL_BYTES = 64 * 2**10


@functools.cache
def keep_released_memory() -> None:
    """Let glibc keep memory that is released, instead of returning it to the system.

    Releasing one large block raises its limits for the rest of the process. Otherwise
    the temporaries of ``f`` may be mapped and cleared anew at every call: with
    ``vectorized=True``, the gradient of ``sum(x**2)`` at 5,000 variables then takes 4
    times as long, and that of Rosenbrock's function twice as long.
    """
    np.empty(RELEASED_BYTES, dtype=np.uint8)
