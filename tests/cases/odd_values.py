"""Odd values for the arguments of public functions: one pool for each parameter.

`POOLS` holds makers of values, which are made anew for each call; `ODD` is what any
parameter may be given, `odd_array` what stands where an array should, and `FUNCTIONS`
what the caller may hand over as a function.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import array_api_compat
import array_api_strict as strict
import numpy as np

import xgrad

Choose = Callable[[Sequence[Any]], Any]


class Refused(Exception):
    """What functions of the caller's raise here."""


# Arrays

DTYPES = (
    "bool i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 >f4 >i8 g c8 c16 O U3 S3 M8[D] m8[s] i4,f8"
).split()
SHAPES = [(), (0,), (1,), (2,), (3,), (5,), (0, 3), (3, 0), (1, 3), (3, 1), (4, 3)]
SHAPES += [(3, 3), (2, 3, 4), (1, 0, 2), (1,) * 30]
NUMBERS = [0, 1, 2, 3, -1, 0.5, 300, -1.5, 1e-320, 1e30, 1e308, -math.inf]
NUMBERS += [math.inf, math.nan]


def filled(dtype: str, shape: tuple[int, ...], numbers: list[float]) -> np.ndarray:
    """An array of any dtype from numbers, as far as it can hold them."""
    values = np.resize(np.asarray(numbers, dtype=float), shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dtype[0] in "Mm":
            whole = np.nan_to_num(values, posinf=9, neginf=9).astype("i8")
            return np.asarray(whole.astype(dtype))
        if dtype == "i4,f8":
            return np.zeros(shape, dtype=dtype)
        return values.astype(dtype)


FOLDER = tempfile.TemporaryDirectory()
NUMBERS_OF_FILES = itertools.count()


def new_file(content: bytes | None = None) -> Path:
    """The name of a file that does not exist, or of one with some content."""
    path = Path(FOLDER.name) / f"{next(NUMBERS_OF_FILES)}.npz"
    if content is not None:
        path.write_bytes(content)
    return path


def laid_out(x: np.ndarray, layout: str) -> Any:
    """The same values otherwise in memory, or in another kind of array."""
    if layout == "read-only":
        x.flags.writeable = False
    elif layout == "reversed" and x.ndim:
        return np.flip(np.flip(x).copy())
    elif layout == "strided":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (), x.dtype)
        part = wide[..., ::2] if x.ndim else wide
        part[...] = x
        return part
    elif layout == "unaligned" and x.dtype != object:
        memory = np.zeros(x.nbytes + 1, np.uint8)[1:]
        part = memory.view(x.dtype).reshape(x.shape)
        part[...] = x
        return part
    elif layout == "broadcast":
        return np.broadcast_to(x.reshape(-1)[:1].reshape(()), x.shape) if x.size else x
    elif layout == "masked":
        return np.ma.array(x, mask=np.zeros(x.shape, bool))
    elif layout == "matrix" and x.ndim == 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asmatrix(x)
    elif layout == "scalar":
        return x[()] if x.ndim == 0 else x
    elif layout == "list":
        return x.tolist()
    elif layout == "tuple":
        return tuple(x.tolist()) if x.ndim else (x,)
    elif layout == "nested":
        return {"a": x, "b": [x.copy()]}
    elif layout == "strict":
        with contextlib.suppress(TypeError):
            return strict.asarray(x.copy())
    return x


LAYOUTS = "read-only reversed strided unaligned broadcast masked matrix scalar".split()
LAYOUTS += "list tuple nested strict".split()


def odd_array(choose: Choose, good: Any) -> Any:
    """Arrays, often but for one thing like a good one."""
    usual = np.shape(good) if isinstance(good, np.ndarray) else (3,)
    kind = good.dtype.str if isinstance(good, np.ndarray) else "f8"
    changed = choose(["dtype", "shape", "layout", "values", "all"])
    all_of_it = changed == "all"
    dtype, shape, layout, x = kind, usual, "plain", None
    if changed == "dtype" or all_of_it:
        dtype = choose(DTYPES)
    if changed == "shape" or all_of_it:
        shape = choose(SHAPES)
    if changed == "layout" or all_of_it:
        layout = choose(LAYOUTS)
    if (changed == "values" or all_of_it) or not isinstance(good, np.ndarray):
        x = filled(dtype, shape, [choose(NUMBERS) for _ in range(choose([1, 2, 3]))])
    else:
        x = filled(dtype, shape, good.reshape(-1).tolist() or [1.0])
    return laid_out(x, layout)


def endless() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


