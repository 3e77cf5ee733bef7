"""Draw random programs: each proposal adds a step to a sketch."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from cases.programs.interpreter import (
    BINARY,
    LARGEST,
    LIBRARIES,
    MOST_AXES,
    MOST_ENTRIES,
    REDUCTIONS,
    SHAPES,
    UNARY,
    Constant,
    Program,
    Step,
    perform,
)

# The strategy: each function below proposes a step for a sketch


class NothingFits(Exception):
    """No value of the sketch suits the operation."""


class Sketch:
    """A program that is being drawn, and its values for NumPy's ``x``."""

    def __init__(self, draw: Callable[..., Any], shape: tuple[int, ...], seed: int):
        self.draw, self.shape, self.seed = draw, shape, seed
        self.rng = np.random.default_rng(seed)
        self.steps: list[Step] = []
        self.values: list[Any] = [point(shape, seed)]

    def one_of(self, choices: Any) -> Any:
        """One of these; the first one is the simplest."""
        return self.draw(st.sampled_from(list(choices)))

    def operand(self, fits: Callable[[Any], Any] = lambda value: True) -> int:
        """One of the last values that fit."""
        found = [i for i in self._small() if fits(self.values[i])]
        return self._one_of_the_last(found[-3:])

    def operands(self, fits: Callable[[Any, Any], Any]) -> tuple[int, int]:
        """Two of the values that fit each other; the same twice is possible."""
        pairs = itertools.product(self._small(), repeat=2)
        found = [p for p in pairs if fits(*(self.values[i] for i in p))]
        return self._one_of_the_last(found[-8:])

    def _small(self) -> list[int]:
        sizes = [np.max(np.abs(value)) for value in self.values]
        return [i for i, size in enumerate(sizes) if size <= LARGEST]

    def _one_of_the_last(self, found: list[Any]) -> Any:
        if not found:
            raise NothingFits
        return self.one_of(found[::-1])

    def constant(self, shape: tuple[int, ...]) -> Constant:
        """Numbers of size 1, short enough to read."""
        return Constant(np.round(self.rng.normal(size=shape), 2).tolist())

    def indices(self, count: int, shape: Any) -> Constant:
        """Indices along an axis with ``count`` entries, some of them twice."""
        return Constant(self.rng.integers(0, count, shape).tolist())

    def mask(self, shape: tuple[int, ...]) -> Constant:
        """Booleans, at least one of them true."""
        mask = self.rng.random(shape) < 0.5
        mask.flat[self.rng.integers(mask.size)] = True
        return Constant(mask.tolist())

    def threshold(self) -> float:
        """Differs from what arithmetic on short constants can give: no ties."""
        return self.one_of([0.013_177_31, -0.531_377_91, 0.731_337_17])

    def add(self, step: Step) -> None:
        """Append a step if its value is tame, and another one that makes it so."""
        value = perform(step, LIBRARIES["numpy"], np, self.values)
        if not _tame(step, value):
            return
        self.steps.append(step)
        self.values.append(value)
        peak = float(np.max(np.abs(value)))
        if peak > LARGEST:
            scale = 2.0 ** -math.ceil(math.log2(peak))
            options = {"op": "multiply", "constant": scale}
            self.add(Step("binary", (len(self.steps),), options))


