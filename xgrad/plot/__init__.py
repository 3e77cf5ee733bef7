"""Pictures, drawn with matplotlib on given axes or on new ones."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from xgrad import _pictured
from xgrad._array import integer
from xgrad._backends import to_numpy
from xgrad._report import Comparison, GradientReport
from xgrad._stencil import Method
from xgrad._sweep import sweep
from xgrad.diff import gradient, tangent_line

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
# The smallest part of what is allowed that is drawn: differences of 0 lie there.
FLOOR = 1e-9
# Letters in a line of the title.
WIDTH = 60
# How an error is marked that was reported, and one that was made.
BAR: Any = {"color": VERMILION, "markersize": 14, "markeredgewidth": 2}
STAR: Any = {"color": VERMILION, "markersize": 13}
# Points of a curve.
CURVE = 201
# By how much one side of a field may be longer before both get scales of their own.
NARROW = 4


def gradient_field(
    f: _pictured.Function,
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
    sides = _pictured.limits("xlim", xlim), _pictured.limits("ylim", ylim)
    ax = _axes(ax)
    if levels:
        axes = [np.linspace(*pair, 2 * points - 1) for pair in sides]
        surface = _pictured.heights(f, axes, xp)
        ax.contour(*axes, surface, levels, colors="0.6", linewidths=0.8)
    axes = [np.linspace(*pair, points) for pair in sides]
    places = np.meshgrid(*axes)
    slopes = [
        to_numpy(gradient(f, x, vectorized=False)) for x in _pictured.each(places, xp)
    ]
    across, up = np.asarray(slopes).T * (-1.0 if descent else 1.0)
    x0, x1 = (place.ravel() for place in places)
    flat = (across == 0) & (up == 0)
    ax.plot(x0[flat], x1[flat], ".", color=BLUE, markersize=3)
    drawn = np.isfinite(across) & np.isfinite(up) & ~flat
    if drawn.any():
        arrows = x0[drawn], x1[drawn], across[drawn], up[drawn]
        ax.quiver(*arrows, color=BLUE, angles="xy", pivot="tail")
    ax.set(xlabel="$x_0$", ylabel="$x_1$", xlim=_wider(axes[0]), ylim=_wider(axes[1]))
    ax.set_title("Negative gradient" if descent else "Gradient")
    spans = [high - low for low, high in sides]
    if max(spans) < NARROW * min(spans):
        ax.set_aspect("equal")
    return ax


def tangent(
    f: _pictured.Function,
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
    xp, contacts = _pictured.contacts(x)
    if xlim is None:
        low, high = _pictured.around(contacts)
    else:
        low, high = _pictured.limits("xlim", xlim)
    ax = _axes(ax)
    along = np.linspace(low, high, CURVE)
    curve = [_pictured.number(f, _pictured.point(xp, t, x)) for t in along]
    ax.plot(along, curve, color="black", label="f")
    for at, (color, style, marker) in zip(contacts, _lines(), strict=False):
        line = tangent_line(f, _pictured.point(xp, at, x))
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


def step_sweep(
    f: _pictured.Function,
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
    ax = _axes(ax)
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


def history(series: Any, /, *, ax: Any = None) -> Any:
    """Axes with what was recorded after each epoch.

    Parameters
    ----------
    series : mapping of names to sequences of numbers, or sequence of mappings
        ``{"loss": [2.3, 0.9, ...]}``, or one mapping of names to numbers for each
        epoch, ``[{"loss": 2.3}, {"loss": 0.9}, ...]``. Numbers may be 0-d arrays.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        A line for each name, with a colour, a style and a mark of its own, from epoch 1
        on. ``ax.set_yscale("log")`` where sizes differ.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If it is neither of the two, is empty, or an epoch lacks a name.

    Examples
    --------
    >>> import pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = history([{"loss": 2.3, "error": 0.8}, {"loss": 0.9, "error": 0.3}])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['loss', 'error']
    """
    lines = _pictured.named(series)
    ax = _axes(ax)
    for (name, values), (color, style, marker) in zip(
        lines.items(), _lines(), strict=False
    ):
        epochs = range(1, len(values) + 1)
        ax.plot(epochs, values, color=color, ls=style, marker=marker, ms=4, label=name)
    ax.set(xlabel="epoch", title="Training")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(loc="best", fontsize=8)
    return ax


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
    ax = _axes(ax)
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


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise ImportError("pictures need matplotlib: install xgrad[plot]") from None
    return plt.figure(layout="constrained").add_subplot()


def _lines() -> Iterator[tuple[str, str, str]]:
    """Colours, styles and marks, again from the beginning where they run out."""
    return itertools.cycle(LINES)


def _wider(along: Any) -> tuple[float, float]:
    """Room for the arrows that begin at the edge."""
    room = float(along[1] - along[0])
    return float(along[0]) - room, float(along[-1]) + room


# Reports


def _height(row: Comparison) -> float:
    """Within what a logarithmic axis can show."""
    return min(max(row.excess, FLOOR), 1 / FLOOR)


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
