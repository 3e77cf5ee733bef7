"""Metrics of classification, all from one confusion count, and of regression.

A prediction comes first and a target second. Predictions are labels ``(N,)`` of any
integer dtype, or scores ``(N, C)`` whose largest entry (the first of equals) is the
label; targets are labels ``(N,)``. Labels are always checked, which waits for the
device once; with ``num_classes=`` (or scores) nothing else does. Everywhere:

==================  ==================================================================
``num_classes``     number of classes; by default the columns of the scores, or one
                    more than the largest label
``weight``          array ``(N,)``, the weight of each row
``average``         ``"macro"`` (default) is the mean over all classes, ``"weighted"``
                    that mean weighted by the true rows of each class, ``"micro"`` pools
                    the counts, ``"binary"`` is the class ``positive`` of two, and
                    ``None`` gives an array ``(C,)``
``positive``        the class that ``average="binary"`` is about
``zero_division``   value where nothing can be counted (0/0): 0.0, 1.0, or nan, which is
                    left out of averages
==================  ==================================================================

Results are 0-d arrays of the same library and device: of the dtype of the scores, or of
the default float for labels. ``TypeError`` is raised for a wrong dtype or a mixture of
libraries, ``ValueError`` for a wrong shape, a label out of range or a ``nan`` score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from xgrad._array import (
    Array,
    ArrayT,
    as_float,
    as_index,
    cast,
    common_namespace,
    default_dtype,
    integer,
    is_floating,
    is_integral,
    one_of,
    present,
    quiet,
    wide_dtype,
)
from xgrad._guard import Check, enforce
from xgrad._labels import as_labels, confusion_counts
from xgrad.losses import mean_absolute_error as mean_absolute_error
from xgrad.losses import mean_squared_error as mean_squared_error
from xgrad.losses import root_mean_squared_error as root_mean_squared_error

Average = Literal["macro", "micro", "weighted", "binary"] | None
Normalize = Literal["true", "pred", "all"] | None
AVERAGES = ("macro", "micro", "weighted", "binary", None)


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
    rows = _rows(prediction, target, num_classes, weight, at_least_one=True)
    xp = rows.xp
    with quiet():
        right = cast(xp, rows.prediction == rows.target, rows.wide)
        if rows.weight is None:
            share = xp.sum(right) / right.shape[0]
        else:
            share = xp.sum(right * rows.weight) / xp.sum(rows.weight)
        return cast(xp, share, rows.dtype)


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
    one_of("normalize", normalize, (None, "true", "pred", "all"))
    rows = _rows(prediction, target, num_classes, weight)
    xp = rows.xp
    with quiet():
        counts = rows.counts()
        if normalize is None:
            return counts if weight is not None else as_index(xp, counts)
        counts = cast(xp, counts, rows.wide)
        axis = {"true": 1, "pred": 0, "all": None}[normalize]
        shares = _ratio(xp, counts, xp.sum(counts, axis=axis, keepdims=True), 0.0)
        return cast(xp, shares, rows.dtype)


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
    rows = _rows(prediction, target, num_classes, weight, average, positive)
    return _averaged(
        rows, lambda tp, fp, fn: (tp, tp + fp), average, positive, zero_division
    )


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
    rows = _rows(prediction, target, num_classes, weight, average, positive)
    return _averaged(
        rows, lambda tp, fp, fn: (tp, tp + fn), average, positive, zero_division
    )


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
    array(0.667)
    """
    rows = _rows(prediction, target, num_classes, weight, average, positive)
    return _averaged(
        rows,
        lambda tp, fp, fn: (2 * tp, 2 * tp + fp + fn),
        average,
        positive,
        zero_division,
    )


@dataclass(frozen=True)
class Rows:
    """Checked labels of a call, ready to count."""

    xp: Any
    prediction: Array  # labels to index with, (N,)
    target: Array
    num_classes: int
    weight: Array | None  # in the wide dtype
    dtype: Any  # of the result
    wide: Any  # to sum in

    def counts(self) -> Array:
        """Confusion matrix: rows are true classes, columns predicted ones."""
        return confusion_counts(
            self.xp, self.target, self.prediction, self.num_classes, self.weight
        )


def _rows(
    prediction: Any,
    target: Any,
    num_classes: int | None,
    weight: Any,
    average: Average = None,
    positive: int = 0,
    *,
    at_least_one: bool = False,
) -> Rows:
    """Check the arguments that all metrics share; the host waits at most twice."""
    one_of("average", average, AVERAGES)
    xp = common_namespace(
        prediction=prediction, target=target, **present(weight=weight)
    )
    scores = _require_shapes(xp, prediction, target, weight)
    if at_least_one and target.shape[0] == 0:
        raise ValueError("the share of right rows is undefined where there are no rows")
    least = 2 if average == "binary" else 1
    classes = _number_of_classes(xp, prediction, target, num_classes, scores, least)
    _require_two(average, classes, positive)
    goal, in_range = as_labels(xp, "target", target, classes)
    checks = [in_range]
    if scores:
        checks.append(_no_nan(xp, prediction))
        labels = as_index(xp, xp.argmax(prediction, axis=-1))
    else:
        labels, in_range = as_labels(xp, "prediction", prediction, classes)
        checks.append(in_range)
    dtype = default_dtype(xp, "real floating", target)
    if is_floating(xp, prediction):
        dtype = as_float(xp, "prediction", prediction[:0, ...]).dtype
    wide = wide_dtype(xp, cast(xp, target[:0], dtype))
    if weight is not None:
        weight = cast(xp, weight, wide)
        if at_least_one:
            checks.append(_not_weightless(xp, weight))
    enforce(xp, checks)
    return Rows(xp, labels, goal, classes, weight, dtype, wide)


