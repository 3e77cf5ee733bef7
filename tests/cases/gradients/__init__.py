"""Gradients that people write by hand, all right.

`CASES` holds functions ``f(xp, x)`` in the array API standard 2024.12, each with its
gradient ``grad(xp, x)`` and a point in float64; both also run in float32.
"""

from __future__ import annotations

from cases.gradients import (
    elementwise,
    geometry,
    losses,
    matrices,
    models,
    norms,
    rows,
    stencils,
)
from cases.gradients.pairs import Case as Case

CASES: tuple[Case, ...] = (
    *elementwise.CASES,
    *losses.CASES,
    *rows.CASES,
    *norms.CASES,
    *models.CASES,
    *matrices.CASES,
    *stencils.CASES,
    *geometry.CASES,
)
