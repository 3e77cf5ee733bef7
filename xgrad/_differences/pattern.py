"""Colour a sparsity pattern: read it, and find few colours. On the host, once."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import common_namespace, to_numpy
from xgrad._differences.coloring import Coloring

# Numbers of colours in turn that are tried: the longest row, and two more. Set by
# trial: a regular grid needs few more, and each costs one pass over the entries.
CYCLES_TRIED = 3
# The trial takes a number for each row and colour. Patterns of a few long rows would
# need far more than they have entries; the second number lets small ones pass at any
# ratio. Both set by trial; they concern speed and memory alone.
NUMBERS_PER_ENTRY = 16
SMALL = 64


def color_columns(pattern: Any, /) -> Coloring:
    """Colour the columns of a sparsity pattern, for ``sparsity=``.

    Parameters
    ----------
    pattern : array of booleans, or sparse matrix of scipy or cupyx, (rows, columns)
        True where a derivative may differ from zero: rows are the entries of the result
        of the function in C order, columns those of its argument. Of a sparse matrix
        every stored entry counts.

    Returns
    -------
    Coloring
        To be given as ``sparsity=`` to `jacobian` and `gradient`, which then need not
        find it again.

    Raises
    ------
    TypeError
        If ``pattern`` is neither an array of booleans nor a sparse matrix.
    ValueError
        If it does not have two axes.

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
    return _color("pattern", pattern)


def as_coloring(sparsity: Any) -> Coloring:
    """Return the colouring itself, or the one of a pattern."""
    if isinstance(sparsity, Coloring):
        return sparsity
    return _color("sparsity", sparsity)


def _color(name: str, pattern: Any) -> Coloring:
    """Colour the pattern that an argument of this name holds."""
    rows, columns, shape = _read_pattern(name, pattern)
    colors = _cyclic_colors(rows, columns, shape)
    if colors is None:
        colors = _greedy_colors(rows, columns, shape)
    for array in (colors, rows, columns):
        array.flags.writeable = False
    return Coloring(shape, colors, rows, columns)


def _read_pattern(
    name: str, pattern: Any
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the rows and columns of the entries, row by row, and the shape."""
    if hasattr(pattern, "tocsr"):
        if len(pattern.shape) != 2:
            raise ValueError(
                f"`{name}` must have two axes, for the entries of the result and of x, "
                f"but has shape {tuple(pattern.shape)}"
            )
        return _read_sparse(pattern.tocsr())
    xp = common_namespace(**{name: pattern})
    if not xp.isdtype(pattern.dtype, "bool"):
        raise TypeError(
            f"`{name}` must hold booleans, but its dtype is {pattern.dtype}: pass "
            f"`{name} != 0`, true where an entry of the result depends on one of x"
        )
    if pattern.ndim != 2:
        raise ValueError(
            f"`{name}` must have two axes, for the entries of the result and of x, "
            f"but has shape {tuple(pattern.shape)}"
        )
    rows, columns = np.nonzero(to_numpy(pattern))
    return rows, columns, (int(pattern.shape[0]), int(pattern.shape[1]))


def _read_sparse(matrix: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the stored entries of a matrix row by row, each once, and its shape."""
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    height, width = map(int, matrix.shape)
    columns, pointers = (
        (index if isinstance(index, np.ndarray) else to_numpy(index)).astype(np.int64)
        for index in (matrix.indices, matrix.indptr)
    )
    return np.repeat(np.arange(height), np.diff(pointers)), columns, (height, width)


def _cyclic_colors(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    """Return colours 0, 1, ..., c - 1, 0, 1, ... if they separate the columns of rows.

    No fewer colours exist than the longest row has entries. A regular grid needs few
    more, so that few numbers are tried.
    """
    longest = int(np.bincount(rows, minlength=1).max(initial=0))
    for count in range(max(1, longest), longest + CYCLES_TRIED):
        if count * shape[0] > NUMBERS_PER_ENTRY * len(rows) + SMALL:
            return None
        pairs = np.bincount(rows * count + columns % count)
        if pairs.max(initial=0) <= 1:
            return np.arange(shape[1]) % count
    return None


def _greedy_colors(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Give each column, the fullest first, the first colour free in its rows."""
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns, minlength=shape[1])
    ends = np.cumsum(counts)
    by_column = rows[order].tolist()
    taken = [0] * shape[0]  # the colours of each row, as the bits of an integer
    colors = np.zeros(shape[1], dtype=np.int64)
    for column in np.argsort(-counts, kind="stable").tolist():
        own_rows = by_column[ends[column] - counts[column] : ends[column]]
        used = 0
        for row in own_rows:
            used |= taken[row]
        bit = ~used & (used + 1)
        for row in own_rows:
            taken[row] |= bit
        colors[column] = bit.bit_length() - 1
    return colors
