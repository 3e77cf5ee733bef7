"""Notes on errors of the caller's function whose own words do not show the mistake."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import array_api_compat

from xgrad._arrays.trees import leaves

ONE_ARGUMENT = (
    "xgrad calls a function with one argument, `x`: for a tuple of arrays write "
    "`lambda p: f(*p)`, and for arguments that stay as they are `lambda x: f(x, a)`"
)
OF_VJP = (
    "xgrad calls `f(*inputs)`, and `vjp(*inputs, *cotangents)` with one cotangent for "
    "each output of `f`"
)
PICKLED = (
    "other processes get the function by pickle: define it by `def` at the top of a "
    "module, or take threads, for example workers=4"
)


def note_mistake(
    error: Exception, arguments: Mapping[str, Any], inner: TracebackType
) -> None:
    """Add a note to an error that left a public function, if a rule below fits.

    ``arguments`` are those of the public function, and ``inner`` is the part of the
    traceback below it.
    """
    note = (
        _note_on_arguments(error, arguments, inner)
        or _note_on_library(error, arguments, inner)
        or _note_on_pickle(error, arguments)
    )
    if note and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _note_on_arguments(
    error: Exception, arguments: Mapping[str, Any], inner: TracebackType
) -> str:
    if not (
        isinstance(error, TypeError)
        and "positional argument" in str(error)
        and "f" in arguments
        # The call failed, and not one inside of the function.
        and _innermost_module(inner).startswith("xgrad.")
    ):
        return ""
    if "inputs" in arguments:
        return OF_VJP
    # A backward pass of the caller gets more than one argument.
    is_call = "required" in str(error) or "but 1 was given" in str(error)
    return ONE_ARGUMENT if is_call and not arguments.get("args") else ""


def _note_on_library(
    error: Exception, arguments: Mapping[str, Any], inner: TracebackType
) -> str:
    if (
        isinstance(error, (TypeError, AttributeError))
        and "x" in arguments
        and _innermost_module(inner).partition(".")[0] == "numpy"
    ):
        for _, leaf in leaves(arguments["x"]):
            if array_api_compat.is_array_api_obj(leaf):
                library = type(leaf).__module__.partition(".")[0]
                if library != "numpy":
                    return (
                        "a function of NumPy has failed, but xgrad calls `f` with "
                        f"arrays of {library}, as `x` is: use functions of {library}"
                    )
    return ""


def _note_on_pickle(error: Exception, arguments: Mapping[str, Any]) -> str:
    # Locals of a function are an AttributeError of pickle, and locks are a TypeError.
    is_refusal = isinstance(error, pickle.PicklingError) or (
        isinstance(error, (AttributeError, TypeError)) and "pickle" in str(error)
    )
    return PICKLED if is_refusal and arguments.get("workers") is not None else ""


def _innermost_module(traceback: TracebackType) -> str:
    """Return the name of the module whose code raised."""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return str(traceback.tb_frame.f_globals.get("__name__", ""))
