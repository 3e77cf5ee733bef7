"""Functions that the tape has a shorter way for than their composition."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.convolutions import convolve_with_edges
from xgrad._autodiff.norms import norm_with_edge
from xgrad._autodiff.structural import as_before, held_key, read_key
from xgrad._tracing import (
    concat_arrays,
    contract,
    convolve_vectors,
    deviation,
    einsum_everywhere,
    norm_of_vectors,
    roll,
    scatter_add,
    sparse_product,
    tracer_of,
)

SMALL_COUNT = 512  # of the entries that a sparse matrix stores: 4 KiB in doubles


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


def deviation_of_fibres(
    x: Any, axes: tuple[int, ...], keepdims: bool, lost: float
) -> Any:
    """Return standard deviations as one operation, whose rule is 0 at a corner."""

    def reduce(array: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        return np.std(array, axis=axes, ddof=lost, keepdims=keepdims)

    return x.tracer.along(("std", lost), reduce, x, axes, keepdims)


def roll_with_edge(x: Any, shift: Any, axis: Any) -> Any:
    """Move entries; the cotangent is moved back."""
    tape = x.tracer
    base = np.roll(tape.value_of(x), shift, axis)
    return tape.result(base, tape.edge(x, roll_back, shift, axis))


def roll_back(g: Any, shift: Any, axis: Any) -> Any:
    """Return the cotangent of an array whose entries were moved along axes."""
    several = isinstance(shift, (tuple, list))
    return np.roll(g, tuple(-s for s in shift) if several else -shift, axis)


def scatter_add_with_edges(arrays: list[Any], indices: Any) -> Any:
    """Add the second array to the first at indices, which may name an entry again."""
    first: Any = tracer_of(arrays)
    tape, (x, addends) = first.highest(arrays), arrays
    indices = held_key(indices)
    # A new array, also of a number, of which a sum would be a scalar.
    base = tape.lift((tape.value_of(x) + np.zeros((), x.dtype))[...])
    np.add.at(base, indices, tape.value_of(addends))
    edges = tape.edge(x, as_before), tape.edge(addends, read_key, indices)
    return tape.result(base, *edges)


def sparse_product_with_edge(arrays: list[Any], matrix: Any) -> Any:
    """Multiply a constant sparse matrix by an array."""
    tape, (x,) = arrays[0].tracer, arrays
    # Small ones are copied, in case the function changes them later.
    if tape.copies_constants or getattr(matrix, "nnz", 0) <= SMALL_COUNT:
        matrix = matrix.copy()
    return tape.result(matrix @ tape.value_of(x), tape.edge(x, pull_sparse, matrix))


def pull_sparse(g: Any, matrix: Any) -> Any:
    """Return the cotangent of an array that a sparse matrix was multiplied by."""
    return matrix.conj().T @ g


OVERRIDES: dict[Any, Any] = {
    concat_arrays: concat_with_edges,
    convolve_vectors: convolve_with_edges,
    contract: einsum_everywhere,
    deviation: deviation_of_fibres,
    norm_of_vectors: norm_with_edge,
    roll: roll_with_edge,
    scatter_add: scatter_add_with_edges,
    sparse_product: sparse_product_with_edge,
}
