"""Plot of a gradient field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xgrad._arrays import integer, public, to_numpy, without_status_warnings
from xgrad.diff import gradient
from xgrad.plot._axes import BLUE, axes_for
from xgrad.plot._values import Function, grid_points, limits, values_on_grid

# Both axes have one scale, so that arrows keep their angles, unless one side is so much
# longer that the other would shrink to a strip. Set by trial.
LONGEST_RATIO = 4


@public
def gradient_field(
    f: Function,
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
    """Draw the gradient of a function of two variables as a field of arrows.

    Parameters
    ----------
    f : callable
        Maps an array of two numbers to a number. It is called for one point at a time.
    xlim, ylim : pair of floats
        Lowest and highest value of the two variables.
    points : int
        Number of arrows along each axis.
    descent : bool
        Draws the negative gradient, the direction that gradient descent takes.
    levels : int
        Approximate number of contour lines of ``f`` below the arrows; 0 for none.
    xp : namespace, optional
        Namespace of the arrays that ``f`` gets, as from `xgrad.namespace`; NumPy by
        default.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. The length of an arrow is proportional to the gradient. A dot marks a
        point at which the gradient is 0; where it is not finite, nothing is drawn.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the limits are not an increasing pair, or ``f`` does not return one number.

    Notes
    -----
    The cost is one `gradient` for each arrow, and ``(2 * points - 1)**2`` evaluations
    for the contour lines.

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
    sides = limits("xlim", xlim), limits("ylim", ylim)
    ax = axes_for(ax)
    if levels:
        # Twice as dense as the arrows: smooth curves need more points.
        _draw_contours(ax, f, sides, 2 * points - 1, levels, xp)
    grid = [np.linspace(*side, points) for side in sides]
    _draw_arrows(ax, f, grid, -1.0 if descent else 1.0, xp)
    ax.set(xlabel="$x_0$", ylabel="$x_1$")
    ax.set(xlim=_with_margins(grid[0]), ylim=_with_margins(grid[1]))
    ax.set_title("Negative gradient" if descent else "Gradient")
    lengths = [high - low for low, high in sides]
    if max(lengths) < LONGEST_RATIO * min(lengths):
        ax.set_aspect("equal")
    return ax


def _draw_contours(
    ax: Any,
    f: Function,
    sides: Sequence[tuple[float, float]],
    points: int,
    levels: int,
    xp: Any,
) -> None:
    grid = [np.linspace(*side, points) for side in sides]
    # Contours are interrupted where the function is not finite.
    values = values_on_grid(f, grid, xp)
    ax.contour(*grid, values, levels, colors="0.6", linewidths=0.8)


def _draw_arrows(
    ax: Any, f: Function, grid: Sequence[np.ndarray], sign: float, xp: Any
) -> None:
    """Draw ``sign`` times the gradient at all points of a grid."""
    x0, x1 = (values.ravel() for values in np.meshgrid(*grid))
    # One point at a time, as documented: `f` may be any function of two numbers.
    with without_status_warnings():
        slopes = [
            to_numpy(gradient(f, x, vectorized=False)) for x in grid_points(grid, xp)
        ]
    across, up = np.asarray(slopes).T * sign
    is_zero = (across == 0) & (up == 0)
    ax.plot(x0[is_zero], x1[is_zero], ".", color=BLUE, markersize=3)
    has_arrow = np.isfinite(across) & np.isfinite(up) & ~is_zero
    if has_arrow.any():
        arrows = (values[has_arrow] for values in (x0, x1, across, up))
        # In the coordinates of the data, arrows are perpendicular to the contours.
        ax.quiver(*arrows, color=BLUE, angles="xy", pivot="tail")


def _with_margins(values: np.ndarray) -> tuple[float, float]:
    """Return the limits of an axis with room for the arrows that begin at its ends."""
    # An arrow at the edge is rarely longer than the distance of two points.
    margin = float(values[1] - values[0])
    return float(values[0]) - margin, float(values[-1]) + margin
