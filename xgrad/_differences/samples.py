"""Function values at the points of some columns, as a scheme reads them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._evaluation import row_of

# The noise of `f` is measured as a standard deviation, and 95 of 100 values lie within
# two of them.
DEVIATIONS = 2


@dataclass(eq=False)
class Samples:
    """Values of a function at the points of a group of columns.

    ``blocks`` hold the values at the ``offsets``, in one or more arrays ``(offsets,
    columns, *shape)``, and ``coordinates`` the moved entries; ``base`` is ``f(x)`` and
    ``origin`` the same entries of ``x``. ``read`` turns differences of values into the
    numbers that are differentiated, and ``align`` gives distances the axes to be
    broadcast against them; both take arrays with or without the axis of offsets.
    ``magnitudes`` returns the sizes to which rounding errors are relative, and
    ``noise`` is the standard deviation of the values, where it was measured. ``sides``
    is that of `Points`. With ``relative`` the blocks hold ``f - f(x)``.
    """

    xp: Any
    offsets: tuple[int, ...]
    base: Array
    blocks: list[Array]
    origin: Array
    coordinates: list[Array]
    eps: float
    read: Callable[[Array], Array]
    align: Callable[[Array], Array]
    magnitudes: Callable[[Array], Array]
    noise: Array | None = None
    sides: Array | None = None
    relative: bool = False

    def __post_init__(self) -> None:
        self._values = rows_by_offset(self.offsets, self.blocks)
        self._values[0] = 0.0 if self.relative else self.base
        self._coordinates = rows_by_offset(self.offsets, self.coordinates)
        self._coordinates[0] = self.origin

    def quotient(self, plus: int, minus: int) -> Array:
        """Return the difference of the values at two offsets over their distance."""
        change = self._values[plus] - self._values[minus]
        distance = self._coordinates[plus] - self._coordinates[minus]
        if self.read is self.align is identity:
            return change / distance
        return self.read(change) / self.align(distance)

    def difference(self, plus: int, minus: int = 0) -> Array:
        """Return the difference of the values at two offsets."""
        return self.read(self._values[plus] - self._values[minus])

    def without_base(self, values: Array) -> Array:
        """Subtract f(x) from the values of a block, unless it holds differences."""
        return values if self.relative else values - self.base

    def magnitude(self, values: Array) -> Array:
        """Return the size of the values of a block, to which rounding is relative."""
        return self.magnitudes(self.base + values if self.relative else values)

    def spacing(self, plus: int, minus: int = 0) -> Array:
        """Return the distance really taken between two offsets."""
        return self.align(self._coordinates[plus] - self._coordinates[minus])

    def uncertainty(self, offsets: Iterable[int]) -> Array:
        """Return the error of the largest value among those at some offsets."""
        magnitudes = [self.magnitude(self._values[o]) for o in offsets if o]
        return self.value_error(functools.reduce(self.xp.maximum, magnitudes))

    def value_error(self, magnitude: Array) -> Array:
        """Return the error that rounding and noise leave in values of a given size."""
        # Twice the error of one rounding, which is eps / 2.
        rounding = magnitude * self.eps
        if self.noise is None:
            return rounding
        return self.xp.maximum(rounding, DEVIATIONS * self.noise)

    def inward(self) -> Samples:
        """Return the same points as offsets 1, 2, 3, ... of the side they lie on."""
        order = sorted(self.offsets)
        return replace(
            self,
            offsets=tuple(range(1, len(order) + 1)),
            blocks=[self._values[offset][None, ...] for offset in order],
            coordinates=[self._coordinates[offset][None, ...] for offset in order],
            sides=None,
        )


def rows_by_offset(offsets: tuple[int, ...], blocks: list[Array]) -> dict[int, Any]:
    """Return the rows of blocks, which continue each other, by their offsets."""
    if len(blocks) == 1 and type(blocks[0]) is np.ndarray:
        return dict(zip(offsets, blocks[0]))  # noqa: B905 (in half of the time)
    return {offset: row_of(blocks, i) for i, offset in enumerate(offsets)}


def identity(x: Array) -> Array:
    """Return the array itself."""
    return x
