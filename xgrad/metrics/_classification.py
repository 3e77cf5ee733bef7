"""Metrics of classification, each of all rows at once."""

from __future__ import annotations

import math
from typing import Any

from xgrad._arrays import ArrayT, cast, integer, one_of, public, quiet
from xgrad._rules import Guard, weight_sum_check
from xgrad.metrics import _confusion
from xgrad.metrics._classification_state import Classification, state_of_rows
from xgrad.metrics._confusion import CONFIDENCE, Average, Normalize
from xgrad.metrics._labelled_rows import LabelledRows, as_labelled_rows


@public
def accuracy(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
) -> ArrayT:
    """Fraction of rows that are classified correctly (weighted, if weights are given).

    Parameters, errors and result are described in `xgrad.metrics`. No rows, or weights
    that sum to 0, raise ``ValueError``.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    np.float64(0.5)
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes)
    return _accuracy(rows)


@public
def accuracy_interval(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    confidence: float = 0.95,
) -> tuple[ArrayT, ArrayT]:
    """Lower and upper end of Wilson's confidence interval for the `accuracy`.

    If the rows are a random sample, the interval contains the accuracy in the whole
    population with probability ``confidence``, between 0 and 1. It never leaves [0, 1]
    (Wilson, Journal of the American Statistical Association 22, 1927).

    Examples
    --------
    >>> import numpy as np
    >>> low, high = accuracy_interval(np.array([0, 1, 1]), np.array([0, 1, 1]))
    >>> print(f"{low:.3f} to {high:.3f}")
    0.439 to 1.000
    """
    rows = as_labelled_rows(prediction, target, None, num_classes)
    xp = rows.xp
    # There are no weights here: the formula counts independent rows.
    level = CONFIDENCE.validate("confidence", confidence)
    fraction = cast(xp, _accuracy(rows), rows.sum_dtype)
    total = xp.full_like(fraction, float(rows.count))
    with quiet():
        low, high = _confusion.wilson_interval(xp, fraction, total, level)
    return cast(xp, low, rows.dtype), cast(xp, high, rows.dtype)


@public
def top_k_accuracy(
    prediction: ArrayT, target: Any, *, k: int, weight: Any = None
) -> ArrayT:
    """Fraction of rows whose true class is among the ``k`` largest scores.

    The prediction holds scores ``(N, C)``, and ``k`` is at most C. Of equal scores the
    one with the smaller class comes first, as in `accuracy`, which is ``k=1``.

    Examples
    --------
    >>> import numpy as np
    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2]]), np.array([1]), k=2)
    np.float64(1.0)
    """
    rows = as_labelled_rows(prediction, target, weight)
    if not rows.has_scores:
        raise ValueError(
            "`prediction` must hold scores (N, C), but holds labels, which do not tell "
            "the second choice: pass the scores that the labels were made from"
        )
    if integer("k", k, least=1) > rows.num_classes:
        raise ValueError(
            f"`k` is {k}, but there are only {rows.num_classes} classes: give at most "
            "their number"
        )
    return _accuracy(rows, k)


@public
def confusion_matrix(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    normalize: Normalize = None,
    weight: Any = None,
) -> ArrayT:
    """Number of rows of each true class (row) that were given each label (column).

    Parameters
    ----------
    prediction, target, num_classes, weight
        As described in `xgrad.metrics`.
    normalize : {"true", "pred", "all"}, optional
        Divide by the sums of the rows, of the columns, or by the total. A sum of 0
        gives fractions of 0.

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
    rows = as_labelled_rows(prediction, target, weight, num_classes)
    matrix = state_of_rows(rows).confusion_matrix(normalize=normalize)
    return matrix if normalize is None else cast(rows.xp, matrix, rows.dtype)


