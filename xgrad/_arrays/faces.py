"""Public names: the module that objects say they are from, and what `dir` lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def publish(face: str, *objects: Any) -> None:
    """Set ``__module__`` of objects from private modules to their public module.

    Tracebacks, pickles and the documentation then name a module that users can import.
    An object that another face has published before keeps its name.
    """
    for item in objects:
        if "._" in item.__module__:
            item.__module__ = face


def public_dir(module: dict[str, Any]) -> Callable[[], list[str]]:
    """Return a ``__dir__`` for a module, which shows its public names.

    It lists ``__all__`` and the names of Python itself, such as ``__doc__``, but no
    helper that the module imports. ``module`` is its ``globals()``.
    """
    return lambda: sorted(
        {*module["__all__"], *(name for name in module if name.startswith("__"))}
    )
