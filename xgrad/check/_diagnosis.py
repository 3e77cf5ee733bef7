"""The usual mistakes, and what keeps a check from telling, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xgrad._arrays import Array, cast, to_numpy
from xgrad._differences import Status
from xgrad.check._report import written
from xgrad.check._slopes import Readings, Subject
from xgrad.check._verdict import BLUNT, Judged, Outcome, Scales, judge_directions

# What explains the differences leaves so little of them.
FIT = 0.02
# A factor is near a number that has a meaning.
NEAR = 1e-3
# A factor up to COUNTED is an integer, though no size of an array.
WHOLE, COUNTED = 1e-6, 1e5


@dataclass(frozen=True)
class Failure:
    """Slopes along ``directions`` of one array (``name``) that differ from the given.

    ``worst`` is the place of the entry that differs most, in C order, and ``wrong``
    the places of all entries that do, where that is known.
    """

    subject: Subject
    scales: Scales
    leaf: int
    name: str
    directions: Sequence[Array]
    readings: Readings
    judged: Judged
    worst: int | None
    wrong: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.subject.function.leaves[self.leaf].shape)

    def hint(self) -> str:
        """The usual mistake that fits, or nothing."""
        given = self.readings.given
        if not np.all(np.isfinite(given)):
            return f"the given gradient by {self.name} is not finite"
        if not np.any(self.readings.typical):
            return (
                f"the given gradient by {self.name} is 0 everywhere: was it never "
                "filled in?"
            )
        with np.errstate(all="ignore"):
            return self._factor() or self._order() or self._part()

    # One factor for all

    def _factor(self) -> str:
        given, measured = self.readings.given, self.readings.measured
        if not np.any(measured):
            return f"`f` does not depend on {self.name}, but the given gradient does"
        factor = float(given @ measured / (measured @ measured))
        if not self._fits(given / factor if factor else given):
            return ""
        shapes = [tuple(x.shape) for x in self.subject.function.leaves]
        sizes = {math.prod(self.shape)}.union(*shapes)
        words = _factor_in_words(factor, sizes)
        return f"the given gradient by {self.name} is {words}"

    def _fits(self, slopes: np.ndarray) -> bool:
        """Whether other slopes would explain what was measured."""
        measured, error = self.readings.measured, self.readings.error
        allowed = FIT * np.max(np.abs(self.readings.given - measured)) + error
        return bool(np.all(np.abs(slopes - measured) <= allowed))

    # The right numbers in the wrong places

    def _order(self) -> str:
        if len(self.shape) < 2:
            return ""
        xp = self.subject.xp
        given = self.subject.given[self.leaf]
        turned = xp.permute_dims(
            xp.reshape(given, self.shape[::-1]), tuple(range(given.ndim))[::-1]
        )
        if not self._fits(self._slopes(turned)):
            return ""
        return f"the given gradient by {self.name} is transposed"

    def _slopes(self, gradient: Array) -> np.ndarray:
        """Slopes along the directions, had this gradient been given."""
        xp = self.subject.xp
        slopes = [
            xp.sum(gradient * cast(xp, direction, gradient.dtype))
            for direction in self.directions
        ]
        return to_numpy(xp.stack(slopes)).astype(np.float64)

    # All of it in one place

    def _part(self) -> str:
        """The entry, row or column without which everything agrees."""
        if self.worst is None or math.prod(self.shape) == 1:
            return ""
        index = tuple(map(int, np.unravel_index(self.worst, self.shape)))
        places: list[tuple[int | None, int, str]] = [
            (None, self.worst, written(self.name, index))
        ]
        if len(self.shape) > 1:
            ends = ("", ", ..."), ("..., ", "")
            places += [
                (axis, index[axis], f"{self.name}[{before}{index[axis]}{behind}]")
                for axis, (before, behind) in zip((0, -1), ends, strict=True)
                if self.shape[axis] > 1
            ]
        for axis, at, name in places:
            if self._only_at(axis, at):
                return f"all of the difference lies in {name}"
        return ""

    def _only_at(self, axis: int | None, at: int) -> bool:
        """Whether nothing differs elsewhere."""
        if self.wrong is not None:
            there = self.wrong
            if axis is not None:
                there = np.unravel_index(self.wrong, self.shape)[axis]
            return bool(np.all(there == at))
        direction = self.directions[int(np.argmax(self._excess))]
        rest = self.subject.without(self.leaf, direction, axis, at)
        found = self.subject.along([(self.leaf, rest)])
        return judge_directions(found, self.scales).all(Outcome.AGREES)

    @property
    def _excess(self) -> np.ndarray:
        difference = np.abs(self.readings.given - self.readings.measured)
        return np.nan_to_num(difference / self.judged.allowed, nan=math.inf)


def _factor_in_words(factor: float, sizes: set[int]) -> str:
    def near(number: float, within: float = NEAR) -> bool:
        return abs(factor / number - 1) <= within

    if near(-1):
        return "the measured one with the wrong sign"
    if near(2):
        return "twice the measured one: is the 1/2 of a half square missing?"
    if near(0.5):
        return "half of the measured one: is the 2 of a square missing?"
    # Of the rows of data in `f` nothing is known: what is this near to an integer.
    counts = dict.fromkeys(sizes, NEAR)
    for number in (factor, 1 / factor):
        if 2 < number < COUNTED:
            counts.setdefault(round(number), WHOLE)
    for count, within in counts.items():
        if count > 1 and near(count, within):
            return (
                f"{count} times the measured one: is the 1/{count} of a mean missing?"
            )
        if count > 1 and near(1 / count, within):
            return (
                f"1/{count} of the measured one: is it divided by {count}, and `f` not?"
            )
    return f"{factor:.6g} times the measured one"


def unclear(readings: Readings, judged: Judged, scales: Scales) -> str:
    """Why it cannot be told whether slopes agree."""
    doubtful = readings.only(judged.outcomes == Outcome.UNCLEAR)
    if not len(doubtful.given):
        return (
            "slopes by single entries agree, but not along directions: `f` may have "
            "no gradient at x"
        )
    if np.any(doubtful.status == Status.NONFINITE):
        return "`f` is not finite on both sides of x: move x into its domain"
    if np.any(doubtful.status == Status.UNRESOLVED):
        return "no step resolves `f`: it jumps, or changes within a few roundings of x"
    moved = np.fmax(np.abs(doubtful.measured), np.abs(doubtful.given))
    typical = np.fmax(moved, doubtful.typical / doubtful.size)
    with np.errstate(all="ignore"):
        known = float(np.max(np.nan_to_num(doubtful.error / typical, nan=math.inf)))
    if not BLUNT * scales.rtol < known < 1:
        return (
            "the difference is a little more than what is allowed"
            if known < 1
            else "slopes drown in the rounding or noise of `f`"
        )
    remedy = "" if scales.eps < 1e-10 else "evaluate `f` in float64, or "
    return (
        f"slopes are known to {known:.1g} of themselves only, because of rounding or "
        f"noise in `f` (f(x) = {scales.base:.6g}): {remedy}"
        f"give rtol={2 * known / BLUNT:.0e} if that will do"
    )
