"""The rules of inverses, determinants and solutions of linear equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.functions import keep, like_plain, rule
from xgrad._autodiff.products import adjoint


@rule("inv")
def _inverse(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    y = plain(tape.value_of(x))
    return keep(tape, y, tape.edge(x, pull_inverse, y))


def pull_inverse(g: Any, y: Any) -> Any:
    """Return the cotangent of a matrix from that of its inverse ``y``."""
    y = adjoint(y)
    return -(y @ g @ y)


@rule("pinv")
def _pseudo_inverse(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    a = tape.value_of(x)
    y = plain(a)
    # The trace of a projection is its rank.
    rank = np.real(np.trace(y @ a, axis1=-2, axis2=-1))
    if tape.depends(x) and bool(np.any(rank < min(a.shape[-2:]) - 0.5)):
        raise tape.refuse(*DEFICIENT)
    return keep(tape, y, tape.edge(x, pull_pseudo_inverse, tape.hold(x, a), y))


DEFICIENT = (
    "a pseudo-inverse or least squares of a matrix that has not full rank, where it "
    "jumps",
    "add a small multiple of the unit matrix to `A.T @ A`, and solve",
)


def pull_pseudo_inverse(g: Any, a: Any, y: Any) -> Any:
    """Return the cotangent of a matrix from that of its pseudo-inverse ``y``.

    G. H. Golub and V. Pereyra, SIAM Journal on Numerical Analysis 10 (1973) 413-432.
    """
    y_, g_ = adjoint(y), adjoint(g)
    rows = g_ @ y @ y_
    columns = y_ @ y @ g_
    return -(y_ @ g @ y_) + rows - a @ (y @ rows) + columns - (columns @ y) @ a


@rule("det")
def _determinant(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    a = tape.value_of(x)
    y = plain(a)
    return keep(tape, y, tape.edge(x, pull_determinant, tape.hold(x, a), y))


def pull_determinant(g: Any, a: Any, y: Any) -> Any:
    """Multiply by the cofactors, which a singular matrix has as well.

    Where the determinant is tiny but not 0, it and the inverse come from one LU
    decomposition, whose error cancels in their product (G. W. Stewart, On the adjugate
    matrix, Linear Algebra and its Applications 283 (1998) 151-164).
    """
    is_singular = (y == 0)[..., None, None]
    inverse = np.linalg.inv(np.where(is_singular, np.eye(a.shape[-1], like=a), a))
    cofactors = np.conj(y)[..., None, None] * adjoint(inverse)
    if bool(np.any(is_singular)):
        cofactors = np.where(is_singular, _cofactors(a), cofactors)
    return g[..., None, None] * cofactors


def _cofactors(a: Any) -> Any:
    """Return the conjugate cofactors by singular values: products of all but one."""
    u, s, v = np.linalg.svd(a, full_matrices=False)
    sign = np.conj(np.linalg.det(u) * np.linalg.det(v))
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool, like=s), 1, s[..., None, :])
    products = np.prod(others, axis=-1)
    return sign[..., None, None] * ((u * products[..., None, :]) @ v)


@rule("slogdet")
def _sign_and_logarithm(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    a = tape.value_of(x)
    both = plain(a)
    sign, logarithm = both
    a = tape.hold(x, a)
    edge = tape.edge(x, pull_sign, a, sign) if sign.dtype.kind == "c" else None
    first = keep(tape, sign, edge)
    second = tape.result(logarithm, tape.edge(x, pull_logarithm, a, sign))
    return like_plain(both, (first, second))


def pull_logarithm(g: Any, a: Any, sign: Any) -> Any:
    """Multiply by the transposed inverse; nan where the determinant is 0."""
    is_singular = (sign == 0)[..., None, None]
    inverse = np.linalg.inv(np.where(is_singular, np.eye(a.shape[-1], like=a), a))
    return g[..., None, None] * np.where(is_singular, np.nan, adjoint(inverse))


def pull_sign(g: Any, a: Any, sign: Any) -> Any:
    """Turn with the angle of the determinant, the imaginary part of its logarithm."""
    return pull_logarithm(np.imag(np.conj(sign) * g) * 1j, a, sign)


@rule("solve")
def _solution(tape: Any, operation: Any, plain: Any, a: Any, b: Any) -> Any:
    left, right = tape.value_of(a), tape.value_of(b)
    x = plain(left, right)
    is_vector = right.ndim == 1
    # Both operands share the solution for the cotangent, at a position of its own.
    edges = (
        tape.edge(b, pull_right_side) if tape.depends(b) else None,
        tape.edge(a, pull_matrix, x, is_vector),
    )
    present = tuple(edge for edge in edges if edge is not None)
    if not present:
        return tape.result(x)
    shared = tape.push(x, present)
    edge = shared, pull_solution, (tape.hold(a, left), is_vector)
    return keep(tape, x, edge)


def pull_solution(g: Any, a: Any, is_vector: bool) -> Any:
    """Solve the adjoint equations for the cotangent."""
    if is_vector:
        return np.linalg.solve(adjoint(a), g[..., None])[..., 0]
    return np.linalg.solve(adjoint(a), g)


def pull_right_side(g: Any) -> Any:
    """Return what the solution for the cotangent is: that of the right side."""
    return g


def pull_matrix(g: Any, x: Any, is_vector: bool) -> Any:
    """Return the cotangent of the matrix, from that of the right side."""
    if is_vector:
        g, x = g[..., None], x[..., None]
    return -(g @ adjoint(x))


@rule("lstsq")
def _least_squares(tape: Any, operation: Any, plain: Any, a: Any, b: Any) -> Any:
    left, right = tape.value_of(a), tape.value_of(b)
    x, squares, rank, s = plain(left, right)
    if int(rank) < min(left.shape):
        raise tape.refuse(*DEFICIENT)
    inverse = np.linalg.pinv(left)
    saved = tape.hold(a, left), tape.hold(b, right), x, inverse
    edges = (
        tape.edge(a, pull_least_squares, *saved),
        tape.edge(b, pull_by_inverse, inverse),
    )
    if squares.shape != (0,):
        # Of least squares, these do not change with the solution.
        rest = b - a @ x
        squares = np.sum(np.real(rest * np.conj(rest)), axis=0)
        squares = squares if right.ndim > 1 else np.reshape(squares, (1,))
    values = np.linalg.svd(a, compute_uv=False) if tape.depends(a) else s
    return keep(tape, x, *edges), squares, rank, values


def pull_by_inverse(g: Any, inverse: Any) -> Any:
    """Return the cotangent of the right side of a system of equations."""
    return adjoint(inverse) @ g


def pull_least_squares(g: Any, a: Any, b: Any, x: Any, inverse: Any) -> Any:
    """Return the cotangent of the matrix, as that of a pseudo-inverse times ``b``."""
    if b.ndim == 1:
        g, b, x = g[:, None], b[:, None], x[:, None]
    side = adjoint(inverse) @ g
    return (
        (b - a @ x) @ adjoint(inverse @ side)
        + (adjoint(inverse) @ x) @ adjoint(g - inverse @ (a @ g))
        - side @ adjoint(x)
    )


@rule("matrix_power")
def _power(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    _, args, options = operation
    n = args[0] if args else dict(options)["n"]
    if n == 0:
        return tape.result(plain(tape.value_of(x)))
    # By the squares of squares, as the function itself has it.
    square, n = (np.linalg.inv(x), -n) if n < 0 else (x, n)
    result = None
    while n:
        if n % 2:
            result = square if result is None else result @ square
        n //= 2
        square = square @ square if n else square
    return result if result is not x else tape.copy(x)


@rule("matrix_rank")
def _rank(tape: Any, operation: Any, plain: Any, x: Any) -> Any:
    return tape.result(plain(tape.value_of(x)))
