"""NumPy's small numerical methods: polynomials, integrals, tables."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xgrad._tracing.arguments import axes_of, axis_of, first_standin, require, tracer_of
from xgrad._tracing.functions.elements import cast
from xgrad._tracing.functions.joining import array_like, as_arrays, concat, stack
from xgrad._tracing.functions.products import matmul
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.functions.shapes import moveaxis, reshape_any
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


@handles("polyval")
def polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, as NumPy does."""
    x = array_like(x, (p, x))
    value = np.zeros_like(x)
    for coefficient in p:
        value = value * x + coefficient
    return value


@handles("vander")
def vander(x: StandIn, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    """Return the powers of entries along the second axis."""
    count = x.shape[0] if N is None else N
    powers: list[Any] = [np.ones(x.shape, x.dtype)]
    for _ in range(count - 1):
        powers.append(x * powers[-1])
    require(count > 1, x, "np.vander of fewer than two columns", "use `np.ones`")
    return stack(powers if increasing else powers[::-1], axis=1)


@handles("polyfit")
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: bool = False,
) -> Any:
    """Fit a polynomial by least squares to values."""
    tracer = tracer_of(x, y, w)
    require(not full, tracer, "np.polyfit(full=True)", "use `np.linalg.lstsq`")
    if first_standin((x, w)) is not None or cov:
        x, y = as_arrays(x, y)
        return _fitted_and_covariance(x + 0.0, y, deg, rcond, w, cov)
    places = np.asarray(x) + 0.0
    columns = np.vander(places, deg + 1)
    weights = np.ones(places.shape) if w is None else np.asarray(w)
    columns = columns * weights[:, None]
    size = np.sqrt(np.sum(columns * columns, axis=0))
    cutoff = places.size * np.finfo(places.dtype).eps if rcond is None else rcond
    solve = np.linalg.pinv(columns / size, cutoff) / size[:, None]
    return matmul(solve * weights, y)


def _fitted_and_covariance(
    x: Any, y: Any, deg: int, rcond: float | None, w: Any, cov: Any
) -> Any:
    """Fit a polynomial at any places, and return its covariance if asked for."""
    columns, count = np.vander(x, deg + 1), x.shape[0]
    if w is not None:
        w = array_like(w, (w, x, y))
        columns = columns * w[:, None]
        y = y * (w if y.ndim == 1 else w[:, None])
    size = np.sqrt(np.sum(columns * columns, axis=0))
    columns = columns / size
    cutoff = count * np.finfo(x.dtype).eps if rcond is None else rcond
    fitted, residuals, _, _ = np.linalg.lstsq(columns, y, rcond=cutoff)
    coefficients = (fitted.T / size).T
    if not cov:
        return coefficients
    base = np.linalg.inv(columns.T @ columns) / (size[:, None] * size)
    factor = 1 if cov == "unscaled" else residuals / (count - deg - 1)
    return coefficients, base * factor if y.ndim == 1 else base[:, :, None] * factor


@handles("trapezoid")
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate along an axis by the trapezoidal rule."""
    arguments = (y, x)
    y = array_like(y, arguments)
    place, steps = axis_of(y, axis), dx
    if x is not None:
        x = array_like(x, arguments)
        # One place for all rows lies along the axis, and has length 1 behind it.
        steps = (
            reshape_any(np.diff(x), (-1, *(1,) * (y.ndim - 1 - place)))
            if x.ndim == 1
            else np.diff(x, axis=place)
        )
    lead = (slice(None),) * place
    sums = y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]
    return sum_(sums * steps / 2, place)


@handles("gradient")
def gradient(f: Any, *spacings: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Take central differences inside and one-sided ones at the ends of an axis."""
    f = array_like(f, (f, *spacings))
    axes = axes_of(f, axis)
    steps = spacings or (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes):
        raise TypeError("invalid number of arguments")
    slopes = [
        _slopes(f, place, array_like(h, (f, *spacings)), edge_order)
        for place, h in zip(axes, steps, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slopes(f: Any, place: int, spacing: Any, edge_order: int) -> Any:
    """Return the slopes along one axis, at equal distances or at given places."""

    def at(start: int | None, stop: int | None) -> Any:
        return f[(*(slice(None),) * place, slice(start, stop))]

    if spacing.ndim:
        steps = reshape_any(np.diff(spacing), (-1, *(1,) * (f.ndim - 1 - place)))
        before, behind = steps[:-1], steps[1:]
        inside = (
            -behind / (before * (before + behind)) * at(None, -2)
            + (behind - before) / (before * behind) * at(1, -1)
            + before / (behind * (before + behind)) * at(2, None)
        )
        ends = (steps[0], steps[1]), (steps[-1], steps[-2])
    else:
        inside = (at(2, None) - at(None, -2)) / (2 * spacing)
        ends = (spacing, spacing), (spacing, spacing)
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / ends[0][0]
        last = (at(-1, None) - at(-2, -1)) / ends[1][0]
    else:
        first = _slope_at_end(*ends[0], at(0, 1), at(1, 2), at(2, 3))
        last = -_slope_at_end(*ends[1], at(-1, None), at(-2, -1), at(-3, -2))
    return concat([first, inside, last], axis=place)


def _slope_at_end(h: Any, k: Any, first: Any, second: Any, third: Any) -> Any:
    """Return the slope at the first of three places by the parabola through all."""
    return (
        -(2 * h + k) / (h * (h + k)) * first
        + (h + k) / (h * k) * second
        - h / (k * (h + k)) * third
    )


@handles("linspace")
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    *,
    axis: int = 0,
) -> Any:
    """Return numbers at equal distances between two ends."""
    tracer = tracer_of(start, stop)
    xp, like = tracer.xp, start if isinstance(start, StandIn) else stop
    require(num > 1, tracer, "linspace of fewer than two numbers", "use `stack`")
    start, stop = as_arrays(start, stop)
    # By shares of the whole way, so that both ends may be computed from x.
    shares = xp.arange(num, dtype=like.dtype, device=like.device)
    shares = shares / (num - 1 if endpoint else num)
    ndim = max(start.ndim, stop.ndim)
    way = stop - start
    numbers = xp.reshape(shares, (num, *(1,) * ndim)) * way + start
    numbers = cast(numbers if axis == 0 else moveaxis(numbers, 0, axis), dtype)
    return (numbers, way / (num - 1 if endpoint else num)) if retstep else numbers


@handles("logspace")
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    *,
    axis: int = 0,
) -> Any:
    """Return numbers whose logarithms lie at equal distances."""
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    return cast(exponents.tracer.elementwise(operator.pow, base, exponents), dtype)


@handles("geomspace")
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    *,
    axis: int = 0,
) -> Any:
    """Return numbers at equal ratios between two ends."""
    start, stop = as_arrays(start, stop)
    ratio = stop / start
    shares = linspace(0 * ratio, 0 * ratio + 1, num, endpoint, axis=axis)
    return cast(start * shares.tracer.elementwise(operator.pow, ratio, shares), dtype)
