"""Functions that the tape has a shorter way for than their composition."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing import concat_arrays, tracer_of

OVERRIDES: dict[Any, Any] = {}


def concat_with_edges(arrays: list[Any], axis: int) -> Any:
    """Put arrays together; each gets its own part of the cotangent."""
    first: Any = tracer_of(arrays)
    tape = first.highest(arrays)
    base = np.concatenate([tape.value_of(a) for a in arrays], axis=axis)
    edges, start = [], 0
    for a in arrays:
        stop = start + a.shape[axis]
        key = (*(slice(None),) * axis, slice(start, stop))
        edges.append(tape.edge(a, read_key, key))
        start = stop
    return tape.result(base, *edges)


def read_key(g: Any, key: Any) -> Any:
    """Return a part of a cotangent."""
    return g[key]


OVERRIDES[concat_arrays] = concat_with_edges
