"""Plot of the report of a gradient check."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from xgrad._arrays import a_type, public
from xgrad.check import Comparison, GradientReport
from xgrad.plot._axes import BLUE, VERMILION, axes_for

# Smaller multiples of the tolerance are drawn here: a difference of 0 has no place on a
# logarithmic axis, and the rounding errors of exact slopes, 1e-9 and less, would take
# most of it. Whether a slope agrees to a thousandth of the tolerance or better tells
# nothing more.
LOWEST = 1e-3
# Larger multiples are drawn here, such as those of slopes that are not finite.
HIGHEST = 1e9
# Letters of size 10 in a line of the title, in a figure of the default width.
TITLE_WIDTH = 60


@public
def report(report: GradientReport, /, *, ax: Any = None) -> Any:
    """Draw all compared slopes of a report, as differences in units of the tolerance.

    Parameters
    ----------
    report : GradientReport
        Result of `check_gradient` or `check_vjp`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Entries are circles, random directions are triangles. Those above the
        line differ by more than the tolerance, and are filled. The worst entry is
        named. Differences below a thousandth of the tolerance are drawn as that.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If ``report`` is not a report.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> from xgrad import check_gradient
    >>> checked = check_gradient(lambda x: np.sum(x**2), lambda x: 2 * x, np.ones(3))
    >>> report(checked).get_ylabel()
    'difference / tolerance'
    """
    if not isinstance(report, GradientReport):
        raise TypeError(
            "`report` must be what `check_gradient` or `check_vjp` returned; got "
            f"{a_type(report)}"
        )
    ax = axes_for(ax)
    _draw_comparisons(ax, 0, report.entries, "o", "entries")
    start = len(report.entries)
    _draw_comparisons(ax, start, report.directions, "^", "random directions")
    ax.axhline(1.0, color="black", linewidth=1, linestyle="--", label="tolerance")
    _annotate_worst(ax, report)
    heights = list(map(_height, report.entries + report.directions))
    if LOWEST in heights:
        label = "a thousandth of it, or less"
        ax.axhline(LOWEST, color="0.5", linewidth=1, linestyle=":", label=label)
    # Room below the lowest markers, and above the highest for the name of the worst.
    ax.set(yscale="log", ylim=(LOWEST / 3, max([*heights, 1.0]) * 30))
    ax.set(xlabel="comparison", ylabel="difference / tolerance")
    ax.xaxis.get_major_locator().set_params(integer=True)
    title = f"Gradient check: {report.verdict.upper()}"
    lines = [title, *textwrap.wrap(report.hint, TITLE_WIDTH)]
    ax.set_title("\n".join(lines), fontsize=10)
    ax.legend(loc="best", fontsize=8)
    return ax


def _draw_comparisons(
    ax: Any, start: int, comparisons: Sequence[Comparison], marker: str, label: str
) -> None:
    """Draw comparisons side by side, the first one at ``start``."""
    numbered = list(enumerate(comparisons, start))
    agreeing = [(i, _height(row)) for i, row in numbered if row.excess <= 1]
    differing = [(i, _height(row)) for i, row in numbered if row.excess > 1]
    for points, label_, edge, face in (
        (agreeing, label, BLUE, "none"),
        (differing, f"{label} that differ", VERMILION, VERMILION),
    ):
        if points:
            style = {"edgecolors": edge, "facecolors": face, "label": label_}
            ax.scatter(*zip(*points, strict=True), marker=marker, s=24, **style)


def _annotate_worst(ax: Any, report: GradientReport) -> None:
    worst = report.worst
    if worst is None or worst.excess <= 1:
        return
    # Entries are drawn first, so that their number is their place on the axis.
    point = report.entries.index(worst), _height(worst)
    ax.annotate(
        report.written(worst), point, (0, 6), textcoords="offset points", fontsize=8
    )


def _height(row: Comparison) -> float:
    """Return the excess of a comparison, clipped to a range that can be drawn."""
    return min(max(row.excess, LOWEST), HIGHEST)
