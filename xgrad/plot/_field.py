"""Picture of a gradient field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xgrad._arrays import integer, to_numpy
from xgrad.diff import gradient
from xgrad.plot import _values
from xgrad.plot._axes import BLUE, NARROW, axes_for, widened


def gradient_field(
    f: _values.Function,
    /,
    xlim: Sequence[float],
    ylim: Sequence[float],
    *,
    points: int = 17,
    descent: bool = False,
    levels: int = 12,
    xp: Any = None,
    ax: Any = None,
) -> Any:
    """Axes with the gradient of a function of two variables, as a field of arrows.

    Parameters
    ----------
    f : callable
        Maps an array of two numbers to a number. It is called for one point at a time.
    xlim, ylim : pair of floats
        Lowest and highest value of the two variables.
    points : int
        Arrows along each axis.
    descent : bool
        Draw the negative gradient, the way down, as gradient descent takes it.
    levels : int
        About how many contour lines of ``f`` to draw beneath; 0 for none.
    xp : namespace, optional
        Of the arrays that ``f`` gets, as from `xgrad.namespace`; NumPy by default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        Lengths of arrows are proportional to the gradient; a dot is where it is 0, and
        nothing where it is not finite.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If limits are no increasing pair, or ``f`` does not return one number.

    Notes
    -----
    Costs one `gradient` for each arrow, and ``(2 * points - 1)**2`` evaluations for the
    contour lines.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = gradient_field(lambda x: np.sum(x**2), (-2, 2), (-2, 2), descent=True)
    >>> ax.get_title()
    'Negative gradient'
    """
    integer("points", points, least=2)
    integer("levels", levels, least=0)
    sides = _values.limits("xlim", xlim), _values.limits("ylim", ylim)
    ax = axes_for(ax)
    if levels:
        axes = [np.linspace(*pair, 2 * points - 1) for pair in sides]
        surface = _values.heights(f, axes, xp)
        ax.contour(*axes, surface, levels, colors="0.6", linewidths=0.8)
    axes = [np.linspace(*pair, points) for pair in sides]
    places = np.meshgrid(*axes)
    slopes = [
        to_numpy(gradient(f, x, vectorized=False)) for x in _values.each(places, xp)
    ]
    across, up = np.asarray(slopes).T * (-1.0 if descent else 1.0)
    x0, x1 = (place.ravel() for place in places)
    flat = (across == 0) & (up == 0)
    ax.plot(x0[flat], x1[flat], ".", color=BLUE, markersize=3)
    drawn = np.isfinite(across) & np.isfinite(up) & ~flat
    if drawn.any():
        arrows = x0[drawn], x1[drawn], across[drawn], up[drawn]
        ax.quiver(*arrows, color=BLUE, angles="xy", pivot="tail")
    ax.set(xlabel="$x_0$", ylabel="$x_1$", xlim=widened(axes[0]), ylim=widened(axes[1]))
    ax.set_title("Negative gradient" if descent else "Gradient")
    spans = [high - low for low, high in sides]
    if max(spans) < NARROW * min(spans):
        ax.set_aspect("equal")
    return ax
