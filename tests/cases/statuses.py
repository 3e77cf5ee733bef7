"""The warning of components that are not OK, as tests expect it."""

from __future__ import annotations

from typing import Any

import pytest


def warns_of(status: str) -> Any:
    """Expect the warning that names a status first."""
    return pytest.warns(RuntimeWarning, match=rf"not OK \((the first: )?{status} at")
