"""Numba: cross entropies of rows of few classes, whose maxima are not looked for.

``exp(x)`` and its sum over a row have full precision as they are, while nothing
overflows or vanishes. Entries of a tile of rows are then neighbours in memory, whatever
row they belong to, and fill the registers of the CPU. Sums tell if that is not true.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._kernels.numba_compile import inlined
from xgrad._kernels.numba_math import add, lifted_exp, minus_log_share

# Entries of a row that are added up side by side (four registers of AVX2 in float32),
# and those that are multiplied. Up to the length SHORT a row is added up one by one,
# and below SHORTEST, for which LLVM has no unrolled loop, with three other rows. These
# were set by trial, on AVX2 and AVX-512.
LANES, FEW_LANES, SHORT, SHORTEST = 32, 16, 16, 8


@inlined
def losses_of_tile(
    x: Any,
    labels: Any,
    first: int,
    rows: int,
    limits: Any,
    weights: Any,
    of_label: Any,
    others: Any,
    loss: Any,
    factor: Any,
    slope: Any,
) -> bool:
    """Compute the losses of some rows; return whether they are precise.

    ``weights`` gets `lifted_exp`, with 0 for the label, and ``others`` their sums. If a
    slope is wanted, ``factor`` is divided by the sum of all. ``limits`` are the largest
    entry, the least and the largest sum of a row, the least probability of its label,
    and the least factor.
    """
    classes = x.shape[1]
    largest, least_sum, largest_sum, least_share, least_factor = limits
    entries, start = x.reshape(-1), np.uintp(first * classes)
    for i in range(rows * classes):
        value = entries[start + np.uintp(i)]
        # Larger ones, and nan, make the sum too large.
        weights[i] = lifted_exp(value if value < largest else largest)
    for r in range(rows):
        at = np.uintp(r * classes) + np.uintp(labels[first + r])
        of_label[r] = weights[at]
        weights[at] = 0
    sum_rows(weights, rows, classes, others)
    is_precise = True
    for r in range(rows):
        total = others[r] + of_label[r]
        is_precise &= (total >= least_sum) & (total <= largest_sum)
        is_precise &= of_label[r] >= least_share * total
        loss[r] = minus_log_share(of_label[r], others[r])
    if slope is None:
        return is_precise
    for r in range(rows):
        by = factor[r] / (others[r] + of_label[r])
        is_precise &= (abs(by) >= least_factor) | (factor[r] == 0)
        factor[r] = by
    return is_precise


@inlined
def sum_rows(values: Any, rows: int, classes: int, sums: Any) -> None:
    """Compute the sum of each row, in as many accumulators as fit into a row."""
    full = rows - rows % 4 if classes < SHORTEST else 0
    if full > 0:
        width = np.uintp(classes)
        for r in range(0, full, 4):
            a = b = c = d = values.dtype.type(0)
            at = np.uintp(r) * width
            for i in range(at, at + width):
                a += values[i]
                b += values[i + width]
                c += values[i + width + width]
                d += values[i + width + width + width]
            sums[r], sums[r + 1], sums[r + 2], sums[r + 3] = a, b, c, d
    if classes <= SHORT:
        for r in range(full, rows):
            total = values.dtype.type(0)
            for c in range(classes):
                total += values[np.uintp(r * classes) + np.uintp(c)]
            sums[r] = total
        return
    lanes = min(LANES, classes)
    for r in range(rows):
        total = values.dtype.type(0)
        for begin in range(0, classes - lanes + 1, lanes):
            for lane in range(lanes):
                at = np.uintp(r * classes + begin) + np.uintp(lane)
                total = add(total, values[at])
        for c in range(classes - classes % lanes, classes):
            total += values[np.uintp(r * classes) + np.uintp(c)]
        sums[r] = total


@inlined
def slopes_of_tile(
    weights: Any,
    labels: Any,
    first: int,
    rows: int,
    others: Any,
    factor: Any,
    slope: Any,
) -> None:
    """Compute slopes from the results of `losses_of_tile`, which do not overflow."""
    classes = slope.shape[1]
    out = slope.reshape(-1)
    lanes = min(FEW_LANES, classes)
    for r in range(rows):
        by, row = factor[r], np.uintp(r * classes)
        to = np.uintp((first + r) * classes)
        # Whole registers; the last ones are the last of the row, which overlap others.
        for begin in range(0, classes, lanes):
            at = np.uintp(min(begin, classes - lanes))
            for lane in range(lanes):
                i = at + np.uintp(lane)
                out[to + i] = weights[row + i] * by
        # The probability of the label less 1 is that of the others.
        out[to + np.uintp(labels[first + r])] = -others[r] * by
