"""The rules of matrix decompositions: cholesky, eigh, svd and qr.

Formulas: M. Giles, Collected matrix derivative results for forward and reverse mode
algorithmic differentiation (2008); J. Townsend, Differentiating the singular value
decomposition (2016); S. F. Walter and L. Lehmann, Algorithmic differentiation of linear
algebra functions with application in optimum experimental design (2010).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.functions import keep, like_plain, rule
from xgrad._autodiff.products import adjoint
from xgrad._tracing import NotTraceableError


def diagonal_of(x: Any) -> Any:
    """Return the diagonals of matrices."""
    return np.diagonal(x, axis1=-2, axis2=-1)


def unit_like(x: Any) -> Any:
    """Return a mask of the diagonal of matrices, as a constant array."""
    return np.eye(x.shape[-2], x.shape[-1], dtype=bool, like=x)


def on_triangle(s: Any, upper: bool = False) -> Any:
    """Return the cotangent of the triangle that a function of Hermitian matrices reads.

    An entry of it stands for the one on the other side as well.
    """
    both = s + adjoint(s)
    return np.where(
        unit_like(s), np.real(both) / 2, (np.triu if upper else np.tril)(both)
    )


@rule("cholesky")
def _cholesky(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    y = plain(tape.value_of(x))
    return keep(tape, y, tape.edge(x, pull_cholesky, y))


def pull_cholesky(g: Any, y: Any) -> Any:
    """Return the cotangent of the lower triangle, which the function reads."""
    inner = adjoint(y) @ g
    inner = np.where(unit_like(inner), np.real(inner) / 2, np.tril(inner))
    inverse = np.linalg.inv(y)
    return on_triangle(adjoint(inverse) @ inner @ inverse)


@rule("eigh")
def _eigen(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    both = plain(tape.value_of(x))
    values, vectors = both
    upper = ("UPLO", "U") in operation[2]
    # Values alone need no distances between them, and may be equal.
    first = keep(tape, values, tape.edge(x, pull_eigenvalues, vectors, upper))
    second = tape.edge(x, pull_eigenvectors, values, vectors, upper)
    return like_plain(both, (first, keep(tape, vectors, second)))


@rule("eigvalsh")
def _eigenvalues(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    value = tape.value_of(x)
    if not tape.depends(x):
        return tape.result(plain(value))
    option = dict(operation[2])
    values, vectors = np.linalg.eigh(value, **option)
    upper = option.get("UPLO") == "U"
    return tape.result(values, tape.edge(x, pull_eigenvalues, vectors, upper))


def pull_eigenvalues(g: Any, vectors: Any, upper: bool) -> Any:
    """Return the cotangent of Hermitian matrices from that of their eigenvalues."""
    return on_triangle((vectors * g[..., None, :]) @ adjoint(vectors), upper)


def pull_eigenvectors(g: Any, values: Any, vectors: Any, upper: bool) -> Any:
    """Return the cotangent of Hermitian matrices from that of their eigenvectors."""
    inner = adjoint(vectors) @ g
    require_no_phase(inner, "eigenvectors of complex matrices")
    distances = values[..., None, :] - values[..., :, None]
    require_distinct(distances, values, "eigenvectors", "eigenvalues")
    inner = divide_off_diagonal(inner, distances)
    return on_triangle(vectors @ inner @ adjoint(vectors), upper)


def divide_off_diagonal(inner: Any, distances: Any) -> Any:
    """Divide by distances, which are 0 on the diagonal: there is 0, too."""
    unit = unit_like(inner)
    return np.where(unit, 0, inner / np.where(unit, 1, distances))


def require_distinct(distances: Any, values: Any, idiom: str, name: str) -> None:
    """Refuse values that are equal to rounding, and name the first pair of them."""
    count = values.shape[-1]
    # Errors of values are some eps of the largest one.
    noise = 8 * np.finfo(values.dtype).eps * max(count, 1)
    largest = _largest(values, -1)[..., None, None]
    equal = (np.abs(distances) <= noise * largest) & ~unit_like(distances)
    if bool(np.any(equal)):
        i, j = (int(n[0]) for n in np.nonzero(equal)[-2:])
        raise NotTraceableError(
            f"{idiom} of the equal {name} {min(i, j)} and {max(i, j)}, of which any "
            "rotation is one as well",
            f"use {name} alone, or a function that takes no {idiom} of equal ones",
        )


def _largest(x: Any, axes: Any) -> Any:
    """Return largest absolute values over axes, 0 of nothing."""
    # (CuPy's `max` has no initial value.)
    return (np.max if x.size else np.sum)(np.abs(x), axis=axes)


def require_no_phase(inner: Any, idiom: str) -> None:
    """Refuse a function that changes with the phase of vectors, which is arbitrary."""
    if inner.dtype.kind != "c":
        return
    phase = np.abs(np.imag(diagonal_of(inner)))
    # A function without phase gets here what rounding leaves: some eps of its size.
    size = _largest(inner, (-2, -1))[..., None]
    limit = np.sqrt(np.finfo(inner.dtype).eps) * size
    if bool(np.any(phase > limit)):
        raise NotTraceableError(
            f"a function of the phase of {idiom}, which is arbitrary",
            "use absolute values or products in which the phase cancels",
        )


@rule("svdvals")
def _singular_values(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    value = tape.value_of(x)
    if not tape.depends(x):
        return tape.result(plain(value))
    u, s, v = np.linalg.svd(value, full_matrices=False)
    return tape.result(s, tape.edge(x, pull_singular_values, u, v))


def pull_singular_values(g: Any, u: Any, v: Any) -> Any:
    """Return the cotangent of matrices from that of their singular values."""
    return (u * g[..., None, :]) @ v


@rule("svd")
def _singular(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    full = dict(operation[2])["full_matrices"] and x.shape[-1] != x.shape[-2]
    if full and tape.depends(x):
        raise tape.refuse(
            "svd of matrices that are not square, with vectors for no singular value",
            "use `svd(x, full_matrices=False)`",
        )
    three = plain(tape.value_of(x))
    u, s, v = three
    left = tape.edge(x, pull_left_vectors, u, s, v)
    middle = tape.edge(x, pull_singular_values, u, v)
    right = tape.edge(x, pull_right_vectors, u, s, v)
    results = keep(tape, u, left), keep(tape, s, middle), keep(tape, v, right)
    return like_plain(three, results)


def pull_left_vectors(g: Any, u: Any, s: Any, v: Any) -> Any:
    """Return the cotangent of matrices from that of their left singular vectors."""
    inner = adjoint(u) @ g
    shares = _between_vectors(inner, s) * s[..., None, :]
    if inner.dtype.kind == "c":
        # The phase of a pair of vectors is theirs together: it stays in the left one.
        turn = np.imag(diagonal_of(inner)) / s
        shares = shares + np.where(unit_like(shares), 1j * turn[..., None, :], 0)
    result = u @ shares
    if u.shape[-2] > u.shape[-1]:
        require_full_rank(s)
        result = result + (g - u @ inner) / s[..., None, :]
    return result @ v


def pull_right_vectors(g: Any, u: Any, s: Any, v: Any) -> Any:
    """Return the cotangent of matrices from that of their right singular vectors."""
    g, right = adjoint(g), adjoint(v)
    inner = v @ g
    result = (s[..., :, None] * _between_vectors(inner, s)) @ v
    if v.shape[-1] > v.shape[-2]:
        require_full_rank(s)
        result = result + adjoint(g - right @ inner) / s[..., :, None]
    return u @ result


def _between_vectors(inner: Any, s: Any) -> Any:
    """Return what turns one vector into another, by the squares of their values."""
    distances = s[..., None, :] - s[..., :, None]
    sums = s[..., None, :] + s[..., :, None]
    require_distinct(distances, s, "singular vectors", "singular values")
    turned = divide_off_diagonal(inner - adjoint(inner), distances)
    return divide_off_diagonal(turned, sums)


def require_full_rank(s: Any) -> None:
    """Refuse singular values of 0, whose vectors may be any."""
    noise = 8 * np.finfo(s.dtype).eps * s.shape[-1]
    if bool(np.any(s[..., -1:] <= noise * s[..., :1])):
        raise NotTraceableError(
            "singular vectors of a singular value of 0, which are arbitrary",
            "use singular values alone",
        )


@rule("qr")
def _qr(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    mode = dict(operation[2]).get("mode", "reduced")
    rows, columns = x.shape[-2:]
    if mode == "complete" and rows > columns and tape.depends(x):
        raise tape.refuse(
            "qr(mode='complete') of matrices with more rows than columns",
            "use the mode 'reduced'",
        )
    value = tape.value_of(x)
    plain_result = plain(value)
    if rows < columns:
        # The first columns decide; the others are seen from there.
        q, r = np.linalg.qr(x[..., :rows])
        r = np.concatenate([r, adjoint(q) @ x[..., rows:]], axis=-1)
    else:
        both = np.linalg.qr(value) if mode == "r" else plain_result
        q = keep(tape, both[0], tape.edge(x, pull_orthogonal, *both))
        r = keep(tape, both[1], tape.edge(x, pull_triangular, *both))
    return r if mode == "r" else like_plain(plain_result, (q, r))


def pull_orthogonal(g: Any, q: Any, r: Any) -> Any:
    """Return the cotangent of matrices from that of their orthogonal factor."""
    inner = adjoint(q) @ g
    lower = np.tril(inner - adjoint(inner))
    shares = np.where(unit_like(lower), lower / 2, lower)
    return divide_by_triangle(g - q @ (inner - shares), r)


def pull_triangular(g: Any, q: Any, r: Any) -> Any:
    """Return the cotangent of matrices from that of their triangular factor."""
    inner = np.triu(g @ adjoint(r))
    both = inner + adjoint(inner)
    shares = np.where(unit_like(both), both / 2, both)
    return divide_by_triangle(q @ shares, r)


def divide_by_triangle(a: Any, r: Any) -> Any:
    """Return ``a`` times the inverse of the adjoint of ``r``."""
    try:
        return adjoint(np.linalg.solve(r, adjoint(a)))
    except np.linalg.LinAlgError as error:
        raise NotTraceableError(
            "qr of a matrix whose columns depend on one another",
            "use the singular values",
        ) from error
