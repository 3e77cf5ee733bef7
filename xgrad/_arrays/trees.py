"""Nested dicts, lists and tuples of arrays. No arrays of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Far from the depth of Python's stack.
DEEPEST = 100


def leaves(tree: Any, path: str = "x") -> list[tuple[str, Any]]:
    """Every leaf with its path as the user would write it: ``x['W'][0]``."""
    if isinstance(tree, dict):
        branches: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    else:
        return [(path, tree)]
    if path.count("[") > DEEPEST:
        name = path.partition("[")[0]
        raise ValueError(
            f"`{name}` is nested more than {DEEPEST} levels deep, or holds itself: "
            "give arrays in fewer containers"
        )
    return [
        leaf for key, value in branches for leaf in leaves(value, f"{path}[{key!r}]")
    ]


def paths(tree: Any) -> list[tuple[Any, ...]]:
    """The keys that lead to every leaf, in the order of `leaves`."""
    if isinstance(tree, dict):
        branches: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    else:
        return [()]
    return [(key, *rest) for key, value in branches for rest in paths(value)]


def rebuild(tree: Any, values: Iterable[Any]) -> Any:
    """A tree like ``tree`` whose leaves are ``values``, in the order of `leaves`."""
    return _built(tree, iter(values))


def _built(node: Any, rest: Iterator[Any]) -> Any:
    # Not a closure: one that calls itself would keep all values until the next
    # garbage collection.
    if isinstance(node, dict):
        return {key: _built(value, rest) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        children = [_built(value, rest) for value in node]
        if hasattr(node, "_fields"):  # a namedtuple takes its fields one by one
            return type(node)(*children)
        return children if isinstance(node, list) else tuple(children)
    return next(rest)


def transform(function: Callable[[str, Any], Any], tree: Any, path: str = "x") -> Any:
    """A tree like ``tree`` with ``function(path, leaf)`` at its leaves."""
    return rebuild(tree, [function(p, leaf) for p, leaf in leaves(tree, path)])
