"""Splines of `scipy.interpolate` for stand-ins, written in functions of NumPy.

Formulas: C. de Boor, A Practical Guide to Splines (2001), chapters IX and X.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._autodiff.scipy_banded import solve_banded
from xgrad._autodiff.twins import COPIES

# The derivatives at both ends that boundary conditions of a name give.
ENDS: dict[Any, Any] = {"clamped": [(1, 0.0)], "natural": [(2, 0.0)]}
# What FITPACK does beyond the ends, by its names.
MODES = {"extrapolate": 0, "zeros": 1, "raise": 2, "const": 3}


def evaluate_pieces(
    self: Any, x: Any, nu: int = 0, extrapolate: bool | str | None = None
) -> Any:
    """Return the values of a `PPoly`, or of one of its derivatives."""
    knots, c = self.x, self.c
    if hasattr(self, "from_power_basis") or not bool(knots[0] < knots[-1]):
        raise ValueError("only rising pieces in the power basis have a substitute")
    extrapolate = self.extrapolate if extrapolate is None else extrapolate
    x, is_outside = _placed(x, knots[0], knots[-1], extrapolate)
    piece = np.clip(np.searchsorted(knots, x, "right") - 1, 0, knots.shape[0] - 2)
    step = _columns(x - knots[piece], c.ndim - 2)
    degree = c.shape[0] - 1
    value = np.zeros(x.shape + c.shape[2:], c.dtype)
    for power in range(degree, nu - 1, -1):
        value = value * step + math.perm(power, nu) * c[degree - power][piece]
    return _finished(self, value, x.ndim, is_outside)


def antiderivative(self: Any, nu: int = 1) -> Any:
    """Return the antiderivative of a `PPoly`, which is 0 at the first knot."""
    if nu <= 0:
        return self.derivative(-nu)
    knots, c = self.x, self.c
    powers = _columns(np.arange(c.shape[0], 0, -1.0), c.ndim - 1)
    c = c / powers
    width = _columns(np.diff(knots), c.ndim - 2)
    pieces = sum(row * width ** (len(c) - i) for i, row in enumerate(c))
    before = np.cumsum(pieces, axis=0) - pieces
    c = np.concatenate([c, before[None]])
    is_periodic = self.extrapolate == "periodic"
    extrapolate = False if is_periodic else self.extrapolate
    raised = self.construct_fast(c, knots, extrapolate, self.axis)
    return raised if nu == 1 else antiderivative(raised, nu - 1)


def integrate_pieces(
    self: Any, a: Any, b: Any, extrapolate: bool | str | None = None
) -> Any:
    """Return the integral of a `PPoly` between two places."""
    extrapolate = self.extrapolate if extrapolate is None else extrapolate
    if extrapolate == "periodic":
        raise ValueError("integrals of periodic pieces have no substitute")
    whole = antiderivative(self)
    return evaluate_pieces(whole, b, 0, extrapolate) - evaluate_pieces(
        whole, a, 0, extrapolate
    )


def evaluate_spline(
    self: Any, x: Any, nu: int = 0, extrapolate: bool | str | None = None
) -> Any:
    """Return the values of a `BSpline`, or of one of its derivatives."""
    extrapolate = self.extrapolate if extrapolate is None else extrapolate
    t, c, k = self.t, self.c, self.k
    x, is_outside = _placed(x, t[k], t[-1 - k], extrapolate)
    return _finished(self, _spline_values(t, c, k, x, nu), x.ndim, is_outside)


def integrate_spline(
    self: Any, a: Any, b: Any, extrapolate: bool | str | None = None
) -> Any:
    """Return the integral of a `BSpline` between two places."""
    extrapolate = self.extrapolate if extrapolate is None else extrapolate
    if extrapolate == "periodic":
        raise ValueError("integrals of periodic splines have no substitute")
    low, high = self.t[self.k], self.t[-1 - self.k]
    if not extrapolate:
        a, b = np.clip(a, low, high), np.clip(b, low, high)
    whole = self.antiderivative()
    return evaluate_spline(whole, b, 0, True) - evaluate_spline(whole, a, 0, True)


def splev(x: Any, tck: Any, der: int = 0, ext: int = 0) -> Any:
    """Return the values of a spline of FITPACK, or of one of its derivatives."""
    t, c, k = (tck.t, tck.c, tck.k) if hasattr(tck, "c") else tck
    if ext == 3:  # beyond the ends: the values there
        x = np.clip(x, t[k], t[-1 - k])
    x, is_outside = _placed(x, t[k], t[-1 - k], ext != 1)
    value = _spline_values(t, c, k, x, der)
    if ext == 2 and bool(np.any((x < t[k]) | (x > t[-1 - k]))):
        raise ValueError("a place lies beyond the knots")
    return value if is_outside is None else np.where(is_outside, 0.0, value)


def splrep(x: Any, y: Any, k: int = 3, *, s: float | None = None) -> Any:
    """Return knots, coefficients and degree of the spline through values."""
    if s or k % 2 == 0:
        raise ValueError("smoothing splines have no substitute")
    t = _knots(x, k)
    c = _coefficients(x, y, t, k, [], [])
    return t, np.concatenate([c, np.zeros(k + 1)]), k


def fit_univariate(self: Any, x: Any, y: Any, *, k: int = 3, ext: int = 0) -> None:
    """Make an `InterpolatedUnivariateSpline` of values."""
    self.ext = ext
    self._eval_args = splrep(x, y, k)


def evaluate_univariate(self: Any, x: Any, nu: int = 0, ext: int | None = None) -> Any:
    """Return the values of a `UnivariateSpline`."""
    mode: Any = self.ext if ext is None else ext
    return splev(x, self._eval_args, nu, MODES.get(mode, mode))


def make_interp_spline(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0
) -> Any:
    """Return the `BSpline` of a degree that goes through values."""
    if bc_type == "periodic":
        raise ValueError("periodic splines through values have no substitute")
    x, y = (_array(a) + 0.0 for a in (x, y))
    axis = axis % y.ndim
    y = np.moveaxis(y, axis, 0)
    if k == 0 or (k == 1 and t is None):
        t = np.concatenate([*([x[:1]] * k), x, x[-1:]])
        return _new_spline(t, y, k, axis)
    both = ENDS.get(bc_type) if isinstance(bc_type, str) else None
    left, right = (both, both) if both else (bc_type or (None, None))
    ends = [ENDS[e] if isinstance(e, str) else (e or []) for e in (left, right)]
    t = (_knots if not any(ends) else _all_knots)(x, k) if t is None else t
    return _new_spline(t, _coefficients(x, y, t, k, *ends), k, axis)


def _new_spline(t: Any, c: Any, k: int, axis: int) -> Any:
    from scipy.interpolate import BSpline

    copies = COPIES.get()
    kind = BSpline if copies is None else copies.replace(BSpline)
    return kind.construct_fast(t, c, k, axis=axis)


def _knots(x: Any, k: int) -> Any:
    """Return the knots without those next to the ends (not-a-knot)."""
    inner = x if k % 2 else (x[1:] + x[:-1]) / 2
    half = (k + 1) // 2
    inner = inner[half : inner.shape[0] - half]
    return np.concatenate([*[x[:1]] * (k + 1), inner, *[x[-1:]] * (k + 1)])


def _all_knots(x: Any, k: int) -> Any:
    return np.concatenate([*[x[:1]] * k, x, *[x[-1:]] * k])


def _coefficients(x: Any, y: Any, t: Any, k: int, left: Any, right: Any) -> Any:
    """Solve for the coefficients by values, and by derivatives ``(order, value)``."""
    count = t.shape[0] - k - 1
    bands = np.zeros((2 * k + 1, count), like=t if is_standin(t) else x)
    piece = _piece(t, k, x)
    rows = len(left) + np.arange(x.shape[0])
    for j, values in enumerate(basis(t, k, x, piece)):
        column = piece - k + j
        bands[k + rows - column, column] = values
    ends = ((x[0], left, 0, 0), (x[-1], right, count - len(right), count - k - 1))
    for place, orders, first, column in ends:
        some = np.eye(count)[:, column : column + k + 1]
        columns = column + np.arange(k + 1)
        for row, (order, _) in enumerate(orders, first):
            value = _spline_values(t, some, k, place, order)
            bands[k + row - columns, columns] = value
    shape = (1, *y.shape[1:])
    before, behind = (
        [np.reshape(v, shape) if np.ndim(v) else np.full(shape, v) for _, v in e]
        for e in (left, right)
    )
    return solve_banded((k, k), bands, np.concatenate([*before, y, *behind]))


def _spline_values(t: Any, c: Any, k: int, x: Any, order: int) -> Any:
    """Return the values of a spline, or of its derivative of an order."""
    c = c[: t.shape[0] - k - 1]
    for _ in range(order):
        t, c, k = _derived(t, c, k)
    piece = _piece(t, k, x)
    parts = (
        _columns(b, c.ndim - 1) * c[piece - k + j]
        for j, b in enumerate(basis(t, k, x, piece))
    )
    return sum(parts)


def _derived(t: Any, c: Any, k: int) -> tuple[Any, Any, int]:
    """Return knots, coefficients and degree of the derivative of a spline."""
    if k == 0:
        return t, 0 * c, 0
    width = t[k + 1 : -1] - t[1 : -k - 1]
    # Between equal knots there is nothing that it counts for.
    factor = np.where(width > 0, k, 0) / np.where(width > 0, width, 1)
    return t[1:-1], _columns(factor, c.ndim - 1) * np.diff(c, axis=0), k - 1


def _piece(t: Any, k: int, x: Any) -> Any:
    """Return the number of the knot before each place, inside of the ends."""
    count = t.shape[0] - k - 1
    return np.clip(np.searchsorted(t, x, "right") - 1, k, count - 1)


def basis(t: Any, k: int, x: Any, piece: Any) -> list[Any]:
    """Return the ``k + 1`` B-splines that are not 0 between two knots, at places."""
    values: list[Any] = [np.ones(np.shape(x))]
    for degree in range(1, k + 1):
        behind: Any = 0.0
        raised = []
        for j, value in enumerate(values):
            low, high = t[piece + 1 - degree + j], t[piece + 1 + j]
            share = value / (high - low)
            raised.append(behind + (high - x) * share)
            behind = (x - low) * share
        values = [*raised, behind]
    return values


def _array(x: Any) -> Any:
    return x if is_standin(x) else np.asarray(x)


def _columns(x: Any, count: int) -> Any:
    """Return an array with axes of length 1 behind its own."""
    return np.reshape(x, np.shape(x) + (1,) * count)


def _placed(x: Any, low: Any, high: Any, extrapolate: bool | str) -> tuple[Any, Any]:
    """Return the places, and a mask of those that have no value, or None."""
    x = _array(x) + 0.0
    if extrapolate == "periodic":
        return low + (x - low) % (high - low), None
    return x, None if extrapolate else (x < low) | (x > high)


def _finished(self: Any, value: Any, count: int, is_outside: Any) -> Any:
    """Return values with nan outside, and ``count`` axes of places where they belong.

    NumPy's functions put those of the places first.
    """
    if is_outside is not None:
        value = np.where(_columns(is_outside, value.ndim - count), np.nan, value)
    axes = range(value.ndim)
    before = axes[count : count + self.axis]
    return value.transpose([*before, *axes[:count], *axes[count + self.axis :]])


METHODS: dict[str, Any] = {
    "PPoly.__call__": evaluate_pieces,
    "PPoly.antiderivative": antiderivative,
    "PPoly.integrate": integrate_pieces,
    "BSpline.__call__": evaluate_spline,
    "BSpline.integrate": integrate_spline,
    "InterpolatedUnivariateSpline.__init__": fit_univariate,
    "UnivariateSpline.__call__": evaluate_univariate,
}
