"""The accuracy of a derivative as the caller gets it, and how it is shown."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._arrays import common_namespace, has_values, leaves, to_numpy
from xgrad._differences.components import component_name, count_statuses
from xgrad._differences.result import Status

# As many rows as a report of a gradient check shows.
ROWS = 8


@dataclass(frozen=True, eq=False)
class Estimate:
    """The accuracy of a derivative, component by component.

    Attributes
    ----------
    error : array
        Bound of the absolute error. At least 95 of 100 true errors lie under it, for
        "central", "forward" and "backward" of functions that are smooth over the steps.
        Infinite where the value is ``nan`` or nothing is known.
    step : array
        Absolute size of the step that the value comes from; 0 for an exact one.
    status : array of int8
        Codes of `xgrad.Status`.
    evaluations : int
        Number of evaluations of the function; the points of a batch count one by one.
    method : str
        Method that was taken: "autodiff", where the value is exact and its error that
        of rounding, or that of the differences; of method "auto" either "central" or,
        where some components were taken again, "central, ladder".

    The arrays have the shape of the derivative, and are nested as ``x`` is.
    """

    error: Any
    step: Any
    status: Any
    evaluations: int
    method: str = "central"

    def __repr__(self) -> str:
        """Count the statuses, and name the worst components."""
        return _describe(self)

    def _repr_html_(self) -> str:
        """Return the worst components as a table, for notebooks."""
        return _html(self)


@dataclass(frozen=True, eq=False)
class _Component:
    """One component: its index as text, and its entries of an `Estimate`."""

    index: str
    status: Status
    error: float
    step: float


def _describe(estimate: Estimate) -> str:
    evaluations = f"{estimate.evaluations} evaluations"
    arrays = leaves(estimate.status, "")
    if not _readable(arrays):
        return f"Estimate(not computed yet; {evaluations})"
    if not any(math.prod(array.shape) for _, array in arrays):
        return f"Estimate(no components; {evaluations})"
    (worst,) = _worst(estimate, 1, by_status=False)
    at = f" at {worst.index}" if worst.index else ""
    counts = _counts(arrays)
    return f"Estimate({counts}; worst error {worst.error:.0e}{at}; {evaluations})"


def _html(estimate: Estimate) -> str:
    """Return the counts, the worst components as a table, and advice on them."""
    head = f"<p>{html.escape(_describe(estimate))}</p>"
    arrays = leaves(estimate.status, "")
    if not _readable(arrays):
        return head
    worst = _worst(estimate, ROWS, by_status=True)
    header = ("component", "status", "error", "step")
    rows = [
        (row.index, row.status.name, f"{row.error:.2g}", f"{row.step:.2g}")
        for row in worst
    ]
    lines = [_row("th", header), *(_row("td", row) for row in rows)]
    doubtful = sorted({row.status for row in worst} - {Status.OK})
    advice = (f"<p>{s.name}: {html.escape(s.advice)}</p>" for s in doubtful)
    return "\n".join([head, "<table>", *lines, "</table>", *advice])


def _row(tag: str, cells: tuple[str, ...]) -> str:
    joined = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{joined}</tr>"


def _readable(arrays: list[tuple[str, Any]]) -> bool:
    """Whether all arrays have values: nothing is computed only to be shown."""
    return all(has_values(common_namespace(x=array), array) for _, array in arrays)


def _counts(arrays: list[tuple[str, Any]]) -> str:
    """Return how many components have each status, and the first of each but OK."""
    names = [name for name, _ in arrays]
    counts = count_statuses([to_numpy(array) for _, array in arrays])
    texts = []
    for status, (count, leaf, index) in counts.items():
        at = component_name(names[leaf], index)
        if status == Status.OK or not at:
            texts.append(f"{count} {status.name}")
        else:
            place = f"at {at}" if count == 1 else f"(the first at {at})"
            texts.append(f"{count} {status.name} {place}")
    return ", ".join(texts)


def _worst(estimate: Estimate, count: int, *, by_status: bool) -> list[_Component]:
    """Return the components of the largest error, if asked those first that fail."""
    fields = [
        [to_numpy(array) for _, array in leaves(field)]
        for field in (estimate.status, estimate.error, estimate.step)
    ]
    names = [name for name, _ in leaves(estimate.status, "")]
    components = []
    for name, status, error, step in zip(names, *fields, strict=True):
        keys = [-error.reshape(-1), status.reshape(-1) == Status.OK]
        # Of each array as many as of all, since all may lie in one of them.
        for position in np.lexsort(keys if by_status else keys[:1])[:count]:
            index = np.unravel_index(position, status.shape)
            entries = Status(int(status[index])), float(error[index])
            text = component_name(name, index)
            components.append(_Component(text, *entries, float(step[index])))
    components.sort(key=lambda row: (by_status and row.status == Status.OK, -row.error))
    return components[:count]
