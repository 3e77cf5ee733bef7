"""Calls that are counted, and calls whose warnings are read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any


def counted(f: Callable[[Any], Any]) -> Any:
    """Return a function that counts in ``calls`` how often it is called."""

    def call(x: Any) -> Any:
        call.calls += 1
        return f(x)

    call.calls = 0
    return call


def told(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return the result of a call and its warnings."""
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        return call(), [str(message.message) for message in messages]
