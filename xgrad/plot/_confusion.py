"""Plot of a confusion matrix."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from xgrad._arrays import public, require_array, to_numpy
from xgrad.plot._axes import axes_for

# Of more classes the numbers would be too small to read, and they are left out.
MOST_NUMBERS = 20
# From this part of the colour scale on, white letters are easier to read than black
# ones: "Blues" falls below half of the brightness of white there.
DARK = 0.6


@public
def confusion(counts: Any, /, *, names: Any = None, ax: Any = None) -> Any:
    """Draw a confusion matrix: a cell for each true class and each predicted one.

    A cell is the darker, the larger its share of the rows of its true class is, and
    shows its count. Of more than 20 classes only the colours are drawn. The darkest
    colour is that of the largest share.

    Parameters
    ----------
    counts : array of shape (C, C)
        Rows are true classes, columns predicted ones, as
        `xgrad.metrics.confusion_matrix` gives them: counts, sums of weights, or
        fractions, not negative.
    names : sequence of str, optional
        Names of the classes; by default their numbers.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with the classes as ticks.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If ``counts`` is no such array, or ``names`` are not as many as classes.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = confusion(np.array([[9, 1], [2, 8]]), names=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['9', '1', '2', '8']
    """
    matrix = _require_counts(counts)
    labels = class_names(names, len(matrix))
    ax = axes_for(ax)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.where(totals == 0, 1, totals)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=shares.max() or 1)
    ax.figure.colorbar(image, ax=ax, label="share of the true class")
    if len(matrix) <= MOST_NUMBERS:
        _write_numbers(ax, matrix, image.norm(shares))
        ticks = range(len(matrix))
        # Long names side by side would overlap.
        slanted = {"rotation": 45, "rotation_mode": "anchor", "ha": "right"}
        ax.set_xticks(ticks, labels, **slanted if max(map(len, labels)) > 3 else {})
        ax.set_yticks(ticks, labels)
    ax.set(xlabel="predicted class", ylabel="true class", title="Confusion matrix")
    return ax


def _write_numbers(ax: Any, matrix: np.ndarray, darkness: np.ndarray) -> None:
    """Write the count of each cell in letters that stand out from its colour."""
    are_counts = bool(np.all(matrix == np.round(matrix)))
    for row, column in np.ndindex(matrix.shape):
        value = matrix[row, column]
        ax.text(
            column,
            row,
            f"{value:.0f}" if are_counts else f"{value:.2g}",
            ha="center",
            va="center",
            fontsize=9 if len(matrix) <= 10 else 6,
            color="white" if darkness[row, column] > DARK else "black",
        )


def _require_counts(counts: Any) -> np.ndarray:
    """Return the counts on the host; raise unless they are a confusion matrix."""
    require_array("counts", counts)
    matrix = np.asarray(to_numpy(counts))
    if matrix.dtype.kind not in "iuf":
        raise TypeError(f"`counts` must hold numbers, but its dtype is {matrix.dtype}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(
            f"`counts` has shape {matrix.shape}, but must be (C, C): pass what "
            "`metrics.confusion_matrix` returns"
        )
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        raise ValueError("`counts` must be finite and not negative")
    return matrix


def class_names(names: Any, count: int) -> list[str]:
    """Return a name for each class; by default their numbers."""
    if names is None:
        return [str(k) for k in range(count)]
    try:
        # One more than is needed tells too many, of an endless iterator as well.
        labels = [str(name) for name in itertools.islice(names, count + 1)]
    except TypeError:
        raise TypeError(f"`names` must be {count} names; got {names!r}") from None
    if len(labels) != count:
        raise ValueError(f"`names` must be {count} names; got {names!r}")
    return labels
