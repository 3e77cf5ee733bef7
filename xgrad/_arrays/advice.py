"""Code that messages advise, in the words of the library that the caller uses."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import array_api_compat

# Prefixes as the documentation of each library writes them.
_PREFIXES = {
    "numpy": "np",
    "cupy": "cupy",
    "torch": "torch",
    "jax": "jnp",
    "jaxlib": "jnp",
    "dask": "da",
}


def prefix_of(arrays: Iterable[Any]) -> str:
    """Return the prefix of the library of the first array, such as ``np``.

    It is that of NumPy if there is no array.
    """
    for array in arrays:
        if _is_array(array):
            library = type(array).__module__.partition(".")[0]
            return _PREFIXES.get(library, "xp")
    return "np"


def array_advice(name: str, value: Any, others: Iterable[Any]) -> str:
    """Return what to pass instead of a value that is no array.

    A list or a number becomes an array of the library of the ``others``.
    """
    prefix = prefix_of(others)
    if value is None:
        return "functions that work in place return it: pass what they work on"
    if isinstance(value, dict):
        if value and all(isinstance(number, Real) for number in value.values()):
            return f"pass for example `{prefix}.asarray(list({name}.values()))`"
        example = f"{name}[{next(iter(value))!r}]" if value else f"{name}[...]"
        return f"pass one of its arrays, for example `{example}`"
    if isinstance(value, tuple | list) and any(map(_is_array, value)):
        one_by_one = f"pass its arrays one by one, `*{name}`, or "
        is_one_of_several = name.startswith("arrays[")
        return (
            f"{one_by_one if is_one_of_several else ''}make one array of them, "
            f"`{prefix_of(value)}.stack({name})`"
        )
    if callable(getattr(value, "confusion_matrix", None)):  # counts of classes
        return f"pass `{name}.confusion_matrix()`"
    if callable(getattr(value, "toarray", None)):  # a sparse matrix
        return f"pass for example `{name}.toarray()`"
    if isinstance(value, Iterable) and not hasattr(value, "__getitem__"):
        return f"pass for example `{prefix}.asarray(list({name}))`"
    if callable(value) or isinstance(value, str | bytes):
        return "pass the numbers themselves"
    return f"pass for example `{prefix}.asarray({name})`"


def _is_array(value: Any) -> bool:
    return bool(array_api_compat.is_array_api_obj(value))


def integer_code(name: str, labels: Any) -> str:
    """Return the code that turns labels of another dtype into integers."""
    kind = getattr(labels.dtype, "kind", "")
    if kind in "USTO" and kind:
        # Strings are names of classes, which have one number in all arrays.
        if name == "prediction":
            both = "prediction, target"
            return f"`names, ({both}) = np.unique([{both}], return_inverse=True)`"
        return f"`names, {name} = np.unique({name}, return_inverse=True)`"
    return conversion_code(name, labels, "int64")


def conversion_code(name: str, x: Any, dtype: str) -> str:
    """Return the code that converts an array to a dtype, in its library's words."""
    prefix = prefix_of([x])
    if prefix == "torch":
        return f"`{name}.to(torch.{dtype})`"
    if prefix == "xp":
        return f"`xp.astype({name}, xp.{dtype})`"
    return f"`{name}.astype({prefix}.{dtype})`"
