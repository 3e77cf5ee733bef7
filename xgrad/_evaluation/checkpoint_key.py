"""Keys of checkpoints: values that must not change between two calls that share one.

The names in the keys stand in files and in messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xgrad._arrays import Array, to_numpy
from xgrad._evaluation.function import Function
from xgrad._evaluation.neighborhood import Neighborhood
from xgrad._evaluation.ways import Way

PASS_NAMES = ("leaf", "mode", "width", "shape", "offsets", "steps", "columns", "bounds")


def call_key(
    derivative: Mapping[str, Any],
    function: Function,
    names: Sequence[str],
    vectorized: Any,
) -> dict[str, Any]:
    """Describe a call in values that JSON knows: the derivative, ``x`` and options."""
    xs = [
        {
            "name": name,
            "shape": list(x.shape),
            # Its name alone: PyTorch writes "torch.float64".
            "dtype": str(x.dtype).rpartition(".")[2],
            "values": _digest(x),
        }
        for name, x in zip(names, function.leaves, strict=True)
    ]
    return {
        **derivative,
        "x": xs,
        "library": function.xp.__name__,
        "vectorized": str(vectorized),
    }


def pass_key(way: Way, near: Neighborhood) -> dict[str, Any]:
    """Describe a pass over points in values that JSON knows."""
    points = near.points
    sides = () if points.sides is None else (points.sides,)
    labels = () if points.column_of_entry is None else (points.column_of_entry,)
    values = (
        near.leaf,
        way.name,
        way.width,
        list(near.shape),
        list(points.offsets),
        _digest(points.step),
        _digest(*points.columns, *labels),
        _digest(*(points.box or ()), *sides),
    )
    return dict(zip(PASS_NAMES, values, strict=True))


def _digest(*arrays: Array) -> str:
    """Return a hash of the dtypes, shapes and values of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(to_numpy(array))
        digest.update(f"{values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
