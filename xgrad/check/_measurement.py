"""The slopes that a check measures: along random directions, and along entries."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xgrad._arrays import Array
from xgrad.check._conclusion import JudgedSlopes
from xgrad.check._directions import keep_range
from xgrad.check._options import CheckOptions
from xgrad.check._rows import RowSearch
from xgrad.check._slopes import CheckedFunction, Slopes
from xgrad.check._verdict import (
    Outcome,
    Tolerances,
    Verdicts,
    default_rtol,
    judge_directions,
    judge_entries,
)

# By default up to this many entries are measured one by one: 26 evaluations each, or
# 6,656 in all, take a fraction of a second for most functions.
MOST_ENTRIES = 256
# In half precision (eps 1e-3 and above; float32 has 1e-7) slopes along single entries
# are too uncertain to decide anything.
COARSE = 1e-4
# Bisection follows the two worst parts of an array, so that it finds a second wrong
# entry, and the first one even if errors cancel in its half. Each further part would
# cost two more slopes, 52 evaluations, for each halving.
FOLLOWED = 2


@dataclass(frozen=True, eq=False)
class Measurement:
    """Measures slopes of a function and judges the analytic ones.

    ``live`` are the numbers of the arrays that have entries. ``analytic_eps`` is the
    precision of the analytic gradient. ``search`` finds the wrong one among outputs
    that the function adds up.
    """

    function: CheckedFunction
    options: CheckOptions
    live: Sequence[int]
    analytic_eps: float
    search: RowSearch | None = None

    @functools.cached_property
    def tolerances(self) -> Tolerances:
        """Values that the verdict on slopes depends on."""
        function, rtol = self.function, self.options.rtol
        if rtol is None:
            rtol = default_rtol(function.eps, self.analytic_eps)
        return Tolerances(rtol, function.eps, function.rounding, self.analytic_eps)

    @property
    def complete(self) -> bool:
        """Whether all entries are measured."""
        if self.options.full != "auto":
            return bool(self.options.full)
        size = sum(math.prod(x.shape) for x in self.function.leaves)
        return size <= MOST_ENTRIES and self.function.eps < COARSE

    def along_directions(self) -> list[JudgedSlopes]:
        """Measure and judge slopes along random directions, array by array."""
        count = self._directions_each
        slopes = self.function.slopes_along(
            (leaf, self._direction(leaf, number))
            for leaf in self.live
            for number in range(count)
        )
        groups = []
        rows = count * self.function.outputs
        for i, leaf in enumerate(self.live):
            own = slopes.select(slice(i * rows, (i + 1) * rows))
            verdicts = judge_directions(own, self.tolerances, self._unseen(leaf))
            groups.append(self._judged(leaf, own, verdicts, np.arange(count)))
        return groups

    def along_entries(self, along: Sequence[JudgedSlopes]) -> list[JudgedSlopes]:
        """Measure and judge slopes along all entries, if the check is complete.

        Else they are the worst entries of each array whose directions differ.
        """
        if self.complete:
            return [self._entries(leaf, None) for leaf in self.live]
        groups = []
        for group in along:
            if group.verdicts.any(Outcome.DIFFERS):
                positions = self._bisect(group)
                if self.search is None:
                    groups.append(self._entries(group.leaf, positions))
                else:
                    groups += [self._in_rows(group, int(i)) for i in positions]
        return groups

    def directions(self, leaf: int) -> list[Array]:
        """Return the random directions of an array."""
        return [self._direction(leaf, i) for i in range(self._directions_each)]

    def _unseen(self, leaf: int) -> int:
        """Number of entries of an array that no slope of their own will show."""
        # Half precision is too coarse to tell single entries at all.
        is_whole = self.complete or self.function.eps >= COARSE
        entries = math.prod(self.function.leaves[leaf].shape) * self.function.summed
        return 1 if is_whole else entries

    @property
    def _directions_each(self) -> int:
        """Directions for each array: its share, but at least one of each kind."""
        wanted = self.options.directions
        return max(min(2, wanted), math.ceil(wanted / len(self.live)))

    def _direction(self, leaf: int, number: int) -> Array:
        """Draw a direction; every second one lifts the small entries of the array."""
        seed = (self.options.seed, leaf, number)
        return self.function.direction(leaf, seed, lifted=number % 2 == 1)

    def _entries(self, leaf: int, positions: np.ndarray | None) -> JudgedSlopes:
        outputs = self.function.outputs
        slopes = self.function.slopes_of_entries(leaf, positions)
        if positions is None:
            positions = np.arange(len(slopes.analytic) // outputs)
        verdicts = judge_entries(slopes, self.tolerances, outputs)
        return self._judged(leaf, slopes, verdicts, positions)

    def _in_rows(self, group: JudgedSlopes, position: int) -> JudgedSlopes:
        """Measure one entry in single outputs, the worst of a sum among them."""
        assert self.search is not None
        leaf, sum_number = group.leaf, int(group.outputs[int(np.argmax(group.excess))])
        function, outputs = self.search.find(leaf, position, sum_number)
        function = function.with_measured_noise(self.options.seed)
        slopes = function.slopes_of_entries(leaf, np.array([position]))
        outputs, first = np.unique(outputs, return_index=True)
        slopes = slopes.select(first)
        verdicts = judge_entries(slopes, self.tolerances, len(outputs))
        positions = np.full(len(outputs), position)
        return JudgedSlopes(leaf, slopes, verdicts, positions, outputs)

    def _judged(
        self, leaf: int, slopes: Slopes, verdicts: Verdicts, columns: np.ndarray
    ) -> JudgedSlopes:
        """Name judged slopes by the numbers of their columns, and by their outputs."""
        outputs = self.function.outputs
        numbers = np.tile(np.arange(outputs), len(columns))
        positions = np.repeat(columns, outputs)
        return JudgedSlopes(leaf, slopes, verdicts, positions, numbers)

    def _bisect(self, group: JudgedSlopes) -> np.ndarray:
        """Find the worst entries of an array: return their positions in C order.

        The direction that differs most is cut in halves, and the halves that differ
        most are cut again, until each holds one entry.
        """
        leaf, xp, outputs = group.leaf, self.function.xp, self.function.outputs
        worst = int(np.argmax(group.excess))
        direction = self._direction(leaf, int(group.positions[worst]))
        ranges = [(0, math.prod(self.function.leaves[leaf].shape))]
        while any(stop - start > 1 for start, stop in ranges):
            halves = [half for bounds in ranges for half in _halves(*bounds)]
            slopes = self.function.slopes_along(
                (leaf, keep_range(xp, direction, *half)) for half in halves
            )
            difference = np.abs(slopes.analytic - slopes.measured)
            difference = difference[group.outputs[worst] :: outputs]
            # Slopes that are not numbers are the worst.
            difference = np.nan_to_num(difference, nan=math.inf)
            order = np.argsort(-difference, kind="stable")
            ranges = [halves[i] for i in order[:FOLLOWED]]
        return np.array(sorted(start for start, _ in ranges))


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    """Cut a range in two; one of length 1 stays whole."""
    middle = (start + stop) // 2
    halves = [(start, middle), (middle, stop)]
    return [(first, last) for first, last in halves if last > first]
