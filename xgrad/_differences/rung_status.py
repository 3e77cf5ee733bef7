"""The case against an answer of a ladder: corners, pieces, no convergence."""

from __future__ import annotations

from typing import Any

from xgrad._arrays import Array
from xgrad._differences.rung_choice import Choice, pick, rung_numbers
from xgrad._differences.rung_values import RungValues

# A value is unresolved where rungs differ by more than these parts of the slope over
# the largest step, and of the value itself. The first spares slopes of 0, of which any
# error is a large part; the second is the relative error from which the benchmarks
# call an error silent.
TOP_SHARE = 1e-3
VALUE_SHARE = 1e-4

# From one rung to the next smaller one, the difference of the slopes of both sides
# falls by the ratio, to 1/4 or 1/8, where `f` is smooth; it stays at a corner, and
# grows at a jump. A half lies between. It was right on all of 15 functions, among them
# a leaky ReLU with the slopes 0.99 and 1, x**3, exp(300 x), sin(1000 x) and a Huber
# loss.
CORNER_STAYS = 0.5
# The difference of both slopes weighs values by 1, -2 and 1: four times the noise of
# one over the step, and a corner must be twice that.
CORNER_NOISE = 2
# What is left of `f` beside the line of the answer grows at most by this power of the
# ratio from a rung to the next: it begins with the second power, or with the third
# where the curvature is 0. More, and not as much again on the next rung, is an edge.
SMOOTH_POWER = 3.5
ONCE_MORE = 2.0
# Rounding tears a piece out of a slope that has nothing to do with it: beyond the edge
# the slope differs by more than this part of the answer. Cells of a table of lines
# differ by less.
OTHER_SLOPE = 0.5
# Beyond the edges of a piece that rounding made, `f` bends by as much on all rungs, as
# noise does; beyond a corner it bends in proportion to the step. The root of the step
# lies between, with so much to spare for chance.
CHANCE = 4.0


def is_unresolved(choice: Choice, slopes: Array) -> Array:
    """Return whether the quotients do not converge.

    Then the differences between rungs, and not rounding, make the error; it is no small
    part of the slope over the largest step; and it is as large as the value, or still
    there at the smallest step.
    """
    xp, error = choice.xp, choice.error
    size, top = xp.abs(choice.value), _first_finite(xp, xp.abs(slopes))
    # Counting starts at 0, and the smallest rung serves for comparison only.
    smallest = choice.rung == slopes.shape[0] - 2
    return (
        (choice.scatter > choice.rounding)
        & (error > TOP_SHARE * top)
        & ((error > size) | (smallest & (error > VALUE_SHARE * size)))
    )


def find_corner(
    xp: Any, corner: Array, noise: Array, rung: Array
) -> tuple[Array, Array]:
    """Return whether derivatives of both sides differ at x itself, and by how much.

    ``corner`` is their difference on all rungs, with its ``noise``, and ``rung`` that
    of the answer: if all that show it are larger, `f` has a corner beside x.
    """
    # Of a smooth function it falls with the step, at a corner it stays, at a jump it
    # grows: down to the smallest rung on which noise does not hide it.
    numbers = rung_numbers(xp, corner.shape[0], rung)
    smallest = _last(xp, numbers, corner > CORNER_NOISE * noise)
    near, far = pick(xp, corner, smallest), pick(xp, corner, smallest - 1)
    return (smallest >= rung) & (near > CORNER_STAYS * far), near


def find_piece(
    values: RungValues, choice: Choice, slopes: Array
) -> tuple[Array, Array]:
    """Return whether the answer is that of a piece of ``f`` alone, and of which error.

    Rounding inside ``f``, in a difference that is then divided by a small number, cuts
    it into smooth pieces, the slopes of which mean nothing. A piece has two edges, and
    beyond them ``f`` scatters about another slope. So does a function of period far
    below the steps; both are left open.
    """
    xp, ratio = values.xp, values.ratio
    numbers = rung_numbers(xp, slopes.shape[0], choice.rung)
    least = values.noise_across
    edges, rests = [], []
    for change, step, sign in zip(values.changes, values.steps, (1, -1), strict=True):
        rest = xp.abs(change - sign * choice.value * step)
        smooth = ratio**SMOOTH_POWER * xp.maximum(rest[1:, ...], least[1:, ...])
        once_more = rest[:-2, ...] > ratio**ONCE_MORE * rest[1:-1, ...]
        edge = rest[1:-1, ...] > smooth[1:, ...]
        above = numbers[1:-1, ...] <= choice.rung
        edges.append(_last(xp, numbers[1:-1, ...], edge & ~once_more & above))
        rests.append(rest)
    nearest, other = xp.maximum(*edges), xp.minimum(*edges)
    beyond = xp.abs(pick(xp, slopes, nearest) - choice.value)
    bend = pick(xp, xp.maximum(*rests), nearest)
    way = xp.astype(nearest, bend.dtype)
    noisy = values.bends[0, ...] <= CHANCE * bend * ratio ** (way / 2)
    differs = beyond > OTHER_SLOPE * xp.abs(choice.value)
    return (other > 0) & differs & noisy, beyond


def _last(xp: Any, numbers: Array, where: Array) -> Array:
    """Return the largest of the numbers where a mask holds, 0 if it holds nowhere."""
    return xp.max(xp.where(where, numbers, 0), axis=0)


def _first_finite(xp: Any, values: Array) -> Array:
    """Return the first finite entry along the first axis, 0 if there is none."""
    finite = xp.isfinite(values)
    first = xp.argmax(xp.astype(finite, xp.int8), axis=0)
    return pick(xp, xp.where(finite, values, 0.0), first)
