"""The arguments of classification metrics: checked labels, or scores, of rows."""

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
    as_real,
    cast,
    common_namespace,
    default_dtype,
    device_of,
    drop_none,
    integer,
    is_dask,
    is_floating,
    is_integral,
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
    require_labels,
)

Arrays = dict[str, Any]
# A matrix of so many classes has 2**31 entries.
TOO_MANY = 46_340


@dataclass(frozen=True)
class Rows:
    """Predictions and true labels of a call, of the right shapes and kinds.

    Predictions are labels ``(N,)`` or ``scores``, ``(N, C)``.
    """

    xp: Any
    arrays: Arrays  # prediction, target and perhaps weight, as they came
    num_classes: int
    scores: bool
    dtype: Any  # of the result
    wide: Any  # to sum in

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.arrays["target"].shape[0])

    def confusion(self, starts: BlockStarts = NO_STARTS) -> Array:
        """Confusion matrix: rows are true classes, columns predicted ones."""
        classes = self.num_classes
        if classes > TOO_MANY:
            raise ValueError(
                f"there are {classes} classes, too many for a confusion matrix: number "
                "the classes from 0 without gaps, or give a smaller `num_classes`"
            )
        weighted = "weight" in self.arrays
        if is_dask(self.xp):
            shape = (classes, classes)
            dtype = self.wide if weighted else self.xp.int64
            parts = summarize_blocks(
                partial(_confusion_of_block, num_classes=classes),
                self.arrays,
                shape=shape,
                dtype=dtype,
            )
            return self.xp.sum(parts, axis=0)
        found = None if weighted else self._counted("confusion_counts")
        if found is not None:
            return found
        labels = self.labels(starts)
        counts = confusion_counts(
            self.xp, labels["target"], labels["prediction"], classes, self.weight()
        )
        return counts if weighted else as_index(self.xp, counts)

    def right(self) -> Any:
        """The number of rows whose label is right."""
        found = self._counted("matches")
        if found is not None:
            return self.xp.asarray(float(found))
        hits = self.hits()
        if is_dask(self.xp):
            return self.xp.sum(hits)
        return cast(self.xp, self.xp.count_nonzero(hits), self.wide)

    def _counted(self, name: str) -> Any:
        """What a fast path makes of the labels; None where there is none, or bad ones.

        Of scores where looking at them costs no wait.
        """
        target, prediction = self.arrays["target"], self.arrays["prediction"]
        kernel = find_kernel(name, self.xp, target.dtype)
        if kernel is None or (self.scores and not is_numpy(self.xp)):
            return None
        if self.scores:
            if bool(self.xp.any(_no_nan(prediction).bad)):
                return None
            prediction = self.xp.argmax(prediction, axis=-1)
        return kernel(target, prediction, self.num_classes)

    def hits(
        self,
        k: int | None = None,
        starts: BlockStarts = NO_STARTS,
        also: Iterable[ValueCheck] = (),
    ) -> Array:
        """True (1.0 of Dask) where the label, or one of the ``k`` best, is right."""
        if is_dask(self.xp):
            found, _ = losses_of_blocks(
                partial(_hits_of_block, num_classes=self.num_classes, k=k),
                self.arrays,
                rows=self.scores,
                wanted="value",
                dtype=self.wide,
            )
            return found
        labels = self.labels(starts, also, ranked=k is not None)
        if k is None:
            return labels["prediction"] == labels["target"]
        return _among(self.xp, labels["prediction"], labels["target"], k)

    def weight(self) -> Array | None:
        """The weights of the rows, in the dtype to sum in."""
        weight = self.arrays.get("weight")
        return None if weight is None else cast(self.xp, weight, self.wide)

    def labels(
        self,
        starts: BlockStarts,
        also: Iterable[ValueCheck] = (),
        *,
        ranked: bool = False,
    ) -> Arrays:
        """Labels to index with, after their check; scores stay if they are ranked."""
        xp, classes = self.xp, self.num_classes
        prediction, target = self.arrays["prediction"], self.arrays["target"]
        checks = [*range_checks(xp, "target", target, classes)]
        if self.scores:
            checks.append(_no_nan(prediction))
        else:
            checks += range_checks(xp, "prediction", prediction, classes)
        enforce(xp, [*checks, *also], starts)
        if self.scores and not ranked:
            prediction = xp.argmax(prediction, axis=-1)
        if not ranked:
            prediction = as_index(xp, prediction)
        return {"prediction": prediction, "target": as_index(xp, target)}


