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
