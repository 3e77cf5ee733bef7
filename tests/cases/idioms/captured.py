"""Arrays and counters that a function closes over."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.idioms.base import FIVE, C, collected, written

BUFFER, BUFFERS = np.zeros(5), np.zeros((2, 5))
COUNTS = {"calls": 0}
HISTORY: list[Any] = []


@written("captured", FIVE)
def buffer_overwritten(x):
    BUFFER[:] = x**2
    return BUFFER.sum()


@written("captured", FIVE)
def buffer_added_to(x):
    buffer = C.copy()
    buffer += x
    return buffer


@written("captured", FIVE)
def buffer_as_out(x):
    np.square(x, out=BUFFER)
    return BUFFER * 2


@written("captured", FIVE)
def row_of_a_buffer_overwritten(x):
    BUFFERS[1, :] = 0.0
    BUFFERS[1, 2] = x[2]
    return BUFFERS.sum() * x[0]


@written("captured", FIVE)
def calls_counted(x):
    COUNTS["calls"] += 1
    return np.sum(x**2)


@written("captured", FIVE)
def history_kept(x):
    HISTORY.append(x.shape)
    return np.sum(x**3)


@written("captured", FIVE)
def constants_scaled(x):
    weights = C.copy()
    weights *= 2
    return weights @ x


@written("captured", FIVE)
def seeded_generator(x):
    return x * np.random.default_rng(0).normal(size=x.shape)


@written("captured", FIVE)
def cached_by_bytes(x):
    known = {C.tobytes(): 1.0}
    return np.sum(x**2) * known.get(x.tobytes(), 2.0)


IDIOMS = collected(globals())
