"""Say which functions of entries are linear, and in which of their arguments."""

from __future__ import annotations

import functools
import operator
from enum import Enum
from typing import Any

import numpy as np


class Linear(Enum):
    """The arguments in which a function is linear."""

    SUM = "both together"
    DIFFERENCE = "both together, the second one with a minus"
    PRODUCT = "any one, while the others are constant"
    FIRST = "the first, while the others are constant"
    BRANCHES = "the second and the third together, while the condition is constant"


NAMES = {
    Linear.SUM: "add",
    Linear.DIFFERENCE: "sub subtract",
    Linear.PRODUCT: "mul multiply",
    Linear.FIRST: "truediv divide true_divide neg negative pos positive real imag conj "
    "conjugate",
    Linear.BRANCHES: "where",
}
LINEAR = {name: linear for linear, names in NAMES.items() for name in names.split()}


@functools.cache
def linear_functions(xp: Any) -> dict[Any, Linear]:
    """Return the linear functions of Python's operators, NumPy and a namespace."""
    # By the functions themselves: anybody may give a function one of these names.
    return {
        getattr(module, name): linear
        for module in (operator, np, xp)
        for name, linear in LINEAR.items()
        if hasattr(module, name)
    }


def add_kernel(xp: Any, kernel: Any) -> None:
    """Add a kernel of CuPy to the linear functions, if it is one of them."""
    # CuPy's functions hand over kernels of their own, with their names and a prefix;
    # those that users write have no `__name__`.
    prefix, _, name = getattr(kernel, "__name__", "").partition("_")
    if prefix == "cupy" and name in LINEAR:
        linear_functions(xp)[kernel] = LINEAR[name]
