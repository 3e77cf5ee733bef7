"""Functions that a caller may hand over: right ones, and odd ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import array_api_compat
import array_api_strict as strict
import numpy as np


class Refused(Exception):
    """The error that functions of the caller raise here."""


def leaves(tree: Any) -> Iterator[Any]:
    """Yield the arrays of nested containers."""
    if isinstance(tree, (dict, list, tuple)):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(child)
    else:
        yield tree


def squares(*x: Any) -> Any:
    """Return the sum of all squares."""
    sums = [array_api_compat.array_namespace(leaf).sum(leaf**2) for leaf in leaves(x)]
    return sum(sums[1:], sums[0])


def doubled(x: Any, *_: Any) -> Any:
    """Return the gradient of `squares`."""
    if isinstance(x, dict):
        return {key: doubled(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(map(doubled, x))
    return 2 * x


def cubes(x: Any) -> Any:
    """Cube each entry, which gives a Jacobian a vector."""
    return x**3


def changing() -> Callable[..., Any]:
    """Make a function whose results have another shape each time."""
    calls = itertools.count(1)
    return lambda *x: np.ones(next(calls))


def forgetful(after: int) -> Callable[..., Any]:
    """Make a function that returns None from some call on."""
    calls = itertools.count()
    return lambda *x: squares(*x) if next(calls) < after else None


def failing(after: int) -> Callable[..., Any]:
    """Make a function that raises from some call on."""
    calls = itertools.count()

    def f(*x: Any) -> Any:
        if next(calls) >= after:
            raise Refused
        return squares(*x)

    return f


def greedy(*x: Any) -> Any:
    """Overwrite the arguments, and return the sum of their squares."""
    for leaf in leaves(x):
        leaf[...] = 7.0
    return squares(*x)


FUNCTIONS: tuple[Callable[[], Any], ...] = (
    lambda: squares,
    lambda: lambda x: x**3,
    lambda: lambda x: np.sum(x**2),
    lambda: lambda x: np.sum(x**2, axis=-1),
    lambda: lambda *x: x[0],
    lambda: lambda *x: x,
    lambda: lambda x: x[:1],
    lambda: lambda x: x[..., None],
    lambda: lambda *x: None,
    lambda: lambda *x: "text",
    lambda: lambda *x: 2.5,
    lambda: lambda *x: 3,
    lambda: lambda *x: True,
    lambda: lambda *x: 1j,
    lambda: lambda *x: object(),
    lambda: lambda *x: {"a": np.ones(3)},
    lambda: lambda *x: [1.0, 2.0, 3.0],
    lambda: lambda *x: (),
    lambda: lambda *x: [[1.0], [1.0, 2.0]],
    lambda: lambda *x: (np.ones(3), None),
    lambda: lambda *x: iter([1.0]),
    lambda: lambda *x: np.ones(3, bool),
    lambda: lambda *x: np.ones(3, int),
    lambda: lambda *x: np.ones(3, complex),
    lambda: lambda *x: np.array(["a", "b"]),
    lambda: lambda *x: np.array("a"),
    lambda: lambda *x: np.array(None),
    lambda: lambda *x: np.array([1.0, None], dtype=object),
    lambda: lambda *x: np.ones((2, 3, 4)),
    lambda: lambda *x: np.ones(0),
    lambda: lambda *x: np.ones((0, 3)),
    lambda: lambda *x: np.ma.array([1.0, 2.0, 3.0]),
    lambda: lambda *x: np.datetime64("2026-01-01"),
    lambda: lambda *x: np.float16(2.0),
    lambda: lambda *x: strict.asarray([1.0, 2.0, 3.0]),
    lambda: lambda *x: strict.asarray(1.0),
    lambda: lambda *x: np.nan,
    lambda: lambda x: np.sum(np.where(x > 0.5, np.nan, x)),
    lambda: lambda x: np.sum(np.sqrt(x)),
    lambda: lambda x: np.sum(1 / (x - x)),
    lambda: lambda x: np.sum(x * 1e308) * 10,
    lambda: lambda x: float(np.sum(x)),
    lambda: lambda x: x.sum() if x.sum() > 0 else -x.sum(),
    lambda: lambda a, b: squares(a, b),
    lambda: greedy,
    changing,
    *(lambda n=n: forgetful(n) for n in (1, 2, 5)),
    *(lambda n=n: failing(n) for n in (0, 1, 2, 5)),
)


def record_errors(
    function: Callable[..., Any], raised: list[Any]
) -> Callable[..., Any]:
    """Wrap a function so that the errors that it raises are recorded."""

    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except BaseException as error:
            raised.append(error)
            raise

    return call
