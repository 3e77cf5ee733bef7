"""Propose steps that give the entries another shape or order."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from cases.programs.interpreter import Constant, Step
from cases.programs.proposals.operands import draw_axis, has_axis, is_small
from cases.programs.sketch import Sketch


def reshape(s: Sketch) -> Step:
    i = s.operand()
    size = s.values[i].size
    shapes = [(-1,), (1, size), (size, 1)]
    shapes += [(2, size // 2), (size // 2, -1)] if size % 2 == 0 else []
    shapes += [()] if size == 1 else []
    return Step("reshape", (i,), {"shape": s.one_of(shapes)})


def permute(s: Sketch) -> Step:
    i = s.operand(lambda a: a.ndim > 1)
    axes = s.draw(st.permutations(range(s.values[i].ndim)))
    return Step("permute", (i,), {"axes": tuple(axes)})


def flip(s: Sketch) -> Step:
    i = s.operand(has_axis)
    axis = s.one_of([None, draw_axis(s, s.values[i])])
    return Step("flip", (i,), {"axis": axis})


def roll(s: Sketch) -> Step:
    i = s.operand(has_axis)
    axis = s.one_of([None, draw_axis(s, s.values[i])])
    shift: Any = s.one_of([1, -1, 2])
    if axis is not None and s.values[i].ndim > 1 and s.one_of([False, True]):
        shift, axis = (shift, 1), (0, 1)
    return Step("roll", (i,), {"shift": shift, "axis": axis})


def repeat(s: Sketch) -> Step:
    i = s.operand(lambda a: has_axis(a) and is_small(a))
    axis = s.one_of([None, draw_axis(s, s.values[i])])
    repeats: Any = 2
    if axis is not None and s.one_of([False, True]):
        counts = np.arange(s.values[i].shape[axis]) % 3
        repeats = Constant(counts[::-1].tolist())
    return Step("repeat", (i,), {"repeats": repeats, "axis": axis})


def tile(s: Sketch) -> Step:
    i = s.operand(is_small)
    repetitions = s.one_of([(2,), (2, 1), (1, 2), (2, 1, 1)])
    return Step("tile", (i,), {"repetitions": repetitions})


def broadcast(s: Sketch) -> Step:
    i = s.operand(is_small)
    shape = [3 if count == 1 else count for count in s.values[i].shape]
    return Step("broadcast", (i,), {"shape": s.one_of([(2, *shape), tuple(shape)])})


def expand(s: Sketch) -> Step:
    i = s.operand(is_small)
    return Step("expand", (i,), {"axis": s.one_of([0, -1, s.values[i].ndim])})


def squeeze(s: Sketch) -> Step:
    i = s.operand(lambda a: 1 in a.shape)
    axes = [k for k, count in enumerate(s.values[i].shape) if count == 1]
    return Step("squeeze", (i,), {"axis": s.one_of([axes[0], axes[-1], tuple(axes)])})
