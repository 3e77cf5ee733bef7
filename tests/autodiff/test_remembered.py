"""A verdict on one function says nothing of another one with the same code."""

import warnings

import numpy as np
import pytest

import xgrad


def _of_text(x):
    return x * len(str(x))


def test_a_refusal_is_not_inherited_where_a_global_name_has_changed():
    names = {"np": np, "part": _of_text}
    x = np.array([1.0, 2.0])
    text = "lambda x: np.sum(part(x))"
    code = compile(text, "<notebook>", "eval")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xgrad.gradient(eval(code, names), x)
    names["part"] = np.sin
    slopes = xgrad.gradient(eval(code, names), x, method="autodiff")
    np.testing.assert_allclose(slopes, np.cos(x), rtol=1e-12)


def test_a_proof_of_pytorch_holds_for_no_other_function():
    """PyTorch does not tell one branch from another, and nor does the code."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for kind in ("square", "detached"):

        def f(x, kind=kind):
            return (x * (x.detach() if kind == "detached" else x)).sum()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slopes = xgrad.gradient(f, x)
        np.testing.assert_allclose(slopes, 2 * x, rtol=1e-6)


@pytest.mark.parametrize("collect", [lambda f: (f,), lambda f: [f], lambda f: {0: f}])
def test_a_proof_is_not_inherited_by_other_functions_in_a_collection(collect):
    def calling(f):
        functions = collect(f)
        return lambda x: functions[0](x)

    x = np.array([1.0, 2.0])
    xgrad.jacobian(calling(lambda x: x**3), x)
    f = calling(lambda x: x**2 if type(x) is np.ndarray else x**3)
    with pytest.warns(RuntimeWarning, match="takes differences"):
        found = xgrad.jacobian(f, x, vectorized=False)
    np.testing.assert_allclose(found, np.diag(2 * x), rtol=1e-6)


def test_a_refusal_is_not_inherited_where_an_inner_function_encloses_another():
    def calling(f):
        def inner(x):
            return f(x)

        return lambda x: np.sum(inner(x))

    x = np.array([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xgrad.gradient(calling(_of_text), x)
    found = xgrad.gradient(calling(np.cos), x, method="autodiff")
    np.testing.assert_allclose(found, -np.sin(x), rtol=1e-12)


def test_a_refusal_is_not_inherited_where_an_inner_function_has_another_default():
    def calling(name):
        def inner(x, name=name):
            return len(str(x)) * x if name == "text" else np.cos(x)

        return lambda x: np.sum(inner(x))

    x = np.array([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xgrad.gradient(calling("text"), x)
    found = xgrad.gradient(calling("cosine"), x, method="autodiff")
    np.testing.assert_allclose(found, -np.sin(x), rtol=1e-12)


@pytest.mark.parametrize("collect", [lambda c: (c,), lambda c: {"c": c}, lambda c: [c]])
def test_a_proof_is_not_inherited_by_arrays_of_other_shapes(collect):
    """A function may do another thing for them, which stand-ins do not show."""

    def polynomial(x, coefficients):
        if isinstance(x, np.ndarray):  # not for a stand-in, in the first attempt
            coefficients = coefficients.reshape(*coefficients.shape, 1, 1)
        return sum(c * x**i for i, c in enumerate(coefficients))

    def calling(coefficients):
        held = collect(coefficients)

        def f(x):
            (inner,) = held.values() if isinstance(held, dict) else held
            return np.sum(polynomial(x, inner))

        return f

    x = np.array([[0.5, 1.5], [-0.7, 0.3]])
    vector, matrix = np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0], [3.0, 5.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [xgrad.gradient(calling(c), x) for c in (vector, matrix)]
    np.testing.assert_allclose(found[0], 2.0 + 6 * x, rtol=1e-12)
    np.testing.assert_allclose(found[1], np.full((2, 2), 8.0), rtol=1e-12)
