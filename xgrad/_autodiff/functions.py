"""The rules of functions of all entries: linear algebra and transforms."""

from __future__ import annotations

from typing import Any

EVERYWHERE: dict[str, Any] = {}
