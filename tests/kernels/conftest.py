"""Fixtures of the kernels: one module of them, small blocks, a spy on their answers."""

from __future__ import annotations

import sys

import pytest
from cases.kernels import MODULES, Spy, find_in, replace_lookup

from xgrad._kernels import numba_calls, numpy_memory


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let kernels of one module alone answer, for arrays of any size."""
    name: str = request.param
    least = 1 if name == "numba" else sys.maxsize
    for limit in ("LEAST", "LEAST_BESIDE_FEW_STEPS", "LEAST_TO_COMPILE"):
        monkeypatch.setattr(numba_calls, limit, least)
    # Or else small arrays of later tests would be computed by what is compiled here.
    monkeypatch.setattr(numba_calls, "_ready", set())
    return name


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of some rows, so that small arrays have several.

    Those of compiled kernels are as they were compiled.
    """
    monkeypatch.setattr(numpy_memory, "BLOCK", 64)
    monkeypatch.setattr(numpy_memory, "BYTES", 512)
    monkeypatch.setattr(numpy_memory, "SMALL", 0)


@pytest.fixture
def spy(module: str, monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Count the answers of kernels."""
    watching = Spy(find_in(module))
    replace_lookup(monkeypatch, watching)
    return watching
