"""Tell which values suit a step, and choose one of their axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cases.programs.interpreter import MOST_AXES, MOST_ENTRIES
from cases.programs.sketch import Sketch


def can_broadcast(a: Any, b: Any) -> bool:
    """Tell whether two values broadcast, to few enough entries."""
    try:
        return math.prod(np.broadcast_shapes(a.shape, b.shape)) <= MOST_ENTRIES
    except ValueError:
        return False


def has_axis(a: Any) -> bool:
    return a.ndim > 0


def is_small(a: Any) -> bool:
    return a.size <= MOST_ENTRIES // 4 and a.ndim < MOST_AXES


def draw_axis(s: Sketch, a: Any) -> int:
    return s.one_of([*range(a.ndim), -1])
