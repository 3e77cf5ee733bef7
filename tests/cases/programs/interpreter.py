"""Programs as data, and their interpreter for any library.

A program is a list of steps, each of which names an operation, the earlier values that
it takes (0 is ``x``), and its options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace

import xgrad

SHAPES = [(), (5,), (3, 4), (2, 3, 2)]
# Values beyond these are scaled down before they are used, or their step is left out:
# derivatives stay tame, examples small.
LARGEST, MOST_ENTRIES, MOST_AXES = 8.0, 64, 4


class Constant(NamedTuple):
    """An array that does not depend on ``x``, as nested lists."""

    values: Any


class Step(NamedTuple):
    """One operation on earlier values."""

    name: str
    of: tuple[int, ...]
    options: dict[str, Any]


class Program(NamedTuple):
    """Steps from an array of some shape to the last value, or to the sum of all."""

    shape: tuple[int, ...]
    seed: int
    steps: tuple[Step, ...]
    scalar: bool


class Library(NamedTuple):
    """Where constants come from, and the functions (by default those of ``x``)."""

    constants: Any
    functions: Any = None

    def constant(self, value: Any) -> Any:
        """An option of a step; a `Constant` becomes an array."""
        if not isinstance(value, Constant):
            return value
        return self.constants.asarray(np.asarray(value.values))


LIBRARIES = {
    "numpy": Library(xgrad.namespace("numpy"), np),
    "numpy, array API": Library(xgrad.namespace("numpy")),
    "strict": Library(xgrad.namespace("array_api_strict")),
}


# The interpreter


def run(program: Program, library: Library, x: Any) -> Any:
    """What a program returns for ``x``, as a plain function of one point would."""
    xp = library.functions or array_namespace(x)
    values = [x]
    for step in program.steps:
        values.append(perform(step, library, xp, values))
    if not program.scalar:
        return values[-1]
    total = xp.sum(values[0])
    for value in values[1:]:
        total = total + xp.sum(value)
    return total


def perform(step: Step, library: Library, xp: Any, values: list[Any]) -> Any:
    """The value of one step."""
    options = {name: library.constant(v) for name, v in step.options.items()}
    return OPERATIONS[step.name](xp, *(values[i] for i in step.of), **options)


UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda xp, a: xp.sin(a),
    "tanh": lambda xp, a: xp.tanh(a),
    "atan": lambda xp, a: xp.atan(a),
    "exp of an eighth": lambda xp, a: xp.exp(a / 8),
    "abs": lambda xp, a: abs(a - 0.137),
    "square": lambda xp, a: xp.square(a),
    "cube": lambda xp, a: a**3,
    "negative": lambda xp, a: -a,
    "sqrt of 1 + square": lambda xp, a: xp.sqrt(1 + a**2),
    "log1p of square": lambda xp, a: xp.log1p(a * a),
    "reciprocal of 2 + square": lambda xp, a: 1 / (2 + a**2),
}
BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda xp, a, b: a + b,
    "subtract": lambda xp, a, b: a - b,
    "multiply": lambda xp, a, b: a * b,
    "divide": lambda xp, a, b: a / b,
    "power": lambda xp, a, b: a**b,
    "maximum": lambda xp, a, b: xp.maximum(a, b),
    "minimum": lambda xp, a, b: xp.minimum(a, b),
}
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")


def _binary(xp: Any, a: Any, *others: Any, op: str, constant: Any = None, left=False):
    b = others[0] if others else constant
    return BINARY[op](xp, b, a) if left else BINARY[op](xp, a, b)


def _where(xp: Any, a: Any, *others: Any, condition: Any, otherwise: Any = None):
    return xp.where(condition, a, others[0] if others else otherwise)


def _where_computed(xp: Any, c: Any, a: Any, *others: Any, above, otherwise=None):
    return xp.where(c > above, a, others[0] if others else otherwise)


def _set(xp: Any, a: Any, *others: Any, index: Any, how: str, value: Any = None):
    own = np.copy(a) if xp is np else xp.asarray(a, copy=True)
    value = others[0] if others else value
    if how == "set":
        own[index] = value
    elif "strict" in xp.__name__:
        # Its operations in place lose the result of an array that it only holds.
        own[index] = own[index] + value if how == "add" else own[index] * value
    elif how == "add":
        own[index] += value
    else:
        own[index] *= value
    return own


def _cumulative_sum(xp: Any, a: Any, *, axis: int) -> Any:
    # NumPy 2.0 has it by its older name alone.
    add_up = xp.cumulative_sum if hasattr(xp, "cumulative_sum") else xp.cumsum
    return add_up(a, axis=axis)


def _rows(xp: Any, a: Any, *, indices: Any) -> Any:
    # The standard has no indices of the first axis alone: there it is `take`.
    return a[indices] if xp is np else xp.take(a, indices, axis=0)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "unary": lambda xp, a, op: UNARY[op](xp, a),
    "binary": _binary,
    "where": _where,
    "where, computed": _where_computed,
    # (`astype` of NumPy 2.0 takes no scalars, but arrays without axes.)
    "gate, computed": lambda xp, c, a, above: a * xp.astype((c > above)[...], a.dtype),
    "clip": lambda xp, a, low, high: xp.clip(a, low, high),
    "reduce": lambda xp, a, op, **options: getattr(xp, op)(a, **options),
    "reshape": lambda xp, a, shape: xp.reshape(a, shape),
    "permute": lambda xp, a, axes: xp.permute_dims(a, axes),
    "index": lambda xp, a, index: a[index],
    "gather": lambda xp, a, **indices: a[tuple(indices.values())],
    "rows": _rows,
    "mask": lambda xp, a, mask: a[mask],
    "take": lambda xp, a, indices, axis: xp.take(a, indices, axis=axis),
    "take along axis": lambda xp, a, indices, axis: xp.take_along_axis(
        a, indices, axis=axis
    ),
    "flip": lambda xp, a, axis: xp.flip(a, axis=axis),
    "roll": lambda xp, a, shift, axis: xp.roll(a, shift, axis=axis),
    "repeat": lambda xp, a, repeats, axis: xp.repeat(a, repeats, axis=axis),
    "tile": lambda xp, a, repetitions: xp.tile(a, repetitions),
    "concat": lambda xp, *parts, axis, **constants: xp.concat(
        [*parts, *constants.values()], axis=axis
    ),
    "stack": lambda xp, *parts, axis, **constants: xp.stack(
        [*constants.values(), *parts], axis=axis
    ),
    "matmul": lambda xp, a, b: a @ b,
    "matmul, transposed": lambda xp, a, b: xp.matmul(a, xp.matrix_transpose(b)),
    "matmul, constant right": lambda xp, a, constant: a @ constant,
    "matmul, constant left": lambda xp, a, constant: constant @ a,
    "cumulative sum": _cumulative_sum,
    "diff": lambda xp, a, axis, n: xp.diff(a, axis=axis, n=n),
    "sort": lambda xp, a, axis: xp.sort(a, axis=axis),
    "broadcast": lambda xp, a, shape: xp.broadcast_to(a, shape),
    "expand": lambda xp, a, axis: xp.expand_dims(a, axis=axis),
    "squeeze": lambda xp, a, axis: xp.squeeze(a, axis=axis),
    "tril": lambda xp, a, k: xp.tril(a, k=k),
    "triu": lambda xp, a, k: xp.triu(a, k=k),
    "set": _set,
}
