"""Linear algebra: functions of matrices, and of stacks of them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._tracing.arguments import (
    NONE,
    answers_numpy,
    first_standin,
    require,
    tracer_of,
)
from xgrad._tracing.functions.elements import conjugate
from xgrad._tracing.functions.joining import as_arrays
from xgrad._tracing.functions.norms import norm
from xgrad._tracing.functions.products import align_axes, matmul
from xgrad._tracing.functions.rearranging import linalg_diagonal
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import matrix_transpose
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn

# Those of NumPy return more or, before NumPy 2.5, real numbers where all are real.
OF_NUMPY = ("lstsq", "eig", "eigvals")
NUMBERS = (int, float, str, type(None), np.number)


def _stacked(name: str, x: StandIn, *args: Any, **options: Any) -> Any:
    """Apply a function of matrices, which takes stacks of them."""
    # (`matrix_power` has an exponent; what else is given may depend on points.)
    plain = all(isinstance(a, NUMBERS) for a in (*args, *options.values()))
    require(plain, x, f"these arguments of {name}")
    if x.ndim < 2:
        raise ValueError(f"{name} needs matrices")
    # NumPy has options and results that the standard has not.
    is_own = answers_numpy(x.tracer.xp) and (options or name in OF_NUMPY)
    module = np.linalg if is_own else x.tracer.xp.linalg
    apply = functools.partial(_with_arguments, getattr(module, name), args, options)
    operation = (name, args, tuple(options.items()))
    return x.tracer.everywhere(operation, apply, apply, x)


def _with_arguments(function: Any, args: Any, options: Any, x: Array) -> Any:
    return function(x, *args, **options)


for _name in "det inv slogdet svdvals matrix_power matrix_rank".split():
    handles(f"linalg.{_name}")(functools.partial(_stacked, _name))


def _general(name: str, x: StandIn) -> Any:
    """Decompose matrices whose eigenvalues may be complex at one point alone."""
    require(x.tracer.knows_values, x, f"{name} at many points")
    return _stacked(name, x)


for _name in ("eig", "eigvals"):
    handles(f"linalg.{_name}")(functools.partial(_general, _name))


# The functions of matrices, each the same power series as its function of numbers.
MATRIX_FUNCTIONS = "cosm coshm expm logm sinm sinhm sqrtm tanm tanhm".split()


def matrix_function(name: str, x: Any) -> Any:
    """Return a function of matrices, by SciPy."""
    if isinstance(x, StandIn):
        function = functools.partial(matrix_function, name)
        return x.tracer.everywhere((name, (), ()), function, function, x)
    import scipy.linalg

    if x.ndim > 2:  # which SciPy takes from version 1.16 on
        return np.array([matrix_function(name, a) for a in x]).reshape(x.shape)
    return getattr(scipy.linalg, name)(x)


def triangular_factors(x: Any) -> Any:
    """Return both triangular factors of a matrix in one, and the exchanges of rows."""
    if isinstance(x, StandIn):
        require(x.ndim == 2, x, "lu_factor of stacks of matrices")
        function = triangular_factors
        return x.tracer.everywhere(("lu_factor", (), ()), function, function, x)
    import scipy.linalg

    return scipy.linalg.lu_factor(x)


def _hermitian(name: str, x: StandIn, UPLO: str = "L") -> Any:  # noqa: N803 (NumPy's)
    """Decompose Hermitian matrices, of which one triangle is read."""
    return _stacked(name, x, **({} if UPLO == "L" else {"UPLO": UPLO}))


for _name in ("eigh", "eigvalsh"):
    handles(f"linalg.{_name}")(functools.partial(_hermitian, _name))


@handles("linalg.cholesky")
def cholesky(x: StandIn, /, *, upper: bool = False) -> Any:
    """Return the triangular factor of positive definite matrices."""
    # The upper factor, which reads the upper triangle, is the lower one turned over.
    if upper:
        return _turned(_stacked("cholesky", _turned(x)))
    return _stacked("cholesky", x)


def _turned(x: StandIn) -> StandIn:
    """Return conjugate transposes."""
    x = matrix_transpose(x)
    return conjugate(x) if x.dtype.kind == "c" else x


@handles("linalg.pinv")
def pinv(
    x: StandIn, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NONE
) -> Any:
    """Return pseudo-inverses."""
    require(not hermitian, x, "pinv(hermitian=True)")
    options = {} if rcond is None else {"rcond": rcond}
    return _stacked("pinv", x, **options, **({} if rtol is NONE else {"rtol": rtol}))


@handles("linalg.qr")
def qr(x: StandIn, mode: str = "reduced") -> Any:
    """Decompose matrices into orthogonal and triangular ones."""
    require(mode in ("reduced", "complete", "r"), x, f"qr(mode={mode!r})")
    return _stacked("qr", x, **({} if mode == "reduced" else {"mode": mode}))


@handles("linalg.svd")
def svd(
    x: StandIn,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
) -> Any:
    """Return singular values, with or without their vectors."""
    require(not hermitian, x, "svd(hermitian=True)")
    if not compute_uv:
        return _stacked("svdvals", x)
    # By keyword in every library: it is the one argument that all of them have.
    return _stacked("svd", x, full_matrices=bool(full_matrices))


@handles("linalg.cond")
def cond(x: StandIn, p: Any = None) -> Any:
    """Return condition numbers: the norms of matrices times those of their inverses."""
    if p in (None, 2, -2):
        values = _stacked("svdvals", x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    return norm(x, p, (-2, -1)) * norm(_stacked("inv", x), p, (-2, -1))


@handles("linalg.solve")
def solve(a: Any, b: Any) -> StandIn:
    """Solve systems of linear equations."""
    a, b = as_arrays(a, b)
    tracer = tracer_of(a, b)
    xp = tracer.xp
    vector = b.ndim == 1

    def many(x: Array, y: Array) -> Array:
        # Behind the hidden axis a vector looks like a matrix.
        if vector:
            y = y[..., None]
        x, y = align_axes(x, y, a, b, a.ndim, max(b.ndim, 2))
        solution = xp.linalg.solve(x, y)
        return solution[..., 0] if vector else solution

    return tracer.everywhere("solve", lambda x, y: xp.linalg.solve(x, y), many, a, b)


@handles("linalg.lstsq")
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Solve linear equations in the sense of least squares."""
    a, b = as_arrays(a, b)
    tracer = tracer_of(a, b)
    require(answers_numpy(tracer.xp), tracer, "lstsq", "use `pinv`")
    require(isinstance(rcond, NUMBERS), tracer, "lstsq(rcond=) of an array")

    def plain(x: Array, y: Array) -> Any:
        return np.linalg.lstsq(x, y, rcond=rcond)

    def many(x: Array, y: Array) -> Any:
        return _point_by_point(plain, (x, a), (y, b))

    return tracer.everywhere(("lstsq", rcond), plain, many, a, b)


def _point_by_point(function: Any, *pairs: tuple[Any, Any]) -> tuple[Array, ...]:
    """Apply a function that takes no stacks to the values of operands at all points."""
    points = next(len(v) for v, operand in pairs if isinstance(operand, StandIn))
    results = [
        function(*(v[i] if isinstance(operand, StandIn) else v for v, operand in pairs))
        for i in range(points)
    ]
    return tuple(np.stack(arrays) for arrays in zip(*results, strict=True))


@handles("linalg.multi_dot")
def multi_dot(arrays: Any) -> Any:
    """Multiply several matrices, from the left to the right."""
    result = arrays[0]
    for array in arrays[1:]:
        traced = first_standin((result, array)) is not None
        result = matmul(result, array) if traced else result @ array
    return result


@handles("linalg.trace")
def trace(x: StandIn, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sum the diagonals of matrices, which lie along the last two axes."""
    return sum_(linalg_diagonal(x, offset=offset), -1, dtype)
