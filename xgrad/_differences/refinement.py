"""The method "auto": repeat with the ladder what one step has not resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import Array, from_host, quiet, to_numpy
from xgrad._differences.closeness import CloseLine
from xgrad._differences.ladder import Ladder
from xgrad._differences.passes import Passes
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result, Status, where_results
from xgrad._differences.stencil import NOISE_REACH, noise_spacings, rungs_for
from xgrad._evaluation import Columns, Points


# Largest error bound, a part of the largest component. At the default accuracy the step
# is eps**(1/(4 + order)) and the bound, the error of accuracy 2, is h**2 / 6 of the
# derivative two orders higher: a sixth of this for functions that change on the scale
# of their steps. A larger power lets fewer errors pass but takes the ladder, six times
# the evaluations, for functions that are smooth enough; a smaller one lets errors pass,
# above all of components that are small beside others.
def largest_error(eps: float, order: int) -> float:
    """Return the bound, as a part of the largest component, above which it is bad."""
    return eps ** (2 / (4 + order))


# Components that are small beside the largest count by the geometric mean of both
# sizes: a small one need not be as exact, but its bound has to be one. Not so where the
# bound is one of rounding, 3 roundings of `f` times 1.5 over the step, twice which is
# about 10: the ladder finds none that is better.
ROUNDINGS = 10


@dataclass(frozen=True, eq=False)
class Refinement:
    """One leaf, with what is needed to take its derivative again by the ladder.

    ``line`` are the points of the noise, close to x, and ``line_values`` the values
    there, ``(offsets, *f(x).shape)``.
    """

    passes: Passes
    leaf: int
    base: Array
    eps: float
    readout: Readout
    columns: Callable[[Any, Array], Columns]
    line: Points
    line_values: Array

    def refine(self, result: Result) -> Result:
        """Take the columns again whose bound is too large or whose status is not OK.

        Then also take those that contradict the slope along the line.
        """
        xp = self.passes.xp
        order = int(self.passes.plan.order)
        ladder = Ladder(rungs_for(self.eps), order)
        placement = self.passes.placements[self.leaf]
        with quiet():
            columns = self.columns(xp, placement.x)
            points = placement.points(ladder, self.eps, True, columns)
            size = xp.where(xp.isfinite(result.value), xp.abs(result.value), 0.0)
            share = largest_error(self.eps, order)
            bad = xp.zeros_like(size, dtype=xp.bool)
            if size.shape[0]:
                largest = xp.max(size, axis=0, keepdims=True)
                bad = result.error > share * largest
                # Roots first: their product overflows nowhere.
                size = xp.sqrt(size) * xp.sqrt(largest)
                scale = self.readout.sum_outputs(xp, xp.abs(self.base))
                rounding = ROUNDINGS * self.eps * scale / result.step**order
                bad = bad | (result.error > xp.maximum(share * size, rounding))
            bad = bad | (result.status != int(Status.OK))
        result = self.refine_columns(ladder, points, result, bad)
        if order > 1:
            return result
        with quiet():
            doubtful = ~bad & self.disagrees_along_line(points, result)
        return self.refine_columns(ladder, points, result, doubtful)

    def refine_columns(
        self, ladder: Ladder, points: Points, result: Result, bad: Array
    ) -> Result:
        """Take the columns again that have a bad component, and replace these."""
        xp = self.passes.xp
        # One look from the host: which columns to do again.
        axes = tuple(range(1, bad.ndim))
        again = np.flatnonzero(to_numpy(xp.any(bad, axis=axes) if axes else bad))
        if not len(again):
            return result
        is_all = points.colored or not points.columns or len(again) == points.count
        if not is_all:
            points = points.at_labels(again)
        self.passes.took_ladder = True
        better = self.passes.one_pass(
            self.passes.function,
            self.leaf,
            self.base,
            ladder,
            points,
            self.readout,
            True,
        )
        if not is_all:
            position = np.zeros(bad.shape[0], dtype=np.int64)
            position[again] = np.arange(len(again))
            index = from_host(xp, position, like=self.base)
            better = better.map(lambda array: xp.take(array, index, axis=0))
        return where_results(xp, bad, better, result)

    def disagrees_along_line(self, points: Points, result: Result) -> Array:
        """Return a mask of results that contradict a difference taken close to x.

        Steps longer than the waves of ``f`` may agree with each other by chance.
        """
        smallest, spacings = noise_spacings(self.eps)
        reaches = tuple(NOISE_REACH * spacing for spacing in spacings)
        line = CloseLine(
            self.passes.xp,
            self.readout,
            self.line,
            self.base,
            self.line_values,
            reaches,
            smallest * reaches[0],
            self.eps,
        )
        return line.contradicts(points, result)
