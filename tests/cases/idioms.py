"""How people write functions of one array: what the tests of batching try.

`IDIOMS` holds functions ``f(x)`` of NumPy arrays, and portable functions ``f(xp, x)``
in the array API standard 2024.12. All are smooth at `point`, some constant.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from array_api_compat import array_namespace
from numpy.lib.stride_tricks import sliding_window_view

import xgrad
from xgrad import losses, metrics, special

POINT, FIVE, SIX = (), (5,), (6,)
GRID, SQUARE, CUBE = (3, 4), (3, 3), (2, 3, 2)


class Idiom(NamedTuple):
    """A function of an array of some shape; a portable one gets its namespace too."""

    theme: str
    name: str
    shape: tuple[int, ...]
    body: Callable[..., Any]
    portable: bool = False

    def __str__(self) -> str:
        family = "portable" if self.portable else "numpy"
        return f"{family}-{self.theme}-{self.name}"

    def function(self) -> Callable[[Any], Any]:
        """A new function of ``x``, of which nothing can be known from earlier calls."""
        if self.portable:
            return lambda x: self.body(array_namespace(x), x)
        return lambda x: self.body(x)


IDIOMS: list[Idiom] = []


def add(
    theme: str,
    shape: tuple[int, ...],
    bodies: Mapping[str, Callable[..., Any]],
    portable: bool = False,
) -> None:
    """Add idioms by their names."""
    for name, body in bodies.items():
        IDIOMS.append(Idiom(theme, name, shape, body, portable))


def written(
    theme: str, shape: tuple[int, ...], portable: bool = False
) -> Callable[..., Any]:
    """Add a function that takes more than an expression."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        name = body.__name__.removeprefix("portable_").replace("_", " ")
        add(theme, shape, {name: body}, portable)
        return body

    return register


def point(shape: tuple[int, ...]) -> np.ndarray:
    """Where to differentiate: values in (0.2, 2) that differ, none close to a kink."""
    turns = 0.388 * np.arange(1, math.prod(shape) + 1) ** 2 + 0.1
    return (0.25 + 1.7 * (turns % 1)).reshape(shape)


rng = np.random.default_rng(20261124)
C, S = rng.normal(size=5), rng.normal(size=(5, 5))
P, W, Q = rng.normal(size=GRID), rng.normal(size=(4, 2)), rng.uniform(1, 2, FIVE)
MASK, GRID_MASK = C > 0, P > 0
LABELS = np.array([2, 0, 3])
STACK = rng.normal(size=(2, 4, 3))


# NumPy, as people write it

UNARY = """sin cos tan sinh cosh tanh arctan arcsinh exp exp2 expm1 log log2 log10 log1p
    sqrt cbrt square reciprocal negative positive absolute fabs deg2rad sinc i0
    nan_to_num real conj"""
