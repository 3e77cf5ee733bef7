"""The hidden batch axis: a plain function is evaluated at many points at once.

The function gets one array that stands for many, `Batched`. Each operation on it is
evaluated once at the base, and again only for the entries that differ from it. In
reading order:

`region` says which entries differ, and `unions` puts two such regions together; `trace`
remembers one evaluation; `array` is the stand-in that the function sees. `operands`,
`alignment`, `linear`, `elementwise`, `everywhere`, `layout`, `gather`, `slices`,
`fibres` and `contractions` are the primitives: they compute with regions. `names`
registers functions under their names in the array API standard and in NumPy;
`protocols`, `elements`, `indexing`, `shapes`, `rearranging`, `joining`, `reductions`,
`statistics`, `scans`, `numerics`, `products`, `einsum` and `linalg` are these
functions, written in primitives and in one another.
"""

from __future__ import annotations

from xgrad._batched import einsum as einsum
from xgrad._batched import elements as elements
from xgrad._batched import indexing as indexing
from xgrad._batched import joining as joining
from xgrad._batched import linalg as linalg
from xgrad._batched import numerics as numerics
from xgrad._batched import products as products
from xgrad._batched import protocols as protocols
from xgrad._batched import rearranging as rearranging
from xgrad._batched import reductions as reductions
from xgrad._batched import scans as scans
from xgrad._batched import shapes as shapes
from xgrad._batched import statistics as statistics
from xgrad._batched.array import Batched, handled
from xgrad._batched.everywhere import all_differences, all_values
from xgrad._batched.region import Region
from xgrad._batched.trace import (
    PACKAGE,
    Memo,
    NotBatchedError,
    Trace,
    describe_line,
    is_library,
)

__all__ = [
    "PACKAGE",
    "Batched",
    "Memo",
    "NotBatchedError",
    "Region",
    "Trace",
    "all_differences",
    "all_values",
    "describe_line",
    "handled",
    "is_library",
]
