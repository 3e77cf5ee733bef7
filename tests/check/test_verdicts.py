"""The matrix of verdicts: right gradients are not failed, and wrong ones not passed."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from cases.gradients import CASES, Case
from cases.mutants import MUTANTS

from xgrad import check_gradient, namespace

xp = namespace("numpy")
DTYPES = ("float64", "float32")
SMOOTH = [case for case in CASES if case.kind == "smooth"]
KINKS = [case for case in CASES if case.kind == "kink"]
# Errors of single precision may hide below what it allows; these do not.
LARGE_MUTANTS = ("sign", "all zero")
shares = pytest.mark.parametrize(
    "cases",
    [SMOOTH[::10], pytest.param(SMOOTH, marks=pytest.mark.thorough)],
    ids=["some", "all"],
)


@functools.cache
def _verdict(case: Case, dtype: str) -> str:
    """What is said of the right gradient."""
    x = np.asarray(case.x, dtype=dtype)
    right = np.asarray(case.grad(xp, x), dtype=dtype)
    return check_gradient(lambda x: case.f(xp, x), right, x).verdict


def _is_stationary(case: Case) -> bool:
    """Whether all slopes are 0 to rounding, which says nothing of a gradient."""
    slopes = np.abs(np.asarray(case.grad(xp, np.asarray(case.x))))
    return float(slopes.max()) <= 1e-12


@functools.cache
def _mutant_verdicts(case: Case, dtype: str) -> dict[str, str]:
    """What is said of wrong ones."""
    x = np.asarray(case.x, dtype=dtype)
    right = np.asarray(case.grad(xp, x), dtype=dtype)
    found = {}
    for name in MUTANTS if dtype == "float64" else LARGE_MUTANTS:
        wrong = MUTANTS[name](right, np.random.default_rng(1), x)
        if wrong is not None:
            wrong = np.asarray(wrong, dtype=dtype)
            report = check_gradient(lambda x: case.f(xp, x), wrong, x)
            found[name] = report.verdict
    return found


def test_there_are_cases_of_every_kind():
    assert len(SMOOTH) >= 40
    assert len(KINKS) >= 10
    assert len(MUTANTS) == 8
    sizes = {case.x.size for case in CASES}
    assert min(sizes) == 1
    assert max(sizes) == 10_000
    largest = [float(np.max(np.abs(case.x))) for case in CASES]
    assert min(filter(None, largest)) <= 2e-7
    assert max(largest) >= 1e8


@pytest.mark.sampled(11)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_right_gradient_is_not_failed(case, dtype):
    assert _verdict(case, dtype) != "fail"


@shares
@pytest.mark.parametrize("dtype", DTYPES)
def test_almost_all_right_gradients_pass(dtype, cases):
    verdicts = [_verdict(case, dtype) for case in cases if not _is_stationary(case)]
    assert len(verdicts) >= 0.9 * len(cases)
    assert verdicts.count("pass") >= 0.95 * len(verdicts)


def test_corners_are_called_so():
    verdicts = {_verdict(case, dtype) for case in KINKS for dtype in DTYPES}
    assert verdicts == {"kink"}


@pytest.mark.sampled(11)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_gradient_is_not_passed(case):
    verdicts = _mutant_verdicts(case, "float64")
    assert "pass" not in verdicts.values(), verdicts


@shares
def test_almost_all_wrong_gradients_are_failed(cases):
    verdicts = [
        verdict
        for case in cases
        for verdict in _mutant_verdicts(case, "float64").values()
    ]
    assert len(verdicts) > 5.2 * len(cases)
    assert verdicts.count("fail") >= 0.99 * len(verdicts)


@pytest.mark.sampled(11)
@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_large_errors_are_not_passed_in_single_precision(case):
    verdicts = _mutant_verdicts(case, "float32")
    assert "pass" not in verdicts.values(), verdicts
