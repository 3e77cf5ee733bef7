"""Fixtures of the kernels: small blocks, and a spy on their answers."""

from __future__ import annotations

import pytest
from cases.kernels import Spy, replace_lookup

from xgrad._kernels import numpy_memory


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of some rows, so that small arrays have several."""
    monkeypatch.setattr(numpy_memory, "BLOCK", 64)
    monkeypatch.setattr(numpy_memory, "BYTES", 512)
    monkeypatch.setattr(numpy_memory, "SMALL", 0)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Count the answers of kernels."""
    watching = Spy()
    replace_lookup(monkeypatch, watching)
    return watching
