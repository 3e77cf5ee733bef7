"""The arguments of classification metrics: shapes, kinds, and number of classes."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import (
    Array,
    as_index,
    as_real,
    default_dtype,
    integer,
    is_dask,
    is_floating,
    is_integral,
)
from xgrad._rules import ValueCheck, require_labels


def require_rows(xp: Any, prediction: Array, target: Array) -> bool:
    """Check shapes and kinds; return whether the prediction holds scores."""
    shape, target_shape = tuple(prediction.shape), tuple(target.shape)
    # First what explains a wrong shape: the general message would not.
    _refuse_columns(shape, target_shape)
    if len(target_shape) == 2 and len(shape) == 1 and is_integral(xp, prediction):
        raise ValueError(
            f"the arguments look swapped: `prediction` has shape {shape} and `target` "
            f"{target_shape}; predictions come first: metric(prediction, target)"
        )
    is_fitting = len(shape) in (1, 2) and shape[:1] == target_shape
    if not is_fitting:
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {target_shape}, but they "
            "must be labels (N,) or scores (N, C), and labels (N,): reshape or cut "
            "them to fit"
        )
    has_scores = len(shape) == 2
    if has_scores:
        _require_scores(xp, prediction)
    require_labels(xp, "target", target)
    if not has_scores:
        _require_predicted_labels(xp, prediction)
    return has_scores


def _refuse_columns(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    """Raise if one of the arrays has shape (N, 1), which could be scores or labels."""
    for name, own in (("prediction", shape), ("target", target_shape)):
        if len(own) == 2 and own[1] == 1:
            raise ValueError(
                f"`prediction` has shape {shape} and `target` {target_shape}, but a "
                f"column is not a list of labels: reshape it, "
                f"`{name}.reshape({own[:1]})`"
            )


def _require_scores(xp: Any, prediction: Array) -> None:
    is_real = is_floating(xp, prediction) or is_integral(xp, prediction)
    if not (prediction.shape[1] and is_real):
        raise TypeError(
            f"`prediction` has shape {tuple(prediction.shape)} and dtype "
            f"{prediction.dtype}, but scores are real numbers (N, C) with a column "
            "for each class"
        )


def _require_predicted_labels(xp: Any, prediction: Array) -> None:
    # Most often the probabilities of one of two classes.
    if is_floating(xp, prediction):
        raise TypeError(
            "`prediction` must hold integer class labels, or scores (N, C), but has "
            f"shape {tuple(prediction.shape)} and dtype {prediction.dtype}: compare "
            "the scores of two classes with a threshold, "
            "`xp.astype(prediction > 0.5, xp.int64)`"
        )
    require_labels(xp, "prediction", prediction)


def as_weight(xp: Any, weight: Array, target: Array) -> Array:
    """Return the weights of the rows as floats; raise unless there is one for each."""
    if tuple(weight.shape) != tuple(target.shape):
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have one entry "
            f"for each row, {tuple(target.shape)}"
        )
    # Floats are cast once, to the dtype of the sums.
    if is_floating(xp, weight):
        return weight
    return as_real(xp, "weight", weight, default_dtype(xp, "real floating", weight))


def number_of_classes(
    xp: Any,
    prediction: Array,
    target: Array,
    num_classes: int | None,
    *,
    has_scores: bool,
    min_classes: int,
) -> int:
    """Return ``num_classes``, or the number that scores or the largest label tell.

    Only the last of these is at least ``min_classes``: labels need not show them all.
    """
    if num_classes is not None:
        num_classes = integer("num_classes", num_classes, least=1)
    if has_scores:
        columns = int(prediction.shape[1])
        if num_classes not in (None, columns):
            raise ValueError(
                f"`num_classes` is {num_classes}, but `prediction` has {columns} "
                "columns of scores: leave `num_classes` out"
            )
        return columns
    if num_classes is not None:
        return num_classes
    if is_dask(xp):
        raise ValueError(
            "the largest label of a Dask array is not known before it is computed: "
            "give `num_classes`"
        )
    if target.shape[0] == 0:
        raise ValueError(
            "there are no labels to count the classes by: give `num_classes`"
        )
    # One number comes to the host, not two: each makes it wait for the device.
    largest = xp.maximum(xp.max(as_index(xp, prediction)), xp.max(as_index(xp, target)))
    return max(int(largest) + 1, min_classes)


def nan_check(scores: Array, remedy: str) -> ValueCheck:
    """Return the check that no score is nan."""
    # NaN is the only value unlike itself. `isnan` takes no integers, which have none.
    return ValueCheck("prediction", scores, scores != scores, "hold no nan", remedy)
