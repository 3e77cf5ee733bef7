"""NumPy: bits of scores as integers, and sums of weights in the order of the scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xgrad._kernels.numpy_memory import Array

# Integers in a range of so many are not sorted: their sums take 1 MiB, half of a cache.
COUNTED = 2**16
INTEGERS = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


class Counts(NamedTuple):
    """Numbers or weights of the rows whose score is at least a threshold.

    Thresholds rise, and no two are equal. The sums have a last entry 0 more.
    """

    positives: Array
    negatives: Array
    thresholds: Array | None


def float_bits(scores: Array, has_negative: bool) -> Array:
    """Return integers of the same size in the order of the scores."""
    # Adding 0 makes -0.0 the same as 0.0.
    bits: Array = (scores + 0).view(INTEGERS[scores.itemsize])
    if has_negative:
        flip_negative(bits)
    return bits


def flip_negative(bits: Array) -> None:
    """Turn the bits of floats into integers of their order, or back, in place.

    Of two negative floats the one with the larger bits is the smaller one: all bits but
    the sign are flipped.
    """
    limits = np.iinfo(bits.dtype)
    bits ^= (bits >> (limits.bits - 1)) & limits.max


def differ(keys: Array, free_bits: int) -> Array:
    """Return whether each sorted integer differs from the next one, but for last bits.

    The last integer does.
    """
    is_last = np.ones(len(keys), dtype=bool)
    differences = (keys[1:] ^ keys[:-1]).view(f"u{keys.itemsize}")
    np.greater_equal(differences, 1 << free_bits, out=is_last[:-1])
    return is_last


def sum_in_order(
    scores: Array, is_positive: Array, weight: Array, with_thresholds: bool
) -> Counts | None:
    """Return the sums of the weights of both groups; None if scores are no int64."""
    if scores.dtype == np.uint64 or not len(scores):
        return None
    if scores.dtype.kind in "iu":
        low, high = int(scores.min()), int(scores.max())
        if high - low < min(COUNTED, len(scores)):
            return _sum_each(scores, is_positive, weight, low)
    order, is_last = _fall(scores)
    weight, is_positive = weight.take(order, mode="wrap"), is_positive.take(order)
    own = weight * is_positive
    weight -= own
    if is_last.all():
        positives, negatives = np.zeros((2, len(order) + 1))
        np.cumsum(own, out=positives[1:])
        np.cumsum(weight, out=negatives[1:])
    else:
        last = np.flatnonzero(is_last)
        order = order.take(last)
        positives, negatives = np.zeros((2, len(last) + 1))
        positives[1:] = np.cumsum(own, out=own).take(last)
        negatives[1:] = np.cumsum(weight, out=weight).take(last)
    thresholds = None
    if with_thresholds:
        # Without a check of each position, all of which lie in the array.
        thresholds = scores.take(order, mode="wrap")[::-1]
    return Counts(positives[::-1], negatives[::-1], thresholds)


def _sum_each(scores: Array, is_positive: Array, weight: Array, low: int) -> Counts:
    """Return the sums of the weights of integers that are not far above ``low``."""
    keys = scores.astype(np.intp)
    keys -= low
    keys *= 2
    keys += is_positive
    size = 2 * (int(keys.max()) // 2 + 1)
    each = np.bincount(keys, weights=weight, minlength=size).reshape(-1, 2)
    values = np.flatnonzero(each.any(axis=1))
    sums = np.zeros((len(values) + 1, 2))
    np.cumsum(each[values[::-1]], axis=0, out=sums[1:])
    return Counts(sums[::-1, 1], sums[::-1, 0], values + low)


def _fall(scores: Array) -> tuple[Array, Array]:
    """Return the rows by falling scores, and whether each is the last of equal ones.

    An integer holds the leading bits of a score and the number of its row. Those few
    that are equal so far are sorted once more, by all bits.
    """
    if scores.dtype.kind in "iu":
        keys = scores.astype(np.int64)
    else:
        keys = float_bits(scores, scores.min() < 0).astype(np.int64, copy=False)
    np.invert(keys, out=keys)
    low, row_bits = keys.min(), len(keys).bit_length()
    lost_bits = max(0, (int(keys.max()) - int(low)).bit_length() + row_bits - 64)
    packed = (keys - low).view(np.uint64)
    packed >>= np.uint64(lost_bits)
    packed <<= np.uint64(row_bits)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    is_last = differ(packed, row_bits)
    packed &= np.uint64((1 << row_bits) - 1)
    order = packed.view(np.int64)
    if lost_bits:
        _sort_close(keys, order, is_last)
    return order, is_last


def _sort_close(keys: Array, order: Array, is_last: Array) -> None:
    """Sort the rows of equal leading bits by all bits, in place.

    ``is_last`` tells the last of equal leading bits, and afterwards that of equal keys.
    """
    is_alone = is_last.copy()
    is_alone[1:] &= is_last[:-1]
    close = np.flatnonzero(~is_alone)
    rows = order.take(close)
    ranked = keys.take(rows)
    if (ranked[1:] < ranked[:-1]).any():
        by_key = ranked.argsort()
        order[close], ranked = rows.take(by_key), ranked.take(by_key)
    is_last[close[:-1]] = ranked[1:] != ranked[:-1]
