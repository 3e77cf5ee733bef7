"""Components of a derivative: how many have which status, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from xgrad._differences.result import Status


class Count(NamedTuple):
    """The number of components with a status, and the array and index of the first."""

    number: int
    leaf: int
    entry: tuple[int, ...]


def count_statuses(codes: Sequence[np.ndarray]) -> dict[Status, Count]:
    """Count the codes of several host arrays, for each status that occurs."""
    counts = {}
    for status in Status:
        matches = [np.reshape(array == status, -1) for array in codes]
        numbers = [int(np.count_nonzero(mask)) for mask in matches]
        if any(numbers):
            leaf = next(i for i, number in enumerate(numbers) if number)
            position = int(np.argmax(matches[leaf]))
            index = np.unravel_index(position, codes[leaf].shape)
            counts[status] = Count(sum(numbers), leaf, tuple(map(int, index)))
    return counts


def component_name(name: str, index: Sequence[Any]) -> str:
    """Return the name of an entry as the caller would write it: ``x['W'][2, 3]``."""
    return name + (f"[{', '.join(map(str, index))}]" if len(index) else "")
