"""The hidden batch axis: a plain function at many points at once.

The function gets one array that stands for many, `Batched`, and each operation on it
evaluates what differs from the base, and no more. `region` says where arrays differ;
`rules`, `moving`, `slicing` and `folding` what operations do to the differences; the
other modules which functions there are, under their names in the array API standard
and in NumPy.
"""

from __future__ import annotations

from xgrad._batched import elements as elements
from xgrad._batched import indexing as indexing
from xgrad._batched import linalg as linalg
from xgrad._batched import moves as moves
from xgrad._batched import products as products
from xgrad._batched import reductions as reductions
from xgrad._batched import scans as scans
from xgrad._batched import shapes as shapes
from xgrad._batched.array import Batched
from xgrad._batched.region import Region
from xgrad._batched.rules import differences, whole
from xgrad._batched.trace import (
    PACKAGE,
    Memo,
    NotBatchedError,
    Trace,
    is_library,
    line_of,
)

__all__ = [
    "PACKAGE",
    "Batched",
    "Memo",
    "NotBatchedError",
    "Region",
    "Trace",
    "differences",
    "is_library",
    "line_of",
    "whole",
]
