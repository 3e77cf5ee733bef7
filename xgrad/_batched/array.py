"""Stand in for an array at many points, of which the caller's function sees one.

The base is the array at the point around which all others lie. Data of the others are
stored on a `Region`: as differences from the base, which linear operations carry on
exactly, or as values, which all other operations need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array
from xgrad._batched.recording import Recording
from xgrad._batched.region import Region
from xgrad._tracing import StandIn, caller_line


class Batched(StandIn):
    """An array at many points, which looks like the array at one of them.

    ``base`` is the array at ``x``, and ``region`` says which entries differ from it
    (None: not one). ``stored_diff`` and ``stored_value``, ``(points, slots, *inner)``,
    are their differences and their values; at least one of them is stored.

    ``owner`` is the array whose memory it shares as a view, at the ``version`` that
    this then had; ``stale`` is the line of code that wrote to its memory through
    another array.
    """

    __slots__ = ("owner", "region", "stale", "stored_diff", "stored_value", "version")

    tracer: Recording

    def __init__(
        self,
        trace: Recording,
        base: Array,
        region: Region | None = None,
        diff: Array | None = None,
        value: Array | None = None,
    ) -> None:
        self.tracer = trace
        self.base = base
        self.region: Any = region  # Any: most code has asked already whether it is None
        self.stored_diff = diff
        self.stored_value = value
        self.owner: Batched | None = None
        self.version = 0
        self.stale: str | None = None

    @property
    def value(self) -> Array:
        """Values on the region, ``(points, slots, *inner)``; computed if need be."""
        if self.stored_value is None:
            base = self.region.gather(self.base, self.tracer.axes_first)
            self.stored_value = base + self.stored_diff
        return self.stored_value

    @property
    def diff(self) -> Array:
        """Differences on the region, ``(points, slots, *inner)``; 0 in invalid ones."""
        if self.stored_diff is None:
            self.stored_diff = self.diff_as(None)
        return self.stored_diff

    @property
    def has_diff(self) -> bool:
        """Whether differences are stored, so that none need be formed from values."""
        return self.stored_diff is not None

    def diff_as(self, dtype: Any) -> Array:
        """Return the differences in another dtype, also those of booleans and integers.

        They are formed in that dtype if they are not stored, since booleans have none
        and differences of unsigned integers would wrap around.
        """
        xp, region = self.tracer.xp, self.region
        # Stored differences come first: they are exact, while those of values cancel.
        if self.stored_diff is not None:
            return (
                self.stored_diff
                if dtype is None
                else _cast(xp, self.stored_diff, dtype)
            )
        value = self.stored_value
        base = region.gather(self.base, self.tracer.axes_first)
        if dtype is not None:
            value, base = _cast(xp, value, dtype), _cast(xp, base, dtype)
        diff = value - base
        if region.valid is not None:
            diff = region.mask(diff)
        self.tracer.unchecked_diffs.append(diff)
        return diff

    def map_stored(self, function: Callable[[Array], Array]) -> dict[str, Any]:
        """Apply a function to the stored data; return arguments for a new array."""
        stored = {}
        if self.stored_diff is not None:
            stored["diff"] = function(self.stored_diff)
        if self.stored_value is not None:
            stored["value"] = function(self.stored_value)
        return stored

    def ensure_current(self) -> Batched:
        """Return itself; refuse if a view of it, or the owner of it, was written to."""
        owner = self.owner
        if self.stale is not None or (
            owner is not None and owner.version != self.version
        ):
            raise self.tracer.refuse(
                "an assignment through a view",
                "assign to the array itself, or copy",
                self.stale,
            )
        return self

    def ensure_writable(self, value: Any) -> None:
        """Refuse if ``x[key] = value`` would change another array as well."""
        # The second half of `x[key] += other`, which ends the staleness of `x`.
        in_place = self.tracer.cache.pop("in place", (None, None))
        if in_place[0] is self and in_place[1] is value:
            self.stale = None
        if self.ensure_current().owner is not None:
            raise self.tracer.refuse(
                "an assignment through a view", "assign to the array itself, or copy"
            )

    def as_view_of(self, source: Batched) -> Batched:
        """Mark itself as sharing the memory of another array, as NumPy's views do."""
        # The owner itself, not a view of it: all views of one memory have one owner.
        owner = source if source.owner is None else source.owner
        self.owner, self.version = owner, owner.version
        return self

    def assign(self, other: Batched) -> None:
        """Replace its content by that of another array, as assignments in place do."""
        # Data are never written to, since other arrays share them: names are exchanged.
        self.base, self.region = other.base, other.region
        self.stored_diff, self.stored_value = other.stored_diff, other.stored_value
        self.version += 1

    def update(self, new: Batched) -> Batched:
        """Assign the result of ``x += other`` and the like; return the array to use."""
        if isinstance(self.base, np.generic):
            return new  # a scalar of NumPy cannot be changed: its name gets a new one
        if self.owner is None:
            self.assign(new)
            return self
        # For `owner[key] += other` Python assigns `owner[key] = new` next, which ends
        # this. Without it the owner lacks the change, which an array of NumPy has.
        self.stale = self.owner.stale = caller_line()
        self.tracer.cache["in place"] = self.owner, new
        return new


def _cast(xp: Any, x: Array, dtype: Any) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)
