"""Plot of the course of a training."""

from __future__ import annotations

from typing import Any

from xgrad.plot._axes import axes_for, line_styles
from xgrad.plot._values import series_by_name


def history(series: Any, /, *, ax: Any = None) -> Any:
    """Draw the numbers that were recorded after each epoch.

    Parameters
    ----------
    series : mapping of names to sequences of numbers, or sequence of mappings
        ``{"loss": [2.3, 0.9, ...]}``, or one mapping of names to numbers for each
        epoch, ``[{"loss": 2.3}, {"loss": 0.9}, ...]``. Numbers may be 0-d arrays.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with one line for each name, from epoch 1 on. Lines differ in colour,
        style and marker. ``ax.set_yscale("log")`` helps if their sizes differ.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If ``series`` is neither of the two, is empty, or an epoch lacks a name.

    Examples
    --------
    >>> import pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = history([{"loss": 2.3, "error": 0.8}, {"loss": 0.9, "error": 0.3}])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['loss', 'error']
    """
    lines = series_by_name(series)
    ax = axes_for(ax)
    for (name, values), (color, style, marker) in zip(
        lines.items(), line_styles(), strict=False
    ):
        epochs = range(1, len(values) + 1)
        # With markers, since a single epoch is no line.
        ax.plot(epochs, values, color=color, ls=style, marker=marker, ms=4, label=name)
    ax.set(xlabel="epoch", title="Training")
    # A short history would have ticks at half epochs.
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(loc="best", fontsize=8)
    return ax
