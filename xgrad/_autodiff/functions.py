"""The registry of rules of functions of all entries: linear algebra and transforms.

Each takes the tape, the operation with its options, the function of plain arrays and
its operands, and returns the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rule = Callable[..., Any]
EVERYWHERE: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of a function by its names."""

    def register(function: Rule) -> Rule:
        for name in names:
            EVERYWHERE[name] = function
        return function

    return register


def keep(tape: Any, base: Any, *edges: Any) -> Any:
    """Return a result that a pull has saved, so that nothing is written into it."""
    result = tape.result(base, *edges)
    if hasattr(result, "kept"):
        result.kept = True
    return result


def like_plain(plain: Any, results: tuple[Any, ...]) -> Any:
    """Return several results as a tuple, of the named kind if the function has one."""
    return type(plain)(*results) if hasattr(plain, "_fields") else results
