"""Predictions and true labels of one call: which rows are right, and their counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

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
    integer,
    is_boolean,
    is_dask,
    is_floating,
    is_numpy,
    require_known_shapes,
    summarize_blocks,
    wide_dtype,
)
from xgrad._kernels import find_kernel
from xgrad._rules import (
    IGNORABLE,
    NO_STARTS,
    Guard,
    ValueCheck,
    confusion_counts,
    enforce,
    equals_number,
    gather_labels,
    range_checks,
    weight_sum_check,
)
from xgrad.metrics._arguments import (
    as_labels,
    as_weight,
    nan_check,
    number_of_classes,
    one_hot_labels,
    require_rows,
    some_row_check,
    weight_checks,
)

Arrays = dict[str, Any]
NAN_REMEDY = "the largest of scores with nan is undefined"
# The matrix of one more class has over 2**31 entries, 17 GB of int64: the largest label
# is an identifier, not the number of a class.
MAX_CLASSES = 46_340


class CheckedLabels(NamedTuple):
    """Labels to index with, ``(N,)``, after their checks."""

    prediction: Array  # or scores, where they are asked for
    target: Array  # 0 in ignored rows
    weight: Array | None  # 0 in ignored rows
    ignored: Array | None  # true in rows that do not count; None if all do


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Predictions and true labels of one call, of the right shapes and kinds.

    Predictions are labels ``(N,)``, or scores ``(N, C)``; targets are labels, or
    one-hot rows. Methods that read labels check their range.
    """

    xp: Any
    arrays: Arrays  # prediction, target and perhaps weight
    num_classes: int
    ignore_index: int | None
    dtype: Any  # of results
    sum_dtype: Any  # float64 where the device has it

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.arrays["target"].shape[0])

    @property
    def has_scores(self) -> bool:
        """Whether predictions are scores."""
        return bool(self.arrays["prediction"].ndim == 2)

    @property
    def is_weighted(self) -> bool:
        """Whether rows have weights."""
        return "weight" in self.arrays

    @property
    def has_counts(self) -> bool:
        """Whether sums over rows are integers: there are no weights, or these are."""
        return not self.is_weighted or not is_floating(self.xp, self.arrays["weight"])

    def confusion_matrix(self, starts: BlockStarts = NO_STARTS) -> Array:
        """Count the rows of each true class (row) and label (column), ``(C, C)``.

        Counts are integers, or floats if the weights are.
        """
        if self.num_classes > MAX_CLASSES:
            raise ValueError(
                f"there are {self.num_classes} classes, too many for a confusion "
                "matrix: number the classes from 0 without gaps, or give a smaller "
                "`num_classes`"
            )
        if is_dask(self.xp):
            return self._sum_over_blocks(
                LabelledRows.confusion_matrix,
                shape=(self.num_classes, self.num_classes),
                dtype=self.xp.int64 if self.has_counts else self.sum_dtype,
            )
        counts = self._call_kernel("confusion_counts")
        if counts is not None:
            return counts
        labels = self.labels(starts)
        counts = confusion_counts(
            self.xp,
            labels.target,
            labels.prediction,
            self.num_classes,
            labels.weight,
            labels.ignored,
        )
        return as_index(self.xp, counts) if self.has_counts else counts

    def correct_and_wrong(
        self, k: int | None = None, starts: BlockStarts = NO_STARTS
    ) -> Array:
        """Return the numbers of right and of wrong rows, or their weights, ``(2,)``.

        A row is right by its label, or by the ``k`` best scores. The numbers are
        floats; not both are 0.
        """
        if is_dask(self.xp):
            sums = self._sum_over_blocks(
                LabelledRows._correct_and_wrong, k=k, shape=(2,), dtype=self.sum_dtype
            )
            total = self.xp.sum(sums)
            check = (
                weight_sum_check(total)
                if self.is_weighted
                else some_row_check(self.xp, total)
            )
            return sums + 0 * Guard(self.xp, active=True)(total, [check])
        matches = None if k is not None else self._call_kernel("matches")
        if matches is not None:
            counts = [float(matches), float(self.count - matches)]
            return self.xp.asarray(counts)
        return self._correct_and_wrong(starts, k=k, must_count=True)

    def _correct_and_wrong(
        self,
        starts: BlockStarts = NO_STARTS,
        *,
        k: int | None = None,
        must_count: bool = False,
    ) -> Array:
        xp = self.xp
        labels = self.labels(starts, keep_scores=k is not None, must_count=must_count)
        if k is None:
            is_correct = labels.prediction == labels.target
        else:
            is_correct = _is_in_top_k(xp, labels.prediction, labels.target, k)
        is_wrong = ~is_correct
        if labels.weight is not None:
            sums = [
                xp.sum(xp.where(rows, labels.weight, 0.0))
                for rows in (is_correct, is_wrong)
            ]
            return xp.stack(sums)
        if labels.ignored is not None:
            is_correct, is_wrong = (r & ~labels.ignored for r in (is_correct, is_wrong))
        # In NumPy three times as fast as the sums of booleans.
        counts = [xp.count_nonzero(rows) for rows in (is_correct, is_wrong)]
        return cast(xp, xp.stack([xp.asarray(c) for c in counts]), self.sum_dtype)

    def _sum_over_blocks(
        self, method: Any, *, shape: tuple[int, ...], dtype: Any, **options: Any
    ) -> Array:
        """Return the sum of a method over the blocks of Dask arrays."""
        summarize = partial(
            _summarize_block,
            method=method,
            num_classes=self.num_classes,
            ignore_index=self.ignore_index,
            **options,
        )
        blocks = summarize_blocks(summarize, self.arrays, shape=shape, dtype=dtype)
        return self.xp.sum(blocks, axis=0)

    def _call_kernel(self, name: str) -> Any:
        """Return the counts of a kernel; None if there is none, or a value is bad.

        The labels are then read without it, which raises if a value is bad.
        """
        target, prediction = self.arrays["target"], self.arrays["prediction"]
        if self.is_weighted or self.ignore_index is not None or target.ndim == 2:
            return None
        kernel = find_kernel(name, self.xp, target.dtype)
        # To look at scores for nan would make the host wait for a GPU once more.
        if kernel is None or (self.has_scores and not is_numpy(self.xp)):
            return None
        if self.has_scores:
            if is_boolean(self.xp, prediction):  # these must be one-hot
                return None
            if bool(self.xp.any(nan_check(prediction, NAN_REMEDY).bad)):
                return None
            prediction = self.xp.argmax(prediction, axis=-1)
        return kernel(target, prediction, self.num_classes)

    def labels(
        self,
        starts: BlockStarts = NO_STARTS,
        *,
        keep_scores: bool = False,
        must_count: bool = False,
    ) -> CheckedLabels:
        """Return predicted and true labels, after the checks of all values.

        With ``keep_scores`` the prediction stays as it is, and ``must_count`` refuses
        rows that are all ignored or without weight.
        """
        xp, checks = self.xp, list[ValueCheck]()
        target, weight = self.arrays["target"], self.arrays.get("weight")
        if target.ndim == 2:
            target, check = one_hot_labels(xp, "target", target)
            checks.append(check)
        ignored = None
        if self.ignore_index is not None:
            ignored = equals_number(xp, target, self.ignore_index)
            if must_count:
                checks.append(some_row_check(xp, xp.sum(as_index(xp, ~ignored))))
        checks += range_checks(
            xp, "target", target, self.num_classes, ignored, remedy=IGNORABLE
        )
        prediction, of_prediction = self._predicted(ignored, keep_scores)
        checks += of_prediction
        if weight is not None:
            weight = xp.astype(weight, self.sum_dtype, copy=False)
            if ignored is not None:
                weight = xp.where(ignored, 0.0, weight)
            checks += weight_checks(xp, weight, must_count=must_count)
        # All at once, so that the host waits for the device once.
        enforce(xp, checks, starts)
        target = as_index(xp, target)
        if ignored is not None:
            target = xp.where(ignored, 0, target)
            if prediction.ndim == 1:
                prediction = xp.where(ignored, 0, prediction)
        return CheckedLabels(prediction, target, weight, ignored)

    def _predicted(
        self, ignored: Array | None, keep_scores: bool
    ) -> tuple[Array, Iterator[ValueCheck] | list[ValueCheck]]:
        """Return predicted labels to index with, or scores, and their checks."""
        xp, prediction = self.xp, self.arrays["prediction"]
        if not self.has_scores:
            checks = range_checks(
                xp, "prediction", prediction, self.num_classes, ignored
            )
            return as_index(xp, prediction), checks
        if is_boolean(xp, prediction):
            labels, check = one_hot_labels(xp, "prediction", prediction)
            return as_index(xp, prediction) if keep_scores else labels, [check]
        check = nan_check(prediction, NAN_REMEDY, ignored)
        if keep_scores:
            return prediction, [check]
        return as_index(xp, xp.argmax(prediction, axis=-1)), [check]


