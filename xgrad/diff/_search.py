"""The search for a way to record a function that proves right, which is remembered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    Array,
    has_standin,
    is_lazy,
)
from xgrad._autodiff import ChangedConstantError
from xgrad._evaluation import (
    SMALL_BYTES,
    Function,
    keep_released_memory,
    ways_of_function,
)
from xgrad._tracing import IN, NotTraceableError
from xgrad.diff._attempts import (
    ATTEMPTS,
    NATIVE,
    PLAIN,
    Attempt,
    Inexact,
    Refused,
    has_rules,
    is_inside,
)
from xgrad.diff._proof import Disagreement
from xgrad.diff._ties import has_ties, ties_at

# Environment variable: "1" proves every call, not the first one alone.
PROVE = "XGRAD_PROVE"

UNUSED = (
    "`f` did not use its argument: the textbook's `lambda W: net.loss(x, t)` relies on "
    "the array being changed in place, which xgrad never does; write `def f(W): "
    "net.W = W; return net.loss(x, t)`"
)

UNCLEAR = (
    "values that are equal at x (for == or <) and at no point beside it, by which "
    "`f` may choose, and slopes by differences that do not confirm the exact one: move "
    "x, or give the branch its own slope"
)


class Comparison(NamedTuple):
    """The difference of a result from plain calls, if there is one, and their number.

    It ``is_doubted`` where differences disagree, and are themselves too uncertain.
    """

    difference: Disagreement | None
    evaluations: int
    is_doubted: bool = False


class Exact(NamedTuple):
    """A recording that was proved, and how it was made.

    ``value`` is the result as floats, and ``evaluations`` counts those so far.
    """

    recording: Any
    value: Array
    evaluations: int
    attempt: Attempt


def first_right(
    function: Function,
    kind: str,
    run: Callable[[Attempt], Any],
    compare: Callable[[Attempt, Any, Array], Comparison],
) -> Exact:
    """Run a function in the first way that proves right, which is remembered.

    Raise `Inexact` if there is none. ``run`` makes one attempt, and ``compare`` takes
    the attempt, its result and f(x): it says what is wrong, and by how many evaluations
    it knows. What is remembered is that of a ``kind`` of derivative.
    """
    if not _can_be_proved(function):
        result = run(PLAIN)
        return Exact(result, value_of(function, result), 1, PLAIN)
    if any(x.nbytes > SMALL_BYTES for x in function.leaves if hasattr(x, "nbytes")):
        keep_released_memory()
    search = Search(function, _key(kind, function), run, compare)
    before = search.memory.find(search.key)
    if type(before) is Refused and not search.proves_always:
        raise Inexact(before.reason, before.disagrees, was_told=True)
    for attempt in _attempts_after(before, function):
        exact = search.make(attempt)
        if exact is not None:
            return exact
        if search.is_here_alone and attempt is before:
            break
    raise search.failure()


def _can_be_proved(function: Function) -> bool:
    """Whether there are values to compare, and nobody else to compare them.

    Where a function is being recorded its derivative is proved, and this one with it.
    """
    if is_inside() or any(map(has_standin, function.leaves)):
        return False
    return not is_lazy(function.xp, function.leaves[0])


def _attempts_after(before: Any, function: Function) -> Iterator[Attempt]:
    """Iterate over the attempts, with the one that proved right before as the first.

    Another branch may need another one.
    """
    if type(before) is Attempt:
        yield before
    for attempt in ATTEMPTS if has_rules(function) else NATIVE:
        if attempt is not before:
            yield attempt


class Search:
    """The search for a way to record a function that proves right.

    ``refused`` is the reason why there is none so far, and ``is_here_alone`` tells that
    it holds at this point only. Arguments are those of `first_right`.
    """

    def __init__(
        self,
        function: Function,
        key: Any,
        run: Callable[[Attempt], Any],
        compare: Callable[[Attempt, Any, Array], Comparison],
    ) -> None:
        self.function, self.key, self.run, self.compare = function, key, run, compare
        self.memory = ways_of_function(function.call)
        self.proves_always = os.environ.get(PROVE) == "1"
        self.refused: Refused | None = None
        self.evaluations = 0
        self.is_here_alone = False
        # The reaches of attempts that were refused, which copies do not change.
        self.without: set[Any] = set()

    def make(self, attempt: Attempt) -> Exact | None:
        """Make an attempt; return None if it is refused or does not prove right."""
        if self.without and attempt.reach in self.without:
            return None
        try:
            result = self.run(attempt)
        except NotTraceableError as error:
            if self.refused is None or _tells_more(error, attempt, self.refused):
                self.refused = Refused(reason_of(error))
            self.without.add(attempt.reach)
            return None
        self.evaluations += 1
        value = value_of(self.function, result)
        branch = (*self.key, result.path)
        known = self.memory.find(branch) is attempt and not self.proves_always
        if known and not _needs_proof(result, attempt, self.function, branch):
            return Exact(result, value, self.evaluations, attempt)
        if not self._proves(attempt, result, value):
            return None
        self.memory.remember(self.key, attempt)
        _remember(self.memory, branch, attempt, ties_at(result, attempt, self.function))
        return Exact(result, value, self.evaluations, attempt)

    def _proves(self, attempt: Attempt, result: Any, value: Array) -> bool:
        """Compare the result of an attempt with plain calls."""
        try:
            difference, count, is_doubted = self.compare(attempt, result, value)
        except ChangedConstantError as error:
            self.refused = self.refused or Refused(reason_of(error))
            return False
        except NotTraceableError as error:
            raise Inexact(reason_of(error)) from None
        self.evaluations += count
        if difference is None and not is_doubted:
            return True
        self.is_here_alone = has_ties(result, attempt, self.function)
        if difference is None and not self.is_here_alone:
            return True
        # Where values are equal at x alone, a slope has to be beyond doubt.
        reason = UNCLEAR
        if difference is not None:
            reason = _explain(difference, self.is_here_alone)
        self.refused = self.refused or Refused(reason, disagrees=True)
        return False

    def failure(self) -> Inexact:
        """Return the reason why no attempt proved right, which is remembered."""
        assert self.refused is not None
        if not self.is_here_alone:
            self.memory.remember(self.key, self.refused)
        return Inexact(self.refused.reason, self.refused.disagrees)


def _tells_more(error: NotTraceableError, attempt: Attempt, before: Refused) -> bool:
    """Whether a refusal names what stands in the way of all attempts.

    Where the Python code of packages is copied, that is their compiled code.
    """
    return attempt.libraries and error.place.startswith(IN) and not before.disagrees


def _remember(memory: Any, branch: Any, attempt: Attempt, ties: Any) -> None:
    """Remember that a branch was proved, and at which ties."""
    memory.remember(branch, attempt)
    if ties is not None:
        memory.remember((*branch, "ties"), ties)


def _needs_proof(
    result: Any, attempt: Attempt, function: Function, branch: Any
) -> bool:
    """Whether what was proved for the rules in use may not hold here."""
    if getattr(result, "has_changed", False) or getattr(result, "reads_text", False):
        return True
    ties = ties_at(result, attempt, function)
    if ties is None or not ties.are_here_alone:
        return False
    return bool(ways_of_function(function.call).find((*branch, "ties")) != ties)


def disagreement_of(
    function: Function,
    kind: str,
    attempt: Attempt,
    run: Callable[[Attempt], Any],
    compare: Callable[[Attempt, Any, Array], Comparison],
) -> Disagreement | None:
    """Return how one way to run a function differs from plain calls; None if it agrees.

    Arguments and memory are those of `first_right`.
    """
    memory, key = ways_of_function(function.call), _key(kind, function)
    result = run(attempt)
    branch = (*key, result.path)
    known = memory.find(branch) is attempt and os.environ.get(PROVE) != "1"
    if known and not _needs_proof(result, attempt, function, branch):
        return None
    difference = compare(attempt, result, value_of(function, result)).difference
    if difference is None:
        ties = ties_at(result, attempt, function)
        _remember(memory, branch, attempt, ties)
    return difference


def value_of(function: Function, recording: Any) -> Array:
    """Return the result of a recording as floats; raise if f uses nothing of x."""
    value = function.convert_result(recording.result)
    if recording.is_constant and not recording.uses_argument:
        raise ValueError(UNUSED)
    return value


def reason_of(error: NotTraceableError) -> str:
    return f"{error.idiom}{error.place}" + (error.remedy and f": {error.remedy}")


def _explain(difference: Disagreement, is_at_equality: bool = False) -> str:
    exact, measured = difference.exact, difference.measured
    if difference.quantity == "value":
        return (
            f"a value of `f` that is {exact:.9g} where x is recorded, and "
            f"{measured:.9g} for a plain array: `f` looks at the type of x, draws "
            "random numbers, or changes between two calls; write it without"
        )
    cause = (
        "`f` asks whether values are equal (==, != or bool), as they are at x and at "
        "no point beside it; ask for an order, or give the branch its own slope"
        if is_at_equality
        else "a value has left the record of `f` (by a conversion to a plain number), "
        "a constant was changed after its use, or a `custom_vjp` is wrong; check it by "
        "`check_gradient` or `check_vjp`"
    )
    return (
        f"a {difference.quantity} along a random direction that is {exact:.9g} by the "
        f"rules and {measured:.9g} by differences: {cause}"
    )


def _key(kind: str, function: Function) -> Any:
    """Return the key of what is remembered: namespace, shapes and dtypes."""
    leaves = tuple((x.shape, _name_of(x.dtype)) for x in function.leaves)
    return kind, function.xp.__name__, leaves, function.batched


def _name_of(dtype: Any) -> Any:
    return dtype.num if isinstance(dtype, np.dtype) else str(dtype)
