"""How people write functions of one array: what the tests of batching try.

`IDIOMS` holds functions ``f(x)`` of NumPy arrays, and portable functions ``f(xp, x)``
in the array API standard 2024.12. All are smooth at `point`, some constant.
"""

from __future__ import annotations

from pathlib import Path

from cases.idioms import (
    along,
    assignments,
    branches,
    captured,
    choices,
    decompositions,
    elementwise,
    indexing,
    loops,
    memory,
    numerics,
    operators,
    packages,
    portable,
    portable_programs,
    products,
    reductions,
    shapes,
    ufuncs,
)
from cases.idioms.base import C as C
from cases.idioms.base import Idiom as Idiom
from cases.idioms.base import point as point

IDIOMS: tuple[Idiom, ...] = (
    *elementwise.IDIOMS,
    *operators.IDIOMS,
    *reductions.IDIOMS,
    *products.IDIOMS,
    *decompositions.IDIOMS,
    *shapes.IDIOMS,
    *indexing.IDIOMS,
    *choices.IDIOMS,
    *along.IDIOMS,
    *loops.IDIOMS,
    *memory.IDIOMS,
    *assignments.IDIOMS,
    *ufuncs.IDIOMS,
    *numerics.IDIOMS,
    *captured.IDIOMS,
    *branches.IDIOMS,
    *packages.IDIOMS,
    *portable.IDIOMS,
    *portable_programs.IDIOMS,
)
# Names of the files that idioms stand in, which warnings tell.
FILES = sorted(path.name for path in Path(__file__).parent.glob("*.py"))