@public
def precision(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Fraction of rows given a label that truly have it, ``tp / (tp + fp)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> precision(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    state, rows = _count(prediction, target, num_classes, weight, average)
    value = state.precision(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, value, rows.dtype)


@public
def recall(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Fraction of rows of a class that were given its label, ``tp / (tp + fn)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> recall(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([0.5, 1. ])
    """
    state, rows = _count(prediction, target, num_classes, weight, average)
    value = state.recall(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, value, rows.dtype)


@public
def f1(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Harmonic mean of precision and recall, ``2 tp / (2 tp + fp + fn)``.

    Parameters, errors and result are described in `xgrad.metrics` (van Rijsbergen,
    Information Retrieval, 2nd ed., chapter 7).

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


@public
def f_beta(
    prediction: ArrayT,
    target: Any,
    *,
    beta: float,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Precision and recall together, recall ``beta`` times as important.

    The value is ``(1 + b**2) tp / ((1 + b**2) tp + b**2 fn + fp)``. A ``beta`` of 0
    gives the precision, infinity the recall, and 1 `f1` (van Rijsbergen, Information
    Retrieval, 2nd ed., chapter 7).

    Examples
    --------
    >>> import numpy as np
    >>> f_beta(np.array([0, 1, 1]), np.array([0, 0, 1]), beta=2, average=None)
    array([0.556, 0.833])
    """
    state, rows = _count(prediction, target, num_classes, weight, average)
    value = state.f_beta(
        beta=beta, average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, value, rows.dtype)


@public
def specificity(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
) -> ArrayT:
    """Fraction of rows of other classes without the label, ``tn / (tn + fp)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> specificity(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    state, rows = _count(prediction, target, num_classes, weight, average)
    value = state.specificity(
        average=average, positive=positive, zero_division=zero_division
    )
    return cast(rows.xp, value, rows.dtype)


@public
def balanced_accuracy(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = math.nan,
) -> ArrayT:
    """Mean of the recalls of the classes.

    A class without rows has no recall: by default it is left out, with
    ``zero_division=0.0`` it counts as a recall of 0.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    array(0.75)
    """
    state, rows = _count(prediction, target, num_classes, weight)
    value = state.balanced_accuracy(zero_division=zero_division)
    return cast(rows.xp, value, rows.dtype)


@public
def matthews(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Matthews' correlation coefficient of predicted and true labels.

    It lies between -1 and 1 for any number of classes, and is undefined if all
    predictions, or all targets, are of one class (Gorodkin, Computational Biology and
    Chemistry 28, 2004, eq. 8).

    Examples
    --------
    >>> import numpy as np
    >>> matthews(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    array(0.577)
    """
    state, rows = _count(prediction, target, num_classes, weight)
    value = state.matthews(zero_division=zero_division)
    return cast(rows.xp, value, rows.dtype)


@public
def cohen_kappa(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Agreement of predicted and true labels beyond that of labels given at random.

    It lies between -1 and 1, and is undefined if all labels, predicted and true, are of
    one class (Cohen, Educational and Psychological Measurement 20(1), 1960).

    Examples
    --------
    >>> import numpy as np
    >>> cohen_kappa(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    array(0.5)
    """
    state, rows = _count(prediction, target, num_classes, weight)
    value = state.cohen_kappa(zero_division=zero_division)
    return cast(rows.xp, value, rows.dtype)


def _count(
    prediction: Any,
    target: Any,
    num_classes: int | None,
    weight: Any,
    average: Average = None,
) -> tuple[Classification, LabelledRows]:
    """Return the counts of all rows as a state, and the rows."""
    is_binary = one_of("average", average, _confusion.AVERAGES) == "binary"
    # The labels of a binary call may all be 0, and there are two classes still.
    rows = as_labelled_rows(
        prediction, target, weight, num_classes, min_classes=2 if is_binary else 1
    )
    # A state computes in float64, and its callers cast to the dtype of the rows.
    return state_of_rows(rows), rows


def _accuracy(rows: LabelledRows, k: int | None = None) -> Any:
    """Return the fraction of correct rows: by the label, or by the ``k`` best scores.

    It is weighted if the rows are.
    """
    if rows.count == 0:
        raise ValueError("the accuracy of no rows is undefined: skip the empty batch")
    # Without a confusion matrix, which grows with the square of the number of classes.
    xp, weight = rows.xp, rows.weight()
    with quiet():
        if weight is None and k is None:
            return cast(xp, rows.count_correct() / rows.count, rows.dtype)
        if weight is None:
            is_correct = cast(xp, rows.is_correct(k), rows.sum_dtype)
            return cast(xp, xp.sum(is_correct) / rows.count, rows.dtype)
        guard = Guard(xp, active=True)
        weight_sum = xp.sum(weight)
        weight_sum = guard(weight_sum, [weight_sum_check(weight_sum)])
        # Made along with the checks of labels, so that the host waits once.
        is_correct = rows.is_correct(k, more_checks=guard.recorded)
        is_correct = cast(xp, is_correct, rows.sum_dtype)
        return cast(xp, xp.sum(is_correct * weight) / weight_sum, rows.dtype)
