"""Exact gradients: what they return, how they are proved, and where they end."""

from __future__ import annotations

import json
import threading
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from cases.calls import counted, told
from cases.compare import assert_close

import xgrad
from xgrad import (
    gradient,
    hessian,
    losses,
    special,
    to_numpy,
    value_and_gradient,
    vjp,
)

X = np.array([0.5, 1.5, 2.0])


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


# Values


def test_a_gradient_is_exact_to_rounding(xp, rng):
    x = rng.normal(size=50)
    found = to_numpy(gradient(lambda v: xp.sum(xp.exp(v) * v), xp.asarray(x)))
    # Two products are added, each of which is rounded.
    rounding = 8 * np.finfo(float).eps * np.exp(x) * (1 + np.abs(x))
    assert (np.abs(found - np.exp(x) * (1 + x)) <= rounding).all()


def test_nested_parameters_take_one_pass():
    p = {"W": np.ones((3, 2)), "b": [np.zeros(2), np.asarray(2.0)]}
    f = counted(lambda p: np.sum(np.tanh(X @ p["W"] + p["b"][0]) * p["b"][1]))
    slopes = gradient(f, p, method="autodiff")
    inner = 2 / np.cosh(X @ p["W"]) ** 2
    assert_close(slopes["W"], X[:, None] * inner, rtol=1e-14)
    assert_close(slopes["b"][0], inner, rtol=1e-14)
    assert_close(slopes["b"][1], np.sum(np.tanh(X @ p["W"])), rtol=1e-14)
    f.calls = 0
    gradient(f, p)
    assert f.calls == 1


def test_rows_and_terms():
    x = np.arange(12.0).reshape(4, 3)
    rows = gradient(lambda v: (v**2).sum(axis=-1), x, axis=-1, method="autodiff")
    assert_close(rows, 2 * x, rtol=1e-15)
    value, slopes = value_and_gradient(lambda v: v**2, X, terms=True)
    assert value == np.sum(X**2)
    assert_close(slopes, 2 * X, rtol=1e-15)


