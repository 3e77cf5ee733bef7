"""Odd values that any parameter may be given."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import array_api_strict as strict
import numpy as np


def endless() -> list[Any]:
    """Make a list that holds itself."""
    endless_list: list[Any] = []
    endless_list.append(endless_list)
    return endless_list


ODD: tuple[Callable[[], Any], ...] = (
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
)
