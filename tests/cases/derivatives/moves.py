"""Cases of functions that move, repeat and assign entries, by the pull of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.derivatives.base import Case, cases, numbers

M, T = numbers(4, 5), numbers(2, 3, 4)
EMPTY = np.empty((0, 3))
ONE = numbers()
INDEX = np.array([[0, 2, 2], [3, 0, 0]])


def _written(key: Any, value: Any) -> Any:
    """Assign to a key of a copy of x, a value or a function of x."""

    def function(xp: Any, x: Any) -> Any:
        y = x * 1.5
        y[key] = value(x) if callable(value) else value
        return y**2

    return function


def _viewed(xp: Any, x: Any) -> Any:
    y = x * 2
    part = y[1:].reshape(-1)
    y[2] = x[0] * x[1]
    part[:3] += x[0, :3]
    return y * x + part.sum()


def _added(xp: Any, x: Any) -> Any:
    y = x**2
    y[:, 1:3] += x[:, :2]
    y[0] *= x[1]
    return y


MOVE_CASES: tuple[Case, ...] = (
    *cases(
        "as_before",
        {
            "copy": (lambda xp, x: x.copy() ** 2, M),
            "broadcast_to": (lambda xp, x: xp.broadcast_to(x, (3, 4, 5)) * x[0], M),
            "broadcast_to more": (
                lambda xp, x: xp.broadcast_to(x[:, :1], (2, 4, 3)),
                M,
            ),
            "broadcast_to of a number": (lambda xp, x: xp.broadcast_to(x, (2, 3)), ONE),
        },
    ),
    *cases(
        "spread",
        {
            "sum": (lambda xp, x: xp.sum(x), M),
            "sum of axes": (lambda xp, x: xp.sum(x**2, axis=(0, 2)), T),
            "sum, kept": (lambda xp, x: xp.sum(x**2, axis=1, keepdims=True), T),
            "sum of nothing": (lambda xp, x: xp.sum(x, axis=0), EMPTY),
            "sum of no axis": (lambda xp, x: xp.sum(x, axis=()), M),
            "sum of a number": (lambda xp, x: xp.sum(x), ONE),
            "mean": (lambda xp, x: xp.mean(x**2, axis=-1), T),
            "mean, kept": (lambda xp, x: xp.mean(x, keepdims=True), M),
            "nansum": (lambda xp, x: xp.nansum(x, axis=0), np.where(M > 1, np.nan, M)),
            "nanmean": (
                lambda xp, x: xp.nanmean(x, axis=1),
                np.where(M > 1, np.nan, M),
            ),
        },
    ),
    *cases(
        "reshape_back",
        {
            "reshape": (lambda xp, x: xp.reshape(x, (5, 4)) @ x, M),
            "reshape of a transpose": (lambda xp, x: x.T.reshape(-1) ** 2, M),
            "ravel": (lambda xp, x: x.ravel() ** 2, T),
            "expand_dims": (lambda xp, x: xp.expand_dims(x, 1) * x, M),
            "squeeze": (lambda xp, x: xp.squeeze(x[:1]) * x, M),
            "empty": (lambda xp, x: xp.reshape(x, (3, 0)), EMPTY),
        },
        is_portable=False,
    ),
    *cases(
        "permute_back",
        {
            "transpose": (lambda xp, x: xp.transpose(x, (2, 0, 1)) ** 2, T),
            "moveaxis": (lambda xp, x: xp.moveaxis(x, 0, -1) ** 2, T),
            "T": (lambda xp, x: x.T @ x, M),
        },
    ),
    *cases(
        "pick",
        {
            "repeat": (lambda xp, x: xp.repeat(x, 3, axis=1) ** 2, M),
            "tile": (lambda xp, x: xp.tile(x, (2, 2)), M),
            "take": (lambda xp, x: xp.take(x, INDEX, axis=0) ** 2, M),
            "take_along_axis": (
                lambda xp, x: xp.take_along_axis(x, INDEX.T, axis=0) ** 2,
                M[:, :2],
            ),
            "diag": (lambda xp, x: xp.diag(x[0], 1) + xp.diag(x[0], 1) ** 2, M),
            "diagonal": (lambda xp, x: xp.diagonal(x, 1) ** 2, M),
            "pad": (lambda xp, x: xp.pad(x, ((1, 2), (0, 1))) ** 2, M),
            "pad by reflection": (lambda xp, x: xp.pad(x, 2, mode="reflect") ** 2, M),
            "complex": (lambda xp, x: abs(xp.repeat(x + 1j * x**2, 2, axis=0)), M),
        },
    ),
    *cases(
        "add_at_key",
        {
            "row": (lambda xp, x: x[1] ** 2 * x[2], M),
            "slices": (lambda xp, x: x[1:, ::2] * x[:-1, ::2], M),
            "backwards": (lambda xp, x: x[::-1, -2] ** 2, M),
            "new axis": (lambda xp, x: x[:, None, ..., 0] * x[..., 1], T),
            "entry": (lambda xp, x: x[1, 2] ** 2, M),
            "mask": (lambda xp, x: x[M > 0] ** 2, M),
            "flip": (lambda xp, x: xp.flip(x, 1) * x, M),
            "diff": (lambda xp, x: xp.diff(x**2, axis=0), M),
            "unstack": (lambda xp, x: xp.split(x, 2)[1] ** 2, M),
            "empty": (lambda xp, x: x[:, 1:] ** 2, EMPTY),
        },
    ),
    *cases(
        "add_at_places",
        {
            "list": (lambda xp, x: x[np.array([0, 0, 3, 0])] ** 2, M),
            "pairs": (
                lambda xp, x: x[np.array([0, 0, 3]), np.array([1, 1, 2])] ** 2,
                M,
            ),
            "negative": (lambda xp, x: x[np.array([-1, 3])] ** 2, M),
            "grid": (lambda xp, x: x[np.ix_([0, 2, 0], [1, 1])] ** 2, M),
        },
    ),
    *cases("add_at_chain", {"view": (_viewed, M)}, is_portable=False),
    *cases(
        "read_chain",
        {
            "row": (_written(1, lambda x: x[2] * x[0]), M),
            "repeated number": (_written((slice(None), 2), lambda x: x[0, 0] ** 2), M),
            "entries twice": (_written([0, 0, 2], lambda x: x[:3] ** 2), M),
            "mask": (_written(M > 0, lambda x: x[0, 0] ** 2), M),
        },
        is_portable=False,
    ),
    *cases(
        "erase_chain",
        {
            "constant": (_written((slice(1, 3), 2), 7.0), M),
            "added": (_added, M),
        },
        is_portable=False,
    ),
    *cases(
        "read_key",
        {
            "concatenate": (lambda xp, x: xp.concatenate([x, x[:1] * 2, x**2]), M),
            "stack": (lambda xp, x: xp.stack([x, x**2], axis=1), M),
            "with constants": (lambda xp, x: xp.concatenate([M, x**2], axis=1), M),
        },
    ),
    *cases(
        "roll_back",
        {
            "all": (lambda xp, x: xp.roll(x, 3) * x, M),
            "axes": (lambda xp, x: xp.roll(x, (1, -2), axis=(0, 1)) * x, M),
            "of no rows": (lambda xp, x: xp.roll(x, 1, axis=1), EMPTY),
        },
    ),
)
