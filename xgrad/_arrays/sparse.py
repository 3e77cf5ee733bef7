"""Sparse matrices: those of scipy for NumPy arrays, those of cupyx for CuPy arrays."""

from __future__ import annotations

import copy
import functools
import importlib.util
from types import ModuleType
from typing import Any

import array_api_compat

from xgrad._arrays.backends import backend_name
from xgrad._arrays.namespaces import from_host, is_numpy
from xgrad._arrays.types import Array


def require_sparse(xp: Any) -> None:
    """Raise unless sparse matrices for arrays of the namespace are installed."""
    if array_api_compat.is_cupy_namespace(xp):
        return
    if is_numpy(xp):
        if importlib.util.find_spec("scipy") is None:
            raise ImportError(
                "a sparse Jacobian of NumPy arrays needs scipy: install xgrad[sparse]"
            )
        return
    if not isinstance(xp, ModuleType):
        raise TypeError(
            "a sparse matrix cannot be differentiated, and `x` belongs to a function "
            "that is differentiated itself: leave `sparsity` out"
        )
    raise TypeError(
        "a sparse Jacobian needs NumPy or CuPy arrays, and `x` is one of "
        f"{backend_name(xp)}: convert it, or leave `sparsity` out (`gradient(..., "
        "terms=True)` takes it for every library)"
    )


@functools.lru_cache(maxsize=16)
def _empty_matrix(shape: tuple[int, int]) -> Any:
    from scipy.sparse import csr_array

    return csr_array(shape)


def sparse_matrix(
    xp: Any, data: Array, indices: Any, pointers: Any, shape: tuple[int, int]
) -> Any:
    """Return a matrix in compressed rows (CSR), of scipy or of cupyx.

    ``indices`` and ``pointers`` are its checked pattern, on the host.
    """
    if is_numpy(xp):
        # Filled into a copy of an empty matrix: the constructor would check the pattern
        # once more. The pattern is copied, since the caller may change the matrix.
        matrix = copy.copy(_empty_matrix(shape))
        matrix.data = data
        matrix.indices, matrix.indptr = indices.copy(), pointers.copy()
        return matrix
    from cupyx.scipy.sparse import csr_matrix

    pattern = (from_host(xp, a, like=data) for a in (indices, pointers))
    return csr_matrix((data, *pattern), shape=shape)


def coordinate_matrix(
    xp: Any, data: Array, rows: Array, columns: Array, shape: tuple[int, int]
) -> Any:
    """Return a matrix in compressed rows (CSR) from entries in any order, each once."""
    if is_numpy(xp):
        from scipy.sparse import coo_array as kind
    else:
        from cupyx.scipy.sparse import coo_matrix as kind
    matrix = kind((data, (rows, columns)), shape=shape).tocsr()
    matrix.sort_indices()
    return matrix
