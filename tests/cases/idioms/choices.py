"""Entries chosen, clipped and rounded."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import FIVE, MASK, C, S, collected, expressions

VECTORS = expressions(
    "choices",
    FIVE,
    {
        "where": lambda x: np.where(x > 1, x, 0.0),
        "where of two": lambda x: np.where(x > 1, x**2, np.sqrt(x)),
        "where constant": lambda x: np.where(MASK, x, C),
        "where of scalars": lambda x: np.where(x > 1, 1.0, -1.0) * x,
        "where broadcast": lambda x: np.where(S > 0, x, x[:, None]),
        "where of one": lambda x: np.sum(x[np.where(x > 1)] ** 2),
        "nonzero": lambda x: np.sum(x[np.nonzero(x > 1)[0]]),
        "argwhere": lambda x: len(np.argwhere(x > 1)) * x[0],
        "clip": lambda x: np.clip(x, 0.7, 1.4),
        "clip of one side": lambda x: np.clip(x, None, 1.4),
        "clip method": lambda x: x.clip(min=0.7),
        "clip to arrays": lambda x: np.clip(x, C, C + 1),
        "clip of a constant": lambda x: np.clip(C, -x, x),
        "maximum": lambda x: np.maximum(x, 1),
        "maximum of a constant": lambda x: np.maximum(C, x),
        "minimum of two": lambda x: np.minimum(x, x[::-1] ** 2),
        "fmax": lambda x: np.fmax(x, np.nan) + np.fmin(1, x),
        "sign": lambda x: np.sign(x - 1) * x,
        "heaviside": lambda x: np.heaviside(x - 1, 0.5) * x**2,
        "copysign": lambda x: np.copysign(x, C),
        "rounding": lambda x: x - np.floor(x) + np.ceil(x) * np.rint(x) * x,
        "round": lambda x: np.round(x, 1) * x,
        "trunc twice": lambda x: np.trunc(x) * x + np.trunc(x),
        "isnan": lambda x: np.where(np.isnan(x), 0.0, x),
        "isclose": lambda x: np.isclose(x, 1.0) + x,
        "allclose": lambda x: x**2 + np.allclose(x, 1.0),
        "array_equal": lambda x: x**2 + np.array_equal(x, C),
        "select": lambda x: np.select([x > 1.3, x > 0.7], [x, x**2], 0.5),
        "piecewise": lambda x: np.piecewise(x, [x > 1], [lambda v: v**2, -1.0]),
        "logical_and": lambda x: np.logical_and(x > 0.6, np.less(x, 1.3)) * x,
        "huber": lambda x: np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5).mean(),
    },
)
IDIOMS = collected(globals())
