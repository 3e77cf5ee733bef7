"""Picture of the error of a derivative with every step."""

from __future__ import annotations

from typing import Any

from xgrad._differences import Method
from xgrad.plot import _values
from xgrad.plot._axes import BAR, BLUE, STAR, VERMILION, axes_for
from xgrad.plot._sweep import sweep


def step_sweep(
    f: _values.Function,
    x: Any,
    /,
    *,
    index: int | None = None,
    method: Method = "central",
    accuracy: int | None = None,
    exact: float | None = None,
    ax: Any = None,
) -> Any:
    """Axes with the error of a numerical derivative against its step, on log scales.

    Large steps err by what the formula leaves out, small ones by rounding: a V. The
    step that `gradient` chooses is marked, with its true and its reported error.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a number.
    x : float, or array of real numbers
        Where to differentiate.
    index : int, optional
        Which entry of ``x`` (in C order) moves; by default the one whose derivative is
        known worst, which has the largest reported error.
    method, accuracy
        As in `gradient`. For methods that have no step of their own ("complex",
        "ladder" and "auto") the curve is that of "central".
    exact : float, optional
        The right derivative. By default that of method "ladder", whose own error bound
        is shown in grey: errors below it cannot be told.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        A star at the chosen step has the true error, a bar above it the reported one.
        Points are missing where the difference quotient is not finite.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        As `gradient` does, or if ``index`` names no entry.

    Notes
    -----
    Steps are the powers of two from the rounding of ``x`` to its size or 1, at most 80
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
    if swept.known_to > swept.floor:
        ax.axhspan(swept.floor / 4, swept.known_to, color="0.9", label="cannot be told")
    ax.vlines(swept.step, swept.error, swept.reported, color=VERMILION, linewidth=1)
    ax.plot(swept.step, swept.reported, "_", label="error as reported", **BAR)
    ax.plot(swept.step, swept.error, "*", label=f"step chosen by {method!r}", **STAR)
    ax.set_title(f"Derivative by {swept.name}: {swept.right:.6g}")
    ax.legend(loc="best", fontsize=8)
    return ax
