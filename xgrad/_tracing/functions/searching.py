"""Functions that look for values: comparisons, positions, counts, unique entries."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from xgrad._tracing.arguments import BY_VALUES, Bound, first_standin, require, tracer_of
from xgrad._tracing.functions.numerics import linspace
from xgrad._tracing.functions.reductions import max_, min_
from xgrad._tracing.functions.shapes import ravel
from xgrad._tracing.functions.writing import added_at
from xgrad._tracing.registry import FUNCTIONS, handles
from xgrad._tracing.standin import StandIn


def _all(marks: Any) -> Any:
    """Whether all marks are true: a number of Python, or a stand-in for it."""
    return (
        FUNCTIONS["all"](marks) if isinstance(marks, StandIn) else bool(np.all(marks))
    )


@handles("allclose")
def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all entries of two arrays are close to one another."""
    return _all(isclose(a, b, rtol, atol, equal_nan))


@handles("isclose")
def isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Mark the entries of two arrays that are close to one another."""
    tracer = tracer_of(a, b)
    a, b = (np.asarray(o) if isinstance(o, (list, tuple)) else o for o in (a, b))
    compare = Bound(np.isclose, rtol=rtol, atol=atol, equal_nan=equal_nan)
    return tracer.elementwise(compare, a, b)


@handles("array_equal")
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have one shape and equal entries."""
    require(not equal_nan, tracer_of(a1, a2), "array_equal(equal_nan=True)", BY_VALUES)
    shapes = [o.shape if isinstance(o, StandIn) else np.shape(o) for o in (a1, a2)]
    return shapes[0] == shapes[1] and array_equiv(a1, a2)


@handles("array_equiv")
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays are equal after one is repeated to the shape of the other."""
    a1, a2 = (o if isinstance(o, StandIn) else np.asarray(o) for o in (a1, a2))
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return _all(tracer_of(a1, a2).elementwise(operator.eq, a1, a2))


@handles("isin")
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> Any:
    """Mark the entries that are among others."""
    tracer = tracer_of(element, test_elements)
    require(
        first_standin((test_elements,)) is None,
        tracer,
        "np.isin among entries of x",
        BY_VALUES,
    )
    # (`assume_unique` and `kind` choose how to search, not what comes out.)
    return tracer.elementwise(Bound(_is_among, test_elements, invert), element)


def _is_among(x: Any, others: Any, invert: bool) -> Any:
    return np.isin(x, others, invert=invert)


@handles("searchsorted")
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return the positions at which values belong into a sorted array."""
    tracer = tracer_of(a, v, sorter)
    if isinstance(v, StandIn) and first_standin((a, sorter)) is None:
        search = Bound(_positions, tracer.xp, a, side, sorter)
        return tracer.elementwise(search, v)
    idiom = "searchsorted in an array computed from x"
    known = [tracer.known_values(o, idiom, BY_VALUES) for o in (a, v, sorter)]
    tracer.note_equality(np.isin(known[1], known[0]))
    return _positions(known[1], tracer.xp, known[0], side, known[2])


def _positions(v: Any, xp: Any, a: Any, side: str, sorter: Any) -> Any:
    v = v if isinstance(v, (int, float)) else xp.asarray(v)
    return xp.searchsorted(xp.asarray(a), v, side=side, sorter=sorter)


# By this a tracer knows what these are, which have other arguments in NumPy.
_is_among.operation = "isin"  # type: ignore[attr-defined]
_positions.operation = "searchsorted"  # type: ignore[attr-defined]


