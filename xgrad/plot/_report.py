"""Picture of a gradient report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from xgrad.check import Comparison, GradientReport
from xgrad.plot._axes import RIGHT, WRONG, axes_for

# The smallest part of what is allowed that is drawn: differences of 0 lie there.
FLOOR = 1e-9
# Letters in a line of the title.
WIDTH = 60


def report(report: GradientReport, /, *, ax: Any = None) -> Any:
    """Axes with every compared slope: its difference, in parts of what is allowed.

    Parameters
    ----------
    report : GradientReport
        Of `check_gradient` or `check_vjp`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        Entries are circles and random directions are triangles; those above the line
        differ by more than is allowed, and are filled. The worst entry has its name.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If it is no report.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> from xgrad import check_gradient
    >>> checked = check_gradient(lambda x: np.sum(x**2), lambda x: 2 * x, np.ones(3))
    >>> report(checked).get_ylabel()
    'difference / allowed'
    """
    if not isinstance(report, GradientReport):
        raise TypeError(
            "`report` must be what `check_gradient` or `check_vjp` returned; got "
            f"{type(report).__name__}"
        )
    ax = axes_for(ax)
    start = 0
    for compared, marker, label in (
        (report.entries, "o", "entries"),
        (report.directions, "^", "random directions"),
    ):
        _draw(ax, start, compared, marker, label)
        start += len(compared)
    ax.axhline(1.0, color="black", linewidth=1, linestyle="--", label="allowed")
    ax.set_yscale("log")
    compared = report.entries + report.directions
    highest = max(map(_height, compared), default=1.0)
    ax.set_ylim(FLOOR / 3, max(highest, 1.0) * 100)
    ax.set_xlabel("number of the comparison")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylabel("difference / allowed")
    title = f"Gradient check: {report.verdict.upper()}"
    ax.set_title("\n".join([title, *textwrap.wrap(report.hint, WIDTH)]), fontsize=10)
    _name_the_worst(ax, report)
    ax.legend(loc="best", fontsize=8)
    return ax


def _draw(
    ax: Any, start: int, compared: Sequence[Comparison], marker: str, label: str
) -> None:
    groups = (
        (label, RIGHT, "none", [row.excess <= 1 for row in compared]),
        (f"{label} that differ", WRONG, WRONG, [row.excess > 1 for row in compared]),
    )
    for name, edge, face, chosen in groups:
        places = [start + i for i, wanted in enumerate(chosen) if wanted]
        if places:
            heights = [_height(compared[i - start]) for i in places]
            ax.scatter(
                places,
                heights,
                marker=marker,
                s=24,
                edgecolors=edge,
                facecolors=face,
                label=name,
            )


def _name_the_worst(ax: Any, report: GradientReport) -> None:
    worst = report.worst
    if worst is None or worst.excess <= 1:
        return
    place = report.entries.index(worst), _height(worst)
    ax.annotate(
        report.written(worst), place, (0, 6), textcoords="offset points", fontsize=8
    )


def _height(row: Comparison) -> float:
    """Within what a logarithmic axis can show."""
    return min(max(row.excess, FLOOR), 1 / FLOOR)
