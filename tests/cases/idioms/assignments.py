"""Assignments to entries, and `out=`."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import (
    FIVE,
    GRID,
    LABELS,
    MASK,
    POINT,
    SQUARE,
    C,
    P,
    collected,
    written,
)


@written("memory", FIVE)
def zeros_like_filled(x):
    o = np.zeros_like(x)
    o[0] = x[0]
    for i in range(1, len(x)):
        o[i] = o[i - 1] * x[i]
    return o


@written("memory", FIVE)
def empty_like_filled(x):
    o = np.empty_like(x)
    o[:2] = x[:2] ** 2
    o[2:] = 1.0
    return o


@written("memory", FIVE)
def full_like_added(x):
    o = np.full_like(x, 2.0)
    o[1:4] += x[:3]
    return o


@written("memory", FIVE)
def zeros_of_a_shape(x):
    o = np.zeros(3)
    o[0] = x[0] * x[1]
    return o


@written("memory", FIVE)
def zeros_of_a_shape_sliced(x):
    o = np.zeros(x.shape)
    o[1:] = x[1:] ** 2
    return o


@written("memory", FIVE)
def zeros_like_of_another_shape(x):
    o = np.zeros_like(x, shape=(2, 5))
    o[1] = x
    return o


@written("memory", FIVE)
def constant_mask_assigned(x):
    y = x.copy()
    y[MASK] = 0.0
    return y


@written("memory", FIVE)
def mask_of_x_assigned(x):
    y = x.copy()
    y[y > 1] = 1.0
    return y


@written("memory", FIVE)
def mask_of_x_scaled(x):
    y = x.copy()
    y[x > 1] *= 3
    return y


@written("memory", FIVE)
def mask_of_x_from_x(x):
    y = np.zeros_like(x)
    y[x > 1] = x[x > 1] ** 2
    return y


@written("memory", FIVE)
def fancy_assigned(x):
    y = x * 1
    y[[0, 2]] = x[[1, 3]] ** 2
    return y


@written("memory", FIVE)
def the_same_index_twice(x):
    y = x.copy()
    y[[0, 0, 1]] += x[2]
    y[[3, 3]] = x[:2]
    return y


@written("memory", GRID)
def labels_assigned(x):
    y = np.exp(x)
    y[np.arange(3), LABELS] -= 1
    return y


@written("memory", GRID)
def column_assigned(x):
    x[:, 0] = x[:, 1] * x[:, 2]
    x[0, ...] = 1.5
    return x


@written("memory", GRID)
def broadcast_assigned(x):
    y = np.zeros_like(x)
    y[...] = x[0]
    y[1:, 1:] += x[:2, :1]
    return y


@written("memory", FIVE)
def add_at(x):
    y = x.copy()
    np.add.at(y, [0, 0, 3], x[:3])
    return y


@written("memory", FIVE)
def out_of_x(x):
    np.exp(x, out=x)
    return x**2


@written("memory", FIVE)
def out_of_another(x):
    y = np.empty_like(x)
    np.add(x, C, out=y)
    np.multiply(y, 2, y)
    return y


@written("memory", FIVE)
def out_with_where(x):
    y = np.zeros_like(x)
    np.log(x, out=y, where=x > 1)
    return y


@written("memory", GRID)
def out_of_a_sum(x):
    y = np.zeros_like(x[0])
    np.sum(x**2, axis=0, out=y)
    return y


@written("memory", FIVE)
def out_of_ndarray(x):
    y = np.empty(5)
    np.multiply(x, 3.0, out=y)
    return y * x


@written("memory", FIVE)
def fill(x):
    y = x.copy()
    y.fill(2.0)
    return x * y


@written("memory", FIVE)
def copyto(x):
    y = np.zeros_like(x)
    np.copyto(y, x**2, where=MASK)
    return y


@written("memory", FIVE)
def put(x):
    y = x.copy()
    np.put(y, [0, 2], [5.0, 6.0])
    return y


@written("memory", POINT)
def into_one_number(x):
    y = np.zeros_like(x)
    np.place(y, np.asarray(True), [x**2])
    np.add.at(y, (), x)
    np.multiply.at(y, (), x)
    y.flat[0] = y.flat[0] * x
    z = np.zeros_like(x)
    np.put(z, [0], [y])
    np.putmask(z, z > 1, [y * 2])
    return z


@written("memory", SQUARE)
def fill_diagonal(x):
    y = x.copy()
    np.fill_diagonal(y, 0.0)
    return y


@written("memory", FIVE)
def sort_in_place(x):
    x.sort()
    return x * C


@written("memory", GRID)
def resize_in_place(x):
    y = x.copy()
    y.resize((4, 3), refcheck=False)
    return y @ P


IDIOMS = collected(globals())
