"""Fixtures, the cases that run by default, and what a run says about itself."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import math
import traceback
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from cases.libraries import LIBRARIES, MISSING_IN_NUMPY, Library

import xgrad
from xgrad._evaluation import loop_warning, pace

# Samples for type checkers, one of them wrong on purpose; plugins for other tests.
collect_ignore = [
    "project/user_code",
    "peers/scikit_learn.py",
    "peers/scipy_derivatives.py",
]
# Thousands of dots say no more than these, which fit on a line or two.
TESTS_PER_DOT = 50

# A machine that runs several processes at once may pause any example.
if importlib.util.find_spec("hypothesis"):
    from hypothesis import settings

    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")


@pytest.fixture(params=LIBRARIES)
def xp(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()


def _raise_fault(error: BaseException) -> loop_warning.Reason:
    raise error


@pytest.fixture(scope="session", autouse=True)
def faults_of_xgrad_are_raised() -> Iterator[None]:
    """Raise what fails inside of xgrad, which in use warns and goes a slower way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_warning, "reason_of_fault", _raise_fault)
        yield


@pytest.fixture(scope="session", autouse=True)
def ways_are_not_given_up_for_their_pace() -> Iterator[None]:
    """Let no way depend on the time that it takes on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "SLOWER", math.inf)
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases `thorough` that a `sampled` test leaves out by default.

    Cases are counted in the order of their tables, so that every theme of a table is
    sampled; a number prime to that of the libraries samples all of those, too.
    """
    counts: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("sampled")
        if marker is not None:
            function = item.nodeid.partition("[")[0]
            if counts[function] % marker.args[0]:
                item.add_marker("thorough")
            counts[function] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip a test that itself calls a function which NumPy has in newer versions."""
    try:
        return (yield)
    except AttributeError as error:
        *_, caller, _ = traceback.extract_tb(error.__traceback__)
        is_of_test = Path(caller.filename).is_relative_to(Path(__file__).parent)
        names = [
            n
            for n in MISSING_IN_NUMPY
            if f"'numpy' has no attribute '{n}'" in str(error)
        ]
        if is_of_test and names:
            pytest.skip(f"NumPy {np.__version__} has no {names[0]}")
        raise


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the tests, of which there are thousands.

    Those that count garbage collect it many times, each of which would take half a
    second.
    """
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    backends = {backend.name: backend for backend in xgrad.backends()}
    usable = ", ".join(name for name, backend in backends.items() if backend.available)
    lines = [f"xgrad {xgrad.__version__}, usable backends: {usable}"]
    if not backends["cupy"].available:
        lines.append(f"CuPy is skipped: {backends['cupy'].reason}")
    return "\n".join(lines)


_quiet_tests = itertools.count(1)


def pytest_report_teststatus(
    report: pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Print a dot for some of the tests that passed or were skipped, not for each."""
    passed = report.when == "call" and report.passed
    if hasattr(report, "wasxfail") or not (passed or report.skipped):
        return None
    letter = "" if next(_quiet_tests) % TESTS_PER_DOT else "."
    return report.outcome, letter, report.outcome.upper()
