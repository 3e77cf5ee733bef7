"""Columns that share no row are evaluated together: colours of a sparsity pattern.

A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian
matrices, IMA J. Appl. Math. 13 (1974). Patterns are handled on the host, once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    common_namespace,
    device_of,
    from_host,
    is_lazy,
    to_numpy,
)

# Entries that are summed in one step where many rows belong to one column.
FAN = 8


@dataclass(frozen=True, eq=False)
class Coloring:
    """A sparsity pattern and a colour for each of its columns.

    Columns of one colour share no row. Made by `color_columns`, and given as
    ``sparsity=`` as often as you like.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the pattern.
    colors : numpy.ndarray of int64, (columns,)
        The colour of each column, from 0.
    rows, columns : numpy.ndarray of int64, (entries,)
        Where the pattern is true, row by row.
    """

    shape: tuple[int, int]
    colors: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @functools.cached_property
    def num_colors(self) -> int:
        """Number of colours: evaluations are proportional to it."""
        return int(self.colors.max(initial=-1)) + 1

    @functools.cached_property
    def by_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the entries, and where each row begins: a matrix stored by rows.

        In the integers that sparse matrices take without looking at them.
        """
        counts = np.bincount(self.rows, minlength=self.shape[0])
        pointers = np.concatenate([[0], np.cumsum(counts)])
        kind = np.int32 if max(len(self.rows), *self.shape) < 2**31 else np.int64
        return self.columns.astype(kind), pointers.astype(kind)

    def __getstate__(self) -> dict[str, Any]:
        """The pattern alone; what is cached, and lies on a device, stays behind."""
        names = ("shape", "colors", "rows", "columns")
        return {name: getattr(self, name) for name in names}

    # Beside an array: on its device, made once

    @functools.cached_property
    def _placed(self) -> dict[Any, Any]:
        return {}

    def _once(self, xp: Any, like: Array, key: Any, make: Any) -> Any:
        if is_lazy(xp, like):  # what is made while JAX traces must not outlive it
            return make()
        key = (key, xp.__name__, str(device_of(like)))
        if key not in self._placed:
            self._placed[key] = make()
        return self._placed[key]

    def _in_parts(
        self, xp: Any, like: Array, name: str, start: int, stop: int, make: Any
    ) -> Any:
        """One part of the colours; those of the last division are kept.

        How the colours are divided depends on the memory there is.
        """
        parts = self._once(xp, like, (name, "in parts"), dict)
        part = parts.get((start, stop))
        if part is None:
            if start == 0:
                parts.clear()
            part = parts[start, stop] = make()
        return part

    def _is_all(self, start: int, stop: int) -> bool:
        return start == 0 and stop == self.num_colors

    def colors_like(self, xp: Any, like: Array) -> Array:
        """The colour of each column."""
        return self._once(
            xp, like, "labels", lambda: from_host(xp, self.colors, like=like)
        )

    def entries(self, xp: Any, like: Array, start: int, stop: int) -> EntryGroup:
        """The entries of the colours ``start:stop``."""

        def make() -> EntryGroup:
            rows, columns = self.rows, self.columns
            if not self._is_all(start, stop):
                which = self._entries_by_color[slice(*self._entry_ends[[start, stop]])]
                rows, columns = rows[which], columns[which]
            flat = (self.colors[columns] - start) * self.shape[0] + rows
            parts = (from_host(xp, a, like=like) for a in (flat, rows, columns))
            return EntryGroup(*parts)

        return self._in_parts(xp, like, "entries", start, stop, make)

    def sums(self, xp: Any, like: Array, start: int, stop: int) -> ColumnGroup:
        """The columns of the colours ``start:stop``, each the sum of its entries."""

        def make() -> ColumnGroup:
            columns = np.arange(self.shape[1])
            if not self._is_all(start, stop):
                ends = slice(*self._column_ends[[start, stop]])
                columns = self._columns_by_color[ends]
            # Entries of the columns, one column after the other.
            counts = self._counts[columns]
            first = np.repeat(self._column_starts[columns], counts)
            within = np.arange(len(first)) - np.repeat(
                np.cumsum(counts) - counts, counts
            )
            rows = self.rows[self._entries_by_column[first + within]]
            colors = np.repeat(self.colors[columns], counts)
            flat = (colors - start) * self.shape[0] + rows
            levels = tuple(
                tuple(from_host(xp, values, like=like) for values in level)
                for level in _tree_of_sums(flat, counts)
            )
            whole = self._is_all(start, stop)
            order = None if whole else from_host(xp, columns, like=like)
            return ColumnGroup(order, levels)

        return self._in_parts(xp, like, "sums", start, stop, make)

    def entries_in_order(self, xp: Any, like: Array) -> Array:
        """Where the entries, row by row, are found in the groups of all colours."""
        return self._once(
            xp,
            like,
            "entries in order",
            lambda: from_host(xp, _inverse(self._entries_by_color), like=like),
        )

    def columns_in_order(self, xp: Any, like: Array) -> Array:
        """Where the columns are found in the groups of all colours."""
        return self._once(
            xp,
            like,
            "columns in order",
            lambda: from_host(xp, _inverse(self._columns_by_color), like=like),
        )

    # On the host

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
    def _counts(self) -> np.ndarray:
        return np.bincount(self.columns, minlength=self.shape[1])

    @functools.cached_property
    def _column_starts(self) -> np.ndarray:
        return np.cumsum(self._counts) - self._counts


