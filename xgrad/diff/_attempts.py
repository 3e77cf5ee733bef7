"""Ways to record a function: with or without copies of arrays, or of the function.

Others follow where the first one does not succeed: with copies of the arrays that `f`
uses beside its argument, which it may have written into; with a copy of `f` whose
global names of NumPy and CuPy make stand-ins; and with such copies of the functions of
installed packages that it calls, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    has_hidden_axis,
    is_lazy,
    recorded_natively,
)
from xgrad._autodiff import (
    Pushed,
    is_nested,
    is_recorded,
    push_forward,
    record,
)
from xgrad._evaluation import (
    Function,
    only_point,
)
from xgrad._tracing import NotTraceableError, line_of_caller
from xgrad.diff._calls import copy_of
from xgrad.diff._native import push_natively, record_natively

NO_RULES = (
    "arrays that have neither rules of xgrad's nor derivatives of their own library: "
    "compute them first"
)


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
    libraries: bool = False
    arrays: bool = False
    # Of PyTorch and JAX no branch is known from another, so that a proof holds for
    # functions that enclose the same values alone.
    is_native: bool = False
    name = "autodiff"

    @property
    def reach(self) -> tuple[bool, bool, bool]:
        """Whether functions of the user are copied, of libraries, and arrays named."""
        return self.substitutes, self.libraries, self.arrays

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
        with RecordingErrors(function):
            if has_rules(function):
                return record(call, xp, leaves, self.copies_constants, max_bytes)
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
        with RecordingErrors(function):
            if has_rules(function):
                return push_forward(call, xp, leaves, tangents, ignores_zeros)
            pushed = push_natively(call, xp, leaves, tangents)
        if pushed is None:
            raise Inexact(NO_RULES, was_told=True)
        return pushed

    def plain_call(self, function: Function) -> Callable[[Any], Any]:
        """Return the caller's function, or the copy of it that is to be run."""
        if not self.substitutes:
            return function.call
        copy = copy_of(function.call, self.libraries, self.arrays)
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


class RecordingErrors:
    """Take an error that a plain call does not raise for a refusal to be recorded."""

    # (No generator, which would take longer than a small function.)
    __slots__ = ("function",)

    def __init__(self, function: Function) -> None:
        self.function = function

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if not isinstance(error, Exception):
            return
        if isinstance(error, (NotTraceableError, Inexact)) or is_inside():
            return
        if is_lazy(self.function.xp, self.function.leaves[0]):
            return
        # The caller's own error, which a plain call raises as well.
        self.function.at_base()
        kind, message = type(error), str(error).partition("\n")[0]
        idiom = f"an error where x is recorded ({kind.__name__}: {message})"
        remedy = "write it with functions of the array API standard, or of NumPy"
        if kind.__module__.partition(".")[0] == "numba":
            idiom = "a function that Numba has compiled, which takes plain arrays only"
            remedy = "give its code in Python, `f.py_func`: exact, but not compiled"
        raise NotTraceableError(idiom, remedy, line_of_caller(error)) from error


@dataclass(frozen=True)
class Refused:
    """The reason why a function has no exact derivative, as it is remembered."""

    reason: str
    disagrees: bool = False
    name = "differences"
    # By the values that it encloses, a function may choose what is refused.
    is_inherited = False


NATIVE = (Attempt(is_native=True),)
# Without copies: the attempt that nearly all functions need.
PLAIN = Attempt()
ATTEMPTS = (
    PLAIN,
    Attempt(copies_constants=True),
    Attempt(substitutes=True),
    Attempt(substitutes=True, copies_constants=True),
    Attempt(substitutes=True, libraries=True),
    Attempt(substitutes=True, libraries=True, copies_constants=True),
    Attempt(substitutes=True, libraries=True, arrays=True),
    Attempt(substitutes=True, libraries=True, arrays=True, copies_constants=True),
)


def has_rules(function: Function) -> bool:
    """Whether xgrad has rules for the arrays of a function, plain or recorded."""
    return has_hidden_axis(function.xp) or any(map(is_recorded, function.leaves))


def is_inside() -> bool:
    """Whether a function is being recorded, by xgrad or by its arrays' library."""
    return is_nested() or recorded_natively.get()
