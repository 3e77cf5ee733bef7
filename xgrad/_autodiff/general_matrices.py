"""The rules of general square matrices: eigenvalues, functions and triangles.

Formulas: C. B. Boeddeker et al., On the computation of complex-valued gradients with
application to statistically optimum beamforming (2017), for eigenvectors; R. Mathias, A
chain rule for matrix functions and applications, SIAM Journal on Matrix Analysis and
Applications 17 (1996) 610-620, for functions of matrices; S. F. Walter and L. Lehmann
(2010), as in `decompositions`, for triangles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.decompositions import (
    diagonal_of,
    divide_off_diagonal,
    require_distinct,
)
from xgrad._autodiff.functions import keep, like_plain, rule
from xgrad._autodiff.products import adjoint
from xgrad._tracing import MATRIX_FUNCTIONS, matrix_function


@rule("eig")
def _eigen(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    both = plain(tape.value_of(x))
    values, vectors = both
    first = keep(tape, values, tape.edge(x, pull_values, vectors))
    edge = tape.edge(x, pull_vectors, values, vectors)
    second = _in_phase(keep(tape, vectors, edge), vectors)
    return like_plain(both, (first, second))


@rule("eigvals")
def _eigenvalues(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    value = tape.value_of(x)
    if not tape.depends(x):
        return tape.result(plain(value))
    values, vectors = np.linalg.eig(value)
    return tape.result(values, tape.edge(x, pull_values, vectors))


def _in_phase(vectors: Any, plain: Any) -> Any:
    """Keep the phase of the largest entry of each vector, as LAPACK does.

    ``plain`` are the vectors, whose phases are right already.
    """
    if plain.dtype.kind != "c":
        return vectors
    largest = np.argmax(np.abs(plain), axis=-2, keepdims=True)
    entry, phase = (np.take_along_axis(v, largest, axis=-2) for v in (vectors, plain))
    return vectors * (np.conj(entry) / np.abs(entry) * (phase / np.abs(phase)))


def pull_values(g: Any, vectors: Any) -> Any:
    """Return the cotangent of matrices from that of their eigenvalues."""
    return np.linalg.solve(adjoint(vectors), g[..., :, None] * adjoint(vectors))


def pull_vectors(g: Any, values: Any, vectors: Any) -> Any:
    """Return the cotangent of matrices from that of eigenvectors of length 1."""
    inner, products = adjoint(vectors) @ g, adjoint(vectors) @ vectors
    # What changes the length of a vector is lost.
    inner = inner - products * np.real(diagonal_of(inner))[..., None, :]
    distances = values[..., None, :] - values[..., :, None]
    require_distinct(distances, np.abs(values), "eigenvectors", "eigenvalues")
    inner = divide_off_diagonal(inner, np.conj(distances))
    return np.linalg.solve(adjoint(vectors), inner @ adjoint(vectors))


@rule(*MATRIX_FUNCTIONS)
def _matrix_function(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    a, name = tape.value_of(x), operation[0]
    y = plain(a)
    if y.dtype.kind == "c" != a.dtype.kind:
        raise tape.refuse(f"the complex {name} of a real matrix", "make it complex")
    return tape.result(y, tape.edge(x, pull_matrix_function, tape.hold(x, a), name))


def pull_matrix_function(g: Any, a: Any, name: str) -> Any:
    """Return the derivative along ``g``, a block of the function of a larger matrix."""
    n, a = a.shape[-1], adjoint(a)
    upper = np.concatenate([a, g], axis=-1)
    lower = np.concatenate([np.zeros_like(a), a], axis=-1)
    both = np.concatenate([upper, lower], axis=-2)
    return matrix_function(name, both)[..., :n, n:]


@rule("lu_factor")
def _triangles(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    both, exchanges = plain(tape.value_of(x))
    edge = tape.edge(x, pull_triangles, both, order_of(exchanges))
    return keep(tape, both, edge), exchanges


def order_of(exchanges: Any) -> Any:
    """Return the order of rows after exchanges, one after the other."""
    order = np.arange(len(exchanges))
    for i, j in enumerate(exchanges):
        order[[i, j]] = order[[j, i]]
    return order


def pull_triangles(g: Any, both: Any, order: Any) -> Any:
    """Return the cotangent of a matrix from that of its triangles, in one matrix."""
    lower = np.tril(both, -1) + np.eye(both.shape[-1], like=both)
    upper = np.triu(both)
    inner = np.tril(adjoint(lower) @ np.tril(g, -1), -1)
    inner = inner + np.triu(np.triu(g) @ adjoint(upper))
    rows = np.linalg.solve(adjoint(lower), inner)
    return adjoint(np.linalg.solve(upper, adjoint(rows)))[np.argsort(order)]
