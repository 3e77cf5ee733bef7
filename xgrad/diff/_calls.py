"""Functions with further arguments, and functions that return more than a result.

Both are partial functions, by which the memory of proofs knows the caller's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from xgrad._arrays import (
    a_type,
    has_standin,
    perturbed,
    require_callable,
    transform,
    unwrap,
    wrap_like,
)
from xgrad._autodiff import substituted


def with_arguments(
    f: Callable[..., Any], args: Any, name: str = "f"
) -> Callable[[Any], Any]:
    """Return a function of ``x`` alone, ``f(x, *args)``."""
    require_callable(name, f)
    if not isinstance(args, tuple):
        raise TypeError(
            f"`args` must be a tuple of further arguments of `f`; got "
            f"{a_type(args)}: write `args=(a,)` for one"
        )
    return functools.partial(_call_with, f, *args) if args else f


def _call_with(f: Callable[..., Any], *rest: Any) -> Any:
    *args, x = rest
    return f(x, *args)


class Aux:
    """The second part of what a function returns, at points of the caller's choice."""

    value: Any = None

    def of(self, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the function that returns the result alone."""
        return functools.partial(_take_result, f, self)

    def detached(self, like: Any) -> Any:
        """Return the last value, with arrays in place of those that were recorded."""

        def detach(_: str, value: Any) -> Any:
            return wrap_like(unwrap(value).base, like) if has_standin(value) else value

        return transform(detach, self.value, "aux")


def _take_result(f: Callable[[Any], Any], aux: Aux, x: Any) -> Any:
    pair = f(x)
    if not (isinstance(pair, tuple) and len(pair) == 2):
        raise TypeError(
            "with has_aux=True `f` must return a tuple (result, aux); got "
            f"{a_type(pair)}"
        )
    if not perturbed.get():
        aux.value = pair[1]
    return pair[0]


def copy_of(
    f: Callable[..., Any], libraries: bool, arrays: bool
) -> Callable[..., Any] | None:
    """Return a copy of a function that sees substitutes; None if there can be none.

    With ``libraries`` the functions of installed packages see them, too, and with
    ``arrays`` it sees stand-ins for the arrays that it names.
    """
    if isinstance(f, functools.partial) and f.func in (_call_with, _take_result):
        inner = copy_of(f.args[0], libraries, arrays)
        return inner and functools.partial(f.func, inner, *f.args[1:])
    return substituted(f, libraries, arrays)[0]
