"""The rule of a convolution: each vector gets a correlation with the other one."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing import first_row_of, tracer_of


def convolve_with_edges(arrays: list[Any], mode: Any) -> Any:
    """Convolve two vectors, the second of which is not the longer one."""
    first: Any = tracer_of(arrays)
    tape, (a, v) = first.highest(arrays), arrays
    left, right = tape.value_of(a), tape.value_of(v)
    base = np.convolve(left, right, mode)
    length = a.shape[0] + v.shape[0] - 1
    before = first_row_of(mode, v.shape[0])
    missing = (before, length - before - base.shape[0])
    edges = (
        tape.edge(x, pull_correlated, tape.hold(other, value), missing)
        if tape.depends(x)
        else None
        for x, other, value in ((a, v, right), (v, a, left))
    )
    return tape.result(base, *edges)


def pull_correlated(g: Any, other: Any, missing: tuple[int, int]) -> Any:
    """Return the cotangent of one of the vectors, from the other one."""
    # Of the full result, whose ends a mode has cut off.
    return np.correlate(np.pad(g, missing), other, "valid")
