"""Propose steps for matrices: products and triangles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cases.programs.interpreter import MOST_ENTRIES, Step
from cases.programs.proposals.operands import has_axis
from cases.programs.sketch import Sketch


def _can_multiply(a: Any, b: Any) -> bool:
    try:
        return np.matmul(a, b).size <= MOST_ENTRIES
    except ValueError:
        return False


def matmul(s: Sketch) -> Step:
    pair = s.operands(_can_multiply)
    return Step("matmul", pair, {})


def matmul_transposed(s: Sketch) -> Step:
    pair = s.operands(
        lambda a, b: b.ndim > 1 and _can_multiply(a, np.matrix_transpose(b))
    )
    return Step("matmul, transposed", pair, {})


def _most_axes(a: Any) -> int:
    """Limit the axes of a constant factor, so that batches of matrices broadcast."""
    return 3 if a.ndim < 3 else 2


def matmul_constant_right(s: Sketch) -> Step:
    i = s.operand(has_axis)
    n = s.values[i].shape[-1]
    shape = s.one_of([(n,), (n, 2), (2, n, 3)][: _most_axes(s.values[i])])
    return Step("matmul, constant right", (i,), {"constant": s.constant(shape)})


def matmul_constant_left(s: Sketch) -> Step:
    i = s.operand(has_axis)
    n = s.values[i].shape[-2:][0]
    shape = s.one_of([(n,), (2, n), (2, 3, n)][: _most_axes(s.values[i])])
    return Step("matmul, constant left", (i,), {"constant": s.constant(shape)})


def triangle(name: str) -> Callable[[Sketch], Step]:
    def propose(s: Sketch) -> Step:
        i = s.operand(lambda a: a.ndim > 1)
        return Step(name, (i,), {"k": s.one_of([0, 1, -1])})

    return propose
