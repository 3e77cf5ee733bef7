"""The functions of Python's `math`, of arrays that hold one number.

Each computes the number by `math` itself: it has the same bits, and fails alike.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xgrad._arrays import is_standin
from xgrad._tracing import first_standin

Function = Callable[..., Any]

# Functions of one or two numbers, by the names of their rules.
RULES = (
    "acos arccos; acosh arccosh; asin arcsin; asinh arcsinh; atan arctan; "
    "atan2 arctan2; atanh arctanh; cbrt cbrt; copysign copysign; cos cos; cosh cosh; "
    "degrees degrees; erf erf; erfc erfc; exp exp; exp2 exp2; expm1 expm1; "
    "fabs absolute; fmod fmod; gamma gamma; lgamma gammaln; log10 log10; "
    "log1p log1p; log2 log2; pow power; radians radians; sin sin; sinh sinh; "
    "sqrt sqrt; tan tan; tanh tanh"
)
# Functions whose results do not change with a small step, or are booleans.
CONSTANT = ("ceil", "floor", "isclose", "isfinite", "isinf", "isnan", "trunc", "ulp")


def number(x: Any) -> Any:
    """Return an array of one entry without axes, as `math` takes it."""
    if x.size != 1:
        raise TypeError("only arrays with one entry can be converted to numbers")
    return x if not x.shape else x.reshape(())


def value_of(x: Any) -> Any:
    """Return the number that a stand-in stands for."""
    while is_standin(x):
        x = number(x).tracer.value_of(x)
    return x


def _entry_function(plain: Function, rule: str) -> Function:
    """Return a function of `math` for numbers that may be stand-ins."""

    def apply(*operands: Any) -> Any:
        standin = first_standin(operands)
        if standin is not None:
            return standin.tracer.elementwise(apply, *operands)
        dtypes = [o.dtype for o in operands if hasattr(o, "dtype")]
        result = plain(*map(float, operands))
        return np.result_type(*dtypes).type(result)

    apply.__name__ = plain.__name__
    apply.operation = rule  # type: ignore[attr-defined]

    @functools.wraps(plain)
    def function(*operands: Any) -> Any:
        if first_standin(operands) is None:
            return plain(*operands)
        return apply(*(number(o) if is_standin(o) else o for o in operands))

    return function


def _constant_function(plain: Function) -> Function:
    @functools.wraps(plain)
    def function(*operands: Any, **options: Any) -> Any:
        return plain(*map(value_of, operands), **options)

    return function


def _composed(plain: Function) -> Callable[[Function], Function]:
    """Make a function of stand-ins the substitute of one of `math`."""

    def register(function: Function) -> Function:
        @functools.wraps(plain)
        def choose(*args: Any, **options: Any) -> Any:
            args = tuple(list(a) if hasattr(a, "__next__") else a for a in args)
            has_standin = first_standin((*args, *options.values())) is not None
            return (function if has_standin else plain)(*args, **options)

        MATH[plain] = choose
        return function

    return register


MATH: dict[Any, Function] = {}
for _pair in RULES.split("; "):
    _name, _rule = _pair.split()
    if hasattr(math, _name):
        _plain = getattr(math, _name)
        MATH[_plain] = _entry_function(_plain, _rule)
for _name in CONSTANT:
    MATH[getattr(math, _name)] = _constant_function(getattr(math, _name))
_natural_log = _entry_function(lambda x: math.log(x), "log")


@_composed(math.log)
def _log(x: Any, base: Any = None) -> Any:
    log = _natural_log(x)
    return log if base is None else log / _natural_log(base)


@_composed(math.hypot)
def _hypot(*coordinates: Any) -> Any:
    return functools.reduce(np.hypot, map(number_or_float, coordinates), 0.0)


@_composed(math.dist)
def _dist(p: Any, q: Any) -> Any:
    return _hypot(*map(operator.sub, p, q))


@_composed(math.fsum)
def _fsum(numbers: Any) -> Any:
    return sum(map(number_or_float, numbers))


@_composed(math.prod)
def _prod(numbers: Any, *, start: Any = 1) -> Any:
    return functools.reduce(operator.mul, numbers, start)


@_composed(math.ldexp)
def _ldexp(x: Any, exponent: int) -> Any:
    return number(x) * math.ldexp(1.0, exponent)


@_composed(math.modf)
def _modf(x: Any) -> Any:
    whole = math.modf(value_of(x))[1]
    return number(x) - whole, whole


@_composed(math.frexp)
def _frexp(x: Any) -> Any:
    exponent = math.frexp(value_of(x))[1]
    return _ldexp(x, -exponent), exponent


@_composed(math.remainder)
def _remainder(x: Any, y: Any) -> Any:
    a, b = value_of(x), value_of(y)
    turns = round((a - math.remainder(a, b)) / b)
    return number_or_float(x) - number_or_float(y) * turns


def number_or_float(x: Any) -> Any:
    """Return what `math` makes of an argument: a number."""
    return number(x) if is_standin(x) else float(x)


if hasattr(math, "sumprod"):  # from Python 3.12 on

    @_composed(math.sumprod)
    def _sumprod(p: Any, q: Any) -> Any:
        return sum(map(operator.mul, p, q))


if hasattr(math, "fma"):  # from Python 3.13 on

    @_composed(math.fma)
    def _fma(x: Any, y: Any, z: Any) -> Any:
        return x * y + z
