"""Bad arguments of derivatives are refused, and say what to change."""

import math

import numpy as np
import pytest
from cases.differences import derivative, tangent_line

from xgrad import gradient, hessian, hvp

X = np.array([1.0, 2.0])


def _changing(v):
    return v if v[0] == 1 and v[1] == 1 else np.ones(3)


BAD = [
    (lambda: gradient(lambda v: v, X), r"must return a scalar.*\(2,\).*axis=-1"),
    (lambda: gradient(lambda v: v, X[None], axis=-1), "one number a row"),
    (lambda: gradient(np.sum, X, axis=0), "`axis` must be one of None, -1"),
    (lambda: gradient(np.sum, np.array(1.0), axis=-1), "at least one axis"),
    (lambda: gradient(np.sum, X, method="ladders"), "`method` must be one of"),
    (lambda: gradient(np.sum, X, accuracy=3), "`accuracy` of method='central'"),
    (lambda: gradient(np.sum, X, step=0), "`step` must be finite and not 0"),
    (lambda: gradient(np.sum, X, step=math.nan), "`step` must be finite"),
    (lambda: gradient(np.sum, X, step=np.ones(3)), r"`step` has shape \(3,\)"),
    (lambda: gradient(np.sum, X, step={"a": X}), "`step` has no entry for x"),
    (lambda: gradient(np.sum, X, vectorized="yes"), "`vectorized` must be one of"),
    (lambda: gradient(np.sum, X, vectorized=True), "one point along a leading axis"),
    (lambda: gradient(np.sum, X, max_bytes=0), "`max_bytes` must be at least 1"),
    (lambda: gradient(np.sum, []), "holds no array"),
    (lambda: derivative(np.sum, X), "elementwise; use `gradient`"),
    (lambda: derivative(_changing, np.ones(2)), "one shape everywhere"),
    (lambda: derivative(np.sin, X, order=5), "`order` must be one of"),
    (lambda: tangent_line(lambda v: v[:, None], X), "must return a scalar"),
    (lambda: tangent_line(np.sin, X)(np.ones(3)), "last axes must be those"),
]
WRONG_KIND = [
    (lambda: gradient(3, X), "`f` must be callable"),
    (lambda: gradient(X, np.sum, args=(1,)), "`f` must be callable, but is a numpy"),
    (lambda: hessian(np.sum, X, grad=2), "`grad` must be callable, but is an int"),
    (lambda: hvp(np.sum, X, X, grad=X), "`grad` must be callable, but is a numpy"),
    (lambda: gradient(np.sum, 1.0), "`x` must be an array"),
    (lambda: gradient(np.sum, [1.0, 2.0]), r"`x\[0\]` must be an array"),
    (lambda: gradient(np.sum, {"a": [X, "b"]}), r"`x\['a'\]\[1\]` must be an array"),
    (lambda: gradient(np.sum, X * 1j), "`x` must hold real numbers"),
    (lambda: gradient(np.sum, X > 1), "`x` must hold real numbers"),
    (lambda: gradient(np.sum, np.ma.array(X)), "MaskedArray"),
    (lambda: gradient(np.sum, [X, X], axis=-1), "needs one array"),
    (lambda: gradient(np.sum, {"b": 2.0}), r"a float: .*asarray\(x\['b'\]\)"),
    (lambda: gradient(lambda v: np.sum(v) * 1j, X), r"`f\(x\)` must hold real numbers"),
    (lambda: gradient(lambda v: "text", X), "must return an array or a number"),
    (lambda: gradient(lambda v: None, X), "returned None"),
    (lambda: gradient(np.sum, X, dtype="int32"), "`dtype` must be a real floating"),
    (lambda: gradient(np.sum, X, dtype=7), "`dtype` must be a real floating"),
    (lambda: gradient(np.sum, X, max_bytes=1e6), "`max_bytes` must be an integer"),
    (lambda: gradient(np.sum, X, step="small"), "`step` must be an array"),
    (lambda: derivative(np.sin, [X]), "needs one array"),
    (lambda: derivative(np.sin, "x"), "`x` must be an array"),
    (lambda: tangent_line(np.sum, {"a": X}), "needs one array"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_values_say_what_to_change(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), WRONG_KIND)
def test_wrong_kinds_say_what_to_change(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_result_of_another_library_is_refused():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict missing")
    with pytest.raises(TypeError, match="given arrays of array_api_strict"):
        gradient(lambda v: np.ones(1), strict.asarray([1.0]))
