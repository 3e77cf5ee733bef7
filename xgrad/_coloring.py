"""Columns that share no row are evaluated together: colours of a sparsity pattern.

A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian
matrices, IMA J. Appl. Math. 13 (1974). Patterns are handled on the host, once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._array import Array, common_namespace, device_of, from_host
from xgrad._backends import to_numpy

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
        Where the pattern is true, in the order of colours, then columns, then rows.
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
    def order(self) -> np.ndarray:
        """Columns sorted by their colour."""
        return np.argsort(self.colors, kind="stable")

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        """For each colour the number of columns before it, and the end."""
        return np.searchsorted(self.colors[self.order], np.arange(self.num_colors + 1))

    @functools.cached_property
    def _entry_starts(self) -> np.ndarray:
        """For each colour the number of entries before it, and the end."""
        colors = self.colors[self.columns]
        return np.searchsorted(colors, np.arange(self.num_colors + 1))

    @functools.cached_property
    def _cache(self) -> dict[Any, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """The pattern alone; what lies on a device stays behind."""
        return {
            name: getattr(self, name) for name in ("shape", "colors", "rows", "columns")
        }

    def labels(self, xp: Any, like: Array) -> Array:
        """The colours beside another array."""
        return self._placed("labels", xp, like, lambda: self.colors)

    def group(self, xp: Any, like: Array, start: int, stop: int) -> Group:
        """Where the entries of the colours ``start:stop`` lie."""
        key = ("group", id(xp), str(device_of(like)), start, stop)
        if key not in self._cache:
            self._cache[key] = self._group(xp, like, start, stop)
        return self._cache[key]

    def _group(self, xp: Any, like: Array, start: int, stop: int) -> Group:
        first, last = self._entry_starts[[start, stop]]
        rows, columns = self.rows[first:last], self.columns[first:last]
        order = self.order[self._starts[start] : self._starts[stop]]
        flat = (self.colors[columns] - start) * self.shape[0] + rows
        counts = np.bincount(columns, minlength=self.shape[1])[order]
        sums = tuple(
            tuple(from_host(xp, values, like=like) for values in level)
            for level in _tree_of_sums(counts)
        )
        placed = (
            from_host(xp, values, like=like) for values in (flat, rows, columns, order)
        )
        return Group(*placed, sums)

    def unsort_columns(self, xp: Any, like: Array) -> Array:
        """Where each column is found in the order of colours."""
        return self._placed("columns", xp, like, lambda: _inverse(self.order))

    def unsort_entries(self, xp: Any, like: Array) -> Array:
        """Which entry comes next in a matrix stored by rows."""
        return self._placed("entries", xp, like, lambda: self._by_rows)

    @functools.cached_property
    def _by_rows(self) -> np.ndarray:
        return np.lexsort((self.columns, self.rows))

    @functools.cached_property
    def compressed_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Column indices and row pointers of a matrix stored by rows."""
        counts = np.bincount(self.rows, minlength=self.shape[0])
        pointers = np.concatenate([[0], np.cumsum(counts)])
        kind = np.int32 if len(self.rows) < 2**31 else np.int64
        return self.columns[self._by_rows].astype(kind), pointers.astype(kind)

    def _placed(self, name: str, xp: Any, like: Array, make: Any) -> Array:
        key = (name, id(xp), str(device_of(like)))
        if key not in self._cache:
            self._cache[key] = from_host(xp, make(), like=like)
        return self._cache[key]


@dataclass(frozen=True)
class Group:
    """The entries of some colours, on the device.

    ``flat`` says where each lies in an array ``(colours, rows)``, ``rows`` and
    ``columns`` to which of the pattern it belongs, ``order`` lists the columns, and
    ``sums`` how the entries of each column are added up.
    """

    flat: Array
    rows: Array
    columns: Array
    order: Array
    sums: tuple[tuple[Array, ...], ...]

    def add(self, xp: Any, entries: Array) -> Array:
        """The sum of the entries of each column."""
        for index, *valid in self.sums:
            found = xp.take(entries, xp.reshape(index, (-1,)), axis=0)
            found = xp.reshape(found, index.shape)
            if valid:
                found = xp.where(valid[0], found, 0.0)
            entries = xp.sum(found, axis=0)
        return entries


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
    rows, columns, shape = _pattern(pattern)
    colors = _in_turn(rows, columns, shape)
    if colors is None:
        colors = _greedily(rows, columns, shape)
    order = np.lexsort((rows, columns, colors[columns]))
    return Coloring(shape, colors, rows[order], columns[order])


def as_coloring(sparsity: Any) -> Coloring:
    """The colouring itself, or one of the pattern."""
    return sparsity if isinstance(sparsity, Coloring) else color_columns(sparsity)


def _pattern(pattern: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Rows and columns of the entries, each once, and the shape."""
    if hasattr(pattern, "tocoo") and hasattr(pattern, "nnz"):
        found = pattern.tocoo()
        shape = tuple(map(int, found.shape))
        if len(shape) != 2:
            raise ValueError(f"`sparsity` must have two axes, but has shape {shape}")
        rows, columns = (
            to_numpy(index).astype(np.int64) for index in (found.row, found.col)
        )
        unique = np.unique(rows * max(1, shape[1]) + columns)
        rows, columns = np.divmod(unique, max(1, shape[1]))
        return rows, columns, (shape[0], shape[1])
    xp = common_namespace(sparsity=pattern)
    if not xp.isdtype(pattern.dtype, "bool"):
        raise TypeError(
            f"`sparsity` must hold booleans, but its dtype is {pattern.dtype}: give "
            "for example `pattern != 0`, a sparse matrix, or what `color_columns` made"
        )
    if pattern.ndim != 2:
        raise ValueError(
            f"`sparsity` must have two axes, entries of the result and of x, but has "
            f"shape {tuple(pattern.shape)}"
        )
    rows, columns = np.nonzero(to_numpy(pattern))
    return rows, columns, (int(pattern.shape[0]), int(pattern.shape[1]))


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
    order = np.lexsort((rows, columns))
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


def _tree_of_sums(counts: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """How to add up consecutive runs of entries, at most `FAN` numbers at a time.

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
        levels.append((index,) if valid.all() else (index, valid))
        if (parts == 1).all():
            return levels
        counts = parts


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
