"""Plot of receiver operating characteristics."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import public, to_numpy
from xgrad.metrics import roc_auc, roc_curve
from xgrad.plot._axes import axes_for, line_styles
from xgrad.plot._confusion import class_names

# A picture is about 500 pixels wide and high: of a curve along both sides it shows no
# more points than twice that.
RESOLUTION = 1000


@public
def roc(
    prediction: Any,
    target: Any,
    /,
    *,
    positive: int = 1,
    weight: Any = None,
    names: Any = None,
    ax: Any = None,
) -> Any:
    """Draw the rate of true positives over that of false ones, with the area below.

    Of two classes it is one curve; of more, one of each class against the rest. The
    dashed diagonal is what scores without information give.

    Parameters
    ----------
    prediction : array of real numbers, shape (N,) or (N, C)
        Scores of the class ``positive`` of two, or of all classes.
    target : array of integers or booleans, shape (N,)
        True labels.
    positive, weight
        As in `xgrad.metrics.roc_auc`.
    names : sequence of str, optional
        Names of the classes, for the legend; by default their numbers.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default new ones.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Lines differ in colour, style and marker, and the legend tells the
        area of each.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        As `xgrad.metrics.roc_curve`, and if ``names`` are not as many as classes.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("matplotlib").use("Agg")
    >>> ax = roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['area 0.750', 'no information']
    """
    area = roc_auc(prediction, target, positive=positive, weight=weight, average=None)
    areas = np.atleast_1d(to_numpy(area))
    several = len(areas) > 1
    labels = class_names(names, len(areas) if several else 2)
    if not several:
        labels = [] if names is None else [labels[positive]]
    ax = axes_for(ax)
    for k, (value, (color, style, marker)) in enumerate(
        zip(areas, line_styles(), strict=False)
    ):
        x, y = _rates(prediction, target, k if several else None, positive, weight)
        # A mark here and there tells the lines apart in a grey print, too.
        marks = {"marker": marker, "ms": 4, "markevery": (0.03 * k, 0.2)}
        label = ", ".join([*labels[k : k + 1], f"area {value:.3f}"])
        ax.plot(x, y, color=color, ls=style, label=label, **marks)
    ax.plot([0, 1], [0, 1], color="0.5", ls="--", lw=0.8, label="no information")
    ax.set(
        xlabel="rate of false positives",
        ylabel="rate of true positives",
        title="Receiver operating characteristic",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    # A curve below the diagonal leaves the other corner free.
    is_above = np.nanmean(areas) >= 0.5 if np.isfinite(areas).any() else True
    ax.legend(loc="lower right" if is_above else "upper left", fontsize=8)
    return ax


def _rates(
    prediction: Any, target: Any, label: int | None, positive: int, weight: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return both rates of a class against the rest, or of two classes, on the host."""
    if label is None:
        curve = roc_curve(prediction, target, positive=positive, weight=weight)
    else:
        curve = roc_curve(prediction[:, label], target == label, weight=weight)
    return _visible(to_numpy(curve[0]), to_numpy(curve[1]))


def _visible(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a rising curve that a picture can tell apart."""
    if len(x) <= 2 * RESOLUTION:
        return x, y
    # Both coordinates rise: where their sum has not moved by a pixel, neither has.
    pixel = np.floor((x + y) * RESOLUTION)
    is_new = np.concatenate([[True], pixel[1:] != pixel[:-1]])
    is_new[-1] = True
    return x[is_new], y[is_new]