@handles("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Return the numbers of the bins that entries lie in."""
    tracer = tracer_of(x, bins)
    require(
        first_standin((bins,)) is None,
        tracer,
        "np.digitize in bins computed from x",
        BY_VALUES,
    )
    return tracer.elementwise(Bound(np.digitize, bins, right), x)


for _name in ("nonzero", "flatnonzero", "argwhere"):

    @handles(_name)
    def _nonzero(x: StandIn, name: str = _name) -> Any:
        """Return the positions of what is not 0."""
        idiom = f"where(condition) or {name}, whose size depends on values"
        known = x.tracer.known_values(x, idiom, "give `where` both branches")
        return getattr(np, name)(known)


@handles("bincount")
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Add up weights by the numbers that stand beside them."""
    tracer = tracer_of(x, weights)
    numbers = np.asarray(
        tracer.known_values(x, "np.bincount of values of x", BY_VALUES)
    )
    if not isinstance(weights, StandIn):
        return np.bincount(numbers, weights, minlength)
    length = len(np.bincount(numbers, None, minlength))
    zeros = np.zeros(length, weights.dtype)
    return added_at(zeros, numbers, weights)


@handles("histogram")
def histogram(
    a: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
) -> Any:
    """Count entries in bins, or add up their weights; return that and the bounds."""
    tracer = tracer_of(a, bins, range, weights)
    require(
        first_standin((bins, range)) is None,
        tracer,
        "np.histogram with these arguments",
        "give it `bins=` bounds",
    )
    known = tracer.known_values(a, "np.histogram of values of x", BY_VALUES)
    if weights is None or not isinstance(weights, StandIn):
        counts, bounds = np.histogram(known, bins, range, weights=weights)
    else:
        _, bounds = np.histogram(known, bins, range)
        counts = _sums_in_bins(np.ravel(known), bounds, ravel(weights))
    bounds = _bounds_of(a, bins, range, bounds)
    if density:
        counts = counts / (np.sum(counts) * np.diff(bounds))
    return counts, bounds


def _sums_in_bins(values: Any, bounds: Any, weights: StandIn) -> Any:
    """Add up weights by bins, the last of which has its right bound as well."""
    places = np.searchsorted(bounds, values, side="right") - 1
    count = len(bounds) - 1
    places[values == bounds[-1]] = count - 1
    inside = np.flatnonzero((places >= 0) & (places < count))
    return added_at(np.zeros(count, weights.dtype), places[inside], weights[inside])


def _bounds_of(a: Any, bins: Any, range: Any, bounds: Any) -> Any:
    """Return the bounds of bins, between the extrema of x if nothing else says so."""
    if range is not None or np.ndim(bins) or not isinstance(a, StandIn):
        return bounds
    require(
        isinstance(bins, int), a, "np.histogram with a rule for bins", "give numbers"
    )
    return linspace(min_(a), max_(a), len(bounds))


@handles("unique")
def unique(
    ar: StandIn,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the unique entries in order, each from the place where it stands first."""
    known = ar.tracer.known_values(
        ar, "np.unique, whose size depends on values", "use `sort`"
    )
    require(
        axis is None and sorted,
        ar,
        "np.unique(axis=) or np.unique(sorted=False)",
        "use `sort`",
    )
    options = return_index, return_inverse, return_counts
    flags: Any = (True, return_inverse, return_counts)
    _, *extra = np.unique(known, *flags, equal_nan=equal_nan)
    values = ravel(ar)[extra[0]]
    others = extra if return_index else extra[1:]
    return (values, *others) if any(options) else values


@handles("unique_values")
def unique_values(x: StandIn, /) -> Any:
    """Return the unique entries, in order."""
    return unique(x, equal_nan=False)


class UniqueAll(NamedTuple):
    """The unique entries, where each stands first, the way back, and how often."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """The unique entries, and how often each stands there."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """The unique entries, and which of them stands at each place."""

    values: Any
    inverse_indices: Any


@handles("unique_all")
def unique_all(x: StandIn, /) -> UniqueAll:
    """Return the unique entries, in order, and all that is known of them."""
    values, indices, inverse, counts = unique(x, True, True, True, equal_nan=False)
    return UniqueAll(values, indices, inverse.reshape(x.shape), counts)


@handles("unique_counts")
def unique_counts(x: StandIn, /) -> UniqueCounts:
    """Return the unique entries, in order, and their counts."""
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False))


@handles("unique_inverse")
def unique_inverse(x: StandIn, /) -> UniqueInverse:
    """Return the unique entries, in order, and which of them stands where."""
    values, inverse = unique(x, return_inverse=True, equal_nan=False)
    return UniqueInverse(values, inverse.reshape(x.shape))


@handles("lexsort")
def lexsort(keys: Any, axis: int = -1) -> Any:
    """Return positions in the order of the last key, then of the one before it."""
    tracer = tracer_of(keys)
    keys = list(keys)
    return np.lexsort(
        [
            tracer.known_values(k, "np.lexsort by values of x", "use `sort`")
            for k in keys
        ],
        axis,
    )
