"""Stand in for Python's `float` and `isinstance`, which know no stand-ins."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._autodiff.mathematics import number


class FloatType(type):
    """The type of `Float`, whose instances are those of Python's own `float`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return is_instance(instance, float)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, float)


class Float(float, metaclass=FloatType):
    """Stand in for `float`: a number that depends on x stays what it is."""

    # By this NumPy takes the class for a dtype.
    dtype = np.dtype(float)

    def __new__(cls, value: Any = 0.0, /) -> Any:
        """Return a stand-in for one number as it is, and anything else as a float."""
        if not is_standin(value) or value.dtype.kind != "f":
            return float(value)
        return number(value).copy()


def is_instance(value: Any, kinds: Any) -> bool:
    """Whether a value, or the array that it stands for, is of some kind."""
    if isinstance(value, kinds):
        return True
    return is_standin(value) and is_instance(value.base, kinds)