add("elementwise", FIVE, {name: getattr(np, name) for name in UNARY.split()})
add(
    "elementwise",
    FIVE,
    {
        "abs": lambda x: abs(x - 1),
        "arcsin and arccos": lambda x: np.arcsin(x / 2) * np.arccos(x / 3),
        "arctan2": lambda x: np.arctan2(x, C),
        "arctan2, constant first": lambda x: np.arctan2(C, x),
        "hypot": lambda x: np.hypot(x, x[::-1]),
        "logaddexp": lambda x: np.logaddexp(x, C),
        "power": lambda x: np.power(x, Q),
        "power of a constant": lambda x: np.power(Q, x),
        "float_power": lambda x: np.float_power(x, 3),
        "multiply and add": lambda x: np.add(np.multiply(2, x), C),
        "subtract.outer": lambda x: np.subtract.outer(x, C),
        "imaginary numbers": lambda x: np.abs(np.exp(1j * x) + 1),
        "x + 1j": lambda x: ((x + 1j) ** 2).imag,
        "frexp": lambda x: np.frexp(x)[0],
        "modf": lambda x: np.modf(x)[0] ** 2,
        "ldexp": lambda x: np.ldexp(x, 2),
        "gaussian": lambda x: np.exp(-((x - 1) ** 2) / 2) / np.sqrt(2 * np.pi),
        "relu": lambda x: np.maximum(x - 1, 0),
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
        "rosenbrock": lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        "polynomial": lambda x: np.polyval([1.0, -2.0, 0.5], x),
        "where=": lambda x: np.log(x, where=np.ones(5, bool), out=None),
    },
)
add("elementwise", POINT, {"sin of 0-d": np.sin, "0-d": lambda x: x**2 + 3 * x})
add(
    "operators",
    FIVE,
    {
        "x + 1": lambda x: x + 1,
        "1 + x": lambda x: 1 + x,
        "x - C": lambda x: x - C,
        "C - x": lambda x: C - x,
        "3 - x": lambda x: 3 - x,
        "C * x": lambda x: C * x,
        "C / x": lambda x: C / x,
        "2 / x": lambda x: 2 / x,
        "x / C": lambda x: x / C,
        "x ** 2": lambda x: x**2,
        "x ** 0.5": lambda x: x**0.5,
        "x ** -1.0": lambda x: x**-1.0,
        "2 ** x": lambda x: 2**x,
        "Q ** x": lambda x: Q**x,
        "x ** x": lambda x: x**x,
        "x // 0.3": lambda x: x // 0.3 * x,
        "x % 0.7": lambda x: x % 0.7,
        "7 % x": lambda x: 7 % x,
        "divmod": lambda x: divmod(x, 0.7)[1],
        "signs": lambda x: -(+x),
        "np.float64 * x": lambda x: np.float64(2.5) * x,
        "np.float64 - x": lambda x: np.float64(2.5) - x,
        "np.int64 * x": lambda x: np.int64(3) * x,
        "0-d array * x": lambda x: np.array(2.0) * x,
        "integer array * x": lambda x: np.arange(5) * x,
        "boolean array * x": lambda x: MASK * x,
        "list * x": lambda x: [1.0, 2.0, 3.0, 4.0, 5.0] * x,
        "x + tuple": lambda x: x**2 + (1.0, 2.0, 3.0, 4.0, 5.0),
        "row of ndarray * x": lambda x: S[1] * x,
        "comparison * x": lambda x: (x > 1) * x,
        "greater(1.4, x)": lambda x: np.greater(1.4, x) * x**2,
        "masks combined": lambda x: ((x > 1) & ~(x > 1.5) | (x < 0.6)) * x,
        "x == x": lambda x: (x == x) * x,
        "astype of a mask": lambda x: (x > 1).astype(float) @ x,
        "x @ C": lambda x: x @ C,
        "C @ x": lambda x: C @ x,
        "S @ x": lambda x: S @ x,
        "x @ S @ x": lambda x: x @ S @ x,
        "x @ x": lambda x: x @ x,
        "matrix + x": lambda x: S + x,
        "column + x": lambda x: C[:, None] * x,
        "x - x.mean()": lambda x: x - x.mean(),
        "x[0] * x": lambda x: x[0] * x,
        "x[0] * C": lambda x: x[0] * C,
        "C[0] * x[0]": lambda x: C[0] * x[0],
        "add.reduce": np.add.reduce,
        "multiply.accumulate": np.multiply.accumulate,
        "logaddexp.reduce": np.logaddexp.reduce,
        "maximum.accumulate": np.maximum.accumulate,
        "add.reduceat": lambda x: np.add.reduceat(x, [0, 2, 3]),
    },
)
add(
    "reductions",
    GRID,
    {
        "sum": np.sum,
        "sum axis 0": lambda x: np.sum(x**2, axis=0),
        "sum axis -1": lambda x: np.sum(x**2, axis=-1),
        "sum axis -2": lambda x: np.sum(x**2, axis=-2),
        "sum both axes": lambda x: np.sum(x**2, axis=(0, 1)),
        "sum no axes": lambda x: np.sum(x**2, axis=()),
        "sum, positional": lambda x: np.sum(x, 1),
        "sum method": lambda x: x.sum(0),
        "sum keepdims": lambda x: x / np.sum(x, axis=1, keepdims=True),
        "sum keepdims, all": lambda x: x / np.sum(x, keepdims=True),
        "sum dtype": lambda x: np.sum(x, axis=0, dtype=np.float64),
        "sum initial": lambda x: np.sum(x, axis=0, initial=3.0) ** 2,
        "sum where": lambda x: np.sum(x**2, where=GRID_MASK),
        "sum where, by axis": lambda x: np.sum(x, axis=1, where=GRID_MASK),
        "sum where x": lambda x: np.sum(x**2, axis=1, where=x > 1),
        "prod": np.prod,
        "prod axis": lambda x: x.prod(axis=1),
        "mean": np.mean,
        "mean axis": lambda x: x.mean(axis=0) ** 2,
        "mean where": lambda x: np.mean(x, axis=0, where=P < 1),
        "var": np.var,
        "var ddof": lambda x: np.var(x, axis=1, ddof=1),
        "std ddof keepdims": lambda x: x / np.std(x, axis=0, ddof=1, keepdims=True),
        "std correction": lambda x: np.std(x, axis=1, correction=1),
        "std mean": lambda x: np.std(x, axis=0, mean=np.mean(x, 0, keepdims=True)),
        "var method": lambda x: x.var(0, ddof=2),
        "max": np.max,
        "max axis": lambda x: np.max(x, axis=0),
        "amin keepdims": lambda x: x - np.amin(x, axis=1, keepdims=True),
        "max initial": lambda x: np.max(x, axis=1, initial=1.5),
        "max where": lambda x: np.max(x, axis=1, where=GRID_MASK, initial=0.0),
        "ptp": lambda x: np.ptp(x, axis=0),
        "average": lambda x: np.average(x, axis=1, weights=[1, 2, 3, 4]),
        "average by x": lambda x: np.average(P, axis=1, weights=x),
        "nansum": lambda x: np.nansum(np.where(GRID_MASK, x, np.nan), axis=0),
        "nanmean": lambda x: np.nanmean(np.where(P < 1, x, np.nan), axis=0),
        "nanmax": lambda x: np.nanmax(x, axis=1),
        "count_nonzero": lambda x: np.count_nonzero(x > 1, axis=1) * x[:, 0],
        "any and all": lambda x: np.any(x > 1.5, 0) * x + np.all(x > 0.4, 0) * x**2,
        "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
        "add.reduce keepdims": lambda x: np.add.reduce(x**2, axis=0, keepdims=True),
        "logsumexp": lambda x: np.log(np.sum(np.exp(x - x.max(1, keepdims=True)), 1)),
        "median": lambda x: np.median(x),
        "median axis": lambda x: np.median(x, axis=1, keepdims=True),
        "percentile": lambda x: np.percentile(x, [25, 60], axis=0),
        "quantile": lambda x: np.quantile(x, 0.3, axis=1, method="linear"),
        "cov": np.cov,
        "corrcoef": np.corrcoef,
    },
)
add(
    "reductions",
    CUBE,
    {
        "sum of two axes": lambda x: np.sum(x**2, axis=(0, 2)),
        "mean of two axes": lambda x: np.mean(x**2, axis=(-1, 1), keepdims=True),
        "max of two axes": lambda x: np.max(x, axis=(0, 1)),
        "norm of two axes": lambda x: np.linalg.norm(x, axis=(0, 2)),
    },
)
add(
    "products",
    GRID,
    {
        "x @ W": lambda x: x @ W,
        "W.T @ x.T": lambda x: W.T @ x.T,
        "x.T @ x": lambda x: x.T @ x,
        "x @ x[0]": lambda x: x @ x[0],
        "x[:, 0] @ x": lambda x: x[:, 0] @ x,
        "matmul with a stack": lambda x: np.matmul(x, STACK),
        "stack @ x": lambda x: STACK @ x,
        "dot": lambda x: np.dot(x, W),
        "x.dot": lambda x: x.dot(W),
        "dot of a vector": lambda x: np.dot(x, [1.0, 2.0, 3.0, 4.0]),
        "dot with a stack": lambda x: np.dot(x, STACK),
        "ndarray.dot": lambda x: W.T.dot(x.T),
        "inner": lambda x: np.inner(x, P),
        "vdot": lambda x: np.vdot(P, x),
        "vecdot": lambda x: np.vecdot(x, P),
        "vecdot axis": lambda x: np.vecdot(P, x, axis=0),
        "outer": lambda x: np.outer(x, C),
        "outer of slices": lambda x: np.outer(x[0], x[:, 1]),
        "kron": lambda x: np.kron(x, W),
        "einsum ij,jk": lambda x: np.einsum("ij,jk", x, W),
        "einsum ij,jk->ki": lambda x: np.einsum("ij,jk->ki", x, W),
        "einsum ij->": lambda x: np.einsum("ij->", x),
        "einsum ij,ij->i": lambda x: np.einsum("ij,ij->i", x, x),
        "einsum ji": lambda x: np.einsum("ji", x),
        "einsum ...j": lambda x: np.einsum("...j,kj", x, W.T),
        "einsum of three": lambda x: np.einsum("ij,jk,lk->il", x, W, W, optimize=True),
        "einsum by lists": lambda x: np.einsum(x, [0, 1], W, [1, 2], [2, 0]),
        "tensordot": lambda x: np.tensordot(x, W, axes=1),
        "tensordot pairs": lambda x: np.tensordot(P, x, axes=([0], [0])),
        "tensordot both": lambda x: np.tensordot(P, x, axes=2),
        "tensordot axes 0": lambda x: np.tensordot(x, C, axes=0),
        "multi_dot": lambda x: np.linalg.multi_dot([x, W, W.T]),
        "norm": np.linalg.norm,
        "norm fro": lambda x: np.linalg.norm(x, "fro"),
        "norm nuc": lambda x: np.linalg.norm(x, "nuc"),
        "norm 1": lambda x: np.linalg.norm(x, 1),
        "norm 2": lambda x: np.linalg.norm(x, 2),
        "norm inf": lambda x: np.linalg.norm(x, np.inf),
        "norm -inf": lambda x: np.linalg.norm(x, ord=-np.inf),
        "norm of rows": lambda x: np.linalg.norm(x, axis=1),
        "norm 1 of rows": lambda x: np.linalg.norm(x, 1, axis=1, keepdims=True),
        "norm inf of columns": lambda x: np.linalg.norm(x, np.inf, axis=0),
        "norm 3 of rows": lambda x: np.linalg.norm(x, 3, axis=-1),
        "norm keepdims": lambda x: x / np.linalg.norm(x, keepdims=True),
        "vector_norm": lambda x: np.linalg.vector_norm(x, ord=3),
        "matrix_norm": lambda x: np.linalg.matrix_norm(x, ord=1),
        "singular values": lambda x: np.linalg.svd(x, compute_uv=False),
        "pinv": np.linalg.pinv,
        "cross": lambda x: np.cross(x[:, :3], P[:, 1:]),
    },
)
add(
    "products",
    FIVE,
    {
        "vector norm": lambda x: np.linalg.norm(x - C),
        "vector norm 1": lambda x: np.linalg.norm(x - 1, 1),
        "vector norm 0": lambda x: np.linalg.norm(x, 0) * x,
        "vector norm -inf": lambda x: np.linalg.norm(x, -np.inf),
        "vector norm 2.5": lambda x: np.linalg.norm(x, ord=2.5),
        "np.dot of vectors": lambda x: np.dot(C, x) * np.dot(x, x),
        "convolve": lambda x: np.convolve(x, [1.0, -2.0, 1.0], mode="same"),
        "correlate": lambda x: np.correlate(x, [1.0, 2.0]),
        "spectrum": lambda x: np.abs(np.fft.rfft(x)) ** 2,
        "diag": np.diag,
        "solve for x": lambda x: np.linalg.solve(S, x),
        "lstsq": lambda x: np.linalg.lstsq(S, x, rcond=None)[0],
    },
)
add(
    "products",
    SQUARE,
    {
        "einsum ii": lambda x: np.einsum("ii", x),
        "einsum ii->i": lambda x: np.einsum("ii->i", x),
        "trace": np.trace,
        "trace method": lambda x: x.trace(offset=1),
        "diagonal": lambda x: np.diagonal(x, 1),
        "triu": np.triu,
        "tril": lambda x: np.tril(x, k=-1),
        "det": np.linalg.det,
        "slogdet": lambda x: np.linalg.slogdet(x)[1],
        "inv": np.linalg.inv,
        "solve": lambda x: np.linalg.solve(x, [1.0, 2.0, 3.0]),
        "solve matrix": lambda x: np.linalg.solve(x, P),
        "eigvalsh": lambda x: np.linalg.eigvalsh(x + x.T),
        "cholesky": lambda x: np.linalg.cholesky(x @ x.T),
        "matrix_power": lambda x: np.linalg.matrix_power(x, 3),
        "qr": lambda x: np.abs(np.linalg.qr(x)[1]),
        "cond": np.linalg.cond,
    },
)
add(
    "shapes",
    GRID,
    {
        "reshape": lambda x: x.reshape(4, 3),
        "reshape -1": lambda x: x.reshape(-1, 2),
        "reshape of a tuple": lambda x: x.reshape((2, 6)),
        "reshape order": lambda x: x.reshape(4, 3, order="F"),
        "np.reshape": lambda x: np.reshape(x, (2, -1)),
        "np.reshape order": lambda x: np.reshape(x, -1, order="F"),
        "ravel": np.ravel,
        "ravel F": lambda x: x.ravel("F"),
        "np.ravel order": lambda x: np.ravel(x, order="F"),
        "flatten": lambda x: x.flatten(),
        "flatten F": lambda x: x.flatten(order="F"),
        "ravel of x.T": lambda x: x.T.ravel(),
        "reshape A of x.T": lambda x: x.T.reshape(-1, order="A"),
        "T": lambda x: x.T,
        "mT": lambda x: x.mT,
        "transpose": lambda x: x.transpose(1, 0),
        "np.transpose": lambda x: np.transpose(x, axes=(-1, 0)),
        "swapaxes": lambda x: x.swapaxes(0, 1),
        "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
        "squeeze": lambda x: x[None, :, :1].squeeze(),
        "squeeze axis": lambda x: np.squeeze(x[:, :1, None], axis=-1),
        "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
        "broadcast_arrays": lambda x: np.broadcast_arrays(x[0], P)[0],
        "flip": np.flip,
        "flip axis": lambda x: np.flip(x, axis=-1),
        "fliplr": np.fliplr,
        "rot90": np.rot90,
        "roll": lambda x: np.roll(x, 2),
        "roll axis": lambda x: np.roll(x, -1, axis=1),
        "roll both": lambda x: np.roll(x, (1, 2), axis=(0, 1)),
        "repeat": lambda x: np.repeat(x, 2),
        "repeat axis": lambda x: x.repeat(2, axis=1),
        "repeat counts": lambda x: np.repeat(x, [1, 0, 2], axis=0),
        "tile": lambda x: np.tile(x, 2),
        "tile both": lambda x: np.tile(x, (2, 1)),
        "pad": lambda x: np.pad(x, 1),
        "pad edge": lambda x: np.pad(x, ((0, 1), (2, 0)), mode="edge"),
        "resize": lambda x: np.resize(x, (2, 3)),
        "atleast_3d": np.atleast_3d,
        "meshgrid": lambda x: np.meshgrid(x[0], x[1, :2])[1],
        "split": lambda x: np.split(x, 2, axis=1)[1] * 2,
        "array_split": lambda x: np.array_split(x, 3, axis=1)[0],
        "unstack": lambda x: np.unstack(x, axis=1)[2],
        "delete": lambda x: np.delete(x, 1, axis=0),
        "insert": lambda x: np.insert(x, 1, 0.5, axis=1),
    },
)
add(
    "shapes",
    CUBE,
    {
        "T of 3-d": lambda x: x.T,
        "transpose of 3-d": lambda x: np.transpose(x, (2, 0, 1)),
        "mT of 3-d": lambda x: x.mT,
        "moveaxis": lambda x: np.moveaxis(x, 0, -1),
        "moveaxis of two": lambda x: np.moveaxis(x, [0, 1], [2, 0]),
        "rollaxis": lambda x: np.rollaxis(x, 2),
        "permute_dims": lambda x: np.permute_dims(x, (1, 2, 0)),
        "reshape F of 3-d": lambda x: x.reshape((3, 4), order="F"),
        "windows": lambda x: sliding_window_view(x, 2, axis=1),
    },
)
add(
    "joining",
    FIVE,
    {
        "stack": lambda x: np.stack([x, x**2]),
        "stack axis": lambda x: np.stack([x, C, x[::-1]], axis=1),
        "stack of entries": lambda x: np.stack([x[0] * x[1], x[2], x[0] ** 2]),
        "stack with numbers": lambda x: np.stack([x[0], 1.0, x[1]]),
        "concatenate": lambda x: np.concatenate([x[1:], C, x[:1]]),
        "concatenate of constants first": lambda x: np.concatenate((C, x, C)),
        "concat": lambda x: np.concat([[0.0], x, [1.0]]),
        "concatenate flat": lambda x: np.concatenate([S, x[:, None]], axis=None),
        "hstack": lambda x: np.hstack([x, C]),
        "hstack with a number": lambda x: np.hstack([x, 1.0]),
        "vstack": lambda x: np.vstack([x, S]),
        "column_stack": lambda x: np.column_stack([x, C, x**2]),
        "dstack": lambda x: np.dstack([x, C]),
        "block": lambda x: np.block([[S, x[:, None]], [x, 1.0]]),
        "r_": lambda x: np.r_[x, 0.5, C],
        "c_": lambda x: np.c_[x, C],
        "append": lambda x: np.append(x, 3.0),
        "array of entries": lambda x: np.array([x[0] * 2, x[1] * x[2]]),
        "array of rows": lambda x: np.array([x, C]),
        "asarray": lambda x: np.asarray(x) ** 2,
        "np.array": lambda x: np.array(x) ** 2,
        "asarray of a list": lambda x: np.asarray([v**2 for v in x]),
        "an entry and a constant": lambda x: np.stack([x[0], x[0] * 0 + 1.0]),
        "np.sum of a list": lambda x: np.sum([x[0], x[1] * x[2]]),
        "atleast_1d": lambda x: np.atleast_1d(x[0] * x[1]),
        "fromiter": lambda x: np.fromiter((v * v for v in x), float),
        "list": lambda x: np.dot(C, [v * v for v in x]),
    },
)
add(
    "indexing",
    SIX,
    {
        "x[0]": lambda x: x[0] ** 2,
        "x[-1]": lambda x: x[-1] * x[-2],
        "x[1:]": lambda x: x[1:] * x[:-1],
        "x[::-1]": lambda x: x[::-1] ** 2,
        "x[4:0:-2]": lambda x: x[4:0:-2] ** 2,
        "x[::2] and x[1::2]": lambda x: x[::2] - x[1::2] ** 2,
        "slice of slices": lambda x: x[1:][::-1][::2][1:] ** 2,
        "x[None]": lambda x: x[None] * x[:, None],
        "x[...]": lambda x: x[...] ** 2,
        "x[...,]": lambda x: x[..., 1:3, None],
        "x[slice(None, 3)]": lambda x: x[slice(None, 3)] ** 2,
        "x[-100:100]": lambda x: x[-100:100] ** 2,
        "x[4:1]": lambda x: np.sum(x[4:1]) + x[0],
        "x[np.int64]": lambda x: x[np.int64(2)] ** 2,
        "x[len(x) - 1]": lambda x: x[len(x) - 1] ** 2,
        "x[list]": lambda x: x[[0, 2, 2, -1]],
        "x[integers]": lambda x: x[np.array([[0, 1], [5, 1]])] ** 2,
        "x[mask]": lambda x: x[np.array([True, False, True, True, False, True])] ** 2,
        "x[list of bools]": lambda x: x[[True, False, False, True, False, True]] ** 2,
        "x[x > 1]": lambda x: np.sum(x[x > 1] ** 2),
        "x[~mask of x]": lambda x: np.mean(x[~(x > 1)]),
        "x[True]": lambda x: x[True] ** 2,
        "x[1-tuple]": lambda x: x[(3,)] ** 2,
        "x[argsort]": lambda x: x[np.argsort(x)] * np.arange(6),
        "x[argmax]": lambda x: x[np.argmax(x)] ** 2,
        "C[argmax]": lambda x: C[np.argmax(x[:4])] * x,
        "take": lambda x: np.take(x, [3, 0, 3]),
        "take method": lambda x: x.take([1, -1]),
        "take wrap": lambda x: np.take(x, [7, -8], mode="wrap") ** 2,
        "take_along_axis of argsort": lambda x: np.take_along_axis(x, np.argsort(x), 0),
        "compress": lambda x: np.compress([1, 0, 0, 1, 1, 0], x),
        "extract": lambda x: np.extract(x > 1, x),
        "choose": lambda x: np.choose([0, 1, 0, 1, 1, 0], [x, x**2]),
        "item": lambda x: x.item(1) ** 2,
        "tolist": lambda x: sum(v**2 for v in x.tolist()),
        "flat": lambda x: x.flat[2] ** 2,
        "itemgetter": lambda x: operator.itemgetter(2)(x) ** 2,
        "second difference": lambda x: x[2:] - 2 * x[1:-1] + x[:-2],
        "x[0] in a list": lambda x: [x[0] ** 2, x[1]][0],
    },
)
add(
    "indexing",
    GRID,
    {
        "x[1, 2]": lambda x: x[1, 2] ** 2,
        "x[1][2]": lambda x: x[1][2] ** 2,
        "x[:, 1]": lambda x: x[:, 1] ** 2,
        "x[..., -1]": lambda x: x[..., -1] * x[..., 0],
        "x[::-1, ::2]": lambda x: x[::-1, ::2] ** 2,
        "x[1:, None, -2:]": lambda x: x[1:, None, -2:],
        "x[:, [0, 2]]": lambda x: x[:, [0, 2]] ** 2,
        "x[[0, 1], [1, 2]]": lambda x: x[[0, 1], [1, 2]] ** 2,
        "x[rows, labels]": lambda x: x[np.arange(3), LABELS] ** 2,
        "x[labels, None]": lambda x: x[[0, 2], None, 1:],
        "x[ix_]": lambda x: x[np.ix_([0, 2], [3, 1])],
        "x[2-d mask]": lambda x: x[GRID_MASK] ** 2,
        "x[:, mask]": lambda x: x[:, np.array([True, False, True, True])],
        "x[0, x > 1]": lambda x: np.sum(x[0, x[1] > 1]),
        "pairwise distances": lambda x: np.sum((x[:, None] - x[None]) ** 2, axis=-1),
        "take axis": lambda x: np.take(x, [1, 0, 1], axis=1),
        "take_along_axis": lambda x: np.take_along_axis(x, LABELS[:, None], axis=1),
        "largest of rows": lambda x: np.take_along_axis(
            x, np.argmax(x, axis=1, keepdims=True), axis=1
        ),
        "triangle": lambda x: x[np.triu_indices(3, 1)] ** 2,
        "upper sum": lambda x: x[:, :3][np.tri(3, dtype=bool)],
    },
)
add(
    "choices",
    FIVE,
    {
        "where": lambda x: np.where(x > 1, x, 0.0),
        "where of two": lambda x: np.where(x > 1, x**2, np.sqrt(x)),
        "where constant": lambda x: np.where(MASK, x, C),
        "where of scalars": lambda x: np.where(x > 1, 1.0, -1.0) * x,
        "where broadcast": lambda x: np.where(S > 0, x, x[:, None]),
        "where of one": lambda x: np.sum(x[np.where(x > 1)] ** 2),
        "nonzero": lambda x: np.sum(x[np.nonzero(x > 1)[0]]),
        "argwhere": lambda x: len(np.argwhere(x > 1)) * x[0],
        "clip": lambda x: np.clip(x, 0.7, 1.4),
        "clip of one side": lambda x: np.clip(x, None, 1.4),
        "clip method": lambda x: x.clip(min=0.7),
        "clip to arrays": lambda x: np.clip(x, C, C + 1),
        "clip of a constant": lambda x: np.clip(C, -x, x),
        "maximum": lambda x: np.maximum(x, 1),
        "maximum of a constant": lambda x: np.maximum(C, x),
        "minimum of two": lambda x: np.minimum(x, x[::-1] ** 2),
        "fmax": lambda x: np.fmax(x, np.nan) + np.fmin(1, x),
        "sign": lambda x: np.sign(x - 1) * x,
        "heaviside": lambda x: np.heaviside(x - 1, 0.5) * x**2,
        "copysign": lambda x: np.copysign(x, C),
        "rounding": lambda x: x - np.floor(x) + np.ceil(x) * np.rint(x) * x,
        "round": lambda x: np.round(x, 1) * x,
        "trunc twice": lambda x: np.trunc(x) * x + np.trunc(x),
        "isnan": lambda x: np.where(np.isnan(x), 0.0, x),
        "isclose": lambda x: np.isclose(x, 1.0) + x,
        "allclose": lambda x: x**2 + np.allclose(x, 1.0),
        "array_equal": lambda x: x**2 + np.array_equal(x, C),
        "select": lambda x: np.select([x > 1.3, x > 0.7], [x, x**2], 0.5),
        "piecewise": lambda x: np.piecewise(x, [x > 1], [lambda v: v**2, -1.0]),
        "logical_and": lambda x: np.logical_and(x > 0.6, np.less(x, 1.3)) * x,
        "huber": lambda x: np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5).mean(),
    },
)
add(
    "along",
    SIX,
    {
        "diff": np.diff,
        "diff n": lambda x: np.diff(x, n=2),
        "diff prepend": lambda x: np.diff(x, prepend=0.0),
        "diff append": lambda x: np.diff(x, append=[1.0, 2.0]),
        "ediff1d": np.ediff1d,
        "gradient": np.gradient,
        "gradient of spacing": lambda x: np.gradient(x, 0.5, edge_order=2),
        "cumsum": np.cumsum,
        "cumsum backwards": lambda x: np.cumsum(x[::-1])[::-1],
        "cumprod": lambda x: x.cumprod(),
        "cumulative_sum": lambda x: np.cumulative_sum(x, include_initial=True),
        "sort": np.sort,
        "sort backwards": lambda x: np.sort(x)[::-1] * np.arange(6),
        "sorted method": lambda x: np.sort(x, kind="stable")[2:4],
        "argsort": lambda x: np.argsort(x) * x,
        "argmax": lambda x: np.argmax(x) * x,
        "argmin method": lambda x: x.argmin() + x,
        "partition": lambda x: np.partition(x, 2)[2],
        "searchsorted": lambda x: np.searchsorted([0.7, 1.0, 1.4], x) * x,
        "digitize": lambda x: np.digitize(x, [0.7, 1.0, 1.4]) * x,
        "interp": lambda x: np.interp(x, [0, 1, 2], [0.0, 3.0, 1.0]),
        "interp of x": lambda x: np.interp([0.5, 1.25], np.arange(6), x),
        "trapezoid": np.trapezoid,
        "trapezoid dx": lambda x: np.trapezoid(x**2, dx=0.1),
        "trapezoid of x": lambda x: np.trapezoid(x[:3], np.cumsum(x[3:])),
        "laplacian": lambda x: np.roll(x, 1) - 2 * x + np.roll(x, -1),
        "histogram": lambda x: np.histogram(x, bins=[0, 0.7, 1.4, 2])[0] * x[:3],
        "unique": lambda x: np.unique(x) ** 2,
        "bincount": lambda x: np.bincount([0, 1, 1, 2, 0, 0], weights=x),
        "vectorize": lambda x: np.vectorize(lambda v: v**2)(x),
        "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
        "polyfit": lambda x: np.polyfit(np.arange(6), x, 2),
        "vander": lambda x: np.vander(x, 3),
        "autocorrelation": lambda x: np.correlate(x, x, "full"),
    },
)
add(
    "along",
    GRID,
    {
        "diff axis": lambda x: np.diff(x, axis=0),
        "cumsum flat": lambda x: np.cumsum(x),
        "cumsum axis": lambda x: np.cumsum(x, axis=-1),
        "cumprod axis": lambda x: np.cumprod(x, axis=0),
        "sort last axis": lambda x: np.sort(x),
        "sort axis": lambda x: np.sort(x, axis=0),
        "sort flat": lambda x: np.sort(x, axis=None),
        "argmax axis": lambda x: np.argmax(x, axis=0) * x,
        "argmax flat": lambda x: np.argmax(x) * x[0],
        "gradient of 2-d": lambda x: np.gradient(x)[0] * np.gradient(x, axis=1),
        "five-point stencil": lambda x: x[1:-1, :-2] + x[:-2, 1:-1] - 4 * x[1:-1, 1:-1],
        "apply to rows": lambda x: np.apply_along_axis(np.prod, 1, x),
    },
)
add(
    "loops",
    FIVE,
    {
        "builtin sum": sum,
        "sum of squares": lambda x: sum(v * v for v in x),
        "sum with start": lambda x: sum(
            (v * c for v, c in zip(x, C, strict=True)), 1.0
        ),
        "range": lambda x: sum(x[i] * x[i - 1] for i in range(len(x))),
        "range of shape": lambda x: sum(i * x[i] ** 2 for i in range(x.shape[0])),
        "enumerate": lambda x: sum(i * v**2 for i, v in enumerate(x)),
        "zip": lambda x: sum(a * b for a, b in zip(x[1:], x[:-1], strict=True)),
        "pairwise": lambda x: sum((b - a) ** 2 for a, b in itertools.pairwise(x)),
        "map": lambda x: sum(map(np.sin, x)),
        "reduce": lambda x: functools.reduce(operator.mul, x),
        "reversed": lambda x: np.stack([v**2 for v in reversed(x)]),
        "stack of a comprehension": lambda x: np.stack([v * x[0] for v in x]),
        "tuple": lambda x: np.stack(tuple(x)) ** 2,
        "builtin max": lambda x: max(x) ** 2,
        "builtin min": lambda x: min(x[0], x[1]) ** 2,
        "sorted": lambda x: sorted(x)[2] ** 2,
        "any": lambda x: any(v > 1.5 for v in x) * x,
        "in": lambda x: x**2 + (0.5 in x),
        "math.sin": lambda x: math.sin(x[0]) * x[1],
        "math.sqrt of a sum": lambda x: math.sqrt(np.sum(x**2)),
        "math.fsum": math.fsum,
        "math.hypot": lambda x: math.hypot(*x),
        "math.prod": math.prod,
        "float": lambda x: float(np.sum(x**2)),
        "float of entries": lambda x: sum(float(v) ** 2 for v in x),
        "int": lambda x: int(x[0] * 10) * x,
        "builtin round": lambda x: round(x[0], 1) * x,
        "format": lambda x: len(f"{x[0]:.3f}") * x,
        "str": lambda x: len(str(x.shape)) * x,
        "copy.copy": lambda x: copy.copy(x) ** 2,
        "copy.deepcopy": lambda x: copy.deepcopy(x) ** 2,
    },
)
add(
    "loops",
    GRID,
    {
        "rows": lambda x: sum(row[0] * row[-1] for row in x),
        "rows and entries": lambda x: sum(v**2 for row in x for v in row),
        "rows of x.T": lambda x: np.stack([column.sum() for column in x.T]),
        "ndindex": lambda x: sum(x[i] ** 2 for i in np.ndindex(x.shape)),
        "entries by flat": lambda x: sum(v**2 for v in x.flat),
        "nditer": lambda x: sum(v**2 for v in np.nditer(x)),
        "sum of rows": lambda x: sum(x),
        "double range": lambda x: sum(
            x[i, j] * P[i, j] for i in (0, 2) for j in (1, 3)
        ),
    },
)