def point(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Distinct values of size 1."""
    return np.random.default_rng(seed).normal(size=shape)


def _tame(step: Step, value: Any) -> bool:
    if not (0 < value.size <= MOST_ENTRIES and value.ndim <= MOST_AXES):
        return False
    # The root of a variance that is almost nothing has no digits to compare.
    spread = step.options.get("op") != "std" or np.min(value) > 0.05
    return spread and bool(np.all(np.abs(value) < 1e6))


def _fit(a: Any, b: Any) -> bool:
    """Whether two values broadcast, to few enough entries."""
    try:
        return math.prod(np.broadcast_shapes(a.shape, b.shape)) <= MOST_ENTRIES
    except ValueError:
        return False


def _has_axis(a: Any) -> bool:
    return a.ndim > 0


def _is_small(a: Any) -> bool:
    return a.size <= MOST_ENTRIES // 4 and a.ndim < MOST_AXES


def _axis(s: Sketch, a: Any) -> int:
    return s.one_of([*range(a.ndim), -1])


def _unary(s: Sketch) -> Step:
    return Step("unary", (s.operand(),), {"op": s.one_of(UNARY)})


def _away_from_zero(a: Any) -> bool:
    return bool(np.min(np.abs(a)) > 0.3)


def _positive(a: Any) -> bool:
    return bool(np.min(a) > 0.3)


def _binary_of_two(s: Sketch) -> Step:
    op = s.one_of(BINARY)
    fits = {
        "divide": lambda a, b: _fit(a, b) and _away_from_zero(b),
        "power": lambda a, b: _fit(a, b) and _positive(a),
    }
    pair = s.operands(fits.get(op, _fit))
    return Step("binary", pair, {"op": op})


def _binary_with_constant(s: Sketch) -> Step:
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
        constant = _power(s, constant, left, s.values[i])
    elif op == "divide" and not left:
        constant = _changed(constant, lambda v: np.abs(v) + 0.5)
    return Step("binary", (i,), {"op": op, "constant": constant, "left": left})


def _power(s: Sketch, constant: Any, left: bool, a: Any) -> Any:
    """A base, or an exponent of a base that may be negative."""
    if left:
        return _changed(constant, lambda v: np.abs(v) + 0.5)
    if _positive(a):
        return constant
    return s.one_of([2, 3])


def _changed(constant: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(constant, Constant):
        return Constant(function(np.asarray(constant.values)).tolist())
    return float(function(constant))


def _where_constant(s: Sketch) -> Step:
    pair = s.operands(_fit)
    shape = np.broadcast_shapes(*(s.values[i].shape for i in pair))
    condition = s.mask(s.one_of([shape, shape[-1:], (*shape[:-1], 1)]))
    return _maybe_constant(s, "where", pair, {"condition": condition})


def _where_of_computed(s: Sketch) -> Step:
    pair = s.operands(_fit)
    c = s.operand(lambda value: all(_fit(value, s.values[i]) for i in pair))
    return _maybe_constant(s, "where, computed", (c, *pair), {"above": s.threshold()})


def _maybe_constant(s: Sketch, name: str, of: tuple[int, ...], options: Any) -> Step:
    """With the last operand, or a number or an array in its place."""
    kind = s.one_of(["value", "number", "array"])
    if kind == "value":
        return Step(name, of, options)
    shape = s.values[of[-1]].shape
    otherwise = 0.25 if kind == "number" else s.constant(shape)
    return Step(name, of[:-1], {**options, "otherwise": otherwise})


def _gate(s: Sketch) -> Step:
    pair = s.operands(_fit)
    return Step("gate, computed", pair, {"above": s.threshold()})


def _clip(s: Sketch) -> Step:
    i = s.operand()
    low, high = s.one_of([(-0.5, 0.7), (None, 0.6), (-0.4, None), ("array", 0.9)])
    if low == "array":
        low = _changed(s.constant(s.values[i].shape[-1:]), lambda v: -np.abs(v))
    return Step("clip", (i,), {"low": low, "high": high})


def _reduce(s: Sketch) -> Step:
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


def _reshape(s: Sketch) -> Step:
    i = s.operand()
    size = s.values[i].size
    shapes = [(-1,), (1, size), (size, 1)]
    shapes += [(2, size // 2), (size // 2, -1)] if size % 2 == 0 else []
    shapes += [()] if size == 1 else []
    return Step("reshape", (i,), {"shape": s.one_of(shapes)})


def _permute(s: Sketch) -> Step:
    i = s.operand(lambda a: a.ndim > 1)
    axes = s.draw(st.permutations(range(s.values[i].ndim)))
    return Step("permute", (i,), {"axes": tuple(axes)})


def _slice(s: Sketch, count: int) -> slice:
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


def _index_of(s: Sketch, a: Any, *, none: bool) -> tuple[Any, ...]:
    """Slices, integers and an ellipsis, and if wanted new axes."""
    if a.ndim == 0:
        return s.one_of([(...,), (None,)] if none else [(...,)])
    index: list[Any] = []
    for count in a.shape:
        if none and s.one_of([False, False, True]):
            index.append(None)
        if s.one_of([False, False, True]):
            index.append(s.one_of([0, -1, count // 2]))
        else:
            index.append(_slice(s, count))
    if s.one_of([False, False, True]):
        index = s.one_of([[*index[:1], ...], [..., *index[-1:]]])
    return tuple(index)


def _index(s: Sketch) -> Step:
    i = s.operand()
    return Step("index", (i,), {"index": _index_of(s, s.values[i], none=True)})


def _gather(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    shape = s.one_of([(5,), (2, 3)])
    indices = {
        f"axis{k}": s.indices(count, shape) for k, count in enumerate(s.values[i].shape)
    }
    return Step("gather", (i,), indices)


def _rows_of(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    return Step("rows", (i,), {"indices": s.indices(s.values[i].shape[0], 4)})


def _mask(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    shape = s.values[i].shape
    return Step("mask", (i,), {"mask": s.mask(s.one_of([shape, shape[:1]]))})


def _take(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    axis = _axis(s, s.values[i])
    indices = s.indices(s.values[i].shape[axis], 4)
    return Step("take", (i,), {"indices": indices, "axis": axis})


def _take_along_axis(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    axis, shape = _axis(s, s.values[i]), list(s.values[i].shape)
    count, shape[axis] = shape[axis], 2
    options = {"indices": s.indices(count, shape), "axis": axis}
    return Step("take along axis", (i,), options)


def _flip(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    axis = s.one_of([None, _axis(s, s.values[i])])
    return Step("flip", (i,), {"axis": axis})


def _roll(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    axis = s.one_of([None, _axis(s, s.values[i])])
    shift: Any = s.one_of([1, -1, 2])
    if axis is not None and s.values[i].ndim > 1 and s.one_of([False, True]):
        shift, axis = (shift, 1), (0, 1)
    return Step("roll", (i,), {"shift": shift, "axis": axis})


def _repeat(s: Sketch) -> Step:
    i = s.operand(lambda a: _has_axis(a) and _is_small(a))
    axis = s.one_of([None, _axis(s, s.values[i])])
    repeats: Any = 2
    if axis is not None and s.one_of([False, True]):
        counts = np.arange(s.values[i].shape[axis]) % 3
        repeats = Constant(counts[::-1].tolist())
    return Step("repeat", (i,), {"repeats": repeats, "axis": axis})


def _tile(s: Sketch) -> Step:
    i = s.operand(_is_small)
    repetitions = s.one_of([(2,), (2, 1), (1, 2), (2, 1, 1)])
    return Step("tile", (i,), {"repetitions": repetitions})


def _concat(s: Sketch) -> Step:
    pair = s.operands(lambda a, b: a.ndim == b.ndim > 0 and a.shape[1:] == b.shape[1:])
    kind = s.one_of(["two", "twice", "constant", "flat"])
    if kind == "flat":
        return Step("concat", pair, {"axis": None})
    if kind == "two":
        return Step("concat", pair, {"axis": 0})
    i, a = pair[0], s.values[pair[0]]
    axis = _axis(s, a)
    if kind == "twice":
        return Step("concat", (i, i), {"axis": axis})
    return Step("concat", (i,), {"axis": axis, "constant": s.constant(a.shape)})


def _stack(s: Sketch) -> Step:
    pair = s.operands(lambda a, b: a.shape == b.shape)
    kind = s.one_of(["two", "twice", "constant"])
    i, a = pair[0], s.values[pair[0]]
    axis = s.one_of([0, a.ndim, -1])
    if kind == "two":
        return Step("stack", pair, {"axis": axis})
    if kind == "twice":
        return Step("stack", (i, i), {"axis": axis})
    return Step("stack", (i,), {"axis": axis, "constant": s.constant(a.shape)})


def _multiply(a: Any, b: Any) -> bool:
    try:
        return np.matmul(a, b).size <= MOST_ENTRIES
    except ValueError:
        return False


def _matmul(s: Sketch) -> Step:
    pair = s.operands(_multiply)
    return Step("matmul", pair, {})


def _matmul_transposed(s: Sketch) -> Step:
    pair = s.operands(lambda a, b: b.ndim > 1 and _multiply(a, np.matrix_transpose(b)))
    return Step("matmul, transposed", pair, {})


def _ranks(a: Any) -> int:
    """How many axes a constant factor may have: batches of matrices must broadcast."""
    return 3 if a.ndim < 3 else 2


def _matmul_constant_right(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    n = s.values[i].shape[-1]
    shape = s.one_of([(n,), (n, 2), (2, n, 3)][: _ranks(s.values[i])])
    return Step("matmul, constant right", (i,), {"constant": s.constant(shape)})


def _matmul_constant_left(s: Sketch) -> Step:
    i = s.operand(_has_axis)
    n = s.values[i].shape[-2:][0]
    shape = s.one_of([(n,), (2, n), (2, 3, n)][: _ranks(s.values[i])])
    return Step("matmul, constant left", (i,), {"constant": s.constant(shape)})


def _along_axis(name: str) -> Callable[[Sketch], Step]:
    def propose(s: Sketch) -> Step:
        i = s.operand(_has_axis)
        return Step(name, (i,), {"axis": _axis(s, s.values[i])})

    return propose


def _diff(s: Sketch) -> Step:
    i = s.operand(lambda a: _has_axis(a) and min(a.shape) > 2)
    options = {"axis": _axis(s, s.values[i]), "n": s.one_of([1, 2])}
    return Step("diff", (i,), options)


def _broadcast(s: Sketch) -> Step:
    i = s.operand(_is_small)
    shape = [3 if count == 1 else count for count in s.values[i].shape]
    return Step("broadcast", (i,), {"shape": s.one_of([(2, *shape), tuple(shape)])})


def _expand(s: Sketch) -> Step:
    i = s.operand(_is_small)
    return Step("expand", (i,), {"axis": s.one_of([0, -1, s.values[i].ndim])})


def _squeeze(s: Sketch) -> Step:
    i = s.operand(lambda a: 1 in a.shape)
    axes = [k for k, count in enumerate(s.values[i].shape) if count == 1]
    return Step("squeeze", (i,), {"axis": s.one_of([axes[0], axes[-1], tuple(axes)])})


def _triangle(name: str) -> Callable[[Sketch], Step]:
    def propose(s: Sketch) -> Step:
        i = s.operand(lambda a: a.ndim > 1)
        return Step(name, (i,), {"k": s.one_of([0, 1, -1])})

    return propose


def _set_slice(s: Sketch) -> Step:
    i, how = s.operand(), s.one_of(["set", "add", "multiply"])
    a = s.values[i]
    options = {"index": _index_of(s, a, none=False), "how": how}
    chosen = a[options["index"]].shape
    kind = s.one_of(["value", "number", "array"])
    if kind == "value":
        j = s.operand(lambda b: _goes_into(b, chosen))
        return Step("set", (i, j), options)
    value = s.constant(chosen) if kind == "array" else 0.75
    return Step("set", (i,), {**options, "value": value})


def _goes_into(b: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(b.shape, shape) == shape
    except ValueError:
        return False


# Those that stand for several operations come several times.
PROPOSALS: list[Callable[[Sketch], Step]] = [
    *[_unary] * 4,
    *[_binary_of_two] * 2,
    *[_binary_with_constant] * 3,
    *[_reduce] * 4,
    _where_constant,
    _where_of_computed,
    _gate,
    _clip,
    _reshape,
    _permute,
    _index,
    _gather,
    _rows_of,
    _mask,
    _take,
    _take_along_axis,
    _flip,
    _roll,
    _repeat,
    _tile,
    _concat,
    _stack,
    _matmul,
    _matmul_transposed,
    _matmul_constant_right,
    _matmul_constant_left,
    _along_axis("cumulative sum"),
    _diff,
    _along_axis("sort"),
    _broadcast,
    _expand,
    _squeeze,
    _triangle("tril"),
    _triangle("triu"),
    _set_slice,
]


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """Programs of 1 to 12 steps (and a scaling after those that need it)."""
    seed = draw(st.integers(0, 999))
    sketch = Sketch(draw, draw(st.sampled_from(SHAPES)), seed)
    count = draw(st.integers(1, 12))
    for _ in range(2 * count):  # not every operation fits every value
        if len(sketch.steps) >= count:
            break
        with contextlib.suppress(NothingFits):
            sketch.add(sketch.one_of(PROPOSALS)(sketch))
    assume(sketch.steps)
    return Program(sketch.shape, seed, tuple(sketch.steps), draw(st.booleans()))
