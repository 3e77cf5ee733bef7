"""Arrays that a function finds by name: their methods, and writes into them."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from cases.compare import assert_close

from xgrad import gradient, hessian, jacobian, vjp

DATA = np.random.default_rng(0).normal(size=(6, 3))
TARGET = np.random.default_rng(1).normal(size=6)
ROWS = np.array([0, 2, 2, 5])
BUFFER = np.zeros(3)
X = np.array([0.5, -1.0, 2.0])


@dataclasses.dataclass
class Model:
    """A model with its data, and a place for what it has computed last."""

    data: np.ndarray
    errors: np.ndarray
    parts: list

    def loss(self, p):
        self.errors[:] = self.data.dot(p) - TARGET
        return self.errors.dot(self.errors)

    def loss_of_parts(self, p):
        return sum(part.dot(p).sum() ** 2 for part in self.parts)


def squares(p, data=DATA):
    return np.sum((data.dot(p) - TARGET) ** 2)


def enclosing(data):
    return lambda p: np.sum((data.dot(p) - TARGET) ** 2)


def of_model(p):
    return Model(DATA, np.empty(6), []).loss(p)


MODEL = Model(DATA, np.empty(6), [DATA[:2], DATA[2:]])
EXACT = {
    "a global name": lambda p: np.sum((DATA.dot(p) - TARGET) ** 2),
    "a default": squares,
    "a closure": enclosing(DATA),
    "an object": lambda p: MODEL.loss(p),
    "a bound method": MODEL.loss,
    "a new object": of_model,
    "a transpose": lambda p: p @ DATA.T.dot(DATA.dot(p) - 2 * TARGET) + TARGET @ TARGET,
}


@pytest.mark.parametrize("name", EXACT)
def test_methods_of_arrays_take_what_depends_on_x(name):
    f, data = EXACT[name], DATA.copy()
    found, estimate = gradient(f, X, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(found, 2 * DATA.T @ (DATA @ X - TARGET), rtol=1e-12)
    curvature, estimate = hessian(f, X, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(curvature, 2 * DATA.T @ DATA, rtol=1e-12)
    np.testing.assert_array_equal(DATA, data)


def test_methods_of_arrays_in_lists_and_by_rows():
    sums = [DATA[:2].sum(axis=0), DATA[2:].sum(axis=0)]
    found = gradient(MODEL.loss_of_parts, X, method="autodiff")
    assert_close(found, sum(2 * (s @ X) * s for s in sums), rtol=1e-13)
    rows = jacobian(lambda p: DATA[ROWS].dot(p), X, method="autodiff")
    assert_close(rows, DATA[ROWS], rtol=1e-15)
    outer = jacobian(lambda p: TARGET[:2].repeat(2).clip(p[0], 9).sum() * p, X)
    assert outer.shape == (3, 3)


def into_a_buffer(x):
    BUFFER[:] = x
    BUFFER[1:] *= BUFFER[:-1]
    return BUFFER @ BUFFER


def by_out(x):
    np.sin(x, out=BUFFER)
    np.multiply(BUFFER, x, out=BUFFER)
    return BUFFER.sum()


def in_place(x):
    BUFFER.fill(1.0)
    y = BUFFER
    y += x
    y *= x
    return np.prod(BUFFER)


@pytest.mark.parametrize("f", [into_a_buffer, by_out, in_place])
def test_writes_into_an_array_with_a_name(f):
    found, estimate = gradient(f, X, full_output=True)
    assert estimate.method == "autodiff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = gradient(f, X, method="ladder")
        curvature = hessian(f, X, method="central")
    np.testing.assert_allclose(found, right, rtol=1e-8)
    np.testing.assert_allclose(hessian(f, X), curvature, rtol=1e-4, atol=1e-4)
    # What it holds after a call that nothing proves is that of a plain call.
    BUFFER[:] = -1
    gradient(f, X)
    recorded = BUFFER.copy()
    f(X)
    np.testing.assert_array_equal(recorded, BUFFER)


def test_a_named_array_that_is_used_and_changed():
    table = np.ones(1000)

    def f(x):
        first = np.sum(x[0] * table.dot(table))
        table[:] = 2.0
        second = np.sum(x[1] * table.dot(table))
        table[:] = 1.0
        return first**2 + second

    found, estimate = gradient(f, X, full_output=True)
    assert estimate.method == "autodiff"
    assert_close(found, np.array([2e6 * X[0], 4000.0, 0.0]), rtol=1e-13)


@pytest.mark.parametrize("convert", [np.asarray, np.ravel, memoryview, list])
def test_what_a_library_has_seen_is_not_written_into(convert):
    def f(x):
        part = BUFFER[:2]
        before = np.sum(np.linalg.norm(np.asarray(convert(part))))
        BUFFER[:] = x
        return np.sum(np.asarray(convert(part))) + 0 * before + x[2]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = gradient(f, X)
    np.testing.assert_allclose(found, np.ones(3), rtol=1e-7)


def test_products_with_cotangents_notice_that_named_data_has_changed():
    data = np.ones((100, 20))
    _, pull = vjp(lambda w: data.dot(w) ** 2, np.ones(20))
    pull(np.ones(100))
    data *= 3
    with pytest.raises(TypeError, match="has changed after its use"):
        pull(np.ones(100))


FIRST = BUFFER[:2]


@pytest.mark.parametrize("is_first", [True, False])
def test_two_names_of_one_memory_are_not_parted(is_first):
    def f(x):
        start = FIRST.dot(x[:2]) if is_first else 0
        BUFFER[:] = x**2
        return np.sum(FIRST) * x[2] + 0 * start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = gradient(f, X)
    right = [2 * X[0] * X[2], 2 * X[1] * X[2], X[0] ** 2 + X[1] ** 2]
    np.testing.assert_allclose(found, right, rtol=1e-7)


def test_two_parts_of_one_array_that_nobody_writes_into():
    first, last = DATA[:, :2], DATA[:, 1:]
    found = gradient(
        lambda x: np.sum(first.dot(x[:2]) * last.dot(x[1:])), X, method="autodiff"
    )
    a, b = DATA[:, :2] @ X[:2], DATA[:, 1:] @ X[1:]
    right = np.r_[b @ first, 0] + np.r_[0, a @ last]
    assert_close(found, right, rtol=1e-13)
