"""Functions that each propose a step for a sketch.

`PROPOSALS` holds them all; one that stands for several operations comes several times.
"""

from __future__ import annotations

from collections.abc import Callable

from cases.programs.interpreter import Step
from cases.programs.proposals import (
    axes,
    elementwise,
    indexing,
    joins,
    matrices,
    shapes,
)
from cases.programs.sketch import Sketch

PROPOSALS: tuple[Callable[[Sketch], Step], ...] = (
    *[elementwise.unary] * 4,
    *[elementwise.binary_of_two] * 2,
    *[elementwise.binary_with_constant] * 3,
    *[axes.reduce] * 4,
    elementwise.where_constant,
    elementwise.where_of_computed,
    elementwise.gate,
    elementwise.clip,
    shapes.reshape,
    shapes.permute,
    indexing.index,
    indexing.gather,
    indexing.rows,
    indexing.mask,
    indexing.take,
    indexing.take_along_axis,
    shapes.flip,
    shapes.roll,
    shapes.repeat,
    shapes.tile,
    joins.concat,
    joins.stack,
    matrices.matmul,
    matrices.matmul_transposed,
    matrices.matmul_constant_right,
    matrices.matmul_constant_left,
    axes.along_axis("cumulative sum"),
    axes.diff,
    axes.along_axis("sort"),
    shapes.broadcast,
    shapes.expand,
    shapes.squeeze,
    matrices.triangle("tril"),
    matrices.triangle("triu"),
    indexing.set_entries,
)
