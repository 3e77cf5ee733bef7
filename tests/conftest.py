"""Fixtures of all tests, and what a run says about itself."""

from __future__ import annotations

import numpy as np
import pytest
from cases.libraries import LIBRARIES, Library

import xgrad

# Samples for type checkers: one of them is wrong on purpose.
collect_ignore = ["project/user_code"]


@pytest.fixture(params=LIBRARIES)
def xp(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


def pytest_report_header() -> str:
    backends = {backend.name: backend for backend in xgrad.backends()}
    usable = ", ".join(name for name, backend in backends.items() if backend.available)
    lines = [f"xgrad {xgrad.__version__}, usable backends: {usable}"]
    if not backends["cupy"].available:
        lines.append(f"CuPy is skipped: {backends['cupy'].reason}")
    return "\n".join(lines)
