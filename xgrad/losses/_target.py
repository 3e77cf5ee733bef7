"""The target of a row of classes, and how it is weighted, smoothed and ignored."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from xgrad._arrays import (
    Array,
    as_index,
    as_real,
    integer,
    product_keeping_zeros,
    row_sum,
    sum_along,
)
from xgrad._rules import (
    CLASS_WEIGHT,
    FRACTION,
    SOFT_TARGET,
    Guard,
    equals_number,
    gather_labels,
    label_mask,
    prefers_gather,
    range_checks,
    require_labels,
)


@dataclass(frozen=True)
class Classes:
    """The target of a row: one label, or a weight for each class.

    Exactly one of ``labels`` and ``weights`` is given. Labels may be out of range where
    nobody checked them: what is computed from those rows is anything.
    """

    xp: Any
    num_classes: int
    labels: Any = None
    weights: Any = None

    def __getitem__(self, rows: slice) -> Classes:
        """The target of some rows."""
        if self.weights is None:
            return replace(self, labels=self.labels[rows])
        return replace(self, weights=self.weights[rows])

    @functools.cached_property
    def mask(self) -> Array:
        """Booleans, true at the label."""
        return label_mask(self.xp, self.labels, self.num_classes)

    @functools.cached_property
    def _numbers(self) -> Array:
        return as_index(self.xp, self.labels)

    @functools.cached_property
    def _index(self) -> Array:
        """The labels, within the range of the classes whatever they are."""
        return self.xp.clip(self._numbers, 0, self.num_classes - 1)

    def times(self, values: Array) -> Array:
        """Target times values, entry by entry, with ``0 * inf = 0``."""
        if self.weights is None:
            return self.xp.where(self.mask, values, 0.0)
        return product_keeping_zeros(self.xp, self.weights, values)

    def pick(self, values: Array, of: Callable[[Array], Array] | None = None) -> Array:
        """Sum of target times values over the classes, or of a function of the values.

        At labels the function sees their values alone.
        """
        if self.weights is None:
            if prefers_gather(self.xp, self.num_classes):
                picked = gather_labels(self.xp, values, self._index)
            else:
                picked = row_sum(self.xp, self.times(values))
            return picked if of is None else of(picked)
        return row_sum(self.xp, self.times(values if of is None else of(values)))

    def scale(self, values: Array) -> Array:
        """Values of each row, times the sum of the target over the classes."""
        if self.weights is None:
            return values
        return sum_along(self.xp, self.weights) * values

    def dense(self, dtype: Any) -> Array:
        """The target as a weight for each class."""
        if self.weights is None:
            return self.xp.astype(self.mask, dtype)
        return self.weights

    def known(self) -> Array | None:
        """Booleans, true in rows whose label is the number of a class."""
        if self.labels is None:
            return None
        if prefers_gather(self.xp, self.num_classes):
            return self._index == self._numbers
        return self.xp.any(self.mask, axis=-1)

    def all_on(self, number: int) -> Array:
        """Booleans, true in rows whose target is one class alone."""
        if self.labels is not None:
            return equals_number(self.xp, self.labels, number)
        if not 0 <= number < self.num_classes:
            return self.xp.zeros_like(self.weights[..., 0], dtype=self.xp.bool)
        present = self.weights != 0
        others = (present[..., :number], present[..., number + 1 :])
        left, right = (self.xp.any(part, axis=-1) for part in others)
        return present[..., number] & ~(left | right)


@dataclass(frozen=True)
class Adjustment:
    """Options of a loss that change its target, or which rows count."""

    class_weight: Any = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None

    @staticmethod
    def parameters() -> list[inspect.Parameter]:
        """The options, as parameters of a signature."""
        own = inspect.signature(Adjustment).parameters.values()
        return [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]

    @staticmethod
    def names() -> tuple[str, ...]:
        """The names of the options."""
        return tuple(field.name for field in fields(Adjustment))

    @classmethod
    def among(cls, options: dict[str, Any]) -> Adjustment:
        """Those of all options of a loss that there are."""
        return cls(**{n: options[n] for n in cls.names() if n in options})

    def checked(self, xp: Any, values: Array, guard: Guard) -> Adjustment:
        """With the weights as floats of the prediction's dtype."""
        weight, ignored = self.class_weight, self.ignore_index
        if weight is not None:
            if tuple(weight.shape) != tuple(values.shape[-1:]):
                raise ValueError(
                    f"`class_weight` has shape {tuple(weight.shape)}, but must have "
                    f"one entry for each of the {values.shape[-1]} classes"
                )
            floats = as_real(xp, "class_weight", weight, values.dtype)
            rules = CLASS_WEIGHT.checks(xp, "class_weight", floats, weight)
            weight = guard.domain(floats, rules)
        if ignored is not None:
            ignored = integer("ignore_index", ignored, least=None)
        smoothing = FRACTION.checked("label_smoothing", self.label_smoothing)
        return Adjustment(weight, smoothing, ignored)

    def applied(self, classes: Classes, dtype: Any) -> Classes:
        """The target as weights ``w_k ((1 - s) t_k + s / C)``."""
        weights = classes.dense(dtype)
        if self.label_smoothing:
            spread = self.label_smoothing / classes.num_classes
            weights = (1 - self.label_smoothing) * weights + spread
        if self.class_weight is not None:
            weights = weights * self.class_weight
        return Classes(classes.xp, classes.num_classes, weights=weights)


def as_classes(
    xp: Any, values: Array, target: Array, guard: Guard, ignore_index: int | None
) -> tuple[Classes, Array | None]:
    """The checked target, and which rows are ignored."""
    num_classes = values.shape[-1]
    if target.shape == values.shape:
        weights = as_real(xp, "target", target, values.dtype)
        weights = guard.domain(
            weights, SOFT_TARGET.checks(xp, "target", weights, target)
        )
        goal = Classes(xp, num_classes, weights=weights)
        return goal, None if ignore_index is None else goal.all_on(ignore_index)
    if target.shape != values.shape[:-1]:
        raise ValueError(_misshapen(values, target))
    require_labels(xp, "target", target)
    goal = Classes(xp, num_classes, labels=target)
    ignored = None if ignore_index is None else goal.all_on(ignore_index)
    checks = range_checks(xp, "target", target, num_classes, ignored)
    return replace(goal, labels=guard(target, checks)), ignored


def _misshapen(values: Array, target: Array) -> str:
    shape, given = tuple(values.shape), tuple(target.shape)
    fix = (
        f"; reshape it: `target.reshape({shape[:-1]})`"
        if math.prod(given) == math.prod(shape[:-1])
        else ""
    )
    return (
        f"`prediction` has shape {shape} but `target` has shape {given}: it must be "
        f"{shape[:-1]} (integer labels) or {shape} (weights of the classes){fix}"
    )
