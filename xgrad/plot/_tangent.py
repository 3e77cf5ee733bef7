"""Picture of a function with a tangent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xgrad._arrays import to_numpy
from xgrad.diff import tangent_line
from xgrad.plot import _values
from xgrad.plot._axes import CURVE, axes_for, line_styles


def tangent(
    f: _values.Function,
    x: Any,
    /,
    *,
    xlim: Sequence[float] | None = None,
    ax: Any = None,
) -> Any:
    """Axes with a function of one number, and the tangents that touch it.

    Parameters
    ----------
    f : callable
        Maps a number (a 0-d array) to a number. It is called for one at a time.
    x : float, or array or sequence of floats
        Points of contact.
    xlim : pair of floats, optional
        Where to draw; by default the points of contact and some room beside them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        The curve is black; each tangent has a colour and a style of its own, and the
        legend tells its slope.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If ``x`` holds no finite real numbers or has more than one axis, ``xlim`` is no
        increasing pair, or ``f`` does not return one number.

    Examples
    --------
    >>> import pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = tangent(lambda x: 0.01 * x**2 + 0.1 * x, [5.0, 10.0], xlim=(0, 20))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['f', 'slope 0.2 at 5', 'slope 0.3 at 10']
    """
    xp, contacts = _values.contacts(x)
    if xlim is None:
        low, high = _values.around(contacts)
    else:
        low, high = _values.limits("xlim", xlim)
    ax = axes_for(ax)
    along = np.linspace(low, high, CURVE)
    curve = [_values.number(f, _values.point(xp, t, x)) for t in along]
    ax.plot(along, curve, color="black", label="f")
    for at, (color, style, marker) in zip(contacts, line_styles(), strict=False):
        line = tangent_line(f, _values.point(xp, at, x))
        slope = float(to_numpy(line.slope))
        height = float(to_numpy(line.value))
        label = f"slope {slope:.4g} at {at:g}"
        ax.plot(
            along, height + slope * (along - at), color=color, ls=style, label=label
        )
        ax.plot(at, height, marker, color=color)
    ax.set(xlabel="x", ylabel="f(x)", title="Tangents", xlim=(low, high))
    ax.legend(loc="best", fontsize=8)
    return ax
