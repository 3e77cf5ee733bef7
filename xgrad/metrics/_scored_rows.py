"""Scores and true labels of one call, after their checks, for metrics of all rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    BlockStarts,
    as_float,
    as_index,
    common_namespace,
    drop_none,
    integer,
    is_boolean,
    is_floating,
    is_integral,
    require_known_shapes,
    wide_dtype,
)
from xgrad._rules import (
    DISTRIBUTION,
    IGNORABLE,
    NO_STARTS,
    UNIT_INTERVAL,
    ValueCheck,
    enforce,
    equals_number,
    range_checks,
    require_labels,
)
from xgrad.metrics._arguments import (
    as_labels,
    as_weight,
    nan_check,
    one_hot_labels,
    refuse_columns,
    refuse_lazy,
    weight_checks,
)

# Remedy for other labels beside scores (N,).
OF_TWO = (
    "scores (N,) are those of one of two classes; of several pass scores (N, C), and "
    "turn signs -1 and 1 into labels by `(target + 1) // 2`"
)


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Scores ``(N,)`` of one class or ``(N, C)`` of all, labels, weights, or None.

    Rows that are ignored are left out. Integer scores stay integers: floats would lose
    the order of large ones.
    """

    xp: Any
    scores: Array
    target: Array
    weight: Array | None
    sum_dtype: Any  # float64 where the device has it

    @property
    def num_classes(self) -> int:
        """Number of classes: that of the columns, or 2."""
        return int(self.scores.shape[1]) if self.scores.ndim == 2 else 2

    def with_weight(self) -> ScoredRows:
        """Return the rows whose weight is not 0."""
        if self.weight is None:
            return self
        mask = self.weight != 0
        return self if bool(self.xp.all(mask)) else self.take(mask)

    def take(self, mask: Array) -> ScoredRows:
        """Return the rows where a mask is true."""
        xp, weight = self.xp, self.weight
        (index,) = xp.nonzero(mask)
        return replace(
            self,
            scores=xp.take(self.scores, index, axis=0),
            target=xp.take(self.target, index),
            weight=None if weight is None else xp.take(weight, index),
        )

    def scores_of(self, label: int) -> Array:
        """Return the scores of a class, ``(N,)``; those of one column are of both."""
        return self.scores if self.scores.ndim == 1 else self.scores[:, label]


def as_scored_rows(
    name: str,
    prediction: Any,
    target: Any,
    weight: Any,
    ignore_index: int | None,
    *,
    are_probabilities: bool = False,
    starts: BlockStarts = NO_STARTS,
) -> ScoredRows:
    """Return the arguments of a metric of scores after all of their checks."""
    optional = drop_none(weight=weight)
    xp = common_namespace(prediction=prediction, target=target, **optional)
    refuse_lazy(xp, name)
    require_known_shapes(prediction=prediction, target=target)
    # Labels first would otherwise be ranked as scores, and the scores be refused as
    # labels, which hides the mistake.
    if target.ndim == 1 and is_integral(xp, prediction) and is_floating(xp, target):
        raise ValueError(
            "the arguments look swapped: `prediction` holds integers and `target` "
            f"floats; predictions come first: {name}(scores, labels)"
        )
    scores, target = _as_scores(xp, prediction), as_labels(xp, target)
    _require_shapes(scores, target)
    checks: list[ValueCheck] = []
    if target.ndim == 2:
        target, check = one_hot_labels(xp, "target", target)
        checks.append(check)
    require_labels(xp, "target", target)
    ignored = None
    if ignore_index is not None:
        number = integer("ignore_index", ignore_index, least=None)
        ignored = equals_number(xp, target, number)
    num_classes = int(scores.shape[1]) if scores.ndim == 2 else 2
    remedy = IGNORABLE if scores.ndim == 2 else OF_TWO
    checks += range_checks(xp, "target", target, num_classes, ignored, remedy=remedy)
    checks.append(nan_check(scores, "nan has no rank among the scores", ignored))
    if are_probabilities:
        scores = as_float(xp, "prediction", scores)
        checks += _probability_checks(xp, scores, prediction, ignored)
    wide = wide_dtype(xp, target, as_float(xp, "prediction", scores[:0, ...]).dtype)
    if weight is not None:
        weight = xp.astype(as_weight(xp, weight, target), wide, copy=False)
        if ignored is not None:
            weight = xp.where(ignored, 0.0, weight)
        checks += weight_checks(xp, weight)
    enforce(xp, checks, starts)
    rows = ScoredRows(xp, scores, as_index(xp, target), weight, wide)
    return rows if ignored is None else rows.take(~ignored)


def _probability_checks(
    xp: Any, scores: Array, original: Array, ignored: Array | None
) -> Iterator[ValueCheck]:
    """Yield the checks of probabilities: of one class, or rows that sum to 1."""
    domain = UNIT_INTERVAL if scores.ndim == 1 else DISTRIBUTION
    for check in domain.checks(xp, "prediction", scores, original):
        if ignored is None:
            yield check
        else:
            counted = ~ignored if check.bad.ndim == 1 else ~ignored[:, None]
            yield replace(check, bad=check.bad & counted)


def _as_scores(xp: Any, prediction: Array) -> Array:
    if is_boolean(xp, prediction):
        return xp.astype(prediction, xp.uint8)
    if is_integral(xp, prediction):
        return prediction
    return as_float(xp, "prediction", prediction)


def _require_shapes(scores: Array, target: Array) -> None:
    shape, target_shape = tuple(scores.shape), tuple(target.shape)
    refuse_columns(shape, target_shape)
    has_scores = len(shape) in (1, 2) and 0 not in shape[1:]
    classes = shape[1:] or (2,)
    if not (has_scores and target_shape in (shape[:1], (*shape[:1], *classes))):
        raise ValueError(
            f"`prediction` has shape {shape} and `target` {target_shape}, but they "
            "must be scores (N,) or (N, C), and labels (N,) or one-hot rows (N, C)"
        )
