"""Portable programs in the array API standard: loops, memory, and constants."""

from __future__ import annotations

import math

from cases.idioms.base import (
    FIVE,
    GRID,
    C,
    W,
    collected,
    constant,
    expressions,
    written,
)
from xgrad import losses, special

PYTHON_OF_VECTORS = expressions(
    "python",
    FIVE,
    {
        "range": lambda xp, x: sum(x[i] * x[i - 1] for i in range(x.shape[0])),
        "unpacked": lambda xp, x: sum(v**2 for v in xp.unstack(x)),
        "shape": lambda xp, x: xp.sum(x**2) / x.shape[0] * x.ndim,
        "size": lambda xp, x: xp.sum(x**2) / x.size,
        "isdtype": lambda xp, x: x**2 if xp.isdtype(x.dtype, "real floating") else x,
        "finfo": lambda xp, x: xp.log(x + xp.finfo(x.dtype).eps),
        "float": lambda xp, x: float(x[0]) * x,
        "bool": lambda xp, x: x**2 if bool(x[0] > 1) else x,
        "int of argmax": lambda xp, x: int(xp.argmax(x)) * x,
        "math.sin": lambda xp, x: math.sin(x[0]) * x,
        "if x[0] > 0": lambda xp, x: x**2 if x[0] > 0 else x,
        "if all": lambda xp, x: x**2 if xp.all(x > 0) else x,
        "max of two": lambda xp, x: max(x[0], x[1]) * x,
        "ones": lambda xp, x: xp.ones(x.shape[0], dtype=x.dtype, device=x.device) @ x,
        "arange": lambda xp, x: xp.arange(5, dtype=x.dtype, device=x.device) * x,
        "ones_like": lambda xp, x: xp.ones_like(x) * x,
        "softmax": lambda xp, x: special.softmax(x),
        "mean_squared_error": lambda xp, x: losses.mean_squared_error(
            x, constant(xp, x, C)
        ),
    },
    portable=True,
)
CONSTANT_OF_VECTORS = expressions(
    "constant",
    FIVE,
    {
        "captured array": lambda xp, x: constant(xp, x, C),
        "zeros_like": lambda xp, x: xp.zeros_like(x),
        "argmax alone": lambda xp, x: xp.argmax(x),
    },
    portable=True,
)


@written("memory", FIVE, portable=True)
def copy_then_slice(xp, x):
    y = xp.asarray(x, copy=True)
    y[1:] *= 2
    return x * y


@written("memory", FIVE, portable=True)
def in_place(xp, x):
    x += 1
    x *= x
    return x


@written("memory", FIVE, portable=True)
def zeros_like(xp, x):
    o = xp.zeros_like(x)
    o[0] = x[0]
    for i in range(1, x.shape[0]):
        o[i] = o[i - 1] * x[i]
    return o


@written("memory", GRID, portable=True)
def column_assigned(xp, x):
    y = x + 0
    y[:, 0] = y[:, 1] * y[:, 2]
    y[1, ...] = 1.5
    return y


@written("memory", FIVE, portable=True)
def mask_assigned(xp, x):
    y = x + 0
    y[y > 1] = 1.0
    return y


@written("memory", FIVE, portable=True)
def zeros_filled(xp, x):
    o = xp.zeros(3, dtype=x.dtype, device=x.device)
    o[0] = x[0] * x[1]
    return o


@written("python", GRID, portable=True)
def network(xp, x):
    hidden = xp.maximum(x @ constant(xp, x, W) + 0.1, 0.0)
    return xp.mean((hidden - 1) ** 2) + 0.1 * xp.sum(xp.abs(x))


@written("python", FIVE, portable=True)
def time_steps(xp, x):
    for _ in range(4):
        x = x + 0.1 * xp.sin(xp.roll(x, 1))
    return x


IDIOMS = collected(globals())
