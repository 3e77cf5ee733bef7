"""Products with constant sparse matrices, those of SciPy and of CuPy."""

from __future__ import annotations

import operator
from typing import Any

from xgrad._arrays import Array
from xgrad._tracing.functions.elements import elementwise
from xgrad._tracing.functions.products import permute_any
from xgrad._tracing.registry import Function, handles, overridable
from xgrad._tracing.standin import StandIn, is_sparse


@handles("sparse operator")
def apply_sparse(function: Function, a: Any, b: Any) -> Any:
    """Apply an operator to an array and a constant sparse matrix."""
    if function is operator.matmul:
        return sparse_matmul(a, b)
    matrix = a if is_sparse(a) else b
    # `*` is the product of matrices for SciPy's old classes, and for CuPy's.
    if function is operator.mul and not type(matrix).__name__.endswith("_array"):
        return sparse_matmul(a, b)
    if function is operator.add or function is operator.sub:
        a, b = (o.toarray() if is_sparse(o) else o for o in (a, b))
        return elementwise(function, a, b)
    x = b if matrix is a else a
    raise x.tracer.refuse(
        f"`{function.__name__}` of an array and a sparse one",
        "use `@`, or make it dense by `toarray()`",
    )


def sparse_matmul(a: Any, b: Any) -> Any:
    """Multiply an array by a constant sparse matrix, from either side."""
    x = a if isinstance(a, StandIn) else b
    if not 1 <= x.ndim <= 2:
        raise x.tracer.refuse(
            f"`@` of a sparse matrix and an array of {x.ndim} axes",
            "reshape it to a matrix",
        )
    if x is b:
        return sparse_product([b], a)
    return _transposed(sparse_product([_transposed(a)], b.T))


def _transposed(x: Any) -> Any:
    return permute_any(x, tuple(reversed(range(x.ndim))))


@overridable
def sparse_product(arrays: list[Any], matrix: Any) -> Any:
    """Multiply a constant sparse matrix by the one array of a list."""
    (x,) = arrays
    rows = matrix.shape[0]

    def many(values: Array) -> Array:
        # Columns of all points side by side: `(points, n, k)` as `(n, points * k)`.
        points, length = values.shape[:2]
        columns = values.reshape(points, length, -1).swapaxes(0, 1)
        products = matrix @ columns.reshape(length, -1)
        products = products.reshape(rows, points, -1).swapaxes(0, 1)
        return products.reshape(points, rows, *values.shape[2:])

    return x.tracer.everywhere("sparse product", lambda v: matrix @ v, many, x)