def _require_shapes(xp: Any, prediction: Array, target: Array, weight: Any) -> bool:
    """Check shapes and kinds; true where the prediction holds scores."""
    shape, given = tuple(prediction.shape), tuple(target.shape)
    if len(given) == 2 and len(shape) == 1 and is_integral(xp, prediction):
        raise ValueError(
            f"the arguments look swapped: `prediction` has shape {shape} and `target` "
            f"{given}; predictions come first: metric(prediction, target)"
        )
    if len(given) != 1 or len(shape) not in (1, 2) or shape[0] != given[0]:
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {given}, but they must be "
            "labels (N,) or scores (N, C), and labels (N,): reshape or cut them to fit"
        )
    if len(shape) == 2 and not (
        shape[1] and xp.isdtype(prediction.dtype, ("real floating", "integral"))
    ):
        raise TypeError(
            f"`prediction` has shape {shape} and dtype {prediction.dtype}, but scores "
            "are real numbers (N, C) with a column for each class"
        )
    if weight is not None:
        if tuple(weight.shape) != given:
            raise ValueError(
                f"`weight` has shape {tuple(weight.shape)}, but must have one entry "
                f"for each row, {given}"
            )
        if not xp.isdtype(weight.dtype, ("real floating", "integral", "bool")):
            raise TypeError(
                f"`weight` must hold real numbers, but its dtype is {weight.dtype}"
            )
    return len(shape) == 2


def _number_of_classes(
    xp: Any,
    prediction: Array,
    target: Array,
    num_classes: int | None,
    scores: bool,
    least: int,
) -> int:
    if num_classes is not None:
        num_classes = integer("num_classes", num_classes, least=1)
    if scores:
        columns = int(prediction.shape[1])
        if num_classes not in (None, columns):
            raise ValueError(
                f"`num_classes` is {num_classes}, but `prediction` has {columns} "
                "columns of scores: leave `num_classes` out"
            )
        return columns
    if num_classes is not None:
        return num_classes
    if target.shape[0] == 0:
        raise ValueError(
            "there are no labels to count the classes by: give `num_classes`"
        )
    for name, labels in (("prediction", prediction), ("target", target)):
        as_labels(xp, name, labels, 1)  # refuse floats before they are counted
    largest = xp.maximum(xp.max(as_index(xp, prediction)), xp.max(as_index(xp, target)))
    return max(int(largest) + 1, least)


def _require_two(average: Average, classes: int, positive: Any) -> None:
    if average != "binary":
        return
    if classes != 2:
        raise ValueError(
            f'average="binary" is for two classes, but there are {classes}: '
            'take "macro", "micro", "weighted" or None'
        )
    one_of("positive", positive, (0, 1))


def _no_nan(xp: Any, scores: Array) -> Check:
    # NaN is the only value unlike itself; integers have none.
    return Check(
        "prediction",
        scores,
        scores != scores,
        rule="hold no nan",
        remedy="the largest of scores with nan is undefined",
    )


def _not_weightless(xp: Any, weight: Array) -> Check:
    whole = xp.sum(weight)
    return Check(
        "weight",
        whole,
        whole == 0,
        rule="not sum to 0 (the sum is shown)",
        remedy="a weighted share divides by that sum",
    )


def _ratio(xp: Any, part: Array, whole: Array, otherwise: float) -> Array:
    """``part / whole``, and ``otherwise`` where the whole is 0."""
    empty = whole == 0
    return xp.where(empty, otherwise, part / xp.where(empty, 1.0, whole))


def _averaged(
    rows: Rows,
    parts: Callable[[Array, Array, Array], tuple[Array, Array]],
    average: Average,
    positive: int,
    zero_division: float,
) -> Any:
    """A ratio of counts for each class, averaged as asked."""
    if not (zero_division in (0.0, 1.0) or math.isnan(zero_division)):
        raise ValueError(
            f"`zero_division` must be 0.0, 1.0 or nan; got {zero_division!r}"
        )
    xp = rows.xp
    with quiet():
        counts = cast(xp, rows.counts(), rows.wide)
        hits = xp.reshape(counts, (-1,))[:: rows.num_classes + 1]
        support = xp.sum(counts, axis=1)
        misses = support - hits
        false_alarms = xp.sum(counts, axis=0) - hits
        tallies = (hits, false_alarms, misses)
        if average == "micro":
            tallies = tuple(xp.sum(tally) for tally in tallies)
        result = _ratio(xp, *parts(*tallies), float(zero_division))
        if average == "binary":
            result = result[positive]
        elif average in ("macro", "weighted"):
            weights = support if average == "weighted" else xp.ones_like(support)
            undefined = xp.isnan(result)
            weights = xp.where(undefined, 0.0, weights)
            summed = xp.sum(xp.where(undefined, 0.0, result) * weights)
            result = _ratio(xp, summed, xp.sum(weights), float(zero_division))
        return cast(xp, result, rows.dtype)
