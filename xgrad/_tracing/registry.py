"""Register functions by their names in the array API standard and in NumPy.

A function has the arguments that it implements and no others: one that it does not know
is an error, and is never dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from xgrad._arrays import is_standin
from xgrad._tracing.arguments import first_standin, tracer_of
from xgrad._tracing.tracer import Tracer

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

FUNCTIONS: dict[str, Callable[..., Any]] = {}
NUMPY_NAMES: dict[Any, str] = {}
# NumPy's functions that make an array, whose `like=` may be a stand-in.
CREATION: set[Any] = set()
# Functions whose counterparts in NumPy can write into an array, their argument `out`:
# its position.
OUT: dict[Any, int] = {}


def handles(*names: str, out: int | None = None) -> Callable[[F], F]:
    """Register a function by its names in the standard and in NumPy.

    ``out`` is the position at which NumPy's function has an array to write into, which
    this function does not have.
    """

    def register(function: F) -> F:
        for name in names:
            FUNCTIONS[name] = function
            theirs: Any = np
            for attribute in name.removeprefix("numpy.").split("."):
                theirs = getattr(theirs, attribute, None)
            # NumPy hands its ufuncs over by a protocol of their own.
            if callable(theirs) and not isinstance(theirs, (np.ufunc, type)):
                NUMPY_NAMES[theirs] = name
        if out is not None:
            OUT[function] = out
        return function

    return register


def overridable(function: F) -> F:
    """Let a tracer compute a function in its own way, by its table of overrides.

    An override may return None, which leaves the work to the function itself.
    """

    @functools.wraps(function)
    def choose(x: Any, *args: Any) -> Any:
        override = tracer_of(x).overrides.get(choose)
        result = None if override is None else override(x, *args)
        return function(x, *args) if result is None else result

    return choose  # type: ignore[return-value]


def call(
    tracer: Tracer, name: str, function: Function, args: tuple[Any, ...], kwargs: Any
) -> Any:
    """Call a function for the caller's code, as all do but operators of entries.

    Refuse arguments that the function does not have by their names, and note the errors
    that it raises.
    """
    out = None
    try:
        if "out" in kwargs or (len(args) > 2 and function in OUT):
            args, out = _split_out(tracer, name, function, args, kwargs)
        result = function(*args, **kwargs)
        return result if out is None else write_into(out, result)
    except Exception as error:
        # A TypeError of the call itself has no frame below this one.
        here = error.__traceback__
        if not isinstance(error, TypeError) or here is None or here.tb_next:
            tracer.note(error)
            raise
        # Python names the function, which the caller does not know: it is cut off.
        complaint = str(error).partition(") ")[2] or "other arguments"
        usage = f"`{name.removeprefix('numpy.')}`, which {complaint}"
        raise tracer.refuse(usage, "write it without") from None


def _split_out(
    tracer: Tracer, name: str, function: Any, args: tuple[Any, ...], kwargs: Any
) -> tuple[tuple[Any, ...], Any]:
    """Return the arguments without ``out``, and that; refuse a plain array as it."""
    out, position = kwargs.pop("out", None), OUT.get(function)
    if position is not None and len(args) > position:
        out, args = args[position], args[:position] + args[position + 1 :]
    if out is not None and first_standin((out,)) is not out:
        raise tracer.refuse(
            f"{name}(out=)", "make a new array, or it by `zeros_like(x)`"
        )
    return args, out


def write_into(out: Any, result: Any) -> Any:
    """Write a result into the whole of an array, in the dtype of that; return it."""
    if is_standin(result) and result.shape == out.shape:
        return FUNCTIONS["in place"](out, result)
    out[...] = result
    return out
