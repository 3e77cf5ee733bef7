"""Predictions and true labels of one call: which rows are right, and their counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from xgrad._arrays import (
    Array,
    BlockStarts,
    as_float,
    as_index,
    cast,
    common_namespace,
    default_dtype,
    device_of,
    drop_none,
    is_dask,
    is_floating,
    is_numpy,
    losses_of_blocks,
    require_known_shapes,
    summarize_blocks,
    wide_dtype,
)
from xgrad._kernels import find_kernel
from xgrad._rules import (
    NO_STARTS,
    ValueCheck,
    confusion_counts,
    enforce,
    gather_labels,
    range_checks,
)
from xgrad.metrics._arguments import (
    as_weight,
    nan_check,
    number_of_classes,
    require_rows,
)

Arrays = dict[str, Any]
NAN_REMEDY = "the largest of scores with nan is undefined"
# The matrix of one more class has over 2**31 entries, 17 GB of int64: the largest label
# is an identifier, not the number of a class.
MAX_CLASSES = 46_340


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Predictions and true labels of one call, of the right shapes and kinds.

    Predictions are labels ``(N,)``, or scores ``(N, C)``. Methods that read labels
    check their range.
    """

    xp: Any
    arrays: Arrays  # prediction, target and perhaps weight
    num_classes: int
    has_scores: bool
    dtype: Any  # of results
    sum_dtype: Any  # float64 where the device has it

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.arrays["target"].shape[0])

    def confusion_matrix(self, starts: BlockStarts = NO_STARTS) -> Array:
        """Count the rows of each true class (row) and label (column), ``(C, C)``.

        Counts are integers, or floats with weights.
        """
        if self.num_classes > MAX_CLASSES:
            raise ValueError(
                f"there are {self.num_classes} classes, too many for a confusion "
                "matrix: number the classes from 0 without gaps, or give a smaller "
                "`num_classes`"
            )
        is_weighted = "weight" in self.arrays
        if is_dask(self.xp):
            return self._lazy_confusion_matrix(is_weighted)
        counts = None if is_weighted else self._call_kernel("confusion_counts")
        if counts is not None:
            return counts
        labels = self.labels(starts)
        counts = confusion_counts(
            self.xp,
            labels["target"],
            labels["prediction"],
            self.num_classes,
            self.weight(),
        )
        return counts if is_weighted else as_index(self.xp, counts)

    def _lazy_confusion_matrix(self, is_weighted: bool) -> Array:
        blocks = summarize_blocks(
            partial(_confusion_matrix_of_block, num_classes=self.num_classes),
            self.arrays,
            shape=(self.num_classes, self.num_classes),
            dtype=self.sum_dtype if is_weighted else self.xp.int64,
        )
        return self.xp.sum(blocks, axis=0)

    def count_correct(self) -> Any:
        """Count the rows whose label is right, as a 0-d array."""
        matches = self._call_kernel("matches")
        if matches is not None:
            return self.xp.asarray(float(matches))
        is_correct = self.is_correct()
        if is_dask(self.xp):
            return self.xp.sum(is_correct)
        # In NumPy three times as fast as the mean of booleans.
        return cast(self.xp, self.xp.count_nonzero(is_correct), self.sum_dtype)

    def _call_kernel(self, name: str) -> Any:
        """Return the counts of a kernel; None if there is none, or a value is bad.

        The labels are then read without it, which raises if a value is bad.
        """
        target, prediction = self.arrays["target"], self.arrays["prediction"]
        kernel = find_kernel(name, self.xp, target.dtype)
        # To look at scores for nan would make the host wait for a GPU once more.
        if kernel is None or (self.has_scores and not is_numpy(self.xp)):
            return None
        if self.has_scores:
            if bool(self.xp.any(nan_check(prediction, NAN_REMEDY).bad)):
                return None
            prediction = self.xp.argmax(prediction, axis=-1)
        return kernel(target, prediction, self.num_classes)

    def is_correct(
        self,
        k: int | None = None,
        starts: BlockStarts = NO_STARTS,
        more_checks: Iterable[ValueCheck] = (),
    ) -> Array:
        """Return whether the label, or one of the ``k`` best, is right, ``(N,)``.

        Booleans, or 1.0 and 0.0 of Dask arrays. ``more_checks`` are made along with
        those of the labels, so that the host waits once for all of them.
        """
        if is_dask(self.xp):
            # A row that is correct, or not, is computed like the loss of a row.
            is_correct, _ = losses_of_blocks(
                partial(_is_correct_in_block, num_classes=self.num_classes, k=k),
                self.arrays,
                rows=self.has_scores,
                wanted="value",
                dtype=self.sum_dtype,
            )
            return is_correct
        labels = self.labels(starts, more_checks, keep_scores=k is not None)
        if k is None:
            return labels["prediction"] == labels["target"]
        return _is_in_top_k(self.xp, labels["prediction"], labels["target"], k)

    def weight(self) -> Array | None:
        """Return the weights of the rows in the dtype to sum in, if there are any."""
        weight = self.arrays.get("weight")
        return None if weight is None else cast(self.xp, weight, self.sum_dtype)

    def labels(
        self,
        starts: BlockStarts,
        more_checks: Iterable[ValueCheck] = (),
        *,
        keep_scores: bool = False,
    ) -> Arrays:
        """Return predicted and true labels to index with, after their checks.

        With ``keep_scores`` the prediction stays as it is.
        """
        xp, classes = self.xp, self.num_classes
        prediction, target = self.arrays["prediction"], self.arrays["target"]
        checks = [*range_checks(xp, "target", target, classes)]
        if self.has_scores:
            checks.append(nan_check(prediction, NAN_REMEDY))
        else:
            checks += range_checks(xp, "prediction", prediction, classes)
        # All at once, so that the host waits for the device once.
        enforce(xp, [*checks, *more_checks], starts)
        if not keep_scores:
            if self.has_scores:
                prediction = xp.argmax(prediction, axis=-1)
            prediction = as_index(xp, prediction)
        return {"prediction": prediction, "target": as_index(xp, target)}