@written("loops", FIVE)
def unpacking(x):
    a, b, *others = x
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2 + sum(others)


@written("loops", GRID)
def unpacking_of_rows(x):
    first, _, last = x
    return first @ last


@written("loops", FIVE)
def recurrence(x):
    state = 1.0
    for v in x:
        state = np.tanh(state * v + 0.1)
    return state


@written("loops", FIVE)
def time_steps(x):
    for _ in range(4):
        x = x + 0.1 * np.sin(np.roll(x, 1))
    return x


@written("loops", FIVE)
def list_of_results(x):
    found = []
    for i in range(1, len(x)):
        found.append(x[i] * x[i - 1])
    return np.stack(found)


@written("loops", POINT)
def newton(x):
    y = 1.0
    while True:
        closer = (y + x / y) / 2
        if abs(closer - y) < 1e-12:
            return closer
        y = closer


@written("loops", FIVE)
def nested_functions(x):
    def layer(v, depth):
        return v if depth == 0 else layer(np.tanh(S @ v + C), depth - 1)

    return layer(x, 3)


@written("loops", GRID)
def network(x):
    hidden = np.maximum(x @ W + 0.1, 0)
    return np.mean((hidden - 1) ** 2) + 0.1 * np.sum(np.abs(x))


# Memory: copies, views, and what is written into them


