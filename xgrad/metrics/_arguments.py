"""The arguments of metrics: shapes, kinds, weights, classes; the dtype of results."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from xgrad._arrays import (
    Array,
    as_float,
    as_index,
    as_real,
    cast,
    common_namespace,
    default_dtype,
    integer,
    is_boolean,
    is_dask,
    is_floating,
    is_integral,
    map_blocks,
    quiet,
)
from xgrad._rules import ValueCheck, equals_number, require_labels, weight_sum_check


def as_labels(xp: Any, labels: Array) -> Array:
    """Return booleans, such as ``p > 0.5``, as labels 0 and 1; others as they are."""
    # One row of labels is as narrow as booleans are.
    is_label = is_boolean(xp, labels) and labels.ndim == 1
    return xp.astype(labels, xp.uint8) if is_label else labels


def require_rows(xp: Any, prediction: Array, target: Array) -> bool:
    """Check shapes and kinds; return whether the prediction holds scores."""
    shape, target_shape = tuple(prediction.shape), tuple(target.shape)
    # First what explains a wrong shape: the general message would not.
    refuse_columns(shape, target_shape)
    if len(target_shape) == 2 and len(shape) == 1 and is_floating(xp, target):
        raise ValueError(
            f"the arguments look swapped: `prediction` has shape {shape} and `target` "
            f"{target_shape}; predictions come first: metric(prediction, target); if "
            "`target` is one-hot, pass `target.argmax(axis=-1)`"
        )
    is_fitting = (
        len(shape) in (1, 2)
        and len(target_shape) in (1, 2)
        and shape[0] == target_shape[0]
        and (len(shape) + len(target_shape) < 4 or shape == target_shape)
    )
    if not is_fitting:
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {target_shape}, but they "
            "must be labels (N,) or scores (N, C), and labels (N,) or one-hot rows "
            "(N, C): reshape or cut them to fit"
        )
    has_scores = len(shape) == 2
    if has_scores:
        _require_scores(xp, prediction)
    if len(target_shape) == 1:
        require_labels(xp, "target", target)
    else:
        _require_one_hot_kind(xp, target)
    if not has_scores:
        _require_predicted_labels(xp, prediction)
    return has_scores


def refuse_columns(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    """Raise if one of the arrays has shape (N, 1), which could be scores or labels."""
    for name, own in (("prediction", shape), ("target", target_shape)):
        if len(own) == 2 and own[1] == 1:
            raise ValueError(
                f"`prediction` has shape {shape} and `target` {target_shape}, but a "
                f"column is not a list of labels: reshape it, "
                f"`{name}.reshape({own[:1]})`"
            )


def _is_real(xp: Any, x: Array) -> bool:
    return is_floating(xp, x) or is_integral(xp, x) or is_boolean(xp, x)


def _require_scores(xp: Any, prediction: Array) -> None:
    if not (prediction.shape[1] and _is_real(xp, prediction)):
        raise TypeError(
            f"`prediction` has shape {tuple(prediction.shape)} and dtype "
            f"{prediction.dtype}, but scores are real numbers (N, C) with a column "
            "for each class"
        )


def _require_one_hot_kind(xp: Any, target: Array) -> None:
    if not (target.shape[1] and _is_real(xp, target)):
        raise TypeError(
            f"`target` has shape {tuple(target.shape)} and dtype {target.dtype}, but "
            "must hold integer class labels (N,), or one-hot rows (N, C)"
        )


def _require_predicted_labels(xp: Any, prediction: Array) -> None:
    # Most often the probabilities of one of two classes.
    if is_floating(xp, prediction):
        raise TypeError(
            "`prediction` must hold integer class labels, or scores (N, C), but has "
            f"shape {tuple(prediction.shape)} and dtype {prediction.dtype}: compare "
            "the scores of two classes with a threshold, `prediction > 0.5`"
        )
    require_labels(xp, "prediction", prediction)


def one_hot_labels(xp: Any, name: str, rows: Array) -> tuple[Array, ValueCheck]:
    """Return the labels of one-hot rows, and the check that the rows are one-hot."""
    if is_boolean(xp, rows):
        rows = xp.astype(rows, xp.uint8)
    is_one = rows == 1
    numbers = as_index(xp, is_one)
    ones = xp.sum(numbers, axis=-1)
    # nan is unlike 0 and 1, too.
    has_others = xp.any(~is_one & (rows != 0), axis=-1)
    check = ValueCheck(
        name,
        ones,
        has_others | (ones != 1),
        rule="be one-hot, with a single 1 among zeros in each row",
        remedy="of other scores take the largest, `xp.argmax(..., axis=-1)`; rows with "
        "several classes are a metric for each column",
        quantity="the number of ones in {}",
    )
    return xp.argmax(numbers, axis=-1), check


def as_weight(xp: Any, weight: Array, target: Array) -> Array:
    """Return the weights of the rows; raise unless there is a number for each.

    Their kind is told from no rows, which costs no conversion: they are cast once, to
    the dtype of the sums.
    """
    if tuple(weight.shape) != tuple(target.shape[:1]):
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have one entry "
            f"for each row, {tuple(target.shape[:1])}"
        )
    as_real(xp, "weight", weight[:0], default_dtype(xp, "real floating", weight))
    return weight


def weight_checks(
    xp: Any, weight: Array, *, must_count: bool = False
) -> Iterator[ValueCheck]:
    """Yield the checks of weights of rows: none is negative, and their sum is finite.

    With negative ones a ratio would leave its range. With ``must_count`` the sum must
    not be 0 either.
    """
    yield ValueCheck(
        "weight",
        weight,
        ~(weight >= 0),
        rule="not be negative or nan",
        remedy="leave a row out by a weight of 0",
    )
    total = xp.sum(weight)
    yield ValueCheck(
        "weight",
        total,
        xp.isinf(total),
        rule="have a finite sum",
        remedy="divide all weights by a common number: it changes no ratio",
        quantity="the sum of {}",
    )
    if must_count:
        yield weight_sum_check(total)


def some_row_check(xp: Any, number: Array) -> ValueCheck:
    """Return the check that the number of rows that are not ignored is not 0."""
    number = as_index(xp, number)
    return ValueCheck(
        "target",
        number,
        number == 0,
        rule="have a row that is not ignored",
        remedy="skip the batch",
        quantity="the number of such rows",
    )


def number_of_classes(
    xp: Any,
    prediction: Array,
    target: Array,
    num_classes: int | None,
    *,
    ignore_index: int | None,
    min_classes: int,
) -> int:
    """Return ``num_classes``, or the number that columns or the largest label tell.

    Only the last of these is at least ``min_classes``: labels need not show them all.
    """
    if num_classes is not None:
        num_classes = integer("num_classes", num_classes, least=1)
    for name, array in (("prediction", prediction), ("target", target)):
        if array.ndim == 2:
            columns = int(array.shape[1])
            if num_classes not in (None, columns):
                raise ValueError(
                    f"`num_classes` is {num_classes}, but `{name}` has {columns} "
                    f"columns{' of scores' if name == 'prediction' else ''}: leave "
                    "`num_classes` out"
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
    return max(_largest_label(xp, prediction, target, ignore_index) + 1, min_classes)


def _largest_label(
    xp: Any, prediction: Array, target: Array, ignore_index: int | None
) -> int:
    prediction, target = as_index(xp, prediction), as_index(xp, target)
    if ignore_index is not None:
        ignored = equals_number(xp, target, ignore_index)
        prediction = xp.where(ignored, 0, prediction)
        target = xp.where(ignored, 0, target)
    # One number comes to the host, not two: each makes it wait for the device.
    return int(xp.maximum(xp.max(prediction), xp.max(target)))


def nan_check(scores: Array, remedy: str, ignored: Array | None = None) -> ValueCheck:
    """Return the check that no score is nan, except those of ignored rows."""
    # NaN is the only value unlike itself. `isnan` takes no integers, which have none.
    bad = scores != scores
    if ignored is not None:
        bad = bad & ~(ignored if bad.ndim == 1 else ignored[:, None])
    return ValueCheck("prediction", scores, bad, "hold no nan", remedy)


def refuse_lazy(xp: Any, name: str) -> None:
    """Raise for Dask arrays in a metric that sorts all rows."""
    if is_dask(xp):
        raise TypeError(
            f"`{name}` sorts all rows, which is not done for Dask arrays: compute "
            "them first, or take a sample with `random_batch`"
        )


def cast_like_prediction(value: Any, prediction: Any) -> Any:
    """Return a value in the dtype that computations with the prediction have."""
    xp = common_namespace(prediction=prediction)
    # No rows are enough to learn a dtype from, and cost no conversion.
    none = prediction[:0, ...]
    if is_boolean(xp, none):
        none = xp.astype(none, xp.uint8)
    dtype = as_float(xp, "prediction", none).dtype
    if is_dask(xp):
        return map_blocks(partial(cast, dtype=dtype), value, dtype=dtype)
    with quiet():
        return cast(xp, value, dtype)
