"""The report of a gradient check, and the table that it prints."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Verdict = Literal["pass", "fail", "inconclusive", "kink"]

MEANINGS = {
    "pass": "the given {kind} is correct",
    "fail": "the given {kind} is wrong",
    "inconclusive": "could not decide whether the given {kind} is correct",
    "kink": "`f` has a corner at x: its slopes on the two sides differ",
}
# A pass needs a few rows to be believed; of anything else 8 rows show a pattern, and
# the whole report still fits on a terminal of 24 lines.
ROWS_OF_A_PASS, ROWS = 3, 8


class Comparison(NamedTuple):
    """A given and a measured slope, and the difference that is allowed between them.

    ``index`` is the index of the entry: ``(2, 3)`` for ``x[2, 3]``, ``("W", (2, 3))``
    for ``x["W"][2, 3]``. For a slope along a random direction it is a string, such as
    ``"direction 4 of x['W']"``.
    """

    index: Any
    given: float
    measured: float
    allowed: float

    @property
    def excess(self) -> float:
        """The difference divided by the allowed one; ``inf`` if it is not a number."""
        difference = abs(self.given - self.measured)
        if difference == 0:
            return 0.0
        ratio = difference / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio


@dataclass(frozen=True)
class GradientReport:
    """The result of a gradient check; true only if the gradient passed.

    Attributes
    ----------
    verdict : {"pass", "fail", "inconclusive", "kink"}
        "pass": all compared slopes agree, within the tolerance and the error bound of
        the numerical derivative. "fail": some slope differs by more than that.
        "kink": the slopes of ``f`` on the two sides of ``x`` differ, and the given
        slope lies between them. "inconclusive": ``f`` cannot be measured accurately
        enough to decide.
    worst : Comparison or None
        The entry that differs most, as ``(index, given, measured, allowed)``. None if
        no single entry was compared.
    taylor_rate : float
        The power of ``h`` by which the remainder ``f(x + h v) - f(x) - h g.v`` falls:
        2 or more for a correct gradient, 1 for a wrong one. ``nan`` if the remainder
        is smaller than rounding errors, as it is for linear functions.
    evaluations : int
        Number of evaluations of the function.
    seconds : float
        Duration of the check.
    hint : str
        The common mistake that explains the differences, or the reason why the check
        cannot decide; may be empty.
    directions, entries : tuple of Comparison
        All comparisons, in the order in which they were made: slopes along random
        directions, and slopes along single entries.
    subject : str
        Names, shapes and dtypes of the arrays, and their library.
    name : str
        The name of the argument in messages: "x" or "inputs", "jac" or "hess".
    kind : str
        What was checked: "gradient", "Jacobian" or "Hessian".
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
    kind: str = "gradient"

    def __bool__(self) -> bool:
        """Whether the gradient passed."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the report as a table."""
        rows = self._rows_shown()
        lines = self._head()
        if rows:
            lines += ["", *_table(self.name, rows)]
        hidden = self._hidden(rows)
        return "\n".join([*lines, *hidden, "", *self._foot()])

    def __repr__(self) -> str:
        """Return the verdict, the worst entry and the hint in one line."""
        texts = filter(None, (self.verdict, _worst_slope(self), self.hint))
        return f"GradientReport({'; '.join(texts)})"

    def _repr_html_(self) -> str:
        """Return the report as a table for notebooks."""
        rows = self._rows_shown()
        lines = list(map(_html_line, self._head()))
        if rows:
            header, *cells = _cells(self.name, rows)
            body = [_html_row("th", header), *(_html_row("td", row) for row in cells)]
            lines += ["<table>", *body, "</table>"]
        return "\n".join(
            [*lines, *map(_html_line, [*self._hidden(rows), *self._foot()])]
        )

    def _rows_shown(self) -> list[Comparison]:
        return self.worst_ones(ROWS_OF_A_PASS if self else ROWS)

    def _head(self) -> list[str]:
        meaning = MEANINGS[self.verdict].format(kind=self.kind)
        return [
            f"{_capital(self.kind)} check: {self.verdict.upper()} ({meaning})",
            *([f"Hint: {self.hint}"] if self.hint else []),
        ]

    def _hidden(self, rows: Sequence[Comparison]) -> list[str]:
        hidden = len(self.directions) + len(self.entries) - len(rows)
        verb = "comparison is" if hidden == 1 else "comparisons are"
        return [f"({hidden} more {verb} not shown)"] if hidden else []

    def _foot(self) -> list[str]:
        return [
            f"{self.subject}: {self._counts()}",
            f"Taylor rate {self.taylor_rate:.2f} ({self._meaning_of_rate()})",
            f"{self.evaluations} evaluations of `f`, {self.seconds:.3g} s",
        ]

    def worst_ones(self, count: int) -> list[Comparison]:
        """Return the entries that differ most, followed by the worst directions."""

        def ranked(comparisons: Sequence[Comparison]) -> list[Comparison]:
            return sorted(comparisons, key=lambda c: -c.excess)

        return (ranked(self.entries) + ranked(self.directions))[:count]

    def written(self, compared: Comparison) -> str:
        """Return the name of an entry as the caller would write it: ``x['W'][2, 3]``.

        For a slope along a random direction the result is its description.
        """
        return entry_name(self.name, compared.index)

    def _counts(self) -> str:
        counts = []
        if self.directions:
            counts.append(_count(len(self.directions), "random direction"))
        if self.entries:
            counts.append(_count(len(self.entries), "entry", "entries"))
        return f"compared {' and '.join(counts) or 'nothing'}"

    def _meaning_of_rate(self) -> str:
        if math.isnan(self.taylor_rate):
            return "the remainder is not finite, or smaller than rounding errors"
        return f"a correct {self.kind} gives 2, a wrong one 1"


def failure_message(report: GradientReport) -> str:
    """Return the report below one line that says the most important in a summary."""
    texts = filter(None, (report.verdict.upper(), _worst_slope(report) or report.hint))
    return f"{report.kind} check: {', '.join(texts)}\n\n{report}"


def _worst_slope(report: GradientReport) -> str:
    """Say what the worst entry is and was measured; else the worst direction."""
    worst = report.worst
    if worst is None:
        worst = next(iter(report.worst_ones(1)), None)
    if worst is None:
        return ""
    slope = "the slope along " if isinstance(worst.index, str) else ""
    values = f"is {worst.given:.8g}, measured {worst.measured:.8g}"
    return f"{slope}{report.written(worst)} {values}"


def entry_name(name: str, index: Any) -> str:
    """Return the name of an entry as the caller would write it: ``x['W'][2, 3]``."""
    if isinstance(index, str):
        return index
    # An index of an array holds integers alone; with a path, it is the last element.
    if all(isinstance(axis, int) for axis in index):
        return name + (f"[{', '.join(map(str, index))}]" if index else "")
    *path, last = index
    return entry_name(name + "".join(f"[{key!r}]" for key in path), last)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _table(name: str, rows: Sequence[Comparison]) -> list[str]:
    """Lay out comparisons in aligned columns, one line for each, below a header."""
    cells = _cells(name, rows)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in cells
    ]


def _cells(name: str, rows: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return the texts of a table of comparisons, the header first."""
    header = ("slope along", "given", "measured", "difference", "tolerance", "")
    return [
        header,
        *(
            (
                entry_name(name, row.index),
                f"{row.given:.8g}",
                f"{row.measured:.8g}",
                f"{abs(row.given - row.measured):.2g}",
                f"{row.allowed:.2g}",
                "<--" if row.excess > 1 else "",
            )
            for row in rows
        ),
    ]


def _html_line(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    joined = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{joined}</tr>"
