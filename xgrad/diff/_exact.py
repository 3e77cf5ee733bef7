"""The exact way to a derivative: the first attempt that proves right, remembered."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    common_namespace,
    has_standin,
    is_lazy,
    is_numpy,
    quiet,
)
from xgrad._autodiff import ChangedConstantError, Recording
from xgrad._differences import Plan, require_scalar
from xgrad._evaluation import (
    SMALL_BYTES,
    Execution,
    Function,
    caller_level,
    describe_fault,
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
    RecordingErrors,
    Refused,
    has_rules,
    is_inside,
)
from xgrad.diff._native import gradients_natively
from xgrad.diff._proof import Disagreement, Proof
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


class NotDifferentiable(TypeError):
    """The function does something that no exact derivative can be taken of.

    The message says what, in which line, and what to write instead.
    """


class Comparison(NamedTuple):
    """How a result differs from plain calls, None if it does not, and their number.

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


def record_exactly(
    function: Function,
    cotangent_of: Callable[[Array], Array],
    max_bytes: int | None = None,
) -> Exact:
    """Record a function, and prove it where it was not; raise `Inexact` if that fails.

    ``cotangent_of`` takes f(x) and returns the cotangent that weighs its entries;
    ``max_bytes`` limits the memory of the recording.
    """

    return first_right(function, *_recorded(function, cotangent_of, max_bytes))


def disagreement_of_record(
    function: Function, cotangent_of: Callable[[Array], Array], attempt: Attempt
) -> Disagreement | None:
    """Return how a record made in one way differs from plain calls; None if it agrees.

    Arguments are those of `record_exactly`.
    """
    kind, run, compare = _recorded(function, cotangent_of, None)
    return disagreement_of(function, kind, attempt, run, compare)


def _recorded(
    function: Function,
    cotangent_of: Callable[[Array], Array],
    max_bytes: int | None,
) -> tuple[str, Callable[[Attempt], Any], Callable[..., Comparison]]:
    """Return the kind of a record, how to make it, and how to compare it."""

    def run(attempt: Attempt) -> Any:
        return attempt.record(function, max_bytes)

    def compare(attempt: Attempt, recording: Any, value: Array) -> Comparison:
        cotangent = cotangent_of(value)
        proof = Proof(function, cotangent)
        difference = _disagreement(recording, value, cotangent, proof)
        return Comparison(difference, proof.evaluations, proof.is_doubted)

    # What is done again on the way back is proved to be the same.
    kind = "autodiff" if max_bytes is None else "autodiff in little memory"
    return kind, run, compare


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
        return Exact(result, _value_of(function, result), 1, PLAIN)
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
                self.refused = Refused(_reason_of(error))
            self.without.add(attempt.reach)
            return None
        self.evaluations += 1
        value = _value_of(self.function, result)
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
            self.refused = self.refused or Refused(_reason_of(error))
            return False
        except NotTraceableError as error:
            raise Inexact(_reason_of(error)) from None
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
    difference = compare(attempt, result, _value_of(function, result)).difference
    if difference is None:
        ties = ties_at(result, attempt, function)
        _remember(memory, branch, attempt, ties)
    return difference


def gradients_of(
    attempt: Attempt,
    function: Function,
    arrays: Sequence[Array],
    ignores_zeros: bool = False,
) -> list[Array]:
    """Return the gradients of a scalar function at other arrays, which may be recorded.

    Nothing is proved, and nothing repaired.
    """
    xp = common_namespace(x=arrays[0])
    function = replace(function, xp=xp, leaves=tuple(arrays))
    if not has_rules(function):
        call = attempt.call_of(function)
        with RecordingErrors(function):
            return gradients_natively(call, function.xp, arrays)
    recording = attempt.record(function)
    value = _value_of(function, recording)
    require_scalar(value)
    slopes: list[Array] = recording.pull_once(
        function.xp.ones_like(value), ignores_zeros=ignores_zeros
    )
    return slopes


def pull_exactly(
    recording: Any, cotangent: Array, ignores_zeros: bool = False
) -> list[Array]:
    """Go back over a recording; raise `Inexact` where no derivative exists."""
    try:
        return _go_back(recording, cotangent, ignores_zeros)
    except NotTraceableError as error:
        if is_inside():
            raise
        raise Inexact(_reason_of(error)) from None


def _go_back(
    recording: Any, cotangent: Array, ignores_zeros: bool = False
) -> list[Array]:
    """Return the slopes of a recording; take an error of a rule for a refusal."""
    try:
        slopes: list[Array] = recording.pull(cotangent, ignores_zeros=ignores_zeros)
    except (NotTraceableError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # The user's own backward passes, and other libraries, fail as they do.
        if not isinstance(recording, Recording) or recording.has_custom_pulls:
            raise
        raise NotTraceableError(describe_fault(error)) from error
    return slopes


def differences_instead(
    inexact: Inexact, plan: Plan, execution: Execution, x: Any
) -> tuple[Plan, Execution]:
    """Return plan and execution of the differences that are taken, after a warning.

    The reason for differences is that for a loop, of which no other warning tells.
    Raise where the caller allows nothing but an exact derivative.
    """
    if plan.method == "autodiff":
        raise not_differentiable(inexact)
    if not inexact.was_told:
        warnings.warn(
            f"xgrad takes differences of `f`, because of {inexact.reason}; or give "
            "method='central', which does not warn",
            RuntimeWarning,
            stacklevel=caller_level(),
        )
    return plan.as_differences(x), replace(execution, is_told=True)


def require_use(function: Function, slopes: Any) -> None:
    """Raise if slopes are all 0 because the function uses nothing of its argument."""
    # On a device, to look at the slopes would be to wait for them.
    if not is_numpy(function.xp) or any(map(np.count_nonzero, slopes)):
        return
    try:
        with at_perturbed_points():
            recording = PLAIN.record(function)
    except Exception:
        return  # it has done something with it that has no rule
    if recording.is_constant and not recording.uses_argument:
        raise ValueError(UNUSED)


def not_differentiable(inexact: Inexact, other: str = "method='central'") -> Exception:
    """Return the error for a caller who allows nothing but an exact derivative.

    ``other`` is how to take differences.
    """
    if inexact.disagrees:
        return ValueError(
            "the exact derivative of `f` does not agree with `f` itself: there is "
            f"{inexact.reason}"
        )
    return NotDifferentiable(
        f"`f` has no exact derivative, because of {inexact.reason}; or take "
        f"differences, {other}"
    )


def _value_of(function: Function, recording: Any) -> Array:
    """Return the result of a recording as floats; raise if f uses nothing of x."""
    value = function.convert_result(recording.result)
    if recording.is_constant and not recording.uses_argument:
        raise ValueError(UNUSED)
    return value


def _reason_of(error: NotTraceableError) -> str:
    return f"{error.idiom}{error.place}" + (error.remedy and f": {error.remedy}")


def _disagreement(
    recording: Any, value: Array, cotangent: Array, proof: Proof
) -> Disagreement | None:
    """Return how a recording differs from plain calls; None if it agrees."""
    # (The way back may come to a function without a derivative there, and refuse it.)
    with quiet():
        slopes = _go_back(recording, cotangent)
        difference = proof.compare_slopes(slopes, lambda: recording.kinks(cotangent))
    # Last, so that what `f` stores besides is that of x, as after a plain call.
    return proof.compare_value(value) or difference


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
