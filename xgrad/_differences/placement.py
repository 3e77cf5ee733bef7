"""Placement of the points around one array: steps in proportion, within bounds."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import (
    Array,
    as_complex,
    as_float,
    cast,
    common_namespace,
    float_info,
    from_host,
    is_lazy,
    leaves,
    python_float,
    quiet,
)
from xgrad._differences.bounds import bounds_of_leaf
from xgrad._differences.closeness import close_distance
from xgrad._differences.curvature import SecondDifferences
from xgrad._differences.noise import noise_offsets
from xgrad._differences.plan import Plan, Scheme, Setting, setting_of
from xgrad._differences.scheme import ComplexStep, StencilScheme
from xgrad._differences.sizes import floored_size, own_size, random_direction
from xgrad._differences.stencil import APERIODIC, noise_spacings, stencil
from xgrad._evaluation import Columns, Points
from xgrad._rules import ValueCheck, enforce


def option_for_leaf(xp: Any, option: str, value: Any, name: str, x: Array) -> Array:
    """Return an option, given as a number or nested as ``x``, for one of its arrays.

    It has no axes or the shape of the array, and its dtype. ``name`` is the array's as
    the caller would write it.
    """
    entry = value
    if not isinstance(value, numbers.Real) and getattr(value, "ndim", None) != 0:
        entry = dict(leaves(value)).get(name)
    if entry is None:
        raise ValueError(
            f"`{option}` has no entry for {name}: give a number, or arrays nested as "
            "x is"
        )
    return fit_to_leaf(xp, option, entry, name, x)


def fit_to_leaf(xp: Any, option: str, entry: Any, name: str, x: Array) -> Array:
    """Return an option of one array, as in `option_for_leaf`."""
    if isinstance(entry, bool):
        raise TypeError(f"`{option}` must be a number or an array; got {entry!r}")
    if isinstance(entry, numbers.Real):
        return from_host(xp, python_float(option, entry), like=x, dtype=x.dtype)
    common_namespace(**{option: entry, "x": x})
    if tuple(entry.shape) not in ((), tuple(x.shape)):
        raise ValueError(
            f"`{option}` has shape {tuple(entry.shape)}, but {name} has shape "
            f"{tuple(x.shape)}: give a number, or one for each entry"
        )
    return cast(xp, as_float(xp, option, entry), x.dtype)


# The schemes of one step, which may be given and is relative to a floored size.
STEPPED = (StencilScheme, SecondDifferences)
# The complex step is compared with this one; a central difference of accuracy 4 leaves
# 12 digits in double precision.
REAL_SCHEME = StencilScheme(stencil("central", 4))
# The part of the room to a bound that may be used. The rest is 8 eps of float32, so
# that no rounding of steps and of points goes over it.
ROOM = 1 - 2.0**-20
# Of components so small that the imaginary step is near the smallest normal number, it
# is that number times 2**52, so that it survives factors down to 2**-52 inside `f`; but
# at most 2**-20 of the component, so that its square is 2**-40 of that of the
# component.
LEAST_IMAGINARY = 2.0**52
LARGEST_IMAGINARY = 2.0**-20


@dataclass(eq=False)
class Placement:
    """One array, ``x``, and the points that a plan puts near it.

    ``name`` is what messages call the array.
    """

    xp: Any
    x: Array
    name: str
    plan: Plan

    def points(
        self, scheme: Scheme, eps: float, estimate: bool, columns: Columns
    ) -> Points:
        """Return the points of a scheme, where arithmetic raises no warnings."""
        return self.points_of(setting_of(scheme, eps, estimate), columns)

    def points_of(self, setting: Setting, columns: Columns) -> Points:
        """Return the points of a setting, where arithmetic raises no warnings."""
        xp, x = self.xp, self.x
        _, scheme, _, offsets, relative = setting
        bounds = None if self.plan.bounds is None else self.bounds
        sides, box = None, None
        if isinstance(scheme, STEPPED):
            if self.plan.step is None:
                step = floored_size(xp, x) * relative
            else:
                step = self._given_step(self.plan.step)
            if bounds is not None:
                step, sides = self._within(bounds, step, offsets)
        else:
            step, box = own_size(xp, x) * relative, bounds
        if isinstance(scheme, ComplexStep):  # moves no real part
            x, step, box = as_complex(xp, x), self._imaginary(step), None
        if step.shape != x.shape:
            step = xp.broadcast_to(step, tuple(x.shape))
        return Points(xp, x, step, offsets, *columns, sides, box, self.name)

    def noise_line(self, eps: float) -> Points:
        """Return the points for the noise: close to x, along a random direction."""
        smallest, _ = noise_spacings(eps)
        return self._line(smallest, noise_offsets(eps))

    def close_line(
        self, eps: float, offsets: tuple[int, ...], sides: Array | None
    ) -> Points:
        """Return points close to x, along a random direction.

        ``sides``, 1 or -1, are those to which the entries move; None for both.
        """
        return self._line(close_distance(eps), offsets, sides)

    def close_points(
        self,
        eps: float,
        columns: Columns,
        offsets: tuple[int, ...],
        sides: Array | None,
    ) -> Points:
        """Return the points at some offsets close to x, as in `close_line`."""
        xp, x = self.xp, self.x
        bounds = None if self.plan.bounds is None else self.bounds
        with quiet():
            step = own_size(xp, x) * (close_distance(eps) * APERIODIC)
            step = step if sides is None else step * sides
        return Points(xp, x, step, offsets, *columns, box=bounds, name=self.name)

    def own_points(self, scheme: Scheme, eps: float, columns: Columns) -> Points | None:
        """Return the points of a stencil by the own size of components, if it is less.

        Steps are in proportion to components or to 1, whichever is more. None where all
        components are so large that this is the same, and within bounds.
        """
        xp, x = self.xp, self.x
        if self.plan.bounds is not None or self.plan.step is not None:
            return None
        with quiet():
            own = own_size(xp, x)
            if not bool(xp.any(own < floored_size(xp, x))):
                return None
            step = own * scheme.relative_step(eps)
        offsets = scheme.offsets(True)
        return Points(xp, x, step, offsets, *columns, name=self.name)

    def _line(
        self, smallest: float, offsets: tuple[int, ...], sides: Array | None = None
    ) -> Points:
        xp, x = self.xp, self.x
        with quiet():
            step = own_size(xp, x) * smallest
            if self.bounds is not None:
                low, high = self.bounds
                room = xp.minimum(high - x, x - low)
                if sides is not None:
                    room = xp.where(sides > 0, high - x, x - low)
                step = xp.minimum(step, room * ROOM / max(offsets))
            direction = random_direction(xp, x)
            step = step * (direction if sides is None else xp.abs(direction) * sides)
        return Points(xp, x, step, offsets, name=self.name)

    def check_direction(self, size: Callable[[Any, Array], Array]) -> Array:
        """Return a random direction along which a step of 1 stays within the bounds.

        It moves entries in proportion to their ``size``.
        """
        xp, x = self.xp, self.x
        with quiet():
            direction = random_direction(xp, x) * size(xp, x)
            if self.bounds is None or not math.prod(x.shape):
                return direction
            low, high = self.bounds
            room = xp.min(xp.minimum(high - x, x - low) / xp.abs(direction)) * ROOM
            return direction * xp.minimum(room, xp.ones_like(room))

    def largest_move(self, eps: float) -> Array:
        """Return the largest move of each entry that the plan makes, in reals."""
        scheme = self.plan.scheme(eps)
        if isinstance(scheme, ComplexStep):
            scheme = REAL_SCHEME
        points = self.points(scheme, eps, False, Columns())
        return points.coordinates_at(max(points.offsets, key=abs)) - self.x

    def _given_step(self, step: Any) -> Array:
        if isinstance(step, (int, float)) and not 0 < abs(step) < math.inf:
            raise ValueError(f"`step` must be finite and not 0; got {step!r}")
        step = option_for_leaf(self.xp, "step", step, self.name, self.x)
        return self.xp.abs(step)

    def _imaginary(self, step: Array) -> Array:
        """Return steps that do not underflow in ``f``, times the imaginary unit."""
        xp, x = self.xp, self.x
        tiny = float_info(xp, x.dtype).tiny
        room = own_size(xp, x) * LARGEST_IMAGINARY
        least = xp.ones_like(x) * (tiny * LEAST_IMAGINARY)
        step = xp.maximum(step, xp.minimum(room, least))
        return as_complex(xp, step) * 1j

    @functools.cached_property
    def bounds(self) -> tuple[Array, Array] | None:
        """The lower and the upper bound of each entry; None without bounds."""
        xp, x, bounds = self.xp, self.x, self.plan.bounds
        if bounds is None:
            return None
        pair = bounds_of_leaf(bounds, self.name)
        low, high = (fit_to_leaf(xp, "bounds", side, self.name, x) for side in pair)
        low, high = (xp.broadcast_to(side, tuple(x.shape)) for side in (low, high))
        if not is_lazy(xp, x):
            rule = "lie within `bounds`"
            remedy = "move it inside, or give wider bounds (low, high), low <= high"
            outside = ~((x >= low) & (x <= high))
            enforce(xp, [ValueCheck(self.name, x, outside, rule, remedy)])
        return low, high

    def _within(
        self, bounds: tuple[Array, Array], step: Array, offsets: tuple[int, ...]
    ) -> tuple[Array, Array | None]:
        """Return steps, and the sides to take, so that no point leaves the bounds.

        A component too close to a bound takes all its points from the other side, at
        the same accuracy; where neither side has room, the step shrinks. The sides are
        those of `Points`, None for one-sided methods, whose step changes sign.
        """
        xp, x = self.xp, self.x
        low, high = bounds
        above, below = (high - x) * ROOM, (x - low) * ROOM
        roomier = xp.where(above >= below, xp.ones_like(x), -1.0)
        room = xp.maximum(above, below)
        central = min(offsets) < 0 < max(offsets)
        own = 1.0 if min(offsets) > 0 else -1.0  # the side of one-sided methods
        one_sided = above if own > 0 else below
        available = xp.minimum(above, below) if central else one_sided
        reach = max(map(abs, offsets))
        inside = available >= reach * step
        # Of a symmetric stencil all points lie on one side, at 1, 2, 3, ... steps.
        needed = len(offsets) if central else reach
        shrunk = 2.0 ** xp.floor(xp.log2(room / needed))
        shrunk = xp.where(room < needed * step, shrunk, step)
        step = xp.where(inside, step, shrunk)
        if central:
            return step, xp.where(inside, 0.0, roomier)
        return step * xp.where(inside, 1.0, roomier * own), None
