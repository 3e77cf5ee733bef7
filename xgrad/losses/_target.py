"""The target of rows of classes, and the options that adjust it."""

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
    prefix_of,
    product_keeping_zeros,
    quotient_keeping_zeros,
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


@dataclass(frozen=True, eq=False)
class ClassTarget:
    """The target of each row: one label, or a weight for each class.

    Either ``labels``, of shape ``(...)``, or ``weights``, ``(..., C)``, is None. Labels
    that nobody checked may be out of range: the results of such rows mean nothing, and
    `in_range` tells which they are.
    """

    xp: Any
    num_classes: int
    labels: Any = None
    weights: Any = None

    def __getitem__(self, rows: slice) -> ClassTarget:
        """Return the target of some rows."""
        if self.weights is None:
            return replace(self, labels=self.labels[rows])
        return replace(self, weights=self.weights[rows])

    @functools.cached_property
    def mask(self) -> Array:
        """Booleans ``(..., C)``, true at the label."""
        return label_mask(self.xp, self.labels, self.num_classes)

    # Cached: the value and the slope of one call both read them.
    @functools.cached_property
    def _index(self) -> Array:
        """The labels in the dtype to index with."""
        return as_index(self.xp, self.labels)

    @functools.cached_property
    def _clipped_index(self) -> Array:
        """The labels, moved into the range of the classes: reading there is safe."""
        return self.xp.clip(self._index, 0, self.num_classes - 1)

    def multiply(self, values: Array) -> Array:
        """Return target times values for each class, with ``0 * inf = 0``."""
        if self.weights is None:
            # A product with the mask would be nan at infinite values.
            return self.xp.where(self.mask, values, 0.0)
        return product_keeping_zeros(self.xp, self.weights, values)

    def divide(self, values: Array) -> Array:
        """Return target over values for each class, with ``0 / 0 = 0``."""
        if self.weights is None:
            return self.xp.where(self.mask, 1 / values, 0.0)
        return quotient_keeping_zeros(self.xp, self.weights, values)

    def dot(
        self, values: Array, function: Callable[[Array], Array] | None = None
    ) -> Array:
        """Return the sum of target times values over the classes, for each row.

        With a function, of its values at ``values``; for labels it is called with the
        values at the labels alone.
        """
        if self.weights is not None:
            values = values if function is None else function(values)
            return row_sum(self.xp, self.multiply(values))
        if prefers_gather(self.xp, self.num_classes):
            at_label = gather_labels(self.xp, values, self._clipped_index)
        else:
            at_label = row_sum(self.xp, self.multiply(values))
        return at_label if function is None else function(at_label)

    def multiply_by_sum(self, values: Array) -> Array:
        """Return values of each row times the sum of its target over the classes."""
        if self.weights is None:
            return values
        return sum_along(self.xp, self.weights) * values

    def as_weights(self, dtype: Any) -> Array:
        """Return the target as a weight for each class, ``(..., C)``."""
        if self.weights is None:
            return self.xp.astype(self.mask, dtype)
        return self.weights

    def in_range(self) -> Array | None:
        """Return booleans, true in rows whose label names a class; None of weights."""
        if self.labels is None:
            return None
        if prefers_gather(self.xp, self.num_classes):
            return self._clipped_index == self._index
        return self.xp.any(self.mask, axis=-1)

    def is_only(self, number: int) -> Array:
        """Return booleans, true in rows whose target is this class and no other."""
        if self.labels is not None:
            return equals_number(self.xp, self.labels, number)
        if not 0 <= number < self.num_classes:
            return self.xp.zeros_like(self.weights[..., 0], dtype=self.xp.bool)
        # Two slices: not every library can set the entry of the class to False.
        present = self.weights != 0
        others = (present[..., :number], present[..., number + 1 :])
        left, right = (self.xp.any(classes, axis=-1) for classes in others)
        return present[..., number] & ~(left | right)


