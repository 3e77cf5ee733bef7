"""Series and DataFrames of pandas as NumPy arrays: their values, without an index."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays.trees import leaves, transform


def has_frames(value: Any) -> bool:
    """Whether an argument is a Series or a DataFrame, or a container of some.

    pandas has to be imported already.
    """
    import pandas as pd

    frames = pd.Series | pd.DataFrame
    if not isinstance(value, dict | list | tuple):
        return isinstance(value, frames)
    try:
        return any(isinstance(leaf, frames) for _, leaf in leaves(value))
    except ValueError:  # a container that holds itself, which the function refuses
        return False


def without_frames(value: Any, name: str) -> Any:
    """Return an argument with NumPy arrays in place of Series and DataFrames."""
    return transform(
        lambda path, leaf: _values(path, leaf) if has_frames(leaf) else leaf,
        value,
        name,
    )


def _values(name: str, frame: Any) -> Any:
    """Return the values of a Series or a DataFrame; raise unless all are numbers."""
    columns = [frame] if frame.ndim == 1 else [column for _, column in frame.items()]
    for column in columns:
        if not _holds_numbers(column):
            raise TypeError(_no_numbers(name, frame, column))
    values = frame.to_numpy()
    if values.dtype != object:
        return values
    # pandas makes objects of a column of booleans beside one of numbers.
    return np.stack([column.to_numpy() for column in columns], axis=-1)


def _holds_numbers(column: Any) -> bool:
    """Whether a Series holds real numbers or booleans, with none missing."""
    from pandas.api.types import is_any_real_numeric_dtype, is_bool_dtype

    is_number = is_any_real_numeric_dtype(column) or is_bool_dtype(column)
    # Numbers that miss some become objects where they have no nan.
    return is_number and column.to_numpy().dtype != object


def _no_numbers(name: str, frame: Any, column: Any) -> str:
    place = "" if frame.ndim == 1 else f" whose column {column.name!r} is"
    return (
        f"`{name}` is a pandas.{type(frame).__name__}{place} of dtype {column.dtype}, "
        "but must hold numbers, of which none is missing: convert it, for example "
        "with `pandas.factorize`, which numbers the classes, or leave rows out with "
        "`dropna`"
    )
