"""The method "central" with an estimate: doubt what a few values close to x deny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import Array, is_lazy, is_on_host, quiet
from xgrad._differences.closeness import (
    CONTRADICTION,
    CloseDifference,
    CloseLine,
    close_distance,
)
from xgrad._differences.passes import Passes
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result, Status
from xgrad._evaluation import Columns, Points


@dataclass(frozen=True, eq=False)
class Doubt:
    """One leaf, with what is needed to compare its derivative with values close to x.

    Arrays that the host cannot read without a wait are left as they are.
    """

    passes: Passes
    leaf: int
    base: Array
    eps: float
    readout: Readout
    columns: Callable[[Any, Array], Columns]

    def judge(self, points: Points, result: Result) -> Result:
        """Leave components open that contradict the slopes close to x.

        ``points`` are those of the result. Two values along one line tell whether any
        component does; only then are all of them compared.
        """
        passes, eps = self.passes, self.eps
        xp, x = passes.xp, passes.function.leaves[self.leaf]
        if is_lazy(xp, x) or not is_on_host(xp, x) or not points.total:
            return result
        placement = passes.placements[self.leaf]
        line = placement.close_line(eps)
        values = passes.column_values(passes.function, self.leaf, self.base, line)
        with quiet():
            close = CloseLine(
                xp, self.readout, line, values, (1,), close_distance(eps), eps
            )
            if not bool(xp.any(close.contradicts(points, result))):
                return result
        close_points = placement.close_points(eps).divided(self.columns(xp, x))
        other = passes.one_pass(
            passes.function,
            self.leaf,
            self.base,
            CloseDifference(),
            close_points,
            self.readout,
            True,
        )
        with quiet():
            return self._with_doubts(result, other)

    def _with_doubts(self, result: Result, other: Result) -> Result:
        """Mark what differs from other slopes; widen its bound to reach them."""
        xp = self.passes.xp
        gap = xp.abs(result.value - other.value)
        wrong = gap > CONTRADICTION * (result.error + other.error)
        wrong = wrong & (result.status == int(Status.OK))
        status = xp.where(wrong, int(Status.UNRESOLVED), result.status)
        return replace(
            result,
            error=xp.where(wrong, gap + other.error, result.error),
            status=xp.astype(status, result.status.dtype),
        )
