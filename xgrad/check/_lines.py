"""A function of the distances along several directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, Portable, cast, is_numpy, rebuild


@dataclass(frozen=True, eq=False)
class Lines(Portable):
    """A function of distances ``t``: ``call`` with one array at ``x + t @ directions``.

    ``leaf`` is the number of that array, and ``directions`` has a row for each distance
    with the moves of all its entries. With ``batched``, ``t`` has a leading axis of
    points, and so have the arrays that ``call`` gets.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    x: tuple[Array, ...]
    leaf: int
    directions: Array
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this is unpickled."""
        return self.x[0]

    def __call__(self, t: Array) -> Any:
        """Evaluate ``call`` at the distances ``t``."""
        xp, x = self.xp, self.x[self.leaf]
        lead = (t.shape[0],) if self.batched else ()
        # No warning is shown at points that the caller did not choose.
        point = x + xp.reshape(self._moves(t), (*lead, *x.shape))
        if self.tree is None:
            return self.call(point)
        arrays = [
            point if i == self.leaf else self._unmoved(other, lead)
            for i, other in enumerate(self.x)
        ]
        return self.call(rebuild(self.tree, arrays))

    def _moves(self, t: Array) -> Array:
        """Return the moves of all entries; only one distance at a time is not 0."""
        xp, vectors = self.xp, self.directions
        if is_numpy(xp):
            return t @ vectors
        # Products of matrices are rounded to fewer digits on some devices.
        t = cast(xp, t, vectors.dtype)
        return xp.sum(t[..., None] * vectors, axis=-2)

    def _unmoved(self, x: Array, lead: tuple[int, ...]) -> Array:
        if lead:
            x = self.xp.broadcast_to(x, (*lead, *x.shape))
        return self.xp.asarray(x, copy=True)
