"""Cases of linear algebra: inverses, decompositions, norms and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.derivatives.base import Case, Function, cases, real_and_imaginary
from xgrad._tracing import matrix_function, triangular_factors

_rng = np.random.default_rng(0)
SQUARE, STACK = _rng.normal(size=(4, 4)), _rng.normal(size=(2, 3, 3))
TALL, WIDE = _rng.normal(size=(5, 3)), _rng.normal(size=(3, 5))
TALLS = _rng.normal(size=(2, 4, 2))
# Positive definite, with eigenvalues that are not close.
DEFINITE = SQUARE @ SQUARE.T + np.diag([4.0, 5.0, 7.0, 9.0])
OTHER, SIDE, VECTOR = _rng.normal(size=(4, 4)), TALL[:4], SQUARE[0]
NO_ROWS, NO_MATRICES = np.empty((0, 0)), np.empty((0, 2, 2))
# Two parts of a complex matrix: a general one, and a Hermitian one.
PARTS, TALL_PARTS = _rng.normal(size=(2, 3, 3)), _rng.normal(size=(2, 4, 3))
HERMITIAN = np.stack([DEFINITE, 0.3 * (SQUARE - SQUARE.T)])


def of_parts(function: Function) -> Function:
    """Return a real function of both parts of a complex matrix."""
    return lambda xp, x: real_and_imaginary(function(xp, x[0] + 1j * x[1]))


def _rotated(xp: Any, z: Any) -> Any:
    """A function of singular vectors in which their phases cancel."""
    u, s, v = xp.linalg.svd(z, full_matrices=False)
    return (u * s**2) @ v + u @ v


def _recomposed(xp: Any, z: Any) -> Any:
    """A function of eigenvectors in which their phases cancel."""
    values, vectors = xp.linalg.eigh(z)
    return (vectors * xp.exp(values / 9)) @ xp.conj(xp.swapaxes(vectors, -1, -2))


INVERSES = (
    *cases(
        "inv",
        {
            "one": (lambda xp, x: xp.linalg.inv(x), SQUARE),
            "stack": (lambda xp, x: xp.linalg.inv(x), STACK),
            "complex": (of_parts(lambda xp, z: xp.linalg.inv(z)), PARTS),
            "empty": (lambda xp, x: xp.linalg.inv(x), NO_MATRICES),
            "of no rows": (lambda xp, x: xp.linalg.inv(x), NO_ROWS),
        },
        noise=100,
    ),
    *cases(
        "pinv",
        {
            "tall": (lambda xp, x: xp.linalg.pinv(x), TALL),
            "wide": (lambda xp, x: xp.linalg.pinv(x), WIDE),
            "stack": (lambda xp, x: xp.linalg.pinv(x), TALLS),
            "complex": (of_parts(lambda xp, z: xp.linalg.pinv(z)), TALL_PARTS),
        },
        noise=1000,
    ),
    *cases(
        "det",
        {
            "one": (lambda xp, x: xp.linalg.det(x), SQUARE),
            "stack": (lambda xp, x: xp.linalg.det(x), STACK),
            "singular": (lambda xp, x: xp.linalg.det(x), np.array([[1.0, 2], [2, 4]])),
            "nearly singular": (
                lambda xp, x: xp.linalg.det(x),
                np.arange(1, 10.0).reshape(3, 3),
            ),
            "one of two singular": (
                lambda xp, x: xp.linalg.det(x),
                np.array([[[1.0, 2], [2, 4]], [[1, 2], [3, 5]]]),
            ),
            "complex": (of_parts(lambda xp, z: xp.linalg.det(z)), PARTS),
            "empty": (lambda xp, x: xp.linalg.det(x), NO_MATRICES),
        },
        noise=100,
    ),
    *cases(
        "slogdet",
        {
            "one": (lambda xp, x: xp.linalg.slogdet(x)[1], SQUARE),
            "stack": (lambda xp, x: xp.linalg.slogdet(x)[1], STACK),
            "complex": (
                of_parts(
                    lambda xp, z: xp.linalg.slogdet(z)[0] * xp.linalg.slogdet(z)[1]
                ),
                PARTS,
            ),
        },
        noise=100,
    ),
    *cases(
        "solve",
        {
            "vector": (lambda xp, x: xp.linalg.solve(x, x[0] ** 2), SQUARE),
            "matrix": (lambda xp, x: xp.linalg.solve(x, x[:, :2] ** 2), SQUARE),
            "constant matrix": (lambda xp, x: xp.linalg.solve(OTHER, x), SQUARE),
            "constant side": (lambda xp, x: xp.linalg.solve(x, SIDE), SQUARE),
            "stack": (lambda xp, x: xp.linalg.solve(x, x[0] * 2), STACK),
            "side repeated": (lambda xp, x: xp.linalg.solve(STACK, x), STACK[0]),
            "complex": (of_parts(lambda xp, z: xp.linalg.solve(z, z[0] * 1j)), PARTS),
        },
        noise=300,
    ),
    *cases(
        "lstsq",
        {
            "vector": (lambda xp, x: xp.linalg.lstsq(x, x[:, 0] ** 2)[0], TALL),
            "matrix": (lambda xp, x: xp.linalg.lstsq(x, x[:, :2] ** 2)[0], TALL),
            "residual": (lambda xp, x: xp.linalg.lstsq(x, x[:, :2] ** 2)[1], TALL),
            "residual of a vector": (
                lambda xp, x: xp.linalg.lstsq(x, x[:, 1] ** 2)[1],
                TALL,
            ),
            "singular values": (lambda xp, x: xp.linalg.lstsq(x, x[:, 0])[3], TALL),
            "wide": (lambda xp, x: xp.linalg.lstsq(x, x[:, 0] ** 2)[0], WIDE),
            "complex": (
                of_parts(lambda xp, z: xp.linalg.lstsq(z, z[:, 0] ** 2)[0]),
                TALL_PARTS,
            ),
        },
        is_portable=False,
        noise=1000,
    ),
    *cases(
        "matrix_power",
        {
            "3": (lambda xp, x: xp.linalg.matrix_power(x, 3), SQUARE),
            "1": (lambda xp, x: xp.linalg.matrix_power(x, 1), SQUARE),
            "0": (lambda xp, x: xp.linalg.matrix_power(x, 0) * x, SQUARE),
            "-2": (lambda xp, x: xp.linalg.matrix_power(x, -2), STACK),
        },
        noise=1000,
    ),
    *cases(
        "matrix_rank",
        {
            "one": (lambda xp, x: xp.linalg.matrix_rank(x) * x, SQUARE),
        },
        is_portable=False,
    ),
)
DECOMPOSITIONS = (
    *cases(
        "cholesky",
        {
            "one": (lambda xp, x: xp.linalg.cholesky(x), DEFINITE),
            "stack": (lambda xp, x: xp.linalg.cholesky(x), np.stack([DEFINITE] * 2)),
            "upper": (lambda xp, x: xp.linalg.cholesky(x, upper=True), DEFINITE),
            "of a product": (
                lambda xp, x: xp.linalg.cholesky(x @ x.T + 4 * np.eye(4)),
                SQUARE,
            ),
            "complex": (of_parts(lambda xp, z: xp.linalg.cholesky(z)), HERMITIAN),
        },
        is_portable=False,
        noise=10,
    ),
    *cases(
        "eigh",
        {
            "values": (lambda xp, x: xp.linalg.eigh(x)[0], SQUARE),
            "vectors": (lambda xp, x: xp.linalg.eigh(x)[1], SQUARE),
            "upper": (lambda xp, x: xp.linalg.eigh(x, "U")[1], SQUARE),
            "stack": (lambda xp, x: xp.linalg.eigh(x)[1], STACK),
            "both": (lambda xp, x: _recomposed(xp, x), SQUARE),
            "complex": (of_parts(_recomposed), HERMITIAN),
        },
        is_portable=False,
        noise=100,
    ),
    *cases(
        "eigvalsh",
        {
            "lower": (lambda xp, x: xp.linalg.eigvalsh(x), SQUARE),
            "upper": (lambda xp, x: xp.linalg.eigvalsh(x, "U"), SQUARE),
            "complex": (lambda xp, x: xp.linalg.eigvalsh(x[0] + 1j * x[1]), HERMITIAN),
        },
        is_portable=False,
        noise=100,
    ),
    *cases(
        "svdvals",
        {
            "tall": (lambda xp, x: xp.linalg.svdvals(x), TALL),
            "stack": (lambda xp, x: xp.linalg.svd(x, compute_uv=False), STACK),
            "complex": (lambda xp, x: xp.linalg.svdvals(x[0] + 1j * x[1]), TALL_PARTS),
        },
        noise=100,
    ),
    *cases(
        "svd",
        {
            "left": (lambda xp, x: xp.linalg.svd(x, full_matrices=False)[0], TALL),
            "values": (lambda xp, x: xp.linalg.svd(x, full_matrices=False)[1], TALL),
            "right": (lambda xp, x: xp.linalg.svd(x, full_matrices=False)[2], TALL),
            "left of wide": (lambda xp, x: xp.linalg.svd(x, False)[0], WIDE),
            "right of wide": (lambda xp, x: xp.linalg.svd(x, False)[2], WIDE),
            "square": (lambda xp, x: xp.linalg.svd(x)[0] @ xp.linalg.svd(x)[2], SQUARE),
            "stack": (lambda xp, x: xp.linalg.svd(x)[2], STACK),
            "complex": (of_parts(_rotated), TALL_PARTS),
            "complex, wide": (
                of_parts(_rotated),
                np.ascontiguousarray(TALL_PARTS.transpose(0, 2, 1)),
            ),
        },
        noise=300,
    ),
    *cases(
        "qr",
        {
            "orthogonal": (lambda xp, x: xp.linalg.qr(x)[0], TALL),
            "triangular": (lambda xp, x: xp.linalg.qr(x)[1], TALL),
            "triangular alone": (lambda xp, x: xp.linalg.qr(x, mode="r"), TALL),
            "square": (lambda xp, x: xp.linalg.qr(x, mode="complete")[0], SQUARE),
            "wide": (lambda xp, x: xp.linalg.qr(x)[0] @ xp.linalg.qr(x)[1] ** 2, WIDE),
            "stack": (lambda xp, x: xp.linalg.qr(x)[0] + xp.linalg.qr(x)[1], STACK),
            "complex": (
                of_parts(lambda xp, z: xp.linalg.qr(z)[0] ** 2 @ xp.linalg.qr(z)[1]),
                TALL_PARTS,
            ),
        },
        noise=300,
    ),
)


def _norm(*args: Any, **options: Any) -> Function:
    return lambda xp, x: xp.linalg.norm(x, *args, **options)


NORMS = (
    *cases(
        "norm",
        {
            "2": (_norm(2), TALL),
            "-2": (_norm(-2), TALL),
            "nuclear": (_norm("nuc"), WIDE),
            "2 of a stack": (_norm(2, axis=(1, 2)), STACK),
            "nuclear over other axes": (_norm("nuc", (2, 0), keepdims=True), STACK),
            "matrix_norm": (lambda xp, x: xp.linalg.matrix_norm(x, ord=2), STACK),
        },
        noise=100,
    ),
    *cases(
        "pull_norm",
        {
            "2": (_norm(), TALL),
            "Frobenius": (_norm("fro", axis=(0, 2), keepdims=True), STACK),
            "3": (_norm(3, axis=1), TALL),
            "1.5": (_norm(1.5, axis=0, keepdims=True), TALL),
            "0.5": (_norm(0.5, axis=0), TALL),
            "-1.5": (_norm(-1.5, axis=0), TALL),
            "vector_norm": (
                lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 1), ord=2.5),
                TALL,
            ),
            "complex": (lambda xp, x: xp.linalg.norm(x[0] + 1j * x[1], axis=0), PARTS),
            "complex, 3": (lambda xp, x: xp.linalg.norm(x[0] + 1j * x[1], 3, 1), PARTS),
            "empty": (_norm(axis=1), np.empty((0, 3))),
        },
        noise=10,
    ),
    *cases(
        "absolute",
        {
            "norm 1": (_norm(1, axis=0), TALL),
            "norm of infinity": (_norm(np.inf, axis=0), TALL),
            "norm of -infinity": (_norm(-np.inf, axis=1), TALL),
            "norm of column sums": (_norm(1), TALL),
            "norm of row sums": (_norm(-np.inf), TALL),
        },
    ),
    *cases(
        "multiply",
        {
            "norm 0": (lambda xp, x: xp.linalg.norm(x, 0, axis=0) * x, TALL),
        },
    ),
)


def _einsum(*before: Any, **options: Any) -> Function:
    """Return an einsum whose operands None are x, and those that are functions of x."""

    def of(operand: Any, x: Any) -> Any:
        return operand(x) if callable(operand) else operand

    return lambda xp, x: xp.einsum(*(of(o, x) for o in before), **options)


def _x(x: Any) -> Any:
    return x


def _squares(x: Any) -> Any:
    return x**2


PRODUCTS = (
    *cases(
        "einsum",
        {
            "stack": (_einsum("bij,bjk->bik", _x, _squares), STACK),
            "three": (_einsum("ij,jk,lk->il", _x, _squares, _x, optimize=True), SQUARE),
            "three at once": (_einsum("i,i,i->i", _x, _x, _x), VECTOR),
            "lone letters": (_einsum("ij,kl->i", _x, _x), SQUARE),
            "repeated letters": (_einsum("...ii->...", _x), STACK),
            "diagonal": (_einsum("ii->i", _squares), SQUARE),
            "diagonal of three axes": (
                _einsum("iji,j->ij", _x, TALL[0]),
                STACK[:, :, :2].copy(),
            ),
            "lists with an ellipsis": (_einsum(_x, [..., 0], _x, [..., 0]), STACK),
            "axes of length 1": (
                lambda xp, x: xp.einsum("ij,ij->ij", x[:1], x),
                SQUARE,
            ),
            "complex": (
                of_parts(lambda xp, z: xp.einsum("ij,ij,j->j", z, z * 1j, z[0])),
                PARTS,
            ),
        },
        is_portable=False,
    ),
    *cases(
        "pull_left",
        {
            "einsum, ellipsis repeated": (_einsum("...ij,jk", _x, TALL[:3]), STACK),
            "matrices": (lambda xp, x: x.T @ x, TALL),
            "vector left": (lambda xp, x: x[0] @ x.T, TALL),
            "vector right": (lambda xp, x: x @ x[0], TALL),
            "stack by matrix": (lambda xp, x: x @ x[0], STACK),
            "matrix by stack": (lambda xp, x: x[1] @ x, STACK),
            "vector by stack": (lambda xp, x: x[0, 0] @ x, STACK),
            "stack by vector": (lambda xp, x: x @ x[0, 1], STACK),
            "dot": (lambda xp, x: xp.dot(x, OTHER), SQUARE),
            "tensordot": (lambda xp, x: xp.tensordot(x, x, axes=([0], [1])), SQUARE),
            "multi_dot": (lambda xp, x: xp.linalg.multi_dot([x, x.T, x]), TALL),
            "trace of a stack": (lambda xp, x: xp.linalg.trace(x @ x), STACK),
            "complex": (of_parts(lambda xp, z: z @ z[0] + z[1] @ z), PARTS),
            "empty": (lambda xp, x: x.T @ x, np.empty((0, 2))),
        },
    ),
    *cases(
        "pull_right",
        {
            "einsum, lists": (_einsum(_x, [0, 1], _squares, [1, 2], [2, 0]), SQUARE),
            "einsum, ellipsis": (_einsum("...j,kj", _x, _x), SQUARE),
            "constant left": (lambda xp, x: OTHER @ x, SQUARE),
            "vector by matrix": (lambda xp, x: VECTOR @ x, SQUARE),
            "matrix by vector": (lambda xp, x: OTHER @ x[1], SQUARE),
            "vector by stack": (lambda xp, x: VECTOR[:3] @ x, STACK),
            "stack by vector": (lambda xp, x: STACK @ x, TALL[0]),
        },
    ),
    *cases(
        "multiply",
        {
            "vectors": (lambda xp, x: x[0] @ x[1], TALL),
            "vecdot": (lambda xp, x: xp.vecdot(x, x**2, axis=0), TALL),
            "cross": (lambda xp, x: xp.cross(x, x[::-1] * 2), TALL),
            "cross, repeated": (lambda xp, x: xp.cross(x, x[0]), TALL),
            "cross, axes": (
                lambda xp, x: xp.cross(x[:3], x[1:4], axisa=1, axisb=0, axisc=0),
                TALL,
            ),
        },
    ),
    *cases("power", {"trace": (lambda xp, x: xp.trace(x**2, 1), SQUARE)}),
)


def _normal_eigenvectors(xp: Any, x: Any) -> Any:
    """Both parts of eigenvectors, whose phases LAPACK has chosen."""
    return real_and_imaginary(xp.linalg.eig(x)[1])


def _function(name: str, scale: float = 1.0) -> Function:
    return lambda xp, x: matrix_function(name, x * scale)


# One pair of its eigenvalues is complex, and one of its real ones negative.
TURNED = np.array(
    [[0.3, 1.2, 0.1, 0], [-1, 0.5, 0, 0.2], [0.3, 0, 2, 0.4], [0, 1, 0, -1]]
)
GENERAL = (
    *cases(
        "eig",
        {
            "values": (lambda xp, x: real_and_imaginary(xp.linalg.eig(x)[0]), TURNED),
            "vectors": (_normal_eigenvectors, TURNED),
            # NumPy 2.5 makes real ones complex, too.
            "real vectors": (
                lambda xp, x: xp.linalg.eig(x @ x.T + x)[1].real,
                DEFINITE,
            ),
            "stack": (lambda xp, x: real_and_imaginary(xp.linalg.eig(x)[0]), STACK),
            "complex": (
                of_parts(lambda xp, z: xp.linalg.eig(z)[0] * xp.linalg.eig(z)[1][0]),
                PARTS,
            ),
        },
        is_portable=False,
        noise=100,
    ),
    *cases(
        "eigvals",
        {
            "real": (lambda xp, x: xp.linalg.eigvals(x).real, DEFINITE),
            "complex": (
                lambda xp, x: real_and_imaginary(xp.linalg.eigvals(x)),
                TURNED,
            ),
        },
        is_portable=False,
        noise=100,
    ),
    *(
        case
        for name in ("cosm", "coshm", "expm", "sinm", "sinhm", "tanm", "tanhm")
        for case in cases(
            name,
            {"small": (_function(name, 0.2), SQUARE)},
            is_portable=False,
            noise=100,
        )
    ),
    *(
        case
        for name in ("logm", "sqrtm")
        for case in cases(
            name,
            {"definite": (_function(name), DEFINITE)},
            is_portable=False,
            noise=1000,
        )
    ),
    *cases(
        "expm",
        {
            "stack": (_function("expm", 0.5), STACK),
            "complex": (of_parts(lambda xp, z: matrix_function("expm", z)), PARTS),
        },
        is_portable=False,
        noise=100,
    ),
    *cases(
        "lu_factor",
        {
            "exchanged": (lambda xp, x: triangular_factors(x)[0], SQUARE),
            "complex": (of_parts(lambda xp, z: triangular_factors(z)[0]), PARTS),
        },
        is_portable=False,
        noise=100,
    ),
)
MATRIX_CASES: tuple[Case, ...] = (
    *INVERSES,
    *DECOMPOSITIONS,
    *GENERAL,
    *NORMS,
    *PRODUCTS,
)
