"""Plot of the error of a derivative against its step."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import public
from xgrad._differences import Method
from xgrad.plot._axes import BLUE, VERMILION, axes_for
from xgrad.plot._sweep import sweep
from xgrad.plot._values import Function


@public
def step_sweep(
    f: Function,
    x: Any,
    /,
    *,
    index: int | None = None,
    method: Method = "central",
    accuracy: int | None = None,
    exact: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the error of a numerical derivative against its step, on log scales.

    The curve is a V: large steps have a large truncation error, and small ones a large
    rounding error. The step that `gradient` chooses is marked, with its true error and
    the error bound that `gradient` reports.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a number.
    x : float, or array of real numbers
        Point at which to differentiate.
    index : int, optional
        The entry of ``x`` (in C order) that moves; by default the one whose derivative
        has the largest error bound.
    method, accuracy
        As in `gradient`. For methods without a single step ("complex", "ladder" and
        "auto") the curve is that of "central".
    exact : float, optional
        The exact derivative. By default it is measured by method "ladder", whose error
        bound is shown in grey: smaller errors are not known.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. At the chosen step a star marks the true error, and a bar above it the
        reported bound. There are no points where the difference quotient is not finite.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        As in `gradient`, or if ``index`` is not the number of an entry.

    Notes
    -----
    The steps are powers of two, from the rounding of ``x`` to its size or 1, at most 80
    of them.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> step_sweep(np.exp, 1.0, exact=np.e).get_xlabel()
    'step'
    """
    swept = sweep(f, x, index, method, accuracy, exact)
    ax = axes_for(ax)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="error")
    ax.plot(swept.steps, swept.errors, ".-", color=BLUE, label=swept.label)
    if swept.exact_error > swept.floor:
        label = "smaller errors are not known"
        # From below the lowest points, so that the band has no lower edge among them.
        ax.axhspan(swept.floor / 4, swept.exact_error, color="0.9", label=label)
    step, error, bound = swept.step, swept.error, swept.error_bound
    ax.vlines(step, error, bound, color=VERMILION, linewidth=1)
    bar: Any = {"color": VERMILION, "markersize": 14, "markeredgewidth": 2}
    ax.plot(step, bound, "_", label="reported error bound", **bar)
    star: Any = {"color": VERMILION, "markersize": 13}
    ax.plot(step, error, "*", label=f"step chosen by {method!r}", **star)
    ax.set_title(f"Derivative with respect to {swept.name}: {swept.exact:.6g}")
    ax.legend(loc="best", fontsize=8)
    return ax
