"""Frozen options that equal calls share, so that they are checked once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Values of other types, such as arrays and executors, must neither be compared nor stay
# alive in a cache.
PLAIN_TYPES = frozenset({str, int, bool, type(None)})
# Far more than the combinations of options that one program uses.
MOST_SHARED = 128


def share_equal(make: Callable[P, T]) -> Callable[P, T]:
    """Return the function ``make``, which returns one value for equal plain options."""
    cached = functools.lru_cache(maxsize=MOST_SHARED, typed=True)(make)

    @functools.wraps(make)
    def share(*args: P.args, **options: P.kwargs) -> T:
        if PLAIN_TYPES.issuperset(map(type, options.values())):
            return cached(*args, **options)  # type: ignore[arg-type]
        return make(*args, **options)

    return share