@written("memory", FIVE)
def copy_then_slice(x):
    y = x.copy()
    y[1:] *= 2
    return y


@written("memory", FIVE)
def np_copy(x):
    y = np.copy(x)
    y[0] = y[1] * 3
    return x * y


@written("memory", FIVE)
def add_in_place(x):
    x += 1
    return x**2


@written("memory", FIVE)
def all_in_place(x):
    x *= x
    x -= C
    x /= 2
    x **= 2
    return x


@written("memory", FIVE)
def write_into_the_argument(x):
    x[0] = 3.0
    x[-1] = x[1] * x[2]
    return x


@written("memory", FIVE)
def alias(x):
    y = x
    y += 1
    return x * y


@written("memory", FIVE)
def rebound_is_no_alias(x):
    y = x
    x = x + 1
    return x * y


@written("memory", FIVE)
def copy_before_in_place(x):
    y = x.copy()
    x -= 1
    return y * x


@written("memory", FIVE)
def overlapping_slices(x):
    x[1:] += x[:-1]
    return x


@written("memory", FIVE)
def swap_entries(x):
    x[0], x[1] = x[1], x[0] ** 2
    return x


@written("memory", FIVE)
def swap_slices_which_are_views(x):
    x[:2], x[2:4] = x[2:4], x[:2]
    return x


