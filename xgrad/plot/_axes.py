"""Axes, colours and line styles that all plots share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from xgrad._arrays import a_type

# The palette of Okabe and Ito, which colour-blind readers can tell apart. Lines have a
# style and a marker of their own as well, so that they differ in a grey print, too.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE = "#CC79A7", "#E69F00"
LINES = tuple(
    zip(
        (BLUE, VERMILION, GREEN, PURPLE, ORANGE, "black"),
        ("-", "--", "-.", ":", "-", "--"),
        "os^Dvx",
        strict=True,
    )
)


def axes_for(ax: Any) -> Any:
    """Return the axes that the caller passed, or those of a new figure."""
    if ax is not None:
        if not callable(getattr(ax, "plot", None)) or not hasattr(ax, "figure"):
            raise TypeError(
                f"`ax` must be Axes of matplotlib, but is {a_type(ax)}: pass one of "
                "them, such as `ax` of `figure, ax = plt.subplots()`"
            )
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise ImportError("plots need matplotlib: install xgrad[plot]") from None
    # Titles of several lines, as of a report with a hint, need room.
    return plt.figure(layout="constrained").add_subplot()


def line_styles() -> Iterator[tuple[str, str, str]]:
    """Return an endless iterator over colours, line styles and markers."""
    return itertools.cycle(LINES)
