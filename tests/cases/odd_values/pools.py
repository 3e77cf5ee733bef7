"""A pool of values for each parameter, beside those that suit any parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import array_api_strict as strict
import numpy as np

import xgrad
from cases.odd_values.files import new_file
from cases.odd_values.values import endless

Pool = tuple[Callable[[], Any], ...]


def fixed(*values: Any) -> Pool:
    """Make a pool of values that nobody changes."""
    return tuple(lambda v=v: v for v in values)


def pattern(*shape: int) -> np.ndarray:
    """Make a dense sparsity pattern."""
    return np.ones(shape, bool)


SIZES = fixed(4, 5, 3.0, "two", np.int64(2), 100)
FLAGS = fixed("yes", "no", 2, np.bool_(False))
NUMBER = fixed(0.25, 0.75, 2, -1e-9, 1e39, "0.5")
POOLS: dict[str, Pool] = {
    "accuracy": fixed(1, 2, 3, 4, 6, 8, 10, 5, -1, 2.5, "4"),
    "atol": NUMBER,
    "average": fixed("micro", "macro", "weighted", "binary", "all", "uniform"),
    "axis": fixed(0, -1, -2, 5, -7, (0, 1), 1.0),
    "beta": NUMBER,
    "bins": SIZES,
    "bounds": (
        *fixed((-3, 3), (3, -3), (0, None), (None, None), (math.nan, 1.0), "ab"),
        *fixed((-math.inf, math.inf), (0,), (-3, 3, 3), ("a", "b"), (False, True)),
        *fixed((1j, 2), ((), ()), [-3.0, 3.0], {"a": 1, "b": 2}, (-1e308, 1e308)),
        lambda: (np.full(3, -3.0), np.full(3, 3.0)),
        lambda: (np.full(2, -3.0), np.full(2, 3.0)),
        lambda: ([-3.0] * 3, [3.0] * 3),
        lambda: ({"a": -3.0}, {"a": 3.0}),
        lambda: (np.array(["a"] * 3), None),
        lambda: (strict.asarray(-3.0), 3.0),
        lambda: (np.array([0.5, 1.5, 2.0]), np.array([0.5, 1.5, 2.0])),
        lambda: np.array([-3.0, 3.0]),
        lambda: (endless(), 3.0),
    ),
    "check": FLAGS,
    "confidence": NUMBER,
    "delta": NUMBER,
    "directions": (
        *fixed(
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
    ),
    "drop_last": FLAGS,
    "args": fixed((), (1,), None, 3, "ab"),
    "has_aux": FLAGS,
    "dtype": fixed(
        *(np.float16, np.float32, np.float64, np.int64, np.complex128, np.bool_),
        *("float64", "float16", "int64", "f4", "bool", "complex64", "object", "O"),
        *(np.longdouble, np.str_, np.dtype("i4,f8")),
    ),
    "epoch": SIZES,
    "full": fixed("auto", "all"),
    "full_output": FLAGS,
    "gamma": NUMBER,
    "ignore_index": fixed(-100, 255, 1.5, "1", np.int64(2)),
    "k": SIZES,
    "label_smoothing": NUMBER,
    "max_bytes": fixed(1, 100, 10**6, 1.5, "1 MB", np.int64(64)),
    "method": fixed("central", "forward", "backward", "complex", "ladder", "auto", 3),
    "checkpoint": (
        *fixed(3, "", "/", "no/such/folder/run.npz", b"run.npz", "a\0b"),
        new_file,
        lambda: str(new_file()),
        lambda: new_file(b"something else"),
    ),
    "names": (
        *fixed(("a", "b", "c"), ("a", "a", "b"), ("a", "b"), "abc", "ab", (1, 2, 3)),
        lambda: np.array(["a", "b", "c"]),
        lambda: iter("abc"),
        lambda: itertools.count(),
        lambda: ["accuracy", "b", "c"],
    ),
    "normalize": fixed("true", "pred", "all", "rows"),
    "num_classes": SIZES,
    "order": fixed(1, 2, 3, 4, 5, 2.0, "1"),
    "population": SIZES,
    "positive": fixed(0, 1, 2, -1, 1.0, "1"),
    "positive_weight": NUMBER,
    "progress": (*fixed(3, "bar"), lambda: lambda done, total: None, lambda: len),
    "quantile": NUMBER,
    "reduction": fixed("mean", "sum", "none", "average", "MEAN", ("mean",)),
    "replace": FLAGS,
    "rtol": NUMBER,
    "seed": fixed(7, "a", 1.0, np.int64(3), (1, 2)),
    "shuffle": FLAGS,
    "size": SIZES,
    "smooth": NUMBER,
    "sparsity": (
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
    ),
    "start": SIZES,
    "step": (
        *fixed(1e-3, -1e-3, 1e-320, 1e300, "x", (1e-3,) * 3, np.float32(1e-3)),
        lambda: np.full(3, 1e-3),
        lambda: np.array([1e-3, 0.0, math.nan]),
        lambda: np.full(2, 1e-3),
        lambda: np.array(1e-3),
        lambda: np.array(0.0),
        lambda: np.full(3, 1e-3, "f4"),
        lambda: np.full(3, "a"),
        lambda: {"a": 1e-3},
    ),
    "terms": FLAGS,
    "vectorized": fixed("auto", "yes", "batch"),
    "weights": fixed("linear", "quadratic", "none"),
    "workers": (*fixed(2, "two", 2.0, np.int64(2)), lambda: map),
    "zero_division": fixed(0, 1.0, math.nan, 0.5, "warn", np.float64(0)),
}
# Parameters that stand for arrays
ARRAYS = set(
    "prediction target weight class_weight variance values stratify labels x v t "
    "inputs actual desired pattern counts arrays".split()
)
CALLABLES = {"f", "grad", "hess", "jac", "vjp", "progress", "workers"}
