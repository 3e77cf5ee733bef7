"""A check: slopes along directions, by entries, by halves; and the verdict."""

from __future__ import annotations

import functools
import math
import numbers
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    cast,
    integer,
    one_of,
    quiet,
    require_same_shape,
    to_numpy,
)
from xgrad._evaluation import Mode
from xgrad.check._diagnosis import Failure, unclear
from xgrad.check._report import Comparison, GradientReport, Verdict, written
from xgrad.check._slopes import Readings, Subject
from xgrad.check._verdict import (
    Judged,
    Outcome,
    Scales,
    default_rtol,
    judge_directions,
    judge_entries,
)

Full = Literal["auto"] | bool
# Up to so many entries, each of them is measured by itself.
FULL_SIZE = 256
# Of half precision, slopes by single entries are too uncertain to tell anything.
COARSE = 1e-4
# Halving goes on in so many parts of an array at a time.
FOLLOWED = 2
# Two calls at one point may differ by so many roundings, as of sums in any order.
REPEATABLE = 64.0

# Far more than tell anything new; a number mistyped would run for ever.
MOST_DIRECTIONS = 10_000


@dataclass(frozen=True)
class Options:
    """How to check, whatever the function."""

    directions: int
    full: Full
    rtol: float | None
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("directions", 1), ("seed", 0)):
            number = integer(name, getattr(self, name), least=least)
            object.__setattr__(self, name, number)  # no 0-d array
        if self.directions > MOST_DIRECTIONS:
            raise ValueError(
                f"`directions` must be at most {MOST_DIRECTIONS}; got {self.directions}"
            )
        one_of("full", self.full, ("auto", True, False))
        rtol = self.rtol
        if rtol is None:
            return
        if isinstance(rtol, bool) or not isinstance(rtol, numbers.Real):
            raise TypeError(f"`rtol` must be a number; got {rtol!r}")
        if not 0 <= rtol < 1:
            raise ValueError(f"`rtol` must be in [0, 1); got {rtol!r}")


