"""One derivative of one array: plan the points, evaluate, read, combine."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._array import (
    Array,
    Check,
    as_complex,
    as_float,
    cast,
    common_namespace,
    default_dtype,
    enforce,
    float_info,
    from_host,
    integer,
    is_floating,
    is_lazy,
    one_of,
    quiet,
)
from xgrad._backends import to_numpy
from xgrad._evaluate import Execution, Function, Runner
from xgrad._noise import noise_level, noise_offsets
from xgrad._points import Points, floored_size, joined, own_size, random_direction
from xgrad._readout import Readout
from xgrad._schemes import (
    ComplexStep,
    Ladder,
    Parts,
    Samples,
    Status,
    Weighted,
    choose,
    join,
    same,
)
from xgrad._stencil import (
    ACCURACIES,
    NOISE_REACH,
    ORDERS,
    Method,
    noise_spacings,
    rungs,
    stencil,
)
from xgrad._tree import leaves, rebuild

Scheme = Weighted | Ladder | ComplexStep
METHODS = ("central", "forward", "backward", "complex", "ladder", "auto")
# Checks the complex step by a real one.
CHECKING = Weighted(stencil("central", 4))
# What is left of the room to a bound, so that no rounding steps over it.
ROOM = 1 - 2.0**-20


@dataclass(frozen=True, eq=False)
class Estimate:
    """How right a derivative is, component by component.

    Attributes
    ----------
    error : array
        A bound of the absolute error: at least 95 of 100 true errors lie under it,
        for "central", "forward" and "backward" of functions that are smooth over the
        steps. Infinite where the value is ``nan`` or nothing is known.
    step : array
        Size of the step that the value comes from.
    status : array of int8
        Codes of `xgrad.Status`.
    evaluations : int
        How often the function was evaluated, points of a batch counted one by one.

    The arrays have the shape of the derivative, and its nesting where ``x`` is nested.
    """

    error: Any
    step: Any
    status: Any
    evaluations: int


@dataclass(frozen=True)
class Plan:
    """What to compute: the method, and in what steps, dtype and bounds.

    ``axis``, ``terms`` and ``sparse`` are those of `gradient`; ``curvature`` means a
    Hessian from a function alone.
    """

    method: Method = "central"
    accuracy: int | None = None
    order: int = 1
    step: Any = None
    dtype: Any = None
    bounds: Any = None
    full_output: bool = False
    axis: int | None = None
    terms: bool = False
    sparse: bool = False
    curvature: bool = False

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)
        one_of("order", self.order, ORDERS)
        one_of("axis", self.axis, (None, -1))
        one_of("terms", self.terms, (True, False))
        if self.accuracy is not None:
            integer("accuracy", self.accuracy, least=1)
        for refused, why in REFUSED:
            if refused(self):
                raise ValueError(why)
        self.scheme(1e-16)

    def scheme(self, eps: float) -> Scheme:
        """How to get a derivative from values, in an arithmetic of precision ``eps``.

        For "auto", the one to begin with.
        """
        if self.method == "ladder":
            return Ladder(rungs(eps))
        if self.method == "complex":
            return ComplexStep()
        method = "central" if self.method == "auto" else self.method
        return Weighted(stencil(method, self.accuracy, self.order))


def _fixed(plan: Plan) -> bool:
    return plan.method in ("ladder", "complex")


# Every combination of options that is refused, and why.
REFUSED: tuple[tuple[Callable[[Plan], bool], str], ...] = (
    (
        lambda plan: plan.curvature and plan.method != "central",
        "a Hessian from `f` alone has method='central' only: give the gradient as "
        "`grad=` for the others",
    ),
    (
        lambda plan: plan.curvature and plan.bounds is not None,
        "a Hessian from `f` alone needs room on both sides of every component: give "
        "the gradient as `grad=`, or leave `bounds` out",
    ),
    (
        lambda plan: plan.curvature and plan.accuracy not in (2, 4),
        "`accuracy` of a Hessian from `f` alone must be one of 2, 4",
    ),
    (
        lambda plan: _fixed(plan) and plan.accuracy is not None,
        "`accuracy` belongs to stencils: method='ladder' and method='complex' are as "
        "accurate as they can be, so leave it out",
    ),
    (
        lambda plan: _fixed(plan) and plan.step is not None,
        "`step` belongs to stencils: method='ladder' tries all steps and "
        "method='complex' takes one that is always small enough, so leave it out",
    ),
    (
        lambda plan: plan.order > 1 and plan.method not in ACCURACIES,
        "derivatives of order 2 and more need method='central', 'forward' or "
        "'backward'",
    ),
    (
        lambda plan: plan.terms and plan.axis is not None,
        "`terms=True` and `axis=-1` exclude each other: the first sums what `f` "
        "returns, the second keeps a number for each row",
    ),
    (
        lambda plan: plan.sparse and not plan.terms,
        "`sparsity` says which terms depend on which variables: it needs `terms=True` "
        "and an `f` that returns the terms of a sum",
    ),
)


# The function and its arrays


def prepare(
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
        dtype = floating_dtype(xp, plan.dtype)
        floats = [as_float(xp, "x", cast(xp, leaf, dtype)) for leaf in floats]
    if plan.method in ("ladder", "auto") and is_lazy(xp, floats[0]):
        raise TypeError(
            f"method={plan.method!r} chooses steps by looking at values, which a lazy "
            "array does not have yet: use method='central', or compute the array first"
        )
    skeleton = rebuild(x, [None] * len(given))
    return Function(f, xp, skeleton, tuple(floats), execution.batched), given


def floating_dtype(xp: Any, dtype: Any) -> Any:
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


def as_array(x: Any) -> Any:
    """A Python number as a 0-d array of NumPy; everything else as it is."""
    if isinstance(x, int | float) and not isinstance(x, bool | np.generic):
        return np.asarray(float(x))
    return x


def beside(xp: Any, option: str, value: Any, name: str, x: Array) -> Array:
    """An option given as a number or in the structure of ``x``, for one of its arrays.

    ``name`` is how the caller would write the array.
    """
    if isinstance(value, bool):
        raise TypeError(f"`{option}` must be a number or an array; got {value!r}")
    if isinstance(value, numbers.Real):
        return from_host(xp, float(value), like=x, dtype=x.dtype)
    found = value
    if getattr(value, "ndim", None) != 0:
        found = dict(leaves(value)).get(name)
    if found is None:
        raise ValueError(
            f"`{option}` has no entry for {name}: give a number, or arrays nested as "
            "x is"
        )
    if isinstance(found, numbers.Real):
        return from_host(xp, float(found), like=x, dtype=x.dtype)
    common_namespace(**{option: found, "x": x})
    if tuple(found.shape) not in ((), tuple(x.shape)):
        raise ValueError(
            f"`{option}` has shape {tuple(found.shape)}, but {name} has shape "
            f"{tuple(x.shape)}: give a number, or one for each entry"
        )
    return cast(xp, as_float(xp, option, found), x.dtype)


# A run


@dataclass(frozen=True)
class _Line:
    """Values of the function at points of a single column, ``(offsets, *shape)``."""

    points: Points
    values: Array


@dataclass(frozen=True)
class Run:
    """A function, what to compute of it, and what evaluates it."""

    function: Function
    names: tuple[str, ...]
    plan: Plan
    runner: Runner

    @property
    def xp(self) -> Any:
        """Namespace of the arrays."""
        return self.function.xp

    def at_base(self) -> Array:
        """``f(x)``."""
        self.runner.meter.expect(1)
        base = self.function.at_base()
        self.runner.meter.add(1)
        return base

    def at(self, moved: Array) -> Array:
        """``f`` at one other point, for a function of a single array."""
        self.runner.meter.expect(1)
        value = self.function.at(moved)
        self.runner.meter.add(1)
        return value

    def eps(self, leaf: int, base: Array) -> float:
        """Precision of the coarser of an array and the result."""
        dtypes = self.function.leaves[leaf].dtype, base.dtype
        return max(float_info(self.xp, dtype).eps for dtype in dtypes)

    def parts(
        self,
        leaf: int,
        base: Array,
        columns: Callable[[Points], Points],
        readout: Callable[[float, Array | None], Readout],
    ) -> Parts:
        """The derivative by the columns of one array, ``(columns, *shape)``.

        ``readout`` gets the precision and the noise of the function.
        """
        eps = self.eps(leaf, base)
        method = self.plan.method
        noise = None
        if method in ("ladder", "auto"):
            line = self._line(leaf, base, eps)
            with quiet():
                noise = noise_level(self.xp, base, line.values, eps)
        read = readout(eps, noise)
        scheme = self.plan.scheme(eps)
        estimate = self.plan.full_output or method == "auto"
        points = columns(self.points(leaf, scheme, eps, estimate))
        if method == "complex":
            return self._complex(leaf, base, scheme, points, read)
        parts = self.passed(self.function, leaf, base, scheme, points, read, estimate)
        if method == "auto":
            parts = self._improved(leaf, base, eps, parts, read, columns, line)
        if not self.plan.full_output:
            return Parts(parts.value)
        return parts

    def passed(
        self,
        function: Function,
        leaf: int,
        base: Array,
        scheme: Scheme,
        points: Points,
        readout: Readout,
        estimate: bool,
    ) -> Parts:
        """All columns once: evaluated, read and combined."""
        xp = self.xp
        self.runner.meter.expect(points.total)
        found = []
        for start, stop, blocks in self.runner.groups(function, leaf, points, base):
            with quiet():
                samples = readout.samples(points, start, stop, blocks)
                found.append(scheme.combine(samples, estimate))
            del samples, blocks  # or they would stay while the next ones are made
        if not found:
            return self._nothing(leaf, base, estimate)
        return join(found, lambda groups: readout.ordered(xp, groups))

    def _nothing(self, leaf: int, base: Array, estimate: bool) -> Parts:
        """Parts of an array without entries."""
        xp = self.xp
        empty = xp.zeros_like(xp.reshape(self.function.leaves[leaf], (0,)))
        empty = xp.broadcast_to(
            xp.reshape(empty, (0, *(1,) * base.ndim)), (0, *base.shape)
        )
        if not estimate:
            return Parts(empty)
        return Parts(empty, empty, empty, xp.astype(empty, xp.int8))

    # Points

    def points(self, leaf: int, scheme: Scheme, eps: float, estimate: bool) -> Points:
        """The points around one array, everything moving."""
        xp, x, name = self.xp, self.function.leaves[leaf], self.names[leaf]
        offsets = scheme.offsets(estimate)
        sides, box = None, None
        with quiet():
            if isinstance(scheme, Weighted):
                step = self._step(leaf, scheme.relative_step(eps))
                if self.plan.bounds is not None:
                    step, sides = self._bounded(leaf, step, offsets)
            else:
                step = own_size(xp, x) * scheme.relative_step(eps)
                if self.plan.bounds is not None:
                    box = self._bounds(leaf)
            if isinstance(scheme, ComplexStep):
                x, step = as_complex(xp, x), self._imaginary(leaf, step)
                box = None
            if step.shape != x.shape:
                step = xp.broadcast_to(step, tuple(x.shape))
        return Points(xp, x, step, offsets, sides=sides, box=box, name=name)

    def largest_move(self, leaf: int, base: Array) -> Array:
        """The largest move of each entry that `parts` makes, in real numbers."""
        x, eps = self.function.leaves[leaf], self.eps(leaf, base)
        scheme = self.plan.scheme(eps)
        if isinstance(scheme, ComplexStep):
            scheme = CHECKING
        points = self.points(leaf, scheme, eps, False)
        widest = max(points.offsets, key=abs)
        return points.position(widest) - x

    def _step(self, leaf: int, relative: float) -> Array:
        xp, x = self.xp, self.function.leaves[leaf]
        step = self.plan.step
        if step is None:
            return floored_size(xp, x) * relative
        if isinstance(step, int | float) and not 0 < abs(step) < math.inf:
            raise ValueError(f"`step` must be finite and not 0; got {step!r}")
        return xp.abs(beside(xp, "step", step, self.names[leaf], x))

    def _imaginary(self, leaf: int, step: Array) -> Array:
        """Steps that neither underflow in ``f`` nor grow beside small components."""
        xp, x = self.xp, self.function.leaves[leaf]
        tiny = float_info(xp, x.dtype).tiny
        room = own_size(xp, x) * 2.0**-20
        step = xp.maximum(step, xp.minimum(room, xp.ones_like(x) * (tiny * 2.0**52)))
        return as_complex(xp, step) * 1j

    # Bounds

    def _bounds(self, leaf: int) -> tuple[Array, Array]:
        xp, x, name = self.xp, self.function.leaves[leaf], self.names[leaf]
        bounds = self.plan.bounds
        if not isinstance(bounds, tuple | list) or len(bounds) != 2:
            raise TypeError(
                "`bounds` must be a pair (low, high) of numbers, arrays like x or "
                f"None; got {bounds!r}"
            )
        sides = (
            (-math.inf if bounds[0] is None else bounds[0]),
            (math.inf if bounds[1] is None else bounds[1]),
        )
        low, high = (beside(xp, "bounds", side, name, x) for side in sides)
        low, high = (xp.broadcast_to(side, tuple(x.shape)) for side in (low, high))
        if not is_lazy(xp, x):
            rule = "lie within `bounds`"
            remedy = "move it inside, or give wider bounds (low, high), low <= high"
            enforce(xp, [Check(name, x, ~((x >= low) & (x <= high)), rule, remedy)])
        return low, high

    def _bounded(
        self, leaf: int, step: Array, offsets: tuple[int, ...]
    ) -> tuple[Array, Array | None]:
        """Steps, and the sides to take, so that no point leaves the bounds.

        A component too close to a bound takes all its points from the other side, at
        the same accuracy; where neither side has room, the step shrinks.
        """
        xp, x = self.xp, self.function.leaves[leaf]
        low, high = self._bounds(leaf)
        above, below = (high - x) * ROOM, (x - low) * ROOM
        reach = max(map(abs, offsets))
        side = xp.where(above >= below, xp.ones_like(x), -1.0)
        room = xp.maximum(above, below)
        if min(offsets) < 0 < max(offsets):
            inside = xp.minimum(above, below) >= reach * step
            points = len(offsets)
        else:
            forward = min(offsets) > 0
            inside = (above if forward else below) >= reach * step
            points = reach
        fits = xp.where(
            room < points * step, 2.0 ** xp.floor(xp.log2(room / points)), step
        )
        step = xp.where(inside, step, fits)
        if points != reach or min(offsets) < 0 < max(offsets):
            return step, xp.where(inside, 0.0, side)
        own = 1.0 if min(offsets) > 0 else -1.0
        return step * xp.where(inside, 1.0, side * own), None

    # Noise

    def _line(self, leaf: int, base: Array, eps: float) -> _Line:
        """Values along one random direction, close to x: for noise and for slopes."""
        xp, x = self.xp, self.function.leaves[leaf]
        with quiet():
            smallest, _ = noise_spacings(eps)
            offsets = noise_offsets(eps)
            step = own_size(xp, x) * smallest
            if self.plan.bounds is not None:
                low, high = self._bounds(leaf)
                room = xp.minimum(high - x, x - low) * ROOM
                step = xp.minimum(step, room / max(offsets))
            step = step * random_direction(xp, x)
        points = Points(xp, x, step, offsets, name=self.names[leaf])
        return _Line(points, self.along(self.function, leaf, base, points))

    def along(
        self, function: Function, leaf: int, base: Array, points: Points
    ) -> Array:
        """Values at the points of a single column, ``(offsets, *shape)``."""
        self.runner.meter.expect(points.total)
        for _, _, blocks in self.runner.groups(function, leaf, points, base):
            return joined(self.xp, blocks)[:, 0, ...]
        return self.xp.stack([base] * len(points.offsets))  # nothing to move

    # The ladder where it is needed

    def _improved(
        self,
        leaf: int,
        base: Array,
        eps: float,
        parts: Parts,
        readout: Readout,
        columns: Callable[[Points], Points],
        line: _Line,
    ) -> Parts:
        """The ladder where errors are too large, else what there was.

        And everywhere, where the parts do not add up to the slope along a line.
        """
        xp = self.xp
        ladder = Ladder(rungs(eps))
        points = columns(self.points(leaf, ladder, eps, True))
        with quiet():
            size = xp.where(xp.isfinite(parts.value), xp.abs(parts.value), 0.0)
            if size.shape[0]:
                size = xp.max(size, axis=0, keepdims=True)
            bad = (parts.error > eps**0.4 * size) | (parts.status != int(Status.OK))
        parts = self._climbed(leaf, base, ladder, points, readout, parts, bad)
        with quiet():
            doubt = self._contradicted(base, eps, parts, points, readout, line)
            doubt = ~bad & doubt
        return self._climbed(leaf, base, ladder, points, readout, parts, doubt)

    def _climbed(
        self,
        leaf: int,
        base: Array,
        ladder: Ladder,
        points: Points,
        readout: Readout,
        parts: Parts,
        bad: Array,
    ) -> Parts:
        """The ladder for the columns that have something bad, where it is."""
        xp = self.xp
        # One look from the host: which columns to do again.
        axes = tuple(range(1, bad.ndim))
        again = np.flatnonzero(to_numpy(xp.any(bad, axis=axes) if axes else bad))
        if not len(again):
            return parts
        whole = points.colored or not points.columns or len(again) == points.count
        if not whole:
            points = points.only(again)
        better = self.passed(self.function, leaf, base, ladder, points, readout, True)
        if not whole:
            place = np.zeros(bad.shape[0], dtype=np.int64)
            place[again] = np.arange(len(again))
            index = from_host(xp, place, like=base)
            better = better.map(lambda part: xp.take(part, index, axis=0))
        return choose(xp, bad, better, parts)

    def _contradicted(
        self,
        base: Array,
        eps: float,
        parts: Parts,
        points: Points,
        readout: Readout,
        line: _Line,
    ) -> Array:
        """Where the slope along the line, close to x, is not what the parts add up to.

        Steps longer than the waves of ``f`` may agree with each other by chance.
        """
        xp = self.xp
        reach = max(line.points.offsets) // NOISE_REACH
        values = {
            offset: line.values[line.points.offsets.index(offset), ...]
            for offset in (reach, -reach, 2 * reach, -2 * reach)
        }
        near = readout.gathered(xp, values[reach] - values[-reach]) / 2
        far = readout.gathered(xp, values[2 * reach] - values[-2 * reach]) / 4
        rounding = eps * xp.abs(values[reach])
        if readout.noise is not None:
            rounding = xp.maximum(rounding, 2 * readout.noise)
        found, change = (4 * near - far) / 3, xp.abs(near - far) / 3
        ray = readout.aligned(points, line.points.step * float(reach))
        expected = readout.gathered_columns(xp, parts.value * ray)
        allowed = readout.gathered_columns(xp, parts.error * xp.abs(ray))
        allowed = allowed + change + 3 * readout.gathered(xp, rounding)
        return xp.abs(found - expected) > 2 * allowed

    # The complex step

    def _complex(
        self, leaf: int, base: Array, scheme: Scheme, points: Points, readout: Readout
    ) -> Parts:
        function = self.function.complex()
        parts = self.passed(
            function, leaf, base, scheme, points, readout, self.plan.full_output
        )
        if not is_lazy(self.xp, self.function.leaves[leaf]):
            self._prove_analytic(leaf, base, points, readout, parts)
        return parts

    def _ray(self, leaf: int) -> tuple[Array, Array | float]:
        """A random direction along which a step of 1 stays within the bounds.

        And by how much it had to be shortened for that.
        """
        xp, x = self.xp, self.function.leaves[leaf]
        with quiet():
            ray = random_direction(xp, x) * floored_size(xp, x)
            if self.plan.bounds is None or not math.prod(x.shape):
                return ray, 1.0
            low, high = self._bounds(leaf)
            room = xp.min(xp.minimum(high - x, x - low) / xp.abs(ray)) * ROOM
            length = xp.minimum(room, xp.ones_like(room))
            return ray * length, length

    def _prove_analytic(
        self, leaf: int, base: Array, points: Points, readout: Readout, parts: Parts
    ) -> None:
        """Compare with real differences along one ray; refuse if both methods say no.

        A complex conjugate, a real part taken inside ``f`` and the like would pass
        silently otherwise.
        """
        xp, x = self.xp, self.function.leaves[leaf]
        ray, length = self._ray(leaf)
        with quiet():
            expected = xp.sum(parts.value * readout.aligned(points, ray))
        eps = self.eps(leaf, base)
        for scheme in (CHECKING, Ladder(rungs(eps))):
            step = scheme.relative_step(eps)
            line = Points(xp, x, ray * step, scheme.offsets(True), name=points.name)
            values = self.along(self.function, leaf, base, line)
            with quiet():
                moved = [offset * step for offset in line.offsets]
                places = from_host(xp, moved, like=base, dtype=base.dtype)
                places = xp.reshape(places, (-1, 1, *(1,) * base.ndim))
                samples = Samples(
                    xp=xp,
                    offsets=line.offsets,
                    base=base,
                    blocks=[values[:, None, ...]],
                    origin=0.0,
                    places=[places],
                    eps=eps,
                    read=same,
                    spread=same,
                    size=xp.abs,
                )
                found = scheme.combine(samples, True)
                allowed = 10 * xp.sum(found.error) + eps**0.5 * xp.abs(expected)
                wrong = xp.abs(xp.sum(found.value) - expected) > allowed
                # Between close bounds the moves are rounded too much to tell.
                wrong = wrong & (length >= 4 * eps**0.5 / step)
            if not bool(wrong):
                return
        raise ValueError(
            "with method='complex' `f` must be analytic, but its real and imaginary "
            "steps disagree: it takes a conjugate, a real part or an absolute value "
            "somewhere; use method='central' or 'ladder'"
        )

    # Results

    def estimate(self, like: Any, parts: list[Parts]) -> Estimate:
        """What is known about the results, nested as ``like``."""
        error, step, status = (
            rebuild(like, [vars(part)[name] for part in parts])
            for name in ("error", "step", "status")
        )
        return Estimate(error, step, status, self.runner.meter.done)

    def finish(self, given: Array, parts: Parts, shape: tuple[int, ...]) -> Parts:
        """Parts with the columns as last axis, in the final shape and dtype.

        Steps and bounds of half precision stay in single: they may be too small.
        """
        xp = self.xp
        dtype = result_dtype(xp, given, self.plan.dtype)
        eps = float_info(xp, dtype).eps
        if parts.error is not None and eps > float_info(xp, parts.value.dtype).eps:
            with quiet():  # rounding the value to its dtype is an error, too
                rounded = parts.error + eps / 2 * xp.abs(parts.value)
            parts = replace(parts, error=rounded)
        wide = dtype if eps <= float_info(xp, xp.float32).eps else xp.float32
        dtypes = {"value": dtype, "error": wide, "step": wide, "status": xp.int8}

        def finished(name: str, part: Array) -> Array:
            if part.ndim > 1:
                part = xp.moveaxis(part, 0, -1)
            return cast(xp, xp.reshape(part, shape), dtypes[name])

        with quiet():
            return Parts(
                **{name: finished(name, part) for name, part in parts.fields.items()}
            )


def result_dtype(xp: Any, given: Array, asked: Any) -> Any:
    """The dtype asked for, or that of what was given, or the default float."""
    if asked is not None:
        return floating_dtype(xp, asked)
    if is_floating(xp, given):
        return given.dtype
    return default_dtype(xp, "real floating", given)
