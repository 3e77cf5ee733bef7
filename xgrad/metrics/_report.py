"""The report of classification: a mapping that prints as a table."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# The averages that a report shows.
AVERAGED: tuple[Literal["macro", "weighted"], ...] = ("macro", "weighted")
COLUMNS = ("precision", "recall", "f1", "support")


@dataclass(frozen=True, eq=False)
class ClassificationReport(Mapping[str, Any]):
    """Precision, recall, F1 and support of each class, averages, and the accuracy.

    It is a mapping: for each class, and for the averages ``"macro"`` and
    ``"weighted"``, ``report[name]`` is a dict of ``precision``, ``recall``, ``f1`` and
    ``support`` (the number of its rows, or their weight), and ``report["accuracy"]`` is
    a number; all of them are Python numbers. ``print`` shows it as a table, and so does
    a notebook.
    """

    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the values of a class or of an average, or the accuracy."""
        return self.data[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the classes and averages."""
        return iter(self.data)

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self.data)

    def __repr__(self) -> str:
        """Return the table, which is what an interactive session shows."""
        return str(self)

    def __str__(self) -> str:
        """Return the table as text, a line for each class and average."""
        lines = self._lines()
        width = max(len(name) for name, *_ in lines)
        return "\n".join(
            f"{name:>{width}}" + "".join(f"{cell:>11}" for cell in cells)
            for name, *cells in lines
        )

    def _repr_html_(self) -> str:
        """Return the table for notebooks."""
        head, *body = (
            [f"<th>{html.escape(name)}</th>", *(f"<td>{cell}</td>" for cell in cells)]
            for name, *cells in self._lines()
        )
        rows = "".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
        titles = f"<thead><tr>{''.join(head)}</tr></thead>"
        return f"<table>{titles}<tbody>{rows}</tbody></table>"

    def _lines(self) -> list[list[str]]:
        """Return the cells of each line of the table, the first with the columns."""
        lines = [["", *COLUMNS]]
        for name, row in self.data.items():
            if isinstance(row, dict):
                ratios = [f"{row[column]:.4f}" for column in COLUMNS[:3]]
                # Counts have no decimals, weights may.
                lines.append([name, *ratios, f"{row['support']:.6g}"])
        return [*lines, ["accuracy", f"{self.data['accuracy']:.4f}"]]


def class_names(names: Any, num_classes: int) -> list[str]:
    """Return a different name for each class; by default their numbers."""
    if names is None:
        names = range(num_classes)
    try:
        # One more than is needed tells too many, of an endless iterator as well.
        labels = [str(name) for name in itertools.islice(names, num_classes + 1)]
    except TypeError:
        raise TypeError(f"`names` must be {num_classes} names; got {names!r}") from None
    reserved = {*AVERAGED, "accuracy"}  # other keys of the report
    if len({*labels} - reserved) != num_classes or len(labels) > num_classes:
        raise ValueError(
            f"`names` must be {num_classes} different names, none of which is "
            f"one of {sorted(reserved)}; got {names!r}"
        )
    return labels
