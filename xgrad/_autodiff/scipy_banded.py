"""Equations with banded matrices, as `scipy.linalg` solves them, for stand-ins.

A matrix is given by its diagonals, one in each row, from the highest to the lowest:
``ab[u + i - j, j] = a[i, j]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._autodiff.custom import custom_vjp


def solve_banded(l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    """Return the solution of equations with ``l`` diagonals below, and ``u`` above."""
    return _solution(l_and_u, ab, b)


def _solve(l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    import scipy.linalg

    return scipy.linalg.solve_banded(l_and_u, ab, b)


def _solve_back(l_and_u: tuple[int, int], ab: Any, b: Any, slope: Any) -> Any:
    """Return the slopes of the matrix and of the right side."""
    (low, high), count = l_and_u, ab.shape[1]
    solution = solve_banded(l_and_u, ab, b)
    of_b = solve_banded((high, low), _transposed(l_and_u, ab), slope)
    products = of_b.reshape(count, -1), solution.reshape(count, -1)
    rows = []
    for offset in range(-high, low + 1):  # row minus column
        first, last = max(0, -offset), min(count, count - offset)
        left = products[0][first + offset : last + offset]
        row = -np.sum(left * products[1][first:last], axis=1)
        rows.append(np.pad(row, (first, count - last)))
    return None, np.stack(rows), of_b


_solution = custom_vjp(_solve, _solve_back)


def _transposed(l_and_u: tuple[int, int], ab: Any) -> Any:
    """Return the diagonals of the transposed matrix."""
    (low, high), count = l_and_u, ab.shape[1]
    rows = []
    for offset in range(low, -high - 1, -1):  # column minus row, of the result
        first, last = max(0, offset), min(count, count + offset)
        row = ab[high + offset, first - offset : last - offset]
        rows.append(np.pad(row, (first, count - last)))
    return np.stack(rows)
