"""A verdict on one function says nothing of another one with the same code."""

import warnings

import numpy as np

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
