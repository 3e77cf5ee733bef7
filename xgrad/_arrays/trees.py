"""Nested dicts, lists and tuples of arrays: their leaves, and rebuilding them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

# Deeper than any model, and far below the 1,000 frames of Python's stack, two of which
# a level takes: a container that holds itself ends in a message.
MAX_DEPTH = 100


def leaves(tree: Any, path: str = "x") -> list[tuple[str, Any]]:
    """Return every leaf with its path as the user would write it: ``x['W'][0]``."""
    if isinstance(tree, dict):
        branches: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    else:
        return [(path, tree)]
    if path.count("[") > MAX_DEPTH:
        name = path.partition("[")[0]
        raise ValueError(
            f"`{name}` is nested more than {MAX_DEPTH} levels deep, or contains "
            "itself: pass arrays in fewer containers"
        )
    return [
        leaf for key, value in branches for leaf in leaves(value, f"{path}[{key!r}]")
    ]


def matching_leaves(
    tree: Any, path: str, names: Sequence[str], subject: str
) -> list[tuple[str, Any]]:
    """Return the leaves of a tree in the order of ``names``, those of the leaves of x.

    Containers match by their keys, in whatever order these are. ``subject`` begins the
    message for a tree that is nested in another way.
    """
    named = dict(leaves(tree, path))
    expected = [path + name.removeprefix("x") for name in names]
    if named.keys() != set(expected):
        raise ValueError(
            f"{subject} must be nested as x is, with {', '.join(expected)}; got "
            f"{', '.join(named) or 'nothing'}"
        )
    return [(name, named[name]) for name in expected]


def paths(tree: Any) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every leaf, in the order of `leaves`."""
    if isinstance(tree, dict):
        branches: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    else:
        return [()]
    return [(key, *rest) for key, value in branches for rest in paths(value)]


def rebuild(tree: Any, values: Iterable[Any]) -> Any:
    """Return a tree like ``tree`` with ``values`` at its leaves, in their order."""
    return _build(tree, iter(values))


def _build(node: Any, values: Iterator[Any]) -> Any:
    # Not a closure: one that calls itself would keep all values until the next
    # garbage collection.
    if isinstance(node, dict):
        return {key: _build(child, values) for key, child in node.items()}
    if isinstance(node, (list, tuple)):
        children = [_build(child, values) for child in node]
        if hasattr(node, "_fields"):  # a namedtuple takes its fields one by one
            return type(node)(*children)
        return children if isinstance(node, list) else tuple(children)
    return next(values)


def transform(function: Callable[[str, Any], Any], tree: Any, path: str = "x") -> Any:
    """Return a tree like ``tree`` with ``function(path, leaf)`` at its leaves."""
    return rebuild(tree, [function(p, leaf) for p, leaf in leaves(tree, path)])