def as_rows(
    prediction: Any,
    target: Any,
    weight: Any = None,
    num_classes: int | None = None,
    *,
    least: int = 1,
) -> Rows:
    """The arguments of a metric; classes are counted by the labels if not given."""
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    require_known_shapes(prediction=prediction, target=target)
    scores = _require_shapes(xp, prediction, target)
    if weight is not None:
        optional["weight"] = _as_weight(xp, weight, target)
    classes = _number_of_classes(xp, prediction, target, num_classes, scores, least)
    dtype = default_dtype(xp, "real floating", target)
    if is_floating(xp, prediction):
        dtype = as_float(xp, "prediction", prediction[:0, ...]).dtype
    return Rows(
        xp=xp,
        arrays={"prediction": prediction, "target": target, **optional},
        num_classes=classes,
        scores=scores,
        dtype=dtype,
        wide=wide_dtype(xp, target, dtype),
    )


def _of_block(arrays: Arrays, num_classes: int) -> Rows:
    return as_rows(
        arrays["prediction"], arrays["target"], arrays.get("weight"), num_classes
    )


def _confusion_of_block(
    arrays: Arrays, starts: BlockStarts, *, num_classes: int
) -> Array:
    return _of_block(arrays, num_classes).confusion(starts)


def _hits_of_block(
    arrays: Arrays, starts: BlockStarts, *, num_classes: int, k: int | None
) -> tuple[Array, None]:
    rows = _of_block(arrays, num_classes)
    return rows.xp.astype(rows.hits(k, starts), rows.wide), None


def _among(xp: Any, scores: Array, target: Array, k: int) -> Array:
    """Whether fewer than ``k`` classes come before the target's.

    Those with a larger score do, and of equals those with a smaller number: the order
    in which `argmax` would find them.
    """
    own = gather_labels(xp, scores, target)[:, None]
    number = xp.arange(scores.shape[1], dtype=target.dtype, device=device_of(target))
    before = (scores > own) | ((scores == own) & (number < target[:, None]))
    return xp.sum(as_index(xp, before), axis=-1) < k


def _require_shapes(xp: Any, prediction: Array, target: Array) -> bool:
    """Check shapes and kinds; true where the prediction holds scores."""
    shape, given = tuple(prediction.shape), tuple(target.shape)
    columns = {"prediction": shape, "target": given}
    for name, column in columns.items():
        if len(column) == 2 and column[1] == 1:
            raise ValueError(
                f"`prediction` has shape {shape} and `target` {given}, but a column is "
                f"no list of labels: reshape it, `{name}.reshape({column[:1]})`"
            )
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
    scores = len(shape) == 2
    if scores and not (
        shape[1] and (is_floating(xp, prediction) or is_integral(xp, prediction))
    ):
        raise TypeError(
            f"`prediction` has shape {shape} and dtype {prediction.dtype}, but scores "
            "are real numbers (N, C) with a column for each class"
        )
    require_labels(xp, "target", target)
    if not scores and is_floating(xp, prediction):
        raise TypeError(
            "`prediction` must hold integer class labels, or scores (N, C), but has "
            f"shape {shape} and dtype {prediction.dtype}: compare the scores of two "
            "classes with a threshold, `xp.astype(prediction > 0.5, xp.int64)`"
        )
    if not scores:
        require_labels(xp, "prediction", prediction)
    return scores


def _as_weight(xp: Any, weight: Array, target: Array) -> Array:
    if tuple(weight.shape) != tuple(target.shape):
        raise ValueError(
            f"`weight` has shape {tuple(weight.shape)}, but must have one entry "
            f"for each row, {tuple(target.shape)}"
        )
    if is_floating(xp, weight):
        return weight
    return as_real(xp, "weight", weight, default_dtype(xp, "real floating", weight))


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
    if is_dask(xp):
        raise ValueError(
            "the largest label of a Dask array is not known before it is computed: "
            "give `num_classes`"
        )
    if target.shape[0] == 0:
        raise ValueError(
            "there are no labels to count the classes by: give `num_classes`"
        )
    largest = xp.maximum(xp.max(as_index(xp, prediction)), xp.max(as_index(xp, target)))
    return max(int(largest) + 1, least)


def _no_nan(scores: Array) -> ValueCheck:
    # NaN is the only value unlike itself; integers have none.
    return ValueCheck(
        "prediction",
        scores,
        scores != scores,
        rule="hold no nan",
        remedy="the largest of scores with nan is undefined",
    )