@dataclass(frozen=True)
class EntryGroup:
    """Entries of some colours; of all of them row by row, else colour by colour.

    ``flat`` says where each lies in an array ``(colours, rows)``, ``rows`` and
    ``columns`` where in the pattern.
    """

    flat: Array
    rows: Array
    columns: Array


@dataclass(frozen=True)
class ColumnGroup:
    """Columns of some colours, and how to add up the entries of each.

    ``order`` lists the columns, None where all are there in their own order.
    """

    order: Array | None
    levels: tuple[tuple[Array, ...], ...]

    def add(self, xp: Any, values: Array) -> Array:
        """Sums over the entries of each column, along the last axis.

        ``values`` has the colours and their rows there, one after the other.
        """
        if not values.shape[-1]:
            shape = (*values.shape[:-1], self.levels[-1][0].shape[-1])
            return xp.zeros(shape, dtype=values.dtype, device=device_of(values))
        for index, *valid in self.levels:
            found = xp.take(values, xp.reshape(index, (-1,)), axis=-1)
            found = xp.reshape(found, (*values.shape[:-1], *index.shape))
            if valid:
                found = xp.where(valid[0], found, 0.0)
            values = xp.sum(found, axis=-2)
        return values


def color_columns(pattern: Any, /) -> Coloring:
    """Colours of the columns of a sparsity pattern, for ``sparsity=``.

    Parameters
    ----------
    pattern : array of booleans, or sparse matrix of scipy or cupyx, (rows, columns)
        Where a derivative may differ from zero: rows are the entries of the result of
        the function in C order, columns those of its argument. Of a sparse matrix every
        stored entry counts.

    Returns
    -------
    Coloring
        To be given as ``sparsity=`` to `jacobian` and `gradient`, where it spares
        finding it again.

    Raises
    ------
    TypeError
        If ``pattern`` is neither an array of booleans nor a sparse matrix.
    ValueError
        If it has not two axes.

    Notes
    -----
    Banded patterns get colours in turn, found at once; for others each column, those
    with many entries first, takes the first colour that its rows leave free (Coleman
    and More, SIAM J. Numer. Anal. 20, 1983). Runs on the host.

    Examples
    --------
    >>> import numpy as np
    >>> color_columns(np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool)).colors
    array([0, 1, 0, 1])
    """
    return _colored("pattern", pattern)


def as_coloring(sparsity: Any) -> Coloring:
    """The colouring itself, or one of the pattern."""
    if isinstance(sparsity, Coloring):
        return sparsity
    return _colored("sparsity", sparsity)