def as_labelled_rows(
    prediction: Any,
    target: Any,
    weight: Any = None,
    num_classes: int | None = None,
    *,
    min_classes: int = 1,
) -> LabelledRows:
    """Return the arguments of a metric after the checks of all but their values."""
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    require_known_shapes(prediction=prediction, target=target)
    has_scores = require_rows(xp, prediction, target)
    if weight is not None:
        optional["weight"] = as_weight(xp, weight, target)
    dtype = default_dtype(xp, "real floating", target)
    if is_floating(xp, prediction):
        # No rows are enough to learn a dtype from, and cost no conversion.
        dtype = as_float(xp, "prediction", prediction[:0, ...]).dtype
    return LabelledRows(
        xp=xp,
        arrays={"prediction": prediction, "target": target, **optional},
        num_classes=number_of_classes(
            xp,
            prediction,
            target,
            num_classes,
            has_scores=has_scores,
            min_classes=min_classes,
        ),
        has_scores=has_scores,
        dtype=dtype,
        sum_dtype=wide_dtype(xp, target, dtype),
    )


def _rows_of_block(arrays: Arrays, num_classes: int) -> LabelledRows:
    return as_labelled_rows(
        arrays["prediction"], arrays["target"], arrays.get("weight"), num_classes
    )


def _confusion_matrix_of_block(
    arrays: Arrays, starts: BlockStarts, *, num_classes: int
) -> Array:
    return _rows_of_block(arrays, num_classes).confusion_matrix(starts)


def _is_correct_in_block(
    arrays: Arrays, starts: BlockStarts, *, num_classes: int, k: int | None
) -> tuple[Array, None]:
    rows = _rows_of_block(arrays, num_classes)
    return rows.xp.astype(rows.is_correct(k, starts), rows.sum_dtype), None


def _is_in_top_k(xp: Any, scores: Array, target: Array, k: int) -> Array:
    """Return whether fewer than ``k`` classes rank before the target's, ``(N,)``.

    Classes with a larger score do, and of equal scores those with a smaller number,
    which is the order in which `argmax` finds them.
    """
    own = gather_labels(xp, scores, target)[:, None]
    number = xp.arange(scores.shape[1], dtype=target.dtype, device=device_of(target))
    ranks_before = (scores > own) | ((scores == own) & (number < target[:, None]))
    return xp.sum(as_index(xp, ranks_before), axis=-1) < k