def test_a_batched_function_gets_its_axis():
    slopes = gradient(lambda v: (v**2).sum(axis=-1), X, vectorized=True)
    assert_close(slopes, 2 * X, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_the_dtype_of_x_stays(dtype):
    x = np.array([1, 2, 3], dtype=dtype)
    slopes = gradient(lambda v: (v * np.float64(2) * v).sum(), x)
    assert slopes.dtype == (dtype if dtype != "int64" else np.float64)
    assert_close(slopes, [4, 8, 12], rtol=1e-3)


def test_further_arguments_and_results_beside():
    def f(x, a, power):
        return (a * x**power).sum(), {"doubled": 2 * x, "name": "f"}

    (value, aux), slopes = value_and_gradient(f, X, args=(3.0, 2), has_aux=True)
    assert value == np.sum(3 * X**2)
    assert_close(slopes, 6 * X, rtol=1e-15)
    assert type(aux["doubled"]) is np.ndarray
    assert aux["name"] == "f"
    assert_close(aux["doubled"], 2 * X, rtol=0)
    slopes, aux = gradient(f, X, args=(3.0, 2), has_aux=True, method="central")
    assert_close(aux["doubled"], 2 * X, rtol=0)
    with pytest.raises(TypeError, match=r"\(result, aux\)"):
        gradient(np.sum, X, has_aux=True)
    with pytest.raises(TypeError, match="must be a tuple"):
        gradient(f, X, args=3.0)


def test_derivatives_within_derivatives_do_not_mix():
    def outer(x):
        return gradient(lambda y: (y**3).sum() * x[0], x)[1]

    assert_close(gradient(outer, X), [3 * 1.5**2, 6 * 1.5 * 0.5, 0], rtol=1e-14)
    one = np.asarray(1.0)
    # Perturbation confusion would give 2.
    assert gradient(lambda x: x * gradient(lambda y: x + y, one), one) == 1


def test_a_derivative_within_a_derivative_is_exact():
    def inner(x):
        return gradient(lambda y: np.sum(x * y**3), x, method="autodiff")

    slopes = gradient(lambda x: np.sum(inner(x) ** 2), X, method="autodiff")
    assert_close(slopes, 54 * X**5, rtol=1e-14)  # of (3 x y**2)**2 at y = x


@pytest.mark.parametrize("function", [special.sigmoid, special.softmax])
def test_assignments_leave_what_special_functions_keep(function):
    def f(x):
        s = x * 1.0
        y = function(s)
        s[0] = 5.0
        total = np.sum(s) + np.sum(y**2)
        y[0] = 5.0
        return total + np.sum(y)

    found = gradient(f, X, method="autodiff")
    assert_close(found, gradient(f, X, method="central"), rtol=1e-9)


def test_losses_and_special_functions_are_single_operations(rng):
    x, labels = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    loss = losses.softmax_cross_entropy
    slopes = gradient(lambda z: loss(z, labels), x, method="autodiff")
    assert_close(slopes, loss.grad(x, labels), rtol=0, atol=0)
    for f in (
        lambda z: (special.softmax(z) ** 2).sum(),
        lambda z: (special.log_softmax(z, axis=0) * z).sum(),
        lambda z: (special.logsumexp(z) ** 2).sum(),
        lambda z: (special.sigmoid(z) ** 3).sum(),
        lambda z: (losses.huber(2 * z, 1 + 0 * z, reduction="none") ** 2).sum(),
        lambda z: (losses.half_squared_error(z, 0 * z, reduction="none") ** 2).sum(),
    ):
        exact = gradient(f, x, method="autodiff")
        assert_close(exact, gradient(f, x, method="central"), rtol=1e-6, atol=1e-8)


def test_a_pull_may_be_called_many_times(xp, rng):
    x = rng.normal(size=5)
    value, pull = vjp(lambda v: v[1:] * v[:-1], xp.asarray(x))
    assert_close(value, x[1:] * x[:-1], rtol=0)
    for cotangent in rng.normal(size=(3, 4)):
        expected = np.zeros(5)
        expected[1:] += cotangent * x[:-1]
        expected[:-1] += cotangent * x[1:]
        assert_close(pull(xp.asarray(cotangent)), expected, rtol=1e-14, atol=1e-15)
    with pytest.raises(ValueError, match="give one number for each entry"):
        pull(xp.asarray(np.ones(3)))


def test_products_in_little_memory_have_the_same_bits(rng):
    def f(v):
        for _ in range(300):
            v = np.sin(v) + 0.1 * np.cos(v[::-1])
        return v

    x = 0.1 * rng.normal(size=2000)
    cotangents = rng.normal(size=(2, 2000))
    peaks, products = [], []
    for max_bytes in (None, 1_000_000):
        vjp(f, x, max_bytes=max_bytes)  # proved
        tracemalloc.start()
        _, pull = vjp(f, x, max_bytes=max_bytes)
        products.append([pull(cotangent) for cotangent in cotangents])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_array_equal(*products)
    assert peaks[1] <= peaks[0] / 3


# Proof


def test_the_first_call_is_proved_and_later_ones_are_one_evaluation():
    f = counted(rosenbrock)
    gradient(f, X)
    assert f.calls <= 12
    f.calls = 0
    gradient(f, X)
    assert f.calls == 1
    f.calls = 0
    gradient(f, np.ones(5))  # another shape is proved again
    assert f.calls > 1


def test_another_branch_is_proved_again_and_loops_of_any_length_are_not():
    f = counted(lambda x: (x**2).sum() if x[0] > 0 else np.sin(x).sum())
    gradient(f, X)
    f.calls = 0
    assert_close(gradient(f, -X), np.cos(X), rtol=1e-15)
    assert f.calls > 1

    def root(x):
        y = x
        while np.max(np.abs(y * y - x)) > 1e-12:
            y = (y + x / y) / 2
        return y.sum()

    g = counted(root)
    gradient(g, X)
    g.calls = 0
    assert_close(gradient(g, 1000 * X), 0.5 / np.sqrt(1000 * X), rtol=1e-9)
    assert g.calls == 1


def test_every_call_is_proved_if_the_environment_says_so(monkeypatch):
    f = counted(rosenbrock)
    gradient(f, X)
    monkeypatch.setenv("XGRAD_PROVE", "1")
    f.calls = 0
    gradient(f, X)
    assert f.calls > 1


def test_a_wrong_backward_pass_is_named_with_both_numbers():
    wrong = xgrad.custom_vjp(lambda x: x**3, lambda x, g: g * 2 * x**2)
    with pytest.raises(ValueError, match=r"by the rules and .* by differences"):
        gradient(lambda x: wrong(x).sum(), X, method="autodiff")
    slopes, messages = told(lambda: gradient(lambda x: wrong(x).sum(), X))
    assert_close(slopes, 3 * X**2, rtol=1e-9)
    assert len(messages) == 1
    assert "a `custom_vjp` is wrong" in messages[0]


def test_a_function_that_looks_at_the_type_of_x_is_still_right():
    def f(x):
        return (x**2).sum() if type(x) is np.ndarray else x.sum()

    slopes, messages = told(lambda: gradient(f, X))
    assert_close(slopes, 2 * X, rtol=1e-9)
    assert len(messages) == 1


def test_constants_that_change_after_their_use_are_copied():
    work = np.ones(2000)

    def f(x):
        work[:] = 1
        y = (x[:1] * work).sum()
        work[:] = 5
        return y + (x[1:2] * work).sum()

    assert_close(gradient(f, X), [2000, 10000, 0], rtol=1e-12)


def test_threads_do_not_mix():
    wrong = []

    def work(factor):
        for _ in range(30):
            slopes = gradient(lambda x: np.sum(np.sin(x) * factor), X)
            if not np.allclose(slopes, np.cos(X) * factor, rtol=1e-14):
                wrong.append(factor)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Where there is no exact derivative


def test_one_warning_names_the_idiom_the_line_and_the_remedy():
    def f(x):
        return complex(x[0]).real * x[1]

    slopes, messages = told(lambda: gradient(f, X))
    assert_close(slopes, [1.5, 0.5, 0], rtol=1e-9)
    assert len(messages) == 1
    assert "complex(x)" in messages[0]
    assert "test_exact.py" in messages[0]
    assert "use `astype`" in messages[0]
    _, messages = told(lambda: gradient(f, X))
    assert messages == []
    with pytest.raises(xgrad.NotDifferentiable, match="complex") as caught:
        gradient(f, X, method="autodiff")
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("method", ["auto", "autodiff", "central", "ladder", "complex"])
def test_a_function_that_uses_nothing_of_its_argument_is_an_error(method):
    net = {"W": X}
    with pytest.raises(ValueError, match="did not use its argument"):
        gradient(lambda W: (net["W"] ** 2).sum(), X, method=method)
    zero = gradient(lambda x: 0 * x.sum(), X, method=method)
    assert not zero.any()


def test_the_textbooks_network_is_left_with_the_array_at_x():
    class Net:
        W = None

        def loss(self):
            return (self.W**2).sum()

    net = Net()

    def f(W):
        net.W = W
        return net.loss()

    for _ in range(2):
        assert_close(gradient(f, X), 2 * X, rtol=1e-15)
        np.testing.assert_array_equal(np.asarray(net.W), X)
    net.W[0] = 7.0  # memory of its own
    assert X[0] == 0.5


def test_errors_of_the_function_are_its_own():
    def f(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        gradient(f, X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: json.loads(json.dumps(list(x)))[0] ** 2 + x[1],
        lambda x: float(sum(Fraction(v) ** 2 for v in x[:1])) + x[1],
        lambda x: np.ndarray.sum(x[:1]) ** 2 + x[1],
        lambda x: memoryview(x)[0] ** 2 + x[1],
        lambda x: checked(list(x))[0] ** 2 + x[1],
    ],
)
def test_errors_of_a_stand_in_alone_are_no_errors_of_the_function(f):
    with pytest.raises(xgrad.NotDifferentiable):
        gradient(f, X, method="autodiff")
    (found, curvature), messages = told(lambda: (gradient(f, X), hessian(f, X)))
    assert "takes differences of `f`" in messages[0]
    np.testing.assert_allclose(found, [1.0, 1.0, 0.0], atol=1e-8)
    np.testing.assert_allclose(curvature, np.diag([2.0, 0, 0]), atol=1e-5)


ALL = {
    "gradient": lambda f, x: xgrad.gradient(f, x),
    "value and gradient": lambda f, x: xgrad.value_and_gradient(f, x),
    "jacobian": lambda f, x: xgrad.jacobian(lambda x: f(x) * x, x),
    "derivative": lambda f, x: xgrad.derivative(lambda x: f(x) + 0 * x, x),
    "hessian": lambda f, x: xgrad.hessian(f, x),
    "jvp": lambda f, x: xgrad.jvp(lambda x: f(x) * x, x, x),
    "hvp": lambda f, x: xgrad.hvp(f, x, x),
    "tangent": lambda f, x: xgrad.tangent_line(f, x),
}


@pytest.mark.parametrize("name", ALL)
def test_differences_by_a_loop_are_one_warning(name):
    def f(x):
        return np.sum(np.array(json.loads(json.dumps(np.asarray(x).tolist()))) ** 2)

    _, messages = told(lambda: ALL[name](f, np.linspace(1, 2, 5)))
    # (None where another call has told it of this code.)
    assert len(messages) <= 1
    assert all("takes differences of `f`" in message for message in messages)


def checked(values):
    """Return values after a library has looked at their types."""
    for value in values:
        if type(value) is not np.float64:
            raise ValueError(f"{value} is no number")
    return values


@pytest.mark.parametrize("option", ["step", "accuracy", "bounds"])
def test_options_of_differences_ask_for_differences(option):
    value = {"step": 1e-3, "accuracy": 4, "bounds": (0, 3)}[option]
    f = counted(rosenbrock)
    gradient(f, X, vectorized=False, **{option: value})
    assert f.calls > 12
    with pytest.raises(ValueError, match="belong to differences"):
        gradient(f, X, method="autodiff", **{option: value})
