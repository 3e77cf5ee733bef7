"""The common mistakes in gradients, recognised from the slopes that differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xgrad._arrays import Array, cast, to_numpy
from xgrad.check._conclusion import JudgedSlopes
from xgrad.check._directions import leave_out
from xgrad.check._report import entry_name
from xgrad.check._slopes import CheckedFunction
from xgrad.check._verdict import Outcome, Tolerances, judge_directions

# A mistake explains the differences if it leaves at most this share of the largest one
# (and the error bounds). Set by trial.
UNEXPLAINED = 0.02
# A factor counts as a number with a meaning if it is this close to it: as close as
# single precision can tell, whose default tolerance is 1e-3.
NEAR = 1e-3
# A factor that is no size of an array counts as an integer n if it is within 1e-6 of
# it, relatively. Any number has the probability 2e-6 n to be so close to one: above
# 1e5 that would be no coincidence any more.
VERY_NEAR, LARGEST_COUNT = 1e-6, 1e5


@dataclass(frozen=True, eq=False)
class FailedArray:
    """An array (``name``) whose slopes ``judged`` along ``directions`` differ.

    ``worst`` is the position in C order of the entry that differs most, and ``wrong``
    are the positions of all entries that differ; None if they were not measured.
    """

    checked: CheckedFunction
    tolerances: Tolerances
    name: str
    directions: Sequence[Array]
    judged: JudgedSlopes
    worst: int | None
    wrong: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.checked.leaves[self.judged.leaf].shape)

    @property
    def gradient(self) -> Array:
        """The analytic gradient with respect to the array."""
        return self.checked.analytic[self.judged.leaf][0, ...]

    @property
    def subject(self) -> str:
        """The subject of a sentence about the given gradient."""
        return f"the given gradient with respect to {self.name}"


def diagnose(array: FailedArray) -> str:
    """Return a sentence about the common mistake that fits, or "" if none does."""
    slopes = array.judged.slopes
    if not np.all(np.isfinite(slopes.analytic)):
        return f"{array.subject} is not finite"
    if not np.any(slopes.typical):
        return f"{array.subject} is 0 everywhere: was it never filled in?"
    with np.errstate(all="ignore"):
        return (
            _wrong_factor(array)
            or _wrong_order(array)
            or _wrong_place(array)
            or _wrong_penalty(array)
        )


def _wrong_factor(array: FailedArray) -> str:
    """Describe the factor between all analytic slopes and all measured ones, if any."""
    analytic, measured = array.judged.slopes.analytic, array.judged.slopes.measured
    if not np.any(measured):
        return f"`f` does not depend on {array.name}, but {array.subject} is not 0"
    # By least squares: the c for which c * measured is closest to the analytic slopes.
    factor = float(analytic @ measured / (measured @ measured))
    if not _explains(array, analytic / factor if factor else analytic):
        return ""
    shapes = [tuple(x.shape) for x in array.checked.leaves]
    sizes = {math.prod(array.shape)}.union(*shapes)
    return f"{array.subject} {_describe_factor(factor, sizes)}"


def _explains(array: FailedArray, slopes: np.ndarray) -> bool:
    """Whether the measured slopes are these, up to a small share of the difference."""
    measured, error = array.judged.slopes.measured, array.judged.slopes.error
    difference = np.max(np.abs(array.judged.slopes.analytic - measured))
    allowed = UNEXPLAINED * difference + error
    return bool(np.all(np.abs(slopes - measured) <= allowed))


def _describe_factor(factor: float, sizes: set[int]) -> str:
    def near(number: float, within: float = NEAR) -> bool:
        return abs(factor / number - 1) <= within

    if near(-1):
        return "has the wrong sign"
    if near(2):
        return (
            "is twice the measured one: does `f` have a factor 1/2 that the gradient "
            "lacks?"
        )
    if near(0.5):
        return "is half the measured one: did you forget the factor 2 of a square?"
    # The number of rows of the data inside `f` is unknown: it may be any integer.
    counts = dict.fromkeys(sizes, NEAR)
    for number in (factor, 1 / factor):
        if 2 < number < LARGEST_COUNT:
            counts.setdefault(round(number), VERY_NEAR)
    for count, within in counts.items():
        if count > 1 and near(count, within):
            return (
                f"is {count} times the measured one: did you forget the 1/{count} of "
                "a mean?"
            )
        if count > 1 and near(1 / count, within):
            return (
                f"is 1/{count} of the measured one: do you divide by {count} in the "
                "gradient but not in `f`?"
            )
    return f"is {factor:.6g} times the measured one"


def _wrong_order(array: FailedArray) -> str:
    """Say that a matrix is transposed, if the transposed one agrees."""
    if len(array.shape) < 2:
        return ""
    xp, analytic = array.checked.xp, array.gradient
    # Correct values in the wrong order fill the memory of the transposed shape.
    transposed = xp.permute_dims(
        xp.reshape(analytic, array.shape[::-1]), tuple(range(analytic.ndim))[::-1]
    )
    if not _explains(array, _along_directions(array, transposed)):
        return ""
    return f"{array.subject} is transposed"


def _along_directions(array: FailedArray, gradient: Array) -> np.ndarray:
    """Return the slopes that a gradient has along the directions."""
    xp = array.checked.xp
    slopes = [xp.sum(gradient * cast(xp, d, gradient.dtype)) for d in array.directions]
    return to_numpy(xp.stack(slopes)).astype(np.float64)


def _wrong_penalty(array: FailedArray) -> str:
    """Say that the difference is a multiple of the array, if it is.

    Fewer than three entries are easily a multiple by chance.
    """
    if math.prod(array.shape) < 3:
        return ""
    slopes = array.judged.slopes
    along = _along_directions(array, array.checked.leaves[array.judged.leaf])
    # By least squares, as in `_wrong_factor`.
    multiple = float((slopes.analytic - slopes.measured) @ along / (along @ along))
    if not _explains(array, slopes.analytic - multiple * along):
        return ""
    return (
        f"{array.subject} differs from the measured one by {multiple:.6g} * "
        f"{array.name}: is the slope of a penalty missing a factor? That of "
        "`c * sum(x**2)` is `2 * c * x`"
    )


def _wrong_place(array: FailedArray) -> str:
    """Name the entry, row or column without which everything agrees."""
    if array.worst is None or math.prod(array.shape) == 1:
        return ""
    index = tuple(map(int, np.unravel_index(array.worst, array.shape)))
    places: list[tuple[int | None, int, str]] = [
        (None, array.worst, entry_name(array.name, index))
    ]
    if len(array.shape) > 1:
        first, last = f"{index[0]}, ...", f"..., {index[-1]}"
        places += [
            (axis, index[axis], f"{array.name}[{place}]")
            for axis, place in ((0, first), (-1, last))
            if array.shape[axis] > 1
        ]
    for axis, at, name in places:
        if _differs_only_at(array, axis, at):
            return f"all of the difference lies in {name}"
    return ""


def _differs_only_at(array: FailedArray, axis: int | None, at: int) -> bool:
    """Whether all slopes agree but those at one index of an axis, or at one entry."""
    if array.wrong is not None:
        places = array.wrong
        if axis is not None:
            places = np.unravel_index(array.wrong, array.shape)[axis]
        return bool(np.all(places == at))
    checked, judged = array.checked, array.judged
    direction = array.directions[int(np.argmax(judged.excess))]
    rest = leave_out(checked.xp, direction, axis, at)
    slopes = checked.slopes_along([(judged.leaf, rest)])
    return judge_directions(slopes, array.tolerances).all(Outcome.AGREES)
