"""Dtypes that `xgrad.testing.assert_close` compares, and a test of what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from xgrad.testing import assert_close

FLOATS = ("float32", "float64")
NUMBERS = (*FLOATS, "complex64", "complex128", "int8", "int64", "uint8", "bool")


def assert_refuses(
    actual: Any, desired: Any, match: str | None = None, **tolerances: Any
) -> None:
    """Assert that `assert_close` fails, with a message that matches."""
    with pytest.raises(AssertionError, match=match):
        assert_close(actual, desired, **tolerances)
