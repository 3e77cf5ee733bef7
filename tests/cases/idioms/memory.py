"""Copies, views, and what is written through them."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import FIVE, GRID, C, collected, written


@written("memory", FIVE)
def copy_then_slice(x):
    y = x.copy()
    y[1:] *= 2
    return y


@written("memory", FIVE)
def np_copy(x):
    y = np.copy(x)
    y[0] = y[1] * 3
    return x * y


@written("memory", FIVE)
def add_in_place(x):
    x += 1
    return x**2


@written("memory", FIVE)
def all_in_place(x):
    x *= x
    x -= C
    x /= 2
    x **= 2
    return x


@written("memory", FIVE)
def write_into_the_argument(x):
    x[0] = 3.0
    x[-1] = x[1] * x[2]
    return x


@written("memory", FIVE)
def alias(x):
    y = x
    y += 1
    return x * y


@written("memory", FIVE)
def rebound_is_no_alias(x):
    y = x
    x = x + 1
    return x * y


@written("memory", FIVE)
def copy_before_in_place(x):
    y = x.copy()
    x -= 1
    return y * x


@written("memory", FIVE)
def overlapping_slices(x):
    x[1:] += x[:-1]
    return x


@written("memory", FIVE)
def swap_entries(x):
    x[0], x[1] = x[1], x[0] ** 2
    return x


@written("memory", FIVE)
def swap_slices_which_are_views(x):
    x[:2], x[2:4] = x[2:4], x[:2]
    return x


@written("memory", FIVE)
def entry_is_no_view(x):
    first = x[0]
    x[0] = 10.0
    return first * x


@written("memory", GRID)
def row_is_a_view(x):
    row = x[0]
    x[0] = 10.0
    return row * x


@written("memory", FIVE)
def write_through_a_slice(x):
    y = x[1:]
    y *= 2
    return x**2


@written("memory", FIVE)
def write_into_a_slice(x):
    y = x[::-1]
    y[0] = y[1] * 2
    return x**2


@written("memory", FIVE)
def whole_slice_is_a_view(x):
    y = x[:]
    y[0] = 0.5
    return x * y


@written("memory", GRID)
def write_through_reshape(x):
    x.reshape(-1)[5] = 5.0
    return x**2


@written("memory", GRID)
def write_through_ravel(x):
    y = x.ravel()
    y[:2] = x[1, 1]
    return x


@written("memory", GRID)
def write_into_flatten(x):
    y = x.flatten()
    y[:2] = 7.0
    return x * y[0]


@written("memory", GRID)
def ravel_of_a_transpose_is_a_copy(x):
    y = x.T.ravel()
    y *= 3
    return x**2


@written("memory", GRID)
def write_through_a_transpose(x):
    x.T[0] = 2.0
    y = x.T
    y += 1
    return x


@written("memory", GRID)
def write_through_rows(x):
    for row in x:
        row *= row[0]
    return x


@written("memory", GRID)
def write_through_a_row_of_a_row(x):
    x[1][2] = 4.0
    return x


@written("memory", FIVE)
def write_through_new_axes(x):
    y = x[:, None]
    y[1] += 2 * x[0]
    return x**2


@written("memory", FIVE)
def fancy_indexing_is_a_copy(x):
    y = x[[0, 1]]
    y *= 2
    return np.concatenate([x, y])


@written("memory", FIVE)
def broadcast_then_write_into_x(x):
    y = np.broadcast_to(x, (2, 5))
    x[0] = 3.0
    return y * x


@written("memory", FIVE)
def asarray_is_an_alias(x):
    y = np.asarray(x)
    y += 1
    return x**2


@written("memory", FIVE)
def astype_without_copy(x):
    y = x.astype(float, copy=False)
    y += 1
    return x**2


@written("memory", FIVE)
def astype_copies(x):
    y = x.astype(float)
    y += 1
    return x * y


@written("memory", FIVE)
def view_method(x):
    y = x.view()
    y[0] = 2.0
    return x**2


IDIOMS = collected(globals())
