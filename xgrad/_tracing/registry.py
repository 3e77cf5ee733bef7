"""Register functions by their names, and offer the namespace of batched arrays.

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
from xgrad._batched.layout import reshaped

NONE = object()  # the default of arguments for which None is a value


def handles(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler by its names in the standard and in NumPy."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            HANDLERS[name] = handler
            function: Any = np
            for attribute in name.split("."):
                function = getattr(function, attribute, None)
            # NumPy hands its ufuncs over by a protocol of their own.
            if callable(function) and not isinstance(function, (np.ufunc, type)):
                NUMPY_NAMES[function] = name
        return handler

    return register


def require(condition: bool, x: Any, idiom: str, remedy: str = "") -> None:
    """Refuse unless a condition holds; ``x`` is a batched array or a trace."""
    if not condition:
        raise getattr(x, "tracer", x).refuse(idiom, remedy)


def axis_of(x: Any, axis: int) -> int:
    """Return an axis of ``x``, counted from the front."""
    # Not `int`, which would take 1.5, too.
    axis = operator.index(axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is out of bounds for {x.ndim} axes")
    return axis % x.ndim


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """Return axes of ``x``, counted from the front; all of them for None."""
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, (tuple, list)):
        return tuple(axis_of(x, a) for a in axis)
    return (axis_of(x, axis),)


@functools.cache
def named(xp: Any, name: str, *options: tuple[str, Any]) -> Callable[..., Any]:
    """Return a function of a namespace with some keywords.

    It is one object every time, by which a chunk knows the operation again.
    """
    function = getattr(xp, name)
    if not options:
        return function
    return functools.partial(function, **dict(options))


def array_like(x: Any, among: Any) -> Any:
    """Return ``x`` as an array, batched or not; only NumPy takes numbers and lists.

    ``among`` are all operands, one of which is batched.
    """
    if isinstance(x, Batched) or hasattr(x, "ndim"):
        return x
    # NumPy makes arrays of numbers and of lists, as it does in the caller's own calls;
    # the array API standard refuses both.
    trace = any_batched((among,)).tracer  # type: ignore[union-attr]
    if is_numpy(trace.xp) and any_batched((x,)) is None:
        return np.asarray(x)
    if isinstance(x, (tuple, list)):
        return HANDLERS["stack"](x)
    raise trace.refuse(
        "a list of numbers together with entries of x", "make arrays of them"
    )


def is_float(x: Batched) -> bool:
    """Whether the entries are real or complex floats."""
    return x.dtype.kind in "fc"


def zero_of(x: Batched) -> Array:
    """Return a 0 of the dtype and on the device of ``x``, without axes."""
    xp = x.tracer.xp
    return xp.zeros((), dtype=x.dtype, device=x.device)


def reshape(x: Any, shape: Any) -> Any:
    """Return an array, batched or not, in another shape."""
    if isinstance(x, Batched):
        return reshaped(x, shape)
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


class Namespace:
    """An array namespace whose functions take batched arrays as well.

    It has the name of the namespace of plain arrays, so that `array_namespace` accepts
    both kinds together.
    """

    hides_points = True

    def __init__(self, xp: Any, path: str = "") -> None:
        self._xp = xp
        self._path = path
        self.__name__ = xp.__name__

    def __getattr__(self, name: str) -> Any:
        # Asked for only once: what is stored below is what the next look-up sees first.
        attribute = getattr(self._xp, name)
        path = f"{self._path}{name}"
        if name in ("linalg", "fft"):
            attribute = Namespace(attribute, f"{name}.")
        # (Classes, such as dtypes, are what they are.)
        elif path in HANDLERS and not isinstance(attribute, type):
            attribute = _dispatch(HANDLERS[path], attribute)
        elif callable(attribute) and not isinstance(attribute, type):
            attribute = _refuse_batched(path, attribute)
        self.__dict__[name] = attribute
        return attribute


def any_batched(arguments: Any) -> Batched | None:
    """Return the first batched array among arguments and in their lists, if any."""
    for argument in arguments:
        argument = unwrap(argument)
        if isinstance(argument, Batched):
            return argument
        if isinstance(argument, (tuple, list)):
            batched = any_batched(argument)
            if batched is not None:
                return batched
    return None


def _dispatch(handler: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """Return the function ``plain``, which calls the handler for batched arrays."""

    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        # A function of the caller may use one namespace for constants, too.
        if any_batched((*args, *kwargs.values())) is None:
            return plain(*args, **kwargs)
        wrapper = _any_wrapper((*args, *kwargs.values()))
        trace = any_batched((*args, *kwargs.values())).tracer  # type: ignore[union-attr]
        name = plain.__name__
        if wrapper is None:
            return handled(trace, name, handler, args, kwargs)
        args, kwargs = _unwrap_all(args), {k: _unwrap_all(v) for k, v in kwargs.items()}
        return _wrap_all(handled(trace, name, handler, args, kwargs), wrapper)

    return function


def _any_wrapper(arguments: Any) -> Any:
    """Return the first array of array_api_strict among the arguments, if any."""
    for argument in arguments:
        if isinstance(argument, (tuple, list)):
            wrapper = _any_wrapper(argument)
            if wrapper is not None:
                return wrapper
        elif unwrap(argument) is not argument:
            return argument
    return None


def _unwrap_all(argument: Any) -> Any:
    """Return an argument of array_api_strict as one of NumPy."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(map(_unwrap_all, argument))
    # By name, so that array_api_strict need not be installed. NumPy has one device.
    if type(argument).__name__ == "Device":
        return None
    return unwrap(getattr(argument, "_np_dtype", argument))


def _wrap_all(result: Any, like: Any) -> Any:
    """Return a result of NumPy as one of array_api_strict, like the array ``like``."""
    if isinstance(result, (tuple, list)):
        return type(result)(_wrap_all(item, like) for item in result)
    return wrap_like(result, like) if hasattr(result, "shape") else result


def _refuse_batched(name: str, plain: Callable[..., Any]) -> Any:
    """Return the function ``plain``, which refuses batched arrays."""

    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        batched = any_batched((*args, *kwargs.values()))
        if batched is not None:
            raise batched.tracer.refuse(
                f"`{name}`", "write it with other functions of the standard"
            )
        return plain(*args, **kwargs)

    return function


# One for each library: functions take from it what they then use as keys.
HANDLERS["namespace"] = functools.cache(Namespace)
