"""A chunk: points that are evaluated at once, or sent to one worker."""

from __future__ import annotations

from typing import NamedTuple


class Chunk(NamedTuple):
    """The points with offsets number ``first:last`` in the columns ``start:stop``."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of offsets and of columns, the first two axes of its values."""
        return self.last - self.first, self.stop - self.start

    @property
    def size(self) -> int:
        """Number of points."""
        return (self.stop - self.start) * (self.last - self.first)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Split the chunk in two, by columns as long as there are several."""
        if self.stop - self.start > 1:
            middle = (self.start + self.stop) // 2
            return self._replace(stop=middle), self._replace(start=middle)
        middle = (self.first + self.last) // 2
        return self._replace(last=middle), self._replace(first=middle)
