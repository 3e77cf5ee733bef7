"""The memory of a tape that drops what it saved: how much, and whether that pays."""

from __future__ import annotations

from typing import Any

from xgrad._autodiff.stretches import Notes

# Memory of a position itself, by measurement: an edge, its tuples, shape and dtype.
POSITION_BYTES = 300
# A stretch is dropped if that frees this many times the memory of its notes, and of the
# arrays that it begins with: where it writes into these, they are copied twice.
NOTES, CUT = 2, 8


class Budget:
    """Bytes of a stretch and of all before, of which half of ``max_bytes`` is for each.

    ``held`` has the arrays that stay whatever is dropped, by identity.
    """

    def __init__(self, max_bytes: int, notes: Notes) -> None:
        self.half = max_bytes // 2
        self.notes = notes
        self.held: set[int] = set()
        self.held_bytes = 0
        # Of the stretch: what it begins with, what it has saved, and its positions.
        self.cut_bytes = 0
        self.saved: dict[int, int] = {}
        self.saved_bytes = 0
        self.positions = 0

    def save_position(self, edges: tuple[Any, ...]) -> None:
        """Count an operation with what its edges keep."""
        self.positions += 1
        self.saved_bytes += POSITION_BYTES
        for edge in edges:
            self._save(edge[2])

    def _save(self, saved: Any) -> None:
        for item in saved:
            if type(item) is tuple or type(item) is list:
                self._save(item)
            elif id(item) not in self.saved and (size := getattr(item, "nbytes", 0)):
                self.saved[id(item)] = size
                self.saved_bytes += size
                self.notes.share(item)

    def begin_with(self, array: Any) -> None:
        """Count an array that the stretch begins with."""
        if id(array) not in self.held:
            self.held.add(id(array))
            self.cut_bytes += array.nbytes

    @property
    def limit(self) -> int:
        """Bytes that a stretch may save: its half, or as many as are kept anyway."""
        return max(self.half, self.held_bytes + self.notes.bytes_before)

    def is_full(self) -> bool:
        """Whether the stretch has saved as much as it may."""
        return self.saved_bytes > self.limit

    def is_hopeless(self, array: Any = None) -> bool:
        """Whether to drop all that a stretch may save would free too little.

        ``array`` is one that it would begin with, too.
        """
        is_new = array is not None and id(array) not in self.held
        return self._cost(array.nbytes if is_new else 0) > self.limit

    def pays(self) -> bool:
        """Whether to drop what the stretch has saved frees more than it costs."""
        needed = self.held | self.notes.uses.keys()
        freed = sum(size for i, size in self.saved.items() if i not in needed)
        return freed + POSITION_BYTES * self.positions > self._cost()

    def _cost(self, more: int = 0) -> int:
        return CUT * (self.cut_bytes + more) + NOTES * self.notes.taken

    def turn(self, is_kept: bool) -> None:
        """End the stretch, and begin another one."""
        if is_kept:
            self.held_bytes += self.saved_bytes
            self.held.update(self.saved)
        else:
            self.held_bytes += self.cut_bytes
        self.saved, self.saved_bytes, self.cut_bytes, self.positions = {}, 0, 0, 0
        self.notes.turn(is_kept)
