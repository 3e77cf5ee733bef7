"""Define NumPy's small numerical methods by name: polynomials, integrals, tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._batched.array import HANDLERS, Batched
from xgrad._batched.elementwise import elementwise
from xgrad._batched.names import axes_of, axis_of, handles, require
from xgrad._batched.operands import trace_of


@handles("polyval")
def _polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, as NumPy does."""
    value: Any = None
    for coefficient in p:
        value = coefficient if value is None else value * x + coefficient
    return value


@handles("convolve")
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Multiply by the Toeplitz matrix of the constant one: ``M[i, j] = c[i - j]``."""
    trace = trace_of((a, v))
    if isinstance(a, Batched) and isinstance(v, Batched):
        raise trace.refuse("convolve of two arrays computed from x", "use products")
    x, c = (a, np.asarray(v)) if isinstance(a, Batched) else (v, np.asarray(a))
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
    return HANDLERS["matmul"](trace.xp.asarray(matrix), x)


@handles("trapezoid")
def _trapezoid(y: Batched, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    place = axis_of(y, axis)
    lead = (slice(None),) * place
    steps = dx
    if x is not None:
        require(
            not isinstance(x, Batched) and np.ndim(x) == 1, y, "trapezoid(x=) like this"
        )
        # Along the axis, and of length 1 along those behind it.
        steps = np.diff(x).reshape((-1, *(1,) * (y.ndim - 1 - place)))
    later, earlier = y[(*lead, slice(1, None))], y[(*lead, slice(None, -1))]
    return HANDLERS["sum"]((later + earlier) * steps / 2, place)


@handles("interp")
def _interp(x: Any, xp: Any, fp: Any) -> Any:
    if isinstance(xp, Batched) or isinstance(fp, Batched):
        raise trace_of((x, xp, fp)).refuse("np.interp of a table computed from x")
    return elementwise(_Interpolation(xp, fp), x)


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
def _gradient(f: Batched, *spacings: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Take central differences inside and one-sided ones at the ends of an axis."""
    axes = range(f.ndim) if axis is None else axes_of(f, axis)
    steps = (
        spacings * len(axes) if len(spacings) == 1 else spacings or (1.0,) * len(axes)
    )
    # Unequal spacings have other weights at each entry, which are not implemented.
    equal = edge_order == 1 and len(steps) == len(axes)
    plain = equal and not any(getattr(h, "ndim", 0) for h in steps)
    require(plain, f, "np.gradient with these arguments", "use numbers as spacings")
    slopes = []
    for place, step in zip(axes, steps, strict=True):
        lead = (slice(None),) * place

        def part(start: int | None, stop: int | None, lead: Any = lead) -> Any:
            return f[(*lead, slice(start, stop))]

        inside = (part(2, None) - part(None, -2)) / (2 * step)
        first = (part(1, 2) - part(0, 1)) / step
        last = (part(-1, None) - part(-2, -1)) / step
        slopes.append(HANDLERS["concat"]([first, inside, last], axis=place))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


@handles("linspace")
def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0
) -> Any:
    trace = trace_of((start, stop))
    scalars = getattr(start, "ndim", 0) == getattr(stop, "ndim", 0) == axis == 0
    require(scalars and num > 1, trace, "linspace between these")
    like = start if isinstance(start, Batched) else stop
    # By shares of the whole way, so that both ends may be computed from x.
    shares = trace.xp.arange(num, dtype=like.dtype, device=like.device)
    shares = shares / (num - 1 if endpoint else num)
    return shares * (stop - start) + start
