"""The hidden batch axis: a plain function is evaluated at many points at once.

The function gets one array that stands for many, `Batched`. Each operation on it is
evaluated once at the base, and again only for the entries that differ from it. In
reading order:

`region` says which entries differ, and `unions` puts two such regions together;
`recording` remembers one evaluation; `array` is the stand-in that the function sees.
`operands`, `alignment`, `linear`, `elementwise`, `everywhere`, `layout`, `gather`,
`slices`, `fibres` and `contractions` are the primitives in which the functions of
`_tracing` are written: they compute with regions. `overrides` are functions that have a
better way than these; `trace` puts all of them together; and `directions` makes arrays
whose differences are unit vectors.
"""

from __future__ import annotations

from xgrad._batched.array import Batched as Batched
from xgrad._batched.directions import Entries as Entries
from xgrad._batched.directions import directions as directions
from xgrad._batched.directions import entries_at_points as entries_at_points
from xgrad._batched.directions import unit_directions as unit_directions
from xgrad._batched.everywhere import all_differences as all_differences
from xgrad._batched.everywhere import all_values as all_values
from xgrad._batched.recording import Memo as Memo
from xgrad._batched.region import Region as Region
from xgrad._batched.trace import Trace as Trace
