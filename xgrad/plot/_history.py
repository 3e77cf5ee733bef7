"""Plot of the course of a training."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from xgrad._arrays import one_of
from xgrad.plot._axes import axes_for, line_styles
from xgrad.plot._values import series_by_name

# Words of metrics that are best at 1, while a loss is best at 0: a scale that fits one
# of them hides the other.
SCORES = (
    *("accuracy", "precision", "recall", "f1", "specificity", "auc", "kappa"),
    *("matthews", "jaccard", "r2", "explained_variance"),
)


def history(
    series: Any, /, *, right: Collection[str] | None = None, ax: Any = None
) -> Any:
    """Draw the numbers that were recorded after each epoch.

    Parameters
    ----------
    series : mapping of names to sequences of numbers, or sequence of mappings
        ``{"loss": [2.3, 0.9, ...]}`` or a DataFrame, or one mapping of names to numbers
        for each epoch, ``[{"loss": 2.3}, {"loss": 0.9}, ...]``. Numbers may be 0-d
        arrays.
    right : collection of str, optional
        Names of series that are drawn on an axis of their own, on the right. By default
        these are metrics that are best at 1, such as ``"accuracy"`` or ``"test f1"``,
        if there are others, such as ``"loss"``; ``()`` draws all on one axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes on the left, with one line for each name, from epoch 1 on. Lines differ
        in colour, style and marker. ``ax.set_yscale("log")`` helps if their sizes
        differ. The axes on the right, if there are any, are ``ax.figure.axes[-1]``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If ``series`` is neither of the two, is empty, or an epoch lacks a name, or if
        ``right`` names no series, or all of them.

    Examples
    --------
    >>> import pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = history([{"loss": 2.3, "error": 0.8}, {"loss": 0.9, "error": 0.3}])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['loss', 'error']
    """
    lines = series_by_name(series)
    on_right = _scores(lines) if right is None else _validate(right, lines)
    ax = axes_for(ax)
    twin: Any = ax.twinx() if on_right else None
    handles = []
    for (name, values), (color, style, marker) in zip(
        lines.items(), line_styles(), strict=False
    ):
        epochs = range(1, len(values) + 1)
        # With markers, since a single epoch is no line.
        handles += (twin if name in on_right else ax).plot(
            epochs, values, color=color, ls=style, marker=marker, ms=4, label=name
        )
    ax.set(xlabel="epoch", title="Training")
    # A short history would have ticks at half epochs.
    ax.xaxis.get_major_locator().set_params(integer=True)
    if twin is not None:
        ax.set_ylabel(", ".join(str(name) for name in lines if name not in on_right))
        twin.set_ylabel(", ".join(str(name) for name in lines if name in on_right))
        # The legend of the axes on the left must not lie below the lines of the right.
        ax.set_zorder(twin.get_zorder() + 1)
        ax.patch.set_visible(False)
    # "best" knows the lines of one axis alone. Between a loss, which falls, and a
    # score, which rises, there is room at the end.
    place = "best" if twin is None else "center right"
    ax.legend(handles=handles, loc=place, fontsize=8)
    return ax


def _scores(names: Collection[Any]) -> set[Any]:
    """Return the names of metrics that are best at 1; none if there are no others."""
    scores = {
        name
        for name in names
        if any(word in str(name).lower().replace(" ", "_") for word in SCORES)
    }
    return scores if len(scores) < len(names) else set()


def _validate(right: Collection[str], names: Collection[Any]) -> set[Any]:
    """Return the names that ``right`` holds; raise unless some others are left."""
    if isinstance(right, str) or not isinstance(right, Collection):
        raise TypeError(f"`right` must be a collection of names; got {right!r}")
    on_right = {one_of("right", name, names) for name in right}
    if len(on_right) == len(names):
        raise ValueError(
            "`right` names all series: leave one of them for the left axis"
        )
    return on_right