@written("memory", FIVE)
def entry_is_no_view(x):
    first = x[0]
    x[0] = 10.0
    return first * x


@written("memory", GRID)
def row_is_a_view(x):
    row = x[0]
    x[0] = 10.0
    return row * x


@written("memory", FIVE)
def write_through_a_slice(x):
    y = x[1:]
    y *= 2
    return x**2


@written("memory", FIVE)
def write_into_a_slice(x):
    y = x[::-1]
    y[0] = y[1] * 2
    return x**2


@written("memory", FIVE)
def whole_slice_is_a_view(x):
    y = x[:]
    y[0] = 0.5
    return x * y


@written("memory", GRID)
def write_through_reshape(x):
    x.reshape(-1)[5] = 5.0
    return x**2


@written("memory", GRID)
def write_through_ravel(x):
    y = x.ravel()
    y[:2] = x[1, 1]
    return x


@written("memory", GRID)
def write_into_flatten(x):
    y = x.flatten()
    y[:2] = 7.0
    return x * y[0]


@written("memory", GRID)
def ravel_of_a_transpose_is_a_copy(x):
    y = x.T.ravel()
    y *= 3
    return x**2


@written("memory", GRID)
def write_through_a_transpose(x):
    x.T[0] = 2.0
    y = x.T
    y += 1
    return x


