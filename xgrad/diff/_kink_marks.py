"""Marks of corners between the entries of f(x) and those of a leaf of x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class KinkMarks:
    """Marks between rows, the entries of f(x), and columns, those of a leaf.

    A row is marked at a column by the ``table``; or, everywhere, by its mark among
    ``rows`` or that of the column. With ``is_diagonal`` rows and columns are the same
    entries, each of which has to do with itself alone. No array here is larger than the
    table.
    """

    columns: np.ndarray
    rows: np.ndarray | None = None
    table: np.ndarray | None = None
    is_diagonal: bool = False

    def at(self, row: Any, column: Any) -> Any:
        """Return the marks at pairs of a row and a column, which are broadcast."""
        marks = self.columns[column]
        if self.rows is not None:
            marks = marks | self.rows[row]
        if self.table is not None:
            marks = marks | self.table[row, column]
        return marks & (row == column) if self.is_diagonal else marks

    def along(self, moved: np.ndarray, count: int) -> np.ndarray:
        """Return the marks of ``count`` rows, of which some columns move."""
        if self.is_diagonal:
            return self.columns & moved
        marks = np.full(count, (self.columns & moved).any())
        if self.rows is not None:
            marks = marks | self.rows
        if self.table is not None:
            marks = marks | (self.table & moved).any(axis=1)
        return marks

    def dense(self, count: int) -> np.ndarray:
        """Return the marks of ``count`` rows and all columns."""
        numbers = np.arange(len(self.columns))
        marks: np.ndarray = self.at(np.arange(count)[:, None], numbers[None, :])
        return marks
