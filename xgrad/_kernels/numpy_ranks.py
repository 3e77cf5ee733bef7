"""NumPy: sorting scores together with their labels."""

from __future__ import annotations

import numpy as np

from xgrad._kernels.numpy_memory import Array


def sort_groups(scores: Array, is_positive: Array) -> tuple[Array, Array]:
    """Return the scores in rising order, and whether each is of a positive row.

    Two sorted halves are merged: sorting values is twice as fast as sorting positions,
    and a stable sort takes sorted pieces as they are.
    """
    negatives = np.sort(scores[~is_positive])
    halves = np.concatenate([negatives, np.sort(scores[is_positive])])
    order = np.argsort(halves, kind="stable")
    return halves[order], order >= len(negatives)
