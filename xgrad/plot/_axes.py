"""Axes, colours and sizes that the pictures share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

# Okabe and Ito's colours: told apart by the colour-blind, and in grey with the marks.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE = "#CC79A7", "#E69F00"
RIGHT, WRONG = BLUE, VERMILION
LINES = tuple(
    zip(
        (BLUE, VERMILION, GREEN, PURPLE, ORANGE, "black"),
        ("-", "--", "-.", ":", "-", "--"),
        "os^Dvx",
        strict=True,
    )
)
# How an error is marked that was reported, and one that was made.
BAR: Any = {"color": VERMILION, "markersize": 14, "markeredgewidth": 2}
STAR: Any = {"color": VERMILION, "markersize": 13}
# Points of a curve.
CURVE = 201
# By how much one side of a field may be longer before both get scales of their own.
NARROW = 4


def axes_for(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise ImportError("pictures need matplotlib: install xgrad[plot]") from None
    return plt.figure(layout="constrained").add_subplot()


def line_styles() -> Iterator[tuple[str, str, str]]:
    """Colours, styles and marks, again from the beginning where they run out."""
    return itertools.cycle(LINES)


def widened(along: Any) -> tuple[float, float]:
    """Room for the arrows that begin at the edge."""
    room = float(along[1] - along[0])
    return float(along[0]) - room, float(along[-1]) + room
