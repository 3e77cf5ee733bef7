"""The registry of rules of functions of all entries: linear algebra and transforms.

Each takes the tape, the operation with its options, the function of plain arrays and
its operands, and returns the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Rule = TypeVar("Rule", bound=Callable[..., Any])
EVERYWHERE: dict[Any, Any] = {}


def registering(table: dict[Any, Any]) -> Callable[..., Callable[[Rule], Rule]]:
    """Return a decorator that enters a function into a table, by one key or several."""

    def decorator(*keys: Any) -> Callable[[Rule], Rule]:
        def register(function: Rule) -> Rule:
            table.update(dict.fromkeys(keys, function))
            return function

        return register

    return decorator


rule = registering(EVERYWHERE)


def keep(tape: Any, base: Any, *edges: Any) -> Any:
    """Return a result that a pull has saved, so that nothing is written into it."""
    result = tape.result(base, *edges)
    if hasattr(result, "kept"):
        result.kept = True
    return result


def like_plain(plain: Any, results: tuple[Any, ...]) -> Any:
    """Return several results as a tuple, of the named kind if the function has one."""
    return type(plain)(*results) if hasattr(plain, "_fields") else results
