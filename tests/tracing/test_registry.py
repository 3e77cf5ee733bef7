"""The table of functions: names, arguments, creation, overrides, and its page."""

import numpy as np
import pytest
from cases.compare import assert_close
from cases.differences import gradient, jacobian, way_name
from cases.libraries import MISSING_IN_NUMPY
from tools import functions_page

from xgrad._batched.overrides import OVERRIDES
from xgrad._tracing import FUNCTIONS

X = np.linspace(0.3, 1.7, 6)


def assert_batched(f, x=X):
    """The derivative is that of a loop, and no loop has computed it."""
    derivative = jacobian if np.ndim(f(x)) else gradient
    slopes = derivative(f, x)
    assert way_name(f) in ("sparse", "dense")
    assert_close(slopes, derivative(f, x, vectorized=False), rtol=1e-8, atol=1e-9)


# Creation functions


def filled(make):
    """Return a function that writes into the array that another one makes."""

    def f(x):
        array = make(x)
        array[0] = x[0] ** 2
        array[1:] = array[1:] + x[1] * x[2]
        return array

    return f


WRITTEN = {
    "zeros": lambda x: np.zeros(3, like=x),
    "zeros of a shape": lambda x: np.zeros((3, 2), float, like=x),
    "zeros as a dtype": lambda x: np.zeros(3, dtype=np.float32, like=x),
    "ones": lambda x: np.ones(3, like=x),
    "empty": lambda x: np.empty(3, like=x) * 0.0,
    "full": lambda x: np.full(3, 2.0, like=x),
    "full of an entry": lambda x: np.full(3, x[3], like=x),
    "full of a shape": lambda x: np.full((3, 2), fill_value=1.5, like=x),
    "arange": lambda x: np.arange(3.0, like=x),
    "arange with a step": lambda x: np.arange(0, 3, 0.5, like=x),
    "eye": lambda x: np.eye(3, like=x),
    "identity": lambda x: np.identity(3, like=x),
    "tri": lambda x: np.tri(3, like=x),
    "array": lambda x: np.array([1.0, 2.0, 3.0], like=x),
    "array of entries": lambda x: np.array([x[0], x[1], 2.0], like=x),
    "array of rows": lambda x: np.array([[x[0], 1.0], [x[1], x[2]]], like=x),
    "array of x": lambda x: np.array(x, like=x),
    "asarray of entries": lambda x: np.asarray([x[0], 2.0, x[1]], dtype=float, like=x),
    "asanyarray": lambda x: np.asanyarray([1.0, 2.0], like=x),
    "ascontiguousarray": lambda x: np.ascontiguousarray([1.0, 2.0], like=x),
}


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
@pytest.mark.parametrize("name", WRITTEN)
def test_arrays_made_like_x_can_be_written_into(name, dense, monkeypatch):
    monkeypatch.setenv("XGRAD_DENSE", str(int(dense)))
    assert_batched(filled(WRITTEN[name]))


def test_an_array_made_like_x_is_a_constant_until_it_is_written_into():
    assert_batched(lambda x: np.sum(np.arange(6.0, like=x) * x**2))


def test_a_copy_is_made_by_array_and_none_by_asarray():
    def copied(x):
        array = np.array(x, like=x)
        array[0] = 5.0
        return np.sum(x**2) + np.sum(array**3)

    def same(x):
        x = x * 1.0
        array = np.asarray(x, like=x)
        array[0] = 5.0
        return np.sum(x**2) + np.sum(array**3)

    assert_batched(copied)
    assert_batched(same)


# Arguments


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x**2, None, None, None),
        lambda x: np.sum(x**2, 0, None, None, True)[0],
        lambda x: (x**2).sum(axis=0, out=None),
        lambda x: np.mean(x**2, 0, None, None),
        lambda x: np.max(x, 0, None),
        lambda x: np.ptp(x, 0, None, True)[0],
        lambda x: np.var(x, 0, None, None, 1),
        lambda x: np.std(x, 0, None, None, 1, True)[0],
        lambda x: np.prod(x, 0, None, None),
        lambda x: np.cumsum(x**2, 0, None, None)[-1],
        lambda x: np.argmax(x, 0, None) + np.sum(x),
        lambda x: np.clip(x, 0.5, 1.0, None)[2] + x[0],
        lambda x: np.sum(np.take(x, [0, 2], 0, None)),
        lambda x: np.trace(x.reshape(2, 3) ** 2, 0, 0, 1, None, None),
        lambda x: np.dot(x, x, None),
        lambda x: np.sum(np.concatenate([x, x**2], 0, None)),
        lambda x: np.reshape(x, (2, 3), "F")[1, 0] ** 2,
        pytest.param(
            lambda x: np.reshape(x, shape=(3, 2))[1, 0] ** 2,
            marks=pytest.mark.skipif(
                "unstack" in MISSING_IN_NUMPY, reason="NumPy 2.1 called it `shape`"
            ),
        ),
        lambda x: x.reshape(2, -1, order="F")[1, 0] ** 2,
        lambda x: np.transpose(x.reshape(2, 3), None)[1, 0] ** 2,
        lambda x: x.reshape(1, 2, 3).transpose(2, 0, 1)[1, 0, 1] ** 2,
    ],
)
def test_arguments_by_position_and_out_none(f):
    assert_batched(f)


@pytest.mark.parametrize(
    ("f", "pattern"),
    [
        (lambda x: np.sum(x, out=np.empty(())), r"sum\(out=\).*make a new array"),
        (lambda x: np.sum(x, None, None, np.empty(())), r"sum\(out=\)"),
        (
            lambda x: np.median(x, overwrite_input=True),
            r"median.*overwrite_input.*write",
        ),
        (lambda x: np.max(x, initial=0, where=x > 1), ""),
    ],
)
def test_arguments_that_a_function_lacks_are_named(f, pattern):
    if not pattern:
        return assert_batched(f)
    with pytest.warns(RuntimeWarning, match=pattern):
        gradient(f, X)
    return None


# The table


@pytest.mark.skipif(bool(MISSING_IN_NUMPY), reason="it shows those of NumPy 2.2")
def test_the_page_of_functions_is_that_of_the_table():
    pytest.importorskip("scipy", reason="some of the functions are SciPy's")
    assert functions_page.PATH.read_text(encoding="utf-8") == functions_page.written()


def test_overrides_agree_with_the_functions_that_they_replace(monkeypatch):
    def f(x):
        y = np.concatenate([x[1:], x[:2] ** 2, np.ones(2)])
        return np.sum(np.cumsum(y) ** 2) + np.var(y[:5]) + np.std(y, ddof=1)

    expected = gradient(f, X)
    for override in list(OVERRIDES):
        monkeypatch.delitem(OVERRIDES, override)
    assert_batched(f)
    assert_close(gradient(f, X), expected, rtol=1e-8, atol=1e-9)


def test_names_of_functions_lead_to_functions():
    assert all(map(callable, FUNCTIONS.values()))
    assert len(FUNCTIONS) > 200
