"""The pace of a way to call a function, which gives way to a loop that is faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._evaluation.proved_ways import ProvedWays
from xgrad._evaluation.ways import LOOP

# How many times the time of a loop a chunk may take.
SLOWER = 1.3
# The time that a loop adds to each call: to copy x, to move an entry, to take the
# result. Measured for 2 to 1,000 entries.
LOOP_SECONDS = 2e-6
# So many slow calls end a way, one after the other, or so many chunks of one call: a
# pause of the machine makes one or two slow, and the first one fills its caches.
MOST_CALLS = 3
MOST_CHUNKS = 8


class Stopwatch:
    """A function that measures its fastest call, in seconds."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call
        self.seconds = math.inf

    def __call__(self, x: Any) -> Any:
        """Call the function."""
        start = time.perf_counter()
        result = self.call(x)
        self.seconds = min(self.seconds, time.perf_counter() - start)
        return result


@dataclass(eq=False)
class Pace:
    """Compares the time of the chunks of one call with that of a loop.

    A plain call takes ``plain_seconds``. ``key`` is that of the way in ``memory``,
    which remembers the loop once the way ``is_slow``.
    """

    memory: ProvedWays
    key: Any
    plain_seconds: float
    is_slow: bool = False

    def __post_init__(self) -> None:
        self._chunks, self._seconds, self._points = 0, 0.0, 0
        self._is_counted = False

    def record(self, seconds: float, points: int) -> None:
        """Record the time that a chunk has taken."""
        self._chunks += 1
        self._seconds += seconds
        self._points += points
        slow = self.memory.slow
        loop_seconds = self._points * (self.plain_seconds + LOOP_SECONDS)
        if self._seconds <= SLOWER * loop_seconds:
            slow.pop(self.key, None)
            self._is_counted = False
            return
        if not self._is_counted:
            self._is_counted = True
            slow[self.key] = slow.get(self.key, 0) + 1
        if slow[self.key] >= MOST_CALLS or self._chunks >= MOST_CHUNKS:
            self.is_slow = True
            self.memory.remember(self.key, LOOP, for_its_pace=True)
            slow.pop(self.key, None)
