"""NumPy: scores in order, with what they say of two groups of rows.

Values of both groups are sorted apart: NumPy sorts values several times as fast as
positions.
"""

from __future__ import annotations

import numpy as np

from xgrad._kernels.numpy_memory import Array


def sort_groups(scores: Array, is_positive: Array) -> tuple[Array, Array]:
    """Return the scores in rising order, and whether each is of a positive row."""
    negatives, positives = _sorted_groups(scores, is_positive)
    halves = np.concatenate([negatives, positives])
    # A stable sort takes sorted pieces as they are, and merges them.
    order = np.argsort(halves, kind="stable")
    return halves[order], order >= len(negatives)


def rank_positives(scores: Array, is_positive: Array) -> tuple[Array, Array, Array]:
    """Return three numbers for each positive row, in rising order of its score.

    They are how many positive rows have a smaller score, how many negative ones have,
    and how many negative ones have no larger one.
    """
    negatives, positives = _sorted_groups(scores, is_positive)
    index = np.arange(len(positives))
    is_repeated = np.zeros(len(positives), bool)
    is_repeated[1:] = positives[1:] == positives[:-1]
    first = np.maximum.accumulate(np.where(is_repeated, 0, index))
    below = np.searchsorted(negatives, positives, side="left")
    if not len(negatives):
        return first, below, below
    # Few scores are those of a negative row as well, and have to be looked for again.
    is_shared = negatives[np.minimum(below, len(negatives) - 1)] == positives
    not_above = below.copy()
    shared = positives[is_shared]
    not_above[is_shared] = np.searchsorted(negatives, shared, side="right")
    return first, below, not_above


def _sorted_groups(scores: Array, is_positive: Array) -> tuple[Array, Array]:
    """Return the scores of negative and of positive rows, each in rising order."""
    return np.sort(scores[~is_positive]), np.sort(scores[is_positive])
