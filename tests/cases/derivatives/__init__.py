"""Cases of every rule of differentiation, at points where the functions are smooth."""

from __future__ import annotations

from cases.derivatives.base import Case as Case
from cases.derivatives.entries import entry_cases as entry_cases
from cases.derivatives.fibres import FIBRE_CASES as FIBRE_CASES
from cases.derivatives.matrices import MATRIX_CASES as MATRIX_CASES
from cases.derivatives.moves import MOVE_CASES as MOVE_CASES
from cases.derivatives.transforms import TRANSFORM_CASES as TRANSFORM_CASES
