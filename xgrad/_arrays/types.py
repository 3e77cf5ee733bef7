"""Type aliases for arrays, which are `Any`: xgrad runs on every array library."""

from __future__ import annotations

from typing import Any, TypeVar

Array = Any
ArrayT = TypeVar("ArrayT")
