"""Find stand-ins among arguments, and bring these into one form or refuse them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

from xgrad._arrays import is_cupy, is_numpy, is_standin, unwrap
from xgrad._tracing.tracer import Tracer

NONE: Any = object()  # the default of arguments for which None is a value
# The remedy for functions that choose entries by values, which differ between points.
BY_VALUES = "choose by `where(mask, a, b)`"


def first_standin(arguments: Iterable[Any]) -> Any:
    """Return the first stand-in among arguments and in their lists; None without."""
    for argument in arguments:
        argument = unwrap(argument)
        if is_standin(argument):
            return argument
        if isinstance(argument, (tuple, list)):
            standin = first_standin(argument)
            if standin is not None:
                return standin
    return None


def tracer_of(*operands: Any) -> Tracer:
    """Return the tracer of the first stand-in among operands and in their lists."""
    # First without looking into lists, which takes longer.
    for operand in operands:
        if is_standin(operand):
            return operand.tracer
    standin = first_standin(operands)
    if standin is None:
        raise TypeError("no operand stands for an array")
    return standin.tracer


def require(condition: bool, x: Any, idiom: str, remedy: str = "") -> None:
    """Refuse unless a condition holds; ``x`` is a stand-in or a tracer."""
    if not condition:
        raise getattr(x, "tracer", x).refuse(idiom, remedy)


def require_own_device(x: Any, device: Any) -> None:
    """Refuse a ``device=`` that is not that of the stand-in ``x``."""
    require(device is None or device == x.device, x, "a move to another device")


def answers_numpy(xp: Any) -> bool:
    """Whether the functions of NumPy take the arrays of a namespace, as its own."""
    # That of stand-ins hands over what stands for arrays of NumPy or CuPy.
    return is_standin(xp) or is_numpy(xp) or is_cupy(xp)


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


class Bound:
    """A function with constant arguments behind its operands.

    All of one function are equal: at one operation of the caller's function they have
    the same arguments every time, in objects of their own.
    """

    def __init__(
        self, function: Callable[..., Any], *args: Any, **options: Any
    ) -> None:
        self.function = function
        self.args = args
        self.options = options

    def __call__(self, *operands: Any) -> Any:
        return self.function(*operands, *self.args, **self.options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and other.function is self.function

    def __hash__(self) -> int:
        return hash(self.function)


@functools.cache
def named(xp: Any, name: str, *options: tuple[str, Any]) -> Callable[..., Any]:
    """Return a function of a namespace with some keywords.

    It is one object every time, by which a tracer knows the operation again.
    """
    function = getattr(xp, name)
    if not options:
        return function
    return functools.partial(function, **dict(options))