@dataclass(frozen=True)
class Group:
    """Slopes in one array, with what was found about them.

    By directions, or by the entries at ``positions`` in C order.
    """

    leaf: int
    readings: Readings
    judged: Judged
    positions: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Differences in units of what is allowed."""
        with np.errstate(all="ignore"):
            difference = np.abs(self.readings.given - self.readings.measured)
            excess = difference / self.judged.allowed
        return np.where(difference == 0, 0.0, np.nan_to_num(excess, nan=math.inf))


@dataclass(frozen=True)
class Check:
    """A subject and how to check it.

    ``arrays`` are the caller's, and ``paths`` where they are in what is called
    ``root``.
    """

    subject: Subject
    options: Options
    given_eps: float
    arrays: Sequence[Array]
    paths: Sequence[tuple[Any, ...]]
    root: str = "x"

    def report(self, started: float) -> GradientReport:
        """Everything measured, judged and put into words."""
        if not self._live:
            raise ValueError(f"`{self.root}` has no entries: there is nothing to check")
        value, spread = self._two_values()
        if not math.isfinite(value):
            return self._without_value(value, started)
        check = self._prepared(value, spread)
        along = check._directions()
        by_entries = check._entries(along)
        verdict = verdict_of(along, by_entries, complete=check._complete)
        hint = check._hint(verdict, along, by_entries)
        loose = spread > REPEATABLE * self.subject.eps * abs(value)
        if loose and verdict == "inconclusive":
            hint = (
                f"two calls of `f` at one point differ by {spread:.2g}: seed its "
                "random numbers inside `f`, and let no state change its result"
            )
        return check._reported(verdict, hint, along, by_entries, started)

    # What has to be known first

    @functools.cached_property
    def _live(self) -> list[int]:
        """The arrays that have entries."""
        leaves = self.subject.function.leaves
        return [i for i, x in enumerate(leaves) if math.prod(x.shape)]

    def _two_values(self) -> tuple[float, float]:
        """``f(x)``, and by how much a second call differs from it."""
        with at_perturbed_points():
            again = self.subject.run.at_base()
        require_same_shape("the result of f", again, "f(x)", self.subject.base)
        xp, wide = self.subject.xp, self.subject.noise.dtype
        pair = [
            xp.reshape(cast(xp, value, wide), ())
            for value in (self.subject.base, again)
        ]
        first, second = map(float, to_numpy(xp.stack(pair)))
        return first, abs(first - second)

    def _prepared(self, value: float, spread: float) -> Check:
        """The check with the noise of the function in its subject."""
        subject, xp = self.subject, self.subject.xp
        with quiet():
            noise = xp.maximum(subject.noise, xp.ones_like(subject.noise) * spread)
        subject = replace(subject, noise=noise)
        if spread > REPEATABLE * subject.eps * abs(value):
            # Nothing can be proved of it, and much of it is noise.
            mode: Mode = "batch" if subject.function.batched else "loop"
            function = replace(subject.function, mode=mode)
            subject = replace(subject, run=replace(subject.run, function=function))
        return replace(self, subject=subject.with_noise(self.options.seed))

    @functools.cached_property
    def _scales(self) -> Scales:
        subject, rtol = self.subject, self.options.rtol
        base, noise = subject.value
        if rtol is None:
            rtol = default_rtol(subject.eps, self.given_eps)
        precisions = subject.eps, subject.rounding, self.given_eps
        return Scales(rtol, *precisions, base, noise)

    # Measured

    @property
    def _share(self) -> int:
        """Directions for each array."""
        wanted = self.options.directions
        return max(min(2, wanted), math.ceil(wanted / len(self._live)))

    def _direction(self, leaf: int, number: int) -> Array:
        """Each second one with the small entries lifted."""
        seed = (self.options.seed, leaf, number)
        return self.subject.direction(leaf, seed, lifted=number % 2 == 1)

    def _directions(self) -> list[Group]:
        """Slopes along random directions, array by array."""
        share = self._share
        readings = self.subject.along(
            (leaf, self._direction(leaf, number))
            for leaf in self._live
            for number in range(share)
        )
        groups = []
        for i, leaf in enumerate(self._live):
            own = readings.only(slice(i * share, (i + 1) * share))
            judged = judge_directions(own, self._scales)
            groups.append(Group(leaf, own, judged, np.arange(share)))
        return groups

    @property
    def _complete(self) -> bool:
        """Whether all entries are measured."""
        leaves = self.subject.function.leaves
        size = sum(math.prod(x.shape) for x in leaves)
        if self.options.full != "auto":
            return bool(self.options.full)
        return size <= FULL_SIZE and self.subject.eps < COARSE

    def _entries(self, along: list[Group]) -> list[Group]:
        """Slopes by all entries, or by the worst of arrays that differ."""
        if self._complete:
            return [self._by_entries(leaf, None) for leaf in self._live]
        return [
            self._by_entries(group.leaf, self._halved(group))
            for group in along
            if group.judged.any(Outcome.DIFFERS)
        ]

    def _by_entries(self, leaf: int, positions: np.ndarray | None) -> Group:
        readings = self.subject.entries(leaf, positions)
        if positions is None:
            positions = np.arange(len(readings.given))
        return Group(leaf, readings, judge_entries(readings, self._scales), positions)

    def _halved(self, group: Group) -> np.ndarray:
        """The worst entries of an array, by halves of the direction that differs most.

        Those halves are halved again that differ most from what is given.
        """
        subject, leaf = self.subject, group.leaf
        direction = self._direction(leaf, int(np.argmax(group.excess)))
        parts = [(0, math.prod(subject.function.leaves[leaf].shape))]
        while any(stop - start > 1 for start, stop in parts):
            halves = []
            for start, stop in parts:
                middle = (start + stop) // 2
                halves += [(start, middle), (middle, stop)]
            halves = [(start, stop) for start, stop in halves if stop > start]
            readings = subject.along(
                (leaf, subject.within(leaf, direction, *half)) for half in halves
            )
            found = np.abs(readings.given - readings.measured)
            order = np.argsort(-np.nan_to_num(found, nan=math.inf), kind="stable")
            parts = [halves[i] for i in order[:FOLLOWED]]
        return np.array(sorted(start for start, _ in parts))

    # Judged

    def _hint(
        self, verdict: Verdict, along: list[Group], by_entries: list[Group]
    ) -> str:
        if verdict == "pass":
            return ""
        if verdict == "fail":
            return self._mistake(along, by_entries)
        if verdict == "kink":
            return self._corner(along, by_entries)
        groups = by_entries if self._complete else along
        doubtful = [g for g in groups if g.judged.any(Outcome.UNCLEAR)] or along
        worst = max(doubtful, key=lambda group: float(np.max(group.excess)))
        return unclear(worst.readings, worst.judged, self._scales)

    def _mistake(self, along: list[Group], by_entries: list[Group]) -> str:
        """A sentence about the array that differs most."""
        differ = [g for g in by_entries + along if g.judged.any(Outcome.DIFFERS)]
        leaf = max(differ, key=lambda group: float(np.max(group.excess))).leaf
        directions = next(group for group in along if group.leaf == leaf)
        entries = next((group for group in by_entries if group.leaf == leaf), None)
        worst = wrong = None
        if entries is not None:
            worst = int(entries.positions[int(np.argmax(entries.excess))])
            if self._complete:
                wrong = np.flatnonzero(entries.judged.outcomes == Outcome.DIFFERS)
        hint = Failure(
            self.subject,
            self._scales,
            leaf,
            self._name(leaf),
            [self._direction(leaf, number) for number in range(self._share)],
            directions.readings,
            directions.judged,
            worst,
            wrong,
        ).hint()
        others = {group.leaf for group in differ}
        if len(self._live) > len(others):
            names = ", ".join(self._name(i) for i in sorted(others))
            hint = f"only {names} differ{'s' * (len(others) == 1)}" + (
                f"; {hint}" if hint else ""
            )
        return hint

    def _corner(self, along: list[Group], by_entries: list[Group]) -> str:
        for group in by_entries:
            corners = np.flatnonzero(group.judged.outcomes == Outcome.KINK)
            if len(corners):
                place = self._index(group.leaf, int(group.positions[corners[0]]))
                at = written(self.root, place)
                return (
                    f"at {at} the given slope lies between those of the two sides: "
                    "check at another x, or leave it if that is the convention"
                )
        return "somewhere along a direction x is a corner: check at another x"

    # Told

    def _name(self, leaf: int) -> str:
        return self.root + "".join(f"[{key!r}]" for key in self.paths[leaf])

    def _index(self, leaf: int, position: int) -> tuple[Any, ...]:
        shape = tuple(self.subject.function.leaves[leaf].shape)
        index = tuple(map(int, np.unravel_index(position, shape))) if shape else ()
        path = self.paths[leaf]
        return (*path, index) if path else index

    def _compared(self, groups: list[Group], entries: bool) -> tuple[Comparison, ...]:
        return tuple(
            Comparison(
                self._index(g.leaf, int(position))
                if entries
                else f"direction {position + 1} of {self._name(g.leaf)}",
                float(given),
                float(measured),
                float(allowed),
            )
            for g in groups
            for position, given, measured, allowed in zip(
                g.positions,
                g.readings.given,
                g.readings.measured,
                g.judged.allowed,
                strict=True,
            )
        )

    def _subject(self) -> str:
        shown = [(self._name(i), self.arrays[i]) for i in self._live[:4]]
        named = [f"{name} {tuple(x.shape)} {x.dtype}" for name, x in shown]
        more = len(self._live) - len(named)
        library = self.subject.xp.__name__.removeprefix("array_api_compat.")
        return f"{', '.join(named)}{f' and {more} more' if more else ''} ({library})"

    def _reported(
        self,
        verdict: Verdict,
        hint: str,
        along: list[Group],
        by_entries: list[Group],
        started: float,
    ) -> GradientReport:
        directions = self._compared(along, entries=False)
        entries = self._compared(by_entries, entries=True)
        return GradientReport(
            verdict=verdict,
            worst=max(entries, key=lambda entry: entry.excess, default=None),
            taylor_rate=_rate(along, verdict),
            evaluations=self.subject.run.runner.meter.done,
            seconds=time.perf_counter() - started,
            hint=hint,
            directions=directions,
            entries=entries,
            subject=self._subject(),
            name=self.root,
        )

    def _without_value(self, value: float, started: float) -> GradientReport:
        hint = f"f(x) is {value}: there is nothing to differentiate"
        return self._reported("inconclusive", hint, [], [], started)


def verdict_of(
    along: Sequence[Group], by_entries: Sequence[Group], *, complete: bool
) -> Verdict:
    """The verdict on all slopes; ``complete`` says that all entries are among them."""

    def any_of(groups: Sequence[Group], outcome: Outcome) -> bool:
        return any(group.judged.any(outcome) for group in groups)

    if any_of(by_entries, Outcome.DIFFERS):
        return "fail"
    if complete:
        if any_of([*along, *by_entries], Outcome.KINK):
            return "kink"
        agree = all(group.judged.all(Outcome.AGREES) for group in by_entries)
        return (
            "pass" if agree and not any_of(along, Outcome.DIFFERS) else "inconclusive"
        )
    # A corner explains the differences in its own array alone. Many small ones, none
    # of which shows by itself, have to show in several directions.
    corners = {group.leaf for group in by_entries if group.judged.any(Outcome.KINK)}
    several = [
        int(np.sum(group.judged.outcomes == Outcome.DIFFERS))
        for group in along
        if group.leaf not in corners
    ]
    if sum(several):
        return "fail" if sum(several) > 1 else "inconclusive"
    if corners or any_of(along, Outcome.KINK):
        return "kink"
    return "pass" if all(map(_agrees, along)) else "inconclusive"


def _agrees(group: Group) -> bool:
    """Whether all directions of one kind, plain or lifted, agree."""
    agree = group.judged.outcomes == Outcome.AGREES
    return bool(np.all(agree[0::2]) or (len(agree) > 1 and np.all(agree[1::2])))


def _rate(along: list[Group], verdict: Verdict) -> float:
    """The usual rate of the remainders; of a failure, where slopes differ."""
    rates = [
        rate
        for group in along
        for rate, outcome in zip(group.judged.rates, group.judged.outcomes, strict=True)
        if not math.isnan(rate) and (verdict != "fail" or outcome == Outcome.DIFFERS)
    ]
    return float(np.median(rates)) if rates else math.nan
