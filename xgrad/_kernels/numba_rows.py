"""Numba: softmax and cross entropies of rows of classes, a tile of rows at a time.

A row is read twice: for its largest entry, and from the cache for the exponentials,
while the next row is on its way from the memory. Exponentials are added in groups,
whose sums are added in float64. Tiles do not depend on each
other, so that any number of threads gives the same results.

All arrays are contiguous; those that are not wanted are None. ``sums`` gets the sum of
the losses of each tile, ``scale`` and the weight of a row are factors of its slope, and
``begin`` and ``end`` are numbers of tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgrad._arrays import CLOSE_TO_ONE
from xgrad._kernels.numba_compile import compiled, inlined
from xgrad._kernels.numba_flat import losses_of_tile, slopes_of_tile, sum_rows
from xgrad._kernels.numba_math import (
    add,
    exp,
    larger,
    lifted_exp,
    log,
    log1p,
    prefetch,
)

# Rows of a tile. Those of 10 float32 classes take 10 KB, a third of a usual L1 cache.
TILE = 256
# Up to this length entries of many rows are computed side by side. Longer rows fill the
# registers by themselves. Set by trial on AVX2 and AVX-512.
FEW = 64
# Up to this length maxima of logits are not looked for. Set by trial: the weights of a
# tile then leave the cache.
FLAT = 384
# Entries that are added in the dtype of the row, and so many of them one after another:
# a compiled loop over the entries of a row has at least 32 accumulators (4 registers of
# AVX2), so that 256 are as exact as the 8 of a loop over rows.
GROUP, PLAIN_GROUP = 256, 8
# Entries that a compiled loop takes at once at most (4 registers of AVX-512). It takes
# those that are left one by one, which is many times slower.
LANES = 64
# Bytes of a usual cache line.
LINE = 64


@compiled
def cross_entropies_of_logits(
    x: Any,
    labels: Any,
    weight: Any,
    losses: Any,
    slope: Any,
    sums: Any,
    scale: Any,
    limits: Any,
    begin: int,
    end: int,
) -> bool:
    """Compute losses and slopes of logits; return whether all labels are in range.

    ``limits`` are those of `losses_of_tile`.
    """
    classes = x.shape[1]
    is_flat = classes <= FLAT
    # One array each: LLVM does not tell rows of one apart, and computes one by one.
    top, factor = np.empty(TILE, x.dtype), np.empty(TILE, x.dtype)
    loss, others = np.empty(TILE, x.dtype), np.empty(TILE, x.dtype)
    of_label = np.empty(TILE, x.dtype)
    total = np.empty(TILE, np.float64)
    weights = np.empty(TILE * classes if is_flat else 0, x.dtype)
    turned = np.empty((min(classes, FEW), TILE), x.dtype)
    for tile in range(begin, end):
        first = tile * TILE
        rows = min(TILE, len(x) - first)
        if not _are_in_range(labels, first, rows, classes):
            return False
        _weigh(factor, scale, weight, first, rows)
        if is_flat and losses_of_tile(
            x,
            labels,
            first,
            rows,
            limits,
            weights,
            of_label,
            others,
            loss,
            factor,
            slope,
        ):
            if slope is not None:
                slopes_of_tile(weights, labels, first, rows, others, factor, slope)
        else:
            _weigh(factor, scale, weight, first, rows)
            _softmax(x, slope, first, rows, turned, top, total, factor)
            _log_sums(x, first, rows, turned, top, total, others, loss)
            for r in range(rows):
                label = labels[first + r]
                below_top = x[first + r, label] - top[r]
                loss[r] -= below_top
                if slope is not None:
                    slope[first + r, label] -= factor[r]
                    if below_top == 0 and total[r] < CLOSE_TO_ONE:
                        # The probability less 1 has few digits, those of others all.
                        slope[first + r, label] = -(factor[r] * others[r] / total[r])
                    if factor[r] == 0:  # of a row that may have nan
                        slope[first + r] = 0
        tile_sum = 0.0
        for r in range(rows):
            value = loss[r]
            if weight is not None:
                value = _times(weight[first + r], value)
            if losses is not None:
                losses[first + r] = value
            tile_sum = add(tile_sum, np.float64(value))
        if sums is not None:
            sums[tile] = tile_sum
    return True


@compiled
def softmax(x: Any, log_sums: Any, out: Any, begin: int, end: int) -> bool:
    """Compute log(sum(exp(x))) and the softmax; return whether all maxima are finite.

    Rows of another maximum are left to the formulas.
    """
    top, factor = np.empty(TILE, x.dtype), np.ones(TILE, x.dtype)
    others, log_sum = np.empty(TILE, x.dtype), np.empty(TILE, x.dtype)
    total = np.empty(TILE, np.float64)
    turned = np.empty((min(x.shape[1], FEW), TILE), x.dtype)
    for tile in range(begin, end):
        first = tile * TILE
        rows = min(TILE, len(x) - first)
        _softmax(x, out, first, rows, turned, top, total, factor)
        for r in range(rows):
            if not np.isfinite(top[r]):
                return False
        if log_sums is not None:
            _log_sums(x, first, rows, turned, top, total, others, log_sum)
            for r in range(rows):
                log_sums[first + r] = top[r] + log_sum[r]
    return True


@compiled
def cross_entropies_of_probabilities(
    p: Any,
    labels: Any,
    weight: Any,
    losses: Any,
    slope: Any,
    sums: Any,
    scale: Any,
    delta: Any,
    tolerance: float,
    begin: int,
    end: int,
) -> bool:
    """Compute losses and slopes; return whether rows are distributions, labels fit."""
    classes = p.shape[1]
    of_label, logarithm = np.empty(TILE, p.dtype), np.empty(TILE, p.dtype)
    total = np.empty(TILE, np.float64)
    for tile in range(begin, end):
        first = tile * TILE
        rows = min(TILE, len(p) - first)
        is_valid = _sum_probabilities(p, first, rows, total)
        for r in range(rows):
            is_valid &= abs(total[r] - 1) <= tolerance
        if not (is_valid and _are_in_range(labels, first, rows, classes)):
            return False
        for r in range(rows):
            of_label[r] = p[first + r, labels[first + r]] + delta
        for r in range(rows):
            logarithm[r] = log(of_label[r])
        if slope is not None:
            slope[first : first + rows] = 0
        tile_sum = 0.0
        for r in range(rows):
            # Subtracted from 0, since -log(1) would be -0.0.
            loss = 0 - logarithm[r]
            step = scale / of_label[r]
            if weight is not None:
                loss = _times(weight[first + r], loss)
                # The weight first: without it the slope may be too large a number.
                by = scale * weight[first + r]
                step = by / of_label[r] if by != 0 else by
            if losses is not None:
                losses[first + r] = loss
            if slope is not None:
                slope[first + r, labels[first + r]] = -step
            tile_sum += loss
        if sums is not None:
            sums[tile] = tile_sum
    return True


@compiled
def labels_of_one_hot(target: Any, labels: Any, begin: int, end: int) -> bool:
    """Find the class of each row; return whether it is 1 and all others are 0."""
    for tile in range(begin, end):
        first = tile * TILE
        for r in range(first, min(first + TILE, len(target))):
            row = target[r]
            others = 0
            for c in range(row.size):
                others += row[c] != 0
            label = 0
            while label < row.size - 1 and row[label] == 0:
                label += 1
            if others != 1 or row[label] != 1:
                return False
            labels[r] = label
    return True


@inlined
def _are_in_range(labels: Any, first: int, rows: int, classes: int) -> bool:
    is_good = True
    for r in range(rows):
        label = labels[first + r]
        is_good &= (label >= 0) & (label < classes)
    return is_good


@inlined
def _times(weight: Any, value: Any) -> Any:
    """Return weight times value, and 0 for a weight of 0, even of inf or nan."""
    return weight * value if weight != 0 else weight


@inlined
def _weigh(factor: Any, scale: Any, weight: Any, first: int, rows: int) -> None:
    for r in range(rows):
        factor[r] = scale if weight is None else scale * weight[first + r]


@inlined
def _log_sums(
    x: Any,
    first: int,
    rows: int,
    turned: Any,
    top: Any,
    total: Any,
    others: Any,
    log_sum: Any,
) -> None:
    """Compute the logarithms of the sums of exponentials of `_softmax`.

    The largest exponential is 1. If the sum is close to it, the others alone are added
    up, which are lost beside it.
    """
    one, zero = x.dtype.type(1), x.dtype.type(0)
    is_close = False
    for r in range(rows):
        others[r] = 0
        is_close |= total[r] < CLOSE_TO_ONE
    if is_close and x.shape[1] <= FEW:
        for c in range(x.shape[1]):
            for r in range(rows):
                value = turned[c, r]
                others[r] += value if value < one else zero
    elif is_close:
        for r in range(rows):
            if total[r] < CLOSE_TO_ONE:
                others[r] = _sum_below_1(x[first + r], top[r])
    for r in range(rows):
        of_others, of_all = log1p(others[r]), log(x.dtype.type(total[r]))
        log_sum[r] = of_others if total[r] < CLOSE_TO_ONE else of_all


@inlined
def _sum_below_1(row: Any, top: Any) -> float:
    """Return the sum of exp(row - top) without the terms that are 1."""
    total = 0.0
    one, zero = row.dtype.type(1), row.dtype.type(0)
    for start in range(0, row.size, GROUP):
        part = zero
        for c in range(min(GROUP, row.size - start)):
            value = exp(row[np.uintp(start) + np.uintp(c)] - top)
            part = add(part, value if value < one else zero)
        total += part
    return total


@inlined
def _softmax(
    x: Any,
    out: Any,
    first: int,
    rows: int,
    turned: Any,
    top: Any,
    total: Any,
    factor: Any,
) -> None:
    """Compute maxima, sums of exponentials, and the softmax times the factor of a row.

    A row with nan or inf, or of -inf only, gives nan.
    """
    if x.shape[1] <= FEW:
        _side_by_side(x, out, first, rows, turned, top, total, factor)
        return
    back = 1 / np.float64(lifted_exp(x.dtype.type(0)))
    for r in range(rows):
        row = x[first + r]
        to = None if out is None else out[first + r]
        top[r] = _largest(row)
        # Its exponentials, and so the sum, are lifted.
        lifted = _sum_of_exponentials(x, first + r, top[r], to)
        if to is not None:
            scale = x.dtype.type(factor[r] / lifted)
            for c in range(row.size):
                to[c] *= scale
        total[r] = lifted * back


@inlined
def _side_by_side(
    x: Any,
    out: Any,
    first: int,
    rows: int,
    turned: Any,
    top: Any,
    total: Any,
    factor: Any,
) -> None:
    """Compute the same for rows of few classes, which are turned into columns first."""
    classes = x.shape[1]
    tile = x[first : first + rows]
    for c in range(classes):
        for r in range(rows):
            turned[c, r] = tile[r, c]
    for r in range(rows):
        top[r] = turned[0, r]
        total[r] = 0
    for c in range(1, classes):
        for r in range(rows):
            top[r] = larger(top[r], turned[c, r])
    part = np.empty(TILE, x.dtype)
    for start in range(0, classes, PLAIN_GROUP):
        part[:rows] = 0
        for c in range(start, min(start + PLAIN_GROUP, classes)):
            for r in range(rows):
                value = exp(turned[c, r] - top[r])
                turned[c, r] = value
                part[r] += value
        for r in range(rows):
            total[r] += part[r]
    if out is None:
        return
    for r in range(rows):
        part[r] = factor[r] / total[r]
    tile = out[first : first + rows]
    for c in range(classes):
        for r in range(rows):
            tile[r, c] = turned[c, r] * part[r]


@inlined
def _largest(row: Any) -> Any:
    """Return the largest entry of a row, or nan."""
    top = row[0]
    lanes = min(LANES, row.size)
    full = row.size - row.size % lanes
    for c in range(full):
        top = larger(top, row[c])
    if full < row.size:
        last = np.uintp(row.size - lanes)
        for c in range(lanes):
            top = larger(top, row[last + np.uintp(c)])
    return top


@inlined
def _sum_of_exponentials(x: Any, r: int, top: Any, out: Any) -> float:
    """Return the sum of `lifted_exp` of row - top; write them unless out is None.

    Indices without a sign need no look at whether they count from the end.
    """
    row, entries, next_row = x[r], x.reshape(-1), (r + 1) * x.shape[1]
    total = 0.0
    zero = row.dtype.type(0)
    # A number that the compiler knows would be unrolled, into one entry at a time.
    lanes = min(LANES, row.size)
    full = row.size - row.size % lanes
    for start in range(0, full, GROUP):
        for entry in range(start, start + GROUP, LINE // x.itemsize):
            prefetch(entries, next_row + entry)
        part = zero
        for c in range(min(GROUP, full - start)):
            i = np.uintp(start) + np.uintp(c)
            value = lifted_exp(row[i] - top)
            if out is not None:
                out[i] = value
            part = add(part, value)
        total += part
    if full < row.size:
        # The last lanes, of which the first ones have been added already.
        last, again = np.uintp(row.size - lanes), lanes - (row.size - full)
        part = zero
        for c in range(lanes):
            i = last + np.uintp(c)
            value = lifted_exp(row[i] - top)
            if out is not None:
                out[i] = value
            part = add(part, value if c >= again else zero)
        total += part
    return total


@inlined
def _sum_probabilities(p: Any, first: int, count: int, total: Any) -> bool:
    """Write the sum of each row; return whether all entries are in [0, 1]."""
    classes = p.shape[1]
    is_valid = True
    if classes <= FLAT:
        values = p.reshape(-1)[first * classes : (first + count) * classes]
        for i in range(values.size):
            is_valid &= (values[i] >= 0) & (values[i] <= 1)
        sum_rows(values, count, classes, total)
        return is_valid
    for r in range(count):
        row = p[first + r]
        total[r] = 0
        for start in range(0, classes, GROUP):
            part = row.dtype.type(0)
            for c in range(min(GROUP, classes - start)):
                value = row[np.uintp(start) + np.uintp(c)]
                is_valid &= (value >= 0) & (value <= 1)
                part = add(part, value)
            total[r] += part
    return is_valid
