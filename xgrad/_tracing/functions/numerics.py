"""NumPy's small numerical methods: polynomials, integrals, tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._tracing.arguments import axes_of, axis_of, require, tracer_of
from xgrad._tracing.functions.indexing import part
from xgrad._tracing.functions.joining import concat
from xgrad._tracing.functions.products import matmul
from xgrad._tracing.functions.reductions import sum_
from xgrad._tracing.registry import handles
from xgrad._tracing.standin import StandIn


@handles("polyval")
def polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, as NumPy does."""
    value: Any = None
    for coefficient in p:
        value = coefficient if value is None else value * x + coefficient
    return value


@handles("convolve")
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Multiply by the Toeplitz matrix of the constant one: ``M[i, j] = c[i - j]``."""
    tracer = tracer_of(a, v)
    if isinstance(a, StandIn) and isinstance(v, StandIn):
        raise tracer.refuse("convolve of two arrays computed from x", "use products")
    x, c = (a, np.asarray(v)) if isinstance(a, StandIn) else (v, np.asarray(a))
    size, count = x.shape[0], c.shape[0]
    length = size + count - 1
    # Row i of the full result is the sum of c[i - j] * x[j]; the other modes are rows
    # from the middle of it.
    shift = np.arange(length)[:, None] - np.arange(size)[None, :]
    inside = (shift >= 0) & (shift < count)
    matrix = np.where(inside, c[np.clip(shift, 0, count - 1)], 0)
    if mode != "full":
        rows = max(size, count) if mode == "same" else abs(size - count) + 1
        require(mode in ("same", "valid"), x, f"convolve(mode={mode!r})")
        start = (length - rows) // 2 if mode == "same" else min(size, count) - 1
        matrix = matrix[start : start + rows]
    return matmul(tracer.xp.asarray(matrix), x)


@handles("trapezoid")
def trapezoid(y: StandIn, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Integrate along an axis by the trapezoidal rule."""
    place, steps = axis_of(y, axis), dx
    if x is not None:
        plain = not isinstance(x, StandIn) and np.ndim(x) == 1
        require(plain, y, "trapezoid(x=) like this")
        # Along the axis, and of length 1 along those behind it.
        steps = np.diff(x).reshape((-1, *(1,) * (y.ndim - 1 - place)))
    sums = part(y, place, 1, None) + part(y, place, None, -1)
    return sum_(sums * steps / 2, place)


@handles("interp")
def interp(x: Any, xp: Any, fp: Any) -> Any:
    """Interpolate linearly in a table."""
    if isinstance(xp, StandIn) or isinstance(fp, StandIn):
        raise tracer_of(x, xp, fp).refuse("np.interp of a table computed from x")
    return x.tracer.elementwise(_Interpolation(xp, fp), x)


class _Interpolation:
    """Linear interpolation in a table.

    All of them are equal: at one operation of `f` it is the same table every time, in
    an object of its own.
    """

    def __init__(self, xp: Any, fp: Any) -> None:
        self.table = xp, fp

    def __call__(self, x: Any) -> Any:
        return np.interp(x, *self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Interpolation)

    def __hash__(self) -> int:
        return hash(_Interpolation)


@handles("gradient")
def gradient(f: StandIn, *spacings: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Take central differences inside and one-sided ones at the ends of an axis."""
    axes = axes_of(f, axis)
    steps = spacings or (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    # Unequal spacings have other weights at each entry, which are not implemented.
    equal = edge_order == 1 and len(steps) == len(axes)
    plain = equal and not any(getattr(h, "ndim", 0) for h in steps)
    require(plain, f, "np.gradient with these arguments", "use numbers as spacings")
    slopes = []
    for place, h in zip(axes, steps, strict=True):
        inside = (part(f, place, 2, None) - part(f, place, None, -2)) / (2 * h)
        first = (part(f, place, 1, 2) - part(f, place, 0, 1)) / h
        last = (part(f, place, -1, None) - part(f, place, -2, -1)) / h
        slopes.append(concat([first, inside, last], axis=place))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


@handles("linspace")
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0
) -> Any:
    """Return numbers at equal distances between two ends."""
    xp = tracer_of(start, stop).xp
    scalars = getattr(start, "ndim", 0) == getattr(stop, "ndim", 0) == axis == 0
    like = start if isinstance(start, StandIn) else stop
    require(scalars and num > 1, like, "linspace between these")
    # By shares of the whole way, so that both ends may be computed from x.
    shares = xp.arange(num, dtype=like.dtype, device=like.device)
    shares = shares / (num - 1 if endpoint else num)
    return shares * (stop - start) + start
