"""What a gradient check has found, and its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Verdict = Literal["pass", "fail", "inconclusive", "kink"]

MEANING = {
    "pass": "the given gradient is right",
    "fail": "the given gradient is wrong",
    "inconclusive": "nothing is known to be wrong, but it cannot be told",
    "kink": "`f` has a corner at x: its slopes on the two sides differ",
}
# Rows of the table, of what passed and of all else.
SHOWN = 3, 8


class Comparison(NamedTuple):
    """A given slope beside the measured one, and the difference that is allowed.

    ``index`` is that of the entry: ``(2, 3)`` for ``x[2, 3]``, ``("W", (2, 3))`` for
    ``x["W"][2, 3]``. For a slope along a random direction it says so in words.
    """

    index: Any
    given: float
    measured: float
    allowed: float

    @property
    def excess(self) -> float:
        """The difference in units of what is allowed; ``inf`` where it is nan."""
        difference = abs(self.given - self.measured)
        if difference == 0:
            return 0.0
        ratio = difference / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio


@dataclass(frozen=True)
class GradientReport:
    """What a gradient check has found; true only if the gradient passed.

    Attributes
    ----------
    verdict : {"pass", "fail", "inconclusive", "kink"}
        "pass": all that was compared agrees, to the tolerance and the error bound of
        the numerical derivative. "fail": something differs by more than that.
        "kink": the slopes of ``f`` on two sides of ``x`` differ, and the given one is
        among them. "inconclusive": the function is not known well enough to tell.
    worst : Comparison or None
        The entry that differs most: ``(index, given, measured, allowed)``. None where
        no single entry was looked at.
    taylor_rate : float
        Like which power of ``h`` the remainder ``f(x + h v) - f(x) - h g.v`` falls: 2
        or more behind a right gradient, 1 behind a wrong one. ``nan`` where it is lost
        in rounding, as for linear functions.
    evaluations : int
        How often the function was evaluated.
    seconds : float
        Time that the check took.
    hint : str
        The usual mistake that fits, or what keeps the check from telling; may be empty.
    directions, entries : tuple of Comparison
        Everything that was compared, in its order: slopes along random directions, and
        slopes by single entries.
    subject : str
        What was checked, in words.
    name : str
        How the caller writes the arguments: "x" or "inputs".
    """

    verdict: Verdict
    worst: Comparison | None
    taylor_rate: float
    evaluations: int
    seconds: float
    hint: str
    directions: tuple[Comparison, ...]
    entries: tuple[Comparison, ...]
    subject: str
    name: str = "x"

    def __bool__(self) -> bool:
        """Whether the gradient passed."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        """The report as a table."""
        rows = self.worst_ones(SHOWN[not self])
        lines = [f"Gradient check: {self.verdict.upper()} ({MEANING[self.verdict]})"]
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        if rows:
            lines += ["", *_table(self.name, rows)]
        hidden = len(self.directions) + len(self.entries) - len(rows)
        if hidden:
            lines.append(f"and {hidden} more that are closer to what is allowed")
        lines += ["", f"{self.subject}: {self._counts()}"]
        lines.append(f"Taylor rate {self.taylor_rate:.2f}{self._rate()}")
        lines.append(f"{self.evaluations} evaluations of `f`, {self.seconds:.3g} s")
        return "\n".join(lines)

    def worst_ones(self, count: int) -> list[Comparison]:
        """The entries that differ most, and where there are none, the directions."""

        def ranked(compared: Sequence[Comparison]) -> list[Comparison]:
            return sorted(compared, key=lambda c: -c.excess)

        return (ranked(self.entries) + ranked(self.directions))[:count]

    def written(self, compared: Comparison) -> str:
        """What was compared, as the caller would write it: ``x['W'][2, 3]``."""
        return written(self.name, compared.index)

    def _counts(self) -> str:
        found = []
        if self.directions:
            found.append(f"{len(self.directions)} random directions")
        if self.entries:
            found.append(f"{len(self.entries)} entries")
        return f"compared {' and '.join(found) or 'nothing'}"

    def _rate(self) -> str:
        if math.isnan(self.taylor_rate):
            return " (the remainder is lost in rounding)"
        return " (2 behind a right gradient, 1 behind a wrong one)"


def written(name: str, index: Any) -> str:
    """An entry as the caller would write it: ``x['W'][2, 3]``."""
    if isinstance(index, str):
        return index
    if all(isinstance(part, int) for part in index):
        return name + (f"[{', '.join(map(str, index))}]" if index else "")
    *path, last = index
    return written(name + "".join(f"[{key!r}]" for key in path), last)


def _table(name: str, rows: Sequence[Comparison]) -> list[str]:
    cells = [("slope by", "given", "measured", "difference", "allowed", "")]
    cells += [
        (
            written(name, row.index),
            f"{row.given:.8g}",
            f"{row.measured:.8g}",
            f"{abs(row.given - row.measured):.2g}",
            f"{row.allowed:.2g}",
            "<--" if row.excess > 1 else "",
        )
        for row in rows
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in cells
    ]