@dataclass(frozen=True, eq=False)
class TargetOptions:
    """The options of a loss that change its target, or which rows count."""

    class_weight: Any = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None

    @staticmethod
    def parameters() -> list[inspect.Parameter]:
        """Return the options as parameters of a signature."""
        own = inspect.signature(TargetOptions).parameters.values()
        return [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]

    @classmethod
    def select(cls, options: dict[str, Any]) -> TargetOptions:
        """Pick these options from all options of a call, where it has them."""
        names = (field.name for field in fields(cls))
        return cls(**{n: options[n] for n in names if n in options})

    def validate(self, xp: Any, values: Array, guard: Guard) -> TargetOptions:
        """Return the options after their checks, the weights like the prediction."""
        weight, ignore_index = self.class_weight, self.ignore_index
        if weight is not None:
            weight = _validate_class_weight(xp, weight, values, guard)
        if ignore_index is not None:
            ignore_index = integer("ignore_index", ignore_index, least=None)
        smoothing = FRACTION.validate("label_smoothing", self.label_smoothing)
        return TargetOptions(weight, smoothing, ignore_index)

    def apply(self, target: ClassTarget, dtype: Any) -> ClassTarget:
        """Return the target as weights ``w_k ((1 - s) t_k + s / C)``."""
        weights = target.as_weights(dtype)
        if self.label_smoothing:
            spread = self.label_smoothing / target.num_classes
            weights = (1 - self.label_smoothing) * weights + spread
        if self.class_weight is not None:
            weights = weights * self.class_weight
        return ClassTarget(target.xp, target.num_classes, weights=weights)


def _validate_class_weight(
    xp: Any, weight: Array, values: Array, guard: Guard
) -> Array:
    if tuple(weight.shape) != tuple(values.shape[-1:]):
        raise ValueError(
            f"`class_weight` has shape {tuple(weight.shape)}, but must have "
            f"one entry for each of the {values.shape[-1]} classes; weights of rows "
            "are `weight=`"
        )
    floats = as_real(xp, "class_weight", weight, values.dtype)
    rules = CLASS_WEIGHT.checks(xp, "class_weight", floats, weight)
    return guard.domain(floats, rules)


def as_class_target(
    xp: Any,
    values: Array,
    target: Array,
    guard: Guard,
    ignore_index: int | None,
    remedy: str,
) -> tuple[ClassTarget, Array | None]:
    """Return the target after its checks, and booleans that mark the ignored rows.

    ``remedy`` is that for labels out of range.
    """
    num_classes = values.shape[-1]
    if target.shape == values.shape:
        weights = as_real(xp, "target", target, values.dtype)
        rules = SOFT_TARGET.checks(xp, "target", weights, target)
        classes = ClassTarget(xp, num_classes, weights=guard.domain(weights, rules))
        return classes, None if ignore_index is None else classes.is_only(ignore_index)
    if target.shape != values.shape[:-1]:
        raise ValueError(_shape_message(values, target))
    require_labels(xp, "target", target)
    classes = ClassTarget(xp, num_classes, labels=target)
    if num_classes == 1:
        remedy = (
            "rows with one entry are for the losses of two classes, such as "
            "`sigmoid_binary_cross_entropy`"
        )
    ignored = None if ignore_index is None else classes.is_only(ignore_index)
    # Labels are checked by `guard` itself, not by its `domain`: no step of a derivative
    # moves them, so that a bad one is the caller's at every point.
    checks = range_checks(xp, "target", target, num_classes, ignored, remedy=remedy)
    return replace(classes, labels=guard(target, checks)), ignored


def _shape_message(values: Array, target: Array) -> str:
    shape, target_shape = tuple(values.shape), tuple(target.shape)
    fix = ""
    if math.prod(target_shape) == math.prod(shape[:-1]):
        fix = f"; reshape it: `target.reshape({shape[:-1]})`"
    for axis in range(len(shape) - 1):
        if shape[:axis] + shape[axis + 1 :] == target_shape:
            code = f"{prefix_of([values])}.moveaxis(prediction, {axis}, -1)"
            fix = f"; classes are the last axis: `{code}`"
    return (
        f"`prediction` has shape {shape} but `target` has shape {target_shape}: it "
        f"must be {shape[:-1]} (integer labels) or {shape} (weights of the classes)"
        f"{fix}"
    )
