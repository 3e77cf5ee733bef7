"""The rules of functions of whole fibres: extrema, products, orders, running sums.

Each takes the operation with its options, the array, the result, the axes and whether
these stay (None: they keep their length). It returns a pull and what that keeps.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._autodiff.functions import registering
from xgrad._autodiff.structural import PLAIN

FIBRES: dict[Any, Any] = {}
rule = registering(FIBRES)


def with_axes(g: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """Return an array with axes of length 1 in place of those that were reduced."""
    return g if keepdims else np.expand_dims(g, axes)


@rule("max", "min")
def _extremum(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    return pull_extremum, (x, y, axes, keepdims)


def pull_extremum(g: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    """Give equal shares of a cotangent to all entries that attain the extremum."""
    y, share = with_axes(y, axes, keepdims), with_axes(g, axes, keepdims)
    # Of plain arrays it can be seen that there is no nan and no tie, which saves time.
    is_plain = all(isinstance(a, PLAIN) for a in (x, y, share))
    attains = x == y
    if not is_plain or np.isnan(y).any():
        # An entry of nan decides over all others.
        attains = attains | (x != x)
    if not is_plain or np.count_nonzero(attains) != y.size:
        count = np.sum(attains, axis=axes, keepdims=True, dtype=x.real.dtype)
        share = share / count
    if is_plain and np.isfinite(share).all():
        return attains * share  # in half the time of `where`
    return np.where(attains, share, 0)


@rule("prod")
def _product(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    return pull_product, (x, axes, keepdims)


def pull_product(g: Any, x: Any, axes: Any, keepdims: Any) -> Any:
    """Multiply by the product of all other entries, without a division by an entry."""
    others = in_rows(_product_of_others, x, axes)
    return with_axes(g, axes, keepdims) * (
        np.conj(others) if others.dtype.kind == "c" else others
    )


def in_rows(function: Callable[..., Any], x: Any, axes: tuple[int, ...]) -> Any:
    """Apply a function of rows to the fibres along axes; return the shape of ``x``."""
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    order = [*rest, *axes]
    shape = [x.shape[axis] for axis in order]
    lead, length = shape[: len(rest)], math.prod(shape[len(rest) :])
    rows = x.transpose(tuple(order)).reshape((*lead, length))
    back = [order.index(axis) for axis in range(x.ndim)]
    return function(rows).reshape(tuple(shape)).transpose(tuple(back))


def _product_of_others(rows: Any) -> Any:
    ones = np.ones_like(rows[..., :1])
    before = np.cumprod(np.concatenate([ones, rows[..., :-1]], axis=-1), axis=-1)
    behind = np.concatenate([ones, rows[..., :0:-1]], axis=-1)
    return before * np.cumprod(behind, axis=-1)[..., ::-1]


@rule("var")
def _variance(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    count = math.prod(x.shape[axis] for axis in axes) - operation[1]
    return pull_variance, (x, count, axes, keepdims)


def pull_variance(g: Any, x: Any, count: Any, axes: Any, keepdims: Any) -> Any:
    """Return the cotangent of a variance: twice the deviations from the mean."""
    deviations = x - np.mean(x, axis=axes, keepdims=True)
    return (
        with_axes(g, axes, keepdims)
        * deviations
        * (2 / count if count > 0 else math.nan)
    )


@rule("std")
def _deviation(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    count = math.prod(x.shape[axis] for axis in axes) - operation[1]
    return pull_deviation, (x, y, count, axes, keepdims)


def pull_deviation(g: Any, x: Any, y: Any, count: Any, axes: Any, keepdims: Any) -> Any:
    """Return the cotangent of a standard deviation; 0 at a deviation of 0, a corner."""
    is_zero = y == 0
    share = np.where(is_zero, 0, g / np.where(is_zero, 1, y) / 2)
    return pull_variance(share, x, count, axes, keepdims)


@rule("median", "quantile", "percentile", "nanmedian", "nanquantile", "nanpercentile")
def _quantile(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    return pull_quantile, (x, operation, axes, keepdims)


def pull_quantile(g: Any, x: Any, operation: Any, axes: Any, keepdims: Any) -> Any:
    """Give a cotangent to the two entries between which a quantile lies."""
    shares = in_rows(functools.partial(quantile_shares, operation), x, axes)
    return with_axes(g, axes, keepdims) * shares.astype(x.dtype)


def quantile_shares(operation: Any, rows: Any) -> Any:
    """Return the share of each entry in the quantile of its row, its slope."""
    name, values, options = operation
    function = functools.partial(getattr(np, name), **dict(options))
    skips_nan = name.startswith("nan")
    order = np.argsort(rows, axis=-1, kind="stable")
    ranks = ranks_of(order, -1).astype(float)
    is_nan = np.isnan(rows)
    # A row that has nothing but nan has no quantile, and warns of it.
    is_empty = np.all(is_nan, axis=-1, keepdims=True) & skips_nan
    ranks = np.where(is_nan & ~is_empty, np.nan, ranks)
    # The quantile of the ranks tells where that of the entries lies among them, by
    # whatever method.
    place = function(ranks, *values, axis=-1, keepdims=True)
    shares = np.maximum(1 - np.abs(ranks - place), 0)
    return np.where(is_nan, 0, shares) if skips_nan else shares


@rule("cumulative_sum")
def _running_sum(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    return pull_running_sum, axes


def pull_running_sum(g: Any, axis: int) -> Any:
    """Sum the cotangents from the end."""
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


@rule("cumulative_prod")
def _running_product(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    return pull_running_product, (x, y, axes[0])


def pull_running_product(g: Any, x: Any, y: Any, axis: int) -> Any:
    """Return the cotangent of running products, without a division by 0."""
    if x.dtype.kind == "c":
        x, y = np.conj(x), np.conj(y)
    # Entry i is a factor of all products from i on. A division leaves it out, unless
    # a product is 0.
    if isinstance(x, np.ndarray) and bool(y.all()):
        return pull_running_sum(g * y, axis) / x
    x, g, y = (np.moveaxis(array, axis, 0) for array in (x, g, y))
    before = np.concatenate([np.ones_like(y[:1]), y[:-1]])
    return np.moveaxis(before * _sums_from_the_end(x, g), 0, axis)


def _sums_from_the_end(x: Any, g: Any) -> Any:
    """Return ``s`` with ``s[i] = g[i] + x[i + 1] * s[i + 1]``, in steps of 1, 2, 4.

    After the step of length ``d``, sums have ``2 * d`` terms, and ``x`` is the product
    that leads to the next one.
    """
    x = np.concatenate([x[1:], np.zeros_like(x[:1])])
    step = 1
    while step < x.shape[0]:
        g = np.concatenate([g[:-step] + x[:-step] * g[step:], g[-step:]])
        x = np.concatenate([x[:-step] * x[step:], x[-step:]])
        step *= 2
    return g


@rule("sort")
def _sort(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    _, descending, kind = operation
    order = np.argsort(-x if descending else x, axis=axes[0], kind=kind or "stable")
    return pull_sort, (ranks_of(order, axes[0]), axes[0], y)


def ranks_of(order: Any, axis: int) -> Any:
    """Return the place of each entry, from which entry comes to each place."""
    if not isinstance(order, np.ndarray):
        return np.argsort(order, axis=axis, kind="stable")
    # Along the axis, as `put_along_axis` wants it; faster than to sort once more.
    behind = (1,) * (order.ndim - 1 - axis % order.ndim)
    places = np.arange(order.shape[axis]).reshape(-1, *behind)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, places, axis)
    return ranks


@rule("partition")
def _partition(operation: Any, x: Any, y: Any, axes: Any, keepdims: Any) -> Any:
    # Equal in order, entry by entry: the first of the result is the first of the array.
    axis = axes[0]
    sources = np.argsort(x, axis=axis, kind="stable")
    ranks = ranks_of(sources, axis)
    targets = np.argsort(y, axis=axis, kind="stable")
    return pull_sort, (np.take_along_axis(targets, ranks, axis), axis, y)


def pull_sort(g: Any, ranks: Any, axis: int, y: Any) -> Any:
    """Put the cotangents back to where the entries came from, by their ranks in ``y``.

    Equal entries keep their order: which of them comes first is a corner.
    """
    return np.take_along_axis(g, ranks, axis)
