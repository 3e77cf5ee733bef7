"""The warning that a function is evaluated one point at a time, and its reason."""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Any

from xgrad._evaluation.proof import RefusedError
from xgrad._tracing import PACKAGE, NotTraceableError, describe_line, is_library


def warn_of_loop(reason: str) -> None:
    """Warn the caller of xgrad that there will be a loop, and why."""
    message = (
        "xgrad evaluates `f` one point at a time, not many at once, because "
        f"of {reason}; or give vectorized=False, which does not warn"
    )
    warnings.warn(message, RuntimeWarning, stacklevel=_caller_level())


def reason_of(error: BaseException, f: Any) -> str:
    """Return the reason for a loop, the line of code and a remedy, as text."""
    code = getattr(f, "__code__", None)
    place = "" if code is None else describe_line(code.co_filename, code.co_firstlineno)
    if isinstance(error, NotTraceableError):
        remedy = error.remedy or (
            "write it with functions of `array_api_compat.array_namespace(x)`"
        )
        return f"{error.idiom}{error.place or place}: {remedy}"
    if isinstance(error, RefusedError):
        return f"its results{place}: {error}"
    # The innermost line of the caller's own code, not of a library that it calls.
    for frame in traceback.extract_tb(error.__traceback__):
        if not is_library(frame.filename):
            place = describe_line(frame.filename, frame.lineno or 0)
    text = str(error).partition("\n")[0]
    return (
        f"an error ({type(error).__name__}: {text}){place}: write it with functions "
        "of `array_api_compat.array_namespace(x)`, or of NumPy"
    )


def _caller_level() -> int:
    """Return the stack level of the caller of xgrad, for `warnings.warn` above."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
        level += 1
    return level
