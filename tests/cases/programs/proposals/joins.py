"""Propose steps that join values to one array."""

from __future__ import annotations

from cases.programs.interpreter import Step
from cases.programs.proposals.operands import draw_axis
from cases.programs.sketch import Sketch


def concat(s: Sketch) -> Step:
    pair = s.operands(lambda a, b: a.ndim == b.ndim > 0 and a.shape[1:] == b.shape[1:])
    kind = s.one_of(["two", "twice", "constant", "flat"])
    if kind == "flat":
        return Step("concat", pair, {"axis": None})
    if kind == "two":
        return Step("concat", pair, {"axis": 0})
    i, a = pair[0], s.values[pair[0]]
    axis = draw_axis(s, a)
    if kind == "twice":
        return Step("concat", (i, i), {"axis": axis})
    return Step("concat", (i,), {"axis": axis, "constant": s.constant(a.shape)})


def stack(s: Sketch) -> Step:
    pair = s.operands(lambda a, b: a.shape == b.shape)
    kind = s.one_of(["two", "twice", "constant"])
    i, a = pair[0], s.values[pair[0]]
    axis = s.one_of([0, a.ndim, -1])
    if kind == "two":
        return Step("stack", pair, {"axis": axis})
    if kind == "twice":
        return Step("stack", (i, i), {"axis": axis})
    return Step("stack", (i,), {"axis": axis, "constant": s.constant(a.shape)})