@written("memory", GRID)
def write_through_rows(x):
    for row in x:
        row *= row[0]
    return x


@written("memory", GRID)
def write_through_a_row_of_a_row(x):
    x[1][2] = 4.0
    return x


@written("memory", FIVE)
def write_through_new_axes(x):
    y = x[:, None]
    y[1] += 2 * x[0]
    return x**2


@written("memory", FIVE)
def fancy_indexing_is_a_copy(x):
    y = x[[0, 1]]
    y *= 2
    return np.concatenate([x, y])


@written("memory", FIVE)
def broadcast_then_write_into_x(x):
    y = np.broadcast_to(x, (2, 5))
    x[0] = 3.0
    return y * x


@written("memory", FIVE)
def asarray_is_an_alias(x):
    y = np.asarray(x)
    y += 1
    return x**2


@written("memory", FIVE)
def astype_without_copy(x):
    y = x.astype(float, copy=False)
    y += 1
    return x**2


@written("memory", FIVE)
def astype_copies(x):
    y = x.astype(float)
    y += 1
    return x * y


@written("memory", FIVE)
def view_method(x):
    y = x.view()
    y[0] = 2.0
    return x**2


@written("memory", FIVE)
def zeros_like_filled(x):
    o = np.zeros_like(x)
    o[0] = x[0]
    for i in range(1, len(x)):
        o[i] = o[i - 1] * x[i]
    return o


@written("memory", FIVE)
def empty_like_filled(x):
    o = np.empty_like(x)
    o[:2] = x[:2] ** 2
    o[2:] = 1.0
    return o


@written("memory", FIVE)
def full_like_added(x):
    o = np.full_like(x, 2.0)
    o[1:4] += x[:3]
    return o


@written("memory", FIVE)
def zeros_of_a_shape(x):
    o = np.zeros(3)
    o[0] = x[0] * x[1]
    return o


@written("memory", FIVE)
def zeros_of_a_shape_sliced(x):
    o = np.zeros(x.shape)
    o[1:] = x[1:] ** 2
    return o


@written("memory", FIVE)
def zeros_like_of_another_shape(x):
    o = np.zeros_like(x, shape=(2, 5))
    o[1] = x
    return o


@written("memory", FIVE)
def constant_mask_assigned(x):
    y = x.copy()
    y[MASK] = 0.0
    return y


@written("memory", FIVE)
def mask_of_x_assigned(x):
    y = x.copy()
    y[y > 1] = 1.0
    return y


@written("memory", FIVE)
def mask_of_x_scaled(x):
    y = x.copy()
    y[x > 1] *= 3
    return y


@written("memory", FIVE)
def mask_of_x_from_x(x):
    y = np.zeros_like(x)
    y[x > 1] = x[x > 1] ** 2
    return y


@written("memory", FIVE)
def fancy_assigned(x):
    y = x * 1
    y[[0, 2]] = x[[1, 3]] ** 2
    return y


@written("memory", FIVE)
def the_same_index_twice(x):
    y = x.copy()
    y[[0, 0, 1]] += x[2]
    y[[3, 3]] = x[:2]
    return y


@written("memory", GRID)
def labels_assigned(x):
    y = np.exp(x)
    y[np.arange(3), LABELS] -= 1
    return y


@written("memory", GRID)
def column_assigned(x):
    x[:, 0] = x[:, 1] * x[:, 2]
    x[0, ...] = 1.5
    return x


@written("memory", GRID)
def broadcast_assigned(x):
    y = np.zeros_like(x)
    y[...] = x[0]
    y[1:, 1:] += x[:2, :1]
    return y


@written("memory", FIVE)
def add_at(x):
    y = x.copy()
    np.add.at(y, [0, 0, 3], x[:3])
    return y


@written("memory", FIVE)
def out_of_x(x):
    np.exp(x, out=x)
    return x**2


@written("memory", FIVE)
def out_of_another(x):
    y = np.empty_like(x)
    np.add(x, C, out=y)
    np.multiply(y, 2, y)
    return y


@written("memory", FIVE)
def out_with_where(x):
    y = np.zeros_like(x)
    np.log(x, out=y, where=x > 1)
    return y


@written("memory", GRID)
def out_of_a_sum(x):
    y = np.zeros_like(x[0])
    np.sum(x**2, axis=0, out=y)
    return y


@written("memory", FIVE)
def out_of_ndarray(x):
    y = np.empty(5)
    np.multiply(x, 3.0, out=y)
    return y * x


@written("memory", FIVE)
def fill(x):
    y = x.copy()
    y.fill(2.0)
    return x * y


