"""An array whose given derivative differs, with all that was measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xgrad._arrays import Array, cast, quiet, to_numpy
from xgrad.check._arguments import Arguments
from xgrad.check._conclusion import JudgedSlopes
from xgrad.check._slopes import CheckedFunction
from xgrad.check._verdict import Tolerances

# A mistake explains the differences if it leaves at most this share of the largest one
# (and the error bounds). Set by trial.
UNEXPLAINED = 0.02


@dataclass(frozen=True, eq=False)
class FailedArray:
    """An array whose slopes ``judged`` along ``directions`` differ.

    ``entries`` are slopes along entries, if any were measured: all of them if the check
    is ``complete``, else the worst ones.
    """

    checked: CheckedFunction
    tolerances: Tolerances
    arguments: Arguments
    directions: Sequence[Array]
    judged: JudgedSlopes
    entries: JudgedSlopes | None
    complete: bool

    @property
    def name(self) -> str:
        """The name of the array, as the caller would write it."""
        return self.arguments.array_name(self.judged.leaf)

    @property
    def subject(self) -> str:
        """The subject of a sentence about the given derivative."""
        return self.arguments.derivative_name(self.judged.leaf)

    @property
    def x(self) -> Array:
        """The array itself."""
        return self.checked.leaves[self.judged.leaf]

    @property
    def given(self) -> Array:
        """The analytic derivatives, with the outputs along the first axis."""
        return self.checked.analytic[self.judged.leaf]

    def slopes_of(self, derivatives: Array) -> np.ndarray:
        """Return the slopes of other derivatives along the directions, on the host."""
        xp = self.checked.xp
        flat = xp.reshape(derivatives, (self.checked.outputs, -1))
        with quiet():
            slopes = [
                xp.sum(flat * cast(xp, xp.reshape(v, (-1,)), flat.dtype), axis=-1)
                for v in self.directions
            ]
        return to_numpy(xp.concat(slopes)).astype(np.float64)


def explains(array: FailedArray, slopes: np.ndarray) -> bool:
    """Whether the measured slopes are these, up to a small share of the difference."""
    measured, error = array.judged.slopes.measured, array.judged.slopes.error
    difference = np.max(np.abs(array.judged.slopes.analytic - measured))
    allowed = UNEXPLAINED * difference + error
    return bool(np.all(np.abs(slopes - measured) <= allowed))
