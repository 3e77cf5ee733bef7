"""Calls of public functions as people write them, and results of one kind."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from xgrad._arrays.foreign import explain_arguments
from xgrad._arrays.frames import has_frames, without_frames
from xgrad._arrays.mistakes import note_mistake

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Return a public function that takes pandas objects, and explains its arguments.

    Series and DataFrames reach it as NumPy arrays. An argument of another name, or one
    too many, is answered with the names that the function has. A single number comes
    back as a NumPy scalar, never as an array without axes.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # pytest shows the caller's line
        arguments: Any = args, kwargs
        # Nobody has a Series who has not imported pandas.
        if "pandas" in sys.modules:
            arguments = _without_frames(function, args, kwargs)
        try:
            return _as_scalars(function(*arguments[0], **arguments[1]))
        except Exception as error:
            # A call that fits has a frame of its own, in which its errors are raised.
            inner = error.__traceback__ and error.__traceback__.tb_next
            if inner is not None:
                note_mistake(error, _by_name(function, args, kwargs), inner)
            elif isinstance(error, TypeError):
                raise explain_arguments(function, args, kwargs, error) from None
            raise

    return call


def public_methods(cls: type[C]) -> type[C]:
    """Return a class whose public methods are `public` functions."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, public(method))
    return cls


def _as_scalars(result: Any) -> Any:
    """Return a 0-d array of NumPy, or a tuple of some, as scalars of NumPy.

    Functions of NumPy return now the one, now the other. Scalars can be rounded,
    formatted, and written as JSON.
    """
    if type(result) is np.ndarray:
        # A scalar is in the order of bytes of the machine, which not every array is.
        is_scalar = result.ndim == 0 and result.dtype.isnative
        return result[()] if is_scalar else result
    if type(result) is tuple:
        return tuple(map(_as_scalars, result))
    return result


def _without_frames(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with NumPy arrays in place of pandas objects."""
    if not any(map(has_frames, (*args, *kwargs.values()))):
        return args, kwargs
    names = _positional_names(function, len(args))
    return (
        tuple(map(without_frames, args, names)),
        {name: without_frames(value, name) for name, value in kwargs.items()},
    )


def _by_name(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call by their names."""
    names = _positional_names(function, len(args))
    return dict(zip(names, args, strict=False)) | kwargs


def _positional_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of so many positional arguments, for messages."""
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind == parameter.VAR_POSITIONAL:
            return names + [f"{parameter.name}[{i}]" for i in range(count - len(names))]
        names.append(parameter.name)
    # More than there are: the call itself will be refused.
    return names + ["x"] * (count - len(names))
