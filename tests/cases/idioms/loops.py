"""Loops of Python."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import operator

import numpy as np

from cases.idioms.base import (
    FIVE,
    GRID,
    POINT,
    C,
    P,
    S,
    W,
    collected,
    expressions,
    written,
)

VECTORS = expressions(
    "loops",
    FIVE,
    {
        "builtin sum": sum,
        "sum of squares": lambda x: sum(v * v for v in x),
        "sum with start": lambda x: sum(
            (v * c for v, c in zip(x, C, strict=True)), 1.0
        ),
        "range": lambda x: sum(x[i] * x[i - 1] for i in range(len(x))),
        "range of shape": lambda x: sum(i * x[i] ** 2 for i in range(x.shape[0])),
        "enumerate": lambda x: sum(i * v**2 for i, v in enumerate(x)),
        "zip": lambda x: sum(a * b for a, b in zip(x[1:], x[:-1], strict=True)),
        "pairwise": lambda x: sum((b - a) ** 2 for a, b in itertools.pairwise(x)),
        "map": lambda x: sum(map(np.sin, x)),
        "reduce": lambda x: functools.reduce(operator.mul, x),
        "reversed": lambda x: np.stack([v**2 for v in reversed(x)]),
        "stack of a comprehension": lambda x: np.stack([v * x[0] for v in x]),
        "tuple": lambda x: np.stack(tuple(x)) ** 2,
        "builtin max": lambda x: max(x) ** 2,
        "builtin min": lambda x: min(x[0], x[1]) ** 2,
        "sorted": lambda x: sorted(x)[2] ** 2,
        "any": lambda x: any(v > 1.5 for v in x) * x,
        "in": lambda x: x**2 + (0.5 in x),
        "math.sin": lambda x: math.sin(x[0]) * x[1],
        "math.sqrt of a sum": lambda x: math.sqrt(np.sum(x**2)),
        "math.fsum": math.fsum,
        "math.hypot": lambda x: math.hypot(*x),
        "math.prod": math.prod,
        "float": lambda x: float(np.sum(x**2)),
        "float of entries": lambda x: sum(float(v) ** 2 for v in x),
        "int": lambda x: int(x[0] * 10) * x,
        "builtin round": lambda x: round(x[0], 1) * x,
        "format": lambda x: len(f"{x[0]:.3f}") * x,
        "str": lambda x: len(str(x.shape)) * x,
        "copy.copy": lambda x: copy.copy(x) ** 2,
        "copy.deepcopy": lambda x: copy.deepcopy(x) ** 2,
    },
)
MATRICES = expressions(
    "loops",
    GRID,
    {
        "rows": lambda x: sum(row[0] * row[-1] for row in x),
        "rows and entries": lambda x: sum(v**2 for row in x for v in row),
        "rows of x.T": lambda x: np.stack([column.sum() for column in x.T]),
        "ndindex": lambda x: sum(x[i] ** 2 for i in np.ndindex(x.shape)),
        "entries by flat": lambda x: sum(v**2 for v in x.flat),
        "nditer": lambda x: sum(v**2 for v in np.nditer(x)),
        "sum of rows": lambda x: sum(x),
        "double range": lambda x: sum(
            x[i, j] * P[i, j] for i in (0, 2) for j in (1, 3)
        ),
    },
)


@written("loops", FIVE)
def unpacking(x):
    a, b, *others = x
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2 + sum(others)


@written("loops", GRID)
def unpacking_of_rows(x):
    first, _, last = x
    return first @ last


@written("loops", FIVE)
def recurrence(x):
    state = 1.0
    for v in x:
        state = np.tanh(state * v + 0.1)
    return state


@written("loops", FIVE)
def time_steps(x):
    for _ in range(4):
        x = x + 0.1 * np.sin(np.roll(x, 1))
    return x


@written("loops", FIVE)
def list_of_results(x):
    found = []
    for i in range(1, len(x)):
        found.append(x[i] * x[i - 1])
    return np.stack(found)


@written("loops", POINT)
def newton(x):
    y = 1.0
    while True:
        closer = (y + x / y) / 2
        if abs(closer - y) < 1e-12:
            return closer
        y = closer


@written("loops", FIVE)
def nested_functions(x):
    def layer(v, depth):
        return v if depth == 0 else layer(np.tanh(S @ v + C), depth - 1)

    return layer(x, 3)


@written("loops", GRID)
def network(x):
    hidden = np.maximum(x @ W + 0.1, 0)
    return np.mean((hidden - 1) ** 2) + 0.1 * np.sum(np.abs(x))


IDIOMS = collected(globals())
