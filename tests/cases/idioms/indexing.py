"""Entries by slices, indices and masks."""

from __future__ import annotations

import operator

import numpy as np

from cases.idioms.base import GRID, GRID_MASK, LABELS, SIX, C, collected, expressions

VECTORS = expressions(
    "indexing",
    SIX,
    {
        "x[0]": lambda x: x[0] ** 2,
        "x[-1]": lambda x: x[-1] * x[-2],
        "x[1:]": lambda x: x[1:] * x[:-1],
        "x[::-1]": lambda x: x[::-1] ** 2,
        "x[4:0:-2]": lambda x: x[4:0:-2] ** 2,
        "x[::2] and x[1::2]": lambda x: x[::2] - x[1::2] ** 2,
        "slice of slices": lambda x: x[1:][::-1][::2][1:] ** 2,
        "x[None]": lambda x: x[None] * x[:, None],
        "x[...]": lambda x: x[...] ** 2,
        "x[...,]": lambda x: x[..., 1:3, None],
        "x[slice(None, 3)]": lambda x: x[slice(None, 3)] ** 2,
        "x[-100:100]": lambda x: x[-100:100] ** 2,
        "x[4:1]": lambda x: np.sum(x[4:1]) + x[0],
        "x[np.int64]": lambda x: x[np.int64(2)] ** 2,
        "x[len(x) - 1]": lambda x: x[len(x) - 1] ** 2,
        "x[list]": lambda x: x[[0, 2, 2, -1]],
        "x[integers]": lambda x: x[np.array([[0, 1], [5, 1]])] ** 2,
        "x[mask]": lambda x: x[np.array([True, False, True, True, False, True])] ** 2,
        "x[list of bools]": lambda x: x[[True, False, False, True, False, True]] ** 2,
        "x[x > 1]": lambda x: np.sum(x[x > 1] ** 2),
        "x[~mask of x]": lambda x: np.mean(x[~(x > 1)]),
        "x[True]": lambda x: x[True] ** 2,
        "x[1-tuple]": lambda x: x[(3,)] ** 2,
        "x[argsort]": lambda x: x[np.argsort(x)] * np.arange(6),
        "x[argmax]": lambda x: x[np.argmax(x)] ** 2,
        "C[argmax]": lambda x: C[np.argmax(x[:4])] * x,
        "take": lambda x: np.take(x, [3, 0, 3]),
        "take method": lambda x: x.take([1, -1]),
        "take wrap": lambda x: np.take(x, [7, -8], mode="wrap") ** 2,
        "take_along_axis of argsort": lambda x: np.take_along_axis(x, np.argsort(x), 0),
        "compress": lambda x: np.compress([1, 0, 0, 1, 1, 0], x),
        "extract": lambda x: np.extract(x > 1, x),
        "choose": lambda x: np.choose([0, 1, 0, 1, 1, 0], [x, x**2]),
        "item": lambda x: x.item(1) ** 2,
        "tolist": lambda x: sum(v**2 for v in x.tolist()),
        "flat": lambda x: x.flat[2] ** 2,
        "itemgetter": lambda x: operator.itemgetter(2)(x) ** 2,
        "second difference": lambda x: x[2:] - 2 * x[1:-1] + x[:-2],
        "x[0] in a list": lambda x: [x[0] ** 2, x[1]][0],
    },
)
MATRICES = expressions(
    "indexing",
    GRID,
    {
        "x[1, 2]": lambda x: x[1, 2] ** 2,
        "x[1][2]": lambda x: x[1][2] ** 2,
        "x[:, 1]": lambda x: x[:, 1] ** 2,
        "x[..., -1]": lambda x: x[..., -1] * x[..., 0],
        "x[::-1, ::2]": lambda x: x[::-1, ::2] ** 2,
        "x[1:, None, -2:]": lambda x: x[1:, None, -2:],
        "x[:, [0, 2]]": lambda x: x[:, [0, 2]] ** 2,
        "x[[0, 1], [1, 2]]": lambda x: x[[0, 1], [1, 2]] ** 2,
        "x[rows, labels]": lambda x: x[np.arange(3), LABELS] ** 2,
        "x[labels, None]": lambda x: x[[0, 2], None, 1:],
        "x[ix_]": lambda x: x[np.ix_([0, 2], [3, 1])],
        "x[2-d mask]": lambda x: x[GRID_MASK] ** 2,
        "x[:, mask]": lambda x: x[:, np.array([True, False, True, True])],
        "x[0, x > 1]": lambda x: np.sum(x[0, x[1] > 1]),
        "pairwise distances": lambda x: np.sum((x[:, None] - x[None]) ** 2, axis=-1),
        "take axis": lambda x: np.take(x, [1, 0, 1], axis=1),
        "take_along_axis": lambda x: np.take_along_axis(x, LABELS[:, None], axis=1),
        "largest of rows": lambda x: np.take_along_axis(
            x, np.argmax(x, axis=1, keepdims=True), axis=1
        ),
        "triangle": lambda x: x[np.triu_indices(3, 1)] ** 2,
        "upper sum": lambda x: x[:, :3][np.tri(3, dtype=bool)],
    },
)
IDIOMS = collected(globals())
