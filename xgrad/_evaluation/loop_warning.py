"""The warning that a function is evaluated one point at a time, and its reason.

`reason_of` decides what any exception means that ends another way to call the function.
"""

from __future__ import annotations

import dis
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from xgrad._arrays import LOG, is_out_of_memory
from xgrad._batched import Trace
from xgrad._evaluation.refusals import NotFiniteError, RefusedError
from xgrad._tracing import PACKAGE, NotTraceableError, call, describe_line, is_library

# Raised by values: `f` has them in plain calls, too, at those points.
VALUE_ERRORS = (FloatingPointError, np.linalg.LinAlgError, Warning)
# The errors that arrays raise for wrong arguments, which xgrad's own arrays imitate.
ARGUMENT_ERRORS = (TypeError, ValueError, IndexError, AttributeError)
RAISE = dis.opmap["RAISE_VARARGS"]


class Reason(NamedTuple):
    """The reason for a loop, as text; ``is_fault`` is whether it is an error of xgrad.

    As text, because an exception keeps the arrays of the function alive, and because
    other processes can send it.
    """

    text: str
    is_fault: bool = False


def warn_of_loop(reason: Reason) -> None:
    """Warn the caller of xgrad that there will be a loop, and why."""
    LOG.info("one point at a time, because of %s", reason.text)
    message = (
        "xgrad evaluates `f` one point at a time, not many at once, because "
        f"of {reason.text}; or give vectorized=False, which does not warn"
    )
    warnings.warn(message, RuntimeWarning, stacklevel=caller_level())


def warn_of_fault(reason: Reason) -> None:
    """Warn the caller of an error of xgrad that costs time, but causes no loop."""
    LOG.info("a slower way, because of %s", reason.text)
    message = f"xgrad evaluates `f` in a slower way, because of {reason.text}"
    warnings.warn(message, RuntimeWarning, stacklevel=caller_level())


def reason_of(error: BaseException, f: Any) -> Reason:
    """Return why an error leads to a loop: the line of code and a remedy."""
    if is_fault(error):
        return reason_of_fault(error)
    code = getattr(f, "__code__", None)
    place = "" if code is None else describe_line(code.co_filename, code.co_firstlineno)
    if isinstance(error, NotTraceableError):
        remedy = error.remedy or (
            "write it with functions of `array_api_compat.array_namespace(x)`"
        )
        return Reason(f"{error.idiom}{error.place or place}: {remedy}")
    if isinstance(error, RefusedError):
        return Reason(f"its results{place}: {error}")
    if isinstance(error, NotFiniteError):
        return Reason(
            f"values{place} that are not finite at some of the points: keep these away "
            "by `bounds`, or choose by `where`"
        )
    # The innermost line of the caller's own code, not of a library that it calls.
    for frame in traceback.extract_tb(error.__traceback__):
        if not is_library(frame.filename):
            place = describe_line(frame.filename, frame.lineno or 0)
    if isinstance(error, VALUE_ERRORS):
        remedy = "keep points where it fails away by `bounds`"
    else:
        remedy = (
            "write it with functions of `array_api_compat.array_namespace(x)`, or of "
            "NumPy"
        )
    return Reason(f"an error ({_first_line(error)}){place}: {remedy}")


def is_fault(error: BaseException) -> bool:
    """Whether an error was raised in xgrad's own code, and not on purpose."""
    if isinstance(error, (*VALUE_ERRORS, RecursionError)) or is_out_of_memory(error):
        return False
    entries = list(_entries(error))
    if not entries:
        return False
    frame, last = entries[-1].tb_frame, entries[-1].tb_lasti
    codes = [entry.tb_frame.f_code for entry in entries]
    # A function of the hidden axis is xgrad's, whoever has registered it.
    is_handler = len(codes) > 1 and codes[-2] is call.__code__
    if not (is_handler or frame.f_code.co_filename.startswith(PACKAGE)):
        return False
    if isinstance(error, ARGUMENT_ERRORS):
        # xgrad raises these on purpose, by a statement. And at x itself the function
        # of the library, to which plain arrays are handed, raises them for the caller.
        by_statement = frame.f_code.co_code[last] == RAISE
        at_base = Trace.compute_once.__code__ in codes
        return not (by_statement or at_base)
    return not isinstance(error, RefusedError | NotFiniteError)


def reason_of_fault(error: BaseException) -> Reason:
    """Return the reason for a loop that an error inside of xgrad leads to."""
    frames = [(e.tb_frame.f_code.co_filename, e.tb_lineno) for e in _entries(error)]
    # A function of NumPy that xgrad has called says less than the call.
    *_, last = [f for f in frames if f[0].startswith(PACKAGE)] or frames
    place = describe_line(*last)
    return Reason(
        f"an error inside of xgrad ({_first_line(error)}){place}: please report it "
        "together with `f`",
        is_fault=True,
    )


def describe_fault(error: BaseException) -> str:
    """Describe an error inside of xgrad, with its place and what to do about it."""
    return reason_of_fault(error).text


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _entries(error: BaseException) -> Iterator[Any]:
    """Iterate over the entries of a traceback, the innermost last."""
    entry = error.__traceback__
    while entry is not None:
        yield entry
        entry = entry.tb_next


def caller_level() -> int:
    """Return the stack level of the caller of xgrad, for `warnings.warn`."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
        level += 1
    return level
