"""Plot of a function with its tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xgrad._arrays import public, to_numpy, without_status_warnings
from xgrad.diff import tangent_line
from xgrad.plot._axes import axes_for, line_styles
from xgrad.plot._values import (
    Function,
    contact_points,
    like_caller,
    limits,
    limits_around,
    number,
)

# So many are 2 to 3 pixels apart in a figure of the default size. Odd, so that the
# middle of the axis, where a single tangent touches, is one of them.
CURVE_POINTS = 201


@public
def tangent(
    f: Function,
    x: Any,
    /,
    *,
    xlim: Sequence[float] | None = None,
    ax: Any = None,
) -> Any:
    """Draw a function of one number, and tangents that touch it.

    Parameters
    ----------
    f : callable
        Maps a number (a 0-d array) to a number. It is called for one point at a time.
    x : float, or array or sequence of floats
        Points of contact.
    xlim : pair of floats, optional
        Ends of the horizontal axis; by default it extends beyond the points of contact
        on both sides.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. The curve is black; each tangent has a colour and a style of its own,
        and the legend states its slope.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If ``x`` does not hold finite real numbers or has more than one axis, ``xlim``
        is not an increasing pair, or ``f`` does not return one number.

    Examples
    --------
    >>> import pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = tangent(lambda x: 0.01 * x**2 + 0.1 * x, [5.0, 10.0], xlim=(0, 20))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['f', 'slope 0.2 at 5', 'slope 0.3 at 10']
    """
    xp, contacts = contact_points(x)
    low, high = limits_around(contacts) if xlim is None else limits("xlim", xlim)
    ax = axes_for(ax)
    t = np.linspace(low, high, CURVE_POINTS)
    curve = [number(f, like_caller(xp, value, x)) for value in t]
    ax.plot(t, curve, color="black", label="f")
    for contact, (color, style, marker) in zip(contacts, line_styles(), strict=False):
        with without_status_warnings():
            line = tangent_line(f, like_caller(xp, contact, x))
        slope, height = float(to_numpy(line.slope)), float(to_numpy(line.value))
        # Four digits: more than can be read off the plot.
        label = f"slope {slope:.4g} at {contact:g}"
        heights = height + slope * (t - contact)
        ax.plot(t, heights, color=color, ls=style, label=label)
        ax.plot(contact, height, marker, color=color)
    ax.set(xlabel="x", ylabel="f(x)", title="Tangents", xlim=(low, high))
    ax.legend(loc="best", fontsize=8)
    return ax