# Odd values of any parameter, made anew for each call
ODD: list[Callable[[], Any]] = [
    *(lambda v=v: v for v in (None, True, False, 0, 1, -1, 2, 3, 2.5, 0.5, -0.5)),
    *(lambda v=v: v for v in (math.nan, math.inf, -math.inf, 1e308, 1e-320, -0.0)),
    *(lambda v=v: v for v in (10**30, -(10**30), 10**400, 1j, 2**63, -(2**63))),
    *(lambda v=v: v for v in ("", "x", "auto", "yes", "mean", b"x", "float32", "1")),
    *(lambda v=v: v for v in ((), (1, 2), (0.0, None), Ellipsis)),
    *(lambda v=v: v for v in (int, float, np.float32, np.dtype("f8"), slice(None))),
    *(lambda v=v: v for v in (Decimal("0.5"), Fraction(1, 2), np, range(3))),
    *(lambda v=v: v for v in (np.float32(2), np.float64("nan"), np.int8(1))),
    *(lambda v=v: v for v in (np.bool_(True), np.datetime64("2026-01-01"))),
    *(lambda v=v: v for v in (np.complex64(1j), np.str_("x"), np.uint64(2**63))),
    list,
    dict,
    set,
    object,
    endless,
    lambda: [1, 2],
    lambda: [1.0, None],
    lambda: ["a", "b"],
    lambda: {"a": 1},
    lambda: {1, 2},
    lambda: iter([1, 2]),
    lambda: bytearray(b"xy"),
    lambda: memoryview(b"xy"),
    lambda: np.array(1),
    lambda: np.array(1.0),
    lambda: np.array(True),
    lambda: np.array("x"),
    lambda: np.array(None),
    lambda: np.array([1.0]),
    lambda: np.array([1, 2]),
    lambda: np.array([[0.5, 1.0]]),
    lambda: np.ma.masked,
    lambda: strict.asarray(1),
    lambda: strict.asarray([1.0, 2.0, 3.0]),
    lambda: lambda: None,
    lambda: lambda *_: None,
]


