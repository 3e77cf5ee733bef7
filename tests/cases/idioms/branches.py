"""Branches, ways to see what `x` is, and results that do not depend on it."""

from __future__ import annotations

import math

import numpy as np

from cases.idioms.base import FIVE, POINT, C, collected, expressions, written

BRANCHES_OF_VECTORS = expressions(
    "branches",
    FIVE,
    {
        "ndim": lambda x: np.sum(x**2) if x.ndim == 1 else x[0],
        "shape": lambda x: np.sum(x**2) if x.shape == (5,) else np.sum(x),
        "len": lambda x: np.sum(x**2) / len(x),
        "size": lambda x: np.sum(x**2) / x.size,
        "np.shape": lambda x: np.sum(x**2) * np.shape(x)[0] * np.ndim(x) * np.size(x),
        "dtype": lambda x: x**2 if x.dtype == np.float64 else x,
        "dtype.kind": lambda x: x**2 if x.dtype.kind == "f" else x,
        "issubdtype": lambda x: x**2 if np.issubdtype(x.dtype, np.floating) else x,
        "finfo": lambda x: np.log(x + np.finfo(x.dtype).eps),
        "result_type": lambda x: x * np.ones(5, np.result_type(x, np.float32)),
        "iscomplexobj": lambda x: x.real if np.iscomplexobj(x) else x**2,
        "ones of shape": lambda x: np.ones(x.shape) @ x + np.eye(len(x)) @ x,
        "ones_like": lambda x: np.ones_like(x) * x**2,
        "nbytes": lambda x: x * x.nbytes / x.itemsize,
        "strides": lambda x: x * x.strides[0],
        "flags": lambda x: x**2 if x.flags.writeable else x,
        "is None": lambda x: x**2 if x is not None else 0.0,
        "hasattr": lambda x: x**2 if hasattr(x, "mean") else x,
        "getattr": lambda x: getattr(x, "sum")(),  # noqa: B009 (as a dispatcher does)
        "isinstance": lambda x: x**2 if isinstance(x, np.ndarray) else x**3,
        "type": lambda x: x**2 if type(x) is np.ndarray else x**3,
        "isinstance of an entry": lambda x: (
            x**2 if isinstance(x[0], float) else x**3  # np.float64 is a float
        ),
        "isscalar": lambda x: x**2 if np.isscalar(x[0]) else x**3,
        "callable": lambda x: x**2 if not callable(x) else x,
        "if x[0] > 0": lambda x: x**2 if x[0] > 0 else -x,
        "0 < x[0] < 1": lambda x: x**2 if 0 < x[0] < 1 else x**3,
        "if x.any()": lambda x: x**2 if (x > 1.5).any() else x**3,
        "and": lambda x: x**2 if x[0] > 0.1 and x[1] > 0.1 else x**3,
        "not": lambda x: x**2 if not np.isnan(x).any() else x,
        "bool": lambda x: bool(x[0] > 1) * x,
        "if all close": lambda x: x if np.allclose(x, x[0]) else x**2,
    },
)
BRANCHES_OF_NUMBERS = expressions(
    "branches",
    POINT,
    {
        "float of 0-d": lambda x: float(x) ** 2,
        "math of 0-d": lambda x: math.exp(x) + x,
        "if x": lambda x: x**2 if x else x,
        "x[()]": lambda x: x[()] ** 2,
        "item of 0-d": lambda x: x.item() ** 2,
        "reshape of 0-d": lambda x: np.reshape(x, (1, 1)) * x,
    },
)
CONSTANT_OF_VECTORS = expressions(
    "constant",
    FIVE,
    {
        "number": lambda x: 3.0,
        "array": lambda x: np.ones(3),
        "captured array": lambda x: C,
        "length": len,
        "zeros_like": np.zeros_like,
        "x * 0": lambda x: x * 0,
        "argmax alone": np.argmax,
        "sign alone": np.sign,
        "shape alone": lambda x: x.shape[0] / 2,
        "comparison counted": lambda x: np.sum(x > 1),
    },
)


@written("branches", FIVE)
def try_float_of_a_vector(x):
    try:
        return float(x) ** 2
    except TypeError:
        return np.sum(x**2)


@written("branches", POINT)
def try_float_of_a_point(x):
    try:
        return float(x) ** 2
    except TypeError:
        return x**3


@written("branches", FIVE)
def try_math(x):
    try:
        return math.sin(x[0]) * x[1]
    except Exception:
        return np.sum(x)


@written("branches", FIVE)
def try_asarray(x):
    try:
        x = np.asarray(x)
    except Exception:
        x = x * 2
    return np.sum(x**2)


@written("branches", FIVE)
def checked(x):
    assert np.all(np.isfinite(x)), "not finite"
    if x.ndim != 1:
        raise ValueError("one axis expected")
    return np.sum(x**2)


@written("branches", FIVE)
def attribute_of_ndarray(x):
    return x**2 if hasattr(x, "ctypes") else x**3


IDIOMS = collected(globals())
