"""The exact way to a derivative: a record that was proved, and the way back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    common_namespace,
    is_numpy,
    quiet,
)
from xgrad._autodiff import Recording
from xgrad._differences import Plan, require_scalar
from xgrad._evaluation import (
    Execution,
    Function,
    caller_level,
    describe_fault,
)
from xgrad._tracing import NotTraceableError
from xgrad.diff._attempts import (
    PLAIN,
    Attempt,
    Inexact,
    RecordingErrors,
    has_rules,
    is_inside,
)
from xgrad.diff._native import gradients_natively
from xgrad.diff._proof import Disagreement, Proof
from xgrad.diff._search import (
    UNUSED,
    Comparison,
    Exact,
    disagreement_of,
    first_right,
    reason_of,
    value_of,
)


class NotDifferentiable(TypeError):
    """The function does something that no exact derivative can be taken of.

    The message says what, in which line, and what to write instead.
    """


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
    value = value_of(function, recording)
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
        raise Inexact(reason_of(error)) from None


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