# Functions of the caller's


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of nested containers."""
    if isinstance(tree, (dict, list, tuple)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(part)
    else:
        yield tree


def squares(*x: Any) -> Any:
    """The sum of all squares."""
    found = [array_api_compat.array_namespace(leaf).sum(leaf**2) for leaf in leaves(x)]
    return sum(found[1:], found[0])


def doubled(x: Any, *_: Any) -> Any:
    """The gradient of `squares`."""
    if isinstance(x, dict):
        return {key: doubled(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(map(doubled, x))
    return 2 * x


def cubes(x: Any) -> Any:
    """Elementwise, and a vector for a Jacobian."""
    return x**3


def changing() -> Callable[..., Any]:
    """A function whose results are of another shape each time."""
    calls = itertools.count(1)
    return lambda *x: np.ones(next(calls))


def forgetful(after: int) -> Callable[..., Any]:
    """A function that gives nothing from some call on."""
    calls = itertools.count()
    return lambda *x: squares(*x) if next(calls) < after else None


def failing(after: int) -> Callable[..., Any]:
    """A function that raises from some call on."""
    calls = itertools.count()

    def f(*x: Any) -> Any:
        if next(calls) >= after:
            raise Refused
        return squares(*x)

    return f


def greedy(*x: Any) -> Any:
    """Overwrites what it is given."""
    for leaf in leaves(x):
        leaf[...] = 7.0
    return squares(*x)


FUNCTIONS: list[Callable[[], Any]] = [
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
]


def noted(function: Callable[..., Any], raised: list[Any]) -> Callable[..., Any]:
    """The function, which notes what it raises."""

    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except BaseException as error:
            raised.append(error)
            raise

    return call


# A pool for each parameter, beside `ODD`


def plain(*values: Any) -> list[Callable[[], Any]]:
    """Values that nobody changes."""
    return [lambda v=v: v for v in values]


def pattern(*shape: int) -> np.ndarray:
    """A dense sparsity pattern."""
    return np.ones(shape, bool)


SIZES = plain(4, 5, 3.0, "two", np.int64(2), 100)
FLAGS = plain("yes", "no", 2, np.bool_(False))
NUMBER = plain(0.25, 0.75, 2, -1e-9, 1e39, "0.5")
POOLS: dict[str, list[Callable[[], Any]]] = {
    "accuracy": plain(1, 2, 3, 4, 6, 8, 10, 5, -1, 2.5, "4"),
    "atol": NUMBER,
    "average": plain("micro", "macro", "weighted", "binary", "all", "uniform"),
    "axis": plain(0, -1, -2, 5, -7, (0, 1), 1.0),
    "beta": NUMBER,
    "bounds": [
        *plain((-3, 3), (3, -3), (0, None), (None, None), (math.nan, 1.0), "ab"),
        *plain((-math.inf, math.inf), (0,), (-3, 3, 3), ("a", "b"), (False, True)),
        *plain((1j, 2), ((), ()), [-3.0, 3.0], {"a": 1, "b": 2}, (-1e308, 1e308)),
        lambda: (np.full(3, -3.0), np.full(3, 3.0)),
        lambda: (np.full(2, -3.0), np.full(2, 3.0)),
        lambda: ([-3.0] * 3, [3.0] * 3),
        lambda: ({"a": -3.0}, {"a": 3.0}),
        lambda: (np.array(["a"] * 3), None),
        lambda: (strict.asarray(-3.0), 3.0),
        lambda: (np.array([0.5, 1.5, 2.0]), np.array([0.5, 1.5, 2.0])),
        lambda: np.array([-3.0, 3.0]),
        lambda: (endless(), 3.0),
    ],
    "check": FLAGS,
    "confidence": NUMBER,
    "delta": NUMBER,
    "directions": [
        *plain(
            4,
            2.0,
            "two",
            np.int64(2),
            0,
            -1,
            10**30,
            None,
            True,
            math.nan,
            1j,
            (),
            b"x",
        ),
        lambda: np.array([1, 2]),
        lambda: np.array(2),
    ],
    "drop_last": FLAGS,
    "dtype": plain(
        *(np.float16, np.float32, np.float64, np.int64, np.complex128, np.bool_),
        *("float64", "float16", "int64", "f4", "bool", "complex64", "object", "O"),
        *(np.longdouble, np.str_, np.dtype("i4,f8")),
    ),
    "epoch": SIZES,
    "full": plain("auto", "all"),
    "full_output": FLAGS,
    "gamma": NUMBER,
    "ignore_index": plain(-100, 255, 1.5, "1", np.int64(2)),
    "k": SIZES,
    "label_smoothing": NUMBER,
    "max_bytes": plain(1, 100, 10**6, 1.5, "1 MB", np.int64(64)),
    "method": plain("central", "forward", "backward", "complex", "ladder", "auto", 3),
    "checkpoint": [
        *plain(3, "", "/", "no/such/folder/run.npz", b"run.npz", "a\0b"),
        new_file,
        lambda: str(new_file()),
        lambda: new_file(b"something else"),
    ],
    "names": [
        *plain(("a", "b", "c"), ("a", "a", "b"), ("a", "b"), "abc", "ab", (1, 2, 3)),
        lambda: np.array(["a", "b", "c"]),
        lambda: iter("abc"),
        lambda: itertools.count(),
        lambda: ["accuracy", "b", "c"],
    ],
    "normalize": plain("true", "pred", "all", "rows"),
    "num_classes": SIZES,
    "order": plain(1, 2, 3, 4, 5, 2.0, "1"),
    "population": SIZES,
    "positive": plain(0, 1, 2, -1, 1.0, "1"),
    "positive_weight": NUMBER,
    "progress": [*plain(3, "bar"), lambda: lambda done, total: None, lambda: len],
    "quantile": NUMBER,
    "reduction": plain("mean", "sum", "none", "average", "MEAN", ("mean",)),
    "replace": FLAGS,
    "rtol": NUMBER,
    "seed": plain(7, "a", 1.0, np.int64(3), (1, 2)),
    "shuffle": FLAGS,
    "size": SIZES,
    "sparsity": [
        lambda: pattern(3, 3),
        lambda: pattern(1, 3),
        lambda: pattern(2, 3),
        lambda: pattern(3, 2),
        lambda: pattern(0, 3),
        lambda: pattern(3),
        lambda: pattern(3, 3).astype(int),
        lambda: np.eye(3, dtype=bool),
        lambda: np.zeros((3, 3), bool),
        lambda: strict.asarray(pattern(3, 3)),
        lambda: xgrad.color_columns(np.eye(3, dtype=bool)),
        lambda: xgrad.color_columns(pattern(2, 2)),
        lambda: pattern(3, 3).tolist(),
    ],
    "start": SIZES,
    "step": [
        *plain(1e-3, -1e-3, 1e-320, 1e300, "x", (1e-3,) * 3, np.float32(1e-3)),
        lambda: np.full(3, 1e-3),
        lambda: np.array([1e-3, 0.0, math.nan]),
        lambda: np.full(2, 1e-3),
        lambda: np.array(1e-3),
        lambda: np.array(0.0),
        lambda: np.full(3, 1e-3, "f4"),
        lambda: np.full(3, "a"),
        lambda: {"a": 1e-3},
    ],
    "terms": FLAGS,
    "vectorized": plain("auto", "yes", "batch"),
    "workers": [*plain(2, "two", 2.0, np.int64(2)), lambda: map],
    "zero_division": plain(0, 1.0, math.nan, 0.5, "warn", np.float64(0)),
}
# Parameters that stand for arrays, whose pools are `arrays`
ARRAYS = set(
    "prediction target weight class_weight variance values stratify labels x v t "
    "inputs actual desired pattern counts arrays".split()
)
CALLABLES = {"f", "grad", "vjp", "progress", "workers"}
