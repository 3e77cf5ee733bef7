"""Progress of a long call, shown by a bar or reported to a callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = bool | Callable[[int, int], Any]


class ProgressMeter:
    """Counts evaluations of the caller's function, and shows them as they are made.

    One evaluation of the function that is differentiated takes ``each`` evaluations of
    the caller's function.
    """

    def __init__(self, progress: Progress, each: int = 1) -> None:
        self.total = 0
        self.done = 0
        self._each = each
        self._report = progress if callable(progress) else None
        self._bar = _open_bar() if progress is True else None

    def expect(self, count: int) -> None:
        """Announce further evaluations."""
        self.total += count * self._each
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.refresh()

    def add(self, count: int) -> None:
        """Record finished evaluations, and report them."""
        count *= self._each
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        if self._report is not None:
            self._report(self.done, self.total)

    def add_single(self) -> None:
        """Record one evaluation of the caller's function outside of the passes."""
        self.total += 1
        self.done += 1

    def close(self) -> None:
        """Close the bar, which stays on the screen."""
        if self._bar is not None:
            self._bar.close()


def _open_bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError(
            "progress=True needs tqdm: install xgrad[progress], or give a callable "
            "(done, total)"
        ) from None
    # The total grows with `expect`: passes are announced one after the other.
    return tqdm(total=0, unit=" evaluations", unit_scale=True)
