"""The hint of a report: why a gradient did not pass, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xgrad._differences import Status
from xgrad.check._arguments import Arguments
from xgrad.check._conclusion import JudgedSlopes, are_zero, is_flat
from xgrad.check._diagnosis import diagnose
from xgrad.check._failed import FailedArray
from xgrad.check._measurement import Measurement
from xgrad.check._report import Verdict
from xgrad.check._slopes import Slopes
from xgrad.check._verdict import BLUNT, Outcome, Tolerances


def explain(
    verdict: Verdict,
    measurement: Measurement,
    arguments: Arguments,
    along: Sequence[JudgedSlopes],
    by_entries: Sequence[JudgedSlopes],
) -> str:
    """Return a sentence that explains a verdict, or "" for a pass."""
    if verdict == "fail":
        return _explain_failure(measurement, arguments, along, by_entries)
    if verdict == "kink":
        return _explain_corner(arguments, by_entries)
    if verdict == "inconclusive":
        compared = by_entries if measurement.complete else along
        flat = _explain_flatness(arguments, compared, [*along, *by_entries])
        if flat:
            return flat
        unclear = [g for g in compared if g.verdicts.any(Outcome.UNCLEAR)] or along
        worst = max(unclear, key=lambda group: group.largest_excess)
        return _explain_doubt(worst, measurement.tolerances)
    return ""


def _explain_flatness(
    arguments: Arguments,
    compared: Sequence[JudgedSlopes],
    groups: Sequence[JudgedSlopes],
) -> str:
    """Say that all slopes are 0, the given or the measured ones, if they are."""
    root = arguments.root
    if are_zero(groups):
        is_exact = not any(np.any(group.slopes.analytic) for group in groups)
        return (
            f"all slopes are 0 at this {root}"
            f"{'' if is_exact else ' up to rounding errors'}, where a wrong factor "
            "cannot be seen: check at random values"
        )
    if is_flat(compared):
        return (
            f"`f` does not change around this {root}, but the given {arguments.kind} "
            f"is not 0: check at other values, if `f` uses {root} at all"
        )
    return ""


def _explain_failure(
    measurement: Measurement,
    arguments: Arguments,
    along: Sequence[JudgedSlopes],
    by_entries: Sequence[JudgedSlopes],
) -> str:
    """Name the arrays that differ, and the mistake in the one that differs most."""
    failed = [g for g in (*by_entries, *along) if g.verdicts.any(Outcome.DIFFERS)]
    leaf = max(failed, key=lambda group: group.largest_excess).leaf
    hint = diagnose(_failed_array(leaf, measurement, arguments, along, by_entries))
    failed_leaves = {group.leaf for group in failed}
    if len(failed_leaves) == len(arguments.live):
        return hint
    names = ", ".join(arguments.array_name(i) for i in sorted(failed_leaves))
    only = f"only {names} differ{'s' if len(failed_leaves) == 1 else ''}"
    return f"{only}; {hint}" if hint else only


def _failed_array(
    leaf: int,
    measurement: Measurement,
    arguments: Arguments,
    along: Sequence[JudgedSlopes],
    by_entries: Sequence[JudgedSlopes],
) -> FailedArray:
    return FailedArray(
        measurement.function,
        measurement.tolerances,
        arguments,
        measurement.directions(leaf),
        next(group for group in along if group.leaf == leaf),
        max(
            (group for group in by_entries if group.leaf == leaf),
            key=lambda group: group.largest_excess,
            default=None,
        ),
        measurement.complete,
    )


def _explain_corner(arguments: Arguments, by_entries: Sequence[JudgedSlopes]) -> str:
    for group in by_entries:
        corners = np.flatnonzero(group.verdicts.outcomes == Outcome.KINK)
        if len(corners):
            first = corners[0]
            position, output = int(group.positions[first]), int(group.outputs[first])
            name = arguments.entry_name(group.leaf, position, output)
            return (
                f"`f` has a corner at {name}, and the given slope lies between its "
                "slopes on the two sides: check at another x, or accept this if it is "
                "your convention"
            )
    return "`f` has a corner at x along a random direction: check at another x"


def _explain_doubt(group: JudgedSlopes, tolerances: Tolerances) -> str:
    """Return the reason why it is unclear whether slopes agree."""
    unclear = group.verdicts.outcomes == Outcome.UNCLEAR
    slopes = group.slopes.select(unclear)
    if not len(slopes.analytic):
        return (
            "slopes along single entries agree, but those along directions do not: "
            "`f` may not be differentiable at x"
        )
    if np.any(slopes.status == Status.NONFINITE):
        return (
            "`f` is not finite everywhere around x: move x into the interior of its "
            "domain"
        )
    if np.any(slopes.status == Status.UNRESOLVED):
        return (
            "no step size resolves `f`: it jumps at x, or changes within a few "
            "rounding errors of x"
        )
    error = _relative_error(slopes)
    if not error < 1:
        return "the slopes are smaller than the rounding errors or the noise of `f`"
    if error <= BLUNT * tolerances.rtol:
        is_close = bool(np.all(group.excess[unclear] <= 1))
        return _explain_bluntness(is_close, tolerances)
    remedy = "" if tolerances.eps < 1e-10 else "evaluate `f` in float64, or "
    largest = slopes.base[np.argmax(np.abs(slopes.base))]
    # Twice the tolerance that would just be enough, as a margin.
    rtol = 2 * error / BLUNT
    return (
        f"slopes can be measured only to a relative error of {error:.1g}, because of "
        f"rounding or noise in `f` (f(x) = {largest:.6g}): {remedy}"
        f"pass rtol={rtol:.0e} if that is accurate enough"
    )


def _relative_error(slopes: Slopes) -> float:
    """Return the largest error of a measured slope, as a part of its size."""
    size = np.fmax(np.abs(slopes.measured), np.abs(slopes.analytic))
    size = np.fmax(size, slopes.typical / slopes.size)
    with np.errstate(all="ignore"):
        return float(np.max(np.nan_to_num(slopes.error / size, nan=math.inf)))


def _explain_bluntness(is_close: bool, tolerances: Tolerances) -> str:
    """Say why slopes of small errors leave the verdict open."""
    if is_close:
        return (
            "the slopes agree, but not so closely that one wrong entry would show: "
            "evaluate `f` in float64, or pass full=True"
        )
    if tolerances.eps < tolerances.analytic_eps:
        return (
            "the difference is above the tolerance, but may be rounding errors of the "
            "given gradient: compute it in float64"
        )
    return "the difference is slightly above the tolerance"
