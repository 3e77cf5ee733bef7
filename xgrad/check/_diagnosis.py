"""The common mistakes in gradients, recognised from the slopes that differ."""

from __future__ import annotations

import math

import numpy as np

from xgrad._arrays import cast
from xgrad.check._failed import FailedArray, explains
from xgrad.check._places import wrong_order, wrong_place

# A guard against division by 0 or log(0), such as 1e-7 beside a probability, changes
# slopes by less than this part of them, and a mistake rarely does.
GUARD = 1e-5
# A factor counts as a number with a meaning if it is this close to it: as close as
# single precision can tell, whose default tolerance is 1e-3.
NEAR = 1e-3
# A factor that is no size of an array counts as an integer n if it is within 1e-6 of
# it, relatively. Any number has the probability 2e-6 n to be so close to one: above
# 1e5 that would be no coincidence any more.
VERY_NEAR, LARGEST_COUNT = 1e-6, 1e5


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
            or wrong_order(array)
            or wrong_place(array)
            or _wrong_penalty(array)
            or _small_difference(array)
        )


def _wrong_factor(array: FailedArray) -> str:
    """Describe the factor between all analytic slopes and all measured ones, if any."""
    analytic, measured = array.judged.slopes.analytic, array.judged.slopes.measured
    if not np.any(measured):
        return f"`f` does not depend on {array.name}, but {array.subject} is not 0"
    # By least squares: the c for which c * measured is closest to the analytic slopes.
    factor = float(analytic @ measured / (measured @ measured))
    if not explains(array, analytic / factor if factor else analytic):
        return ""
    if abs(factor - 1) < GUARD:
        return _guarded(array, abs(factor - 1))
    shapes = [tuple(x.shape) for x in array.checked.leaves]
    sizes = {math.prod(array.x.shape), array.checked.outputs}.union(*shapes)
    return f"{array.subject} {_describe_factor(factor, sizes)}"


def _small_difference(array: FailedArray) -> str:
    """Say that all slopes are nearly right, if they are."""
    analytic, measured = array.judged.slopes.analytic, array.judged.slopes.measured
    share = float(np.max(np.abs(analytic - measured)) / np.max(np.abs(measured)))
    return _guarded(array, share) if share < GUARD else ""


def _guarded(array: FailedArray, share: float) -> str:
    # Twice the difference, as a margin, rounded up to a power of ten.
    rtol = 10.0 ** math.ceil(math.log10(2 * share))
    return (
        f"{array.subject} differs from the measured one by {share:.1g} of itself, as a "
        "guard does that only `f` has, such as 1e-7 in a logarithm: leave it out of "
        f"`f`, or pass rtol={rtol:.0e}"
    )


def _wrong_penalty(array: FailedArray) -> str:
    """Say that the difference is a multiple of the array, if it is.

    Fewer than three entries are easily a multiple by chance.
    """
    if array.checked.outputs > 1 or math.prod(array.x.shape) < 3:
        return ""
    slopes = array.judged.slopes
    along = array.slopes_of(cast(array.checked.xp, array.x, array.given.dtype))
    # By least squares, as in `_wrong_factor`.
    multiple = float((slopes.analytic - slopes.measured) @ along / (along @ along))
    if not explains(array, slopes.analytic - multiple * along):
        return ""
    return (
        f"{array.subject} differs from the measured one by {multiple:.6g} * "
        f"{array.name}: is the slope of a penalty missing a factor? That of "
        "`c * sum(x**2)` is `2 * c * x`"
    )


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
