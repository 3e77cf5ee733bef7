"""Where the points around one array lie: steps in proportion, and within bounds."""

from __future__ import annotations

import functools
import math
import numbers
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
from xgrad._differences.noise import noise_offsets
from xgrad._differences.plan import Plan, Scheme
from xgrad._differences.scheme import ComplexStep, StencilScheme
from xgrad._differences.sizes import floored_size, own_size, random_direction
from xgrad._differences.stencil import noise_spacings, stencil
from xgrad._evaluation import Points
from xgrad._rules import ValueCheck, enforce

HINTS = {"bounds": "; as (low, high) for all entries, not as a pair for each"}


def option_for_leaf(xp: Any, option: str, value: Any, name: str, x: Array) -> Array:
    """An option given as a number or in the structure of ``x``, for one of its arrays.

    ``name`` is how the caller would write the array.
    """
    if isinstance(value, bool):
        raise TypeError(f"`{option}` must be a number or an array; got {value!r}")
    if isinstance(value, numbers.Real):
        return from_host(xp, python_float(option, value), like=x, dtype=x.dtype)
    found = value
    if getattr(value, "ndim", None) != 0:
        found = dict(leaves(value)).get(name)
    if found is None:
        raise ValueError(
            f"`{option}` has no entry for {name}: give a number, or arrays nested as "
            "x is" + HINTS.get(option, "")
        )
    if isinstance(found, numbers.Real):
        return from_host(xp, python_float(option, found), like=x, dtype=x.dtype)
    common_namespace(**{option: found, "x": x})
    if tuple(found.shape) not in ((), tuple(x.shape)):
        raise ValueError(
            f"`{option}` has shape {tuple(found.shape)}, but {name} has shape "
            f"{tuple(x.shape)}: give a number, or one for each entry"
        )
    return cast(xp, as_float(xp, option, found), x.dtype)


# Checks the complex step by a real one.
REAL_SCHEME = StencilScheme(stencil("central", 4))
# What is left of the room to a bound, so that no rounding steps over it.
ROOM = 1 - 2.0**-20


@dataclass(frozen=True)
class Placement:
    """One array, ``x`` (in messages ``name``), and where a plan puts points near it."""

    xp: Any
    x: Array
    name: str
    plan: Plan

    def points(self, scheme: Scheme, eps: float, estimate: bool) -> Points:
        """The points of a scheme, everything moving."""
        xp, x = self.xp, self.x
        offsets = scheme.offsets(estimate)
        bounds, sides, box = self.bounds, None, None
        with quiet():
            if isinstance(scheme, StencilScheme):
                step = self._step(scheme.relative_step(eps))
                if bounds is not None:
                    step, sides = self._within(bounds, step, offsets)
            else:
                step, box = own_size(xp, x) * scheme.relative_step(eps), bounds
            if isinstance(scheme, ComplexStep):  # moves no real part
                x, step, box = as_complex(xp, x), self._imaginary(step), None
            if step.shape != x.shape:
                step = xp.broadcast_to(step, tuple(x.shape))
        return Points(xp, x, step, offsets, sides=sides, box=box, name=self.name)

    def noise_line(self, eps: float) -> Points:
        """Points of one column close to x, in a random direction."""
        xp, x = self.xp, self.x
        with quiet():
            smallest, _ = noise_spacings(eps)
            offsets = noise_offsets(eps)
            step = own_size(xp, x) * smallest
            if self.bounds is not None:
                low, high = self.bounds
                room = xp.minimum(high - x, x - low) * ROOM
                step = xp.minimum(step, room / max(offsets))
            step = step * random_direction(xp, x)
        return Points(xp, x, step, offsets, name=self.name)

    def check_direction(self) -> tuple[Array, Any]:
        """A random direction along which a step of 1 stays within the bounds.

        And by how much it had to be shortened for that.
        """
        xp, x = self.xp, self.x
        with quiet():
            ray = random_direction(xp, x) * floored_size(xp, x)
            if self.bounds is None or not math.prod(x.shape):
                return ray, 1.0
            low, high = self.bounds
            room = xp.min(xp.minimum(high - x, x - low) / xp.abs(ray)) * ROOM
            length = xp.minimum(room, xp.ones_like(room))
            return ray * length, length

    def largest_move(self, eps: float) -> Array:
        """The largest move of each entry that the plan makes, in real numbers."""
        scheme = self.plan.scheme(eps)
        if isinstance(scheme, ComplexStep):
            scheme = REAL_SCHEME
        points = self.points(scheme, eps, False)
        return points.position(max(points.offsets, key=abs)) - self.x

    def _step(self, relative: float) -> Array:
        xp, x, step = self.xp, self.x, self.plan.step
        if step is None:
            return floored_size(xp, x) * relative
        if isinstance(step, (int, float)) and not 0 < abs(step) < math.inf:
            raise ValueError(f"`step` must be finite and not 0; got {step!r}")
        return xp.abs(option_for_leaf(xp, "step", step, self.name, x))

    def _imaginary(self, step: Array) -> Array:
        """Steps that neither underflow in ``f`` nor grow beside small components."""
        xp, x = self.xp, self.x
        tiny = float_info(xp, x.dtype).tiny
        room = own_size(xp, x) * 2.0**-20
        step = xp.maximum(step, xp.minimum(room, xp.ones_like(x) * (tiny * 2.0**52)))
        return as_complex(xp, step) * 1j

    @functools.cached_property
    def bounds(self) -> tuple[Array, Array] | None:
        """Low and high for each entry; None where there are none."""
        xp, x, bounds = self.xp, self.x, self.plan.bounds
        if bounds is None:
            return None
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise TypeError(
                "`bounds` must be a pair (low, high) of numbers, arrays like x or "
                f"None; got {bounds!r}"
            )
        sides = (
            -math.inf if bounds[0] is None else bounds[0],
            math.inf if bounds[1] is None else bounds[1],
        )
        low, high = (
            option_for_leaf(xp, "bounds", side, self.name, x) for side in sides
        )
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
        """Steps, and the sides to take, so that no point leaves the bounds.

        A component too close to a bound takes all its points from the other side, at
        the same accuracy; where neither side has room, the step shrinks.
        """
        xp, x = self.xp, self.x
        low, high = bounds
        above, below = (high - x) * ROOM, (x - low) * ROOM
        roomier = xp.where(above >= below, xp.ones_like(x), -1.0)
        room = xp.maximum(above, below)
        central = min(offsets) < 0 < max(offsets)
        own = 1.0 if min(offsets) > 0 else -1.0  # the side of one-sided methods
        here = xp.minimum(above, below) if central else above if own > 0 else below
        reach = max(map(abs, offsets))
        inside = here >= reach * step
        needed = len(offsets) if central else reach
        shrunk = 2.0 ** xp.floor(xp.log2(room / needed))
        shrunk = xp.where(room < needed * step, shrunk, step)
        step = xp.where(inside, step, shrunk)
        if central:
            return step, xp.where(inside, 0.0, roomier)
        return step * xp.where(inside, 1.0, roomier * own), None