def as_labelled_rows(
    prediction: Any,
    target: Any,
    weight: Any = None,
    num_classes: int | None = None,
    ignore_index: int | None = None,
    *,
    min_classes: int = 1,
) -> LabelledRows:
    """Return the arguments of a metric after the checks of all but their values."""
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    require_known_shapes(prediction=prediction, target=target)
    if is_boolean(xp, prediction) or is_boolean(xp, target):
        # There are two classes even where all rows are of one.
        min_classes = 2
    prediction, target = as_labels(xp, prediction), as_labels(xp, target)
    require_rows(xp, prediction, target)
    if ignore_index is not None:
        ignore_index = integer("ignore_index", ignore_index, least=None)
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
            ignore_index=ignore_index,
            min_classes=min_classes,
        ),
        ignore_index=ignore_index,
        dtype=dtype,
        sum_dtype=wide_dtype(xp, target, dtype),
    )


def _summarize_block(
    arrays: Arrays,
    starts: BlockStarts,
    *,
    method: Any,
    num_classes: int,
    ignore_index: int | None,
    **options: Any,
) -> Array:
    """Return a method of the rows of one block."""
    arguments = arrays["prediction"], arrays["target"], arrays.get("weight")
    rows = as_labelled_rows(*arguments, num_classes, ignore_index)
    return method(rows, starts, **options)


def _is_in_top_k(xp: Any, scores: Array, target: Array, k: int) -> Array:
    """Return whether fewer than ``k`` classes rank before the target's, ``(N,)``.

    Classes with a larger score do, and of equal scores those with a smaller number,
    which is the order in which `argmax` finds them.
    """
    own = gather_labels(xp, scores, target)[:, None]
    number = xp.arange(scores.shape[1], dtype=target.dtype, device=device_of(target))
    ranks_before = (scores > own) | ((scores == own) & (number < target[:, None]))
    return xp.sum(as_index(xp, ranks_before), axis=-1) < k
