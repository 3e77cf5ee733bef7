"""One derivative of one array: plan the points, evaluate, read, combine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    cast,
    float_info,
    from_host,
    is_lazy,
    quiet,
    rebuild,
    result_dtype,
    to_numpy,
)
from xgrad._differences.ladder import Ladder
from xgrad._differences.noise import noise_level
from xgrad._differences.placement import REAL_SCHEME, Placement
from xgrad._differences.plan import Plan, Scheme
from xgrad._differences.readout import Readout
from xgrad._differences.result import (
    Estimate,
    Result,
    Status,
    concat_results,
    where_results,
)
from xgrad._differences.scheme import Samples, identity
from xgrad._differences.stencil import NOISE_REACH, rungs_for
from xgrad._evaluation import Function, Points, Runner, chosen, joined


@dataclass(frozen=True)
class _Line:
    """Values of the function at points of a single column, ``(offsets, *shape)``."""

    points: Points
    values: Array


@dataclass(frozen=True)
class Problem:
    """A function, what to compute of it, and what evaluates it."""

    function: Function
    names: tuple[str, ...]
    plan: Plan
    runner: Runner

    @property
    def xp(self) -> Any:
        """Namespace of the arrays."""
        return self.function.xp

    @functools.cached_property
    def placements(self) -> tuple[Placement, ...]:
        """Where the points around each array lie."""
        pairs = zip(self.function.leaves, self.names, strict=True)
        return tuple(Placement(self.xp, x, name, self.plan) for x, name in pairs)

    def at_base(self) -> Array:
        """``f(x)``."""
        self.runner.meter.expect(1)
        base = self.function.at_base()
        if self.runner.kept is not None:
            base = self.runner.kept.base(self.xp, base)
        self.runner.meter.add(1)
        return base

    def take_value(self, value: Any) -> Array:
        """``f(x)``, where the function has given it already."""
        self.runner.meter.once()
        return self.function.taken(value)

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

    def differentiate(
        self,
        leaf: int,
        base: Array,
        columns: Callable[[Points], Points],
        readout: Callable[[float, Array | None], Readout],
    ) -> Result:
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
        points = columns(self.placements[leaf].points(scheme, eps, estimate))
        if method == "complex":
            return self._complex(leaf, base, scheme, points, read)
        parts = self.one_pass(self.function, leaf, base, scheme, points, read, estimate)
        if method == "auto":
            parts = self.refine(leaf, base, eps, parts, read, columns, line)
        if not self.plan.full_output:
            return Result(parts.value)
        return parts

    def one_pass(
        self,
        function: Function,
        leaf: int,
        base: Array,
        scheme: Scheme,
        points: Points,
        readout: Readout,
        estimate: bool,
    ) -> Result:
        """All columns once: evaluated, read and combined."""
        xp = self.xp
        function = self.choose_way(function, leaf, points, base)
        self.runner.meter.expect(points.total)
        found = []
        with closing(self.runner.groups(function, leaf, points, base)) as groups:
            for start, stop, blocks in groups:
                with quiet():
                    samples = readout.samples(
                        points, start, stop, blocks, function.relative
                    )
                    found.append(scheme.combine(samples, estimate))
                del samples, blocks  # or they would stay while the next ones are made
        if not found:
            return self._nothing(leaf, base, estimate)
        return concat_results(found, lambda groups: readout.ordered(xp, groups))

    def choose_way(
        self, function: Function, leaf: int, points: Points, base: Array
    ) -> Function:
        """The function with the way to call it."""

        def find() -> Function:
            return chosen(self.runner, function, leaf, points, base)

        kept = self.runner.kept
        return find() if kept is None else kept.way(function, base, find)

    def _nothing(self, leaf: int, base: Array, estimate: bool) -> Result:
        """Parts of an array without entries."""
        xp = self.xp
        empty = xp.zeros_like(xp.reshape(self.function.leaves[leaf], (0,)))
        empty = xp.broadcast_to(
            xp.reshape(empty, (0, *(1,) * base.ndim)), (0, *base.shape)
        )
        if not estimate:
            return Result(empty)
        return Result(empty, empty, empty, xp.astype(empty, xp.int8))

    def _line(self, leaf: int, base: Array, eps: float) -> _Line:
        """Values along a line close to x: for noise and for slopes."""
        points = self.placements[leaf].noise_line(eps)
        return _Line(points, self.column_values(self.function, leaf, base, points))

    def column_values(
        self, function: Function, leaf: int, base: Array, points: Points
    ) -> Array:
        """Values at the points of a single column, ``(offsets, *shape)``."""
        function = self.choose_way(function, leaf, points, base)
        self.runner.meter.expect(points.total)
        with closing(self.runner.groups(function, leaf, points, base)) as groups:
            for _, _, blocks in groups:
                values = joined(self.xp, blocks)[:, 0, ...]
                return base + values if function.relative else values
        return self.xp.stack([base] * len(points.offsets))  # nothing to move

    # The ladder where it is needed

    def refine(
        self,
        leaf: int,
        base: Array,
        eps: float,
        parts: Result,
        readout: Readout,
        columns: Callable[[Points], Points],
        line: _Line,
    ) -> Result:
        """The ladder where errors are too large, else what there was.

        And everywhere, where the parts do not add up to the slope along a line.
        """
        xp = self.xp
        ladder = Ladder(rungs_for(eps))
        points = columns(self.placements[leaf].points(ladder, eps, True))
        with quiet():
            size = xp.where(xp.isfinite(parts.value), xp.abs(parts.value), 0.0)
            if size.shape[0]:
                size = xp.max(size, axis=0, keepdims=True)
            bad = (parts.error > eps**0.4 * size) | (parts.status != int(Status.OK))
        parts = self.refine_columns(leaf, base, ladder, points, readout, parts, bad)
        with quiet():
            doubt = self.disagrees_along_line(base, eps, parts, points, readout, line)
            doubt = ~bad & doubt
        return self.refine_columns(leaf, base, ladder, points, readout, parts, doubt)

    def refine_columns(
        self,
        leaf: int,
        base: Array,
        ladder: Ladder,
        points: Points,
        readout: Readout,
        parts: Result,
        bad: Array,
    ) -> Result:
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
        better = self.one_pass(self.function, leaf, base, ladder, points, readout, True)
        if not whole:
            place = np.zeros(bad.shape[0], dtype=np.int64)
            place[again] = np.arange(len(again))
            index = from_host(xp, place, like=base)
            better = better.map(lambda part: xp.take(part, index, axis=0))
        return where_results(xp, bad, better, parts)

    def disagrees_along_line(
        self,
        base: Array,
        eps: float,
        parts: Result,
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
    ) -> Result:
        function = self.function.complex()
        parts = self.one_pass(
            function, leaf, base, scheme, points, readout, self.plan.full_output
        )
        if not is_lazy(self.xp, self.function.leaves[leaf]):
            self.require_analytic(leaf, base, points, readout, parts)
        return parts

    def require_analytic(
        self, leaf: int, base: Array, points: Points, readout: Readout, parts: Result
    ) -> None:
        """Compare with real differences along one ray; refuse if both methods say no.

        A complex conjugate, a real part taken inside ``f`` and the like would pass
        silently otherwise.
        """
        xp, x = self.xp, self.function.leaves[leaf]
        ray, length = self.placements[leaf].check_direction()
        with quiet():
            expected = xp.sum(parts.value * readout.aligned(points, ray))
        eps = self.eps(leaf, base)
        # Between close bounds the moves are rounded too much to tell.
        telling = length >= 4 * eps**0.5 / REAL_SCHEME.relative_step(eps)
        for scheme in (REAL_SCHEME, Ladder(rungs_for(eps))):
            step = scheme.relative_step(eps)
            line = Points(xp, x, ray * step, scheme.offsets(True), name=points.name)
            values = self.column_values(self.function, leaf, base, line)
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
                    read=identity,
                    spread=identity,
                    size=xp.abs,
                )
                found = scheme.combine(samples, True)
                allowed = 10 * xp.sum(found.error) + eps**0.5 * xp.abs(expected)
                wrong = xp.abs(xp.sum(found.value) - expected) > allowed
                wrong = wrong & telling
            if not bool(wrong):
                return
        raise ValueError(
            "with method='complex' `f` must be analytic, but its real and imaginary "
            "steps disagree: it takes a conjugate, a real part or an absolute value "
            "somewhere; use method='central' or 'ladder'"
        )

    # Results

    def estimate(self, like: Any, parts: list[Result]) -> Estimate:
        """What is known about the results, nested as ``like``."""
        error, step, status = (
            rebuild(like, [vars(part)[name] for part in parts])
            for name in ("error", "step", "status")
        )
        return Estimate(error, step, status, self.runner.meter.done)

    def finish(self, given: Array, parts: Result, shape: tuple[int, ...]) -> Result:
        """Parts with the columns as last axis, in the final shape and dtype.

        Steps and bounds of half precision stay in single: they may be too small.
        """
        xp = self.xp
        dtype = result_dtype(xp, given, self.plan.dtype)

        def finished(part: Array, dtype: Any) -> Array:
            if part.ndim > 1:
                part = xp.moveaxis(part, 0, -1)
            return cast(xp, xp.reshape(part, shape), dtype)

        with quiet():
            value = finished(parts.value, dtype)
            if parts.error is None:
                return Result(value)
            error, eps = parts.error, float_info(xp, dtype).eps
            if eps > float_info(xp, parts.value.dtype).eps:
                # Rounding the value to its dtype is an error, too.
                error = error + eps / 2 * xp.abs(parts.value)
            wide = dtype if eps <= float_info(xp, xp.float32).eps else xp.float32
            return Result(
                value,
                finished(error, wide),
                finished(parts.step, wide),
                finished(parts.status, xp.int8),
            )
