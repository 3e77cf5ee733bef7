"""The exact way to a derivative: `f` runs once on a tape, which is proved at first use.

Two more attempts follow where the first one does not succeed: with copies of the arrays
that `f` uses beside its argument, which it may have written into; and with a copy of
`f` whose global names of NumPy and CuPy make stand-ins.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    common_namespace,
    has_hidden_axis,
    hides_points,
    is_lazy,
    is_numpy,
    quiet,
)
from xgrad._autodiff import (
    ChangedConstantError,
    Pushed,
    is_nested,
    is_recorded,
    push_forward,
    record,
)
from xgrad._differences import Plan, require_scalar
from xgrad._evaluation import (
    SMALL_BYTES,
    Function,
    caller_level,
    keep_released_memory,
    only_point,
    ways_of_function,
)
from xgrad._tracing import NotTraceableError
from xgrad.diff._calls import copy_of
from xgrad.diff._native import gradients_natively, push_natively, record_natively
from xgrad.diff._proof import Disagreement, Proof

# Environment variable: "1" proves every call, not the first one alone.
PROVE = "XGRAD_PROVE"

UNUSED = (
    "`f` did not use its argument: the textbook's `lambda W: net.loss(x, t)` relies on "
    "the array being changed in place, which xgrad never does; write `def f(W): "
    "net.W = W; return net.loss(x, t)`"
)


NO_RULES = (
    "arrays that have neither rules of xgrad's nor derivatives of their own library: "
    "compute them first"
)


class NotDifferentiable(TypeError):
    """The function does something that no exact derivative can be taken of.

    The message says what, in which line, and what to write instead.
    """


class Inexact(Exception):
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
    substitutes: bool = False
    # Of PyTorch and JAX no branch is known from another, so that a proof holds for
    # functions that enclose the same values alone.
    is_native: bool = False
    name = "autodiff"

    @property
    def is_inherited(self) -> bool:
        """Whether it holds for other functions of the same code and kinds of values."""
        return not self.is_native

    def record(self, function: Function, max_bytes: int | None = None) -> Any:
        """Run the function on a tape, that of xgrad or of its arrays' library.

        ``max_bytes`` limits what the tape of xgrad saves. Raise `Inexact` where there
        is no tape.
        """
        call, xp, leaves = self.call_of(function), function.xp, function.leaves
        if _has_rules(function):
            return record(call, xp, leaves, self.copies_constants, max_bytes)
        with _errors_of_recording(function):
            recording = record_natively(call, xp, leaves)
        if recording is None:
            raise Inexact(NO_RULES, was_told=True)
        return recording

    def push(
        self, function: Function, tangents: Sequence[Any], ignores_zeros: bool = False
    ) -> Pushed:
        """Run the function with a tangent for each leaf, None in place of zeros.

        Raise `Inexact` where neither xgrad nor the arrays' library can.
        """
        call, xp, leaves = self.call_of(function), function.xp, function.leaves
        if _has_rules(function):
            return push_forward(call, xp, leaves, tangents, ignores_zeros)
        with _errors_of_recording(function):
            pushed = push_natively(call, xp, leaves, tangents)
        if pushed is None:
            raise Inexact(NO_RULES, was_told=True)
        return pushed

    def plain_call(self, function: Function) -> Callable[[Any], Any]:
        """Return the caller's function, or the copy of it that is to be run."""
        if not self.substitutes:
            return function.call
        copy = copy_of(function.call)
        if copy is None:
            raise NotTraceableError("a function that cannot be copied")
        return copy

    def call_of(self, function: Function) -> Callable[[list[Any]], Any]:
        """Return the function of a list of stand-ins that is to be run."""
        if self.substitutes:
            function = replace(function, call=self.plain_call(function))
        if not function.batched:
            return function.call_with

        def call(standins: list[Any]) -> Any:
            # One point along the axis that the function wants in front.
            batch = function.call_with([x[None, ...] for x in standins])
            return only_point(batch) if hasattr(batch, "ndim") else batch

        return call


@contextlib.contextmanager
def _errors_of_recording(function: Function) -> Iterator[None]:
    """Take an error that a plain call does not raise for a refusal to be recorded."""
    try:
        yield
    except NotTraceableError:
        raise
    except Exception as error:
        if is_nested():
            raise
        # The caller's own error, which a plain call raises as well.
        function.at_base()
        raise NotTraceableError(
            f"an error where x is recorded ({type(error).__name__}: {error})",
            "write it with functions of the array API standard, or of NumPy",
        ) from error


@dataclass(frozen=True)
class Refused:
    """The reason why a function has no exact derivative, as it is remembered."""

    reason: str
    disagrees: bool = False
    name = "differences"
    # By the values that it encloses, a function may choose what is refused.
    is_inherited = False


NATIVE = (Attempt(is_native=True),)
ATTEMPTS = (
    Attempt(),
    Attempt(copies_constants=True),
    Attempt(substitutes=True),
    Attempt(substitutes=True, copies_constants=True),
)


