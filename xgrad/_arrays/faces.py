"""Names of public objects: the module that users import them from."""

from __future__ import annotations

from typing import Any


def publish(face: str, *objects: Any) -> None:
    """Set ``__module__`` of objects from private modules to their public module.

    Tracebacks, pickles and the documentation then name a module that users can import.
    An object that another face has published before keeps its name.
    """
    for item in objects:
        if "._" in item.__module__:
            item.__module__ = face
