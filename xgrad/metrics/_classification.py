"""Metrics of classification, each of all rows at once."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import ArrayT, cast, integer, public, quiet
from xgrad.metrics import _confusion
from xgrad.metrics._classification_state import state_of_rows
from xgrad.metrics._confusion import CONFIDENCE, KappaWeights, Normalize
from xgrad.metrics._labelled_rows import LabelledRows, as_labelled_rows
from xgrad.metrics._report import ClassificationReport


@public
def accuracy(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    ignore_index: int | None = None,
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
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    return _accuracy(rows)


@public
def accuracy_interval(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    confidence: float = 0.95,
    ignore_index: int | None = None,
) -> tuple[ArrayT, ArrayT]:
    """Lower and upper end of Wilson's confidence interval for the `accuracy`.

    If the rows are a random sample, the interval contains the accuracy in the whole
    population with probability ``confidence``, between 0 and 1. It never leaves [0, 1]
    (Wilson, Journal of the American Statistical Association 22, 1927).

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = accuracy_interval(np.array([0, 1, 1]), np.array([0, 1, 1]))
    >>> print(f"{low:.3f} to {high:.3f}")
    0.439 to 1.000
    """
    # There are no weights here: the formula counts independent rows.
    rows = as_labelled_rows(prediction, target, None, num_classes, ignore_index)
    xp = rows.xp
    level = CONFIDENCE.validate("confidence", confidence)
    counts = _correct_and_wrong(rows)
    with quiet():
        total = counts[0] + counts[1]
        fraction = counts[0] / total
        low, high = _confusion.wilson_interval(xp, fraction, total, level)
    return cast(xp, low, rows.dtype), cast(xp, high, rows.dtype)


@public
def top_k_accuracy(
    prediction: ArrayT,
    target: Any,
    *,
    k: int,
    weight: Any = None,
    ignore_index: int | None = None,
) -> ArrayT:
    """Fraction of rows whose true class is among the ``k`` largest scores.

    The prediction holds scores ``(N, C)``, and ``k`` is at most C. Of equal scores the
    one with the smaller class comes first, as in `accuracy`, which is ``k=1``;
    scikit-learn takes the larger class.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2]]), np.array([1]), k=2)
    np.float64(1.0)
    """
    rows = as_labelled_rows(prediction, target, weight, ignore_index=ignore_index)
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
    ignore_index: int | None = None,
) -> ArrayT:
    """Number of rows of each true class (row) that were given each label (column).

    Parameters
    ----------
    prediction, target, num_classes, weight, ignore_index
        As described in `xgrad.metrics`, with their errors.
    normalize : {"true", "pred", "all"}, optional
        Divide by the sums of the rows, of the columns, or by the total. A sum of 0
        gives fractions of 0.

    Returns
    -------
    array, shape (C, C)
        int64 counts, also of integer weights; floats with other weights (float64 where
        the device has it) or with ``normalize``.

    Examples
    --------
    >>> import numpy as np
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]))
    array([[1, 1], [0, 1]])
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    matrix = state_of_rows(rows).confusion_matrix(normalize=normalize)
    return matrix if normalize is None else cast(rows.xp, matrix, rows.dtype)


@public
def matthews(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    ignore_index: int | None = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Matthews' correlation coefficient of predicted and true labels.

    It lies between -1 and 1 for any number of classes, and is undefined if all
    predictions, or all targets, are of one class (Gorodkin, Computational Biology and
    Chemistry 28, 2004, eq. 8).

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> matthews(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    np.float64(0.577)
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    value = state_of_rows(rows).matthews(zero_division=zero_division)
    return cast(rows.xp, value, rows.dtype)


@public
def cohen_kappa(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    weights: KappaWeights = None,
    ignore_index: int | None = None,
    zero_division: float = 0.0,
) -> ArrayT:
    """Agreement of predicted and true labels beyond that of labels given at random.

    It lies between -1 and 1, and is undefined if all labels, predicted and true, are of
    one class (Cohen, Educational and Psychological Measurement 20(1), 1960). Where the
    classes are in order, ``weights`` counts a wrong label by its distance from the true
    one: ``"linear"``, or ``"quadratic"``, its square (Cohen, Psychological Bulletin
    70(4), 1968). The weights of rows are ``weight``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> cohen_kappa(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    np.float64(0.5)
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    state = state_of_rows(rows)
    value = state.cohen_kappa(weights=weights, zero_division=zero_division)
    return cast(rows.xp, value, rows.dtype)


@public
def classification_report(
    prediction: ArrayT,
    target: Any,
    *,
    names: Any = None,
    num_classes: int | None = None,
    weight: Any = None,
    ignore_index: int | None = None,
) -> ClassificationReport:
    """Table of precision, recall, F1 and rows of each class, averages, and accuracy.

    It prints as a table, in notebooks too, and is a mapping: ``report["cat"]["f1"]``.

    Parameters
    ----------
    prediction, target, num_classes, weight, ignore_index
        As described in `xgrad.metrics`, with their errors.
    names : sequence of str, optional
        Different names of the classes, else ``ValueError``; by default their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> classification_report(np.array([0, 1, 1]), np.array([0, 0, 1]))
               precision     recall         f1    support
           0      1.0000     0.5000     0.6667          2
           1      0.5000     1.0000     0.6667          1
       macro      0.7500     0.7500     0.6667          3
    weighted      0.8333     0.6667     0.6667          3
    accuracy      0.6667
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    return state_of_rows(rows).report(names=names)


def _accuracy(rows: LabelledRows, k: int | None = None) -> Any:
    """Return the fraction of correct rows: by the label, or by the ``k`` best scores.

    It is weighted if the rows are.
    """
    counts = _correct_and_wrong(rows, k)
    with quiet():
        return cast(rows.xp, counts[0] / (counts[0] + counts[1]), rows.dtype)


def _correct_and_wrong(rows: LabelledRows, k: int | None = None) -> Any:
    """Return how many rows are right and how many wrong, or their weights."""
    if rows.count == 0:
        raise ValueError("the `accuracy` of no rows is undefined: skip the empty batch")
    # Without a confusion matrix, which grows with the square of the number of classes.
    with quiet():
        return rows.correct_and_wrong(k)
