"""Sums, means, products and extrema."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, is_numpy
from xgrad._tracing.arguments import axes_of, axis_of, named, require, tracer_of
from xgrad._tracing.functions import elements
from xgrad._tracing.functions.elements import cast, zero_of
from xgrad._tracing.functions.joining import as_arrays
from xgrad._tracing.functions.shapes import reshape_any, squeeze
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


def _reduction(ufunc: np.ufunc) -> Callable[..., Any]:
    return lambda array, axes, keepdims: ufunc.reduce(array, axes, keepdims=keepdims)


UFUNCS = {"sum": _reduction(np.add), "prod": _reduction(np.multiply)}


@functools.cache
def _reducer(xp: Any, name: str) -> Callable[..., Any]:
    """Return a function of a namespace as one of array, axes and keepdims."""
    function = getattr(xp, name)
    if is_numpy(xp) and name in UFUNCS:
        # What NumPy's function comes to, in half the time for few entries.
        return UFUNCS[name]

    def reduce(array: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return function(array, axis=axes, keepdims=keepdims)

    return reduce


@handles("sum", out=3)
def sum_(
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Sum over axes."""
    # What is left out counts as 0, the neutral element; a product with the mask would
    # let nan and infinities through.
    if where is not None:
        x = elements.where(where, x, zero_of(x))
    x = x if dtype is None else cast(x, dtype)
    reduce, axes = _reducer(x.tracer.xp, "sum"), axes_of(x, axis)
    total = x.tracer.summed("sum", reduce, x, axes, bool(keepdims))
    return total if initial is None else total + initial


@handles("mean", out=3)
def mean(
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    where: Any = None,
) -> Any:
    """Average over axes."""
    xp = x.tracer.xp
    if where is not None:
        total = sum_(x, axis, dtype, keepdims=keepdims, where=where)
        mask = xp.broadcast_to(where, x.shape)
        return total / xp.sum(mask, axis=axis, keepdims=keepdims)
    x, axes = cast(x, dtype), axes_of(x, axis)
    count = max(1, math.prod(x.shape[a] for a in axes))
    return x.tracer.summed("mean", _reducer(xp, "mean"), x, axes, bool(keepdims), count)


@handles("average")
def average(
    x: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False
) -> Any:
    """Average over axes, with weights."""
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    x, weights = as_arrays(x, weights)
    tracer = tracer_of(x, weights)
    # One weight for each position along the axis, as NumPy allows.
    if tuple(weights.shape) != tuple(x.shape):
        one = weights.ndim == 1 and isinstance(axis, int)
        require(one, tracer, "average(weights=) of these shapes")
        place = axis_of(x, axis)
        lengths = [weights.shape[0] if i == place else 1 for i in range(x.ndim)]
        weights = reshape_any(weights, tuple(lengths))
    sum_weights = sum_ if isinstance(weights, StandIn) else tracer.xp.sum
    total = sum_(x * weights, axis, keepdims=keepdims)
    return total / sum_weights(weights, axis=axis, keepdims=keepdims)


def count_of(mask: Any, x: StandIn, axis: Any, keepdims: bool) -> Any:
    """Count the entries of ``x`` that a mask marks, in the dtype of ``x``.

    The mask is computed from ``x``, and is a stand-in if its values are not known.
    """
    axes = axes_of(x, axis)
    if isinstance(mask, StandIn):
        return sum_(mask, axes, x.dtype, keepdims)
    return x.tracer.xp.sum(mask, axis=axes, dtype=x.dtype, keepdims=keepdims)


