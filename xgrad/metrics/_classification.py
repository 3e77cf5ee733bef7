"""Metrics of classification."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import ArrayT, cast, integer, one_of, quiet
from xgrad._rules import Guard, weight_sum_check
from xgrad.metrics import _confusion
from xgrad.metrics._arguments import Rows, as_rows
from xgrad.metrics._classification_state import Classification as Classification
from xgrad.metrics._classification_state import of_rows
from xgrad.metrics._confusion import CONFIDENCE, Average, Normalize


def accuracy(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
) -> ArrayT:
    """Share of the rows whose label is right, by weight if there are weights.

    Parameters, errors and result are described at the top of this module; no rows, or
    weights that sum to 0, are a ``ValueError``.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    np.float64(0.5)
    """
    rows = as_rows(prediction, target, weight, num_classes)
    return _share(rows)


def accuracy_interval(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    confidence: float = 0.95,
) -> tuple[ArrayT, ArrayT]:
    """Lower and upper end of Wilson's interval for the `accuracy` of all rows.

    The rows are taken for a random sample; the interval holds the accuracy of all
    others with the given ``confidence``, between 0 and 1, and never leaves [0, 1]
    (Wilson, Journal of the American Statistical Association 22, 1927).

    Examples
    --------
    >>> import numpy as np
    >>> low, high = accuracy_interval(np.array([0, 1, 1]), np.array([0, 1, 1]))
    >>> print(f"{low:.3f} to {high:.3f}")
    0.439 to 1.000
    """
    rows = as_rows(prediction, target, None, num_classes)
    xp = rows.xp
    level = CONFIDENCE.validate("confidence", confidence)
    share = cast(xp, _share(rows), rows.wide)
    total = xp.full_like(share, float(rows.count))
    with quiet():
        low, high = _confusion.wilson(xp, share, total, level)
    return cast(xp, low, rows.dtype), cast(xp, high, rows.dtype)


def top_k_accuracy(
    prediction: ArrayT, target: Any, /, *, k: int, weight: Any = None
) -> ArrayT:
    """Share of the rows whose true class is among the ``k`` largest scores.

    The prediction holds scores ``(N, C)``, and ``k`` is at most C. Of equal scores the
    smaller class comes first, as it does for `accuracy`, which is ``k=1``.

    Examples
    --------
    >>> import numpy as np
    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2]]), np.array([1]), k=2)
    np.float64(1.0)
    """
    rows = as_rows(prediction, target, weight)
    if not rows.scores:
        raise ValueError(
            "labels have no second choice: `prediction` must hold scores (N, C)"
        )
    if integer("k", k, least=1) > rows.num_classes:
        raise ValueError(f"`k` is {k}, but there are only {rows.num_classes} classes")
    return _share(rows, k)


def confusion_matrix(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    normalize: Normalize = None,
    weight: Any = None,
) -> ArrayT:
    """How often each true class (row) was given each label (column).

    Parameters
    ----------
    prediction, target, num_classes, weight
        As described at the top of this module.
    normalize : {"true", "pred", "all"}, optional
        Divide by the sums of the rows, of the columns, or by the total. A sum of 0
        gives 0.

    Returns
    -------
    array, shape (C, C)
        int64 counts; floats with ``weight`` (float64 where the device has it) or with
        ``normalize``.

    Examples
    --------
    >>> import numpy as np
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]))
    array([[1, 1], [0, 1]])
    """
    rows = as_rows(prediction, target, weight, num_classes)
    found = of_rows(rows).confusion_matrix(normalize=normalize)
    return found if normalize is None else cast(rows.xp, found, rows.dtype)


def precision(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Share of the rows given a label that truly have it, ``tp / (tp + fp)``.

    Parameters, errors and result are described at the top of this module.

    Examples
    --------
    >>> import numpy as np
    >>> precision(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    state, rows = _counted(prediction, target, num_classes, weight, average)
    found = state.precision(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, found, rows.dtype)


def recall(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Share of the rows of a class that were given its label, ``tp / (tp + fn)``.

    Parameters, errors and result are described at the top of this module.

    Examples
    --------
    >>> import numpy as np
    >>> recall(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([0.5, 1. ])
    """
    state, rows = _counted(prediction, target, num_classes, weight, average)
    found = state.recall(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, found, rows.dtype)


