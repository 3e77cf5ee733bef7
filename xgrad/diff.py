"""Numerical derivatives: plan the points, evaluate the function, combine the values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xgrad._array import (
    Array,
    as_float,
    cast,
    common_namespace,
    from_host,
    is_floating,
    is_numpy,
    one_of,
    quiet,
)
from xgrad._evaluate import Execution, Function, Samples, Vectorized
from xgrad._points import Points
from xgrad._stencil import Method, Stencil, stencil
from xgrad._tree import leaves, rebuild


def gradient(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    axis: Literal[-1] | None = None,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
) -> Any:
    """Numerical gradient of a function of an array, or of a nesting of arrays.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar (with ``axis=-1``: ``(..., n)`` to
        ``(...)``). It gets arrays of its own and never the caller's.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate. Integers are promoted to the default float, half
        precision is evaluated in float32.
    axis : -1, optional
        The rows of ``x`` are independent points: ``f`` gives one number a row, and one
        column of all rows moves at a time. Two evaluations verify the independence.
    method : {"central", "forward", "backward"}
        Where the points lie. A component that is not finite on one side is taken from
        the other side with "central".
    accuracy : int, optional
        Order of the error in the step: 2, 4, 6, 8 for central (default 4), 1 to 4 for
        forward and backward (default 2).
    step : float or array like ``x``, optional
        Absolute step; its sign is ignored, and a step of 0 gives ``nan``. By default
        ``eps**(1/(accuracy + 1)) * max(abs(x), 1)`` for each component, both factors
        rounded to powers of two, with ``eps`` of the coarser of the dtypes of ``x`` and
        ``f(x)``.
    dtype : floating dtype, optional
        Evaluate ``f`` in this dtype; the result has it too.
    vectorized : bool or "auto"
        ``True``: ``f`` takes a leading axis of points, ``(B, *x.shape) -> (B, ...)``
        (every array of a nesting has it). ``False`` and, at present, "auto": one point
        a call.
    max_bytes : int, optional
        Memory for the points built at once; by default 2 MiB on a CPU and a quarter of
        the free memory on a GPU.

    Returns
    -------
    array, or nesting like ``x``
        The gradient in the shape, dtype and device of ``x``.

    Raises
    ------
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers.
    ValueError
        If ``f`` does not return a scalar (one number a row with ``axis=-1``), if it
        couples rows that should be independent, or if an option is not offered.

    Notes
    -----
    The weights of the stencils are exact (Fornberg, Math. Comp. 51, 1988). Each
    difference is divided by the step really taken, ``(x + h) - (x - h)`` as it is in
    floating point (Press et al., Numerical Recipes, section 5.7). Costs ``accuracy``
    evaluations an entry, or a column with ``axis=-1``, and one at ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0]))
    array([6., 8.])
    >>> parameters = {"w": np.ones(2), "b": np.ones(())}
    >>> gradient(lambda p: np.sum(p["w"] ** 2) + p["b"], parameters)
    {'w': array([2., 2.]), 'b': array(1.)}
    """
    one_of("axis", axis, (None, -1))
    plan = Plan(stencil(method, accuracy), step, dtype)
    function, given = _function(f, x, plan, Execution(vectorized, max_bytes))
    if axis is None:
        base = function.at_base()
        _require_scalar(base)
        lead: tuple[int, ...] = ()
    else:
        _require_rows(x)
        base = function.at_base()
        lead = _require_one_number_a_row(function, base)
    results = []
    for i, (name, leaf) in enumerate(given):
        points = plan.points(function, i, base, lead, name)
        if lead:
            _prove_rows_independent(function, base, points)
        slopes = _slopes(function, i, base, plan, points)
        results.append(plan.finish(function.xp, slopes, leaf))
    return rebuild(x, results)


def derivative(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    order: int = 1,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
) -> Any:
    """Numerical derivative of an elementwise function, at every entry at once.

    Parameters
    ----------
    f : callable
        Maps an array to an array of the same shape, entry by entry.
    x : array of real numbers, or a Python number
        Where to differentiate.
    order : int
        Which derivative, 1 to 4.
    method, accuracy, step, dtype, vectorized, max_bytes
        As in `gradient`; the default step is
        ``eps**(1/(accuracy + order)) * max(abs(x), 1)``.

    Returns
    -------
    array
        Shape, dtype and device of ``x``; a NumPy scalar for a Python number.

    Raises
    ------
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers.
    ValueError
        If the result of ``f`` is not shaped like ``x``, or an option is not offered.

    Notes
    -----
    Costs ``accuracy`` evaluations (one more for every second order beyond the first)
    and one at ``x``. Sources as in `gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> derivative(lambda x: 0.01 * x**2 + 0.1 * x, np.array([5.0, 10.0]))
    array([0.2, 0.3])
    >>> derivative(np.sin, 0.0, order=3)
    array(-1.)
    """
    x = _as_array(x)
    plan = Plan(stencil(method, accuracy, order), step, dtype)
    function, given = _function(f, x, plan, Execution(vectorized, max_bytes))
    if isinstance(x, dict | list | tuple):
        raise TypeError("`x` must be one array: `gradient` takes nested arrays")
    base = function.at_base()
    shape = tuple(x.shape)
    if tuple(base.shape) != shape:
        raise ValueError(
            f"`f` returned shape {tuple(base.shape)} for x of shape {shape}: "
            "`derivative` is elementwise; use `gradient` for a scalar function"
        )
    points = plan.points(function, 0, base, shape, "x")
    slopes = _slopes(function, 0, base, plan, points)
    return plan.finish(function.xp, slopes, given[0][1])


@dataclass(frozen=True)
class Tangent:
    """The line (or plane) that touches a function: ``value + slope * (t - point)``.

    ``elementwise`` says whether each entry has a line of its own; otherwise the slope
    is a gradient and the products are summed.
    """

    point: Any
    value: Any
    slope: Any
    elementwise: bool

    def __call__(self, t: Any, /) -> Any:
        """Height at ``t``, an array whose last axes are those of ``x``, or a number."""
        xp = common_namespace(x=self.point)
        if isinstance(t, int | float):
            t = from_host(xp, float(t), like=self.point, dtype=self.slope.dtype)
        common_namespace(t=t, x=self.point)
        t = as_float(xp, "t", t)
        ndim = self.point.ndim
        if tuple(t.shape[t.ndim - ndim :]) != tuple(self.point.shape):
            raise ValueError(
                f"`t` has shape {tuple(t.shape)}, but its last axes must be those of "
                f"the point of contact, {tuple(self.point.shape)}"
            )
        rise = self.slope * (t - self.point)
        if self.elementwise or ndim == 0:
            return self.value + rise
        return self.value + xp.sum(rise, axis=tuple(range(t.ndim - ndim, t.ndim)))


def tangent_line(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
) -> Tangent:
    """The line that touches ``f`` at ``x``, as a callable.

    Parameters
    ----------
    f : callable
        Elementwise, for a tangent at each entry of ``x``; or scalar, for the tangent
        plane.
    x : array of real numbers, or a Python number
        Points of contact.
    method, accuracy, step, dtype
        As in `gradient`.

    Returns
    -------
    Tangent
        ``tangent(t)`` is the height at ``t``, a number or an array whose last axes are
        those of ``x``; its fields are ``point``, ``value`` and ``slope``.

    Raises
    ------
    TypeError, ValueError
        As `derivative` and `gradient` do.

    Examples
    --------
    >>> tangent = tangent_line(lambda x: 0.01 * x**2 + 0.1 * x, 5.0)
    >>> tangent(0.0), tangent.slope
    (np.float64(-0.25), array(0.2))
    """
    x = _as_array(x)
    plan = Plan(stencil(method, accuracy), step, dtype)
    function, given = _function(f, x, plan, Execution(False))
    if isinstance(x, dict | list | tuple):
        raise TypeError("`x` must be one array: a tangent has one point of contact")
    base = function.at_base()
    elementwise = tuple(base.shape) == tuple(x.shape)
    if not elementwise:
        _require_scalar(base)
    lead = tuple(x.shape) if elementwise else ()
    points = plan.points(function, 0, base, lead, "x")
    slopes = _slopes(function, 0, base, plan, points)
    slope = plan.finish(function.xp, slopes, given[0][1])
    xp = function.xp
    point = cast(xp, function.leaves[0], slope.dtype)
    return Tangent(point, cast(xp, base, slope.dtype), slope, elementwise)


# Plan


@dataclass(frozen=True)
class Plan:
    """What to compute: the stencil, and in what steps and dtype."""

    stencil: Stencil
    step: Any
    dtype: Any

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where ``f`` is evaluated, in steps; at 0 it is known already."""
        return tuple(o for o in self.stencil.offsets if o)

    def points(
        self,
        function: Function,
        leaf: int,
        base: Array,
        lead: tuple[int, ...],
        name: str,
    ) -> Points:
        """The points around one array; ``base`` is the value of ``f`` there."""
        xp, x = function.xp, function.leaves[leaf]
        shape = tuple(x.shape)
        columns = (*lead, math.prod(shape[len(lead) :]))
        with quiet():
            step = xp.broadcast_to(self._step_for(xp, x, base, name), shape)
        return Points(
            xp,
            xp.reshape(x, columns),
            xp.reshape(step, columns),
            self.offsets,
            shape,
            name,
        )

    def _step_for(self, xp: Any, x: Array, base: Array, name: str) -> Array:
        if self.step is None:
            eps = max(float(xp.finfo(a.dtype).eps) for a in (x, base))
            return _scale(xp, x) * self.stencil.relative_step(eps)
        if isinstance(self.step, int | float):
            if not 0 < abs(self.step) < math.inf:
                raise ValueError(f"`step` must be finite and not 0; got {self.step!r}")
            return from_host(xp, abs(float(self.step)), like=x, dtype=x.dtype)
        step = dict(leaves(self.step)).get(name)
        if step is None:
            raise ValueError(
                f"`step` has no entry for {name}: give a number, or arrays "
                "nested as x is"
            )
        common_namespace(step=step, x=x)
        if tuple(step.shape) not in ((), tuple(x.shape)):
            raise ValueError(
                f"`step` has shape {tuple(step.shape)}, but {name} has shape "
                f"{tuple(x.shape)}: give a number, or one step for each entry"
            )
        return xp.abs(cast(xp, as_float(xp, "step", step), x.dtype))

    def finish(self, xp: Any, slopes: Array, given: Array) -> Array:
        """The result in the shape and dtype that the caller expects."""
        dtype = slopes.dtype
        if self.dtype is not None:
            dtype = _dtype(xp, self.dtype)
        elif is_floating(xp, given):
            dtype = given.dtype
        return cast(xp, xp.reshape(slopes, tuple(given.shape)), dtype)


def _scale(xp: Any, x: Array) -> Array:
    """Size of each component, at least 1, rounded down to a power of two.

    A floor is needed because rounding in ``f`` does not shrink with ``x``; the cap
    keeps ``x + 4 h`` finite near the largest number.
    """
    info = xp.finfo(x.dtype)
    size = xp.clip(xp.abs(x), 1.0, float(info.max) / 8)
    return 2.0 ** xp.floor(xp.log2(size))


def _function(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """The function at the arrays of ``x`` as floats, and those arrays as they came."""
    if not callable(f):
        raise TypeError(f"`f` must be callable; got {type(f).__name__}")
    given = leaves(x)
    if not given:
        raise ValueError("`x` holds no array: there is nothing to differentiate by")
    xp = common_namespace(**dict(given))
    floats = [as_float(xp, name, leaf) for name, leaf in given]
    if plan.dtype is not None:
        dtype = _dtype(xp, plan.dtype)
        floats = [as_float(xp, "x", cast(xp, leaf, dtype)) for leaf in floats]
    return Function(f, xp, x, tuple(floats), execution), given


def _dtype(xp: Any, dtype: Any) -> Any:
    """A floating dtype of the namespace, given as such or by its name."""
    found = getattr(xp, dtype, dtype) if isinstance(dtype, str) else dtype
    try:
        floating = bool(xp.isdtype(found, "real floating"))
    except (TypeError, ValueError, AttributeError):
        floating = False
    if not floating:
        raise TypeError(
            f"`dtype` must be a real floating dtype such as `xp.float64`; got {dtype!r}"
        )
    return found


def _as_array(x: Any) -> Any:
    """A Python number as a 0-d array of NumPy; everything else as it is."""
    if isinstance(x, int | float) and not isinstance(x, bool | np.generic):
        return np.asarray(float(x))
    return x


# Evaluate


def _slopes(
    function: Function, leaf: int, base: Array, plan: Plan, points: Points
) -> Array:
    """Derivatives by the columns of one array, ``(*lead, n)``."""
    xp = function.xp
    slopes = []
    shape = tuple(base.shape)
    for samples in function.at_points(leaf, points, shape):
        with quiet():
            slopes.append(combine(xp, plan.stencil, base, samples))
    if not slopes:
        return xp.zeros_like(points.base)
    return xp.moveaxis(xp.concat(slopes, axis=0), 0, -1)


def _require_scalar(base: Array) -> None:
    if math.prod(base.shape) != 1:
        raise ValueError(
            f"`f` must return a scalar, but returned shape {tuple(base.shape)}: "
            "reduce it (for example with a sum or a mean), or give `axis=-1` if the "
            "rows of x are independent points"
        )


def _require_rows(x: Any) -> None:
    if isinstance(x, dict | list | tuple):
        raise TypeError("`axis=-1` needs one array as `x`, not a nesting of arrays")
    if x.ndim == 0:
        raise ValueError("`axis=-1` needs `x` with at least one axis")


def _require_one_number_a_row(function: Function, base: Array) -> tuple[int, ...]:
    shape = tuple(function.leaves[0].shape)
    if tuple(base.shape) != shape[:-1]:
        raise ValueError(
            f"with axis=-1 and x of shape {shape} `f` must return one number a row, "
            f"shape {shape[:-1]}, but returned {tuple(base.shape)}: for a loss, "
            'take reduction="none"'
        )
    return shape[:-1]


def _prove_rows_independent(function: Function, base: Array, points: Points) -> None:
    """Move about half of the rows, see that the others keep their value, and swap.

    Half of them rather than one, so that a coupling through a mean over many rows is
    as large as a step. Each entry moves by another amount, so that no invariance of
    ``f`` (a common shift of logits) hides it.
    """
    xp, x = function.xp, points.base
    count = math.prod(base.shape)
    if count < 2:
        return
    with quiet():
        half = np.random.default_rng(0).random(count) < 0.5
        half[0], half[-1] = True, False
        half = from_host(xp, half.reshape(base.shape), like=x)
        golden = (np.arange(1, points.columns + 1) * 0.6180339887498949) % 1
        # At most the largest offset of the plan, which f will see in any case.
        reach = max(points.offsets, key=abs)
        amounts = from_host(xp, reach * (0.5 + golden / 2), like=x, dtype=x.dtype)
        shifted = x + amounts * points.step
        # Rounding may differ where a library treats a block of rows at once.
        size = xp.where(xp.isfinite(base), xp.abs(base), 0.0)
        noise = 64 * float(xp.finfo(base.dtype).eps) * xp.max(size)
        coupled = [
            ~moved
            & (
                xp.abs(function.at(xp.where(moved[..., None], shifted, x)) - base)
                > noise
            )
            for moved in (half, ~half)
        ]
    if bool(xp.any(coupled[0] | coupled[1])):
        raise ValueError(
            "with axis=-1 the rows of `x` must be independent, but moving some rows "
            "changed the result of `f` for others: let `f` treat each row by itself, "
            "or leave `axis` out and return a scalar"
        )


# Combine


def combine(xp: Any, scheme: Stencil, base: Array, samples: Samples) -> Array:
    """The derivative of each column, ``(columns, *lead)``.

    Where it is not finite, the points of one side are tried, then those of the other.
    """
    slopes = _weighted(scheme, base, samples)
    if min(scheme.offsets) == 0 or max(scheme.offsets) == 0:
        return slopes
    if is_numpy(xp) and bool(xp.all(xp.isfinite(slopes))):
        return slopes
    for side in (1, -1):
        one_sided = scheme.one_sided(side)
        if one_sided is not None:
            other = _weighted(one_sided, base, samples)
            slopes = xp.where(xp.isfinite(slopes), slopes, other)
    return slopes


def _weighted(scheme: Stencil, base: Array, samples: Samples) -> Array:
    values = {0: base, **samples.values}
    if scheme.order == 1:
        return sum(
            float(weight)
            * ((values[plus] - values[minus]) / samples.spacing(plus, minus))
            for plus, minus, weight in scheme.quotients
        )
    # The weights sum to 0, so f(x) can be taken off first: smaller numbers, less noise.
    differences = sum(
        float(weight) * (values[offset] - base)
        for offset, weight in zip(scheme.offsets, scheme.weights, strict=True)
        if offset
    )
    low, high = min(scheme.offsets), max(scheme.offsets)
    step = samples.spacing(high, low) / (high - low)
    return differences / step**scheme.order
