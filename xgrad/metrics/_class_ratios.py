"""Metrics that each class has of its own, averaged over the classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xgrad._arrays import ArrayT, cast, one_of, public
from xgrad.metrics._classification_state import Classification, state_of_rows
from xgrad.metrics._confusion import AVERAGES, Average
from xgrad.metrics._labelled_rows import as_labelled_rows


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
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Fraction of rows given a label that truly have it, ``tp / (tp + fp)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> precision(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.precision, rows, *options)


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
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Fraction of rows of a class that were given its label, ``tp / (tp + fn)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> recall(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([0.5, 1. ])
    """
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.recall, rows, *options)


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
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Fraction of rows of other classes without the label, ``tn / (tn + fp)``.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> specificity(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([1. , 0.5])
    """
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.specificity, rows, *options)


@public
def jaccard(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    average: Average = "macro",
    positive: int = 1,
    zero_division: float = 0.0,
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Rows of a class given its label, over all with either, ``tp / (tp + fp + fn)``.

    Parameters, errors and result are described in `xgrad.metrics`.
    It is also called the intersection over union, IoU (Jaccard, New Phytologist 11(2),
    1912).

    Examples
    --------
    >>> import numpy as np
    >>> jaccard(np.array([0, 1, 1]), np.array([0, 0, 1]), average=None)
    array([0.5, 0.5])
    """
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.jaccard, rows, *options)


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
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
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
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.f1, rows, *options)


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
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Precision and recall together, recall ``beta`` times as important.

    The value is ``(1 + b**2) tp / ((1 + b**2) tp + b**2 fn + fp)``. A ``beta`` of 0
    gives the precision, infinity the recall, and 1 `f1` (van Rijsbergen, Information
    Retrieval, 2nd ed., chapter 7).

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> f_beta(np.array([0, 1, 1]), np.array([0, 0, 1]), beta=2, average=None)
    array([0.556, 0.833])
    """
    rows = prediction, target, weight, num_classes, ignore_index
    options = average, positive, zero_division, labels
    return _of_classes(Classification.f_beta, rows, *options, beta=beta)


@public
def balanced_accuracy(
    prediction: ArrayT,
    target: Any,
    *,
    num_classes: int | None = None,
    weight: Any = None,
    zero_division: float = math.nan,
    ignore_index: int | None = None,
    labels: Sequence[int] | None = None,
) -> ArrayT:
    """Mean of the recalls of the classes.

    A class without rows has no recall: by default it is left out, with
    ``zero_division=0.0`` it counts as a recall of 0.

    Parameters, errors and result are described in `xgrad.metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    np.float64(0.75)
    """
    rows = as_labelled_rows(prediction, target, weight, num_classes, ignore_index)
    state = state_of_rows(rows)
    value = state.balanced_accuracy(zero_division=zero_division, labels=labels)
    return cast(rows.xp, value, rows.dtype)


def _of_classes(
    metric: Callable[..., Any],
    rows: tuple[Any, ...],
    average: Average,
    positive: int,
    zero_division: float,
    labels: Sequence[int] | None,
    **options: Any,
) -> Any:
    """Return a metric of the state of rows, in the dtype of the prediction."""
    # The labels of a binary call may all be 0, and there are two classes still.
    is_binary = one_of("average", average, AVERAGES) == "binary"
    labelled = as_labelled_rows(*rows, min_classes=2 if is_binary else 1)
    value = metric(
        state_of_rows(labelled),
        average=average,
        positive=positive,
        zero_division=zero_division,
        labels=labels,
        **options,
    )
    return cast(labelled.xp, value, labelled.dtype)
