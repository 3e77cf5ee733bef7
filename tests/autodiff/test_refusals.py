"""Functions that cannot be recorded say so, with what to write instead."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from cases.tape import slope_by_differences, slope_on_tape

import xgrad
from xgrad._tracing import NotTraceableError

X = np.array([0.3, 1.4, 0.8, 1.9, 0.6])
ANOTHER = r"assignment into another array|operation in place on another array|out="


def plain():
    """An array that no stand-in knows of."""
    return np.zeros(5)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: np.copyto(plain(), x),
        lambda x: np.put(plain(), [0], x[:1]),
        lambda x: np.putmask(plain(), X > 1, x),
        lambda x: np.place(plain(), X > 1, x),
        lambda x: np.put_along_axis(plain(), np.array([1]), x[:1], 0),
        lambda x: np.fill_diagonal(np.zeros((5, 5)), x),
        lambda x: np.add.at(plain(), [0, 1], x[:2]),
        lambda x: np.multiply.at(plain(), [0, 1], x[:2]),
        lambda x: np.add(x, 1, out=plain()),
        lambda x: np.modf(x, out=(plain(), None)),
        lambda x: np.sum(x, out=np.zeros(())),
        lambda x: np.add.reduce(x, out=np.zeros(())),
        lambda x: np.cumsum(x, 0, None, plain()),
        lambda x: x.clip(0, 1, plain()),
    ],
)
def test_nothing_is_written_into_arrays_that_nobody_watches(write):
    with pytest.raises(NotTraceableError, match=ANOTHER) as refusal:
        slope_on_tape(lambda x: (write(x), np.sum(x))[1], X)
    assert re.search(r"make|use", refusal.value.remedy)


@pytest.mark.parametrize(
    ("f", "pattern"),
    [
        (lambda x: np.polyfit(X, x, 2, full=True)[0], r"polyfit"),
        (lambda x: np.histogram(x, "auto")[1], r"histogram"),
        (lambda x: np.unique(x[:, None], axis=0), r"unique"),
        (lambda x: np.percentile([1.0, 2.0], x), r"percentile"),
        (lambda x: np.compress(x, [1.0, 2.0, 3.0, 4.0, 5.0]), r"compress"),
        (lambda x: np.take(x, x), r"index computed from x"),
        (lambda x: x.view(np.int64), r"view"),
        (lambda x: np.linspace(x[0], 1.0, 1), r"linspace"),
        (lambda x: np.vander(x, 1), r"vander"),
        (lambda x: np.interp(X, [1.0], x[:1]), r"interp"),
        (lambda x: np.interp(X, X, x, period=x[0]), r"interp"),
        (lambda x: np.digitize(X, x), r"digitize"),
        (lambda x: np.log(x, where=X > 1), r"log\(where=\) without `out`"),
        (lambda x: np.sin(x, order="F"), r"sin with \['order'\]"),
        (lambda x: np.add.at(x * 1, x, 1.0), r"add.at an index computed from x"),
        (lambda x: np.frompyfunc(abs, 1, 1)(x), r"no rule"),
        (lambda x: x.astype(object), r"no rule"),
        (lambda x: x.astype("U9"), r"no rule"),
        (lambda x: np.array_equal(x, X, equal_nan=True), r"array_equal"),
        (
            lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, writeable=True),
            r"windo",
        ),
        (lambda x: np.pad(x, 1, mode="reflect", reflect_type="odd"), r"reflect_type"),
        (lambda x: np.median(x, overwrite_input=True), r"overwrite_input"),
        (lambda x: np.max(x, where=X > 1), r"initial"),
        (lambda x: pickle.dumps(x * 2), r"pickle"),
    ],
)
def test_no_argument_is_dropped_in_silence(f, pattern):
    with pytest.raises(NotTraceableError, match=pattern):
        slope_on_tape(lambda x: (f(x), np.sum(x))[1], X)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_by_python_have_memory_of_their_own(copied):
    def f(x):
        y = copied(x)
        y[0] = 7.0
        return y * x

    found, expected = slope_on_tape(f, X), slope_by_differences(f, X)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-8)


@pytest.mark.parametrize(
    "returned",
    [np.real_if_close, np.real, np.asanyarray, np.nan_to_num, np.positive, np.squeeze],
)
def test_what_may_return_its_argument_never_writes_into_the_caller_s_array(returned):
    def f(x):
        y = returned(x) if returned is not np.asanyarray else x
        y[1] = 5.0
        y += 1
        return np.sum(y**2)

    x = X.copy()
    slope_on_tape(f, x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        # The mean of the slopes on both sides of an entry of the table.
        (lambda x: np.interp(x, [0, 1, 2], [0, 3, 1]), [1.0, 0.5, 1.5], [0.5, 3, -2]),
        (
            lambda x: np.interp(x, [0, 1], [0, 3]),
            [0.0, 1.0, -1.0, 2.0],
            [1.5, 1.5, 0, 0],
        ),
        (lambda x: np.interp(x, [0, 1], [2, 3], left=0.0), [0.0], [1.0]),
        (lambda x: np.nan_to_num(x), [np.nan, np.inf, 1.0], [0, 0, 1]),
        (lambda x: np.modf(x)[0], [-1.25, 0.5], [1, 1]),
        (lambda x: np.frexp(x)[0], [0.0, 8.0], [1, 1 / 16]),
    ],
)
def test_slopes_at_corners(f, x, slope):
    weights = slope_on_tape(lambda x: x, np.asarray(x)).gradient
    found = slope_on_tape(f, np.asarray(x)).gradient
    np.testing.assert_allclose(found, weights * slope, rtol=1e-12)


def test_largest_so_far_shares_ties():
    x = np.array([1.0, 1.0, 0.5])
    found = slope_on_tape(lambda x: np.maximum.accumulate(x)[1:2], x).gradient
    assert found[0] == found[1] != 0
    assert found[2] == 0


class TypingError(Exception):
    """An error as compiled code raises it where an array is recorded."""


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("numba.core.errors", r"Numba has compiled, .*`f\.py_func`"),
        ("compiler", r"is recorded \(TypingError: no types\) at .*: write it with"),
    ],
)
def test_errors_of_compiled_code_are_told_in_a_line(monkeypatch, module, message):
    monkeypatch.setattr(TypingError, "__module__", module)

    def f(x, module=module):  # by which verdicts are told apart
        if type(x) is not np.ndarray:
            raise TypingError("no types\nDuring: typing of an argument")
        return np.sum(x**2)

    with pytest.raises(xgrad.NotDifferentiable, match=message) as caught:
        xgrad.gradient(f, X, method="autodiff")
    assert "\n" not in str(caught.value)
