"""Functions by their names, and the namespace that batched arrays belong to.

Each handler has the arguments that it implements and no others: an argument that it
does not know is an error, which ends in one point at a time, and is never dropped.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import Array, is_numpy, unwrap, wrap_like
from xgrad._batched.array import HANDLERS, NUMPY_NAMES, Batched, handled
from xgrad._batched.moving import reshaped

NONE = object()  # where None is a value


def handles(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler by its names: those of the standard and those of NumPy."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            HANDLERS[name] = handler
            scope: Any = np
            for part in name.split("."):
                scope = getattr(scope, part, None)
            if callable(scope) and not isinstance(scope, (np.ufunc, type)):
                NUMPY_NAMES[scope] = name
        return handler

    return register


def require(condition: bool, x: Any, idiom: str, remedy: str = "") -> None:
    """Raise what starts the fallback, unless a condition holds (x: array or trace)."""
    if not condition:
        raise getattr(x, "run", x).refuse(idiom, remedy)


def axis_of(x: Any, axis: int) -> int:
    axis = operator.index(axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is out of bounds for {x.ndim} axes")
    return axis % x.ndim


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, (tuple, list)):
        return tuple(axis_of(x, a) for a in axis)
    return (axis_of(x, axis),)


@functools.cache
def named(xp: Any, name: str, *options: tuple[str, Any]) -> Callable[..., Any]:
    """A function of a namespace with some keywords: the same object every time."""
    function = getattr(xp, name)
    if not options:
        return function
    return functools.partial(function, **dict(options))


def array_like(x: Any, among: Any) -> Any:
    """An array; of NumPy also numbers and lists."""
    if isinstance(x, Batched) or hasattr(x, "ndim"):
        return x
    trace = any_batched((among,)).run  # type: ignore[union-attr]
    if is_numpy(trace.xp) and any_batched((x,)) is None:
        return np.asarray(x)
    if isinstance(x, (tuple, list)):
        return HANDLERS["stack"](x)
    raise trace.refuse("a list of numbers beside entries of x", "make arrays of them")


def is_float(x: Batched) -> bool:
    return x.dtype.kind in "fc"


def zero_of(x: Batched) -> Array:
    xp = x.run.xp
    return xp.zeros((), dtype=x.dtype, device=x.device)


def reshape(x: Any, shape: Any) -> Any:
    """In another shape, batched or not."""
    if isinstance(x, Batched):
        return reshaped(x, shape)
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


# The namespace that batched arrays say they belong to


class Namespace:
    """An array namespace whose functions take batched arrays as well.

    It has the name of the other one, so that `array_namespace` accepts arrays of both.
    """

    hides_points = True

    def __init__(self, xp: Any, path: str = "") -> None:
        self._xp = xp
        self._path = path
        self.__name__ = xp.__name__

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._xp, name)
        full = f"{self._path}{name}"
        if name in ("linalg", "fft"):
            found = Namespace(found, f"{name}.")
        elif full in HANDLERS and not isinstance(found, type):
            found = _dispatched(HANDLERS[full], found)
        elif callable(found) and not isinstance(found, type):
            found = _refusing(full, found)
        self.__dict__[name] = found
        return found


def any_batched(arguments: Any) -> Batched | None:
    for argument in arguments:
        argument = unwrap(argument)
        if isinstance(argument, Batched):
            return argument
        if isinstance(argument, (tuple, list)):
            found = any_batched(argument)
            if found is not None:
                return found
    return None


def _dispatched(handler: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """A function with the handler for batched arrays."""

    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        if any_batched((*args, *kwargs.values())) is None:
            return plain(*args, **kwargs)
        holder = _holder((*args, *kwargs.values()))
        trace = any_batched((*args, *kwargs.values())).run  # type: ignore[union-attr]
        name = plain.__name__
        if holder is None:
            return handled(trace, name, handler, args, kwargs)
        args, kwargs = _bared(args), {k: _bared(v) for k, v in kwargs.items()}
        return _dressed(handled(trace, name, handler, args, kwargs), holder)

    return function


def _holder(arguments: Any) -> Any:
    """An array of array_api_strict among the arguments, if there is one."""
    for argument in arguments:
        if isinstance(argument, (tuple, list)):
            found = _holder(argument)
            if found is not None:
                return found
        elif unwrap(argument) is not argument:
            return argument
    return None


def _bared(argument: Any) -> Any:
    """Arguments as those of NumPy."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(map(_bared, argument))
    if type(argument).__name__ == "Device":
        return None
    return unwrap(getattr(argument, "_np_dtype", argument))


def _dressed(found: Any, holder: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(_dressed(part, holder) for part in found)
    return wrap_like(found, holder) if hasattr(found, "shape") else found


def _refusing(name: str, plain: Callable[..., Any]) -> Any:
    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        batched = any_batched((*args, *kwargs.values()))
        if batched is not None:
            raise batched.run.refuse(
                f"`{name}`", "write it with other functions of the standard"
            )
        return plain(*args, **kwargs)

    return function


HANDLERS["namespace"] = functools.cache(Namespace)
