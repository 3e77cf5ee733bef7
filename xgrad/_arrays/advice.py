"""Code that messages advise, in the words of the library that the caller uses."""

from __future__ import annotations

from collections.abc import Iterable
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
        if array_api_compat.is_array_api_obj(array):
            library = type(array).__module__.partition(".")[0]
            return _PREFIXES.get(library, "xp")
    return "np"


def integer_code(name: str, labels: Any) -> str:
    """Return the code that turns labels of another dtype into integers."""
    kind = getattr(labels.dtype, "kind", "")
    if kind in "USTO" and kind:
        # Strings are names of classes, which have one number in all arrays.
        if name == "prediction":
            both = "prediction, target"
            return f"`names, ({both}) = np.unique([{both}], return_inverse=True)`"
        return f"`names, {name} = np.unique({name}, return_inverse=True)`"
    prefix = prefix_of([labels])
    if prefix == "torch":
        return f"`{name}.to(torch.int64)`"
    if prefix == "xp":
        return f"`xp.astype({name}, xp.int64)`"
    return f"`{name}.astype({prefix}.int64)`"
