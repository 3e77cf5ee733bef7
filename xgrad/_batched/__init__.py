"""The hidden batch axis: a plain function at many points at once.

The function gets one array that stands for many, `Batched`, and each operation on it
evaluates what differs from the base, and no more. `region` says where arrays differ,
`rules` what an operation does to the differences, `functions` which functions there
are, under their names in the array API standard and in NumPy.
"""

from __future__ import annotations

from xgrad._batched import functions as functions
from xgrad._batched.array import Batched, Memo, NotBatchedError, Trace, line_of
from xgrad._batched.region import Region
from xgrad._batched.rules import differences, whole

__all__ = [
    "Batched",
    "Memo",
    "NotBatchedError",
    "Region",
    "Trace",
    "differences",
    "line_of",
    "whole",
]
