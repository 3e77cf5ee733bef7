"""Loops over points are never silent, and no error of xgrad itself is swallowed."""

import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest
from cases.differences import AUTO, gradient, hessian, jacobian

import xgrad
from xgrad._autodiff import tape
from xgrad._evaluation import loop_warning
from xgrad._evaluation.loop_warning import Reason, is_fault
from xgrad._tracing import FUNCTIONS, PACKAGE
from xgrad.check import check_gradient

X = np.linspace(0.5, 2.0, 400)
MANY_POINTS = 20


def cubes(x):
    return np.sum(x**3)


@pytest.fixture
def in_use(monkeypatch):
    """Take errors inside of xgrad as in use, where tests raise them."""
    monkeypatch.setattr(loop_warning, "reason_of_fault", reason_of_fault)


def reason_of_fault(error):
    return Reason(f"an error inside of xgrad ({error!r}): please report it", True)


def broken_sum(monkeypatch, error=ZeroDivisionError):
    """Let the function `sum` of the hidden axis fail where there are many points."""
    plain = FUNCTIONS["sum"]

    def broken(x, *args, **kwargs):
        if x.tracer.points > MANY_POINTS:
            raise error("at many points")
        return plain(x, *args, **kwargs)

    monkeypatch.setitem(FUNCTIONS, "sum", broken)


class Counting:
    """A function that counts its calls."""

    def __init__(self, f):
        self.f = f
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return self.f(x)


def record(call):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        value = call()
    return value, [w for w in told if w.category is RuntimeWarning]


@pytest.mark.parametrize(
    "options",
    [{}, {"max_bytes": 4000}, {"workers": 2}, {"method": "ladder"}, AUTO],
    ids=str,
)
def test_an_error_inside_of_xgrad_warns_in_use(monkeypatch, in_use, options):
    broken_sum(monkeypatch)
    slopes, told = record(lambda: gradient(cubes, X, **options))
    np.testing.assert_allclose(slopes, 3 * X**2, rtol=1e-7)
    assert len(told) == 1
    assert str(told[0].filename) == __file__
    text = str(told[0].message)
    assert "ZeroDivisionError" in text
    assert "please report it" in text
    assert "one point at a time" in text
    # The same again where the way was proved before.
    slopes, told = record(lambda: gradient(cubes, X, **options))
    np.testing.assert_allclose(slopes, 3 * X**2, rtol=1e-7)
    assert len(told) == 1


@pytest.mark.parametrize("options", [{}, {"max_bytes": 4000}, {"workers": 2}], ids=str)
def test_an_error_inside_of_xgrad_fails_in_tests(monkeypatch, options):
    broken_sum(monkeypatch)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="at many points"):
            gradient(lambda x: np.sum(x**3), X, **options)
    f = Counting(cubes)
    monkeypatch.undo()
    gradient(f, X)  # proved, so that the straight line is next
    broken_sum(monkeypatch)
    with pytest.raises(ZeroDivisionError, match="at many points"):
        gradient(f, X)


def test_an_error_inside_of_xgrad_in_jacobians_and_hessians(monkeypatch, in_use):
    broken_sum(monkeypatch)
    _, told = record(lambda: jacobian(lambda x: x * np.sum(x), X[:60]))
    assert len(told) == 1
    _, told = record(lambda: hessian(cubes, X[:30]))
    assert len(told) == 1


def test_an_error_inside_of_xgrad_is_heard_in_checks(monkeypatch, in_use):
    broken_sum(monkeypatch)
    report, told = record(lambda: check_gradient(cubes, 3 * X[:50] ** 2, X[:50]))
    assert report.verdict == "pass"
    assert ["please report it" in str(w.message) for w in told] == [True]
    _, told = record(
        lambda: check_gradient(
            lambda x: np.sum(x**3) + 0 * float(x[0]), 3 * X[:50] ** 2, X[:50]
        )
    )
    assert told == []


def test_an_error_in_one_way_is_heard_where_the_next_way_is_right(monkeypatch, in_use):
    plain = FUNCTIONS["sum"]

    def broken(x, *args, **kwargs):
        if not x.tracer.dense:
            raise ZeroDivisionError
        return plain(x, *args, **kwargs)

    monkeypatch.setitem(FUNCTIONS, "sum", broken)
    slopes, told = record(lambda: gradient(lambda x: np.sum(x**3), X[:50]))
    np.testing.assert_allclose(slopes, 3 * X[:50] ** 2, rtol=1e-7)
    assert ["in a slower way" in str(w.message) for w in told] == [True]


def test_a_chunk_that_fails_is_the_last_one_that_is_tried(monkeypatch, in_use):
    gradient(cubes, X)
    broken_sum(monkeypatch)
    f = Counting(cubes)
    record(lambda: gradient(f, X, max_bytes=20_000))
    points = 4 * len(X)
    # f(x), some calls for the proof, one chunk that fails, and then one for each point.
    assert points < f.calls < points + 25


