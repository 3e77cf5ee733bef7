"""The exact way to a derivative: `f` runs once on a tape, which is proved at first use.

Two more attempts follow where the first one does not succeed: with copies of the arrays
that `f` uses beside its argument, which it may have written into; and with a copy of
`f` whose global names of NumPy and CuPy make stand-ins.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import Array, has_hidden_axis, hides_points, quiet
from xgrad._autodiff import Recording, is_nested, record
from xgrad._differences import Plan
from xgrad._evaluation import Function, caller_level, proved_ways
from xgrad._tracing import NotTraceableError
from xgrad.diff._proof import Disagreement, Proof

# Environment variable: "1" proves every call, not the first one alone.
PROVE = "XGRAD_PROVE"

UNUSED = (
    "`f` did not use its argument: the textbook's `lambda W: net.loss(x, t)` relies on "
    "the array being changed in place, which xgrad never does; write `def f(W): "
    "net.W = W; return net.loss(x, t)`"
)


class NotDifferentiable(TypeError):  # noqa: N818 (the name says what f is)
    """The function does something that no exact derivative can be taken of.

    The message says what, in which line, and what to write instead.
    """


class Inexact(Exception):  # noqa: N818 (a reason, which never reaches the caller)
    """Differences have to be taken, for a reason that the caller should read.

    ``disagrees`` tells that a proof failed, and ``was_told`` that the caller has heard
    of it before.
    """

    def __init__(self, reason: str, disagrees: bool = False, was_told: bool = False):
        super().__init__(reason)
        self.reason = reason
        self.disagrees = disagrees
        self.was_told = was_told


@dataclass(frozen=True)
class Attempt:
    """A way to record a function, which is remembered where it was proved right."""

    copies_constants: bool = False
    name = "autodiff"
    is_inherited = True

    def record(self, function: Function) -> Recording:
        """Run the function on a tape."""

        def call(standins: list[Any]) -> Any:
            if not function.batched:
                return function.call_with(standins)
            # One point along the axis that the function wants in front.
            return function.call_with([x[None, ...] for x in standins])[0, ...]

        leaves = function.leaves
        return record(call, function.xp, leaves, self.copies_constants)


@dataclass(frozen=True)
class Refused:
    """The reason why a function has no exact derivative, as it is remembered."""

    reason: str
    disagrees: bool = False
    name = "differences"
    # By the values that it encloses, a function may choose what is refused.
    is_inherited = False


ATTEMPTS = (Attempt(), Attempt(copies_constants=True))


class Exact(NamedTuple):
    """A recording that was proved, the result as floats, and the evaluations so far."""

    recording: Recording
    value: Array
    evaluations: int


def offers_tape(function: Function) -> bool:
    """Whether arrays of the function's library can be recorded on a tape."""
    return has_hidden_axis(function.xp)


def record_exactly(
    function: Function, cotangent_of: Callable[[Array], Array]
) -> Exact:
    """Record a function, and prove it where it was not; raise `Inexact` if that fails.

    ``cotangent_of`` takes f(x) and returns the cotangent with which slopes are compared.
    """
    if is_nested() or any(map(hides_points, function.leaves)):
        # The derivative of the outer function is proved, and this one with it.
        recording = Attempt().record(function)
        return Exact(recording, _value_of(function, recording), 1)
    memory, key = proved_ways(function.call), _key(function)
    before = memory.find(key)
    proves_always = os.environ.get(PROVE) == "1"
    if isinstance(before, Refused) and not proves_always:
        raise Inexact(before.reason, before.disagrees, was_told=True)
    attempts = (before,) if isinstance(before, Attempt) else ATTEMPTS
    refused: Refused | None = None
    evaluations = 0
    for attempt in attempts:
        try:
            recording = attempt.record(function)
        except NotTraceableError as error:
            reason = f"{error.idiom}{error.place}: {error.remedy}"
            refused = refused or Refused(reason)
            continue
        evaluations += 1
        value = _value_of(function, recording)
        branch = (*key, recording.path)
        if memory.find(branch) == attempt and not proves_always:
            return Exact(recording, value, evaluations)
        proof = Proof(function, cotangent_of(value))
        difference = _disagreement(recording, value, cotangent_of(value), proof)
        evaluations += proof.evaluations
        if difference is None:
            memory.remember(key, attempt)
            memory.remember(branch, attempt)
            return Exact(recording, value, evaluations)
        refused = refused or Refused(_explain(difference), disagrees=True)
    assert refused is not None
    memory.remember(key, refused)
    raise Inexact(refused.reason, refused.disagrees)


def differences_instead(inexact: Inexact, plan: Plan, x: Any) -> Plan:
    """Return the plan of the differences that are taken, after a warning.

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
    return plan


def not_differentiable(inexact: Inexact) -> Exception:
    """Return the error for a caller who allows nothing but an exact derivative."""
    if inexact.disagrees:
        return ValueError(
            "the exact derivative of `f` does not agree with `f` itself: there is "
            f"{inexact.reason}"
        )
    return NotDifferentiable(
        f"`f` has no exact derivative, because of {inexact.reason}; or take a gradient "
        "by differences, method='central'"
    )


def _value_of(function: Function, recording: Recording) -> Array:
    """Return the result of a recording as floats; raise if f uses nothing of x."""
    if recording.is_constant and not recording.uses_argument:
        raise ValueError(UNUSED)
    return function.convert_result(recording.result)


def _disagreement(
    recording: Recording, value: Array, cotangent: Array, proof: Proof
) -> Disagreement | None:
    """Return how a recording differs from plain calls; None if it agrees."""
    difference = proof.compare_value(value)
    if difference is not None:
        return difference
    with quiet():
        slopes = recording.pull(cotangent)
        difference = proof.compare_slopes(slopes)
        # At a corner the slopes of the sides differ, and so do differences.
        if difference is not None and recording.kinks(cotangent) is not None:
            return None
    return difference


def _explain(difference: Disagreement) -> str:
    exact, measured = difference.exact, difference.measured
    if difference.quantity == "value":
        return (
            f"a value of `f` that is {exact:.9g} where x is recorded and {measured:.9g} "
            "for a plain array: `f` looks at the type of x, draws random numbers, or "
            "changes between two calls; write it without"
        )
    return (
        f"a slope along a random direction that is {exact:.9g} by the rules and "
        f"{measured:.9g} by differences: a value has left the record of `f` (by a "
        "conversion to a plain number), a constant was changed after its use, or a "
        "`custom_vjp` is wrong; check it by `check_gradient` or `check_vjp`"
    )


def _key(function: Function) -> Any:
    """Return the key of what is remembered: namespace, shapes and dtypes."""
    leaves = tuple((x.shape, _name_of(x.dtype)) for x in function.leaves)
    return "autodiff", function.xp.__name__, leaves, function.batched


def _name_of(dtype: Any) -> Any:
    return dtype.num if isinstance(dtype, np.dtype) else str(dtype)