@written("memory", FIVE)
def copyto(x):
    y = np.zeros_like(x)
    np.copyto(y, x**2, where=MASK)
    return y


@written("memory", FIVE)
def put(x):
    y = x.copy()
    np.put(y, [0, 2], [5.0, 6.0])
    return y


@written("memory", SQUARE)
def fill_diagonal(x):
    y = x.copy()
    np.fill_diagonal(y, 0.0)
    return y


@written("memory", FIVE)
def sort_in_place(x):
    x.sort()
    return x * C


@written("memory", GRID)
def resize_in_place(x):
    y = x.copy()
    y.resize((4, 3), refcheck=False)
    return y @ P


BUFFER, BUFFERS = np.zeros(5), np.zeros((2, 5))
COUNTS = {"calls": 0}
HISTORY: list[Any] = []


@written("captured", FIVE)
def buffer_overwritten(x):
    BUFFER[:] = x**2
    return BUFFER.sum()


@written("captured", FIVE)
def buffer_added_to(x):
    buffer = C.copy()
    buffer += x
    return buffer


@written("captured", FIVE)
def buffer_as_out(x):
    np.square(x, out=BUFFER)
    return BUFFER * 2


@written("captured", FIVE)
def row_of_a_buffer_overwritten(x):
    BUFFERS[1, :] = 0.0
    BUFFERS[1, 2] = x[2]
    return BUFFERS.sum() * x[0]


@written("captured", FIVE)
def calls_counted(x):
    COUNTS["calls"] += 1
    return np.sum(x**2)


@written("captured", FIVE)
def history_kept(x):
    HISTORY.append(x.shape)
    return np.sum(x**3)


@written("captured", FIVE)
def constants_scaled(x):
    weights = C.copy()
    weights *= 2
    return weights @ x


@written("captured", FIVE)
def seeded_generator(x):
    return x * np.random.default_rng(0).normal(size=x.shape)


@written("captured", FIVE)
def cached_by_bytes(x):
    known = {C.tobytes(): 1.0}
    return np.sum(x**2) * known.get(x.tobytes(), 2.0)


# Branches, and ways to see what x is

add(
    "branches",
    FIVE,
    {
        "ndim": lambda x: np.sum(x**2) if x.ndim == 1 else x[0],
        "shape": lambda x: np.sum(x**2) if x.shape == (5,) else np.sum(x),
        "len": lambda x: np.sum(x**2) / len(x),
        "size": lambda x: np.sum(x**2) / x.size,
        "np.shape": lambda x: np.sum(x**2) * np.shape(x)[0] * np.ndim(x) * np.size(x),
        "dtype": lambda x: x**2 if x.dtype == np.float64 else x,
        "dtype.kind": lambda x: x**2 if x.dtype.kind == "f" else x,
        "issubdtype": lambda x: x**2 if np.issubdtype(x.dtype, np.floating) else x,
        "finfo": lambda x: np.log(x + np.finfo(x.dtype).eps),
        "result_type": lambda x: x * np.ones(5, np.result_type(x, np.float32)),
        "iscomplexobj": lambda x: x.real if np.iscomplexobj(x) else x**2,
        "ones of shape": lambda x: np.ones(x.shape) @ x + np.eye(len(x)) @ x,
        "ones_like": lambda x: np.ones_like(x) * x**2,
        "nbytes": lambda x: x * x.nbytes / x.itemsize,
        "strides": lambda x: x * x.strides[0],
        "flags": lambda x: x**2 if x.flags.writeable else x,
        "is None": lambda x: x**2 if x is not None else 0.0,
        "hasattr": lambda x: x**2 if hasattr(x, "mean") else x,
        "getattr": lambda x: getattr(x, "sum")(),  # noqa: B009 (as a dispatcher does)
        "isinstance": lambda x: x**2 if isinstance(x, np.ndarray) else x**3,
        "type": lambda x: x**2 if type(x) is np.ndarray else x**3,
        "isinstance of an entry": lambda x: (
            x**2 if isinstance(x[0], float) else x**3  # np.float64 is a float
        ),
        "isscalar": lambda x: x**2 if np.isscalar(x[0]) else x**3,
        "callable": lambda x: x**2 if not callable(x) else x,
        "if x[0] > 0": lambda x: x**2 if x[0] > 0 else -x,
        "0 < x[0] < 1": lambda x: x**2 if 0 < x[0] < 1 else x**3,
        "if x.any()": lambda x: x**2 if (x > 1.5).any() else x**3,
        "and": lambda x: x**2 if x[0] > 0.1 and x[1] > 0.1 else x**3,
        "not": lambda x: x**2 if not np.isnan(x).any() else x,
        "bool": lambda x: bool(x[0] > 1) * x,
        "if all close": lambda x: x if np.allclose(x, x[0]) else x**2,
    },
)
add(
    "branches",
    POINT,
    {
        "float of 0-d": lambda x: float(x) ** 2,
        "math of 0-d": lambda x: math.exp(x) + x,
        "if x": lambda x: x**2 if x else x,
        "x[()]": lambda x: x[()] ** 2,
        "item of 0-d": lambda x: x.item() ** 2,
        "reshape of 0-d": lambda x: np.reshape(x, (1, 1)) * x,
    },
)
add(
    "constant",
    FIVE,
    {
        "number": lambda x: 3.0,
        "array": lambda x: np.ones(3),
        "captured array": lambda x: C,
        "length": len,
        "zeros_like": np.zeros_like,
        "x * 0": lambda x: x * 0,
        "argmax alone": np.argmax,
        "sign alone": np.sign,
        "shape alone": lambda x: x.shape[0] / 2,
        "comparison counted": lambda x: np.sum(x > 1),
    },
)


@written("branches", FIVE)
def try_float_of_a_vector(x):
    try:
        return float(x) ** 2
    except TypeError:
        return np.sum(x**2)


@written("branches", POINT)
def try_float_of_a_point(x):
    try:
        return float(x) ** 2
    except TypeError:
        return x**3


@written("branches", FIVE)
def try_math(x):
    try:
        return math.sin(x[0]) * x[1]
    except Exception:
        return np.sum(x)


@written("branches", FIVE)
def try_asarray(x):
    try:
        x = np.asarray(x)
    except Exception:
        x = x * 2
    return np.sum(x**2)


@written("branches", FIVE)
def checked(x):
    assert np.all(np.isfinite(x)), "not finite"
    if x.ndim != 1:
        raise ValueError("one axis expected")
    return np.sum(x**2)


@written("branches", FIVE)
def attribute_of_ndarray(x):
    return x**2 if hasattr(x, "ctypes") else x**3


# xgrad's own functions, and SciPy's

