"""Methods and options of ufuncs, and functions that write into an array."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import (
    CUBE,
    FIVE,
    GRID,
    MASK,
    SIX,
    SQUARE,
    C,
    P,
    collected,
    expressions,
    written,
)

TWICE = np.array([0, 2, 2, 4, 0])
METHODS = expressions(
    "ufuncs",
    SIX,
    {
        "products so far": np.multiply.accumulate,
        "largest so far": lambda x: np.maximum.accumulate(x) ** 2,
        "minimum.accumulate backwards": lambda x: np.minimum.accumulate(x[::-1]),
        "logaddexp of all": lambda x: np.logaddexp.reduce(x),
        "logaddexp.accumulate": np.logaddexp.accumulate,
        "logaddexp2.reduce": lambda x: np.logaddexp2.reduce(x),
        "hypot.reduce": lambda x: np.hypot.reduce(x),
        "subtract.reduce": lambda x: np.subtract.reduce(x),
        "sums of segments": lambda x: np.add.reduceat(x**2, [0, 2, 5]),
        "multiply.reduceat": lambda x: np.multiply.reduceat(x, [3, 1, 4]),
        "power.outer": lambda x: np.power.outer(x, [1.0, 2.0]),
        "add.outer of a number": lambda x: np.add.outer(x, 2.0),
        "remainder of divmod": lambda x: np.divmod(x, 0.3)[1] * x,
        "builtin divmod": lambda x: divmod(x, 0.3)[0] * x,
        "casting": lambda x: np.add(x, 1, casting="unsafe"),
        "dtype of a ufunc": lambda x: np.multiply(x, 2, dtype=np.float64),
        "nextafter": lambda x: np.nextafter(x, 3.0) * x,
        "logical reductions": lambda x: np.logical_or.reduce(x > 1) * x,
    },
)
METHODS_OF_CUBES = expressions(
    "ufuncs",
    CUBE,
    {
        "accumulate along an axis": lambda x: np.maximum.accumulate(x, axis=1),
        "logaddexp of an axis": lambda x: np.logaddexp.reduce(x, axis=2, keepdims=True),
        "reduceat of an axis": lambda x: np.add.reduceat(x**2, [0, 1], axis=1),
        "hypot of an axis": lambda x: np.hypot.reduce(x, axis=1),
        "matvec": lambda x: np.matvec(x, x[:, 0]),
        "vecmat": lambda x: np.vecmat(x[:, :, 1], x),
        "dot of 3-d": lambda x: np.dot(x, x[0].T),
        "atleast_3d of 3-d": lambda x: np.atleast_3d(x) ** 2,
        "rollaxis to an end": lambda x: np.rollaxis(x, 0, 3) * 2,
        "vsplit": lambda x: np.vsplit(x, 2)[1] ** 2,
        "dsplit": lambda x: np.dsplit(x, 2)[0] ** 2,
        "hsplit": lambda x: np.hsplit(x, 3)[1] ** 2,
        "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x**2, [0, 2]),
    },
)


@written("memory", FIVE)
def subtract_at(x):
    y = x**2
    np.subtract.at(y, TWICE, x * C)
    return y


@written("memory", FIVE)
def multiply_at(x):
    y = x + 1
    np.multiply.at(y, TWICE, x)
    return y


@written("memory", GRID)
def add_at_pairs(x):
    y = np.zeros_like(x)
    np.add.at(y, ([0, 1, 0], [2, 1, 2]), x[:, 0] ** 2)
    np.add.at(y, 1, 2.0)
    return y * x


@written("memory", FIVE)
def negative_at(x):
    y = x.copy()
    np.negative.at(y, [0, 3])
    return y**3


@written("memory", GRID)
def out_with_where_of_a_sum(x):
    y = np.ones_like(x)
    np.divide(x, x[0], out=y, where=P > 0)
    return y


@written("memory", FIVE)
def out_of_several(x):
    whole, rest = np.zeros_like(x), np.zeros_like(x)
    np.modf(x * 3, out=(rest, whole))
    return rest**2 + whole * x


@written("memory", FIVE)
def out_of_a_slice(x):
    y = np.zeros((3, 5), like=x)
    np.exp(x, out=y[1])
    np.cumsum(x, out=y[2])
    return y


@written("memory", FIVE)
def out_of_a_scan(x):
    y = np.empty_like(x)
    np.cumprod(x, out=y)
    np.clip(y, 0.05, 2.0, out=y)
    return y


@written("memory", FIVE)
def out_of_constants(x):
    y = np.empty_like(x)
    np.multiply(C, 2, out=y)
    y[0] = x[1]
    return y * x


@written("memory", FIVE)
def log_where_positive(x):
    y = np.zeros_like(x)
    np.log(x - 1, out=y, where=MASK & (np.arange(5) < 0))
    return y + x


@written("memory", FIVE)
def copyto_everything(x):
    y = np.zeros_like(x)
    np.copyto(y, x[0] * x[1])
    return y * x


@written("memory", FIVE)
def putmask_of_numbers(x):
    y = x**2
    np.putmask(y, MASK, [1.0, 2.0, 3.0])
    return y * x


@written("memory", FIVE)
def place_of_x(x):
    y = x.copy()
    np.place(y, MASK, x[:2] ** 2)
    return y


@written("memory", FIVE)
def put_of_x(x):
    y = np.zeros_like(x)
    np.put(y, [0, 7, -1], x[:3] ** 2, mode="wrap")
    return y


@written("memory", GRID)
def put_along_axis(x):
    y = x.copy()
    np.put_along_axis(y, np.array([[2], [0], [1]]), x[:, :1] ** 2, axis=1)
    return y


@written("memory", SQUARE)
def fill_diagonal_of_x(x):
    y = x @ x
    np.fill_diagonal(y, x[0] ** 2)
    return y


@written("memory", GRID)
def flat_assigned(x):
    y = np.zeros_like(x)
    y.flat[3] = x[0, 0] * x[1, 1]
    y.flat[[5, 7]] = x[0, :2]
    y.flat[8:10] = 2.0
    return y * x


@written("memory", GRID)
def flat_of_a_transpose(x):
    y = x.T.copy()
    y.flat = x.T.flat[::-1] ** 2
    return y


@written("memory", FIVE)
def fill_of_x(x):
    y = np.empty_like(x)
    y.fill(x[1] * x[2])
    return y * x


@written("memory", FIVE)
def nan_to_num_in_place(x):
    y = x**2
    np.nan_to_num(y, copy=False)
    return y


@written("memory", SIX)
def partition_in_place(x):
    x.partition(3)
    return x[3] ** 2


@written("memory", GRID)
def view_of_a_view(x):
    y = x.view()
    y[0] *= 2
    y.view(np.ndarray)[1] = 0.5
    return x**2


@written("memory", GRID)
def write_under_a_broadcast_row(x):
    rows = np.broadcast_to(x[:1], (3, 4))[:, 1:]
    x[0, 2] = x[1, 1] ** 2
    return rows * x[:, 1:]


@written("memory", GRID)
def write_through_a_reshaped_transpose(x):
    y = (x.T * 1.0).T
    z = y.T.reshape(-1)
    z[2:6] *= x[0, 0]
    return y


@written("memory", FIVE)
def real_part_is_a_view(x):
    y = x * 2
    y.real[1] = x[0]
    return y


@written("memory", FIVE)
def full_like_of_an_entry(x):
    y = np.full_like(x, x[0])
    y[1] = 2.0
    return y * x


IDIOMS = collected(globals())