@handles("nansum")
def nansum(x: StandIn, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Sum what is not nan."""
    present = x.tracer.elementwise(operator.eq, x, x)  # nan alone differs from itself
    return sum_(x, axis, keepdims=keepdims, where=present)


@handles("nanmean")
def nanmean(x: StandIn, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Average what is not nan."""
    count = count_of(x.tracer.elementwise(operator.eq, x, x), x, axis, keepdims)
    return nansum(x, axis, keepdims=keepdims) / count


@handles("count_nonzero")
def count_nonzero(x: StandIn, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Count what is not 0."""
    nonzero = x.tracer.elementwise(operator.ne, x, 0)
    if isinstance(nonzero, StandIn):
        return sum_(nonzero, axis, x.tracer.xp.int64, keepdims=keepdims)
    return x.tracer.xp.sum(nonzero, axis=axes_of(x, axis), keepdims=keepdims)


def _product_of_others(xp: Any, base: Array) -> Array:
    """Return for each entry the product of all others."""
    # Products of those before and behind it: the total may not be divided by a 0.
    flat = xp.reshape(base, (-1,))
    one = xp.ones_like(flat[:1])
    before = xp.cumulative_prod(xp.concat([one, flat[:-1]]))
    after = xp.flip(xp.cumulative_prod(xp.concat([one, xp.flip(flat[1:])])))
    return xp.reshape(before * after, base.shape)


def _extremum_of_others(name: str, worst: float, xp: Any, base: Array) -> Array:
    """Return for each entry the largest (or smallest) of all others."""
    flat = xp.reshape(base, (-1,))
    best = xp.argmax(flat) if name == "max" else xp.argmin(flat)
    numbers = xp.arange(flat.shape[0], dtype=best.dtype, device=device_of(flat))
    # All entries have the best one among the others, but the best one itself, which has
    # the second best.
    is_best = numbers == best
    second = getattr(xp, name)(xp.where(is_best, worst, flat))
    return xp.reshape(xp.where(is_best, second, getattr(xp, name)(flat)), base.shape)


# For each reduction its value over all other entries, and the way to join an entry.
LEAVE_ONE_OUT: dict[str, tuple[Any, Any]] = {
    "prod": (_product_of_others, lambda xp, a, b: a * b),
    "max": (
        functools.partial(_extremum_of_others, "max", -math.inf),
        lambda xp, a, b: xp.maximum(a, b),
    ),
    "min": (
        functools.partial(_extremum_of_others, "min", math.inf),
        lambda xp, a, b: xp.minimum(a, b),
    ),
}


def _reduce(name: str, x: StandIn, axis: Any, keepdims: bool) -> StandIn:
    """Apply a reduction that needs all values of a fibre, as no sum does."""
    leave_one_out = LEAVE_ONE_OUT.get(name) if x.dtype.kind in "fc" else None
    reduce, axes = _reducer(x.tracer.xp, name), axes_of(x, axis)
    return x.tracer.along(name, reduce, x, axes, bool(keepdims), leave_one_out)


def _reduce_from(
    name: str,
    x: StandIn,
    axis: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Apply a reduction that may have an initial value."""
    if where is not None:
        # It has no neutral element: what is left out needs a value.
        require(initial is not None, x, f"{name}(where=) without `initial`")
        x = elements.where(where, x, initial)
    extremum = _reduce(name, x, axis, keepdims)
    if initial is None:
        return extremum
    join = named(x.tracer.xp, f"{name}imum")
    return x.tracer.elementwise(join, extremum, initial)


max_ = handles("max", "amax", out=2)(functools.partial(_reduce_from, "max"))
min_ = handles("min", "amin", out=2)(functools.partial(_reduce_from, "min"))
handles("any", out=2)(functools.partial(_reduce_from, "any"))
handles("all", out=2)(functools.partial(_reduce_from, "all"))


@handles("prod", out=3)
def prod(
    x: StandIn,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Multiply over axes."""
    x = cast(x, dtype)
    if where is not None:
        one = x.tracer.xp.ones((), dtype=x.dtype, device=x.device)
        x = elements.where(where, x, one)
    product: Any = _reduce("prod", x, axis, keepdims)
    return product if initial is None else product * initial


@handles("ptp", out=2)
def ptp(x: StandIn, axis: Any = None, keepdims: bool = False) -> Any:
    """Subtract the smallest entry from the largest one, over axes."""
    return max_(x, axis, keepdims) - min_(x, axis, keepdims)


def logsumexp(x: StandIn, axis: Any = None, keepdims: bool = False) -> Any:
    """Return logarithms of sums of exponentials, without overflow."""
    tracer, xp = x.tracer, x.tracer.xp
    largest = max_(x, axis, True)
    # Infinite ones would make nan of themselves; so that nothing is subtracted there.
    finite = tracer.elementwise(named(xp, "isfinite"), largest)
    shift = unrecorded(elements.where(finite, largest, zero_of(x)))
    sums = sum_(tracer.elementwise(named(xp, "exp"), x - shift), axis, keepdims=True)
    result = tracer.elementwise(named(xp, "log"), sums) + shift
    return result if keepdims else squeeze(result, axes_of(x, axis))


def unrecorded(x: Any) -> Any:
    """Return an array as a constant, for a result that does not change with it.

    At a tie of the largest entries its own derivative would be that at a corner.
    """
    while isinstance(x, StandIn) and x.tracer.knows_values:
        tracer: Any = x.tracer
        x = tracer.value_of(x)
    return x
