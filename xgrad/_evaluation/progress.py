"""Progress of a long call, reported to a bar or a callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = bool | Callable[[int, int], Any]


class Meter:
    """Counts evaluations of ``f``, and shows how many are done of how many.

    ``each`` is how many evaluations of the caller's function one of ``f`` takes.
    """

    def __init__(self, progress: Progress, each: int = 1) -> None:
        self.total = 0
        self.done = 0
        self._each = each
        self._report = progress if callable(progress) else None
        self._bar = _bar() if progress is True else None

    def expect(self, count: int) -> None:
        """So many more will be done."""
        self.total += count * self._each
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.refresh()

    def add(self, count: int) -> None:
        """So many more are done."""
        count *= self._each
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        if self._report is not None:
            self._report(self.done, self.total)

    def once(self) -> None:
        """The caller's function was evaluated by itself, at one point."""
        self.total += 1
        self.done += 1

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def _bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError(
            "progress=True needs tqdm: install xgrad[progress], or give a callable "
            "(done, total)"
        ) from None
    return tqdm(total=0, unit=" evaluations", unit_scale=True)
