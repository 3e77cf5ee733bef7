"""The pushes: what takes the tangent of an argument to its share in that of a result.

They belong to the pulls of functions that are not entrywise, and get what these keep:
``push(t, result, *saved)``, where ``result`` is the value of the function. A pull that
has none is linear in its cotangent, so that its own derivative is the push.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from xgrad._autodiff.contractions import pull_einsum
from xgrad._autodiff.convolutions import pull_correlated
from xgrad._autodiff.fibres import (
    pull_deviation,
    pull_extremum,
    pull_product,
    pull_quantile,
    pull_running_sum,
    pull_sort,
    pull_variance,
    ranks_of,
)
from xgrad._autodiff.fourier import (
    pull_real_transform,
    pull_transform,
    pull_transform_to_real,
)
from xgrad._autodiff.functions import registering
from xgrad._autodiff.inverses import (
    pull_by_inverse,
    pull_determinant,
    pull_inverse,
    pull_logarithm,
    pull_matrix,
    pull_right_side,
    pull_solution,
)
from xgrad._autodiff.norms import pull_norm
from xgrad._autodiff.overrides import pull_sparse, roll_back
from xgrad._autodiff.products import pull_left, pull_right
from xgrad._autodiff.structural import (
    add_at_chain,
    add_at_key,
    add_at_places,
    as_before,
    follow,
    is_at_points,
    permute_back,
    pick,
    put_back,
    read_key,
    reshape_back,
    spread,
)

PUSHES: dict[Any, Any] = {}
push_of = registering(PUSHES)


# Moves, views and copies.


@push_of(spread)
def _sum(t: Any, y: Any, shape: Any, missing: tuple[int, ...], divisor: int) -> Any:
    if missing or t.ndim > y.ndim:
        total = np.sum(t, axis=missing or None)
    else:
        # Axes that stay have length 1.
        pairs = enumerate(zip(t.shape, y.shape, strict=True))
        axes = tuple(i for i, (before, after) in pairs if before != after)
        total = np.sum(t, axis=axes, keepdims=True)
    return total if divisor == 1 else total / divisor


@push_of(reshape_back)
def _reshape(t: Any, y: Any, shape: Any) -> Any:
    return t.reshape(y.shape)


@push_of(permute_back)
def _permute(t: Any, y: Any, axes: tuple[int, ...]) -> Any:
    return t.transpose(axes)


@push_of(as_before)
def _repeat(t: Any, y: Any) -> Any:
    return t if t.shape == y.shape else np.broadcast_to(t, y.shape)


@push_of(pick)
def _pick(t: Any, y: Any, places: Any, shape: Any, is_source: Any = None) -> Any:
    if is_at_points(t):
        sources = places if is_source is None else np.where(is_source, places, -1)
        return t.tracer.placed("pick", t, lambda: sources)
    if is_source is None:
        return t.reshape(-1)[places]
    return np.where(is_source, t.reshape(-1)[np.where(is_source, places, 0)], 0)


@push_of(add_at_key, add_at_places)
def _read(t: Any, y: Any, key: Any) -> Any:
    return t[key]


@push_of(add_at_chain)
def _follow(t: Any, y: Any, steps: Any) -> Any:
    return follow(t, steps)


@push_of(read_key)
def _put(t: Any, y: Any, key: Any) -> Any:
    return put_back(t, key, y.shape)


@push_of(roll_back)
def _roll(t: Any, y: Any, shift: Any, axis: Any) -> Any:
    return np.roll(t, shift, axis)


# Products.


@push_of(pull_left)
def _times_right(t: Any, y: Any, b: Any, shapes: Any) -> Any:
    return t @ b


@push_of(pull_right)
def _times_left(t: Any, y: Any, a: Any, shapes: Any) -> Any:
    return a @ t


@push_of(pull_einsum)
def _einsum(t: Any, y: Any, letters: str, right: str, others: Any) -> Any:
    subscripts = ",".join([letters, *(other for other, _ in others)]) + "->" + right
    arrays = [x for _, x in others]
    return np.einsum(subscripts, t, *arrays, optimize=len(arrays) > 1)


@push_of(pull_sparse)
def _sparse(t: Any, y: Any, matrix: Any) -> Any:
    return matrix @ t


@push_of(pull_correlated)
def _convolve(t: Any, y: Any, other: Any, missing: tuple[int, int]) -> Any:
    full = np.convolve(t, other)
    return full[missing[0] : full.shape[0] - missing[1]]


# Functions of fibres.


def _weigh(pull: Any, t: Any, y: Any, *saved: Any) -> Any:
    """Sum the entries of each fibre, with their slopes as weights."""
    axes, keepdims = saved[-2:]
    return np.sum(weights(pull, y, saved) * t, axis=axes, keepdims=bool(keepdims))


PUSHES.update(
    (pull, functools.partial(_weigh, pull))
    for pull in (
        pull_extremum,
        pull_product,
        pull_variance,
        pull_deviation,
        pull_quantile,
        pull_norm,
    )
)


def weights(pull: Any, y: Any, saved: tuple[Any, ...]) -> Any:
    """Return the slope of the result of its own fibre by each entry."""
    slopes = pull(np.ones_like(y), *saved)
    return np.conj(slopes) if slopes.dtype.kind == "c" else slopes


@push_of(pull_running_sum)
def _running_sum(t: Any, y: Any, axis: Any) -> Any:
    return np.cumsum(t, axis=axis)


@push_of(pull_sort)
def _sort(t: Any, y: Any, ranks: Any, axis: int, result: Any) -> Any:
    return np.take_along_axis(t, ranks_of(ranks, axis), axis)


# Transforms and linear algebra.


@push_of(pull_transform)
def _transform(t: Any, y: Any, adjoint: Any, axis: int, norm: Any, length: int) -> Any:
    forward = np.fft.fft if adjoint is np.fft.ifft else np.fft.ifft
    return forward(t, n=y.shape[axis], axis=axis, norm=norm)


@push_of(pull_real_transform)
def _real_transform(t: Any, y: Any, n: int, axis: int, norm: Any, length: int) -> Any:
    return np.fft.rfft(t, n=n, axis=axis, norm=norm)


@push_of(pull_transform_to_real)
def _transform_to_real(t: Any, y: Any, axis: int, norm: Any, length: int) -> Any:
    return np.fft.irfft(t, n=y.shape[axis], axis=axis, norm=norm)


@push_of(pull_inverse)
def _inverse(t: Any, y: Any, inverse: Any) -> Any:
    return -(inverse @ t @ inverse)


@push_of(pull_solution)
def _solution(t: Any, y: Any, a: Any, is_vector: bool) -> Any:
    return (
        np.linalg.solve(a, t[..., None])[..., 0] if is_vector else np.linalg.solve(a, t)
    )


@push_of(pull_right_side)
def _right_side(t: Any, y: Any) -> Any:
    return t


@push_of(pull_matrix)
def _matrix(t: Any, y: Any, x: Any, is_vector: bool) -> Any:
    return -(t @ x)


@push_of(pull_by_inverse)
def _by_inverse(t: Any, y: Any, inverse: Any) -> Any:
    return inverse @ t


def _weigh_matrices(pull: Any, t: Any, y: Any, *saved: Any) -> Any:
    """Sum the entries of each matrix, with their slopes as weights."""
    return np.sum(weights(pull, y, saved) * t, axis=(-2, -1))


PUSHES.update(
    (pull, functools.partial(_weigh_matrices, pull))
    for pull in (pull_determinant, pull_logarithm)
)
