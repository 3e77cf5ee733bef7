"""Find the name in NumPy of a function of entries, whatever library it comes from."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from xgrad._autodiff.rules import OPERATORS, Rule, rule_named, rule_of
from xgrad._autodiff.special import special_partials

# Names of the array API standard and of CuPy's kernels that NumPy has others for.
NAMES_IN_NUMPY = {
    "abs": "absolute",
    "acos": "arccos",
    "acosh": "arccosh",
    "amax": "max",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "conj": "conjugate",
    "mod": "remainder",
    "pow": "power",
    "round": "rint",
    "true_divide": "divide",
}
CUPY = "cupy_"


def find_rule(function: Any, xp: Any) -> Rule | None:
    """Return the rule of a function of entries; None if there is none."""
    name = name_in_numpy(function, xp)
    if name == "i0":
        # NumPy has it, but not its derivative, which SciPy has.
        function = bessel_i0()
    elif name is not None:
        return rule_named(NAMES_IN_NUMPY.get(name, name))
    partials = special_partials(function)
    return None if partials is None else rule_of(partials)


def bessel_i0() -> Any:
    """Return SciPy's function of that name; None where there is no SciPy."""
    try:
        return importlib.import_module("scipy.special").i0
    except ImportError:
        return None


def name_in_numpy(function: Any, xp: Any) -> str | None:
    """Return the name of a function, if it is that of NumPy or of the namespace."""
    if function in OPERATORS:
        return OPERATORS[function]
    # Functions that this package makes for options, such as the dtype of a cast.
    if hasattr(function, "operation"):
        return str(function.operation)
    if isinstance(function, functools.partial):
        return name_in_numpy(function.func, xp)
    kernel = getattr(function, "name", "")
    if isinstance(kernel, str) and kernel.startswith(CUPY):
        return kernel.removeprefix(CUPY)
    name = getattr(function, "__name__", "")
    # A namespace that takes stand-ins wraps the functions of NumPy.
    same = (function, getattr(function, "__wrapped__", None))
    theirs = (getattr(np, name, None), getattr(xp, name, None))
    return name if any(f is g is not None for f in same for g in theirs) else None
