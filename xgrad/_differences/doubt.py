"""The methods of one step with an estimate: doubt what other steps deny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_lazy, is_on_host, quiet
from xgrad._differences.closeness import (
    ACROSS,
    ASIDE,
    CONTRADICTION,
    CloseDifference,
    CloseLine,
    close_distance,
)
from xgrad._differences.ladder import Ladder
from xgrad._differences.passes import Combining, Passes
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result, Status
from xgrad._differences.stencil import few_rungs
from xgrad._evaluation import Columns, Points

# The part of their step at which one-sided derivatives of higher orders are compared.
# Set by trial: noise grows by powers of its inverse, and hides more at 1/300 of the
# step; 1/4 sees little that the step itself does not.
FINER = 2.0**-5


@dataclass(frozen=True, eq=False)
class Doubt:
    """One leaf, with what is needed to compare its derivative with other steps.

    Arrays that the host cannot read without a wait are left as they are.
    """

    passes: Passes
    leaf: int
    base: Array
    eps: float
    readout: Readout
    columns: Callable[[Any, Array], Columns]

    def judge(self, points: Points, result: Result) -> Result:
        """Leave components open that contradict other steps.

        ``points`` are those of the result.
        """
        x = self.passes.function.leaves[self.leaf]
        if not points.total or not may_doubt(self.passes.xp, x):
            return result
        if self.passes.plan.order == 1:
            others = [self._slopes(points, result)]
        else:
            is_central = _sides(points) is None
            others = [
                self._by_own_size(),
                self._climbed() if is_central else self._by_small_steps(points),
            ]
        with quiet():
            for other in others:
                if other is not None:
                    result = doubted(self.passes.xp, result, other)
        return result

    def _slopes(self, points: Points, result: Result) -> Result | None:
        """Return slopes close to x, if two values along one line differ from them."""
        passes, eps = self.passes, self.eps
        placement = passes.placements[self.leaf]
        sides = _sides(points)
        stencil = ACROSS if sides is None else ASIDE
        line = placement.close_line(eps, stencil.moved_offsets, sides)
        values = passes.column_values(passes.function, self.leaf, self.base, line)
        with quiet():
            close = CloseLine(
                passes.xp,
                self.readout,
                line,
                self.base,
                values,
                (1,),
                close_distance(eps),
                eps,
                stencil,
            )
            if not bool(passes.xp.any(close.contradicts(points, result))):
                return None
        columns = self.columns(passes.xp, placement.x)
        scheme = CloseDifference(stencil)
        offsets = scheme.offsets(True)
        return self._one_pass(
            scheme, placement.close_points(eps, columns, offsets, sides)
        )

    def _climbed(self) -> Result:
        """Return derivatives of a higher order by a few rungs, which tell of corners.

        Rounding hides them from steps that are small.
        """
        ladder = Ladder(few_rungs(self.eps), int(self.passes.plan.order))
        placement = self.passes.placements[self.leaf]
        columns = self.columns(self.passes.xp, placement.x)
        points = placement.points(ladder, self.eps, True, columns)
        return self._one_pass(ladder, points)

    def _by_own_size(self) -> Result | None:
        """Return derivatives by steps in proportion to components that are small."""
        scheme = self.passes.plan.scheme(self.eps)
        placement = self.passes.placements[self.leaf]
        columns = self.columns(self.passes.xp, placement.x)
        points = placement.own_points(scheme, self.eps, columns)
        return None if points is None else self._one_pass(scheme, points)

    def _by_small_steps(self, points: Points) -> Result:
        """Return derivatives by the same points at a part of their steps."""
        with quiet():
            points = replace(points, step=points.step * FINER)
        return self._one_pass(self.passes.plan.scheme(self.eps), points)

    def _one_pass(self, scheme: Combining, points: Points) -> Result:
        return self.passes.one_pass(
            self.passes.function,
            self.leaf,
            self.base,
            scheme,
            points,
            self.readout,
            True,
        )


def may_doubt(xp: Any, x: Array) -> bool:
    """Whether the host can read values of an array without a wait."""
    return not is_lazy(xp, x) and is_on_host(xp, x)


def doubted(xp: Any, result: Result, other: Result) -> Result:
    """Mark what differs from another result; widen its bound to reach that."""
    gap = xp.abs(result.value - other.value)
    wrong = gap > CONTRADICTION * (result.error + other.error)
    kink = other.status == int(Status.KINK)
    is_ok = result.status == int(Status.OK)
    status = xp.where(wrong & is_ok, int(Status.UNRESOLVED), result.status)
    status = xp.where(kink & is_ok, int(Status.KINK), status)
    error = xp.maximum(result.error, gap + other.error)
    return replace(
        result,
        error=xp.where((wrong | kink) & is_ok, error, result.error),
        status=xp.astype(status, result.status.dtype),
    )


def _sides(points: Points) -> Array | None:
    """Return the sides, 1 or -1, that entries move to; None if to both."""
    low, high = min(points.offsets), max(points.offsets)
    if low < 0 < high:
        return None
    return points.xp.sign(points.step) * float(np.sign(low + high))
