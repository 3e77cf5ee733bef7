"""Reports of gradient checks: what they hold, and how they are shown."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from cases.checked import LARGE, smooth

from xgrad import assert_gradient, check_gradient


def test_the_report_reads_like_a_table(rng):
    f, right, x = smooth(6, rng)
    given = right * np.array([1, 1, 1, 1.1, 1, 1])
    text = str(check_gradient(f, given, x))
    lines = text.splitlines()
    assert lines[0] == "Gradient check: FAIL (the given gradient is wrong)"
    assert lines[3].split()[:4] == ["slope", "along", "given", "measured"]
    assert lines[4].startswith("x[3]")
    assert lines[4].endswith("<--")
    assert "x (6,) float64 (numpy): compared 8 random directions and 6 entries" in text
    assert "evaluations of `f`" in text


def test_the_report_is_frozen_and_counts(rng):
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(x**2)

    x = rng.normal(size=LARGE)
    report = check_gradient(f, lambda x: 2 * x, x)
    assert report.evaluations == len(calls)
    assert report.seconds > 0
    assert report.entries == ()
    assert len(report.directions) == 8
    assert report.worst is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.verdict = "fail"


def test_the_taylor_rate_of_a_linear_function_is_lost_in_rounding():
    report = check_gradient(np.sum, np.ones_like, np.arange(4.0))
    assert report.verdict == "pass"
    assert math.isnan(report.taylor_rate)


def test_the_assertion_shows_the_table(rng):
    f, right, x = smooth(6, rng)
    assert_gradient(f, right, x)
    with pytest.raises(AssertionError, match=r"(?s)Gradient check: FAIL.*x\[5\]"):
        assert_gradient(f, right + np.eye(6)[5], x)
    with pytest.raises(AssertionError, match="KINK"):
        assert_gradient(lambda x: np.sum(np.abs(x)), np.sign, np.zeros(2))


def _sum_of_cubes(x):
    return np.sum(x**3)


def _with_one_wrong_entry(x):
    return 3 * x**2 - np.array([0, 0, 9])


AT = np.array([1.0, 2.0, 3.0])


def test_the_first_line_of_a_failure_is_the_verdict_and_the_worst_entry():
    with pytest.raises(AssertionError) as raised:
        assert_gradient(_sum_of_cubes, _with_one_wrong_entry, AT)
    first, blank, *table = str(raised.value).splitlines()
    assert first == "gradient check: FAIL, x[2] is 18, measured 27"
    assert blank == ""
    assert table[0].startswith("Gradient check: FAIL (")
    with pytest.raises(AssertionError) as raised:
        assert_gradient(lambda x: np.nan * np.sum(x), np.sign, np.zeros(2))
    first, *_ = str(raised.value).splitlines()
    assert first.startswith("gradient check: INCONCLUSIVE, f(x) is nan")


def test_a_report_is_one_line_in_a_list():
    report = check_gradient(_sum_of_cubes, _with_one_wrong_entry, AT)
    assert repr(report) == (
        "GradientReport(fail; x[2] is 18, measured 27; all of the difference lies in "
        "x[2])"
    )
    assert repr(check_gradient(_sum_of_cubes, lambda x: 3 * x**2, AT)).startswith(
        "GradientReport(pass; x["
    )
    along = check_gradient(lambda x: np.sum(np.abs(x)), np.sign, np.zeros(500))
    assert "kink; the slope along direction " in repr(along)
    assert "\n" not in repr(along)


def test_a_report_is_a_table_in_notebooks():
    report = check_gradient(_sum_of_cubes, _with_one_wrong_entry, AT)
    page = report._repr_html_()
    assert page.count("<tr>") == 1 + 8
    assert "<td>x[2]</td><td>18</td><td>27</td>" in page
    assert "&lt;--" in page
    # What the text says, the page says.
    for line in str(report).splitlines():
        if not line.startswith(("slope", "x[", "direction")):
            assert line in page
    empty = check_gradient(lambda x: np.nan * np.sum(x), np.sign, np.zeros(2))
    assert "<table>" not in empty._repr_html_()
