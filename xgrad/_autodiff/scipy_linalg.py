"""Functions of `scipy.linalg` for stand-ins, written in those of NumPy.

SciPy's own convert their arguments and hand them over to compiled code. Each of these
reads the same triangle of a matrix, and returns what SciPy does. Options that only say
where memory lies are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.general_matrices import order_of
from xgrad._autodiff.products import adjoint, mirrored
from xgrad._tracing import triangular_factors, unrecorded

# The modes of NumPy, by those of SciPy.
QR_MODES = {"full": "complete", "economic": "reduced", "r": "r"}
# The numbers and letters of matrices as they are, and transposed.
PLAIN, TRANSPOSED = (0, "N"), (1, "T")


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """Return the solution of ``a @ x = b``."""
    if assume_a in ("pos", "positive definite", "her", "hermitian"):
        a = mirrored(a, lower, is_hermitian=True)
    elif assume_a in ("sym", "symmetric"):
        a = mirrored(a, lower, is_hermitian=False)
    elif assume_a == "upper triangular":
        a = np.triu(a)
    elif assume_a == "lower triangular":
        a = np.tril(a)
    elif assume_a == "diagonal":
        a = a * np.eye(a.shape[-1])
    return np.linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, b)


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Return the solution of equations with a triangular matrix."""
    a = (np.tril if lower else np.triu)(a)
    if unit_diagonal:
        a = np.where(np.eye(a.shape[-1], dtype=bool), 1, a)
    return np.linalg.solve(_turned(a, trans), b)


def inv(a: Any) -> Any:
    """Return the inverse."""
    return np.linalg.inv(a)


def det(a: Any) -> Any:
    """Return the determinant."""
    return np.linalg.det(a)


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a norm of a vector or a matrix."""
    return np.linalg.norm(a, ord, axis, keepdims)


def lstsq(a: Any, b: Any, cond: float | None = None) -> Any:
    """Return the solution of least squares, its sum of squares, rank and values."""
    smallest = np.finfo(np.result_type(a, b)).eps if cond is None else cond
    return np.linalg.lstsq(a, b, rcond=smallest)


def cholesky(a: Any, lower: bool = False) -> Any:
    """Return the triangular factor of a positive definite matrix."""
    if lower:
        return np.linalg.cholesky(a)
    return adjoint(np.linalg.cholesky(adjoint(a)))


def cho_factor(a: Any, lower: bool = False) -> Any:
    """Return the triangular factor, with what lies beside it, and its side."""
    inside = np.tri(a.shape[-1], dtype=bool)
    factor = cholesky(a, lower)
    return np.where(inside if lower else inside.T, factor, a), lower


def cho_solve(c_and_lower: Any, b: Any) -> Any:
    """Return the solution of equations by the factor of their matrix."""
    c, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    x = solve_triangular(c, b, first, lower)
    return solve_triangular(c, x, second, lower)


def lu_factor(a: Any) -> Any:
    """Return both triangular factors in one matrix, and the exchanges of rows."""
    return triangular_factors(a)


def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0) -> Any:
    """Return the solution of equations by the triangular factors of their matrix."""
    lu, exchanges = lu_and_piv
    order = order_of(exchanges)
    if trans == 0:
        x = solve_triangular(lu, b[order], lower=True, unit_diagonal=True)
        return solve_triangular(lu, x)
    x = solve_triangular(lu, b, trans)
    x = solve_triangular(lu, x, trans, lower=True, unit_diagonal=True)
    return x[np.argsort(order)]


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return the singular values of a matrix, with or without their vectors."""
    singular: Any = np.linalg.svd
    return singular(a, full_matrices, compute_uv)


def svdvals(a: Any) -> Any:
    """Return the singular values of a matrix."""
    return np.linalg.svd(a, compute_uv=False)


def qr(a: Any, mode: str = "full", pivoting: bool = False) -> Any:
    """Return the orthogonal and the triangular factor, or the latter alone.

    With ``pivoting``, also return the order of columns, which is a constant.
    """
    order: tuple[Any, ...] = ()
    if pivoting:
        import scipy.linalg

        order = scipy.linalg.qr(unrecorded(a), mode="r", pivoting=True)[-1:]
        a = a[:, order[0]]
    orthogonal: Any = np.linalg.qr
    factors = orthogonal(a, QR_MODES[mode])
    return ((factors,) if mode == "r" else tuple(factors)) + order


def toeplitz(c: Any, r: Any = None) -> Any:
    """Return the matrix of equal diagonals, by its first column and row."""
    r = np.conj(c) if r is None else r
    i, j = np.ogrid[: len(c), : len(r)]
    return np.concatenate([c[::-1], r[1:]])[len(c) - 1 + j - i]


def hankel(c: Any, r: Any = None) -> Any:
    """Return the matrix of equal antidiagonals, by its first column and last row."""
    r = np.zeros_like(c) if r is None else r
    i, j = np.ogrid[: len(c), : len(r)]
    return np.concatenate([c, r[1:]])[i + j]


def circulant(c: Any) -> Any:
    """Return the matrix whose columns are rotated vectors."""
    i, j = np.ogrid[: len(c), : len(c)]
    return c[(i - j) % len(c)]


def _turned(a: Any, trans: int | str) -> Any:
    if trans in PLAIN:
        return a
    return np.swapaxes(a, -1, -2) if trans in TRANSPOSED else adjoint(a)