ONE_HOT = np.eye(4)[LABELS]
add(
    "xgrad",
    GRID,
    {
        "softmax_cross_entropy": lambda x: losses.softmax_cross_entropy(x, LABELS),
        "soft targets": lambda x: losses.softmax_cross_entropy(x, ONE_HOT / 2 + 0.125),
        "cross_entropy": lambda x: losses.cross_entropy(special.softmax(x), LABELS),
        "mean_squared_error": lambda x: losses.mean_squared_error(x @ W, P @ W),
        "half_squared_error": lambda x: losses.half_squared_error(x, P),
        "mean_absolute_error": lambda x: losses.mean_absolute_error(x, P),
        "root_mean_squared_error": lambda x: losses.root_mean_squared_error(x, P),
        "weight": lambda x: losses.mean_squared_error(x, P, weight=P**2),
        "reduction none": lambda x: losses.mean_squared_error(x, P, reduction="none"),
        "reduction sum": lambda x: losses.mean_squared_error(x, P, reduction="sum"),
        "target of x": lambda x: losses.mean_squared_error(x[0], x[1] ** 2),
        "logistic loss": lambda x: losses.sigmoid_binary_cross_entropy(x, ONE_HOT),
        "binary_cross_entropy": lambda x: losses.binary_cross_entropy(
            special.sigmoid(x), ONE_HOT
        ),
        "slope of a loss": lambda x: losses.softmax_cross_entropy.grad(x, LABELS),
        "value and slope": lambda x: np.sum(
            losses.half_squared_error.value_and_grad(x, P)[1] ** 2
        ),
        "softmax": special.softmax,
        "softmax axis": lambda x: special.softmax(x, axis=0),
        "log_softmax": special.log_softmax,
        "logsumexp of xgrad": lambda x: special.logsumexp(x, axis=0),
        "sigmoid": special.sigmoid,
        "one_hot": lambda x: np.sum(special.one_hot(LABELS, 4) * x, axis=1),
        "one_hot of argmax": lambda x: special.one_hot(np.argmax(x, axis=1), 4) * x,
        "accuracy": lambda x: np.sum(x) * metrics.accuracy(x, LABELS),
        "f1": lambda x: np.sum(x) + metrics.f1(np.argmax(x, 1), LABELS, num_classes=4),
        "to_numpy": lambda x: xgrad.to_numpy(x) ** 2,
    },
)


def scipy(module: str) -> Any:
    """A module of SciPy, where it is installed."""
    return pytest.importorskip(f"scipy.{module}")


add(
    "SciPy",
    FIVE,
    {
        "expit": lambda x: scipy("special").expit(x),
        "xlogy": lambda x: scipy("special").xlogy(x, x),
        "gammaln": lambda x: scipy("special").gammaln(x),
        "erf": lambda x: scipy("special").erf(x - C),
        "jv": lambda x: scipy("special").jv(1, x),
        "scipy logsumexp": lambda x: scipy("special").logsumexp(x),
        "scipy softmax": lambda x: scipy("special").softmax(x),
        "log_softmax of scipy": lambda x: scipy("special").log_softmax(x),
        "norm.logpdf": lambda x: scipy("stats").norm.logpdf(x),
        "solve of scipy": lambda x: scipy("linalg").solve(S, x),
        "det of scipy": lambda x: scipy("linalg").det(np.outer(x, x) + np.diag(x)),
        "simpson": lambda x: scipy("integrate").simpson(x**2),
        "cubic spline": lambda x: scipy("interpolate").CubicSpline(range(5), x)(1.3),
        "gaussian_filter": lambda x: scipy("ndimage").gaussian_filter1d(x, 1.0),
        "sparse @ x": lambda x: scipy("sparse").csr_array(S) @ x,
        "pdist": lambda x: scipy("spatial.distance").pdist(x[:, None]),
    },
)


# The array API standard, 2024.12


def constant(xp: Any, x: Any, values: Any) -> Any:
    """A constant array beside ``x``."""
    return xp.asarray(values.tolist(), dtype=x.dtype, device=x.device)


def integers(xp: Any, x: Any, values: list[Any]) -> Any:
    """Constant indices beside ``x``."""
    return xp.asarray(values, dtype=xp.int64, device=x.device)


portable = functools.partial(add, portable=True)
portably = functools.partial(written, portable=True)

PORTABLE_UNARY = """sin cos tan sinh cosh tanh atan asinh exp expm1 log log2 log10 log1p
    sqrt square reciprocal negative positive abs"""


def unary(name: str) -> Callable[[Any, Any], Any]:
    return lambda xp, x: getattr(xp, name)(x)


portable("elementwise", FIVE, {name: unary(name) for name in PORTABLE_UNARY.split()})
portable(
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
)
portable("elementwise", POINT, {"0-d": lambda xp, x: xp.sin(x) * x + 3})
portable(
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
)
portable(
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
)
portable(
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
)
portable(
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
)
portable(
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
)
portable(
    "python",
    FIVE,
    {
        "range": lambda xp, x: sum(x[i] * x[i - 1] for i in range(x.shape[0])),
        "unpacked": lambda xp, x: sum(v**2 for v in xp.unstack(x)),
        "shape": lambda xp, x: xp.sum(x**2) / x.shape[0] * x.ndim,
        "size": lambda xp, x: xp.sum(x**2) / x.size,
        "isdtype": lambda xp, x: x**2 if xp.isdtype(x.dtype, "real floating") else x,
        "finfo": lambda xp, x: xp.log(x + xp.finfo(x.dtype).eps),
        "float": lambda xp, x: float(x[0]) * x,
        "bool": lambda xp, x: x**2 if bool(x[0] > 1) else x,
        "int": lambda xp, x: int(xp.argmax(x)) * x,
        "math.sin": lambda xp, x: math.sin(x[0]) * x,
        "if x[0] > 0": lambda xp, x: x**2 if x[0] > 0 else x,
        "if all": lambda xp, x: x**2 if xp.all(x > 0) else x,
        "max of two": lambda xp, x: max(x[0], x[1]) * x,
        "ones": lambda xp, x: xp.ones(x.shape[0], dtype=x.dtype, device=x.device) @ x,
        "arange": lambda xp, x: xp.arange(5, dtype=x.dtype, device=x.device) * x,
        "ones_like": lambda xp, x: xp.ones_like(x) * x,
        "softmax": lambda xp, x: special.softmax(x),
        "mean_squared_error": lambda xp, x: losses.mean_squared_error(
            x, constant(xp, x, C)
        ),
    },
)
portable(
    "constant",
    FIVE,
    {
        "captured array": lambda xp, x: constant(xp, x, C),
        "zeros_like": lambda xp, x: xp.zeros_like(x),
        "argmax alone": lambda xp, x: xp.argmax(x),
    },
)


@portably("memory", FIVE)
def portable_copy_then_slice(xp, x):
    y = xp.asarray(x, copy=True)
    y[1:] *= 2
    return x * y


@portably("memory", FIVE)
def portable_in_place(xp, x):
    x += 1
    x *= x
    return x


@portably("memory", FIVE)
def portable_zeros_like(xp, x):
    o = xp.zeros_like(x)
    o[0] = x[0]
    for i in range(1, x.shape[0]):
        o[i] = o[i - 1] * x[i]
    return o


@portably("memory", GRID)
def portable_column_assigned(xp, x):
    y = x + 0
    y[:, 0] = y[:, 1] * y[:, 2]
    y[1, ...] = 1.5
    return y


@portably("memory", FIVE)
def portable_mask_assigned(xp, x):
    y = x + 0
    y[y > 1] = 1.0
    return y


@portably("memory", FIVE)
def portable_zeros_filled(xp, x):
    o = xp.zeros(3, dtype=x.dtype, device=x.device)
    o[0] = x[0] * x[1]
    return o


@portably("python", GRID)
def portable_network(xp, x):
    hidden = xp.maximum(x @ constant(xp, x, W) + 0.1, 0.0)
    return xp.mean((hidden - 1) ** 2) + 0.1 * xp.sum(xp.abs(x))


@portably("python", FIVE)
def portable_time_steps(xp, x):
    for _ in range(4):
        x = x + 0.1 * xp.sin(xp.roll(x, 1))
    return x
