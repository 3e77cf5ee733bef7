"""The tape: what one call of a function did to stand-ins, in order.

It implements the primitives that all functions are written in: each computes the value
by the function of plain arrays, and notes how its arguments share the cotangent of the
result. `positions` has the record itself, and `views` the primitives that return views
or write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._autodiff.borders import border_of_fibres, find_border
from xgrad._autodiff.fibres import FIBRES
from xgrad._autodiff.functions import EVERYWHERE
from xgrad._autodiff.lookup import find_rule
from xgrad._autodiff.overrides import OVERRIDES
from xgrad._autodiff.positions import Positions
from xgrad._autodiff.products import pull_left, pull_right
from xgrad._autodiff.rules import CHOICES, Rule, complex_rule
from xgrad._autodiff.structural import PLAIN, as_before, pick, plain_of, spread
from xgrad._autodiff.taped import Taped
from xgrad._autodiff.views import Views

# Rules that were looked up before, for each namespace.
_RULES: dict[Any, dict[Any, Rule | None]] = {}
MISSING: Any = object()
# What marks the borders of functions, as far as these were looked up.
_BORDERS: dict[Any, dict[Any, Any]] = {}


class Tape(Views):
    """The record of one call, and the primitives for it."""

    overrides = OVERRIDES

    def __init__(self, xp: Any, anchor: Array, outer: Positions | None = None) -> None:
        super().__init__(xp, anchor, outer)
        self.rules = _RULES.setdefault(xp, {})
        self.borders = _BORDERS.setdefault(xp, {})

    def elementwise(self, function: Callable[..., Any], *operands: Any) -> Any:
        """Apply a function of entries at the same place, with broadcasting."""
        values, is_recorded = [], False
        for operand in operands:
            if type(operand) is Taped:
                if operand.tracer is not self:
                    tape = self.highest(operands)
                    if tape is not self:
                        return tape.elementwise(function, *operands)
                    values.append(self.value_of(operand))
                    continue
                if operand.origin is not None:
                    operand.ensure_current()
                values.append(operand.base)
                is_recorded = is_recorded or operand.at >= 0
            else:
                values.append(operand)
        self.used = True
        base = function(*values)
        try:
            kind = base.dtype.kind
        except AttributeError:
            # A complex number of Python and a scalar of NumPy make one of Python.
            base = np.asarray(base)[()]
            kind = base.dtype.kind
        if kind != "f" and kind != "c":
            # Integers and booleans are constants; objects and texts may hold entries.
            if kind not in "biu":
                raise self.refuse_function(function)
            if is_recorded and not self.closed:
                self.note_border(function, base, operands, values)
            return base
        if not is_recorded or self.closed:
            return Taped(self, base)
        if self.borders.get(function, MISSING) is not None:
            self.note_border(function, base, operands, values)
        rule = self.rules.get(function, MISSING)
        if rule is MISSING:
            rule = self.rules[function] = find_rule(function, self.xp)
        edges, keeps_result = [], False
        for i, operand in enumerate(operands):
            if type(operand) is not Taped or operand.at < 0:
                continue
            if operand.tracer is not self:
                continue
            if rule is None:
                raise self.refuse_function(function)
            argument = rule[i]
            if argument is None:
                continue
            pull = argument.pull
            if kind == "c" or values[i].dtype.kind == "c":
                argument, pull = complex_rule(argument, values[i])
            if pull is None:
                raise self.refuse_function(function, f" in its argument {i}")
            saved: tuple[Any, ...] = ()
            for place in argument.needs:
                if place < 0:
                    keeps_result = True
                    saved = (*saved, base)
                else:
                    saved = (*saved, self.hold(operands[place], values[place]))
            edges.append((operand.at, pull, saved))
        if not edges:
            return Taped(self, base)
        new = Taped(self, base, self.push(base, tuple(edges)))
        new.kept = keeps_result
        return new

    def note_border(self, function: Any, base: Any, operands: Any, values: Any) -> None:
        """Note where a comparison or a whole number changes beside its operands."""
        marks = self.borders.get(function, MISSING)
        if marks is MISSING:
            marks = self.borders[function] = find_border(function, self.xp)
        if marks is None or not isinstance(plain_of(base), PLAIN):
            return
        if self.outer is not None:
            base, *values = map(plain_of, (base, *values))
        marked = marks(base, *values, *getattr(function, "args", ()))
        if isinstance(marked, PLAIN) and np.any(marked):
            # What stays at a border, as a rectified entry, is there around x, too.
            for operand in operands:
                if self.depends(operand) and marked.shape == operand.shape:
                    marked = marked & ~self.is_flat(operand)
        self.note_equality(marked)

    def is_flat(self, x: Any) -> Any:
        """Mark entries that were set to a constant by the choice that made an array."""
        edges = self.edges[x.at - self.start] if x.at >= self.start else ()
        ones, flat = np.ones(x.shape, x.dtype), np.bool_(edges != ())
        for _, pull, saved in edges:
            if pull not in CHOICES:
                return np.False_
            flat = flat & (plain_of(pull(ones, *saved)) == 0)
        return flat

    def summed(
        self,
        operation: Any,
        function: Callable[..., Any],
        x: Taped,
        axes: tuple[int, ...],
        keepdims: bool,
        divisor: int = 1,
    ) -> Any:
        """Sum over axes and divide by a number."""
        base = function(self.value_of(x), axes, keepdims)
        missing = () if keepdims or len(axes) == x.ndim else axes
        return self.result(base, self.edge(x, spread, x.shape, missing, divisor))

    def along(
        self,
        operation: Any,
        function: Callable[..., Any],
        x: Taped,
        axes: tuple[int, ...],
        keepdims: bool | None,
        leave_one_out: Any = None,
    ) -> Any:
        """Apply a function of whole fibres."""
        value = self.value_of(x)
        base = function(value, axes, keepdims)
        if not self.depends(x):
            return self.result(base)
        if base.dtype.kind not in "fc":
            if isinstance(plain := plain_of(value), PLAIN):
                self.note_equality(border_of_fibres(operation, plain, axes))
            return self.result(base)
        name = operation[0] if isinstance(operation, tuple) else operation
        if name not in FIBRES:
            raise self.refuse_function(name)
        held = self.hold(x, value)
        pull, saved = FIBRES[name](operation, held, base, axes, keepdims)
        new = self.result(base, self.edge(x, pull, *saved))
        new.kept = True
        return new

    def product(self, operation: Any, plain: Any, many: Any, a: Any, b: Any) -> Any:
        """Multiply ``a @ b``."""
        tape = self.highest((a, b))
        if tape is not self:
            return tape.product(operation, plain, many, a, b)
        left, right = self.value_of(a), self.value_of(b)
        base = plain(left, right)
        shapes = left.shape, right.shape
        edges = (
            self.edge(a, pull_left, self.hold(b, right), shapes)
            if self.depends(a)
            else None,
            self.edge(b, pull_right, self.hold(a, left), shapes)
            if self.depends(b)
            else None,
        )
        return self.result(base, *edges)

    def gathered(self, operation: Any, function: Callable[..., Any], x: Taped) -> Any:
        """Apply a function that only moves, repeats or leaves out entries."""
        value = self.value_of(x)
        base = function(value)
        if not self.depends(x):
            return self.result(np.array(base) if isinstance(base, np.ndarray) else base)
        numbers = self.xp.reshape(self.xp.arange(value.size, device=x.device), x.shape)
        places = function(numbers)
        if isinstance(base, np.ndarray) and np.may_share_memory(base, value):
            base = base.copy()
        return self.result(base, self.edge(x, pick, places, x.shape))

    def placed(self, operation: Any, x: Taped, sources: Callable[[], Array]) -> Any:
        """Put entries into zeros: ``sources()`` says which one goes where, or -1."""
        places, value = sources(), self.value_of(x)
        if not x.size:
            return self.result(self.xp.zeros(places.shape, dtype=value.dtype))
        is_source = places >= 0
        base = np.where(is_source, value.reshape(-1)[np.maximum(places, 0)], 0)
        base = base.astype(value.dtype)
        return self.result(base, self.edge(x, pick, places, x.shape, is_source))

    def everywhere(self, operation: Any, plain: Any, many: Any, *operands: Any) -> Any:
        """Apply a function that has a rule of its own."""
        name = operation[0] if isinstance(operation, tuple) else operation
        tape = self.highest(operands)
        if tape is not self:
            return tape.everywhere(operation, plain, many, *operands)
        if name in EVERYWHERE:
            return EVERYWHERE[name](self, operation, plain, *operands)
        base = plain(*map(self.value_of, operands))
        # Positions, counts and comparisons are constants.
        if getattr(base, "dtype", np.dtype(float)).kind in "fc":
            raise self.refuse_function(name)
        return base

    def called(self, function: Callable[[Any], Any], x: Taped) -> Any:
        """Apply a function that returns its result, the pull, and what that keeps."""
        base, pull, saved = function(self.hold(x, self.value_of(x)))
        new = self.result(base, self.edge(x, pull, *saved))
        new.kept = True
        return new

    def constant(self, operation: Any, like: Taped, make: Callable[[], Array]) -> Taped:
        """Return an array that does not depend on x, and can be written into."""
        return Taped(self, self.lift(make()))

    def copy(self, x: Taped) -> Any:
        """Return ``x`` in memory of its own."""
        base = self.value_of(x).copy()
        return Taped(
            self, base, self.push(base, ((x.at, as_before, ()),)) if x.at >= 0 else -1
        )
