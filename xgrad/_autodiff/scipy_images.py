"""Compiled parts of `scipy.ndimage` for stand-ins, below its Python code.

Their arguments are those of SciPy's own, with modes as numbers; each writes into
``output``. Splines: P. Thevenaz, T. Blu and M. Unser, Interpolation revisited, IEEE
Transactions on Medical Imaging 19 (2000) 739-758.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from xgrad._autodiff.scipy_interpolate import basis
from xgrad._tracing import unrecorded

NEAREST, WRAP, REFLECT, MIRROR, CONSTANT, GRID_WRAP, GRID_CONSTANT = range(7)
# The names that NumPy has for what lies beyond the edges.
EDGES = {NEAREST: "edge", WRAP: "wrap", REFLECT: "symmetric", MIRROR: "reflect"}


def min_or_max_filter1d(
    input: Any,
    size: int,
    axis: int,
    output: Any,
    mode: int,
    cval: float,
    origin: int,
    minimum: bool,
) -> None:
    """Write the extremes of neighbors along an axis."""
    shape = [1] * input.ndim
    shape[axis] = size
    origins = [origin if i == axis else 0 for i in range(input.ndim)]
    footprint = np.ones(shape, bool)
    min_or_max_filter(input, footprint, None, output, mode, cval, origins, minimum)


def min_or_max_filter(
    input: Any,
    footprint: Any,
    structure: Any,
    output: Any,
    mode: int,
    cval: float,
    origins: Any,
    minimum: bool,
) -> None:
    """Write the extremes of neighbors, with or without heights of a structure."""
    windows = _windows(input, footprint, mode, cval, origins)
    if structure is not None:
        heights = np.reshape(structure[footprint], (-1, *[1] * input.ndim))
        windows = windows - heights if minimum else windows + heights
    output[...] = (np.min if minimum else np.max)(windows, axis=0)


def rank_filter(
    input: Any,
    rank: int,
    footprint: Any,
    output: Any,
    mode: int,
    cval: float,
    origins: Any,
) -> None:
    """Write the neighbors of a rank."""
    windows = _windows(input, footprint, mode, cval, origins)
    output[...] = np.sort(windows, axis=0)[rank]


def rank_filter_of_vector(
    input: Any, rank: int, size: int, output: Any, mode: int, cval: Any, origin: int
) -> None:
    """Write the neighbors of a rank in a vector."""
    rank_filter(input, rank, np.ones(size, bool), output, mode, cval, [origin])


def _windows(input: Any, footprint: Any, mode: int, cval: float, origins: Any) -> Any:
    """Return the shifted arrays that a footprint marks, along a new first axis."""
    before = [n // 2 + o for n, o in zip(footprint.shape, origins, strict=True)]
    sizes = zip(before, footprint.shape, strict=True)
    widths = [(b, n - 1 - b) for b, n in sizes]
    options: Any = {"constant_values": cval} if mode == CONSTANT else {}
    around: Any = np.pad(input, widths, EDGES.get(mode, "constant"), **options)  # type: ignore[call-overload]
    return np.stack(
        [
            around[tuple(slice(i, i + n) for i, n in zip(k, input.shape, strict=True))]
            for k in zip(*np.nonzero(footprint), strict=True)
        ]
    )


def spline_filter1d(input: Any, order: int, axis: int, output: Any, mode: int) -> None:
    """Write the coefficients of splines along an axis.

    These depend linearly on the fibre: on those of the columns of the unit matrix.
    """
    from scipy.ndimage import _nd_image

    unit = np.eye(input.shape[axis])
    matrix = np.empty_like(unit)
    _nd_image.spline_filter1d(unit, order, 0, matrix, mode)
    output[...] = np.moveaxis(np.tensordot(matrix, input, (1, axis)), 0, axis)


def geometric_transform(
    input: Any,
    mapping: Any,
    coordinates: Any,
    matrix: Any,
    offset: Any,
    output: Any,
    order: int,
    mode: int,
    cval: float,
    nprepad: int,
    extra_arguments: Any,
    extra_keywords: Any,
) -> None:
    """Write the values of splines at places, or at those of a linear map."""
    if mapping is not None:
        raise ValueError("a function of places has no substitute")
    if coordinates is None:
        grid = np.indices(output.shape).reshape(output.ndim, -1)
        coordinates = (matrix @ grid + np.reshape(offset, (-1, 1))).reshape(
            -1, *output.shape
        )
    places = [c + nprepad for c in coordinates]
    output[...] = _values_at(input, places, order, mode, cval)


def zoom_shift(
    input: Any,
    zoom: Any,
    shift: Any,
    output: Any,
    order: int,
    mode: int,
    cval: float,
    nprepad: int,
    grid_mode: bool,
) -> None:
    """Write the values of splines on a grid of another width or origin."""
    places = []
    for axis, length in enumerate(output.shape):
        place: Any = np.arange(float(length))
        place = place if shift is None else place + shift[axis]
        if zoom is not None:
            half = 0.5 if grid_mode else 0.0
            place = (place + half) * zoom[axis] - half
        others = (1,) * (output.ndim - 1 - axis)
        places.append((place + nprepad).reshape(-1, *others))
    output[...] = _values_at(input, places, order, mode, cval)


def _values_at(c: Any, places: Any, order: int, mode: int, cval: float) -> Any:
    """Return the values of a spline, by coefficients on a grid, at places."""
    sides, is_outside = [], np.zeros((), bool)
    for place, length in zip(places, c.shape, strict=True):
        if mode == CONSTANT:
            is_outside = is_outside | (place < 0) | (place > length - 1)
        sides.append(_neighbors(place, length, order, mode))
    total: Any = 0.0
    for corner in itertools.product(*sides):
        value = c[tuple(i for i, _, _ in corner)]
        if mode == GRID_CONSTANT:
            is_there = np.ones((), bool)
            for _, _, inside in corner:
                is_there = is_there & inside
            value = np.where(is_there, value, cval)
        for _, weight, _ in corner:
            value = value * weight
        total = total + value
    return np.where(is_outside, cval, total) if mode == CONSTANT else total


def _neighbors(place: Any, length: int, order: int, mode: int) -> list[Any]:
    """Return positions, weights and marks of the neighbors of places along an axis."""
    if mode == NEAREST:
        place = np.clip(place, 0, length - 1)
    if mode == WRAP and length > 1:
        is_beyond = (place < 0) | (place > length - 1)
        place = np.where(is_beyond, place % (length - 1), place)
    place = place + (0.5 if order % 2 == 0 else 0.0)
    cell = np.floor(np.asarray(unrecorded(place))).astype(int)
    weights = basis(np.arange(-order, order + 2.0), order, place - cell, order)
    neighbors = []
    for j, weight in enumerate(weights):
        i = cell - order // 2 + j
        is_inside = (i >= 0) & (i < length)
        neighbors.append((_position(i, length, mode), weight, is_inside))
    return neighbors


def _position(i: Any, length: int, mode: int) -> Any:
    """Return the positions in an axis that stand for those beyond its ends."""
    if length == 1:
        return 0 * i
    if mode == REFLECT:
        i = i % (2 * length)
        return np.minimum(i, 2 * length - 1 - i)
    if mode == GRID_WRAP:
        return i % length
    if mode == WRAP:
        return np.where((i < 0) | (i > length - 1), i % (length - 1), i)
    i = i % (2 * length - 2)
    return np.minimum(i, 2 * length - 2 - i)


LEAVES: dict[str, Any] = {
    f.__name__: f
    for f in (
        *(min_or_max_filter1d, min_or_max_filter, rank_filter, spline_filter1d),
        *(geometric_transform, zoom_shift),
    )
}
