"""The straight line through a pass, where nothing is out of the ordinary.

It has the points, the ways, the proof and the quotients of every pass, but not the
objects that keep an account of them: below some hundred variables, these take longer
than the function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import Array, at_perturbed_points, is_everywhere
from xgrad._differences.placement import Placement
from xgrad._differences.plan import Plan
from xgrad._differences.scheme import StencilScheme
from xgrad._evaluation import (
    Execution,
    Function,
    Neighborhood,
    Points,
    entry_columns,
    evaluate_in_known_way,
)


def differentiate_directly(
    function: Function, x: Any, plan: Plan, execution: Execution, *, scalar: bool
) -> tuple[Array | None, Array | None]:
    """Return ``f(x)`` and the derivatives of all outputs by all entries of ``x``.

    Derivatives of shape ``(*f(x).shape, *x.shape)`` are None where the problem is left
    to the engine, and ``f(x)`` is None where it was not evaluated. With ``scalar`` it
    has to be a number.
    """
    # One array of NumPy, of floats, and a stencil.
    is_one = type(x) is np.ndarray and function.leaves[0] is x
    if not (is_one and plan.is_plain and execution.is_plain):
        return None, None
    base = function.at_base()
    if base.dtype != x.dtype or (scalar and base.ndim):
        return base, None
    slopes = direct_slopes(function, base, plan, execution)
    if slopes is None:
        return base, None
    if base.ndim:  # in a tenth of the time of `moveaxis`
        slopes = slopes.T if base.ndim == 1 else np.moveaxis(slopes, 0, -1)
    return base, slopes.reshape(base.shape + x.shape)


def direct_slopes(
    function: Function,
    base: Array,
    plan: Plan,
    execution: Execution,
    step: Array | None = None,
) -> Array | None:
    """Return the slopes by each entry, ``(entries, *f(x).shape)``.

    ``x`` is one array of NumPy, and the plan a stencil without bounds; a ``step`` takes
    the place of its own. Return None if one is not finite, or if there is no way yet to
    evaluate all points at once.
    """
    xp, x = function.xp, function.leaves[0]
    setting = plan.setting(xp, x.dtype, base.dtype)
    with at_perturbed_points():
        columns = entry_columns(xp, x)
        if step is None:
            points = Placement(xp, x, "x", plan).points_of(setting, columns)
        else:
            points = Points(xp, x, step, setting.offsets, *columns)
        near = Neighborhood(function, 0, points, base)
        evaluated = evaluate_in_known_way(near, execution)
        if evaluated is None:
            return None
        values, value_at_base = evaluated
        (moved,), extra = points.coordinates, (1,) * base.ndim
        moved = moved.reshape(len(points.offsets), -1, *extra)
        coordinates: dict[int, Any] = dict(zip(points.offsets, moved, strict=True))
        by_offset: dict[int, Any] = dict(zip(points.offsets, values, strict=True))
        coordinates[0], by_offset[0] = x.reshape(-1, *extra), value_at_base

        def quotient(plus: int, minus: int) -> Array:
            change = by_offset[plus] - by_offset[minus]
            return change / (coordinates[plus] - coordinates[minus])

        assert isinstance(setting.scheme, StencilScheme)
        slopes = setting.scheme.stencil.slope(quotient)
        is_finite = is_everywhere(xp, np.isfinite(slopes))
    # Differences do not use f(x), but its status is for the engine to tell.
    return slopes if is_finite and is_everywhere(xp, np.isfinite(base)) else None
