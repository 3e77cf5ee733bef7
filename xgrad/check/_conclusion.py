"""The verdict on a gradient, from the verdicts on its slopes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xgrad._differences import Status
from xgrad.check._report import Verdict
from xgrad.check._slopes import Slopes
from xgrad.check._verdict import Outcome, Verdicts


@dataclass(frozen=True, eq=False)
class JudgedSlopes:
    """Slopes in one array with their verdicts, along directions or along entries.

    ``positions`` are the numbers of the directions, or the positions of the entries in
    C order, and ``outputs`` the numbers of the outputs that change along them.
    """

    leaf: int
    slopes: Slopes
    verdicts: Verdicts
    positions: np.ndarray
    outputs: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Differences divided by the allowed ones; ``inf`` if they are not numbers."""
        with np.errstate(all="ignore"):
            difference = np.abs(self.slopes.analytic - self.slopes.measured)
            excess = difference / self.verdicts.allowed
        return np.where(difference == 0, 0.0, np.nan_to_num(excess, nan=math.inf))

    @property
    def has_excess(self) -> bool:
        """Whether a difference, if it is a number, is larger than the allowed one."""
        with np.errstate(all="ignore"):
            difference = np.abs(self.slopes.analytic - self.slopes.measured)
            return bool(np.any(difference > self.verdicts.allowed))

    @property
    def largest_excess(self) -> float:
        """The largest of the excesses."""
        return float(np.max(self.excess))


def conclude(
    along: Sequence[JudgedSlopes], by_entries: Sequence[JudgedSlopes], *, complete: bool
) -> Verdict:
    """Return the verdict on a gradient from slopes along directions and entries.

    ``complete`` says that all entries were compared; else they are the worst ones of
    the arrays whose directions differ.
    """
    # `f` may be flat at this x alone, or swallow small moves.
    if is_flat(by_entries if complete else along):
        return "inconclusive"
    if _any(by_entries, Outcome.DIFFERS):
        return "fail"
    if complete:
        verdict = _conclude_from_entries(along, by_entries)
    else:
        verdict = _conclude_from_directions(along, by_entries)
    # Ten times 0 is 0: a wrong gradient agrees as well.
    if verdict == "pass" and are_zero([*along, *by_entries]):
        return "inconclusive"
    # A direction that exceeds its bound may be unlucky, but it does not agree.
    if verdict == "pass" and any(group.has_excess for group in along):
        return "inconclusive"
    return verdict


def are_zero(groups: Sequence[JudgedSlopes]) -> bool:
    """Whether every slope that was given is 0, up to rounding errors of x."""
    return all(bool(np.all(group.verdicts.zero)) for group in groups)


def is_flat(groups: Sequence[JudgedSlopes]) -> bool:
    """Whether every slope that was measured is 0, not as the mean of a corner."""
    slopes = [group.slopes for group in groups]
    return not any(
        np.any(s.measured) or np.any(s.status == Status.KINK) for s in slopes
    )


def _conclude_from_entries(
    along: Sequence[JudgedSlopes], by_entries: Sequence[JudgedSlopes]
) -> Verdict:
    if _any([*along, *by_entries], Outcome.KINK):
        return "kink"
    agree = all(group.verdicts.all(Outcome.AGREES) for group in by_entries)
    return "pass" if agree and not _any(along, Outcome.DIFFERS) else "inconclusive"


def _conclude_from_directions(
    along: Sequence[JudgedSlopes], by_entries: Sequence[JudgedSlopes]
) -> Verdict:
    # A corner explains the differences in its own array alone.
    corners = {group.leaf for group in by_entries if group.verdicts.any(Outcome.KINK)}
    differing = sum(
        int(np.sum(group.verdicts.outcomes == Outcome.DIFFERS))
        for group in along
        if group.leaf not in corners
    )
    # No single entry differs here. Many small errors would show along several
    # directions; one direction alone may be an unlucky error bound.
    if differing:
        return "fail" if differing > 1 else "inconclusive"
    if corners or _any(along, Outcome.KINK):
        return "kink"
    return "pass" if all(map(_one_kind_agrees, along)) else "inconclusive"


def _any(groups: Sequence[JudgedSlopes], outcome: Outcome) -> bool:
    return any(group.verdicts.any(outcome) for group in groups)


def _one_kind_agrees(group: JudgedSlopes) -> bool:
    """Whether all plain directions of an array agree, or all lifted ones.

    The two kinds alternate. Each moves every entry, so that one of them is enough.
    """
    agrees = group.verdicts.outcomes == Outcome.AGREES
    kinds = [agrees[group.positions % 2 == kind] for kind in (0, 1)]
    return any(kind.size and bool(np.all(kind)) for kind in kinds)


def taylor_rate(along: Sequence[JudgedSlopes], verdict: Verdict) -> float:
    """Return the median Taylor rate, after a failure of the directions that differ."""
    rates = [
        rate
        for group in along
        for rate, outcome in zip(
            group.verdicts.rates, group.verdicts.outcomes, strict=True
        )
        if not math.isnan(rate) and (verdict != "fail" or outcome == Outcome.DIFFERS)
    ]
    return float(np.median(rates)) if rates else math.nan
