"""NumPy: scores in order, with what they say of two groups of rows.

NumPy sorts numbers several times as fast as positions. Each score and the group of its
row are packed into one integer: the bits of a float64 are in its order, up to the sign,
and one of them is free if the number is smaller than 2.
"""

from __future__ import annotations

import math

import numpy as np

from xgrad._kernels.numpy_memory import Array

# All bits of an integer but the sign. Of two negative floats the one with the larger
# bits is the smaller one: these are flipped.
MAGNITUDE = 2**63 - 1
# Integers below this size are float64 without rounding.
EXACT = 2.0**53


def sort_groups(scores: Array, is_positive: Array) -> tuple[Array, Array] | None:
    """Return the scores in rising order, and whether each is of a positive row.

    It is None if scores do not fit into integers.
    """
    packed = _sorted_keys(scores, is_positive)
    if packed is None:
        return None
    keys, exponent = packed
    is_positive = (keys & 1).astype(bool)
    keys >>= 1
    if len(keys) and keys[0] < 0:
        keys ^= (keys >> 63) & MAGNITUDE
    numbers = keys.view(np.float64)
    numbers *= 2.0**exponent
    return numbers.astype(scores.dtype, copy=False), is_positive


def rank_positives(
    scores: Array, is_positive: Array
) -> tuple[Array, Array, Array] | None:
    """Return three numbers for each positive row, in rising order of its score.

    They are how many positive rows have a smaller score, how many negative ones have,
    and how many negative ones have no larger one. It is None if scores do not fit into
    integers.
    """
    packed = _sorted_keys(scores, is_positive)
    if packed is None:
        return None
    keys, _ = packed
    is_positive = (keys & 1).astype(bool)
    places = np.flatnonzero(is_positive)
    index = np.arange(len(places))
    # Of equal scores those of negative rows come first.
    not_above = places - index
    changed = (keys[1:] ^ keys[:-1]).view(np.uint64)
    is_repeated = changed < 2
    if not is_repeated.any():
        return index, not_above, not_above
    begin = np.arange(len(keys))
    begin[1:] *= ~is_repeated
    begin = np.maximum.accumulate(begin)[places]
    first = (np.cumsum(is_positive) - is_positive)[begin]
    return first, begin - first, not_above


def _sorted_keys(scores: Array, is_positive: Array) -> tuple[Array, int] | None:
    """Return integers in the order of the scores, and then of the groups; None of some.

    The last bit is the group. The others are those of the score divided by a power of
    two, whose exponent is the second value.
    """
    # Adding 0 makes -0.0 the same as 0.0.
    numbers = scores.astype(np.float64)
    numbers += 0
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    size = max(-low, high)
    if not math.isfinite(size) or (scores.dtype.kind in "iu" and size >= EXACT):
        return None
    exponent = max(0, math.frexp(size)[1] - 1)
    if exponent:
        scaled = numbers * 2.0**-exponent
        if not np.array_equal(scaled * 2.0**exponent, numbers):  # it has underflowed
            return None
        numbers = scaled
    keys = numbers.view(np.int64)
    if low < 0:
        keys ^= (keys >> 63) & MAGNITUDE
    keys <<= 1
    keys |= is_positive
    keys.sort()
    return keys, exponent