def _colored(name: str, pattern: Any) -> Coloring:
    rows, columns, shape = _pattern(name, pattern)
    colors = _in_turn(rows, columns, shape)
    if colors is None:
        colors = _greedily(rows, columns, shape)
    for array in (colors, rows, columns):
        array.flags.writeable = False
    return Coloring(shape, colors, rows, columns)


def _pattern(name: str, pattern: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Rows and columns of the entries, row by row, and the shape."""
    if hasattr(pattern, "tocsr"):
        if len(pattern.shape) != 2:
            raise ValueError(
                f"`{name}` must have two axes, but has shape {tuple(pattern.shape)}"
            )
        return _stored(pattern.tocsr())
    xp = common_namespace(**{name: pattern})
    if not xp.isdtype(pattern.dtype, "bool"):
        raise TypeError(
            f"`{name}` must hold booleans, but its dtype is {pattern.dtype}: give "
            "for example `pattern != 0`, a sparse matrix, or what `color_columns` made"
        )
    if pattern.ndim != 2:
        raise ValueError(
            f"`{name}` must have two axes, entries of the result and of x, but has "
            f"shape {tuple(pattern.shape)}"
        )
    rows, columns = np.nonzero(to_numpy(pattern))
    return rows, columns, (int(pattern.shape[0]), int(pattern.shape[1]))


def _stored(matrix: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """The stored entries of a matrix in row order, each once."""
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    height, width = map(int, matrix.shape)
    columns, pointers = (
        (index if isinstance(index, np.ndarray) else to_numpy(index)).astype(np.int64)
        for index in (matrix.indices, matrix.indptr)
    )
    return np.repeat(np.arange(height), np.diff(pointers)), columns, (height, width)


def _in_turn(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    """Colours 0, 1, ..., c - 1, 0, 1, ... where that separates the columns of a row.

    No fewer colours exist than the longest row has entries. A regular grid needs few
    more, so few numbers are tried.
    """
    longest = int(np.bincount(rows, minlength=1).max(initial=0))
    for count in range(max(1, longest), longest + 3):
        if count * shape[0] > 16 * len(rows) + 64:
            return None
        pairs = np.bincount(rows * count + columns % count)
        if pairs.max(initial=0) <= 1:
            return np.arange(shape[1]) % count
    return None


def _greedily(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Each column, the fullest first, takes the first colour that its rows leave."""
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns, minlength=shape[1])
    ends = np.cumsum(counts)
    by_column = rows[order].tolist()
    taken = [0] * shape[0]  # the colours of each row, as the bits of an integer
    colors = np.zeros(shape[1], dtype=np.int64)
    for column in np.argsort(-counts, kind="stable").tolist():
        mine = by_column[ends[column] - counts[column] : ends[column]]
        used = 0
        for row in mine:
            used |= taken[row]
        bit = ~used & (used + 1)
        for row in mine:
            taken[row] |= bit
        colors[column] = bit.bit_length() - 1
    return colors


def _tree_of_sums(flat: np.ndarray, counts: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """How to add up runs of numbers that lie at ``flat``, at most `FAN` at a time.

    Each level is an index ``(numbers, sums)`` into the results of the level before,
    with a mask where some sums have fewer numbers. Needs nothing but `take` and `sum`.
    """
    levels: list[tuple[np.ndarray, ...]] = []
    while True:
        parts = np.maximum(1, -(-counts // FAN))  # sums that each run is split into
        run = np.repeat(np.arange(len(counts)), parts)
        place = np.arange(len(run)) - np.repeat(np.cumsum(parts) - parts, parts)
        starts = (np.cumsum(counts) - counts)[run] + place * FAN
        sizes = np.minimum(FAN, counts[run] - place * FAN)
        width = max(1, int(sizes.max(initial=1)))
        numbers = np.arange(width)[:, None]
        valid = numbers < sizes
        index = np.where(valid, starts + numbers, 0)
        if not levels:
            index = flat[index] if len(flat) else index
        levels.append((index,) if valid.all() else (index, valid))
        if (parts == 1).all():
            return levels
        counts = parts


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
