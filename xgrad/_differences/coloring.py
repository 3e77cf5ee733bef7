"""The colouring of a sparsity pattern: columns of one colour share no row.

They are evaluated together. A. R. Curtis, M. J. D. Powell and J. K. Reid, On the
estimation of sparse Jacobian matrices, IMA J. Appl. Math. 13 (1974).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import Array, device_of, from_host, is_lazy
from xgrad._differences.color_groups import ColumnGroup, EntryGroup, tree_of_sums


@dataclass(frozen=True, eq=False, repr=False)
class Coloring:
    """A sparsity pattern and a colour for each of its columns.

    Columns of one colour share no row. `color_columns` makes it, and it may be given as
    ``sparsity=`` as often as you like.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the pattern.
    colors : numpy.ndarray of int64, (columns,)
        The colour of each column, from 0.
    rows, columns : numpy.ndarray of int64, (entries,)
        Positions at which the pattern is true, row by row.
    """

    shape: tuple[int, int]
    colors: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"<Coloring {rows:,} x {columns:,}; entries: {len(self.rows):,}; "
            f"colours: {self.num_colors:,}>"
        )

    @functools.cached_property
    def num_colors(self) -> int:
        """Number of colours, to which the number of evaluations is proportional."""
        return int(self.colors.max(initial=-1)) + 1

    @functools.cached_property
    def by_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the entries, and the first entry of each row, as CSR stores them.

        Their dtype is the one to which sparse matrices would otherwise convert them.
        """
        counts = np.bincount(self.rows, minlength=self.shape[0])
        pointers = np.concatenate([[0], np.cumsum(counts)])
        # Sparse matrices of SciPy take 32 bits as long as no index needs more.
        dtype = np.int32 if max(len(self.rows), *self.shape) < 2**31 else np.int64
        return self.columns.astype(dtype), pointers.astype(dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Return the pattern alone, without what is cached and may lie on a device."""
        names = ("shape", "colors", "rows", "columns")
        return {name: getattr(self, name) for name in names}

    @functools.cached_property
    def _on_devices(self) -> dict[Any, Any]:
        return {}

    def _once(self, xp: Any, like: Array, key: Any, make: Any) -> Any:
        """Return what ``make`` returns, made once for the device of an array."""
        if is_lazy(xp, like):  # what is made while JAX traces must not outlive it
            return make()
        key = (key, xp.__name__, str(device_of(like)))
        if key not in self._on_devices:
            self._on_devices[key] = make()
        return self._on_devices[key]

    def _once_for_range(
        self, xp: Any, like: Array, name: str, start: int, stop: int, make: Any
    ) -> Any:
        """Return what ``make`` returns for a range of the colours, made once.

        The colours are divided as memory allows, and only the ranges of the last
        division are stored.
        """
        ranges = self._once(xp, like, (name, "by range"), dict)
        group = ranges.get((start, stop))
        if group is None:
            if start == 0:
                ranges.clear()
            group = ranges[start, stop] = make()
        return group

    def _is_all(self, start: int, stop: int) -> bool:
        return start == 0 and stop == self.num_colors

    def colors_like(self, xp: Any, like: Array) -> Array:
        """Return the colour of each column, on the device of an array."""
        return self._once(
            xp, like, "colors", lambda: from_host(xp, self.colors, like=like)
        )

    def entry_group(self, xp: Any, like: Array, start: int, stop: int) -> EntryGroup:
        """Return the entries of the colours ``start:stop``."""

        def make() -> EntryGroup:
            rows, columns = self.rows, self.columns
            if not self._is_all(start, stop):
                ends = slice(*self._entry_ends[[start, stop]])
                entries = self._entries_by_color[ends]
                rows, columns = rows[entries], columns[entries]
            flat = (self.colors[columns] - start) * self.shape[0] + rows
            indices = (from_host(xp, a, like=like) for a in (flat, rows, columns))
            return EntryGroup(*indices)

        return self._once_for_range(xp, like, "entries", start, stop, make)

    def column_group(self, xp: Any, like: Array, start: int, stop: int) -> ColumnGroup:
        """Return the columns of the colours ``start:stop``, each a sum of entries."""

        def make() -> ColumnGroup:
            columns = np.arange(self.shape[1])
            if not self._is_all(start, stop):
                ends = slice(*self._column_ends[[start, stop]])
                columns = self._columns_by_color[ends]
            # Entries of the columns, one column after the other.
            counts = self._entry_counts[columns]
            first = np.repeat(self._column_starts[columns], counts)
            within = np.arange(len(first)) - np.repeat(
                np.cumsum(counts) - counts, counts
            )
            rows = self.rows[self._entries_by_column[first + within]]
            colors = np.repeat(self.colors[columns], counts)
            flat = (colors - start) * self.shape[0] + rows
            levels = tuple(
                tuple(from_host(xp, values, like=like) for values in level)
                for level in tree_of_sums(flat, counts)
            )
            is_all = self._is_all(start, stop)
            order = None if is_all else from_host(xp, columns, like=like)
            return ColumnGroup(order, levels)

        return self._once_for_range(xp, like, "columns", start, stop, make)

    def entry_positions(self, xp: Any, like: Array) -> Array:
        """Return the position of each entry, row by row, in the joined groups."""
        return self._once(
            xp,
            like,
            "entry positions",
            lambda: from_host(xp, _inverse(self._entries_by_color), like=like),
        )

    def column_positions(self, xp: Any, like: Array) -> Array:
        """Return the position of each column in the joined groups."""
        return self._once(
            xp,
            like,
            "column positions",
            lambda: from_host(xp, _inverse(self._columns_by_color), like=like),
        )

    @functools.cached_property
    def _columns_by_color(self) -> np.ndarray:
        return np.argsort(self.colors, kind="stable")

    @functools.cached_property
    def _column_ends(self) -> np.ndarray:
        counts = np.bincount(self.colors, minlength=self.num_colors)
        return np.concatenate([[0], np.cumsum(counts)])

    @functools.cached_property
    def _entries_by_color(self) -> np.ndarray:
        return np.argsort(self.colors[self.columns], kind="stable")

    @functools.cached_property
    def _entry_ends(self) -> np.ndarray:
        counts = np.bincount(self.colors[self.columns], minlength=self.num_colors)
        return np.concatenate([[0], np.cumsum(counts)])

    @functools.cached_property
    def _entries_by_column(self) -> np.ndarray:
        return np.argsort(self.columns, kind="stable")

    @functools.cached_property
    def _entry_counts(self) -> np.ndarray:
        return np.bincount(self.columns, minlength=self.shape[1])

    @functools.cached_property
    def _column_starts(self) -> np.ndarray:
        return np.cumsum(self._entry_counts) - self._entry_counts


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
