"""Elementwise functions."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import FIVE, POINT, C, Q, collected, expressions

UNARY = """sin cos tan sinh cosh tanh arctan arcsinh exp exp2 expm1 log log2 log10 log1p
    sqrt cbrt square reciprocal negative positive absolute fabs deg2rad sinc i0
    nan_to_num real conj"""
UFUNCS = expressions(
    "elementwise", FIVE, {name: getattr(np, name) for name in UNARY.split()}
)
VECTORS = expressions(
    "elementwise",
    FIVE,
    {
        "abs": lambda x: abs(x - 1),
        "arcsin and arccos": lambda x: np.arcsin(x / 2) * np.arccos(x / 3),
        "arctan2": lambda x: np.arctan2(x, C),
        "arctan2, constant first": lambda x: np.arctan2(C, x),
        "hypot": lambda x: np.hypot(x, x[::-1]),
        "logaddexp": lambda x: np.logaddexp(x, C),
        "power": lambda x: np.power(x, Q),
        "power of a constant": lambda x: np.power(Q, x),
        "float_power": lambda x: np.float_power(x, 3),
        "multiply and add": lambda x: np.add(np.multiply(2, x), C),
        "subtract.outer": lambda x: np.subtract.outer(x, C),
        "imaginary numbers": lambda x: np.abs(np.exp(1j * x) + 1),
        "a complex number times an entry": lambda x: abs(1j * x[0] + x[1]) ** 2,
        "x + 1j": lambda x: ((x + 1j) ** 2).imag,
        "frexp": lambda x: np.frexp(x)[0],
        "modf": lambda x: np.modf(x)[0] ** 2,
        "ldexp": lambda x: np.ldexp(x, 2),
        "gaussian": lambda x: np.exp(-((x - 1) ** 2) / 2) / np.sqrt(2 * np.pi),
        "relu": lambda x: np.maximum(x - 1, 0),
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
        "rosenbrock": lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        "polynomial": lambda x: np.polyval([1.0, -2.0, 0.5], x),
        "where=": lambda x: np.log(x, where=np.ones(5, bool), out=None),
    },
)
NUMBERS = expressions(
    "elementwise",
    POINT,
    {
        "sin of 0-d": np.sin,
        "0-d": lambda x: x**2 + 3 * x,
        "exponents of 0-d": lambda x: np.array(0.63) ** x + np.float64(2.5) ** x,
    },
)
IDIOMS = collected(globals())
