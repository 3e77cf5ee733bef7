"""The warning of components that are not OK, for callers who take no `Estimate`."""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Sequence

from xgrad._arrays import common_namespace, has_values, shows_statuses, to_numpy
from xgrad._differences.components import component_name, count_statuses
from xgrad._differences.result import Result, Status
from xgrad._evaluation import caller_level

# Writes the index of a component, in the array of this number, as the caller would.
ComponentName = Callable[[int, tuple[int, ...]], str]


def warn_unless_ok(
    quantity: str,
    results: Sequence[Result],
    name: ComponentName,
    remedy: str = "full_output=True returns all statuses instead of this warning",
) -> None:
    """Warn once if a component of some results is not OK.

    The warning counts such components of the ``quantity``, and names the first one and
    its status. It ends with the advice of the status, and with a ``remedy`` that shows
    the others.
    """
    unseen = [result.status for result in results if result.status is not None]
    if not unseen or not shows_statuses():
        return
    xp = common_namespace(status=unseen[0])
    if not all(has_values(xp, status) for status in unseen):
        return
    # One look from the host for all arrays.
    failing = [xp.any(status != int(Status.OK)) for status in unseen]
    if bool(functools.reduce(operator.or_, failing)):
        message = _message(quantity, results, name)
        warnings.warn(
            "; ".join(filter(None, (message, remedy))),
            RuntimeWarning,
            stacklevel=caller_level(),
        )


def _message(quantity: str, results: Sequence[Result], name: ComponentName) -> str:
    codes = [to_numpy(result.with_status().status) for result in results]
    counts = count_statuses(codes)
    counts.pop(Status.OK, None)
    first = min(counts, key=lambda status: counts[status][1:])
    where = f"{first.name} at {name(counts[first].leaf, counts[first].entry)}"
    total = sum(array.size for array in codes)
    if total == 1:
        return f"the {quantity} is not OK ({where}): {first.advice}"
    number = sum(count.number for count in counts.values())
    verb = "is" if number == 1 else "are"
    the_first = "" if number == 1 else "the first: "
    return (
        f"{number} of {total} components of the {quantity} {verb} not OK "
        f"({the_first}{where}): {first.advice}"
    )


def entries_of(names: Sequence[str]) -> ComponentName:
    """Return the names of components that are shaped like the arrays of ``x``."""
    return lambda leaf, index: component_name(names[leaf], index)
