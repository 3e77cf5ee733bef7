"""Draw random programs: each proposal adds a step to a sketch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from cases.programs.interpreter import SHAPES, Program
from cases.programs.proposals import PROPOSALS
from cases.programs.sketch import NothingFits, Sketch


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """Draw programs of 1 to 12 steps, with a scaling after those that need it."""
    seed = draw(st.integers(0, 999))
    sketch = Sketch(draw, draw(st.sampled_from(SHAPES)), seed)
    count = draw(st.integers(1, 12))
    for _ in range(2 * count):  # not every operation fits every value
        if len(sketch.steps) >= count:
            break
        with contextlib.suppress(NothingFits):
            sketch.add(sketch.one_of(PROPOSALS)(sketch))
    assume(sketch.steps)
    return Program(sketch.shape, seed, tuple(sketch.steps), draw(st.booleans()))
