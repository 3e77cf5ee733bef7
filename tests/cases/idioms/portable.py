"""Portable functions ``f(xp, x)`` of the array API standard 2024.12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cases.idioms.base import (
    FIVE,
    GRID,
    POINT,
    SQUARE,
    STACK,
    C,
    P,
    Q,
    S,
    W,
    collected,
    constant,
    expressions,
    integers,
)

PORTABLE_UNARY = """sin cos tan sinh cosh tanh atan asinh exp expm1 log log2 log10 log1p
    sqrt square reciprocal negative positive abs"""


def unary(name: str) -> Callable[[Any, Any], Any]:
    return lambda xp, x: getattr(xp, name)(x)


UNARY_OF_VECTORS = expressions(
    "elementwise",
    FIVE,
    {name: unary(name) for name in PORTABLE_UNARY.split()},
    portable=True,
)
ELEMENTWISE_OF_VECTORS = expressions(
    "elementwise",
    FIVE,
    {
        "x + 1": lambda xp, x: x + 1,
        "1 - x": lambda xp, x: 1 - x,
        "2 / x": lambda xp, x: 2 / x,
        "x ** 3": lambda xp, x: x**3,
        "2.0 ** x": lambda xp, x: 2.0**x,
        "x % 0.7": lambda xp, x: x % 0.7,
        "x // 0.3": lambda xp, x: x // 0.3 * x,
        "constant - x": lambda xp, x: constant(xp, x, C) - x,
        "constant * x": lambda xp, x: constant(xp, x, C) * x,
        "constant / x": lambda xp, x: constant(xp, x, C) / x,
        "constant ** x": lambda xp, x: constant(xp, x, Q) ** x,
        "constant @ x": lambda xp, x: constant(xp, x, C) @ x,
        "x @ constant": lambda xp, x: x @ constant(xp, x, S),
        "abs operator": lambda xp, x: abs(x - 1),
        "add and multiply": lambda xp, x: xp.add(xp.multiply(x, 2.0), 1.0),
        "atan2": lambda xp, x: xp.atan2(x, constant(xp, x, C)),
        "hypot": lambda xp, x: xp.hypot(x, xp.flip(x)),
        "logaddexp": lambda xp, x: xp.logaddexp(constant(xp, x, C), x),
        "pow": lambda xp, x: xp.pow(x, constant(xp, x, Q)),
        "maximum": lambda xp, x: xp.maximum(x, 1.0),
        "minimum of two": lambda xp, x: xp.minimum(x, xp.flip(x) ** 2),
        "clip": lambda xp, x: xp.clip(x, 0.7, 1.4),
        "clip max": lambda xp, x: xp.clip(x, max=1.4),
        "sign": lambda xp, x: xp.sign(x - 1) * x,
        "copysign": lambda xp, x: xp.copysign(x, constant(xp, x, C)),
        "floor, ceil, round": lambda xp, x: xp.floor(x) + xp.ceil(x) * xp.round(x) * x,
        "remainder": lambda xp, x: xp.remainder(x, 0.4),
        "where": lambda xp, x: xp.where(x > 1, x**2, xp.sqrt(x)),
        "where of a number": lambda xp, x: xp.where(x > 1, x, 0.0),
        "where constant": lambda xp, x: xp.where(constant(xp, x, C) > 0, x, -x),
        "masks": lambda xp, x: xp.where((x > 1) & ~(x > 1.5) | (x < 0.6), x, x**2),
        "logical_and": lambda xp, x: xp.where(xp.logical_and(x > 0.6, x < 1.3), x, 0.0),
        "isfinite": lambda xp, x: xp.where(xp.isfinite(x), x, 0.0),
        "astype": lambda xp, x: xp.astype(x > 1, x.dtype) * x,
        "rosenbrock": lambda xp, x: xp.sum((x[1:] - x[:-1] ** 2) ** 2),
        "matrix + x": lambda xp, x: constant(xp, x, S) + x,
        "x + column": lambda xp, x: x + constant(xp, x, C)[:, None],
    },
    portable=True,
)
ELEMENTWISE_OF_NUMBERS = expressions(
    "elementwise", POINT, {"0-d": lambda xp, x: xp.sin(x) * x + 3}, portable=True
)
REDUCTIONS_OF_MATRICES = expressions(
    "reductions",
    GRID,
    {
        "sum": lambda xp, x: xp.sum(x**2),
        "sum axis 0": lambda xp, x: xp.sum(x**2, axis=0),
        "sum both axes": lambda xp, x: xp.sum(x**2, axis=(0, 1)),
        "sum keepdims": lambda xp, x: x / xp.sum(x, axis=-1, keepdims=True),
        "sum dtype": lambda xp, x: xp.sum(x, axis=1, dtype=xp.float64),
        "mean": lambda xp, x: xp.mean(x**2, axis=0),
        "prod": lambda xp, x: xp.prod(x, axis=1),
        "max": lambda xp, x: xp.max(x, axis=0),
        "min keepdims": lambda xp, x: x - xp.min(x, axis=1, keepdims=True),
        "var": lambda xp, x: xp.var(x, axis=0, correction=1),
        "std": lambda xp, x: xp.std(x, axis=1, correction=1.0, keepdims=True),
        "any along": lambda xp, x: xp.where(xp.any(x > 1.5, axis=0), x, x**2),
        "all along": lambda xp, x: xp.where(
            xp.all(x > 0.4, axis=1, keepdims=True), x, x**2
        ),
        "count_nonzero": lambda xp, x: xp.astype(xp.count_nonzero(x > 1), x.dtype) * x,
        "logsumexp": lambda xp, x: xp.log(xp.sum(xp.exp(x - xp.max(x)), axis=1)),
        "argmax": lambda xp, x: xp.astype(xp.argmax(x, axis=0), x.dtype) * x,
        "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=1),
        "cumulative_sum with 0": lambda xp, x: xp.cumulative_sum(
            x, axis=0, include_initial=True
        ),
        "cumulative_prod": lambda xp, x: xp.cumulative_prod(x, axis=-1),
        "diff": lambda xp, x: xp.diff(x, axis=0),
        "diff n": lambda xp, x: xp.diff(x, n=2),
        "diff prepend": lambda xp, x: xp.diff(x, prepend=x[:, :1] * 2),
        "sort": lambda xp, x: xp.sort(x, axis=0),
        "sort descending": lambda xp, x: xp.sort(x, descending=True),
        "argsort": lambda xp, x: xp.astype(xp.argsort(x, axis=-1), x.dtype) * x,
        "sorted by argsort": lambda xp, x: xp.take_along_axis(
            x, xp.argsort(x, axis=1), axis=1
        ),
    },
    portable=True,
)
PRODUCTS_OF_MATRICES = expressions(
    "products",
    GRID,
    {
        "x @ W": lambda xp, x: x @ constant(xp, x, W),
        "W.T @ x.T": lambda xp, x: constant(xp, x, W).T @ x.T,
        "matmul": lambda xp, x: xp.matmul(xp.matrix_transpose(x), x),
        "stack @ x": lambda xp, x: constant(xp, x, STACK) @ x,
        "tensordot": lambda xp, x: xp.tensordot(x, constant(xp, x, W), axes=1),
        "tensordot pairs": lambda xp, x: xp.tensordot(
            constant(xp, x, P), x, axes=((0,), (0,))
        ),
        "vecdot": lambda xp, x: xp.vecdot(x, constant(xp, x, P)),
        "vecdot axis": lambda xp, x: xp.vecdot(x, x**2, axis=-2),
        "outer": lambda xp, x: xp.linalg.outer(x[0, :], x[:, 1]),
        "vector_norm": lambda xp, x: xp.linalg.vector_norm(x, axis=1),
        "vector_norm ord": lambda xp, x: xp.linalg.vector_norm(x, ord=1, keepdims=True),
        "vector_norm 2.5": lambda xp, x: xp.linalg.vector_norm(x, axis=0, ord=2.5),
        "matrix_norm": lambda xp, x: xp.linalg.matrix_norm(x),
        "matrix_norm ord": lambda xp, x: xp.linalg.matrix_norm(x, ord=1),
        "svdvals": lambda xp, x: xp.linalg.svdvals(x),
        "quadratic form": lambda xp, x: xp.sum(x[0, :] @ (x.T @ x) * x[1, :]),
    },
    portable=True,
)
PRODUCTS_OF_SQUARES = expressions(
    "products",
    SQUARE,
    {
        "trace": lambda xp, x: xp.linalg.trace(x @ x),
        "diagonal": lambda xp, x: xp.linalg.diagonal(x, offset=1),
        "det": lambda xp, x: xp.linalg.det(x),
        "inv": lambda xp, x: xp.linalg.inv(x),
        "solve": lambda xp, x: xp.linalg.solve(x, constant(xp, x, P)),
        "eigvalsh": lambda xp, x: xp.linalg.eigvalsh(x + x.T),
        "matrix_power": lambda xp, x: xp.linalg.matrix_power(x, 2),
        "triu": lambda xp, x: xp.triu(x, k=1) + xp.tril(x) ** 2,
        "cross": lambda xp, x: xp.linalg.cross(x, constant(xp, x, P[:, :3])),
    },
    portable=True,
)
SHAPES_OF_MATRICES = expressions(
    "shapes",
    GRID,
    {
        "reshape": lambda xp, x: xp.reshape(x, (4, 3)),
        "reshape -1": lambda xp, x: xp.reshape(x, (-1,)),
        "T": lambda xp, x: x.T,
        "mT": lambda xp, x: x.mT,
        "permute_dims": lambda xp, x: xp.permute_dims(x, (1, 0)),
        "moveaxis": lambda xp, x: xp.moveaxis(x[None, ...], 0, -1),
        "expand_dims": lambda xp, x: xp.expand_dims(x, axis=1),
        "squeeze": lambda xp, x: xp.squeeze(x[:, :1], axis=1),
        "broadcast_to": lambda xp, x: xp.broadcast_to(x, (2, 3, 4)),
        "broadcast_arrays": lambda xp, x: xp.broadcast_arrays(x[0, :], x)[0],
        "flip": lambda xp, x: xp.flip(x),
        "flip axis": lambda xp, x: xp.flip(x, axis=0),
        "roll": lambda xp, x: xp.roll(x, 2),
        "roll axes": lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)),
        "repeat": lambda xp, x: xp.repeat(x, 2, axis=0),
        "tile": lambda xp, x: xp.tile(x, (2, 1)),
        "meshgrid": lambda xp, x: xp.meshgrid(x[0, :], x[1, :])[1],
        "concat": lambda xp, x: xp.concat([x, constant(xp, x, P), x**2]),
        "concat axis": lambda xp, x: xp.concat([constant(xp, x, P), x], axis=-1),
        "concat flat": lambda xp, x: xp.concat([x, x**2], axis=None),
        "stack": lambda xp, x: xp.stack([x, constant(xp, x, P)], axis=1),
        "stack of entries": lambda xp, x: xp.stack([x[0, 0] * x[1, 1], x[2, 3]]),
        "unstack": lambda xp, x: xp.unstack(x, axis=1)[2] * 3,
    },
    portable=True,
)
INDEXING_OF_MATRICES = expressions(
    "indexing",
    GRID,
    {
        "x[1, 2]": lambda xp, x: x[1, 2] ** 2,
        "x[..., 0]": lambda xp, x: x[..., 0] ** 2,
        "x[::-1, 1::2]": lambda xp, x: x[::-1, 1::2] ** 2,
        "x[:, None, :]": lambda xp, x: (x[:, None, :] - x[None, ...]) ** 2,
        "x[rows, labels]": lambda xp, x: (
            x[integers(xp, x, [0, 1, 2]), integers(xp, x, [2, 0, 3])] ** 2
        ),
        "x[constant mask]": lambda xp, x: x[constant(xp, x, P) > 0] ** 2,
        "x[x > 1]": lambda xp, x: xp.sum(x[x > 1] ** 2),
        "nonzero": lambda xp, x: xp.sum(xp.take(x[0, :], xp.nonzero(x[0, :] > 1)[0])),
        "take": lambda xp, x: xp.take(x, integers(xp, x, [2, 0, 2]), axis=0),
        "take_along_axis": lambda xp, x: xp.take_along_axis(
            x, integers(xp, x, [[2], [0], [3]]), axis=1
        ),
        "stencil": lambda xp, x: x[1:-1, :-2] + x[:-2, 1:-1] - 4 * x[1:-1, 1:-1],
        "unique_values": lambda xp, x: xp.sum(xp.unique_values(x) ** 2),
        "searchsorted": lambda xp, x: (
            xp.astype(xp.searchsorted(constant(xp, x, np.arange(2.0)), x), x.dtype) * x
        ),
    },
    portable=True,
)
IDIOMS = collected(globals())
