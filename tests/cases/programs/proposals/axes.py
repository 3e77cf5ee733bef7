"""Propose steps along an axis: reductions, cumulative sums, differences, sorting."""

from __future__ import annotations

import math
from collections.abc import Callable

from cases.programs.interpreter import REDUCTIONS, Step
from cases.programs.proposals.operands import draw_axis, has_axis
from cases.programs.sketch import Sketch


def reduce(s: Sketch) -> Step:
    i, op = s.operand(), s.one_of(REDUCTIONS)
    axes = range(s.values[i].ndim)
    axis = s.one_of([None, *axes, *([-1] if axes else []), *[tuple(axes)[1:]][:1]])
    if axis == ():
        axis = None
    options = {"op": op, "axis": axis, "keepdims": s.one_of([False, True])}
    if op in ("var", "std"):
        over = axes if axis is None else axis if isinstance(axis, tuple) else (axis,)
        several = math.prod(s.values[i].shape[k] for k in over) > 1
        options["correction"] = s.one_of([0, 1] if several else [0])
    return Step("reduce", (i,), options)


def along_axis(name: str) -> Callable[[Sketch], Step]:
    def propose(s: Sketch) -> Step:
        i = s.operand(has_axis)
        return Step(name, (i,), {"axis": draw_axis(s, s.values[i])})

    return propose


def diff(s: Sketch) -> Step:
    i = s.operand(lambda a: has_axis(a) and min(a.shape) > 2)
    options = {"axis": draw_axis(s, s.values[i]), "n": s.one_of([1, 2])}
    return Step("diff", (i,), options)
