"""Checks of arguments, with the messages about what an array or option must be."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import array_api_compat
import numpy as np

from xgrad._arrays.advice import array_advice, prefix_of
from xgrad._arrays.foreign import CHOICES
from xgrad._arrays.types import Array

# Arguments that may have a weight for each of their entries.
WEIGHTED = ("prediction", "target", "values")


def drop_none(**arrays: Any) -> dict[str, Any]:
    """Return the optional arrays that are not None, by name."""
    return {name: array for name, array in arrays.items() if array is not None}


def require_array(name: str, array: Any, others: Iterable[Any] = ()) -> None:
    """Raise unless ``array`` is an array of a library that xgrad knows.

    The advice is for the library of the other arrays of the call, if it has some.
    """
    # These are arrays by descent, and would pass: a mask is lost in most functions, and
    # `*` of matrices is their product.
    if isinstance(array, np.ma.MaskedArray | np.matrix):
        is_weighted = name in WEIGHTED and isinstance(array, np.ma.MaskedArray)
        weight = ", and a `weight=` of 0 where it is masked" if is_weighted else ""
        raise TypeError(
            f"`{name}` is {a_type(array)}, whose arithmetic differs from that of "
            f"arrays: pass a plain array, for example `np.asarray({name})`{weight}"
        )
    if not array_api_compat.is_array_api_obj(array):
        # A list of numbers is a container of leaves, each of which is no array. A dict,
        # whose entries are named as in `x['b']`, cannot be meant to be one array.
        container = name.rpartition("[")[0]
        if (
            name.endswith("]")
            and name[-2] not in "'\""
            and container != "arrays"  # arguments of one call, which are no container
            and isinstance(array, (bool, int, float))
        ):
            raise TypeError(
                f"`{name}` must be an array, but is the Python number {array!r}: if "
                f"`{container}` is meant to be one array, pass "
                f"`{prefix_of(others)}.asarray({container})`"
            )
        raise TypeError(
            f"`{name}` must be an array (NumPy, CuPy, PyTorch, JAX, ...), "
            f"but is {a_type(array)}: {array_advice(name, array, others)}"
        )


def require_callable(name: str, function: Any) -> None:
    """Raise unless an argument is a function."""
    if not callable(function):
        raise TypeError(
            f"`{name}` must be callable, but is {a_type(function)}: pass the function "
            "itself, not its value"
        )


def refuse_nesting(x: Any, needed_by: str) -> None:
    """Raise for a dict, list or tuple where one array is needed, by what is named."""
    if isinstance(x, dict | list | tuple):
        raise TypeError(
            f"{needed_by} needs one array as `x`, but `x` is {a_type(x)}: "
            f"{array_advice('x', x, ())}"
        )


def type_name(array: Any) -> str:
    """Return the name of an array's class with its library, ``numpy.ndarray``."""
    if array is None:
        return "None"
    kind = type(array)
    library = kind.__module__.partition(".")[0]
    return (
        kind.__qualname__ if library == "builtins" else f"{library}.{kind.__qualname__}"
    )


def a_type(array: Any) -> str:
    """Return the name of an array's class after "a" or "an", as in "an int"."""
    name = type_name(array)
    if array is None:
        return name
    return f"an {name}" if name[0].lower() in "aeioux" else f"a {name}"


def require_known_shapes(**arrays: Any) -> None:
    """Raise for Dask arrays that do not know yet how many entries they have."""
    for name, x in arrays.items():
        # An unknown length is nan, the one number that differs from itself.
        if any(length != length for length in x.shape):
            raise ValueError(
                f"`{name}` has the unknown shape {tuple(x.shape)}: call its method "
                "`compute_chunk_sizes` first"
            )


def require_same_shape(name: str, x: Array, other_name: str, other: Array) -> None:
    """Raise unless both shapes are equal: no argument of xgrad broadcasts."""
    if x.shape == other.shape:
        return
    shape, target = tuple(x.shape), tuple(other.shape)
    fix = (
        f"reshape one of them, for example `{other_name}.reshape({shape})`"
        if math.prod(shape) == math.prod(target)
        else "pass two arrays of one shape"
    )
    raise ValueError(
        f"`{name}` has shape {shape} but `{other_name}` has shape {target}; "
        f"xgrad never broadcasts: {fix}"
    )


def integer(name: str, value: Any, *, least: int | None) -> int:
    """Return ``value`` as a Python integer; raise if it is less than ``least``."""
    try:
        # True is an integer to Python, but a slip of the caller to everybody else.
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"`{name}` must be an integer; got {value!r}")
    if least is not None and number < least:
        raise ValueError(f"`{name}` must be at least {least}; got {value!r}")
    return number


def python_float(name: str, value: Any) -> float:
    """Return a real number as a Python float."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` is an integer too large for a float") from None


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of the allowed values; else raise."""
    allowed = tuple(allowed)
    for choice in allowed:
        if value is choice or _is_same_choice(value, choice):
            return choice
    listed = ", ".join(map(repr, allowed))
    one = "one of " if len(allowed) > 1 else ""
    advice = ""
    is_word = value is None or isinstance(value, str)
    if is_word and value in CHOICES and CHOICES[value] in allowed:
        advice = f", which xgrad calls {CHOICES[value]!r}"
    raise ValueError(f"`{name}` must be {one}{listed}; got {value!r}{advice}")


def _is_same_choice(value: Any, choice: Any) -> bool:
    """Whether the values are equal; 1 is not True, and an array equals nothing."""
    if isinstance(value, (bool, np.bool_)) != isinstance(choice, bool):
        return False
    if hasattr(value, "shape") and not isinstance(value, np.generic):
        return False
    return bool(value == choice)
