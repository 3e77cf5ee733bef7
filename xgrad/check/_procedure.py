"""The procedure of every check, from a function and its gradient to a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    at_perturbed_points,
    backend_name,
    from_host,
    quiet,
    require_same_shape,
)
from xgrad.check._arguments import Arguments
from xgrad.check._conclusion import JudgedSlopes, conclude, taylor_rate
from xgrad.check._hint import explain
from xgrad.check._measurement import Measurement
from xgrad.check._options import CheckOptions
from xgrad.check._report import Comparison, GradientReport, Verdict
from xgrad.check._rows import RowSearch
from xgrad.check._slopes import CheckedFunction, outputs_on_host

# Two calls at one point may differ by this many roundings, as sums do whose terms are
# added in any order: their rounding error grows as the root of the number of terms, and
# 64 is that of 4,096 terms.
REPEATABLE = 64.0


def run_check(
    function: CheckedFunction,
    options: CheckOptions,
    analytic_eps: float,
    arguments: Arguments,
    started: float,
    search: RowSearch | None = None,
) -> GradientReport:
    """Measure slopes, judge the analytic ones, conclude, and explain the verdict.

    ``analytic_eps`` is the precision of the analytic gradient, and ``started`` the time
    by `time.perf_counter` at which the check began. With ``search`` the outputs are
    sums, in which it finds the wrong one.
    """
    if not arguments.live:
        raise ValueError(
            f"`{arguments.root}` has no entries: there is nothing to check"
        )

    def report(
        verdict: Verdict,
        hint: str,
        along: Sequence[JudgedSlopes] = (),
        by_entries: Sequence[JudgedSlopes] = (),
    ) -> GradientReport:
        return _report(function, arguments, verdict, hint, along, by_entries, started)

    values, spreads = _evaluate_twice(function)
    if not np.all(np.isfinite(values)):
        value = values[~np.isfinite(values)][0]
        hint = f"f(x) is {value}: there is nothing to differentiate"
        if len(values) > 1:
            hint = hint.replace("is", "holds", 1)
        return report("inconclusive", hint)
    varies = bool(np.any(spreads > REPEATABLE * function.eps * np.abs(values)))
    function = _with_noise(function, spreads, varies, options.seed)
    measurement = Measurement(function, options, arguments.live, analytic_eps, search)
    along = measurement.along_directions()
    by_entries = measurement.along_entries(along)
    verdict = conclude(along, by_entries, complete=measurement.complete)
    if verdict == "inconclusive" and varies:
        spread = np.max(spreads)
        hint = (
            f"two calls of `f` at the same point differ by {spread:.2g}: seed random "
            "numbers inside `f`, and let no earlier call change its result"
        )
    else:
        hint = explain(verdict, measurement, arguments, along, by_entries)
    return report(verdict, hint, along, by_entries)


def _evaluate_twice(function: CheckedFunction) -> tuple[np.ndarray, np.ndarray]:
    """Return the outputs, and how much those of a second call differ from them."""
    # The first call has shown the warnings of this point already.
    with at_perturbed_points():
        again = function.problem.at_base()
    require_same_shape("the result of f", again, "f(x)", function.base)
    values = [function.base, again]
    first, second = outputs_on_host(function.xp, values, function.noise.dtype)
    with np.errstate(all="ignore"):
        return first, np.abs(first - second)


def _with_noise(
    checked: CheckedFunction, spreads: np.ndarray, varies: bool, seed: int
) -> CheckedFunction:
    """Return the function with its noise, at least the ``spreads`` of two calls.

    If its result ``varies`` from call to call by more than rounding, it is called for
    one point at a time, unless the caller says that it takes many.
    """
    xp = checked.xp
    noise = checked.noise
    spread = from_host(xp, spreads, like=noise, dtype=noise.dtype)
    with quiet():
        noise = xp.maximum(noise, xp.reshape(spread, tuple(noise.shape)))
    checked = replace(checked, noise=noise)
    if varies:
        # No way to evaluate many points at once can be proved for it, so that none is
        # tried: each trial would differ from the plain calls.
        function = checked.function
        function = replace(function, vectorized=function.batched)
        problem = replace(checked.problem, function=function)
        checked = replace(checked, problem=problem)
    return checked.with_measured_noise(seed)


def _report(
    function: CheckedFunction,
    arguments: Arguments,
    verdict: Verdict,
    hint: str,
    along: Sequence[JudgedSlopes],
    by_entries: Sequence[JudgedSlopes],
    started: float,
) -> GradientReport:
    entries = _comparisons(by_entries, arguments.entry_index)
    library = backend_name(function.xp)
    return GradientReport(
        verdict=verdict,
        worst=max(entries, key=lambda entry: entry.excess, default=None),
        taylor_rate=taylor_rate(along, verdict),
        evaluations=function.problem.evaluator.meter.done * function.calls,
        seconds=time.perf_counter() - started,
        hint=hint,
        directions=_comparisons(along, arguments.direction_name),
        entries=entries,
        subject=arguments.description(library),
        name=arguments.entry_root,
        kind=arguments.kind,
    )


def _comparisons(
    groups: Sequence[JudgedSlopes], name_of: Callable[[int, int, int], Any]
) -> tuple[Comparison, ...]:
    """Return a comparison for each slope, with the name that a direction or entry has.

    ``name_of`` gets the number of the array, of the column and of the output.
    """
    return tuple(
        Comparison(name_of(g.leaf, int(position), int(output)), *slope)
        for g in groups
        for position, output, slope in zip(
            g.positions, g.outputs, _compared(g), strict=True
        )
    )


def _compared(group: JudgedSlopes) -> list[tuple[float, float, float]]:
    """Return analytic slope, measured slope and allowed difference of each slope."""
    slopes, allowed = group.slopes, group.verdicts.allowed
    columns = slopes.analytic.tolist(), slopes.measured.tolist(), allowed.tolist()
    return list(zip(*columns, strict=True))
