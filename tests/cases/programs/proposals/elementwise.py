"""Propose steps that work entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cases.programs.interpreter import BINARY, UNARY, Constant, Step
from cases.programs.proposals.operands import can_broadcast
from cases.programs.sketch import Sketch


def unary(s: Sketch) -> Step:
    return Step("unary", (s.operand(),), {"op": s.one_of(UNARY)})


def _away_from_zero(a: Any) -> bool:
    return bool(np.min(np.abs(a)) > 0.3)


def _positive(a: Any) -> bool:
    return bool(np.min(a) > 0.3)


def binary_of_two(s: Sketch) -> Step:
    op = s.one_of(BINARY)
    fits = {
        "divide": lambda a, b: can_broadcast(a, b) and _away_from_zero(b),
        "power": lambda a, b: can_broadcast(a, b) and _positive(a),
    }
    pair = s.operands(fits.get(op, can_broadcast))
    return Step("binary", pair, {"op": op})


def binary_with_constant(s: Sketch) -> Step:
    op, left = s.one_of(BINARY), s.one_of([False, True])
    fits = {("divide", True): _away_from_zero}
    i = s.operand(fits.get((op, left), lambda value: True))
    shape = s.values[i].shape
    shapes = [None, shape, (), shape[-1:], (*shape[:-1], 1), (2, *shape)]
    constant: Any = s.one_of(shapes)
    if constant is None:
        constant = s.one_of([0.5, 2.0, -1.25, 3])
    else:
        constant = s.constant(constant)
    if op == "power":
        constant = _draw_base_or_exponent(s, constant, left, s.values[i])
    elif op == "divide" and not left:
        constant = _change(constant, lambda v: np.abs(v) + 0.5)
    return Step("binary", (i,), {"op": op, "constant": constant, "left": left})


def _draw_base_or_exponent(s: Sketch, constant: Any, left: bool, a: Any) -> Any:
    """Make a constant a base, or draw an exponent that suits the base."""
    if left:
        return _change(constant, lambda v: np.abs(v) + 0.5)
    if _positive(a):
        return constant
    return s.one_of([2, 3])


def _change(constant: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(constant, Constant):
        return Constant(function(np.asarray(constant.values)).tolist())
    return float(function(constant))


def where_constant(s: Sketch) -> Step:
    pair = s.operands(can_broadcast)
    shape = np.broadcast_shapes(*(s.values[i].shape for i in pair))
    condition = s.mask(s.one_of([shape, shape[-1:], (*shape[:-1], 1)]))
    return _draw_last_operand(s, "where", pair, {"condition": condition})


def where_of_computed(s: Sketch) -> Step:
    pair = s.operands(can_broadcast)
    c = s.operand(lambda value: all(can_broadcast(value, s.values[i]) for i in pair))
    return _draw_last_operand(
        s, "where, computed", (c, *pair), {"above": s.threshold()}
    )


def _draw_last_operand(s: Sketch, name: str, of: tuple[int, ...], options: Any) -> Step:
    """Propose the step with its last operand, a number or an array in its place."""
    kind = s.one_of(["value", "number", "array"])
    if kind == "value":
        return Step(name, of, options)
    shape = s.values[of[-1]].shape
    otherwise = 0.25 if kind == "number" else s.constant(shape)
    return Step(name, of[:-1], {**options, "otherwise": otherwise})


def gate(s: Sketch) -> Step:
    pair = s.operands(can_broadcast)
    return Step("gate, computed", pair, {"above": s.threshold()})


def clip(s: Sketch) -> Step:
    i = s.operand()
    low, high = s.one_of([(-0.5, 0.7), (None, 0.6), (-0.4, None), ("array", 0.9)])
    if low == "array":
        low = _change(s.constant(s.values[i].shape[-1:]), lambda v: -np.abs(v))
    return Step("clip", (i,), {"low": low, "high": high})
