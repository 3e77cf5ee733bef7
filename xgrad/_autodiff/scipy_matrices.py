"""More functions of `scipy.linalg` for stand-ins: spectra, and equations of matrices.

Formulas: G. H. Golub and C. F. Van Loan, Matrix Computations (2013), sections 4.3 and
8.7; the cotangent of a solution solves the adjoint equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.custom import custom_vjp
from xgrad._autodiff.products import adjoint, mirrored
from xgrad._autodiff.scipy_banded import solve_banded
from xgrad._autodiff.scipy_linalg import (
    cholesky,
    lu_factor,
    solve_triangular,
    toeplitz,
)
from xgrad._tracing import matrix_function


def eig(a: Any) -> Any:
    """Return the complex eigenvalues of a matrix, and its eigenvectors."""
    values, vectors = np.linalg.eig(a)
    return values + 0j, vectors


def eigvals(a: Any) -> Any:
    """Return the eigenvalues, which are complex for SciPy."""
    return np.linalg.eigvals(a) + 0j


def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    type: int = 1,
    subset_by_index: Any = None,
    driver: str | None = None,
) -> Any:
    """Return the eigenvalues of a Hermitian matrix, and its eigenvectors."""
    if type != 1:
        raise ValueError("equations of other types have no substitute")
    factor = None
    if b is not None:
        factor = cholesky(mirrored(b, lower, True), lower=True)
        half = solve_triangular(factor, mirrored(a, lower, True), lower=True)
        a, lower = solve_triangular(factor, adjoint(half), lower=True), True
    first, last = (0, a.shape[-1] - 1) if subset_by_index is None else subset_by_index
    part = slice(first, last + 1)
    uplo: Any = "L" if lower else "U"
    if eigvals_only:
        return np.linalg.eigvalsh(a, uplo)[part]
    values, vectors = np.linalg.eigh(a, uplo)
    if factor is not None:
        vectors = solve_triangular(adjoint(factor), vectors)
    return values[part], vectors[:, part]


def eigvalsh(
    a: Any, b: Any = None, *, lower: bool = True, subset_by_index: Any = None
) -> Any:
    """Return the eigenvalues of a Hermitian matrix."""
    options: Any = {"lower": lower, "subset_by_index": subset_by_index}
    return eigh(a, b, eigvals_only=True, **options)


def eigh_tridiagonal(d: Any, e: Any, eigvals_only: bool = False) -> Any:
    """Return the eigenvalues and vectors of a matrix of three diagonals."""
    matrix = np.diag(d) + np.diag(e, -1)
    return eigh(matrix, eigvals_only=eigvals_only)


def eigvalsh_tridiagonal(d: Any, e: Any) -> Any:
    """Return the eigenvalues of a matrix of three diagonals."""
    return eigh_tridiagonal(d, e, eigvals_only=True)


def eigvals_banded(a_band: Any, lower: bool = False) -> Any:
    """Return the eigenvalues of a Hermitian matrix of which the diagonals are given."""
    rows = a_band if lower else np.conj(a_band[::-1])
    count = rows.shape[1]
    parts = (
        np.diag(row[: count - k] if lower else row[k:], -k)
        for k, row in enumerate(rows)
    )
    return eigh(sum(parts), eigvals_only=True)


def lu(a: Any, permute_l: bool = False, *, p_indices: bool = False) -> Any:
    """Return the factors ``p @ l @ u`` of a square matrix."""
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError("only square matrices have a substitute")
    both, exchanges = lu_factor(a)
    lower, upper = np.tril(both, -1) + np.eye(a.shape[0]), np.triu(both)
    order = np.arange(a.shape[0])
    for i, j in enumerate(exchanges):
        order[[i, j]] = order[[j, i]]
    back = np.argsort(order)
    if p_indices:
        return back, lower, upper
    return (
        (lower[back], upper) if permute_l else (np.eye(len(back))[back], lower, upper)
    )


def pinvh(a: Any, *, lower: bool = True) -> Any:
    """Return the pseudo-inverse of a Hermitian matrix."""
    return np.linalg.pinv(mirrored(a, lower, True))


def fractional_matrix_power(A: Any, t: Any) -> Any:  # noqa: N803 (SciPy's)
    """Return a power of a matrix, by its logarithm."""
    if isinstance(t, int):
        return np.linalg.matrix_power(A, t)
    return matrix_function("expm", t * matrix_function("logm", A))


def solve_toeplitz(c_or_cr: Any, b: Any) -> Any:
    """Return the solution of equations with a matrix of equal diagonals."""
    columns = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr,)
    return np.linalg.solve(toeplitz(*columns), b)


def solveh_banded(ab: Any, b: Any, *, lower: bool = False) -> Any:
    """Return the solution of Hermitian equations of which diagonals are given."""
    return solve_banded((len(ab) - 1,) * 2, _both_sides(ab, lower), b)


def cholesky_banded(ab: Any, *, lower: bool = False) -> Any:
    """Return the triangular factor of a positive matrix, by its diagonals."""
    rows, count = np.arange(len(ab)), ab.shape[1]
    row, column = np.ogrid[:count, :count]
    bands = _both_sides(ab, lower)
    place = np.clip(len(ab) - 1 + row - column, 0, 2 * len(ab) - 2)
    is_inside = np.abs(row - column) < len(ab)
    matrix = np.where(is_inside, bands[place, column + 0 * row], 0)
    factor = cholesky(matrix, lower=lower)
    offset = rows[:, None] if lower else rows[:, None] - len(ab) + 1
    below = column + offset
    entries = factor[np.clip(below, 0, count - 1), column + 0 * below]
    # What lies beyond the matrix stays as it was.
    return np.where((below >= 0) & (below < count), entries, ab)


def cho_solve_banded(cb_and_lower: tuple[Any, bool], b: Any) -> Any:
    """Return the solution of equations whose factor has diagonals."""
    cb, lower = cb_and_lower
    bands, width = _both_sides(cb, lower), len(cb) - 1
    x = solve_banded((width, 0), bands[width:], b)
    return solve_banded((0, width), bands[: width + 1], x)


def _both_sides(ab: Any, lower: bool) -> Any:
    """Return the diagonals on both sides of a Hermitian matrix, from one of them."""
    width, count = len(ab) - 1, ab.shape[1]
    rows: list[Any] = []
    for k in range(width, 0, -1):
        row = ab[k] if lower else ab[width - k]
        rows.append(row if not lower else np.pad(np.conj(row[: count - k]), (k, 0)))
    middle = ab[0] if lower else ab[width]
    other = []
    for k in range(1, width + 1):
        row = ab[k] if lower else ab[width - k]
        other.append(row if lower else np.pad(np.conj(row[k:]), (0, k)))
    return np.stack([*rows, middle, *other])


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Return the solution of ``a @ x + x @ b = q``."""
    return _sylvester(a, b, q)


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Return the solution of ``a @ x + x @ a.T = q``."""
    return _sylvester(a, adjoint(a), q)


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    import scipy.linalg

    return scipy.linalg.solve_sylvester(a, b, q)


def _sylvester_back(a: Any, b: Any, q: Any, slope: Any) -> Any:
    of_q = _sylvester(adjoint(a), adjoint(b), slope)
    x = _sylvester(a, b, q)
    return -of_q @ adjoint(x), -adjoint(x) @ of_q, of_q


def spsolve(A: Any, b: Any) -> Any:  # noqa: N803 (SciPy's)
    """Return the solution of equations with a constant sparse matrix."""
    return _sparse_solution(A, b)


def _solve_sparse(a: Any, b: Any) -> Any:
    import scipy.sparse.linalg

    return scipy.sparse.linalg.spsolve(a, b)


def _sparse_back(a: Any, b: Any, slope: Any) -> Any:
    return None, _sparse_solution(a.conj().T.tocsc(), slope)


_sylvester = custom_vjp(_solve_sylvester, _sylvester_back)
_sparse_solution = custom_vjp(_solve_sparse, _sparse_back)
