"""Propose steps that read or set entries at an index."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.programs.interpreter import Step
from cases.programs.proposals.operands import draw_axis, has_axis
from cases.programs.sketch import Sketch


def _draw_slice(s: Sketch, count: int) -> slice:
    slices = [
        slice(None),
        slice(1, None),
        slice(None, -1),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(-1, None, -2),
        slice(1, count - 1),
    ]
    return s.one_of(k for k in slices if range(count)[k])


def _draw_index(s: Sketch, a: Any, *, none: bool) -> tuple[Any, ...]:
    """Draw slices, integers, an ellipsis, and new axes if they are allowed."""
    if a.ndim == 0:
        return s.one_of([(...,), (None,)] if none else [(...,)])
    index: list[Any] = []
    for count in a.shape:
        if none and s.one_of([False, False, True]):
            index.append(None)
        if s.one_of([False, False, True]):
            index.append(s.one_of([0, -1, count // 2]))
        else:
            index.append(_draw_slice(s, count))
    if s.one_of([False, False, True]):
        index = s.one_of([[*index[:1], ...], [..., *index[-1:]]])
    return tuple(index)


def index(s: Sketch) -> Step:
    i = s.operand()
    return Step("index", (i,), {"index": _draw_index(s, s.values[i], none=True)})


def gather(s: Sketch) -> Step:
    i = s.operand(has_axis)
    shape = s.one_of([(5,), (2, 3)])
    indices = {
        f"axis{k}": s.indices(count, shape) for k, count in enumerate(s.values[i].shape)
    }
    return Step("gather", (i,), indices)


def rows(s: Sketch) -> Step:
    i = s.operand(has_axis)
    return Step("rows", (i,), {"indices": s.indices(s.values[i].shape[0], 4)})


def mask(s: Sketch) -> Step:
    i = s.operand(has_axis)
    shape = s.values[i].shape
    return Step("mask", (i,), {"mask": s.mask(s.one_of([shape, shape[:1]]))})


def take(s: Sketch) -> Step:
    i = s.operand(has_axis)
    axis = draw_axis(s, s.values[i])
    indices = s.indices(s.values[i].shape[axis], 4)
    return Step("take", (i,), {"indices": indices, "axis": axis})


def take_along_axis(s: Sketch) -> Step:
    i = s.operand(has_axis)
    axis, shape = draw_axis(s, s.values[i]), list(s.values[i].shape)
    count, shape[axis] = shape[axis], 2
    options = {"indices": s.indices(count, shape), "axis": axis}
    return Step("take along axis", (i,), options)


def set_entries(s: Sketch) -> Step:
    i, how = s.operand(), s.one_of(["set", "add", "multiply"])
    a = s.values[i]
    options = {"index": _draw_index(s, a, none=False), "how": how}
    shape = a[options["index"]].shape
    kind = s.one_of(["value", "number", "array"])
    if kind == "value":
        j = s.operand(lambda b: _fits_into(b, shape))
        return Step("set", (i, j), options)
    value = s.constant(shape) if kind == "array" else 0.75
    return Step("set", (i,), {**options, "value": value})


def _fits_into(b: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(b.shape, shape) == shape
    except ValueError:
        return False
