"""Make arrays for a traced call, where no argument shows NumPy that they belong to it.

In a context of `creating_like`, the functions that make arrays return stand-ins, which
entries of other stand-ins can be assigned to.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy, is_standin
from xgrad._tracing.arguments import first_standin
from xgrad._tracing.registry import FUNCTIONS, call

Function = Callable[..., Any]

# Each thread has its own: a trace belongs to a call.
_LIKE: ContextVar[Any] = ContextVar("xgrad_creating_like", default=None)

# These may return the memory of their argument.
CONVERTERS = frozenset(
    "array asanyarray asarray ascontiguousarray asfortranarray".split()
)
# Functions of NumPy, CuPy and the standard that make an array to be filled.
CREATORS = CONVERTERS | frozenset(
    "arange copy empty empty_like eye full full_like geomspace identity linspace "
    "logspace ones ones_like tri zeros zeros_like".split()
)


@contextlib.contextmanager
def creating_like(standin: Any) -> Iterator[None]:
    """Let functions that make arrays return stand-ins of one tracer."""
    token = _LIKE.set(standin)
    try:
        yield
    finally:
        _LIKE.reset(token)


def is_creating() -> bool:
    """Whether functions that make arrays or numbers return stand-ins."""
    return _LIKE.get() is not None


def creator(name: str, plain: Function, otherwise: Function) -> Function:
    """Return a function that makes arrays, of plain values or of stand-ins.

    ``otherwise`` is called outside of any context, and for what only it can do.
    """

    @functools.wraps(plain)
    def create(*args: Any, **kwargs: Any) -> Any:
        like = _LIKE.get()
        if like is None:
            return otherwise(*args, **kwargs)
        entries = first_standin((*args, *kwargs.values()))
        if entries is None:
            made = plain(*args, **kwargs)
            shared = name in CONVERTERS and _is_shared(made, args)
            return made if shared else as_constant(made, like)
        function = FUNCTIONS.get(f"like {name}")
        if function is None:
            return otherwise(*args, **kwargs)
        arguments = (entries, *args)
        return call(entries.tracer, name, function, arguments, kwargs)

    return create


def as_constant(made: Any, like: Any) -> Any:
    """Return an array as a stand-in that does not depend on x.

    Anything else, integers and booleans too, is returned as it is: only floats can take
    what is computed from x.
    """
    if not _is_fitting(made, _library_of(like)):
        return made
    # Stand-ins may stand for those of another call around this one.
    if is_standin(like.base):
        made = as_constant(made, like.base)
    return like.tracer.constant("a new array", like, lambda: made)


def _library_of(like: Any) -> Any:
    """Return the namespace of the arrays that a stand-in stands for in the end."""
    while is_standin(like.base):
        like = like.base
    return like.tracer.xp


def _is_fitting(made: Any, xp: Any) -> bool:
    """Whether a result is an array of floats of the tracer's library."""
    dtype = getattr(made, "dtype", None)
    if getattr(dtype, "kind", "") not in ("f", "c"):
        return False
    # Not a matrix of NumPy, whose operators differ, nor an array of another library.
    return (
        type(made) is np.ndarray if is_numpy(xp) else not isinstance(made, np.ndarray)
    )


def _is_shared(made: Array, args: tuple[Any, ...]) -> bool:
    """Whether a conversion has returned the memory of its argument."""
    source = args[0] if args else None
    if made is source or not isinstance(made, np.ndarray):
        return made is source
    if isinstance(source, (list, tuple, int, float, complex)):
        return False
    return not made.flags.owndata or np.may_share_memory(made, np.asarray(source))
