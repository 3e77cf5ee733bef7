"""The options that all checks share."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Literal

from xgrad._arrays import integer, one_of

Full = Literal["auto"] | bool
# 26 evaluations each: far more than a check gains from. A larger number is a typing
# error that would keep the machine busy for hours.
MOST_DIRECTIONS = 10_000


@dataclass(frozen=True)
class CheckOptions:
    """Options of a check that do not depend on the function."""

    directions: int
    full: Full
    rtol: float | None
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("directions", 1), ("seed", 0)):
            number = integer(name, getattr(self, name), least=least)
            # As a Python integer, even if the caller passed a 0-d array.
            object.__setattr__(self, name, number)
        if self.directions > MOST_DIRECTIONS:
            raise ValueError(
                f"`directions` must be at most {MOST_DIRECTIONS}; got {self.directions}"
            )
        one_of("full", self.full, ("auto", True, False))
        self._check_rtol()

    def _check_rtol(self) -> None:
        rtol = self.rtol
        if rtol is None:
            return
        if isinstance(rtol, bool) or not isinstance(rtol, numbers.Real):
            raise TypeError(f"`rtol` must be a number; got {rtol!r}")
        if not 0 <= rtol < 1:
            raise ValueError(f"`rtol` must be in [0, 1); got {rtol!r}")
