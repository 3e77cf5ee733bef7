"""Stand-ins that outlive the call they were made for: each acts as its base.

A function may keep its values: as a history, to begin the next solution with, or as the
layers of a model. Once the call is over, all that is left to know of them is the array
at x.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xgrad._arrays import is_standin, unwrap, wrap_like


def is_closed(x: Any) -> bool:
    """Whether ``x`` stands for an array in a call that is over."""
    x = unwrap(x)
    return is_standin(x) and x.tracer.closed


def any_closed(arguments: Iterable[Any]) -> bool:
    """Whether one of some arguments is closed, or one in their lists."""
    for argument in arguments:
        if isinstance(argument, (tuple, list)):
            if any_closed(argument):
                return True
        elif is_closed(argument):
            return True
    return False


def released(value: Any) -> Any:
    """Return arguments with the base of each closed stand-in in its place."""
    if isinstance(value, (tuple, list)):
        items = [released(item) for item in value]
        # A named tuple takes its fields one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: released(item) for key, item in value.items()}
    if is_closed(value):
        # The base was recorded itself where a call was within another one.
        return released(wrap_like(unwrap(value).base, value))
    return value