def test_the_decision_is_by_the_innermost_frame():
    def caught(call):
        try:
            call()
        except Exception as error:
            return error

    ours = {}
    source = """
def divide(): return 1 / 0
def look_up(): return {}["missing"]
def refuse(): raise ValueError("on purpose")
def call(f): return f()
def shapes(np): return np.ones(3) + np.ones(4)
def memory(): return bytearray(2**62)
def recursion(): return recursion()
"""
    exec(compile(source, f"{PACKAGE}_batched/code.py", "exec"), ours)
    assert is_fault(caught(ours["divide"]))
    assert is_fault(caught(ours["look_up"]))
    assert is_fault(caught(partial(ours["shapes"], np)))
    assert not is_fault(caught(ours["refuse"]))
    assert not is_fault(caught(ours["memory"]))
    assert not is_fault(caught(ours["recursion"]))
    assert not is_fault(caught(lambda: ours["call"](lambda: 1 / 0)))
    assert not is_fault(caught(lambda: 1 / 0))
    assert not is_fault(ZeroDivisionError())


def test_infinite_values_at_a_point_warn_once():
    x = np.linspace(0.5, 1.5, 40)
    x[11] = 1e-9

    def f(x):
        return np.sum(1 / np.maximum(x, 0.0))

    x[11] = 2.0**-12
    slopes, told = record(lambda: gradient(f, x, max_bytes=4000))
    texts = [str(w.message) for w in told]
    assert sum("not finite at some of the points" in text for text in texts) == 1
    rest = np.delete(slopes, 11)
    np.testing.assert_allclose(rest, np.delete(-1 / x**2, 11), rtol=1e-6)


def needs_one_point(x):
    y = x * 1.0
    large = np.maximum(y - 1.999, 0.0)
    try:
        np.linalg.cholesky(np.eye(2) * (1.0 - 1e3 * np.sum(large)))
    except np.linalg.LinAlgError:
        return np.sum(y**3) + 0.0
    return np.sum(y**3)


def test_other_processes_send_their_reason():
    x = np.linspace(0.5, 1.5, 40)
    x[17] = 1.9999
    with ProcessPoolExecutor(2) as workers:
        slopes, told = record(
            lambda: gradient(needs_one_point, x, workers=workers, max_bytes=4000)
        )
    np.testing.assert_allclose(slopes, 3 * x**2, rtol=1e-7)
    assert ["LinAlgError" in str(w.message) for w in told] == [True]


# Warnings that name the cause


def told_of(f, x):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        values = gradient(f, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = gradient(f, x, vectorized=False)
    np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-9)
    return [str(w.message) for w in told]


def test_the_line_that_writes_through_a_view_is_named():
    def centred(v):
        v -= v.mean()  # the write
        return v

    def f(x):
        first = centred(x[:16])
        rest = x[16:]
        return np.sum(first**2) + np.sum(rest)

    (message,) = told_of(f, np.linspace(0.5, 1.5, 32))
    assert "v -= v.mean()  # the write" in message


def test_a_question_for_an_attribute_is_no_use_of_it():
    def f(x):
        if hasattr(x, "values"):
            x = x.values
        return np.sum(getattr(x, "numpy", x) ** 2)

    assert told_of(f, np.linspace(0.5, 1.5, 12)) == []
    (message,) = told_of(lambda x: np.sum(x**2) + len(x.tobytes()), np.ones(12))
    assert "the attribute `tobytes`" in message


@pytest.mark.parametrize(
    ("f", "advice"),
    [
        (lambda x: np.sum(np.ones((3, 12)).dot(x)), "`a @ x` for a.dot(x)"),
        (
            lambda x: sum(np.sum(v[1:]) for v in ([x] if np.isscalar(x[0]) else x)),
            "ask np.ndim",
        ),
    ],
)
def test_the_advice_fits(f, advice):
    (message,) = told_of(f, np.linspace(0.5, 1.5, 12))
    assert advice in message


def broken_rule(monkeypatch):
    """Let the way back through sums fail."""

    def fail(*_):
        raise ZeroDivisionError("on the way back")

    monkeypatch.setattr(tape, "spread", fail)


def test_an_error_of_a_rule_is_told_and_differences_are_taken(monkeypatch, in_use):
    broken_rule(monkeypatch)
    with pytest.warns(RuntimeWarning, match="an error inside of xgrad .*way back"):
        found = xgrad.gradient(lambda x: np.sum(x**3), X[:3])
    np.testing.assert_allclose(found, 3 * X[:3] ** 2, rtol=1e-8)


def test_an_error_of_a_rule_is_raised_in_tests(monkeypatch):
    broken_rule(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        xgrad.gradient(lambda x: np.sum(x**3), X[:3])


def test_an_error_of_a_custom_pull_is_the_users():
    def pull(x, cotangent):
        raise ZeroDivisionError("mine")

    cubed = xgrad.custom_vjp(lambda x: x**3, pull)
    with pytest.raises(ZeroDivisionError, match="mine"):
        xgrad.gradient(lambda x: np.sum(cubed(x)), X[:3])
