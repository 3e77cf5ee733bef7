"""Notes on errors of the caller's function, and hints for names that are missing."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import xgrad

X = np.linspace(0.5, 1.0, 3)
ONE_ARGUMENT = "xgrad calls a function with one argument"
PICKLE = "other processes get the function by pickle"


def of_none():
    return 1.0


def of_two(weights, bias):
    return np.sum(weights) + np.sum(bias)


ONE_TOO_FEW = xgrad.custom_vjp(np.sin, lambda x: x)


def notes(call):
    """Return the notes of the error that a call raises, as one text."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call()
    return "\n".join(getattr(raised.value, "__notes__", []))


@pytest.mark.parametrize("method", ["auto", "central", "ladder"])
@pytest.mark.parametrize("x", [X, (X, X)])
def test_a_function_of_several_arguments_is_explained(method, x):
    assert ONE_ARGUMENT in notes(lambda: xgrad.gradient(of_two, x, method=method))


@pytest.mark.parametrize(
    "call",
    [
        lambda: xgrad.gradient(of_none, X),
        lambda: xgrad.check_gradient(of_two, X, X),
        lambda: xgrad.check_gradient(np.sum, of_two, X),
        lambda: xgrad.jacobian(of_two, X),
        lambda: xgrad.vjp(of_two, X),
        lambda: xgrad.plot.gradient_field(of_two, (0, 1), (0, 1)),
    ],
)
def test_other_calls_of_such_a_function_are_explained(call):
    text = notes(call)
    assert text.count(ONE_ARGUMENT) == 1


@pytest.mark.parametrize(
    ("f", "vjp"), [(of_two, np.sin), (np.sin, lambda a: a), (np.sin, of_two)]
)
def test_arguments_of_backward_passes_are_explained(f, vjp):
    is_right = vjp is of_two  # one input and one cotangent
    text = notes(lambda: xgrad.check_vjp(f, vjp, X))
    assert ("xgrad calls `f(*inputs)`, and `vjp(" in text) != is_right


@pytest.mark.parametrize(
    "call",
    [
        # The caller's own mistake, inside of the function.
        lambda: xgrad.gradient(lambda x: of_two(x), X),
        # This function has a third argument besides `x` and `args`.
        lambda: xgrad.gradient(lambda x, a, b: np.sum(x), X, args=(1,)),
        # A backward pass inside of the function takes too few.
        lambda: xgrad.gradient(lambda x: np.sum(ONE_TOO_FEW(x)), X),
        # Here functions take several arguments.
        lambda: xgrad.check_vjp(of_two, of_two, (X,)),
    ],
)
def test_other_errors_have_no_such_note(call):
    assert ONE_ARGUMENT not in notes(call)


@pytest.mark.parametrize("method", ["auto", "central"])
def test_functions_of_numpy_for_arrays_of_torch_are_explained(method):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for x in (torch.ones(3), {"a": torch.ones(3)}):

        def f(x):
            x = x if isinstance(x, torch.Tensor) else x["a"]
            return np.sum(x**2, axis=0)

        text = notes(lambda x=x, f=f: xgrad.gradient(f, x, method=method))
        assert "xgrad calls `f` with arrays of torch" in text


@pytest.mark.parametrize("method", ["auto", "central"])
def test_errors_of_numpy_on_its_own_arrays_have_no_note(method):
    call = lambda: xgrad.gradient(lambda x: np.sum(x, axes=0), X, method=method)  # noqa: E731
    assert "arrays of" not in notes(call)


class Pickling:
    """An executor that sends everything by pickle, as one of processes does."""

    def submit(self, function, *arguments):
        return pickle.dumps((function, arguments))


def test_functions_that_cannot_be_pickled_are_explained():
    options = {"method": "central", "vectorized": False}

    def local(x):
        return np.sum(x)

    for f in (local, lambda x: np.sum(x)):
        call = lambda f=f: xgrad.gradient(f, X, workers=Pickling(), **options)  # noqa: E731
        assert PICKLE in notes(call)

    def fails(x):
        raise TypeError("cannot pickle this")

    assert PICKLE not in notes(lambda: xgrad.gradient(fails, X, **options))


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("from xgrad.metrics import f1_score", "use `xgrad.metrics.f1`"),
        ("from xgrad.metrics import f1, f1_score", "use `xgrad.metrics.f1`"),
        ("from xgrad.losses import mse as m", "use `xgrad.losses.mean_squared_error`"),
        ("from xgrad import grad", "use `xgrad.gradient`"),
        ("from xgrad.losses import hubert", "cannot import name 'hubert'"),
    ],
)
def test_an_import_tells_the_own_name(code, hint):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: cannot import name")
    assert hint in last


def test_a_missing_name_is_no_import_elsewhere():
    assert not hasattr(xgrad.metrics, "f1_score")
    assert getattr(xgrad, "grad", None) is None
