"""Passes: evaluate a function at x and at points around it, and combine the values."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from xgrad._arrays import Array, at_perturbed_points, device_of
from xgrad._differences.placement import Placement
from xgrad._differences.plan import Plan
from xgrad._differences.readout import Readout
from xgrad._differences.result import Result, concat_results
from xgrad._differences.samples import Samples
from xgrad._evaluation import (
    Evaluator,
    Function,
    Neighborhood,
    Points,
    Way,
    choose_way,
    concat_blocks,
)


class Combining(Protocol):
    """The part of a scheme that a pass needs: from values to derivatives."""

    def combine(self, samples: Samples, estimate: bool) -> Result:
        """Return the derivative of each column."""


@dataclass(eq=False)
class Passes:
    """The passes over one function: the plan of its derivative, and its evaluator.

    ``names`` are those of the leaves of ``x`` in messages; a ``leaf`` is given by its
    number. ``xp`` is the namespace of the arrays, and ``placements`` put the points
    around each leaf. ``took_ladder`` tells whether "auto" has taken some columns again.
    """

    function: Function
    names: tuple[str, ...]
    plan: Plan
    evaluator: Evaluator
    xp: Any = field(init=False)
    placements: list[Placement] = field(init=False)
    took_ladder: bool = field(init=False, default=False)

    @property
    def method(self) -> str:
        """The method that was taken, where the plan leaves the choice."""
        if self.plan.method != "auto":
            return self.plan.method
        return "central, ladder" if self.took_ladder else "central"

    def __post_init__(self) -> None:
        xp, leaves = self.function.xp, self.function.leaves
        self.xp = xp
        self.placements = [
            Placement(xp, x, name, self.plan)
            for x, name in zip(leaves, self.names, strict=True)
        ]

    def eps(self, leaf: int, base: Array) -> float:
        """Return the precision of the coarser of a leaf and the result."""
        dtype = self.function.leaves[leaf].dtype
        return self.plan.setting(self.xp, dtype, base.dtype).eps

    def at_base(self) -> Array:
        """Evaluate ``f(x)``."""
        self.evaluator.meter.expect(1)
        base = self.function.at_base()
        if self.evaluator.checkpoint is not None:
            base = self.evaluator.checkpoint.agreed_base(self.xp, base)
        self.evaluator.meter.add(1)
        return base

    def take_value(self, value: Any) -> Array:
        """Accept ``f(x)`` that was evaluated before; count one evaluation."""
        self.evaluator.meter.add_single()
        return self.function.convert_result(value)

    def at(self, point: Array) -> Array:
        """Evaluate a function of a single array at one other point."""
        self.evaluator.meter.expect(1)
        value = self.function.at_point(point)
        self.evaluator.meter.add(1)
        return value

    def one_pass(
        self,
        function: Function,
        leaf: int,
        base: Array,
        scheme: Combining,
        points: Points,
        readout: Readout,
        estimate: bool,
    ) -> Result:
        """Evaluate, read and combine all columns of a leaf once."""
        near = Neighborhood(function, leaf, points, base)
        with at_perturbed_points():
            return self.combine_columns(near, scheme, readout, estimate)

    def combine_columns(
        self, near: Neighborhood, scheme: Combining, readout: Readout, estimate: bool
    ) -> Result:
        """Make one pass, within `at_perturbed_points`."""
        way = self.choose_way(near)
        self.evaluator.meter.expect(near.points.total)
        values = self.evaluator.evaluate_at_once(way, near)
        if values is not None:
            # The usual case: one chunk in this thread.
            samples = readout.samples(
                near.points, 0, near.points.count, [values], way.gives_differences
            )
            return scheme.combine(samples, estimate)
        results = []
        for samples in self.read_columns(near, way, readout):
            results.append(scheme.combine(samples, estimate))
            del samples  # or they would stay while the next ones are made
        if not results:
            return self._empty_result(near.leaf, near.base, estimate)
        return concat_results(
            results, lambda groups: readout.join_groups(self.xp, groups)
        )

    def read_columns(
        self, near: Neighborhood, way: Way, readout: Readout
    ) -> Iterator[Samples]:
        """Yield the samples of one group of columns after the other.

        To be called within `at_perturbed_points`.
        """
        points, relative = near.points, way.gives_differences
        groups = self.evaluator.evaluate_columns(way, near)
        try:
            for start, stop, blocks in groups:
                samples = readout.samples(points, start, stop, blocks, relative)
                del blocks
                yield samples
                del samples
        finally:
            groups.close()

    def choose_way(self, near: Neighborhood) -> Way:
        """Return the way to call a function near x, as a checkpoint records it."""
        checkpoint = self.evaluator.checkpoint
        if checkpoint is None:
            return choose_way(self.evaluator, near)
        choose = functools.partial(choose_way, self.evaluator, near)
        return checkpoint.recorded_way(near.function, choose)

    def _empty_result(self, leaf: int, base: Array, estimate: bool) -> Result:
        """Return the result of no column, ``(0, *f(x).shape)``."""
        xp, x = self.xp, self.function.leaves[leaf]
        empty = xp.zeros((0, *base.shape), dtype=x.dtype, device=device_of(x))
        if not estimate:
            return Result(empty)
        return Result(empty, empty, empty, xp.astype(empty, xp.int8))

    def column_values(
        self, function: Function, leaf: int, base: Array, points: Points
    ) -> Array:
        """Evaluate at the points of a single column, ``(offsets, *f(x).shape)``."""
        near = Neighborhood(function, leaf, points, base)
        with at_perturbed_points():
            way = self.choose_way(near)
            self.evaluator.meter.expect(points.total)
            with closing(self.evaluator.evaluate_columns(way, near)) as groups:
                for _, _, blocks in groups:
                    values = concat_blocks(self.xp, blocks)[:, 0, ...]
                    return base + values if way.gives_differences else values
        return self.xp.stack([base] * len(points.offsets))  # no entry moves
