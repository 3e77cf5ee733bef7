"""Find the row of a matrix that is wrong, among those that a sum has added up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xgrad.check._slopes import CheckedFunction
from xgrad.check._sums import Outputs


@dataclass(frozen=True, eq=False)
class RowSearch:
    """Searches the outputs that were added up with ``weights``, ``(sums, outputs)``."""

    outputs: Outputs
    weights: np.ndarray

    def find(
        self, leaf: int, position: int, number: int
    ) -> tuple[CheckedFunction, np.ndarray]:
        """Return a function of single outputs, and their numbers in ascending order.

        The worst one is among them, of those in the sum ``number``, along the entry of
        an array at ``position``. As many groups are compared at once as there are sums.
        """
        sums = len(self.weights)
        candidates = np.arange(self.outputs.count)
        while len(candidates) > sums:
            groups = np.array_split(candidates, sums)
            weights = np.zeros_like(self.weights)
            for row, group in zip(weights, groups, strict=True):
                row[group] = self.weights[number, group]
            function = self.outputs.weighted(weights)
            slopes = function.slopes_of_entries(leaf, np.array([position]))
            difference = np.abs(slopes.analytic - slopes.measured)
            # Slopes that are not numbers are the worst.
            worst = np.argmax(np.nan_to_num(difference, nan=math.inf))
            candidates = groups[int(worst)]
        # As many as before, so that each evaluation takes as many calls.
        candidates = np.pad(candidates, (0, sums - len(candidates)), mode="edge")
        rows = np.zeros_like(self.weights)
        rows[np.arange(sums), candidates] = 1.0
        return self.outputs.weighted(rows), candidates
