"""Notes on exceptions: the point at which the caller's function raised them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xgrad._arrays import Array
from xgrad._evaluation.chunk import Chunk
from xgrad._evaluation.points import Points


def note_at(description: str) -> str:
    """Return the note for an exception that the function raised at a point."""
    return f"xgrad was evaluating `f` at {description}"


def note_in(points: Points, chunk: Chunk, index: int | None) -> str:
    """Return the note for an exception at one point of a chunk, or at all of them."""
    row, column = divmod(index or 0, chunk.stop - chunk.start)
    offset = points.offsets[chunk.first + row]
    try:
        description = describe_point(points, chunk.start + column, offset)
    # The coordinates may lie on a device that has just failed; whatever reading them
    # raises must not take the place of the caller's exception.
    except Exception:
        description = f"column {chunk.start + column} of {points.name}, {offset} steps"
    if index is None and chunk.size > 1:
        description = f"{chunk.size} points at once, the first with {description}"
    return note_at(description)


def describe_point(points: Points, column: int, offset: int) -> str:
    """Name the entries that a point moves, and say by how much."""
    xp, name = points.xp, points.name
    labels = [int(ids[column]) for ids in points.columns]
    moves = points.coordinates_at(offset) - points.base
    if points.by_entries:
        moves = xp.reshape(moves, (-1,))
        return " and ".join(
            describe_move(name, label, points.base.shape, moves[label])
            # A pair on the diagonal of a Hessian is one entry twice.
            for label in dict.fromkeys(labels)
        )
    at_most = f"moved by up to {float(xp.max(xp.abs(moves))):.3g}"
    if points.column_of_entry is None:
        return f"{name} {at_most} in every entry"
    if points.lead:
        return f"{name}[..., {labels[0]}] {at_most}"
    return f"{name} {at_most} in the entries of colour {labels[0]}"


def describe_move(name: str, position: int, shape: Sequence[int], move: Array) -> str:
    """Name the entry at a position of the flattened array, and its move."""
    index = np.unravel_index(position, tuple(shape))
    entry = f"{name}[{', '.join(map(str, index))}]" if index else name
    number = complex(move)
    size = f"{number.imag:.3g}j" if number.imag else f"{number.real:.3g}"
    return f"{entry} moved by {size}"