def f1(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Harmonic mean of precision and recall, ``2 tp / (2 tp + fp + fn)``.

    Parameters, errors and result are described at the top of this module. Formula: van
    Rijsbergen, Information Retrieval (2nd ed.), chapter 7.

    Examples
    --------
    >>> import numpy as np
    >>> f1(np.array([0, 1, 1]), np.array([0, 0, 1]))
    np.float64(0.667)
    """
    return f_beta(
        prediction,
        target,
        beta=1.0,
        num_classes=num_classes,
        weight=weight,
        average=average,
        positive=positive,
        zero_division=zero_division,
    )


def f_beta(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    beta: float,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Precision and recall together, recall ``beta`` times as important.

    ``(1 + b**2) tp / ((1 + b**2) tp + b**2 fn + fp)``; 0 is the precision, infinity the
    recall, 1 is `f1` (van Rijsbergen, Information Retrieval, 2nd ed., chapter 7).

    Examples
    --------
    >>> import numpy as np
    >>> f_beta(np.array([0, 1, 1]), np.array([0, 0, 1]), beta=2, average=None)
    array([0.556, 0.833])
    """
    state, rows = _counted(prediction, target, num_classes, weight, average)
    found = state.f_beta(
        beta=beta, average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, found, rows.dtype)


def specificity(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Share of the rows of other classes without the label, ``tn / (tn + fp)``.

    Parameters, errors and result are described at the top of this module.

    Examples
    --------
    >>> import numpy as np
    >>> specificity(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    state, rows = _counted(prediction, target, num_classes, weight, average)
    found = state.specificity(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, found, rows.dtype)


def balanced_accuracy(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = math.nan,
) -> ArrayT:
    """Mean of the recalls of the classes.

    A class without rows has no recall: with the default it is left out, with
    ``zero_division=0.0`` it counts as never found.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    array(0.75)
    """
    state, rows = _counted(prediction, target, num_classes, weight)
    found = state.balanced_accuracy(zero_division=zero_division)
    return cast(rows.xp, found, rows.dtype)


def matthews(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Matthews' correlation coefficient of predicted and true labels, of any classes.

    From -1 to 1; undefined where all predictions, or all targets, are one class
    (Gorodkin, Computational Biology and Chemistry 28, 2004, eq. 8).

    Examples
    --------
    >>> import numpy as np
    >>> matthews(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    array(0.577)
    """
    state, rows = _counted(prediction, target, num_classes, weight)
    found = state.matthews(zero_division=zero_division)
    return cast(rows.xp, found, rows.dtype)


def cohen_kappa(
    prediction: ArrayT,
    target: Any,
    /,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Agreement of predicted and true labels beyond that of labels given at random.

    From -1 to 1; undefined where all labels, predicted and true, are one class (Cohen,
    Educational and Psychological Measurement 20(1), 1960).

    Examples
    --------
    >>> import numpy as np
    >>> cohen_kappa(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    array(0.5)
    """
    state, rows = _counted(prediction, target, num_classes, weight)
    found = state.cohen_kappa(zero_division=zero_division)
    return cast(rows.xp, found, rows.dtype)


def _counted(
    prediction: Any,
    target: Any,
    num_classes: int | None,
    weight: Any,
    average: Average = None,
) -> tuple[Classification, Rows]:
    binary = one_of("average", average, _confusion.AVERAGES) == "binary"
    least = 2 if binary else 1
    rows = as_rows(prediction, target, weight, num_classes, least=least)
    return of_rows(rows), rows


def _share(rows: Rows, k: int | None = None) -> Any:
    """Weighted share of right rows: those with one of the ``k`` largest scores."""
    if rows.count == 0:
        raise ValueError("the share of right rows is undefined where there are no rows")
    xp, weight = rows.xp, rows.weight()
    with quiet():
        if weight is None and k is None:
            return cast(xp, rows.right() / rows.count, rows.dtype)
        if weight is None:
            hits = cast(xp, rows.hits(k), rows.wide)
            return cast(xp, xp.sum(hits) / rows.count, rows.dtype)
        guard = Guard(xp, active=True)
        whole = xp.sum(weight)
        whole = guard(whole, [weight_sum_check(whole)])
        hits = cast(xp, rows.hits(k, also=guard.recorded), rows.wide)
        return cast(xp, xp.sum(hits * weight) / whole, rows.dtype)