# How a result differs from plain calls, None if it agrees, and how many there were.
Comparison = tuple[Disagreement | None, int]


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

    def compare(attempt: Attempt, recording: Any, value: Array) -> Comparison:
        cotangent = cotangent_of(value)
        proof = Proof(function, cotangent)
        difference = _disagreement(recording, value, cotangent, proof)
        return difference, proof.evaluations

    def run(attempt: Attempt) -> Any:
        return attempt.record(function, max_bytes)

    # What is done again on the way back is proved to be the same.
    kind = "autodiff" if max_bytes is None else "autodiff in little memory"
    return first_right(function, kind, run, compare)


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
    if is_nested() or any(map(hides_points, function.leaves)):
        # The derivative of the outer function is proved, and this one with it.
        result = run(Attempt())
        return Exact(result, _value_of(function, result), 1, Attempt())
    if is_lazy(function.xp, function.leaves[0]):
        # Without values there is nothing to compare.
        result = run(Attempt())
        return Exact(result, _value_of(function, result), 1, Attempt())
    if any(x.nbytes > SMALL_BYTES for x in function.leaves if hasattr(x, "nbytes")):
        keep_released_memory()
    memory, key = ways_of_function(function.call), _key(kind, function)
    before = memory.find(key)
    proves_always = os.environ.get(PROVE) == "1"
    if isinstance(before, Refused) and not proves_always:
        raise Inexact(before.reason, before.disagrees, was_told=True)
    attempts = ATTEMPTS if _has_rules(function) else NATIVE
    attempts = (before,) if isinstance(before, Attempt) else attempts
    refused: Refused | None = None
    evaluations, without = 0, set()
    for attempt in attempts:
        if attempt.substitutes in without:
            continue
        try:
            result = run(attempt)
        except NotTraceableError as error:
            refused = refused or Refused(_reason_of(error))
            without.add(attempt.substitutes)
            continue
        evaluations += 1
        value = _value_of(function, result)
        branch = (*key, result.path)
        if memory.find(branch) == attempt and not proves_always:
            return Exact(result, value, evaluations, attempt)
        try:
            difference, count = compare(attempt, result, value)
        except ChangedConstantError as error:
            refused = refused or Refused(_reason_of(error))
            continue
        except NotTraceableError as error:
            raise Inexact(_reason_of(error)) from None
        evaluations += count
        if difference is None:
            memory.remember(key, attempt)
            memory.remember(branch, attempt)
            return Exact(result, value, evaluations, attempt)
        refused = refused or Refused(_explain(difference), disagrees=True)
    assert refused is not None
    memory.remember(key, refused)
    raise Inexact(refused.reason, refused.disagrees)


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
    if not _has_rules(function):
        call = attempt.call_of(function)
        with _errors_of_recording(function):
            return gradients_natively(call, function.xp, arrays)
    recording = attempt.record(function)
    value = _value_of(function, recording)
    require_scalar(value)
    slopes: list[Array] = recording.pull_once(
        function.xp.ones_like(value), ignores_zeros=ignores_zeros
    )
    return slopes


def pull_exactly(recording: Any, cotangent: Array) -> list[Array]:
    """Go back over a recording; raise `Inexact` where no derivative exists."""
    try:
        slopes: list[Array] = recording.pull(cotangent)
    except NotTraceableError as error:
        if is_nested():
            raise
        raise Inexact(_reason_of(error)) from None
    return slopes


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
    return plan.as_differences(x)


def require_use(function: Function, slopes: Any) -> None:
    """Raise if slopes are all 0 because the function uses nothing of its argument."""
    # On a device, to look at the slopes would be to wait for them.
    if not is_numpy(function.xp) or any(map(np.count_nonzero, slopes)):
        return
    try:
        with at_perturbed_points():
            recording = Attempt().record(function)
    except Exception:
        return  # it has done something with it that has no rule
    if recording.is_constant and not recording.uses_argument:
        raise ValueError(UNUSED)


def not_differentiable(inexact: Inexact) -> Exception:
    """Return the error for a caller who allows nothing but an exact derivative."""
    if inexact.disagrees:
        return ValueError(
            "the exact derivative of `f` does not agree with `f` itself: there is "
            f"{inexact.reason}"
        )
    return NotDifferentiable(
        f"`f` has no exact derivative, because of {inexact.reason}; or take "
        "differences, method='central'"
    )


def _has_rules(function: Function) -> bool:
    """Whether xgrad has rules for the arrays of a function, plain or recorded."""
    return has_hidden_axis(function.xp) or any(map(is_recorded, function.leaves))


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
        slopes = recording.pull(cotangent)
        difference = proof.compare_slopes(slopes, lambda: recording.kinks(cotangent))
    # Last, so that what `f` stores besides is that of x, as after a plain call.
    return proof.compare_value(value) or difference


def _explain(difference: Disagreement) -> str:
    exact, measured = difference.exact, difference.measured
    if difference.quantity == "value":
        return (
            f"a value of `f` that is {exact:.9g} where x is recorded, and "
            f"{measured:.9g} for a plain array: `f` looks at the type of x, draws "
            "random numbers, or changes between two calls; write it without"
        )
    return (
        f"a {difference.quantity} along a random direction that is {exact:.9g} by the "
        f"rules and {measured:.9g} by differences: a value has left the record of `f` "
        "(by a conversion to a plain number), a constant was changed after its use, or "
        "a `custom_vjp` is wrong; check it by `check_gradient` or `check_vjp`"
    )


def _key(kind: str, function: Function) -> Any:
    """Return the key of what is remembered: namespace, shapes and dtypes."""
    leaves = tuple((x.shape, _name_of(x.dtype)) for x in function.leaves)
    return kind, function.xp.__name__, leaves, function.batched


def _name_of(dtype: Any) -> Any:
    return dtype.num if isinstance(dtype, np.dtype) else str(dtype)
