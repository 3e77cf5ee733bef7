"""Mistakes of order and of place: right numbers elsewhere, or one that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from xgrad._arrays import Array
from xgrad.check._arguments import unravel
from xgrad.check._directions import leave_out
from xgrad.check._failed import FailedArray, explains
from xgrad.check._report import entry_name
from xgrad.check._verdict import Outcome, judge_directions


def wrong_order(array: FailedArray) -> str:
    """Say how the entries are out of order, if in another order they agree."""
    for text, derivatives in _reordered(array):
        if explains(array, array.slopes_of(derivatives)):
            return f"{array.subject} is {text}"
    entries = array.entries
    if entries is None or not array.complete or len(entries.slopes.analytic) < 2:
        return ""
    slopes = entries.slopes
    order, right_order = np.argsort(slopes.analytic), np.argsort(slopes.measured)
    difference = np.abs(slopes.analytic[order] - slopes.measured[right_order])
    if np.all(difference <= entries.verdicts.allowed[right_order]):
        return f"{array.subject} has the right entries, but in another order"
    return ""


def _reordered(array: FailedArray) -> Iterator[tuple[str, Array]]:
    """Yield the given derivatives as they would be without a mistake, with its name."""
    xp, given, outputs = array.checked.xp, array.given, array.checked.outputs
    if outputs > 1:
        entries = math.prod(array.x.shape)
        if outputs == entries and array.checked.summed == 1:
            matrix = xp.reshape(given, (outputs, entries))
            yield "transposed", xp.matrix_transpose(matrix)
        return
    values, shape = given[0, ...], tuple(array.x.shape)
    if len(shape) > 1:
        # Correct values in the wrong order fill the memory of the transposed shape.
        order = tuple(range(len(shape)))[::-1]
        yield "transposed", xp.permute_dims(xp.reshape(values, shape[::-1]), order)
    yield "in reverse order", xp.flip(xp.reshape(values, (-1,)))
    for axis, size in enumerate(shape):
        along = f" along axis {axis}" if len(shape) > 1 else ""
        if size > 1:
            yield f"shifted by one entry{along}", xp.roll(values, -1, axis=axis)
            yield f"shifted back by one entry{along}", xp.roll(values, 1, axis=axis)


def wrong_place(array: FailedArray) -> str:
    """Name the entry, row or column without which everything agrees."""
    shape = array.arguments.shape_of(array.judged.leaf)
    entries = array.entries
    if entries is None or math.prod(shape) == 1 or array.checked.summed > 1:
        return ""
    flat = entries.outputs * math.prod(array.x.shape) + entries.positions
    worst = int(flat[int(np.argmax(entries.excess))])
    index = unravel(worst, shape)
    name = array.arguments.entries_name(array.judged.leaf)
    places: list[tuple[int | None, int, str]] = [(None, worst, entry_name(name, index))]
    if len(shape) > 1:
        first, last = f"{index[0]}, ...", f"..., {index[-1]}"
        places += [
            (axis, index[axis], f"{name}[{place}]")
            for axis, place in ((0, first), (-1, last))
            if shape[axis] > 1
        ]
    wrong = flat[entries.verdicts.outcomes == Outcome.DIFFERS]
    for axis, at, place in places:
        if array.complete:
            at_axis = wrong if axis is None else np.unravel_index(wrong, shape)[axis]
            is_alone = bool(np.all(at_axis == at))
        else:
            is_alone = _agrees_without(array, axis, at)
        if is_alone:
            return f"all of the difference lies in {place}"
    return ""


def _agrees_without(array: FailedArray, axis: int | None, at: int) -> bool:
    """Whether a direction agrees that does not move one index of an axis, or entry."""
    checked, judged = array.checked, array.judged
    if checked.outputs > 1:
        return False
    worst = judged.positions[int(np.argmax(judged.excess))]
    rest = leave_out(checked.xp, array.directions[worst], axis, at)
    slopes = checked.slopes_along([(judged.leaf, rest)])
    return judge_directions(slopes, array.tolerances).all(Outcome.AGREES)
