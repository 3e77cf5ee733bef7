"""NumPy: scores in order, with what they say of two groups of rows.

NumPy sorts numbers several times as fast as positions. Each score and the group of its
row are packed into one integer: the bits of a float are in its order, up to the sign,
and one of them is free if the number is smaller than 2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from xgrad._kernels.numpy_memory import Array
from xgrad._kernels.numpy_order import (
    Counts,
    differ,
    flip_negative,
    float_bits,
    sum_in_order,
)


class Ranks(NamedTuple):
    """Numbers of rows below those of the positive group, by rising scores.

    An entry is that of one positive row, or of all rows with the same score.
    """

    first: Array  # positive rows with a smaller score
    below: Array  # others with a smaller score
    not_above: Array  # others without a larger score
    rows: Array | None  # positive rows of an entry, if not one
    positives: int
    negatives: int

    def total(self, values: Array) -> Any:
        """Return the sum of the values of all positive rows."""
        return values.sum() if self.rows is None else values @ self.rows


def rank_positives(scores: Array, is_positive: Array) -> Ranks | None:
    """Return the ranks of the positive rows; None if no integers hold the scores."""
    packed = _sorted_keys(scores, is_positive)
    if packed is None:
        return None
    keys, _ = packed
    is_last = differ(keys, 1)
    if is_last.all():
        below = np.flatnonzero(_is_odd(keys))
        index = np.arange(len(below))
        below -= index
        return Ranks(index, below, below, None, len(index), len(keys) - len(index))
    last = np.flatnonzero(is_last)
    positives = _count_odd(keys).take(last).astype(np.intp, copy=False)
    others = last + 1 - positives
    first, below = np.zeros((2, len(last)), dtype=np.intp)
    first[1:], below[1:] = positives[:-1], others[:-1]
    rows = positives - first
    return Ranks(first, below, others, rows, int(positives[-1]), int(others[-1]))


def count_from(
    scores: Array, is_positive: Array, weight: Array | None, with_thresholds: bool
) -> Counts | None:
    """Return the counts of both groups; None if no integers hold the scores."""
    if weight is not None:
        return sum_in_order(scores, is_positive, weight, with_thresholds)
    packed = _sorted_keys(scores, is_positive)
    if packed is None:
        return None
    keys, exponent = packed
    last, counts = np.flatnonzero(differ(keys, 1)), _count_odd(keys)
    if len(last) < len(keys):
        keys, counts = keys.take(last), counts.take(last)
    positives, negatives = np.empty((2, len(last) + 1))
    number = counts[-1]
    positives[0], negatives[0] = number, last[-1] + 1 - number
    np.subtract(number, counts, out=positives[1:])
    np.subtract(last[-1], last, out=negatives[1:])
    negatives[1:] -= positives[1:]
    return Counts(positives, negatives, _as_scores(keys, exponent, scores.dtype))


def _sorted_keys(scores: Array, is_positive: Array) -> tuple[Array, int] | None:
    """Return integers in the order of the scores, and then of the groups; None of some.

    The last bit is the group. The others are those of the score divided by a power of
    two, whose exponent is the second value.
    """
    if not 0 < len(scores) < 2**31:  # keys of 32 bits hold counts of rows, too
        return None
    low, high = scores.min().item(), scores.max().item()
    size, exponent = max(-low, high), 0
    keys: Array
    if scores.dtype.kind in "iu":
        if size >= 2**62:
            return None
        keys = scores.astype(np.int32 if size < 2**30 else np.int64)
    else:
        if not math.isfinite(size):
            return None
        exponent = max(0, math.frexp(size)[1] - 1)
        numbers = scores
        if exponent:
            numbers = scores * scores.dtype.type(2.0**-exponent)
            if not np.array_equal(numbers * 2.0**exponent, scores):  # of an underflow
                return None
        keys = float_bits(numbers, low < 0)
    keys <<= 1
    keys |= is_positive
    keys.sort()
    return keys, exponent


def _as_scores(keys: Array, exponent: int, dtype: np.dtype[Any]) -> Array:
    """Return the scores that were packed, floats in the memory of the keys."""
    keys >>= 1
    if dtype.kind in "iu":
        return keys
    if keys[0] < 0:
        flip_negative(keys)
    numbers = keys.view(dtype)
    if exponent:
        numbers *= dtype.type(2.0**exponent)
    return numbers


def _is_odd(keys: Array) -> Array:
    return (keys.astype(np.uint8) & 1).view(np.bool_)


def _count_odd(keys: Array) -> Array:
    """Return the number of odd integers up to each of them."""
    counts = keys & 1
    return np.cumsum(counts, dtype=counts.dtype, out=counts)
