"""The second attempt takes functions of `math`, of SciPy and of CuPy."""

from __future__ import annotations

import functools
import math
import sys
from math import exp, sqrt
from types import ModuleType

import numpy as np
import pytest
from cases.second_attempts import X, assert_exact, second
from cases.tape import slope_by_differences, slope_on_tape

from xgrad._arrays import is_standin
from xgrad._tracing import NotTraceableError

STORE = np.zeros(2)


MATHEMATICS = {
    **{
        name: lambda x, name=name: getattr(math, name)(abs(x[0]))
        for name in (
            "acos asin asinh atan atanh ceil cos cosh degrees erf erfc exp expm1 fabs "
            "floor gamma lgamma log log10 log1p log2 radians sin sinh sqrt tan tanh "
            "trunc ulp"
        ).split()
    },
    "acosh": lambda x: math.acosh(1 + x[0]),
    "atan2": lambda x: math.atan2(x[0], x[1]),
    "atan2 of a number": lambda x: math.atan2(x[0], 2),
    "copysign": lambda x: math.copysign(x[0], -2.0),
    "dist": lambda x: math.dist([x[0], 1.0], (x[1], x[2])),
    "fmod": lambda x: math.fmod(7 * x[0], x[3]),
    "frexp": lambda x: math.frexp(5 * x[0])[0] + math.frexp(x[0])[1],
    "fsum": lambda x: math.fsum(v * v for v in x),
    "hypot": lambda x: math.hypot(x[0], x[1], 2.0),
    "isclose": lambda x: x[0] * math.isclose(x[0], x[0] + 1e-12),
    "isnan": lambda x: x[0] if math.isnan(x[0]) else 2 * x[0],
    "ldexp": lambda x: math.ldexp(x[0], 3),
    "log with a base": lambda x: math.log(x[0], 3) + math.log(2, x[3]),
    "modf": lambda x: math.modf(7 * x[0])[0] * math.modf(3 * x[3])[1],
    "pow": lambda x: math.pow(x[0], 3) + math.pow(2, x[1]) + math.pow(x[0], x[1]),
    "pow of 2": lambda x: math.pow(x[1], 2),
    "prod": lambda x: math.prod([x[0], x[1], 3], start=x[2]),
    "remainder": lambda x: math.remainder(9 * x[0], x[3]) + math.remainder(x[0], 0.3),
    "of constants": lambda x: math.sin(0.3) * math.floor(2.5) * x[0],
    "from math": lambda x: exp(x[0]) * sqrt(x[3]),
    "of an array of one entry": lambda x: math.sin(x[:1].sum()),
    "constants": lambda x: math.pi * x[0] + math.inf * 0 if x[0] < 0 else math.e * x[0],
}
if hasattr(math, "cbrt"):
    MATHEMATICS["cbrt"] = lambda x: math.cbrt(x[0]) + math.exp2(x[1])
if hasattr(math, "sumprod"):
    MATHEMATICS["sumprod"] = lambda x: math.sumprod([x[0], 2.0], [x[1], x[2]])
if hasattr(math, "fma"):
    MATHEMATICS["fma"] = lambda x: math.fma(x[0], x[1], 2.0)
WITHOUT_RULES = {"erf", "erfc", "gamma", "lgamma"}


@pytest.mark.parametrize("name", [n for n in MATHEMATICS if n not in WITHOUT_RULES])
def test_functions_of_math(name):
    assert_exact(MATHEMATICS[name])


def test_results_of_math_have_the_same_bits_and_fail_alike():
    for name in ("sin", "exp", "tanh", "log1p"):
        function = getattr(math, name)
        found = slope_on_tape(second(lambda x, g=function: g(x[0])), X).value
        assert found == function(X[0])
    with pytest.raises(ValueError, match=r"math domain error|expected a"):
        slope_on_tape(second(lambda x: math.log(x[1])), X)
    with pytest.raises(OverflowError):
        slope_on_tape(second(lambda x: math.exp(1e4 * x[0])), X)
    with pytest.raises(TypeError, match="one entry"):
        slope_on_tape(second(lambda x: math.sin(x)), X)


def test_single_precision_stays():
    x = X.astype(np.float32)
    found = slope_on_tape(second(lambda x: np.array([math.sin(x[0]), x[1]])), x)
    assert found.gradient.dtype == np.float32
    expected = [math.cos(x[0]), 1, 0, 0, 0]
    weights = slope_by_differences(lambda x: x[:2], X).gradient
    np.testing.assert_allclose(found.gradient, expected * weights, rtol=1e-6)


# Other libraries


def sums_of_exponentials(x):
    import scipy.special as special

    rows = x[:4].reshape(2, 2)
    total = special.logsumexp(rows) * special.softmax(x) + special.log_softmax(x)
    return total[:2] * special.logsumexp([x[0], 1000.0]) + special.logsumexp(
        rows, axis=1, keepdims=True
    )


def test_sums_of_exponentials_of_scipy():
    pytest.importorskip("scipy")
    assert_exact(sums_of_exponentials)
    from scipy.special import log_softmax, logsumexp, softmax

    assert_exact(lambda x: logsumexp(x, axis=0) * softmax(x, axis=-1))
    assert_exact(lambda x: log_softmax(x.reshape(5, 1) * x, axis=1))
    with pytest.raises(NotTraceableError, match="asarray"):
        slope_on_tape(second(lambda x: logsumexp(x, b=2.0)), X)


def with_cupy(x):
    import cupy as cp
    from cupy import empty_like

    y, z = cp.zeros(3), empty_like(STORE)
    y[0], z[:] = x[0], x[1]
    return cp.concatenate([y, cp.sum(x, keepdims=True), cp.asarray(x)]) * z[0]


def test_functions_of_cupy_take_stand_ins(monkeypatch):
    """By a module of that name with functions of NumPy, which dispatches nothing."""
    module = ModuleType("cupy")
    for name in ("zeros", "concatenate", "sum", "asarray", "empty_like"):
        function = functools.partial(lambda f, *a, **k: f(*map(plain, a), **k))
        function = functools.partial(function, getattr(np, name))
        function.__name__, function.__module__ = name, "cupy"
        monkeypatch.setattr(module, name, function, raising=False)

    def plain(a):
        assert not is_standin(a)
        return a

    monkeypatch.setitem(sys.modules, "cupy", module)
    assert_exact(with_cupy)
