"""Type aliases of arrays. Both are `Any`, since xgrad runs on every array library."""

from __future__ import annotations

from typing import Any, TypeVar

Array = Any
# Says in a signature that the result is an array of the same library as the argument.
ArrayT = TypeVar("ArrayT")
