"""NumPy's numerical methods with their options: tables, filters, fits, searches."""

from __future__ import annotations

import numpy as np

from cases.idioms.base import CUBE, FIVE, GRID, MASK, SIX, C, P, collected, expressions

TABLE = np.array([0.1, 0.5, 0.9, 1.3, 1.7, 2.1])
VALUES = np.array([1.0, -0.5, 2.0, 0.3, 0.7, 1.1])
INTERPOLATION = expressions(
    "numerics",
    SIX,
    {
        "interp left right": lambda x: np.interp(
            2 * x, TABLE, VALUES, left=3.0, right=x[0]
        ),
        "interp outside": lambda x: np.interp(3 * x - 2, TABLE, VALUES),
        "interp period": lambda x: np.interp(3 * x, TABLE, VALUES, period=1.5),
        "interp of values": lambda x: np.interp([0.2, 0.95, 3.0, -1.0], TABLE, x),
        "interp in places": lambda x: np.interp([0.5, 1.25], np.cumsum(x), VALUES),
        "interp of all": lambda x: np.interp(x[0] * x, np.cumsum(x), x**2),
        "interp of a number": lambda x: np.interp(x[1], TABLE, x),
    },
)
FILTERS = expressions(
    "numerics",
    FIVE,
    {
        "convolve full": lambda x: np.convolve(x, [1.0, -2.0, 0.5]),
        "convolve same": lambda x: np.convolve(x, [1.0, -2.0, 0.5, 0.2], "same"),
        "convolve valid": lambda x: np.convolve([1.0, -2.0], x, "valid"),
        "convolve a longer one": lambda x: np.convolve(
            x, np.linspace(-1, 1, 8), "same"
        ),
        "convolve valid, longer": lambda x: np.convolve(
            x, np.linspace(-1, 1, 8), "valid"
        ),
        "convolve x with x": lambda x: np.convolve(x, x[:3] ** 2, "same"),
        "correlate default": lambda x: np.correlate(x, [1.0, -2.0, 0.5]),
        "correlate same": lambda x: np.correlate(x, [1.0, -2.0, 0.5, 0.2], "same"),
        "correlate full": lambda x: np.correlate([1.0, -2.0], x, "full"),
        "correlate a longer one": lambda x: np.correlate(
            x, np.linspace(-1, 1, 8), "same"
        ),
        "correlate valid, longer": lambda x: np.correlate(x, np.linspace(-1, 1, 8)),
        "correlate even": lambda x: np.correlate(x[:4], np.linspace(-1, 1, 7), "same"),
        "correlate x with x": lambda x: np.correlate(x, x[1:4] ** 2),
    },
)
INTEGRALS = expressions(
    "numerics",
    SIX,
    {
        "trapezoid of places": lambda x: np.trapezoid(x**2, x=TABLE),
        "trapezoid in places of x": lambda x: np.trapezoid(VALUES, np.cumsum(x)),
        "gradient of places": lambda x: np.gradient(x**2, TABLE**2),
        "gradient edge order": lambda x: np.gradient(x**2, TABLE**2, edge_order=2),
        "gradient of spacing of x": lambda x: np.gradient(VALUES, x[0]),
        "gradient in places of x": lambda x: np.gradient(VALUES, np.cumsum(x)),
        "diff prepend of x": lambda x: np.diff(x, prepend=x[:1] ** 2),
        "diff n and append": lambda x: np.diff(x, n=2, append=[0.5]),
        "ediff1d ends": lambda x: np.ediff1d(x, to_begin=x[0], to_end=[1.0, 2.0]),
        "unwrap": lambda x: np.unwrap(4 * x),
        "unwrap period": lambda x: np.unwrap(x, discont=0.9, period=1.3),
        "polyfit weights": lambda x: np.polyfit(TABLE, x**2, 2, w=VALUES),
        "polyval of x": lambda x: np.polyval(x, 0.5),
        "polyval of both": lambda x: np.polyval(x[:3], x),
        "vander increasing": lambda x: np.vander(x, 4, increasing=True),
        "linspace of vectors": lambda x: np.linspace(x[:2], x[2:4], 4),
        "linspace step": lambda x: np.linspace(x[0], 3.0, 4, retstep=True)[1],
        "linspace axis": lambda x: np.linspace(0.0, x, 3, endpoint=False, axis=1),
        "logspace": lambda x: np.logspace(x[0], 2.0, 3),
        "geomspace": lambda x: np.geomspace(x[0], 2.0, 4),
    },
)
MATRICES = expressions(
    "numerics",
    GRID,
    {
        "trapezoid axis": lambda x: np.trapezoid(x, [0.0, 1.0, 3.0], axis=0),
        "trapezoid of steps": lambda x: np.trapezoid(x, dx=0.5, axis=0),
        "trapezoid of matrices": lambda x: np.trapezoid(P, np.cumsum(x, 1), axis=1),
        "gradient of two axes": lambda x: np.gradient(x, 0.5, [0.0, 1.0, 1.5, 3.0])[1],
        "gradient of axis 0": lambda x: np.gradient(
            x, [0.0, 1.0, 3.0], axis=0, edge_order=2
        ),
        "unwrap axis": lambda x: np.unwrap(4 * x, axis=0),
        "diff prepend axis": lambda x: np.diff(x, axis=0, prepend=1.0),
        "polyfit of matrices": lambda x: np.polyfit([0.0, 1.0, 2.0], x, 1),
        "sort by partition": lambda x: np.partition(x, (1, 2), axis=1)[:, 1:3],
        "argpartition": lambda x: np.argpartition(x, 1, axis=0)[1] * x[0],
        "apply_along_axis of vectors": lambda x: np.apply_along_axis(np.cumsum, 0, x),
        "apply_along_axis with arguments": lambda x: np.apply_along_axis(
            np.linalg.norm, 1, x, 3
        ),
        "sliding windows": lambda x: np.lib.stride_tricks.sliding_window_view(
            x, (2, 3)
        ).sum(axis=(-1, -2)),
        "insert rows": lambda x: np.insert(x, [0, 2], x[:1] ** 2, axis=0),
        "insert flat": lambda x: np.insert(P, 3, x[0, 0]),
        "block of rows": lambda x: np.block([[x, P[:, :1]], [P, x[:, :1] ** 2]]),
        "compress axis": lambda x: np.compress([1, 0, 1], x**2, axis=0),
        "compress method": lambda x: x.compress([True, False, True, True], axis=1),
        "take clip": lambda x: np.take(x, [0, 9], axis=1, mode="clip"),
        "var where": lambda x: np.var(x, axis=0, where=P < 1, ddof=0.5),
        "std where": lambda x: np.std(x, axis=1, where=P < 1),
        "prod where": lambda x: np.prod(x, axis=1, where=P < 1, initial=2.0),
        "min where of x": lambda x: np.min(x, axis=1, where=x > 0.5, initial=9.0),
        "meshgrid sparse": lambda x: np.meshgrid(x[0], x[:, 0], sparse=True)[0] ** 2,
        "diagflat": lambda x: np.diagflat(x[0], 1) @ np.ones(5),
        "resize F": lambda x: np.ravel(x.T, order="A") ** 2,
    },
)
SEARCHES = expressions(
    "numerics",
    SIX,
    {
        "unique inverse": lambda x: np.unique(x, return_inverse=True)[0] ** 2,
        "unique counts": lambda x: np.unique(x[[0, 0, 3]], return_counts=True)[0],
        "unique of repeated": lambda x: np.unique(np.concatenate([x, x[:2]])) * C[0],
        "bincount minlength": lambda x: np.bincount([0, 1, 1, 2, 0, 0], x**2, 5),
        "histogram weights": lambda x: np.histogram(
            [0.1, 0.3, 0.7, 1.0, 2.0, -1.0], bins=[0.0, 0.5, 1.0], weights=x**2
        )[0],
        "histogram edges": lambda x: np.histogram(x, 3)[1] ** 2,
        "searchsorted right": lambda x: np.searchsorted(TABLE, x, side="right") * x,
        "searchsorted in x": lambda x: np.searchsorted(np.cumsum(x), 2.0) * x,
        "method searchsorted": lambda x: np.cumsum(x).searchsorted([1.0, 2.0]) * x[:2],
        "digitize right": lambda x: np.digitize(x, [1.4, 0.7], right=True) * x,
        "flatnonzero": lambda x: x[np.flatnonzero(x > 0.9)] ** 2,
        "nonzero of x": lambda x: np.sum(x[x.nonzero()] ** 2),
        "isin": lambda x: np.isin(np.round(x), [1.0]) * x,
        "lexsort": lambda x: x[np.lexsort((x, np.round(x)))] * VALUES,
        "allclose options": lambda x: np.allclose(x, x + 1e-9, rtol=0, atol=1e-6) * x,
        "array_equiv": lambda x: np.array_equiv(x, x[None]) + x**2,
        "choose of x": lambda x: np.choose([1, 0, 1, 2, 0, 1], (x, VALUES, x**2)),
        "choose wrap": lambda x: np.choose([4, 1, 1, -1, 0, 1], (x, x**2), mode="wrap"),
        "compress by x": lambda x: np.compress(x - x[2], x**2) * VALUES[0],
        "kron with a number": lambda x: np.kron(x, 2.0) ** 2,
        "extract of constants": lambda x: np.extract([1, 0, 0, 1, 1, 0], x**2),
        "piecewise default": lambda x: np.piecewise(
            x, [x < 0.7, x > 1.2], [0.5, np.square, np.exp]
        ),
        "piecewise with arguments": lambda x: np.piecewise(
            x, [x < 1], [np.power, np.multiply], 3
        ),
        "piecewise of a mask": lambda x: np.piecewise(x, TABLE > 1, [np.sin, np.cos]),
        "isclose options": lambda x: np.isclose(x, 1.0, atol=0.3) * x,
        "round to tens": lambda x: round(x[0], 2) * x,
        "round to an integer": lambda x: round(x[0] * 9) * x,
        "count_nonzero of x": lambda x: np.count_nonzero(x) * x,
        "where of a mask": lambda x: x[np.where([True, False, True] * 2)] ** 2,
        "mask and": lambda x: np.sum(x[(x > 0.4) & MASK[0] | (x > 1)] ** 2),
    },
)
CUBES = expressions(
    "numerics",
    CUBE,
    {
        "trapezoid of 3-d": lambda x: np.trapezoid(x, [0.0, 1.0, 3.0], axis=1),
        "gradient of 3-d": lambda x: np.gradient(x, [0.0, 1.0, 3.0], axis=1) ** 2,
        "apply_along_axis of 3-d": lambda x: np.apply_along_axis(np.diff, 1, x) ** 2,
        "interp of 3-d": lambda x: np.interp(x, TABLE, VALUES),
    },
)
IDIOMS = collected(globals())
